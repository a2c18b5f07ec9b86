# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of Windows Server by their build: when their support ends, and what TLS 1.2 is where
nothing is set.
"""

from __future__ import annotations

import datetime
import enum
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

AS_OF = "2026-08-22"
"""The day of the table: endoflife.date, windows-server, which repeats
learn.microsoft.com/lifecycle.
"""


class Default(str, enum.Enum):
    """What TLS 1.2 is where the registry says nothing."""

    ON = "on"
    OFF = "off"
    UNSUPPORTED = "unsupported"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class System:
    """One version. `end` is the last day of extended support, `paid_end` that of paid updates;
    None: there are none, or none are known.
    """

    name: str
    end: datetime.date
    paid_end: datetime.date | None = None
    tls_12: Default = Default.ON


def _system(name: str, end: str, paid: str = "", tls_12: Default = Default.ON) -> System:
    return System(
        name,
        datetime.date.fromisoformat(end),
        datetime.date.fromisoformat(paid) if paid else None,
        tls_12,
    )


# Defaults of TLS: learn.microsoft.com, "TLS protocol version support in Schannel"; on 2008 SP2 the
# protocol comes with KB4019276 only.
SYSTEMS: t.Mapping[int, System] = {
    6001: _system("Windows Server 2008", "2011-07-12", tls_12=Default.UNSUPPORTED),
    6002: _system("Windows Server 2008 SP2", "2020-01-14", "2023-01-10", Default.OFF),
    6003: _system("Windows Server 2008 SP2", "2020-01-14", "2023-01-10", Default.OFF),
    7600: _system("Windows Server 2008 R2", "2013-04-09", tls_12=Default.OFF),
    7601: _system("Windows Server 2008 R2 SP1", "2020-01-14", "2023-01-10", Default.OFF),
    9200: _system("Windows Server 2012", "2023-10-10", "2026-10-13"),
    9600: _system("Windows Server 2012 R2", "2023-10-10", "2026-10-13"),
    14393: _system("Windows Server 2016", "2027-01-12", "2030-01-12"),
    17763: _system("Windows Server 2019", "2029-01-09"),
    20348: _system("Windows Server 2022", "2031-10-14"),
    25398: _system("Windows Server 23H2 (Annual Channel)", "2025-10-24"),
    26100: _system("Windows Server 2025", "2034-10-10"),
}
"""Build → version. The ends of 6001 and 7600, whose service packs replaced them, are from memory:
unverified.
"""

_NEWEST = max(SYSTEMS)


def overridden(entries: t.Iterable[t.Mapping[str, t.Any]]) -> dict[int, System]:
    """The table, with the entries of a user: `build`, `name`, `end_of_support`,
    `end_of_paid_updates`. Raises PlanError.
    """
    table = dict(SYSTEMS)
    for entry in entries:
        build = int(entry["build"])
        try:
            known = table.get(build)
            default = known.tls_12 if known else Default.ON if build > _NEWEST else Default.UNKNOWN
            table[build] = _system(
                str(entry["name"]),
                str(entry["end_of_support"]),
                str(entry.get("end_of_paid_updates") or ""),
                default,
            )
        except ValueError:
            raise PlanError(
                f"The end of build {build} in windows_versions must be a day such as 2027-01-12. "
                "Nothing was sent to the server."
            ) from None
    return table


def default_of(build: int | None) -> Default:
    """What TLS 1.2 is on a build where the registry says nothing. What is newer than the table has
    it on: no version since 2012 was without.
    """
    if build is None:
        return Default.UNKNOWN
    if build in SYSTEMS:
        return SYSTEMS[build].tls_12
    return Default.ON if build > 9200 else Default.UNKNOWN
