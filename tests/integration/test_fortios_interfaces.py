# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces, zones and SD-WAN: what policies name where the user names an interface."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_info,
    fortios_outbound_lock,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import Profile
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    LOCK,
    OUT,
    STRANGER,
    Firewall,
    locked,
    meets,
    running,
    told_by,
)

KINDS = [("v6.2.16", "virtual-wan-link"), ("v7.4.4", "virtual-wan-link"), ("v7.4.4", "outside")]


@pytest.fixture(params=KINDS, ids=" ".join)
def zoned(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> t.Iterator[Firewall]:
    """wan1 is a member of SD-WAN or of a zone, and the policies name that."""
    version, zone = request.param
    for firewall in running(tmp_path, version=version):
        device, rows = firewall.device, firewall.device.configs["root"].all("firewall/policy")
        (device.sdwan if zone == "virtual-wan-link" else device.zones)[zone] = ["wan1"]
        device.names["out.filter.example"] = ["198.51.100.25"]
        for row in rows.values():
            for field in ("srcintf", "dstintf"):
                row[field] = [zone if name == "wan1" else name for name in row[field]]
        yield firewall


def test_a_member_is_taken_for_its_zone(zoned: Firewall) -> None:
    inwards = {**LOCK, "interfaces": ["wan1"]}
    assert meets(zoned, STRANGER)
    assert "everybody" in zoned.done(fortios_info, interface="wan1")["exposure"][0]
    made = zoned.done(fortios_inbound_lock, **inwards)
    assert "interface_in_zone" in [finding["id"] for finding in made["guards"]]
    assert made["exposure"]["before"] == [
        "everybody → port 25 of the virtual IP 'VIP-mail', by policy 1 'Mail in'"
    ]
    assert locked(zoned)
    assert not zoned.done(fortios_inbound_lock, **inwards)["changed"]
    assert zoned.device.admits("10.20.3.3", "192.0.2.99", 25, "internal")
    zoned.done(fortios_outbound_lock, **OUT)
    assert not zoned.device.admits("10.20.3.3", "192.0.2.99", 25, "internal")
    assert zoned.device.admits("10.20.1.11", "198.51.100.25", 25, "internal")
    assert not zoned.done(fortios_outbound_lock, **OUT)["changed"]


@pytest.mark.parametrize("name", ["wan9", "Wan1"])
def test_a_name_that_is_none_is_refused(zoned: Firewall, name: str) -> None:
    before = zoned.dump()
    for module, options in (
        (fortios_info, {"interface": name}),
        (fortios_inbound_lock, {**LOCK, "interfaces": [name]}),
        (fortios_outbound_lock, {**OUT, "interfaces": [name]}),
    ):
        failed = zoned.run(module, **options)
        assert failed["failed"]
        assert f"'{name}'" in failed["msg"]
        assert "Is 'wan1' meant?" in failed["msg"]
        assert "accept_risks" not in failed["msg"]
    assert zoned.dump() == before


def test_members_that_reach_each_other_without_a_policy_are_told(tmp_path: pathlib.Path) -> None:
    for firewall in running(tmp_path):
        device = firewall.device
        device.zones["all of it"] = ["wan1", "internal"]
        device.intrazone.add("all of it")
        for row in device.configs["root"].all("firewall/policy").values():
            row["srcintf"] = row["dstintf"] = ["all of it"]
        firewall.done(fortios_inbound_lock, **LOCK)
        assert meets(firewall, STRANGER)
        told = firewall.done(fortios_inbound_lock, **LOCK, interfaces=["wan1"], check=True)
        [sentence] = told_by(told, "intrazone")
        assert "without any policy" in sentence
        assert told["state"] == "open"
        device.intrazone.clear()
        assert not meets(firewall, STRANGER)
        assert (
            firewall.done(fortios_inbound_lock, **LOCK, interfaces=["wan1"], check=True)["state"]
            == "in order"
        )


@pytest.mark.parametrize("named", [[], ["wan1"]], ids=["no interface named", "wan1 named"])
@pytest.mark.parametrize("entrance", ["wan1", "any"])
def test_a_server_in_a_zone_without_policies_is_open_whoever_asks(
    tmp_path: pathlib.Path, entrance: str, named: list[str]
) -> None:
    for firewall in running(tmp_path):
        device = firewall.device
        device.zones["all of it"] = ["wan1", "internal"]
        device.configs["root"].all("firewall/vip")["VIP-mail"]["extintf"] = entrance
        for row in device.configs["root"].all("firewall/policy").values():
            row["srcintf"] = row["dstintf"] = ["all of it"]
        lock: dict[str, t.Any] = {**LOCK, "interfaces": named}
        asked: dict[str, t.Any] = {
            "sources": [STRANGER],
            **({"interface": "wan1"} if named else {}),
        }
        assert firewall.done(fortios_inbound_lock, **lock)["state"] == "in order"
        told = firewall.done(fortios_info, **asked)
        assert not told["sources"][0]["passes"]
        device.intrazone.add("all of it")
        assert meets(firewall, STRANGER)
        again = firewall.done(fortios_inbound_lock, **lock)
        assert (again["state"], again["changed"]) == ("open", False)
        assert "without any policy" in again["strangers"]["after"][0]
        told = firewall.done(fortios_info, **asked)
        assert told["sources"][0]["passes"]
        assert not told["sources"][0]["certain"]
        assert any("without any policy" in sentence for sentence in told["exposure"])
        # Nor is there nothing to lock where no policy lets anybody in.
        for key in list(device.configs["root"].all("firewall/policy")):
            device.configs["root"].update("firewall/policy", str(key), {"status": "disable"})
        assert meets(firewall, STRANGER)
        assert firewall.done(fortios_inbound_lock, **lock)["state"] == "open"


@pytest.mark.parametrize("members", [["wan1", "dmz"], ["internal", "dmz"], ["dmz"]])
def test_a_zone_without_policies_beside_the_way_to_the_server_is_none(
    tmp_path: pathlib.Path, members: list[str]
) -> None:
    for firewall in running(tmp_path):
        device = firewall.device
        device.zones["a zone"] = members
        device.intrazone.add("a zone")
        for row in device.configs["root"].all("firewall/policy").values():
            for field in ("srcintf", "dstintf"):
                row[field] = ["a zone" if name in members else name for name in row[field]]
        result = firewall.done(fortios_inbound_lock, **LOCK)
        assert (result["state"], locked(firewall)) == ("in order", True)
        assert not told_by(result, "intrazone")


def test_a_device_that_does_not_tell_its_zones_is_not_called_closed(firewall: Firewall) -> None:
    firewall.server.tokens["narrow"] = Profile(network=False)
    vip = firewall.device.configs["root"].all("firewall/vip")["VIP-mail"]
    # A policy that names the interface of the virtual IP tells that it is in no zone.
    result = firewall.done(fortios_inbound_lock, **LOCK, token="narrow", check=True)
    assert not told_by(result, "unread_way")
    vip["extintf"] = "any"
    result = firewall.done(fortios_inbound_lock, **LOCK, token="narrow")
    assert "netgrp" in told_by(result, "unread_way")[0]
    assert result["state"] == "unknown"
    known = firewall.done(fortios_inbound_lock, **LOCK)
    assert (known["state"], told_by(known, "unread_way")) == ("in order", [])
