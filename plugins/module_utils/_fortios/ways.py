# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Behind which interfaces servers are, and what policies call those.

Policies do not tell that; the device's routes do. What is not known here leads anywhere.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.interfaces import (
    Interfaces,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import Interval, RangeSet

Names = frozenset[str]
"""What policies may call one interface: itself, and the zones that it is in."""


@dataclass(frozen=True)
class Ways:
    """What the device told. `behind`: addresses → the interfaces that they may be behind."""

    interfaces: Interfaces | None = None
    behind: t.Mapping[Interval, frozenset[str]] = field(default_factory=dict)

    def names(self, interface: str) -> Names | None:
        """What policies may call an interface.

        None where its zones are not known, or the device has none of that name.
        """
        known = self.interfaces
        if known is None or (interface not in known.names and interface not in known.zones):
            return None
        return known.called(interface)

    def to(self, servers: RangeSet) -> tuple[Names, ...] | None:
        """For each interface that one of the servers may be behind, what policies may call it; None
        where the device does not tell.
        """
        names_of: dict[Names, None] = {}
        for interval in servers.intervals:
            if self.interfaces is None or interval not in self.behind:
                return None
            names_of.update(
                (self.interfaces.called(name), None) for name in sorted(self.behind[interval])
            )
        return tuple(names_of) or None


NOT_TOLD = Ways()
