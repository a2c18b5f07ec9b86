# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often each policy was hit, and when last, as the device counts it."""

from __future__ import annotations

import contextlib
import datetime
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import FortiOS, Key
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import DeviceError


@dataclass(frozen=True)
class Usage:
    """Since the device began to count; None: it does not say. `last_used` is in seconds of Unix."""

    hits: int | None = None
    last_used: int | None = None

    def __or__(self, other: Usage) -> Usage:
        """That of IPv4 and of IPv6 together."""
        hits = [count for count in (self.hits, other.hits) if count is not None]
        times = [moment for moment in (self.last_used, other.last_used) if moment is not None]
        return Usage(sum(hits) if hits else None, max(times, default=None))

    def told(self) -> dict[str, t.Any]:
        """For a result."""
        moment = None
        if self.last_used:
            with contextlib.suppress(OverflowError, OSError, ValueError):
                moment = datetime.datetime.fromtimestamp(self.last_used, datetime.timezone.utc)
        return {
            "hit_count": self.hits,
            "last_used": moment.isoformat().replace("+00:00", "Z") if moment else None,
        }


NOT_SAID = Usage()


def read(client: FortiOS, versions: t.Collection[int]) -> dict[Key, Usage]:
    """What the device counts for these versions of IP: a request each. What it does not offer, or
    answers in another shape, is left out. Raises DeviceUnreachable.

    Rows of recorded answers (FortiOS 6.0.2 and 6.4.4, in public clients) have neither number where
    a policy was never hit; whether they may be missing otherwise is unverified.
    """
    usages: dict[Key, Usage] = {}
    for version in versions:
        rows: t.Any = None
        with contextlib.suppress(DeviceError):
            rows = client.monitor("firewall/policy", ip_version=f"ipv{version}")
        for row in rows if isinstance(rows, list) else ():
            number = row.get("policyid") if isinstance(row, t.Mapping) else None
            number = _number(number)
            if number is not None:
                usages[number] = usages.get(number, NOT_SAID) | Usage(
                    _count(row, "hit_count"), _count(row, "last_used")
                )
    return usages


def _count(row: t.Mapping[str, t.Any], name: str) -> int | None:
    return _number(row.get(name))


def _number(value: t.Any) -> int | None:
    """A count, which may come as a text."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    return int(value) if str(value).isascii() and str(value).isdecimal() else None
