# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's FortiGate counts of its policies, told as recorded answers of 6.0.2 and 6.4.4 are
(in public clients): of a policy that was never hit, there is no count of hits.
"""

from __future__ import annotations

import time
import typing as t


class Counters:
    """Hits by policy and version of IP."""

    def __init__(self) -> None:
        self._hits: dict[tuple[int, int], tuple[int, int]] = {}

    def hit(self, policy: int, version: int) -> None:
        """A first packet has met a policy; 0: none."""
        self._hits[policy, version] = (
            self._hits.get((policy, version), (0, 0))[0] + 1,
            int(time.time()),
        )

    def told(self, policies: t.Iterable[int], version: int) -> list[dict[str, t.Any]]:
        """The results of `firewall/policy`."""
        rows: list[dict[str, t.Any]] = []
        for policy in (0, *policies):
            row: dict[str, t.Any] = {
                "policyid": policy,
                "active_sessions": 0,
                "bytes": 0,
                "packets": 0,
            }
            hits, last = self._hits.get((policy, version), (0, 0))
            rows.append(
                {**row, "hit_count": hits, "first_used": last, "last_used": last} if hits else row
            )
        return rows
