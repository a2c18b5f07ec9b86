# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the script of script.py has written, in a folder on the controller.

They come from other people by mail: nothing of them is believed before its shape was looked at, and
nothing of them is ever a template or a path.
"""

from __future__ import annotations

import codecs
import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_lease import clock
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._offline import script

_LONGEST = 64 << 20
_MOST_FILES = 2000
_BEGIN = 64 << 10
_END = ".json"
_AHEAD = datetime.timedelta(days=1)
# What an editor of Windows makes of a file, the longest mark first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_AGAIN = f"Let {script.NAME} be run again at the server, and take the file as it is."

Plain = t.Mapping[str, t.Any]


class DumpError(Exception):
    """A dump that cannot be used; sentences that say why, and what to do."""


@dataclass(frozen=True)
class Dump:
    """What was read of one server. `at` is by its own clock."""

    file: str
    server: str
    fqdn: str
    at: datetime.datetime
    answer: Plain
    # Files of the folder that were no dump, a sentence each: one of them may have been a newer one.
    beside: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The server, for sentences."""
        return self.fqdn or self.server

    def is_of(self, name: str) -> bool:
        """Whether it is of the server of that name. A name with dots is a whole one."""
        known = self.fqdn if "." in name else self.server
        return name.casefold() == known.casefold()


