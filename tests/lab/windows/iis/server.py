# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IIS of a lab host: its configuration in files, the COM objects that change it, and who gets
what by it.
"""

from __future__ import annotations

import pathlib
import re
import threading
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComObject
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.contents import (
    EDITIONS,
    Edition,
    application_host,
    web_config,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.judge import Answer, Judge
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.managers import (
    READER,
    WRITER,
    ManagerObject,
    WritableObject,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.store import (
    CONFIG,
    Disk,
    Session,
    Site,
    Store,
)

_PHYSICAL = re.compile(r'physicalPath="([^"]+)"')


class Iis:
    """One IIS. What it holds is in the files below `folder`; a test that plays a colleague writes
    there.

    Without `rewrite`, URL Rewrite is there as it usually is with that Exchange; the role service
    for IP restrictions is not (no real file has it). `here`: the physical paths of virtual
    directories are folders of this machine, so that an agent in a real engine finds their
    web.configs; they are ``C:\\...`` otherwise.
    """

    def __init__(
        self,
        exchange: str = "2019",
        folder: pathlib.Path | None = None,
        version: tuple[int, int] | None = None,
        rewrite: bool | None = None,
        ip_restrictions: bool = False,
        here: bool = True,
    ) -> None:
        self.edition: Edition = EDITIONS[exchange]
        self.disk = Disk(folder)
        self.rewrite = self.edition.rewrite if rewrite is None else rewrite
        self.store = Store(self.disk, version or self.edition.iis, self.rewrite)
        text = application_host(self.edition, self.rewrite, ip_restrictions)
        self.text = _PHYSICAL.sub(self._folder, text) if here else text
        root = web_config(self.edition)
        if root is not None:
            self.disk.write("C:\\inetpub\\wwwroot\\web.config", root.encode())
        self._judge: tuple[object, Judge] | None = None
        self._lock = threading.Lock()

    def _folder(self, match: re.Match[str]) -> str:
        """A physical path as a folder of this machine, made when something is written there."""
        return f'physicalPath="{self.disk.place(match[1])}"'

    @property
    def classes(self) -> dict[str, t.Callable[[], ComObject]]:
        """The COM classes, by their ProgIDs in lower case."""
        return {
            READER.casefold(): lambda: ManagerObject(self.store),
            WRITER.casefold(): lambda: WritableObject(self.store),
        }

    @property
    def registry(self) -> dict[str, dict[str, t.Any]]:
        """The values by which versions are told (iis.net; CSS-Exchange: EOMT)."""
        keys: dict[str, dict[str, t.Any]] = {
            "HKLM:\\SOFTWARE\\Microsoft\\InetStp": {
                "MajorVersion": self.store.version[0],
                "MinorVersion": self.store.version[1],
            }
        }
        if self.rewrite:
            # 7.2.1993 is the 2.1 that Exchange's set-up asks for.
            keys["HKLM:\\SOFTWARE\\Microsoft\\IIS Extensions\\URL Rewrite"] = {
                "Version": "7.2.1993"
            }
        return keys

    @property
    def text(self) -> str:
        """applicationHost.config, wherever it is read from."""
        content = self.disk.read(f"{self.store.folder}\\applicationHost.config")
        return (content or b"").decode("utf-8-sig")

    @text.setter
    def text(self, text: str) -> None:
        self.disk.write(f"{self.store.folder}\\applicationHost.config", text.encode())

    def replace(self, old: str, new: str) -> None:
        """Change applicationHost.config as somebody with an editor does. `old` must be there."""
        if old not in self.text:
            raise LookupError(f"applicationHost.config does not hold {old}")
        self.text = self.text.replace(old, new, 1)

    def add_location(self, path: str, inner: str, attributes: str = "") -> None:
        """Append a location to applicationHost.config, as somebody with an editor does."""
        location = f'<location path="{path}"{attributes and " " + attributes}>{inner}</location>'
        self.replace("</configuration>", f"    {location}\r\n</configuration>")

    def sites(self) -> list[Site]:
        """The sites as they are now. Raises ConfigError."""
        return Session(self.store, lasting=False).sites()

    def physical(self, url: str, site: str = "Default Web Site") -> str:
        """The folder of a path of a site."""
        (held,) = [candidate for candidate in self.sites() if candidate.name == site]
        path = f"/{url.strip('/')}".rstrip("/")
        directory = held.directory(path)
        return directory.physical + path[len(directory.url) :].replace("/", "\\")

    def put_web_config(self, url: str, inner: str, site: str = "Default Web Site") -> None:
        """Write a web.config, with what stands within ``<configuration>``."""
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?>\r\n<configuration>{inner}</configuration>\r\n'
        )
        self.disk.write(f"{self.physical(url, site)}\\web.config", text.encode())

    def share(self, path: str = "\\\\files.example.test\\iis") -> None:
        """Move the configuration to a share, for a farm (iis.net, "Shared Configuration")."""
        text = self.text
        section = f'<configurationRedirection enabled="true" path="{path}" />'
        self.disk.write(
            f"{CONFIG}\\redirection.config",
            f"<configuration>{section}</configuration>".encode(),
        )
        self.text = text

    def once_before_commit(self, act: t.Callable[[], None]) -> None:
        """Let somebody do something between what the next writer reads and what it commits."""
        self.store.before_commit.append(act)

    def judge(self) -> Judge:
        """Who gets what by the configuration as it is now."""
        files = sorted(
            path for path in self.disk.folder.rglob("*") if path.name.casefold().endswith(".config")
        )
        state = [(path, stat.st_mtime_ns, stat.st_size) for path in files for stat in [path.stat()]]
        if self._judge is None or self._judge[0] != state:
            self._judge = (state, Judge(self.store))
        return self._judge[1]

    def request(self, target: str, client: str, **more: t.Any) -> Answer:
        """The answer to a request from a client's address, by the configuration as it is now; see
        Judge.request.
        """
        with self._lock:
            return self.judge().request(target, client, **more)
