# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What finding out what to lock costs, counted: a time would tell how busy the machine is."""

from __future__ import annotations

import typing as t
import unittest.mock

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import inbound, outbound
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import state as states
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.folds import Fold
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.inbound_options import (
    InboundOptions,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import Model
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import Entries
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet

WANTED = InboundOptions("birke", 25, vips=("VIP",), ranges=RangeSet.parse(["198.51.100.0/24"]))
OUTWARDS = outbound.OutboundOptions(
    "birke", 25, ("wan1",), RangeSet.parse(["10.20.1.11"]), RangeSet.parse(["198.51.100.25"])
)


def wide(number: int, into: str, out: str) -> dict[str, t.Any]:
    everything = {"srcaddr": ["all"], "dstaddr": ["all"], "service": ["ALL"]}
    return {
        "policyid": number,
        "action": "accept",
        "srcintf": [into],
        "dstintf": [out],
        **everything,
    }


def networks(count: int) -> states.DeviceState:
    """So many networks, from each of which everything is let through to the server and outwards."""
    policies: dict[int, dict[str, t.Any]] = {}
    for number in range(1, 2 * count, 2):
        policies[number] = wide(number, f"vlan{number}", "servers")
        policies[number + 1] = wide(number + 1, f"vlan{number}", "wan1")
    tables: dict[str, t.Any] = {
        states.POLICY: policies,
        states.ADDRESS: {"all": {"name": "all", "subnet": "0.0.0.0 0.0.0.0"}},
        states.SERVICE: {"ALL": {"protocol": "IP"}, "SMTP": {"tcp-portrange": "25"}},
        states.VIP: {"VIP": {"extintf": "any", "mappedip": ["10.20.1.11"]}},
    }
    return states.DeviceState((7, 4, 4), tables)


RECIPES: dict[str, t.Callable[[states.DeviceState], t.Any]] = {
    "in": lambda state: inbound.InboundRecipe(state, WANTED),
    "out": lambda state: outbound.OutboundRecipe(state, OUTWARDS),
}


def counted(way: str, count: int) -> tuple[int, int, int, int]:
    """How many models were made, policies met, and tables made anew; and how many policies got a
    fence.
    """
    with (
        unittest.mock.patch.object(
            Model, "__init__", autospec=True, side_effect=Model.__init__
        ) as models,
        unittest.mock.patch.object(Fold, "meet", autospec=True, side_effect=Fold.meet) as meet,
        unittest.mock.patch.object(
            Entries, "apply_all", autospec=True, side_effect=Entries.apply_all
        ) as made,
    ):
        wishes = RECIPES[way](networks(count)).wishes()
    return (
        models.call_count,
        meet.call_count,
        made.call_count,
        len({wish.place for wish in wishes} - {None}),
    )


@pytest.mark.parametrize("way", RECIPES)
def test_a_lock_is_made_by_steps_however_many_policies_let_others_through(way: str) -> None:
    few, many = counted(way, 4), counted(way, 40)
    # Nobody has told where the server is, so that those outwards could lead there as well.
    each = 2 if way == "in" else 1
    assert (few[3], many[3]) == (4 * each, 40 * each)
    assert few[0] == many[0] <= 3, "the model is made anew for each of them"
    assert few[2] == many[2] <= 10, "the tables are made anew for each of them"
    assert many[1] <= 12 * 40 * each, "policies are met more than a few times each"
