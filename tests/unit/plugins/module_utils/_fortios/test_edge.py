# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which doors of a FortiGate lead where, as it tells them to the fold."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.edge import pairs
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet

ONE = ("10.20.1.11",)


@pytest.mark.parametrize(
    ("outside", "mapped", "expected"),
    [
        ("203.0.113.25", ["10.20.1.11"], [("203.0.113.25", ONE)]),
        ("203.0.113.25", ["10.20.1.11-10.20.1.12"], [("203.0.113.25", (*ONE, "10.20.1.12"))]),
        # One by one.
        (
            "203.0.113.25-203.0.113.26",
            ["10.20.1.11-10.20.1.12"],
            [("203.0.113.25", ONE), ("203.0.113.26", ("10.20.1.12",))],
        ),
        (
            "203.0.113.25-203.0.113.26",
            ["10.20.1.11"],
            [("203.0.113.25", ONE), ("203.0.113.26", ONE)],
        ),
        # Nobody knows where it leads: it could be to any server.
        ("203.0.113.25", [], [("203.0.113.25", ())]),
        ("203.0.113.25", ["10.0.0.0/8"], [("203.0.113.25", ())]),
        ("203.0.112.0-203.0.113.255", ["10.20.0.0/23"], [("203.0.112.0-203.0.113.255", ())]),
        ("a name", ["10.20.1.11"], [("a name", ONE)]),
    ],
)
def test_each_address_in_front_has_those_behind_it(
    outside: str, mapped: list[str], expected: list[tuple[str, t.Any]]
) -> None:
    assert pairs({"extip": outside}, RangeSet.parse(mapped)) == expected


def test_a_balancer_spreads_each_of_its_addresses() -> None:
    row = {"extip": "203.0.113.25-203.0.113.26", "type": "server-load-balance"}
    both = ("10.20.1.11", "10.20.1.12")
    assert pairs(row, RangeSet.parse(both)) == [("203.0.113.25", both), ("203.0.113.26", both)]
