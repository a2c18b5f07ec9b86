# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every half-way state of a FortiGate, judged by packets at every request.

Random sites are locked, edited by colleagues, locked otherwise and given back, on a FortiOS where
no writes take effect together.
"""

from __future__ import annotations

import pathlib
import random
import tempfile
import typing as t
import unittest.mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import questions
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import DeviceState
from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_outbound_lock,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import POLICY, Config, Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.schema import Refused
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.machine.searching import MORE, examples
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Firewall, Result, refs

SENDERS = (
    "192.0.2.77",
    "198.51.100.7",
    "198.51.100.200",
    "10.20.0.5",
    "192.168.40.9",
    "203.0.113.200",
)
DOORS = [(address, port) for address in ("203.0.113.80", "203.0.113.81") for port in (25, 443)]
IN = [(sender, *door, "wan1") for sender in SENDERS for door in DOORS]
OUT = [
    (sender, to, port, "internal")
    for sender in ("10.20.1.11", "10.20.0.5")
    for to, port in (("198.51.100.25", 25), ("192.0.2.77", 25), ("192.0.2.77", 443))
]
RANGES = (["198.51.100.0/24"], ["198.51.100.0/25"], ["198.51.100.128/25", "203.0.113.0/26"])
NETWORKS: tuple[list[str], ...] = ([], ["10.20.0.0/16"], ["10.20.0.0/16", "192.168.40.0/24"])
WAY_OUT: dict[str, t.Any] = {
    "name": "birke",
    "mail_servers": ["10.20.1.11"],
    "smart_hosts": ["198.51.100.25"],
    "interfaces": ["wan1"],
}
Chance = random.Random


def some(chance: Chance, *names: str) -> list[dict[str, str]]:
    return refs(*chance.sample(names, chance.randint(1, 2)))


def any_policy(chance: Chance) -> dict[str, t.Any]:
    return {
        "action": chance.choice(["accept", "accept", "accept", "deny"]),
        "status": chance.choice(["enable"] * 4 + ["disable"]),
        "srcintf": chance.choice([refs("wan1")] * 4 + [refs("any")]),
        "dstintf": chance.choice([refs("internal")] * 4 + [refs("any")]),
        "srcaddr": some(chance, "all", "half", "others", "office"),
        "dstaddr": some(chance, "VIP-mail", "VIP-web", "VIP-both", "all", "of mail"),
        "service": some(chance, "SMTP", "HTTPS", "ALL"),
        "match-vip": chance.choice(["disable", "enable"]),
        "srcaddr-negate": chance.choice(["disable"] * 9 + ["enable"]),
    }


def seed(config: Config, chance: Chance) -> None:
    server = {"mappedip": [{"range": "10.20.1.11"}], "extintf": "wan1"}
    for name, port in (("VIP-mail", "25"), ("VIP-web", "443")):
        forward = {
            "extip": "203.0.113.80",
            "portforward": "enable",
            "extport": port,
            "mappedport": port,
            **server,
        }
        config.create("firewall/vip", {"name": name, **forward})
    config.create("firewall/vip", {"name": "VIP-both", "extip": "203.0.113.81", **server})
    config.create("firewall/vipgrp", {"name": "of mail", "member": refs("VIP-mail", "VIP-both")})
    for name, subnet in (
        ("half", "198.51.100.0/25"),
        ("other", "203.0.113.128/25"),
        ("office", "10.20.0.0/16"),
    ):
        config.create("firewall/address", {"name": name, "subnet": subnet})
    config.create("firewall/addrgrp", {"name": "others", "member": refs("other", "half")})
    for _number in range(chance.randint(1, 4)):
        config.create(POLICY, any_policy(chance))
    if chance.random() < 0.5:
        out = {
            "srcintf": refs("internal"),
            "dstintf": refs("wan1"),
            "srcaddr": refs("all"),
            "dstaddr": refs("all"),
        }
        config.create(POLICY, {"action": "accept", "service": refs("ALL"), **out})


def edit(config: Config, chance: Chance) -> None:
    """Something that a colleague does; what the device refuses him, he leaves."""
    policies, groups = list(config.all(POLICY)), list(config.all("firewall/addrgrp"))
    kind = chance.choice(["field", "field", "field", "move", "delete", "new", "group", "address"])
    key, place = (str(chance.choice(policies)) for _which in range(2))
    try:
        if kind == "field":
            ours = [str(name) for name in groups if str(name).startswith("birke")]
            fields: list[dict[str, t.Any]] = [
                {"status": chance.choice(["enable", "disable"])},
                {"srcaddr": some(chance, "all", "half", "office", "others", *ours)},
                {"srcaddr-negate": "enable"},
                {"action": chance.choice(["accept", "deny"])},
                {"dstaddr": some(chance, "VIP-mail", "VIP-both", "all")},
                {"service": some(chance, "SMTP", "ALL", "HTTPS")},
            ]
            config.update(POLICY, key, chance.choice(fields))
        elif kind == "move" and key != place:
            config.move(POLICY, key, before=place)
        elif kind == "delete" and len(policies) > 1:
            config.delete(POLICY, key)
        elif kind == "new":
            config.move(POLICY, str(config.create(POLICY, any_policy(chance))), before=place)
        elif kind == "group":
            name = str(chance.choice(groups))
            members = [str(member) for member in config.all("firewall/addrgrp")[name]["member"]]
            others = chance.choice(
                [[*members, "all"], ["half"], ["office"], [*members, "half"], members[1:]]
            )
            config.update("firewall/addrgrp", name, {"member": refs(*dict.fromkeys(others))})
        elif kind == "address":
            ours = [
                str(name)
                for name in config.all("firewall/address")
                if str(name).startswith("birke")
            ]
            subnet = chance.choice(["0.0.0.0/0", "198.51.100.0/24", "10.20.0.0/16"])
            config.update("firewall/address", chance.choice([*ours, "half"]), {"subnet": subnet})
    except Refused:
        return


def lock(chance: Chance) -> dict[str, t.Any]:
    return {
        "name": "birke",
        "vips": chance.choice([["VIP-mail"], ["VIP-mail", "VIP-both"]]),
        "ranges": chance.choice(RANGES),
        "own_networks": chance.choice(NETWORKS),
        "accept_risks": ["provider_shut_out", "own_networks_shut_out"],
        "interfaces": chance.choice([[], ["wan1"]]),
    }


def a_run(firewall: Firewall, chance: Chance, *, first: bool) -> Result:
    kind = "in" if first else chance.choice(["in", "in", "in", "out", "back"])
    if kind == "in":
        return firewall.run(fortios_inbound_lock, **lock(chance))
    return (
        firewall.run(fortios_outbound_lock, **WAY_OUT)
        if kind == "out"
        else firewall.run(fortios_rollback)
    )


@examples(15)
@given(number=st.integers(0, 1_000_000))
def test_nobody_loses_or_gains_a_way_at_any_request(number: int) -> None:
    chance = random.Random(number)
    with (
        FortiGateServer(Device(version="v6.2.9")) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        firewall, config = Firewall(server, pathlib.Path(folder)), server.device.configs["root"]
        seed(config, chance)

        def packets() -> dict[t.Any, bool]:
            return {packet: server.device.admits(*packet) for packet in (*IN, *OUT)}

        moments: list[dict[t.Any, bool]] = []
        server.changed = lambda: moments.append(packets())
        with firewall.without_network():
            for turn in range(3):
                moments.clear()
                before = packets()
                result = a_run(firewall, chance, first=turn == 0)
                after = packets()
                assert not (result["failed"] and result["changed"]), result["msg"]
                for at, moment in enumerate(moments):
                    for packet, now in moment.items():
                        ends = (before[packet], after[packet])
                        assert all(ends) <= now <= any(ends), (
                            turn,
                            at,
                            packet,
                            ends,
                            now,
                            result["plan"],
                        )
                for _edit in range(chance.randint(0, 3)):
                    edit(config, chance)


@pytest.mark.long
def test_what_is_remembered_of_the_policies_is_how_they_are_in_every_half_way_state() -> None:
    """Each form of a policy is looked at once, and found again by its interfaces."""
    remembered = questions.Views.meetings_of
    sizes: list[int] = []

    def meetings_of(
        views: questions.Views, state: DeviceState, question: questions.Question
    ) -> t.Any:
        meetings = remembered(views, state, question)
        model = views.model(state)
        anew = (
            vars(questions)["_meeting"](model, row, question.target)
            for row in state.table(POLICY).values()
        )
        assert meetings == [
            meeting
            for meeting in anew
            if meeting is not None
            and {question.way_in, "any"} & meeting.into
            and {question.way_out, "any"} & meeting.outof
        ]
        sizes.append(len(meetings))
        return meetings

    for number in range(MORE or 30):
        chance = random.Random(number)
        device = Device(version="v6.2.9")
        with FortiGateServer(device) as server, tempfile.TemporaryDirectory() as folder:
            firewall, config = Firewall(server, pathlib.Path(folder)), device.configs["root"]
            seed(config, chance)
            patched = unittest.mock.patch.object(questions.Views, "meetings_of", meetings_of)
            with firewall.without_network(), patched:
                for turn in range(3):
                    a_run(firewall, chance, first=turn == 0)
                    for _edit in range(chance.randint(0, 3)):
                        edit(config, chance)
    assert len(sizes) > 100
    assert max(sizes) > 3
