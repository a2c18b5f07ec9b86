# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only policies that can lead to the server are touched, where the device tells where it is; each
case with packets through the lab's FortiGate.
"""

from __future__ import annotations

import pathlib
import typing as t
import unittest.mock

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import fortios_inbound_lock, fortios_info
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.catalogue import run_all
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.check import Evidence
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.routing import PolicyRoute
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import Profile
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    LOCK,
    POLICY,
    PUBLIC,
    STRANGER,
    Firewall,
    locked,
    meets,
    policy,
    refs,
    running,
    touched,
)

SERVER = "10.20.1.11"
ASKED = 6
"""Interfaces, zones, SD-WAN, the route to the server, static routes, policy routes."""
ZONES = 3
MONITORS = ("router/lookup", "router/ipv4")


@pytest.fixture
def firewall(tmp_path: pathlib.Path) -> t.Iterator[Firewall]:
    """The server in a network of its own; beside the mail site's policies those of every office,
    which let everything through between others.
    """
    for device_running in running(tmp_path):
        device = device_running.device
        device.interfaces += ["servers", "guests"]
        device.routing.connected = [
            ("10.20.1.0/24", "servers"),
            ("10.20.8.0/24", "guests"),
            ("10.20.2.0/23", "internal"),
        ]
        for row in device.configs["root"].all(POLICY).values():
            row["dstintf"] = ["servers" if name == "internal" else name for name in row["dstintf"]]
        device.configs["root"].all("firewall/vip")["VIP-mail"]["extintf"] = "any"
        yield device_running


def judged(firewall: Firewall, **options: t.Any) -> str:
    """What the self-test says of the ways."""
    told = firewall.run(fortios_info, **options)
    return str(run_all(Evidence(firewall=told))["firewall_routes"]["status"])


def test_the_self_test_tells_whether_the_ways_are_told(firewall: Firewall) -> None:
    assert judged(firewall) == "success"
    firewall.server.tokens["narrow"] = Profile(network=False)
    assert judged(firewall, token="narrow") == "failure"


def wide(firewall: Firewall, into: str, out: str) -> int:
    """A policy that lets everything through."""
    all_of_it = {"dstaddr": refs("all"), "service": refs("ALL")}
    return policy(
        firewall, f"{into} to {out}", top=True, srcintf=refs(into), dstintf=refs(out), **all_of_it
    )


def elsewhere(firewall: Firewall) -> list[int]:
    """The policies that lead elsewhere."""
    pairs = [
        ("internal", "guests"),
        ("guests", "internal"),
        ("internal", "internal"),
        ("dmz", "internal"),
    ]
    return [wide(firewall, *pair) for pair in [*pairs, ("internal", "wan1"), ("wan1", "guests")]]


def test_policies_that_lead_elsewhere_are_left_alone(firewall: Firewall) -> None:
    elsewhere(firewall)
    into = [wide(firewall, "guests", "any"), wide(firewall, "internal", "servers")]
    result = firewall.done(fortios_inbound_lock, **LOCK)
    assert touched(result) == {1, *into}
    assert "server_not_found" not in [finding["id"] for finding in result["guards"]]
    assert locked(firewall)
    for interface in ("internal", "guests"):
        assert not meets_from(firewall, "192.0.2.77", interface)
        assert meets_from(firewall, "10.20.3.3", interface), "the office has its way"
    again = firewall.done(fortios_inbound_lock, **LOCK)
    assert (again["changed"], again["state"]) == (False, "in order")
    assert firewall.done(fortios_info)["exposure"] == again["exposure"]["after"]


def meets_from(firewall: Firewall, source: str, interface: str) -> bool:
    return firewall.device.admits(source, PUBLIC, 25, interface)


def test_only_what_comes_in_where_the_virtual_ip_is_can_meet_it(firewall: Firewall) -> None:
    firewall.device.configs["root"].all("firewall/vip")["VIP-mail"]["extintf"] = "wan1"
    elsewhere(firewall)
    into = wide(firewall, "internal", "servers")
    meant = policy(firewall, "From the office", srcintf=refs("internal"), dstintf=refs("servers"))
    result = firewall.done(fortios_inbound_lock, **LOCK)
    # Whoever names the virtual IP may have meant it to be met from there.
    assert touched(result) == {1, meant}
    assert locked(firewall)
    # By its own address the server is reached from there, which is another target.
    told = firewall.done(fortios_info, addresses=[SERVER])
    assert [policy_of["policy"] for policy_of in told["policies"]] == [into, 1, meant]


def test_asked_only_where_the_policies_leave_it_open(firewall: Firewall) -> None:
    firewall.done(fortios_inbound_lock, **LOCK)
    # Met from any interface, the server could be where the policy for the way out leads.
    asked = firewall.done(fortios_inbound_lock, **LOCK)
    assert (asked["changed"], asked["cost"]) == (False, {"requests": 11 + ASKED})
    firewall.device.configs["root"].all("firewall/vip")["VIP-mail"]["extintf"] = "wan1"
    assert firewall.done(fortios_inbound_lock, **LOCK)["cost"] == {"requests": 11}
    elsewhere(firewall)
    again = firewall.done(fortios_inbound_lock, **LOCK)
    assert (again["changed"], again["cost"]) == (False, {"requests": 11 + ASKED})


def test_where_zones_settle_it_the_way_to_the_server_is_not_asked_for(
    tmp_path: pathlib.Path,
) -> None:
    for firewall in running(tmp_path):
        device = firewall.device
        device.sdwan["virtual-wan-link"] = ["wan1"]
        for row in device.configs["root"].all(POLICY).values():
            for field in ("srcintf", "dstintf"):
                row[field] = ["virtual-wan-link" if name == "wan1" else name for name in row[field]]
        assert touched(firewall.done(fortios_inbound_lock, **LOCK)) == {1}
        again = firewall.done(fortios_inbound_lock, **LOCK)
        assert (again["changed"], again["cost"]) == (False, {"requests": 11 + ZONES})
        assert locked(firewall)


TELLS_NOTHING: dict[str, dict[str, t.Any]] = {
    "neither monitor": {"gone": MONITORS},
    "no static routes": {"gone": ("router/static",)},
    "no policy routes": {"fail": {"GET router/policy": -37}},
    "no zones": {"gone": ("system/zone",)},
    "not the answer of a FortiGate": {"instead": {"router/": (502, "<html>Bad gateway</html>")}},
}
ODD: dict[str, t.Any] = {
    "an interface that the device does not have": {"success": True, "interface": "port99"},
    "no interface": {"success": True, "network": "10.20.1.0/24"},
    "no route": {"success": False, "interface": "guests"},
    "a list": [{"interface": "servers"}],
    "a text": "servers",
}


def test_a_policy_towards_the_front_of_a_virtual_ip_is_no_witness_of_where_the_server_is(
    firewall: Firewall,
) -> None:
    """As one for the way from the inside to the mail server's public name."""
    config = firewall.device.configs["root"]
    for key in ("1", "2"):
        config.update(POLICY, key, {"status": "disable"})
    config.all("firewall/vip")["VIP-mail"]["extintf"] = "wan1"
    firewall.server.arm(gone=MONITORS)
    policy(firewall, "Back in", srcintf=refs("servers"), dstintf=refs("wan1"))
    everything: dict[str, t.Any] = {"dstaddr": refs("all"), "service": refs("ALL")}
    policy(firewall, "Everything in", dstintf=refs("servers"), **everything)
    assert meets(firewall, STRANGER)
    told = firewall.done(fortios_info)["exposure"]
    assert any("everybody" in sentence and "Everything in" in sentence for sentence in told), told
    assert firewall.done(fortios_inbound_lock, **LOCK)["state"] == "in order"
    assert locked(firewall)
    assert not firewall.done(fortios_inbound_lock, **LOCK)["changed"]


