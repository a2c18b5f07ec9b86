# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which doors of a FortiGate lead where, as it tells them to the fold."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import (
    REACH,
    Door,
    Groups,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.edge import _first, pairs
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.inbound_options import (
    InboundOptions,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    RangeSet,
)

PROVIDER = RangeSet.parse(["198.51.100.0/24"])
GAPING, SHUT = {REACH: (EVERYTHING, EVERYTHING)}, {REACH: (PROVIDER, PROVIDER)}
SITE = InboundOptions("birke", 25, vips=("VIP-mail",), ranges=PROVIDER)
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


def door(number: int, name: str, leads_to: tuple[str, ...], who: t.Any = None) -> Door:
    """One of a firewall that publishes many servers, open to everybody unless `who` is named."""
    who = GAPING if who is None else who
    return Door((4,), (25,), who, (f"203.0.113.{number}",), leads_to, 25, name)


def first(doors: list[Door]) -> tuple[list[str], str]:
    kept, left_out = _first(doors, SITE, Groups(PROVIDER, PROVIDER))
    return [each.name for each in kept], left_out


def test_doors_of_the_site_are_told_first_and_those_that_are_left_out_are_said() -> None:
    others = [door(number % 250, f"VIP-{number}", ("10.20.9.9",)) for number in range(400)]
    mine = [door(1, "VIP-mail", ONE), door(2, "VIP-forgotten", ONE), door(3, "VIP-anywhere", ())]
    names, left_out = first([*others, *mine[::-1]])
    assert names[0] == "VIP-mail"
    assert {"VIP-forgotten", "VIP-anywhere"} == set(names[1:3])
    assert left_out.startswith(f"The firewall has {403 - len(names)} more doors than the ")
    assert first(mine) == (["VIP-mail", "VIP-forgotten", "VIP-anywhere"], "")


def test_a_shut_door_of_another_server_needs_no_telling() -> None:
    others = [door(1, f"VIP-{number}", ("10.20.9.9",), SHUT) for number in range(400)]
    names, left_out = first([*others, door(2, "VIP-mail", ONE, SHUT)])
    assert (names[0], left_out) == ("VIP-mail", "")
    own = [
        door(1, f"VIP-{number}", ONE, {REACH: (RangeSet(), RangeSet())}) for number in range(400)
    ]
    assert first([*own, door(2, "VIP-mail", ONE)])[1], "also a shut one is to be looked at"
