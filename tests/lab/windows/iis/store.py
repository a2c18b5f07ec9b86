# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where IIS's configuration lies: configuration paths, files of a host's disks, sites and their
directories.

A disk is a folder, and names in it compare without case, as on Windows. applicationHost.config and
web.configs are real files there; machine.config and the web.config of .NET hold nothing of what the
lab judges, and are not there.
"""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.iis import errors
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.markup import (
    Document,
    Element,
    NotWellFormed,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.schema import ANYTHING, Schema
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.sections import known

MACHINE, WEBROOT, APPHOST = "MACHINE", "MACHINE/WEBROOT", "MACHINE/WEBROOT/APPHOST"
REDIRECTION_PATH = "MACHINE/REDIRECTION"
CONFIG = "C:\\Windows\\System32\\inetsrv\\config"
VARIABLES = {"%systemdrive%": "C:", "%windir%": "C:\\Windows", "%systemroot%": "C:\\Windows"}


class Disk:
    """The disks of a Windows in a folder: ``C:\\inetpub`` is ``folder/C/inetpub``, a share
    ``folder/UNC/server/share``.
    """

    def __init__(self, folder: pathlib.Path | None = None) -> None:
        self._places: dict[str, pathlib.Path] = {}
        # One of its own is there for as long as anybody reads it.
        self._own = None if folder else tempfile.TemporaryDirectory(prefix="lab-iis-")
        self.folder = folder or pathlib.Path(str(self._own and self._own.name))

    def place(self, windows: str) -> pathlib.Path:
        """Where a path of Windows is, whether it exists or not."""
        place = self._places.get(windows)
        if place is None:
            place = self._place(windows)
            # What is not there yet may be made in another spelling.
            if place.exists():
                self._places[windows] = place
        return place

    def _place(self, windows: str) -> pathlib.Path:
        for name, value in VARIABLES.items():
            if windows.casefold().startswith(name):
                windows = value + windows[len(name) :]
        windows = (
            f"UNC\\{windows[2:]}" if windows.startswith("\\\\") else windows.replace(":", "", 1)
        )
        # A folder of this machine stands for itself.
        place = pathlib.Path("/") if windows.startswith("/") else self.folder
        for part in filter(None, windows.replace("/", "\\").split("\\")):
            place = self._entry(place, part)
        return place

    def read(self, windows: str) -> bytes | None:
        """The bytes of a file; None where there is none."""
        try:
            return self.place(windows).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def write(self, windows: str, content: bytes) -> None:
        """Write a file, and the folders that it needs."""
        place = self.place(windows)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def remove(self, windows: str) -> None:
        """Take a file away."""
        self.place(windows).unlink()

    @staticmethod
    def _entry(folder: pathlib.Path, name: str) -> pathlib.Path:
        exact = folder / name
        if not exact.exists() and folder.is_dir():
            for entry in folder.iterdir():
                if entry.name.casefold() == name.casefold():
                    return entry
        return exact


@dataclasses.dataclass(frozen=True)
class Directory:
    """A virtual directory. `url` is its whole path in the site, without a last slash; ``""`` is the
    root.
    """

    url: str
    physical: str
    application: str
    configured_below: bool = True


@dataclasses.dataclass(frozen=True)
class Site:
    """A site, its virtual directories and bindings as ``protocol, information``."""

    name: str
    number: int
    directories: tuple[Directory, ...]
    bindings: tuple[tuple[str, str], ...]

    def directory(self, url: str) -> Directory:
        """The virtual directory that a path of the site is in: the deepest. Raises KeyError for a
        site without a root.
        """
        wanted = url.casefold()
        fitting = [
            directory
            for directory in self.directories
            if wanted == directory.url.casefold()
            or wanted.startswith(f"{directory.url.casefold()}/")
        ]
        if not fitting:
            raise KeyError(url)
        return max(fitting, key=lambda directory: len(directory.url))

    def applications(self) -> set[str]:
        """The paths of its applications, without case; the root is ``""``."""
        return {directory.application.casefold() for directory in self.directories}


@dataclasses.dataclass(frozen=True)
class Place:
    """A configuration path, taken apart. `levels` are the paths from APPHOST down to itself, with
    the names of the site.
    """

    path: str
    site: Site | None
    levels: tuple[str, ...]

    @property
    def depth(self) -> int:
        return len(self.levels) - 1


class Store:
    """The configuration of one IIS on its disk, which any number of processes read and write."""

    def __init__(self, disk: Disk, version: tuple[int, int], rewrite: bool) -> None:
        self.disk = disk
        self.version = version
        self.rewrite = rewrite
        # What somebody else does: these files are held open, in lower case.
        self.held: set[str] = set()
        # The number of "changed on disk" (sources tell of two).
        self.changed_number = errors.E_SHARING_VIOLATION
        # Whether enumerations are read as their numbers; both are told of.
        self.numbers = False
        self.denied = False
        # What this IIS does not know of what an element may tell about itself.
        self.unknown_metadata: set[str] = set()
        # What somebody does right before the next commits, once each.
        self.before_commit: list[t.Callable[[], None]] = []

    def schema(self, section: str) -> Schema | None:
        """What may stand in a section; None where no schema file says so."""
        return known(self.version, self.rewrite).get(section, ANYTHING)

    @property
    def folder(self) -> str:
        """Where applicationHost.config is read from: elsewhere with a shared configuration."""
        content = self.disk.read(f"{CONFIG}\\redirection.config")
        if content is not None:
            try:
                section = Document(content).root.first("configurationRedirection")
            except NotWellFormed:
                section = None
            if section is not None and section.attributes.get("enabled", "").casefold() == "true":
                return section.attributes.get("path", CONFIG)
        return CONFIG

    def file(self, place: Place | None, level: int) -> str | None:
        """The file of a level, as Windows names it; None where none can be."""
        if place is None:
            return f"{CONFIG}\\redirection.config"
        if level == 0:
            return f"{self.folder}\\applicationHost.config"
        assert place.site is not None
        url = "".join(f"/{part}" for part in place.levels[level].split("/")[4:])
        try:
            directory = place.site.directory(url)
        except KeyError:
            return None
        below = url[len(directory.url) :].replace("/", "\\")
        if below and not directory.configured_below:
            return None
        return f"{directory.physical.rstrip(chr(92))}{below}\\web.config"


class Session:
    """What one process has read: a document for each file, once; and what it changed there and has
    not committed.
    """

    def __init__(self, store: Store, lasting: bool) -> None:
        self.store = store
        # A writer keeps what it read until it commits; a reader is told of changes, and reads
        # again.
        self.lasting = lasting
        self._documents: dict[str, Document] = {}
        self.version = 0
        self._sites: tuple[tuple[int, int], list[Site]] | None = None

    def document(self, place: Place | None, level: int) -> Document | None:
        """The file of a level; None where there is none. Raises ConfigError."""
        file = self.store.file(place, level)
        return (
            None
            if file is None
            else self.read(file, place.levels[level] if place else REDIRECTION_PATH)
        )

    def read(self, file: str, path: str, root: str = "configuration") -> Document | None:
        """A file whose outermost element is `root`, or None. Raises ConfigError."""
        held = self._documents.get(file.casefold())
        if held is not None and self.lasting:
            return held
        if self.store.denied:
            raise errors.ConfigError(
                errors.E_ACCESS_DENIED,
                "Cannot read configuration file due to insufficient permissions\r\n",
                path=path,
                file=file,
            )
        content = self.store.disk.read(file)
        if content is None:
            if path == APPHOST:
                raise errors.ConfigError(
                    errors.E_FILE_NOT_FOUND, "Cannot read configuration file\r\n", path, file
                )
            return None
        if held is not None and held.original == content:
            return held
        try:
            document = Document(content)
        except NotWellFormed as error:
            raise errors.not_well_formed(path=path, file=file, line=error.line) from None
        if document.root.name != root:
            raise errors.not_well_formed(path=path, file=file, line=document.root.line)
        self.version += 1
        self._documents[file.casefold()] = document
        return document

    def create(self, place: Place, level: int) -> Document:
        """A new file of a level, in memory."""
        file = str(self.store.file(place, level))
        head = '\ufeff<?xml version="1.0" encoding="UTF-8"?>'
        text = f"{head}\r\n<configuration>\r\n</configuration>\r\n"
        document = Document(text.encode())
        document.original = b""
        self._documents[file.casefold()] = document
        return document

    def forget(self) -> None:
        """Read everything anew."""
        self._documents.clear()
        self.version += 1

    def place(self, path: str) -> Place | None:
        """A configuration path; None for that of the redirection. Raises ConfigError for one that
        nobody knows.
        """
        parts = path.strip("/").split("/")
        upper = "/".join(parts[:3]).upper()
        if path.upper() == REDIRECTION_PATH:
            return None
        if upper != APPHOST:
            # machine.config and .NET's web.config: nothing that is asked for stands there.
            raise errors.unknown_path(path)
        if len(parts) == 3:
            return Place(APPHOST, None, (APPHOST,))
        for site in self.sites():
            if site.name.casefold() == parts[3].casefold():
                levels = [APPHOST, f"{APPHOST}/{site.name}"]
                for part in parts[4:]:
                    levels.append(f"{levels[-1]}/{part}")
                return Place(levels[-1], site, tuple(levels))
        raise errors.unknown_path(path)

    def sites(self) -> list[Site]:
        """The sites of applicationHost.config. Raises ConfigError."""
        document = self.read(f"{self.store.folder}\\applicationHost.config", APPHOST)
        assert document is not None
        if self._sites is None or self._sites[0] != (id(document), self.version):
            self._sites = ((id(document), self.version), _sites(document))
        return self._sites[1]


def _sites(document: Document) -> list[Site]:
    return [
        _site(element)
        for group in document.root.elements("system.applicationHost")
        for section in group.elements("sites")
        for element in section.elements("site")
    ]


def _site(element: Element) -> Site:
    directories = []
    for application in element.elements("application"):
        at = application.attributes.get("path", "/").rstrip("/")
        for directory in application.elements("virtualDirectory"):
            url = at + directory.attributes.get("path", "/").rstrip("/")
            below = directory.attributes.get("allowSubDirConfig", "true").casefold() == "true"
            directories.append(
                Directory(url, directory.attributes.get("physicalPath", ""), at, below)
            )
    bindings = tuple(
        (binding.attributes.get("protocol", ""), binding.attributes.get("bindingInformation", ""))
        for part in element.elements("bindings")
        for binding in part.elements("binding")
    )
    number = int(element.attributes.get("id", "0"))
    return Site(element.attributes.get("name", ""), number, tuple(directories), bindings)
