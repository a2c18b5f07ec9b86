# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both sides of a change, with what the guards of the way in ask of them again and again."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import doors
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import Answer
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.remember import same
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet

NOBODY = RangeSet(())


class Sides:
    """Both states with what the guards ask of them again and again."""

    def __init__(self, before: State, after: State, networks: SiteNetworks) -> None:
        self.before, self.after, self.networks = before, after, networks
        self.old, self.new = same(before.receive.values()), same(after.receive.values())
        self.named = networks.named
        self.ports = sorted(doors.ports([*self.old, *self.new]))
        self.same = before.receive == after.receive
        self._losing: dict[tuple[t.Callable[[Answer], bool], int], RangeSet] = {}

    def losing(
        self, right: t.Callable[[Answer], bool], ports: t.Iterable[int] | None = None
    ) -> RangeSet:
        """Senders who lose a right on any of the ports."""
        senders = NOBODY
        if not self.same:
            for port in self.ports if ports is None else ports:
                if (right, port) not in self._losing:
                    self._losing[right, port] = doors.senders_losing(
                        self.old, self.new, right, port
                    )
                senders = senders | self._losing[right, port]
        return senders