MISLEADING: dict[str, dict[str, t.Any]] = {
    "for those inside": {"srcintf": refs("servers"), "dstintf": refs("dmz")},
    "back to where it came from": {"srcintf": refs("wan1"), "dstintf": refs("wan1")},
    "in the wrong place": {"srcintf": refs("wan1", "servers"), "dstintf": refs("guests")},
}


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
@pytest.mark.parametrize("target", ["any interface", "one interface", "address"])
@pytest.mark.parametrize("ways", MISLEADING.values(), ids=MISLEADING)
def test_no_policy_is_a_witness_of_where_the_server_is(
    firewall: Firewall, ways: dict[str, t.Any], target: str, told: bool
) -> None:
    """A policy for the server that leads elsewhere, once alone and once beside the one by which
    everybody gets in.
    """
    config = firewall.device.configs["root"]
    config.create("firewall/address", {"name": "server", "subnet": f"{SERVER}/32"})
    for key in ("1", "2", "3"):
        config.update(POLICY, key, {"status": "disable"})
    config.all("firewall/vip")["VIP-mail"]["extintf"] = "wan1" if "one" in target else "any"
    if not told:
        firewall.server.arm(gone=MONITORS)
    plain = target == "address"
    for vip in config.all("firewall/vip").values() if plain else ():
        vip["mappedip"] = [{"range": "10.20.1.99"}]
    lock: dict[str, t.Any] = {"vips": [], "addresses": [SERVER]} if plain else {}
    aim: dict[str, t.Any] = {"dstaddr": refs("server" if plain else "VIP-mail")}
    to = SERVER if plain else PUBLIC
    policy(firewall, "Misleading", **ways, **aim)
    for _times in range(2):
        everything: dict[str, t.Any] = {"dstaddr": refs("all"), "service": refs("ALL")}
        policy(firewall, f"In {_times}", top=True, dstintf=refs("servers"), **everything)
        assert meets(firewall, STRANGER, to=to)
        asked = {"addresses": [SERVER]} if plain else {}
        told_of = firewall.done(fortios_info, sources=[STRANGER], **asked)
        assert any(
            "everybody" in sentence and f"In {_times}" in sentence
            for sentence in told_of["exposure"]
        )
        assert told_of["sources"][0]["passes"]
        assert firewall.done(fortios_inbound_lock, **{**LOCK, **lock})["state"] == "in order"
        assert not meets(firewall, STRANGER, to=to)
        assert meets(firewall, "198.51.100.7", to=to)
        assert not firewall.done(fortios_inbound_lock, **{**LOCK, **lock})["changed"]


