# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that the stories and the two runs have found, one test each."""

from __future__ import annotations

import pathlib
import random
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import fortios_inbound_lock, fortios_rollback
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.machine import firewall as two
from ansible_collections.mailedge.lockdown.tests.machine import judge
from ansible_collections.mailedge.lockdown.tests.machine.server import ExchangeServer
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Firewall

OWN = {"own_networks": ["10.20.0.0/16"]}
LOCK: dict[str, t.Any] = {**OWN, "provider_ranges": ["198.51.100.0/24"], "inbound_lock": {}}
MORE_RANGES = {**LOCK, "provider_ranges": ["198.51.100.0/24", "203.0.113.0/25"]}
STRANGER = "203.0.113.200"


@pytest.fixture
def firewall(tmp_path: pathlib.Path) -> t.Iterator[Firewall]:
    with FortiGateServer(Device()) as server:
        server.device.seed_mail_site()
        yield Firewall(server, tmp_path)


@pytest.mark.parametrize("name", ["latest", "original"])
def test_a_clock_that_was_put_back_does_not_change_which_snapshot_is_the_newest(name: str) -> None:
    server = ExchangeServer("2016")
    first = judge.configuration(server.host)
    server.done(**LOCK)
    locked = judge.configuration(server.host)
    server.host.clock_ahead -= 60
    server.done(**MORE_RANGES)
    server.done(snapshot=name)
    assert judge.configuration(server.host) == (locked if name == "latest" else first)


def test_slices_that_share_a_firewall_and_undo_what_failed_leave_the_green_one_its_lock(tmp_path: pathlib.Path) -> None:
    """Each slice undoes its own run where that failed, as the playbook does."""
    chance = random.Random("slices")
    for number in range(20):
        schedule = "".join(chance.choices("ab", k=60)) if number else "a" * 9 + "b" * 100
        end = two.story(two.Pair(two.lock(), two.lock()), schedule, undo=True)
        assert not (end.green and end.packets[two.STRANGER, "VIP-mail"]), f"{end.events}: open behind a green job"


def test_a_write_whose_answer_was_lost_may_have_changed_something(firewall: Firewall) -> None:
    checked = firewall.run(fortios_inbound_lock, check=True, **two.lock()[1])
    assert checked["changed"]
    before = firewall.dump()
    for number in range(1, 30):
        firewall.server.arm(cut_after=number)
        done = firewall.run(fortios_inbound_lock, **two.lock()[1])
        firewall.server.arm()
        if not done["failed"]:
            # A read is asked again.
            firewall.done(fortios_rollback)
        elif firewall.dump() != before:
            assert done["changed"], f"request {number} was carried out, and the result says that nothing was"
            return
    raise AssertionError("No write was met.")
