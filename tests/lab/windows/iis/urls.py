# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HTTP.sys makes of a request's path before IIS sees it, and where it leads.

Decoded once, ``\\`` as ``/``, dot segments resolved, several slashes kept: from memory, marked
there as not verified.
"""

from __future__ import annotations

import re
import typing as t

_ESCAPE = re.compile(r"%u([0-9a-fA-F]{4})|((?:%[0-9a-fA-F]{2})+)|%")


class BadUrl(Exception):
    """HTTP.sys answers 400 by itself."""


def decoded(text: str, lenient: bool = False) -> str:
    """A path with its escapes resolved once. Raises BadUrl for an escape that is none; `lenient`
    lets it stand.
    """

    def resolve(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        if not match[2]:
            if lenient:
                return match[0]
            raise BadUrl(text)
        content = bytes.fromhex(match[2].replace("%", ""))
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            # EnableNonUTF8 is on by default: the system's code page (KB 820129).
            return content.decode("cp1252", "replace")

    return _ESCAPE.sub(resolve, text)


def cooked(path: str) -> str:
    """The absolute path that IIS works with, of a path as sent, without query. Raises BadUrl."""
    if not path.startswith("/"):
        match = re.match(r"https?://[^/?]+(/.*)?\Z", path, re.IGNORECASE | re.DOTALL)
        if match is None:
            raise BadUrl(path)
        path = match[1] or "/"
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in path):
        raise BadUrl(path)
    text = decoded(path).replace("\\", "/")
    if any(ord(character) < 0x20 for character in text):
        raise BadUrl(path)
    kept: list[str] = []
    parts = text.split("/")[1:]
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "..":
            if not kept:
                raise BadUrl(path)
            kept.pop()
        elif part != ".":
            kept.append(part)
        if last and part in (".", ".."):
            kept.append("")
    return "/" + "/".join(kept)


def escaped_twice(path: str) -> bool:
    """Whether decoding a path a second time finds something more to decode."""
    once = decoded(path, lenient=True)
    return decoded(once, lenient=True) != once


class Way(t.NamedTuple):
    """A path by its segments: the name that a directory is looked up by, and where the segment ends
    in the text.
    """

    names: tuple[str, ...]
    ends: tuple[int, ...]

    @property
    def url(self) -> str:
        return "".join(f"/{name}" for name in self.names)


def way(path: str) -> Way:
    """The directories that a cooked path may lead to.

    Several slashes, blanks and dots at the end of a name, and what follows a semicolon, count for
    nothing: whether IIS and what is behind it take them so is not verified, and a lab that let such
    a path end in nothing would be kind.
    """
    names: list[str] = []
    ends: list[int] = []
    for match in re.finditer(r"[^/]+", path):
        name = match[0].partition(";")[0].rstrip(". ")
        if name:
            names.append(name)
            ends.append(match.end())
    return Way(tuple(names), tuple(ends))