def test_a_server_behind_the_interface_of_its_virtual_ip(tmp_path: pathlib.Path) -> None:
    """One with a single interface, as in a cloud."""
    for firewall in running(tmp_path):
        firewall.device.routing.connected = [("10.20.1.0/24", "wan1")]
        for key in ("1", "2"):
            firewall.device.configs["root"].update(POLICY, key, {"status": "disable"})
        everything: dict[str, t.Any] = {"dstaddr": refs("all"), "service": refs("ALL")}
        policy(firewall, "One arm", dstintf=refs("wan1"), **everything)
        assert meets(firewall, STRANGER)
        assert any("everybody" in sentence for sentence in firewall.done(fortios_info)["exposure"])
        assert firewall.done(fortios_inbound_lock, **LOCK)["state"] == "in order"
        assert locked(firewall)


def test_a_policy_that_may_lead_elsewhere_lets_nobody_in_for_certain(firewall: Firewall) -> None:
    wide(firewall, "wan1", "guests")
    told = []
    for gone in ((), MONITORS):
        firewall.server.arm(gone=gone)
        known = firewall.done(fortios_info, sources=[STRANGER])["sources"]
        told.append({(answer["passes"], answer["certain"]) for answer in known})
    assert told == [{(True, True)}, {(True, False)}]


def test_a_fence_is_no_witness_of_where_the_server_is(firewall: Firewall) -> None:
    """It names the virtual IP, and has its interfaces from the policy that it stands before."""
    config = firewall.device.configs["root"]
    for key in ("1", "2"):
        config.update(POLICY, key, {"status": "disable"})
    config.all("firewall/vip")["VIP-mail"]["extintf"] = "wan1"
    others: dict[str, t.Any] = {"dstaddr": refs("VIP-web"), "dstaddr-negate": "enable"}
    policy(
        firewall, "All but the web", srcintf=refs("any"), dstintf=refs("internal", "wan1"), **others
    )
    firewall.server.arm(gone=MONITORS)
    assert firewall.done(fortios_inbound_lock, **LOCK)["changed"]
    again = firewall.done(fortios_inbound_lock, **LOCK)
    assert (again["changed"], again["state"]) == (False, "in order")


@pytest.mark.parametrize("faults", TELLS_NOTHING.values(), ids=TELLS_NOTHING)
def test_a_device_that_does_not_tell_has_every_policy_fenced(
    firewall: Firewall, faults: dict[str, t.Any]
) -> None:
    others = elsewhere(firewall)
    firewall.server.arm(**faults)
    result = firewall.done(fortios_inbound_lock, **LOCK)
    assert set(others) <= touched(result)
    assert "server_not_found" in [finding["id"] for finding in result["guards"]]
    assert locked(firewall)
    assert not firewall.done(fortios_inbound_lock, **LOCK)["changed"]


def test_a_token_without_network_settings_has_every_policy_fenced(firewall: Firewall) -> None:
    others = elsewhere(firewall)
    firewall.server.tokens["narrow"] = Profile(network=False)
    assert set(others[:3]) <= touched(firewall.done(fortios_inbound_lock, **LOCK, token="narrow"))


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_an_answer_of_another_shape_is_not_believed(firewall: Firewall, answer: t.Any) -> None:
    elsewhere(firewall)
    routing = firewall.device.routing
    with unittest.mock.patch.object(type(routing), "looked_up", return_value=answer):
        # The table of routes tells it as well.
        assert touched(firewall.done(fortios_inbound_lock, **LOCK, check=True)) == {1}
        tables: list[t.Any] = [
            [],
            {},
            [{"ip_mask": "?", "interface": "servers"}],
            routing.listed(4) * 500,
        ]
        for rows in tables:
            with unittest.mock.patch.object(type(routing), "listed", return_value=rows):
                assert len(touched(firewall.done(fortios_inbound_lock, **LOCK, check=True))) > 3
    firewall.done(fortios_inbound_lock, **LOCK)
    assert locked(firewall)


