# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How new an Exchange server is, by a table of builds with a date: newest known, behind, newer,
unknown.
"""

from __future__ import annotations

import datetime
import enum
import functools
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows import exchange_builds

Build = tuple[int, int, int, int]

# Microsoft releases updates on the second Tuesday of a month.
TABLE_KEEPS_DAYS = 35
"""How many days after its date a table may still be called complete."""


class Level(str, enum.Enum):
    """How a build stands to the table."""

    NEWEST = "newest"
    """The newest that the table has of its product."""
    OLDER_BRANCH = "older branch"
    """The newest of its cumulative update, as new as the newest of the product, but there is a
    newer cumulative update.
    """
    BEHIND = "behind"
    NEWER = "newer"
    """Newer than all of its product, or of a product that the table does not have."""
    UNKNOWN = "unknown"
    """Older than the newest, and not in the table."""


@dataclass(frozen=True, order=True)
class Release:
    """One build. `name` is without ``Exchange``; its first word is the product."""

    build: Build
    day: datetime.date
    article: str
    name: str

    @property
    def product(self) -> str:
        """Such as ``2019``."""
        return self.name.split(" ", 1)[0]

    @property
    def words(self) -> str:
        """Such as ``Exchange SE RTM Aug26SU (15.2.2562.46)``."""
        return f"Exchange {self.name} ({text_of(self.build)})"


@dataclass(frozen=True)
class Table:
    """Releases, oldest first, and the day up to which they are all that there are."""

    releases: tuple[Release, ...]
    as_of: datetime.date

    def newest(self, product: str) -> Release | None:
        """The newest release of a product; None for one that the table does not have."""
        return next(
            (release for release in reversed(self.releases) if release.product == product), None
        )

    def release(self, build: Build) -> Release | None:
        """The release of that build."""
        return next((release for release in self.releases if release.build == build), None)

    def product(self, build: Build) -> str:
        """The product that a build is of; empty for one that is older than all or of an unknown
        generation.
        """
        family = [release for release in self.releases if release.build[:2] == build[:2]]
        before = [release for release in family if release.build <= build]
        # Service packs raised the second number until Exchange 2010.
        if not before and build[0] in (8, 14):
            before = [release for release in self.releases if release.build[0] == build[0]]
        return before[-1].product if before else ""

    def level(self, build: Build) -> Level:
        """How a build stands to the table."""
        newest = self.newest(self.product(build)) if self.product(build) else None
        if newest is None:
            return (
                Level.NEWER if self.releases and build > self.releases[-1].build else Level.UNKNOWN
            )
        if build == newest.build:
            return Level.NEWEST
        if build > newest.build:
            return Level.NEWER
        release = self.release(build)
        if release is None:
            return Level.UNKNOWN
        branch = [release for release in self.releases if release.build[:3] == build[:3]]
        return (
            Level.OLDER_BRANCH
            if release == branch[-1] and release.day >= newest.day
            else Level.BEHIND
        )

    def is_complete(self, today: datetime.date) -> bool:
        """Whether the table may be called complete on that day."""
        return (today - self.as_of).days <= TABLE_KEEPS_DAYS


# Product → the last day of support, and of paid updates; facts of Microsoft's lifecycle pages and
# of the Exchange team's article on the second period of Extended Security Updates.
SUPPORT_ENDS: t.Mapping[str, tuple[datetime.date, datetime.date | None]] = {
    "2007": (datetime.date(2017, 4, 11), None),
    "2010": (datetime.date(2020, 10, 13), None),
    "2013": (datetime.date(2023, 4, 11), None),
    "2016": (datetime.date(2025, 10, 14), datetime.date(2026, 10, 31)),
    "2019": (datetime.date(2025, 10, 14), datetime.date(2026, 10, 31)),
}


def parse_build(text: t.Any) -> Build | None:
    """The four numbers of ``15.2.2562.46``, ``15.02.2562.046`` or ``Version 15.2 (Build 2562.46)``;
    None for what is none.
    """
    numbers = re.findall(r"\d+", str(text or ""))
    if len(numbers) != 4 or not re.fullmatch(
        r"[0-9.]+|Version [0-9.]+ \(Build [0-9.]+\)", str(text).strip()
    ):
        return None
    major, minor, build, revision = map(int, numbers)
    return major, minor, build, revision


def text_of(build: Build) -> str:
    """``15.2.2562.46``."""
    return ".".join(map(str, build))


@functools.lru_cache(maxsize=1)
def builtin() -> Table:
    """The table of this collection."""
    releases = []
    for line in exchange_builds.LINES.splitlines():
        build, day, article, name = line.split(" ", 3)
        parsed = parse_build(build)
        if parsed:
            releases.append(
                Release(parsed, datetime.date.fromisoformat(day), article.strip("-"), name)
            )
    return Table(tuple(sorted(releases)), datetime.date.fromisoformat(exchange_builds.AS_OF))


def overridden(entries: t.Sequence[t.Mapping[str, t.Any]], as_of: str) -> Table:
    """The table with a user's entries: `build`, `name`, `released`, and `article` or not. `as_of`
    is the day up to which both together are complete; empty: that of the table. Raises PlanError
    with every reason at once.
    """
    table = builtin()
    releases = {release.build: release for release in table.releases}
    problems = []
    for entry in entries:
        build = parse_build(entry["build"])
        name = re.sub(r"^(?:Exchange )?(?:Server )?", "", str(entry["name"]).strip())
        day = _day(entry["released"])
        if build is None:
            problems.append(
                "A build in exchange_builds must look like 15.2.2562.46, "
                f"unlike '{entry['build']}'."
            )
        if day is None:
            problems.append(
                "A release in exchange_builds must be a day such as 2026-08-11, "
                f"not '{entry['released']}'."
            )
        if not re.match(r"(?:2007|2010|2013|2016|2019|SE)(?: |$)", name):
            problems.append(
                f"'{entry['name']}' in exchange_builds does not begin with a product such as "
                "Exchange SE or Exchange 2019."
            )
        if build and day:
            releases[build] = Release(build, day, str(entry.get("article") or ""), name)
    known = _day(as_of) if as_of else table.as_of
    if known is None:
        problems.append(f"exchange_builds_as_of must be a day such as 2026-08-19, not '{as_of}'.")
    if problems or known is None:
        raise PlanError(" ".join([*problems, "Nothing was sent to the server."]))
    return Table(tuple(sorted(releases.values())), known)


def _day(value: t.Any) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(str(value))
    except ValueError:
        return None
