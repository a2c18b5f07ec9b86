# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that the stories and the two runs have found, one test each."""

from __future__ import annotations

import pathlib
import random
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.internet_services import (
    InternetService,
)
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


def test_slices_that_share_a_firewall_and_undo_what_failed_leave_the_green_one_its_lock(
    tmp_path: pathlib.Path,
) -> None:
    """Each slice undoes its own run where that failed; neither leases the device."""
    chance = random.Random("slices")
    for number in range(20):
        schedule = "".join(chance.choices("ab", k=60)) if number else "a" * 9 + "b" * 100
        end = two.story(two.Pair(two.lock(), two.lock()), schedule, undo=True)
        assert not (end.green and end.packets[two.STRANGER, "VIP-mail"]), (
            f"{end.events}: open behind a green job"
        )


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
            assert done["changed"], (
                f"request {number} was carried out, and the result says that nothing was"
            )
            return
    raise AssertionError("No write was met.")


@pytest.mark.parametrize("negated", ["disable", "enable"])
def test_a_policy_for_an_internet_service_is_given_back_with_its_names(
    firewall: Firewall, negated: str
) -> None:
    by_service = {
        "srcaddr": [],
        "internet-service-src": "enable",
        "internet-service-src-name": [{"name": "Microsoft-Outlook"}],
        "internet-service-src-negate": negated,
    }
    firewall.device.configs["root"].update("firewall/policy", "1", by_service)
    firewall.device.services["Mimecast-Mimecast"] = InternetService(
        5046403, "both", ("198.51.100.0/24",)
    )
    before = firewall.dump()
    for sources in ({"ranges": ["198.51.100.0/24"]}, {"internet_services": ["Mimecast-Mimecast"]}):
        options = {**two.lock()[1], "ranges": [], **sources}
        risks = ["own_networks_shut_out"]  # They have the way that all but some have.
        assert firewall.done(fortios_inbound_lock, accept_risks=risks, **options)["changed"]
        assert firewall.device.admits("198.51.100.7", "203.0.113.80", 25)
        assert not firewall.device.admits(STRANGER, "203.0.113.80", 25)
        firewall.done(fortios_rollback)
        assert firewall.dump() == before
