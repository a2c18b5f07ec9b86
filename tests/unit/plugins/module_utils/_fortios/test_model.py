# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the model reads single rows: services, addresses, groups, virtual IPs, sources that the
tables do not tell.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import state as states
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import Model, Target
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.sentences import (
    exposure,
    words,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.services import Match
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet, parse_range

Rows = dict[str, dict[str, t.Any]]


def model(**tables: Rows) -> Model:
    """A model of tables by short names."""
    paths = {name: getattr(states, name.upper()) for name in tables}
    return Model(
        states.DeviceState(
            (7, 4, 4), {paths[name]: t.cast("t.Any", rows) for name, rows in tables.items()}
        )
    )


@pytest.mark.parametrize(
    ("row", "port", "answer"),
    [
        ({"tcp-portrange": "25"}, 25, Match.YES),
        ({"tcp-portrange": "25"}, 26, Match.NO),
        ({"tcp-portrange": "20-30 587"}, 25, Match.YES),
        ({"protocol": "TCP/UDP/SCTP", "tcp-portrange": "25"}, 25, Match.YES),
        ({"protocol": "TCP/UDP/UDP-Lite/SCTP", "tcp-portrange": "25"}, 25, Match.YES),
        ({"protocol": "IP", "protocol-number": 0}, 25, Match.YES),
        ({"protocol": "IP", "protocol-number": 6}, 25, Match.YES),
        ({"protocol": "IP", "protocol-number": 17}, 25, Match.NO),
        ({"protocol": "ICMP"}, 25, Match.NO),
        ({"udp-portrange": "25"}, 25, Match.NO),
        # What the tables do not tell for sure.
        ({"tcp-portrange": "25:1024-65535"}, 25, Match.PERHAPS),
        ({"protocol": "FTP"}, 25, Match.PERHAPS),
        ({"tcp-portrange": "nonsense"}, 25, Match.PERHAPS),
    ],
)
def test_services(row: dict[str, t.Any], port: int, answer: Match) -> None:
    built = model(service={"s": row}, service_group={"g": {"member": ["s", "g"]}})
    for name in ("s", "g"):
        assert built.services.matches({"service": [name]}, port) is answer
        assert built.services.matches(
            {"service": [name], "service-negate": "enable"}, port
        ) is Match(2 - answer)
    assert built.services.matches({"service": ["nobody knows"]}, port) is Match.PERHAPS


@pytest.mark.parametrize(
    ("row", "only"),
    [
        ({"tcp-portrange": "25"}, True),
        ({"tcp-portrange": "25 25"}, True),
        ({"tcp-portrange": "25 587"}, False),
        ({"tcp-portrange": "25", "udp-portrange": "53"}, False),
        ({"tcp-portrange": "25:1024-65535"}, False),
        ({"protocol": "IP"}, False),
    ],
)
def test_a_service_for_one_port_alone(row: dict[str, t.Any], only: bool) -> None:
    built = model(service={"s": row}, service_group={"g": {"member": ["s"]}})
    assert built.services.only({"service": ["s"]}, 25) is only
    assert built.services.only({"service": ["g"]}, 25) is only
    assert not built.services.only({"service": ["s"], "service-negate": "enable"}, 25)
    assert not built.services.only({"service": []}, 25)


def test_addresses_and_groups() -> None:
    built = model(
        address={
            "net": {"type": "ipmask", "subnet": "198.51.100.0 255.255.255.0"},
            "span": {"type": "iprange", "start-ip": "203.0.113.10", "end-ip": "203.0.113.20"},
            "half": {"type": "ipmask", "subnet": "198.51.100.0 255.255.255.128"},
            "name": {"type": "fqdn", "fqdn": "office.example"},
            "land": {"type": "geography", "country": "AQ"},
            "broken": {"type": "ipmask", "subnet": "?"},
        },
        group={
            "both": {"member": ["net", "span"]},
            "round": {"member": ["both", "round"]},
            "but": {"member": ["net"], "exclude": "enable", "exclude-member": ["half"]},
            "odd": {"member": ["name", "land", "broken", "missing"]},
        },
        feed={"feed": {}, "unread": {}},
        feed_entries={"feed": {"entries": ["192.0.2.0/24", "2001:db8::/32"]}},
    )
    assert built.names.named("both", 4).known == RangeSet.parse(
        ["198.51.100.0/24", "203.0.113.10-203.0.113.20"]
    )
    assert built.names.named("but", 4).known == RangeSet.parse(["198.51.100.128/25"])
    assert built.names.named("round", 4) == built.names.named("both", 4)
    assert built.names.named("feed", 4).known == RangeSet.parse(["192.0.2.0/24"])
    assert built.names.named("feed", 6).known == RangeSet.parse(["2001:db8::/32"])
    assert {str(opaque) for opaque in built.names.named("odd", 4).opaque} == {
        "FQDN 'name'",
        "country 'land'",
        "ipmask 'broken'",
        "source 'missing'",
    }
    assert [str(opaque) for opaque in built.names.named("unread", 4).opaque] == ["feed 'unread'"]


@pytest.mark.parametrize(
    ("row", "served", "only"),
    [
        ({"portforward": "enable", "extport": "25", "mappedport": "25"}, {25}, True),
        ({"portforward": "enable", "extport": "2525", "mappedport": "25"}, {25}, True),
        ({"portforward": "enable", "extport": "20-30", "mappedport": "20-30"}, {20, 25, 30}, False),
        (
            {"portforward": "enable", "extport": "2520-2530", "mappedport": "20"},
            {20, 25, 30},
            False,
        ),
        ({"portforward": "enable", "extport": "25", "mappedport": ""}, {25}, True),
        ({"portforward": "disable", "extport": "0", "mappedport": "0"}, {1, 25, 443}, False),
    ],
)
def test_the_ports_behind_a_virtual_ip(row: dict[str, t.Any], served: set[int], only: bool) -> None:
    built = model(vip={"v": row})
    assert {port for port in served | {24, 2525} if built.serves("v", port)} >= served
    assert built.only("v", 25) is only
    if row["portforward"] == "enable":
        assert not built.serves("v", 443)


def test_a_filter_of_the_virtual_ip_a_schedule_and_a_login() -> None:
    policy = {
        "srcintf": ["wan1"],
        "dstintf": ["lan"],
        "action": "accept",
        "srcaddr": ["all"],
        "dstaddr": ["v"],
        "service": ["ALL"],
    }
    tables: dict[str, Rows] = {
        "vip": {"v": {"src-filter": ["198.51.100.0/24"], "mappedip": ["10.20.1.11"]}}
    }
    target = Target(25, vip="v")
    once = t.cast("Rows", {1: policy})
    assert model(policy=once, **tables).reached(target).known == RangeSet.parse(["198.51.100.0/24"])
    deny = {**policy, "action": "deny"}
    for doubt in ({"schedule": "nights"}, {"groups": ["staff"]}):
        both = t.cast("Rows", {1: {**deny, **doubt}, 2: policy})
        assert model(policy=both, **tables).reached(target).known, (
            "a deny that does not always hold stops nobody for sure"
        )
        shadowed = t.cast("Rows", {1: {**policy, **doubt}, 2: policy})
        assert [
            admission.policy for admission in model(policy=shadowed, **tables).admissions(target)
        ] == [1, 2]
    assert not model(policy=t.cast("Rows", {1: deny, 2: policy}), **tables).reached(target)


def test_an_address_without_a_virtual_ip() -> None:
    target = Target(25, address=parse_range("2001:db8:20::25"))
    policy = {
        "srcintf": ["wan1"],
        "dstintf": ["lan"],
        "action": "accept",
        "srcaddr6": ["all"],
        "dstaddr6": ["srv"],
        "service": ["ALL"],
    }
    rows = t.cast("Rows", {1: policy})
    reached = model(
        policy=rows, address6={"srv": {"ip6": "2001:db8:20::25/128"}, "all": {"ip6": "::/0"}}
    ).reached(target)
    assert words(reached) == "everybody over IPv6"
    assert not model(policy=rows, address6={"srv": {"ip6": "2001:db8:20::26/128"}}).reached(target)


def test_a_virtual_ip_of_which_nobody_knows_where_it_is_met_is_open_where_two_ways_lead_in() -> (
    None
):
    policy = {
        "dstintf": ["lan"],
        "action": "accept",
        "srcaddr": ["all"],
        "dstaddr": ["v"],
        "service": ["ALL"],
    }
    ways = t.cast("Rows", {1: {**policy, "srcintf": ["in"]}, 2: {**policy, "srcintf": ["out"]}})
    for interface, is_open in (("wan1", True), ("abroad", True), ("any", False)):
        vip = {"v": {"extintf": interface, "mappedip": ["10.20.1.11"]}}
        judged = model(policy=ways, vip=vip)
        assert judged.is_open(Target(25, vip="v")) is is_open, interface
        # Nobody knows where the server is either, so that the device has to be asked.
        assert judged.is_unsettled(Target(25, vip="v")), interface


def test_an_address_is_reached_by_its_virtual_ips_and_by_the_groups_that_hold_them() -> None:
    judged = model(
        vip={
            "v": {"mappedip": ["10.20.1.11"]},
            "w": {"mappedip": ["10.20.1.12"]},
        },
        vip_group={"g": {"member": ["w", "v"]}},
    )
    target = Target(25, address=parse_range("10.20.1.11"))
    for names, leading in ((["v"], ["v"]), (["g"], ["v"]), (["w"], []), (["all"], [])):
        assert judged.translating({"dstaddr": names}, target) == leading


def test_words() -> None:
    built = model()
    assert words(built.names.named("all", 4)) == "everybody"
    many = model(
        address={"a": {"type": "iprange", "start-ip": "0.0.0.1", "end-ip": "255.255.255.255"}}
    )
    assert words(many.names.named("a", 4)) == "nearly everybody"
    assert exposure(["a", "b"], ["b", "c"])["words"] == ["until now: a", "b", "c"]