def as_of(at: datetime.datetime, now: datetime.datetime) -> str:
    """A moment and how long ago that was, as a phrase."""
    hours = int((now - at).total_seconds() // 3600)
    ago = "less than an hour" if hours < 1 else f"{hours} hours" if hours < 48 else ""
    return f"{at:%Y-%m-%d %H:%M} UTC, {ago or f'{hours // 24} days'} ago"


def read(path: pathlib.Path) -> Dump:
    """One file. Raises DumpError."""
    try:
        if path.stat().st_size > _LONGEST:
            raise DumpError(f"{path.name} is larger than any dump ({_LONGEST >> 20} MB). {_AGAIN}")
        raw = path.read_bytes()
    except OSError as error:
        raise DumpError(f"{path.name} cannot be read: {error.strerror or error}.") from None
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(encoding)
        whole = json.loads(text, parse_constant=_no_number)
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise DumpError(
            f"{path.name} is cut, or was changed on its way: it is no whole JSON document. {_AGAIN}"
        ) from None
    return _understood(path.name, whole, sum_of(text))


def sum_of(text: str) -> str:
    """What tells the answer in the text of a dump from one that was edited: a row that somebody
    took out is no connector that is not there.
    """
    body = text.partition('"answer":')[2].rpartition("}")[0]
    return hashlib.sha1(body.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def _no_number(text: str) -> t.NoReturn:
    raise ValueError(text)


def _understood(file: str, whole: t.Any, checked: str) -> Dump:
    if not isinstance(whole, dict) or whole.get("mailedge_dump") != script.FORMAT:
        raise DumpError(f"{file} is not what {script.NAME} writes.")
    if whole.get("script") != script.version():
        raise DumpError(
            f"{file} was made by the {script.NAME} of another version of the collection, which "
            f"asks something else. {_AGAIN}"
        )
    if whole.get("sha1") != checked:
        raise DumpError(
            f"{file} is not as {script.NAME} wrote it: somebody has edited it, or a program has "
            f"saved it in another form, and what it says is not believed. {_AGAIN}"
        )
    answer = whole.get("answer")
    host = answer.get("host") if isinstance(answer, dict) else None
    steps = answer.get("steps") if isinstance(answer, dict) else None
    try:
        if not (
            isinstance(host, dict)
            and isinstance(steps, dict)
            and all(map(_is_step, steps.values()))
            and isinstance(host["name"], str)
            and host["name"]
        ):
            raise ValueError(file)
        at = clock(host["time_utc"])
    except (KeyError, TypeError, ValueError):
        raise DumpError(
            f"{file} holds something else than {script.NAME} writes. {_AGAIN}"
        ) from None
    return Dump(file, host["name"], str(host.get("fqdn") or ""), at, t.cast("Plain", answer))


def _is_step(step: t.Any) -> bool:
    """Whether it is what the agent tells of a step: rows of plain values, or an error."""
    if not isinstance(step, dict):
        return False
    if step.get("ok") is not True:
        return isinstance(step.get("error"), dict)
    rows = step.get("objects")
    return isinstance(rows, list) and all(
        isinstance(row, dict) and all(map(_is_plain, row.values())) for row in rows
    )


def _is_plain(value: t.Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    if isinstance(value, dict):
        return all(isinstance(item, str) for item in value.values())
    return value is None or isinstance(value, (str, bool, int))


def of_server(
    folder: pathlib.Path, names: t.Sequence[str], days: int, now: datetime.datetime
) -> Dump:
    """The newest dump of the server that has one of these names. Raises DumpError, also where it is
    older than so many days.
    """
    dumps: list[Dump] = []
    wrong: dict[pathlib.Path, str] = {}
    for path in _files(folder):
        try:
            dumps.append(read(path))
        except DumpError as error:
            wrong[path] = str(error)
    there = [dump for dump in dumps if any(map(dump.is_of, names))]
    wanted = " or ".join(names)
    if not there:
        others = ", ".join(sorted({dump.name for dump in dumps})) or "no server"
        raise DumpError(
            " ".join(
                [
                    f"No dump of the server {wanted} is in {folder}; there are dumps of {others}.",
                    *wrong.values(),
                    f"Let {script.NAME}, which is in that folder, be run at the server, and put "
                    "the file there. mailedge_offline_server names a server that has another name "
                    "than its host in the inventory.",
                ]
            )
        )
    several = sorted({dump.name.casefold() for dump in there})
    if len(several) > 1:
        raise DumpError(
            f"{folder} has dumps of several servers that are called {wanted}: "
            f"{', '.join(several)}. Name the whole name of one in mailedge_offline_server."
        )
    dump = max(there, key=lambda each: each.at)
    if dump.at > now + _AHEAD:
        raise DumpError(
            f"{dump.file} says that it is of {dump.at:%Y-%m-%d %H:%M} UTC, which is yet to come by "
            "this controller's clock: one of the two is wrong, and nobody knows how old the dump "
            "is."
        )
    if now - dump.at > datetime.timedelta(days=days):
        raise DumpError(
            f"{dump.file} is as of {as_of(dump.at, now)}, and mailedge_offline_days takes none "
            f"that is older than {days} days. {_AGAIN}"
        )
    newer = [why for path, why in wrong.items() if _perhaps_newer(path, dump)]
    if newer:
        raise DumpError(
            f"{' '.join(newer)} It is of {dump.name}, and may be newer than {dump.file}, by which "
            "nothing is judged therefore. Or remove the file that cannot be used."
        )
    return dataclasses.replace(dump, beside=tuple(wrong.values()))


def _perhaps_newer(path: pathlib.Path, dump: Dump) -> bool:
    """Whether a file that is no dump begins as one of the same server, of which nothing says that
    it is older.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(_BEGIN)
    except OSError:
        return False
    # In whatever encoding: the facts of the server stand in front, and are plain.
    text = begin.replace(b"\0", b"").decode("latin-1").casefold()
    if not re.search(rf'"name"\s*:\s*"{re.escape(dump.server.casefold())}"', text):
        return False
    time = re.search(r'"time_utc"\s*:\s*"([^"]*)"', text)
    try:
        return time is None or clock(time[1].upper()) >= dump.at
    except ValueError:
        return True


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files that may be dumps. Raises DumpError."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if entry.name.casefold().endswith(_END) and entry.is_file()
            )
    except OSError as error:
        raise DumpError(
            f"The folder {folder} cannot be read: {error.strerror or error}. Name it in "
            "mailedge_offline_folder."
        ) from None
    if len(names) > _MOST_FILES:
        raise DumpError(f"{folder} has {len(names)} files: more than {_MOST_FILES} are not read.")
    return [folder / name for name in names]


def put_script(folder: pathlib.Path) -> None:
    """Put the script into the folder, so that it can be handed to whoever runs it. A folder that
    cannot be written is no reason to stop.
    """
    path, text = folder / script.NAME, script.text().encode("ascii")
    try:
        if path.is_file() and path.read_bytes() == text:
            return
        draft = folder / f".{script.NAME}.{os.getpid()}"
        draft.write_bytes(text)
        draft.replace(path)
    except OSError:
        return