def test_the_way_of_tomorrow_counts(firewall: Firewall) -> None:
    routing = firewall.device.routing
    routing.connected.remove(("10.20.1.0/24", "servers"))
    routing.static += [("10.20.1.0/24", "servers"), ("10.20.0.0/20", "guests")]
    backup, elsewhere_too = wide(firewall, "wan1", "guests"), wide(firewall, "wan1", "dmz")
    result = firewall.done(fortios_inbound_lock, **LOCK)
    assert backup in touched(result)
    assert elsewhere_too not in touched(result)
    assert locked(firewall)
    routing.down.add("servers")
    assert not meets(firewall, STRANGER)


def test_what_is_down_today_comes_up_tomorrow(firewall: Firewall) -> None:
    routing = firewall.device.routing
    routing.static.append(("10.20.0.0/20", "guests"))
    routing.down.add("servers")
    into, elsewhere_too = wide(firewall, "dmz", "servers"), wide(firewall, "dmz", "internal")
    result = firewall.done(fortios_inbound_lock, **LOCK)
    assert into in touched(result)
    assert elsewhere_too not in touched(result)
    routing.down.clear()
    assert not meets_from(firewall, STRANGER, "dmz")
    assert not meets(firewall, STRANGER)


@pytest.mark.parametrize(
    ("route", "counts"),
    [
        (PolicyRoute("wan1", "10.20.1.0/24", "guests"), True),
        (PolicyRoute("wan1", "0.0.0.0/0", "guests"), True),
        (PolicyRoute("wan1", "10.20.9.0/24", "guests"), False),
        (PolicyRoute("wan1", "10.20.1.0/24", "guests", enabled=False), False),
    ],
)
def test_a_policy_route_leads_elsewhere(
    firewall: Firewall, route: PolicyRoute, counts: bool
) -> None:
    firewall.device.routing.policies.append(route)
    number = wide(firewall, "wan1", "guests")
    result = firewall.done(fortios_inbound_lock, **LOCK)
    assert (number in touched(result)) == counts
    assert not meets(firewall, STRANGER)


@pytest.mark.parametrize("version", ["v6.2.16", "v6.4.0", "v7.4.4"])
def test_a_zone_is_where_its_members_are(tmp_path: pathlib.Path, version: str) -> None:
    for firewall in running(tmp_path, version=version):
        device = firewall.device
        device.interfaces += ["vlan10", "vlan20"]
        device.routing.connected = [("10.20.1.0/24", "vlan10")]
        device.zones["inside"] = ["vlan10", "vlan20"]
        device.configs["root"].all("firewall/vip")["VIP-mail"]["extintf"] = "any"
        for row in device.configs["root"].all(POLICY).values():
            row["dstintf"] = ["inside" if name == "internal" else name for name in row["dstintf"]]
        into = wide(firewall, "dmz", "vlan10" if version == "v6.2.16" else "inside")
        wide(firewall, "inside", "dmz")
        wide(firewall, "dmz", "internal")
        assert touched(firewall.done(fortios_inbound_lock, **LOCK)) == {1, into}
        assert not firewall.device.admits("192.0.2.77", PUBLIC, 25, "dmz")
        assert locked(firewall)


def test_behind_sdwan_every_zone_of_it_counts(firewall: Firewall) -> None:
    device = firewall.device
    device.interfaces += ["vpn1", "vpn2"]
    device.routing.connected[:0] = [("10.20.1.8/29", "vpn1")]
    device.sdwan.update({"overlay": ["vpn1"], "second": ["vpn2"]})
    for row in device.configs["root"].all(POLICY).values():
        row["dstintf"] = ["overlay" if name == "servers" else name for name in row["dstintf"]]
    other, elsewhere_too = wide(firewall, "wan1", "second"), wide(firewall, "wan1", "dmz")
    changed = touched(firewall.done(fortios_inbound_lock, **LOCK))
    assert (other in changed, elsewhere_too in changed) == (True, False)
    device.routing.connected[0] = ("10.20.1.8/29", "vpn2")
    assert not meets(firewall, STRANGER)
