# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of Exchange, told by their build numbers, and what exists where.

Source: Microsoft's table of Exchange Server build numbers and release dates.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass


class VersionError(ValueError):
    """A build that belongs to no version of Exchange known here. The message is a sentence for the
    operator.
    """


class Version(enum.IntEnum):
    """A version of Exchange. They compare by age: ``Version.E2010 < Version.SE``."""

    E2007RTM = 80
    E2007 = 81
    E2010 = 140
    E2013 = 150
    E2016 = 151
    E2019 = 152
    SE = 153

    @property
    def label(self) -> str:
        """The name that Microsoft gives it, such as ``Exchange 2016``."""
        return _LABELS[self]

    # Since Python 3.11 an IntEnum formats as its number, before as its name; a sentence wants
    # neither.
    def __str__(self) -> str:
        return self.label

    def __format__(self, spec: str) -> str:
        return format(self.label, spec)


_LABELS = {
    Version.E2007RTM: "Exchange 2007 RTM",
    Version.E2007: "Exchange 2007 SP1 to SP3",
    Version.E2010: "Exchange 2010",
    Version.E2013: "Exchange 2013",
    Version.E2016: "Exchange 2016",
    Version.E2019: "Exchange 2019",
    Version.SE: "Exchange SE",
}

# Exchange SE kept the 15.2 of Exchange 2019; its first build, RTM, is 15.2.2562.17.
_SE_BUILD = 2562
_NEWEST = (15, 2)


def detect(major: int, minor: int, build: int = 0, revision: int = 0) -> Version:
    """The version that a build belongs to. Whatever is newer than all known counts as the newest
    known.

    Raises VersionError for a build older than Exchange 2007.
    """
    if (major, minor) > _NEWEST:
        return Version.SE
    if (major, minor) == _NEWEST:
        return Version.SE if build >= _SE_BUILD else Version.E2019
    if major == 15:
        return Version.E2016 if minor == 1 else Version.E2013
    if major == 14:
        return Version.E2010
    if major == 8:
        return Version.E2007 if minor >= 1 else Version.E2007RTM
    raise VersionError(
        f"The server has Exchange {major}.{minor}.{build}.{revision}, which is neither Exchange "
        "2007 nor any later version up to Exchange SE. Nothing was changed."
    )


def unknown_note(major: int, minor: int, build: int = 0, revision: int = 0) -> str | None:
    """A sentence where detect() had to take a newer build for the newest version known; None
    otherwise.
    """
    if (major, minor) <= _NEWEST:
        return None
    return (
        f"The server has Exchange {major}.{minor}.{build}.{revision}, which is newer than this "
        "collection knows. "
        f"It is treated as {Version.SE.label}."
    )


@dataclass(frozen=True)
class Where:
    """Where something exists: from `first` to `last`, and on Edge servers, on others, or (None) on
    both.
    """

    first: Version = Version.E2007RTM
    last: Version = Version.SE
    edge: bool | None = None

    def __call__(self, version: t.Any, edge: bool = False) -> bool:
        """Whether it exists on a server of this version."""
        return self.first <= version <= self.last and self.edge in (None, edge)

    @property
    def words(self) -> str:
        """The same for a sentence: ``Exchange 2013 and later, not on Edge servers``."""
        text = "every version"
        if self.first > Version.E2007RTM and self.last is Version.SE:
            name = "Exchange 2007 SP1" if self.first is Version.E2007 else self.first.label
            text = f"{name} and later"
        elif self.last is not Version.SE:
            text = f"{self.first.label} to {self.last.label}"
        if self.edge is None:
            return text
        return f"{text}, on Edge servers only" if self.edge else f"{text}, not on Edge servers"


EVERYWHERE = Where()
SINCE_2007_SP1 = Where(Version.E2007)
SINCE_2010 = Where(Version.E2010)
SINCE_2013 = Where(Version.E2013)
SINCE_2016 = Where(Version.E2016)
