# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of rules, addresses and ports: what is understood, and what is told to be not."""

from __future__ import annotations

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.texts import (
    read_text,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.values import (
    counted,
    fits,
    in_rules,
    read_addresses,
    read_ports,
)

TEXT = (
    "v2.10|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|Profile=Public|LPort=25|LPort2_10=587-588|"
    "RA4=LocalSubnet|RA4=10.0.0.0/255.0.0.0|RA6=2001:db8::/32|App=System|Svc=MSExchangeTransport|Name=One|EmbedCtxt=Two|Edge=TRUE|"
)


def test_a_text_is_read() -> None:
    rule = read_text(TEXT)
    assert (rule.name, rule.enabled, rule.inbound, rule.action, rule.protocol) == (
        "One",
        True,
        True,
        "allow",
        6,
    )
    assert (rule.profiles, rule.program, rule.service, rule.edge) == (
        5,
        "System",
        "MSExchangeTransport",
        True,
    )
    assert rule.ports.texts() == ("25", "587-588")
    assert rule.remote.texts() == ("LocalSubnet", "10.0.0.0/8", "2001:db8::/32")
    assert rule.certain
    assert not rule.loose


def test_what_is_absent_has_its_default() -> None:
    rule = read_text("v2.30|Action=Block|Dir=In|Name=x|")
    assert (rule.enabled, rule.protocol, rule.profiles, rule.edge, rule.action) == (
        False,
        None,
        7,
        False,
        "block",
    )
    assert rule.ports.are_all
    assert rule.remote.texts() == ("*",)


@pytest.mark.parametrize(
    ("token", "what"),
    [
        ("NextYearsFlag=TRUE", "NextYearsFlag"),
        ("Action=Perhaps", "Action"),
        ("Active=MAYBE", "Active"),
        ("Profile=Wlan", "Profile"),
        ("Security=Somehow", "Security"),
        ("RMauth=O:LSD:", "Security"),
        ("nonsense", "nonsense"),
    ],
)
def test_what_is_not_understood_is_told(token: str, what: str) -> None:
    rule = read_text(
        f"v2.30|Dir=In|{token}|" + ("" if token.startswith("Act") else "Action=Allow|Active=TRUE|")
    )
    assert what in rule.unknown
    assert not rule.certain
    # What may be active is taken for active, and what may be for every profile is.
    assert rule.profiles == 7
    assert rule.enabled or token.startswith("Action")


def test_a_text_without_a_version_is_not_understood() -> None:
    assert "its version" in read_text("Action=Allow|Active=TRUE|Dir=In|").unknown


def test_rules_for_authenticated_senders_and_loose_ones_are_seen() -> None:
    assert read_text(
        "v2.30|Action=ByPass|Active=TRUE|Dir=In|Security=Authenticate|RMauth=O:LSD:|"
    ).ipsec
    assert read_text("v2.30|Action=Allow|Active=TRUE|Dir=In|LOM=TRUE|").loose
    assert not read_text("v2.30|Action=Allow|Active=TRUE|Dir=In|LOM=FALSE|").loose


def test_addresses_mean_the_same_however_the_server_writes_them() -> None:
    spelled = read_addresses(
        "198.51.100.7/255.255.255.255,10.0.0.0/255.0.0.0,LOCALSUBNET,2001:db8::1-2001:db8::9"
    )
    other = read_addresses(["LocalSubnet", "2001:db8::1-2001:db8::9", "10.0.0.0/8", "198.51.100.7"])
    assert spelled == other
    assert read_addresses("") == read_addresses("*") == read_addresses(None)
    assert read_addresses("Ply2Renders") == read_addresses("PlayToDevice")
    odd = read_addresses("10.0.0.0/8,Somewhere")
    assert odd.words == {"Somewhere"}
    assert "203.0.113.9" in odd.possible
    assert "203.0.113.9" not in odd.certain


def test_ports_without_some_of_them() -> None:
    assert read_ports("25,587").without([25]).texts() == ("587",)
    assert read_ports("*").without([25, 443]).texts() == ("1-24", "26-442", "444-65535")
    assert read_ports("24-26,25").without([24, 25, 26]).texts() == ()
    assert read_ports("RPC,25").without([25]).texts() == ("RPC",)
    assert read_ports("20-30").only([25, 99]).texts() == ("25",)
    assert 25 not in read_ports("RPC")
    assert read_ports("RPC").may_hold(2000)
    assert not read_ports("RPC").may_hold(25)
    assert read_ports("Something").may_hold(25)


def test_ports_within_others() -> None:
    assert read_ports("587,717").within(read_ports("25,587,717"))
    assert read_ports("1-24,26-65535").within(read_ports("*"))
    assert not read_ports("*").within(read_ports("1-24,26-65535"))
    assert not read_ports("25,RPC").within(read_ports("*"))
    assert read_ports("RPC").within(read_ports("25,RPC"))


def test_each_of_the_four_lists_takes_a_thousand() -> None:
    singles = RangeSet.parse(
        [f"10.0.{third}.{last}" for third in range(4) for last in range(0, 256, 2)][:1001]
    )
    mixed = singles | RangeSet.parse(["198.51.100.1-198.51.100.6", "2001:db8::/32"])
    assert counted(mixed) == {"4/": 512, "4-": 1, "6/": 1, "6-": 0}
    many = RangeSet.parse([f"10.{second}.{third}.1" for second in range(5) for third in range(250)])
    assert not fits(many)
    first, second = in_rules(many, [])
    assert fits(first)
    assert fits(second)
    assert first | second == many
    held = [second & many, RangeSet.parse(["203.0.113.9"])]
    again = in_rules(many, held)
    assert held[0] <= again[0]
    assert all(map(fits, again))
