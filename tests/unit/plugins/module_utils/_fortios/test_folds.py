# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ways through a device a policy is for."""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.folds import (
    by_name,
    named_ways,
)

WAN, LAN, GUESTS = frozenset({"wan1", "outside"}), frozenset({"lan"}), frozenset({"guests"})


def test_a_policy_is_for_the_ways_of_every_interface_that_it_names() -> None:
    ways = by_name([WAN, LAN, GUESTS])
    for names, expected in (
        (["wan1"], {WAN}),
        (["outside", "wan1"], {WAN}),
        (["lan", "guests"], {LAN, GUESTS}),
        (["lan", "wan1", "gone"], {LAN, WAN}),
        (["any", "lan"], {WAN, LAN, GUESTS}),
        (["gone"], set()),
    ):
        assert named_ways(frozenset(names), ways) == expected, names
