# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a FortiGate's backup: `config`, `edit`, `set`, `next` and `end`, as sections.

The text comes from other people, and nothing of it is believed: it is refused as a whole where it
is cut or does not have this form. No library: what there is for this text diffs lines, and does not
read quotes.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

_HEADER = re.compile(r"#config-version=([A-Za-z0-9_-]+?)-(\d+)\.(\d+)\.(\d+)[-:]")
_PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"|((?:[^\s"\\]|\\.)+)', re.DOTALL)
_QUOTE = re.compile(r'\\.|(")')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_DEEPEST = 16
_MASKED = "ENC"
# A certificate or a message may go over many lines, and none over all of the file.
_LONGEST_VALUE = 1 << 20


class BackupError(Exception):
    """A text that cannot be read as a backup; a sentence that says where and why."""


@dataclass
class Section:
    """One `config` or one `edit`: what is set there, and what is in it by its path or its key.

    `is_table`: whether it has entries, which are in it by their keys.
    """

    values: dict[str, list[str]] = field(default_factory=dict)
    inside: dict[str, Section] = field(default_factory=dict)
    is_table: bool = False

    def at(self, path: str) -> Section:
        """What is in it by that path; empty where nothing is."""
        return self.inside.get(path, _NOTHING)


_NOTHING = Section()


@dataclass(frozen=True)
class Backup:
    """A whole backup. `shared` is what belongs to the device, `vdoms` what to each of them; without
    vdoms both are one and the same.
    """

    model: str
    version: tuple[int, int, int]
    shared: Section
    vdoms: t.Mapping[str, Section]

    @property
    def hostname(self) -> str:
        """What the device calls itself; empty where that is its serial number."""
        return " ".join(self.shared.at("system global").values.get("hostname", []))


def understand(text: str) -> Backup:
    """The backup of a text. Raises BackupError."""
    header = _HEADER.match(text.lstrip("\ufeff"))
    if header is None:
        raise BackupError(
            "It does not begin as the backup of a FortiGate does (#config-version=...). One that "
            "is encrypted cannot be read: let it be made without a password for the file."
        )
    whole = _sections(text)
    vdoms = whole.inside.pop("vdom", None)
    version = (int(header[2]), int(header[3]), int(header[4]))
    if vdoms is None:
        return Backup(header[1], version, whole, {"root": whole})
    return Backup(header[1], version, whole.at("global"), vdoms.inside)


def _sections(text: str) -> Section:
    whole = Section()
    above: list[tuple[str, Section]] = [("", whole)]
    for number, words in _lines(text):
        kind, here = above[-1]
        verb, named = words[0], words[1:]
        if verb == "config" and named:
            above.append(("config", here.inside.setdefault(" ".join(named), Section())))
        elif verb == "edit" and len(named) == 1 and kind == "config":
            here.is_table = True
            above.append(("edit", here.inside.setdefault(named[0], Section())))
        elif verb == "set" and named and kind:
            here.values[named[0]] = named[1:]
        elif verb == "append" and named and kind:
            here.values[named[0]] = [*here.values.get(named[0], []), *named[1:]]
        elif verb == "unset" and named and kind:
            here.values.pop(named[0], None)
        elif (verb, kind) == ("next", "edit") or (verb == "end" and kind == "config"):
            above.pop()
        elif verb == "end" and kind == "edit" and above[-2][1] is whole.inside.get("vdom"):
            # The last vdom of a backup ends without a next.
            del above[-2:]
        else:
            raise BackupError(f"Line {number} has no place where it stands: {words[0][:20]!r}.")
        if len(above) > _DEEPEST:
            raise BackupError(f"Line {number} is in more sections than a configuration has.")
    if len(above) > 1:
        raise BackupError("It ends within a section: the file was cut.")
    return whole


def _lines(text: str) -> t.Iterator[tuple[int, list[str]]]:
    """The lines that say something, in words; a value in quotes may go over several of them."""
    held: list[str] = []
    begun = length = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not held:
            if not line.strip() or line.lstrip().startswith(("#", "\ufeff#")):
                continue
            begun, length = number, 0
        quotes = sum(1 for match in _QUOTE.finditer(line) if match[1])
        was_open, length = bool(held), length + len(line)
        held.append(line)
        if length > _LONGEST_VALUE:
            raise BackupError(f"What begins in line {begun} is longer than any value.")
        if (quotes % 2 == 1) is was_open:
            yield begun, _words("\n".join(held), begun)
            held = []
    if held:
        raise BackupError(f"It ends within the value that begins in line {begun}: it was cut.")


def _words(line: str, number: int) -> list[str]:
    """The words of a line without the secrets in it, which are masked and stand without quotes."""
    words: list[str] = []
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        piece = _PIECE.match(line, at)
        if piece is None:
            raise BackupError(f"Line {number} cannot be read.")
        if piece[2] == _MASKED and len(words) == 2 and words[0] == "set":
            return words
        text = piece[2] if piece[1] is None else piece[1]
        words.append(_ESCAPED.sub(lambda match: match[1], text))
        at = piece.end()
    return words
