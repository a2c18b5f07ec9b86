# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations as text, into the lab's FortiGate, and what comes back to the interface of a
virtual IP.
"""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.fortigate import cli, schema
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.support.fortigate import refs

FOLDER = pathlib.Path(cli.__file__).parent / "configurations"


def loaded(name: str) -> Device:
    device = Device()
    cli.load(device, (FOLDER / f"{name}.conf").read_text(encoding="utf-8"))
    return device


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("config firewall policy\n  edit 1\n  next", "ends inside a section"),
        ("edit 1\nnext", "line 1"),
        ("config firewall address\n  edit a\n    end", "line 3"),
        ('config firewall address\n  edit "a\n  next\nend', "ends inside quotes"),
        ("config firewall shaper\nend", "does not model firewall/shaper"),
        (
            "config firewall policy\n  edit 1\n  set moon-phase full\n  next\nend",
            "does not model moon-phase",
        ),
        ("config system interface\n  edit a\n  set vrf 3\n  next\nend", "does not model vrf"),
    ],
)
def test_what_it_does_not_understand_is_not_left_out(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        cli.load(Device(), text)


def test_what_a_device_refuses_is_refused() -> None:
    with pytest.raises(schema.Refused):
        cli.load(Device(), 'config firewall addrgrp\n edit g\n set member "nobody"\n next\nend')


def test_texts_over_lines_comments_and_what_is_appended() -> None:
    device = Device()
    text = """
    #comment
    config firewall address
        edit "two words"
            set comment "one \\"line\\",
and # another"
            set subnet 10.20.0.0/16
            set color 3
            unset color
        next
        edit b
        next
    end
    config firewall addrgrp
        edit g
            set member "two words"
            append member b
        next
    end
    """
    cli.load(device, text)
    rows = device.rows("root", "firewall/address")
    assert rows["two words"]["comment"] == 'one "line",\nand # another'
    assert rows["two words"]["subnet"] == "10.20.0.0 255.255.0.0"
    assert device.rows("root", "firewall/addrgrp")["g"]["member"] == ["two words", "b"]


def test_a_virtual_server_leads_to_its_first_server_in_use() -> None:
    device = loaded("virtual_server")
    assert device.admits("192.0.2.77", "203.0.113.80", 443)
    device.rows("root", "firewall/policy")[1]["service"] = ["HTTPS"]
    assert not device.admits("192.0.2.77", "203.0.113.80", 443), (
        "policies see the port of the server"
    )
    assert not device.admits("192.0.2.77", "203.0.113.80", 8443), "outside it has one port"


def test_a_hairpin_needs_the_policy_that_comes_from_outside_too() -> None:
    device = loaded("two_isps")
    assert device.admits("10.20.5.5", "203.0.113.80", 25, "internal")
    rows = device.rows("root", "firewall/policy")
    rows[10].update(srcaddr=["backup"])
    assert not device.admits("10.20.5.5", "203.0.113.80", 25, "internal")
    assert device.admits("10.20.5.9", "203.0.113.80", 25, "internal")
    device.configs["root"].update("firewall/policy", "14", {"dstintf": refs("wan2")})
    assert not device.admits("10.20.5.9", "203.0.113.80", 25, "internal")


def test_a_cluster_is_one_device_and_what_is_down_leads_nowhere() -> None:
    device = loaded("two_isps")
    assert device.route("10.20.1.11") == "dmz"
    device.routing.down.add("dmz")
    assert device.route("10.20.1.11") == "internal"
    assert device.route("192.0.2.77", "internal") == "wan1", "the policy route is disabled"
