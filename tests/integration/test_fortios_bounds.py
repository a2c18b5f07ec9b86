# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the tables do not tell for certain never counts as closed: each case with packets
through the lab's FortiGate.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import (
    NOTHING,
    Opaque,
    exactly,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_info,
    fortios_outbound_lock,
)
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    LOCK,
    OUT,
    PROVIDER,
    STRANGER,
    Firewall,
    locked,
    meets,
    policy,
    refs,
    running,
)

SMART = "198.51.100.25"


@pytest.fixture
def firewall(tmp_path: pathlib.Path) -> t.Iterator[Firewall]:
    for running_one in running(tmp_path):
        device, config = running_one.device, running_one.device.configs["root"]
        config.create(
            "firewall/address", {"name": "host", "type": "fqdn", "fqdn": "mx.partner.example"}
        )
        config.create("firewall/address", {"name": "land", "type": "geography", "country": "AQ"})
        config.create("firewall/address", {"name": "provider", "subnet": "198.51.100.0/24"})
        config.create(
            "firewall/addrgrp",
            {
                "name": "all but land",
                "member": refs("all"),
                "exclude": "enable",
                "exclude-member": refs("land"),
            },
        )
        # What no table tells: the stranger is in all of them, and so are provider and office.
        everybody = [STRANGER, PROVIDER, "10.20.0.0/16", SMART]
        device.names["mx.partner.example"] = device.countries["AQ"] = everybody
        yield running_one


DENIES = {
    "negated FQDN": {"srcaddr": refs("host"), "srcaddr-negate": "enable"},
    "negated country": {"srcaddr": refs("land"), "srcaddr-negate": "enable"},
    "negated range and FQDN": {"srcaddr": refs("provider", "host"), "srcaddr-negate": "enable"},
    "group that excludes a country": {"srcaddr": refs("all but land")},
    "negated group that excludes a country": {
        "srcaddr": refs("all but land"),
        "srcaddr-negate": "enable",
    },
}


@pytest.mark.parametrize("deny", DENIES.values(), ids=DENIES)
def test_a_deny_stops_only_who_is_certainly_in_it(
    firewall: Firewall, deny: dict[str, t.Any]
) -> None:
    if deny == DENIES["negated group that excludes a country"]:
        firewall.device.countries["AQ"] = []
    policy(firewall, "Deny", top=True, action="deny", **deny)
    assert meets(firewall, STRANGER)
    told = firewall.done(fortios_info)
    assert told["exposure"] == [
        "everybody → port 25 of the virtual IP 'VIP-mail', by policy 1 'Mail in'"
    ]
    made = firewall.done(fortios_inbound_lock, **LOCK)
    assert (made["changed"], made["state"]) == (True, "in order")
    assert locked(firewall)
    assert not firewall.done(fortios_inbound_lock, **LOCK)["changed"]


def test_a_deny_on_all_but_an_internet_service(firewall: Firewall) -> None:
    service = "Microsoft-Outlook"
    outlook = {
        "internet-service-src": "enable",
        "internet-service-src-name": refs(service),
        "internet-service-src-negate": "enable",
        "srcaddr": [],
    }
    policy(firewall, "Deny", top=True, action="deny", **outlook)
    stranger = "40.92.0.1"
    assert meets(firewall, stranger)
    assert "nobody" not in firewall.done(fortios_info)["exposure"][0]
    firewall.done(fortios_inbound_lock, **LOCK)
    assert not meets(firewall, stranger)
    assert not firewall.done(fortios_inbound_lock, **LOCK)["changed"]


def test_an_accept_lets_in_whoever_could_be_in_it(firewall: Firewall) -> None:
    """All but the stranger's country, as the tables tell it; the country is another one."""
    firewall.device.countries["AQ"] = []
    firewall.device.configs["root"].update(
        "firewall/policy", "1", {"srcaddr": refs("all but land")}
    )
    assert meets(firewall, STRANGER)
    assert "everybody" in firewall.done(fortios_info)["exposure"][0]
    firewall.done(fortios_inbound_lock, **LOCK)
    assert locked(firewall)


def test_a_named_source_that_is_stopped_as_a_whole_is_stopped(firewall: Firewall) -> None:
    policy(firewall, "Deny", top=True, action="deny", srcaddr=refs("land"))
    firewall.device.configs["root"].update("firewall/policy", "1", {"srcaddr": refs("land")})
    assert not meets(firewall, STRANGER)
    assert firewall.done(fortios_info)["exposure"] == [
        "nobody → port 25 of the virtual IP 'VIP-mail'"
    ]


def test_an_ipsec_policy_lets_through(firewall: Firewall) -> None:
    firewall.device.configs["root"].update("firewall/policy", "1", {"action": "ipsec"})
    assert meets(firewall, STRANGER)
    assert "everybody" in firewall.done(fortios_info)["exposure"][0]
    # A deny before it, for the mail alone; the tunnel keeps its own sources.
    firewall.done(fortios_inbound_lock, **LOCK)
    assert locked(firewall)
    assert firewall.device.configs["root"].all("firewall/policy")[1]["srcaddr"] == ["all"]
    assert not firewall.done(fortios_inbound_lock, **LOCK)["changed"]


OUTWARDS: dict[str, t.Any] = {"srcintf": refs("internal"), "dstintf": refs("wan1")}
WALLS = {
    "all but the FQDN": {"dstaddr": refs("host"), "dstaddr-negate": "enable"},
    "all but a country": {"dstaddr": refs("all but land")},
    "from all but an FQDN": {
        "dstaddr": refs("all"),
        "srcaddr": refs("host"),
        "srcaddr-negate": "enable",
    },
}


@pytest.mark.parametrize("wall", WALLS.values(), ids=WALLS)
def test_a_wall_outwards_is_one_for_everybody_to_everybody(
    firewall: Firewall, wall: dict[str, t.Any]
) -> None:
    firewall.device.names["out.filter.example"] = [SMART]
    policy(firewall, "Wall", top=True, action="deny", **OUTWARDS, **wall)
    printer = "10.20.3.3"
    assert firewall.device.admits(printer, SMART, 25, "internal")
    made = firewall.done(fortios_outbound_lock, **OUT)
    assert made["exposure"]["before"] == ["everybody → port 25 of everybody, by policy 3 'LAN out'"]
    assert not firewall.device.admits(printer, SMART, 25, "internal")
    assert not firewall.done(fortios_outbound_lock, **OUT)["changed"]


def test_a_way_out_to_an_internet_service_is_one(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    service = {"internet-service": "enable", "internet-service-name": refs("Microsoft-Outlook")}
    policy(firewall, "To the cloud", top=True, **OUTWARDS, dstaddr=[], service=[], **service)
    config.update("firewall/policy", "3", {"status": "disable"})
    assert firewall.device.admits("10.20.3.3", "40.92.0.1", 25, "internal")
    made = firewall.done(fortios_outbound_lock, **OUT, check=True)
    assert made["exposure"]["before"] == [
        "everybody → port 25 of internet service 'Microsoft-Outlook', by policy 4 'To the cloud'"
    ]
    firewall.done(fortios_outbound_lock, **OUT)
    assert not firewall.device.admits("10.20.3.3", "40.92.0.1", 25, "internal")


def test_two_bounds_of_a_difference() -> None:
    ten, half = RangeSet.parse(["10.0.0.0/8"]), RangeSet.parse(["10.0.0.0/9"])
    land = Opaque("country", "land")
    less = exactly(ten).beyond(exactly(half, [land]))
    assert (less.known, less.certain) == (ten - half, NOTHING)
    of_land = exactly(ten, [land]).beyond(exactly(half))
    assert of_land.opaque == {land}
    assert not of_land.whole
    assert not exactly(opaque=[land]).beyond(exactly(opaque=[land]))
    assert exactly(opaque=[land]).beyond(of_land).opaque == {land}


CONDITIONS: dict[str, dict[str, t.Any]] = {
    "schedule": {"schedule": "nights"},
    "login": {"groups": refs("staff")},
    "user": {"users": refs("guest")},
    "directory": {"fsso-groups": refs("CN=STAFF")},
    "maker of the card": {"src-vendor-mac": refs("36")},
    "VLAN": {"vlan-filter": "10"},
    "mark": {"tos-mask": "0xff"},
    "reputation": {"reputation-minimum": 3},
    "ZTNA": {"ztna-status": "enable"},
    "ZTNA tag": {"ztna-ems-tag": refs("EMS1_ZTNA_Low")},
    "security group": {"sgt-check": "enable"},
    "expiry": {"policy-expiry": "enable"},
    "RADIUS": {"radius-mac-auth-bypass": "enable"},
    "of a later FortiOS": {"moon-phase": "full"},
}


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_a_deny_under_a_condition_stops_nobody_for_certain(
    tmp_path: pathlib.Path, condition: dict[str, t.Any]
) -> None:
    for firewall in running(tmp_path, future=["moon-phase"]):
        policy(firewall, "Deny", top=True, action="deny", **condition)
        assert meets(firewall, STRANGER)
        assert "everybody" in firewall.done(fortios_info)["exposure"][0]
        firewall.done(fortios_inbound_lock, **LOCK)
        assert locked(firewall)
        assert not firewall.done(fortios_inbound_lock, **LOCK)["changed"]
        # Outwards as well.
        policy(
            firewall,
            "Wall",
            top=True,
            action="deny",
            **OUTWARDS,
            **{**condition, "dstaddr": refs("all")},
        )
        firewall.done(fortios_outbound_lock, **OUT)
        assert not firewall.device.admits("10.20.3.3", SMART, 25, "internal")


@pytest.mark.parametrize("version", ["v6.2.16", "v6.4.14", "v7.0.12", "v7.4.4", "v7.6.4"])
def test_a_deny_as_the_device_makes_it_is_certain(tmp_path: pathlib.Path, version: str) -> None:
    for firewall in running(tmp_path, version=version):
        policy(
            firewall,
            "Deny",
            top=True,
            action="deny",
            **{"auto-asic-offload": "disable", "av-profile": "default"},
        )
        assert not meets(firewall, STRANGER)
        assert firewall.done(fortios_info)["exposure"] == [
            "nobody → port 25 of the virtual IP 'VIP-mail'"
        ]


NARROW_SERVICES = {
    "addresses": {"iprange": "10.20.9.1-10.20.9.9"},
    "host name": {"fqdn": "other.example"},
    "application": {"app-service-type": "app-id"},
}


@pytest.mark.parametrize("more", NARROW_SERVICES.values(), ids=NARROW_SERVICES)
def test_a_service_for_some_servers_is_no_barrier(
    firewall: Firewall, more: dict[str, t.Any]
) -> None:
    config = firewall.device.configs["root"]
    config.create("firewall.service/custom", {"name": "Some SMTP", "tcp-portrange": "25", **more})
    policy(firewall, "Deny", top=True, action="deny", service=refs("Some SMTP"))
    # The device has no other service for the port alone, so that the fence before a wide policy is
    # tempted to take this one.
    config.update("firewall.service/custom", "SMTP", {"tcp-portrange": "25 587"})
    config.update("firewall/policy", "1", {"service": refs("ALL"), "dstaddr": refs("all")})
    assert meets(firewall, STRANGER)
    assert "everybody" in firewall.done(fortios_info)["exposure"][0]
    firewall.done(fortios_inbound_lock, **LOCK)
    assert locked(firewall)
    assert not firewall.done(fortios_inbound_lock, **LOCK)["changed"]


@pytest.mark.parametrize("matches", ["enable", "disable"])
def test_a_deny_on_all_but_an_address_needs_match_vip(firewall: Firewall, matches: str) -> None:
    config = firewall.device.configs["root"]
    config.create("firewall/address", {"name": "elsewhere", "subnet": "10.99.0.0/16"})
    but = {"dstaddr": refs("elsewhere"), "dstaddr-negate": "enable", "match-vip": matches}
    policy(firewall, "Deny", top=True, action="deny", **but)
    assert "everybody" in firewall.done(fortios_info)["exposure"][0]
    firewall.done(fortios_inbound_lock, **LOCK)
    assert not meets(firewall, STRANGER)
    assert not firewall.done(fortios_inbound_lock, **LOCK)["changed"]


@pytest.mark.parametrize("matches", ["enable", "disable"])
def test_what_a_deny_on_all_but_an_address_could_stop_does_not_pass_for_certain(
    firewall: Firewall, matches: str
) -> None:
    """Whether it meets what a virtual IP has translated is known of none; the lab's does."""
    config = firewall.device.configs["root"]
    config.create("firewall/address", {"name": "elsewhere", "subnet": "10.99.0.0/16"})
    but = {"dstaddr": refs("elsewhere"), "dstaddr-negate": "enable", "match-vip": matches}
    refusing = policy(firewall, "Deny", top=True, action="deny", **but)
    assert not meets(firewall, STRANGER)
    [told] = firewall.done(fortios_info, sources=[STRANGER])["sources"]
    assert (told["passes"], told["certain"], told["policy"]) == (True, False, 1)
    # On all but the virtual IP itself it does not.
    config.update("firewall/policy", str(refusing), {"dstaddr": refs("VIP-mail")})
    assert meets(firewall, STRANGER)
    [told] = firewall.done(fortios_info, sources=[STRANGER])["sources"]
    assert (told["passes"], told["certain"]) == (True, True)


def test_a_policy_counts_where_another_one_leads_to_any_interface(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    both = {
        "srcintf": refs("wan1", "internal"),
        "dstintf": refs("any"),
        "srcaddr": refs("provider"),
    }
    config.update("firewall/policy", "1", both)
    policy(firewall, "Everything in", dstaddr=refs("all"), service=refs("ALL"))
    assert meets(firewall, STRANGER)
    assert any("Everything in" in told for told in firewall.done(fortios_info)["exposure"])
    assert firewall.done(fortios_inbound_lock, **LOCK)["state"] == "in order"
    assert not meets(firewall, STRANGER)
    assert not firewall.done(fortios_inbound_lock, **LOCK)["changed"]


def test_a_policy_that_is_disabled_tells_nothing_of_the_way(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    config.update("firewall/policy", "1", {"dstaddr": refs("all")})
    policy(firewall, "Old", status="disable", srcintf=refs("internal"), dstintf=refs("dmz"))
    assert meets(firewall, STRANGER)
    assert any(
        "everybody" in told for told in firewall.done(fortios_info, interface="wan1")["exposure"]
    )
    firewall.done(fortios_inbound_lock, **LOCK)
    assert not meets(firewall, STRANGER)


def test_a_policy_that_is_disabled_makes_no_way_of_one_outwards(firewall: Firewall) -> None:
    policy(firewall, "Old", status="disable", srcintf=refs("dmz"), dstintf=refs("wan1"))
    made = firewall.done(fortios_inbound_lock, **LOCK)
    assert not any("LAN out" in told for told in made["exposure"]["before"])
    assert not any("policy 3" in change for change in made["plan"])
    assert locked(firewall)


def test_a_source_that_is_not_known_passes_and_is_said_to_be_unknown(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]

    def told(source: str) -> tuple[bool, bool, int]:
        [answer] = firewall.done(fortios_info, sources=[source])["sources"]
        return answer["passes"], answer["certain"], answer["policy"]

    assert told(STRANGER) == (True, True, 1)
    for name in ("host", "land"):
        config.update("firewall/policy", "1", {"srcaddr": refs(name)})
        assert meets(firewall, STRANGER)
        assert told(STRANGER) == (True, False, 1)
    # Another policy names the address; that one is told.
    named = policy(firewall, "Provider", srcaddr=refs("provider"))
    assert told(PROVIDER) == (True, True, named)
    config.update("firewall/policy", "1", {"status": "disable"})
    assert told(STRANGER) == (False, True, 0)
    # Behind a deny that could stop it, and by a policy under a condition.
    refusing = policy(firewall, "Not these", top=True, action="deny", srcaddr=refs("land"))
    assert told(PROVIDER) == (True, False, named)
    config.delete("firewall/policy", str(refusing))
    assert told(PROVIDER) == (True, True, named)
    config.update("firewall/policy", str(named), {"groups": refs("staff")})
    assert told(PROVIDER) == (True, False, named)


def test_a_source_in_an_internet_service_passes(firewall: Firewall) -> None:
    by_service = {
        "internet-service-src": "enable",
        "internet-service-src-name": refs("Microsoft-Outlook"),
    }
    firewall.device.configs["root"].update("firewall/policy", "1", {**by_service, "srcaddr": []})
    assert meets(firewall, "40.92.0.1")
    [answer] = firewall.done(fortios_info, sources=["40.92.0.1"])["sources"]
    assert (answer["passes"], answer["certain"]) == (True, False)


BY_ADDRESS: dict[str, t.Any] = {**LOCK, "vips": [], "addresses": ["10.20.1.11"]}


@pytest.mark.parametrize("version", ["v7.2.3", "v7.4.4"])
@pytest.mark.parametrize("by", ["the virtual IP", "a group", "a wide policy"])
def test_the_address_of_a_server_behind_a_virtual_ip_is_refused(
    tmp_path: pathlib.Path, version: str, by: str
) -> None:
    """A deny to the address does not stop what the virtual IP has translated, or stops the provider
    as well, by match-vip.
    """
    for firewall in running(tmp_path, version=version):
        config = firewall.device.configs["root"]
        config.create("firewall/address", {"name": "server", "subnet": "10.20.1.11/32"})
        config.create("firewall/vipgrp", {"name": "of mail", "member": refs("VIP-mail")})
        named = {
            "the virtual IP": refs("VIP-mail"),
            "a group": refs("of mail"),
            "a wide policy": refs("VIP-mail", "server"),
        }
        config.update("firewall/policy", "1", {"dstaddr": named[by], "service": refs("ALL")})
        before = firewall.dump()
        failed = firewall.run(fortios_inbound_lock, **BY_ADDRESS)
        assert failed["failed"]
        assert "'VIP-mail'" in failed["msg"]
        assert "Name it in vips" in failed["msg"]
        assert firewall.dump() == before
        firewall.done(fortios_inbound_lock, **{**BY_ADDRESS, "vips": ["VIP-mail"]})
        assert locked(firewall)
        assert not firewall.done(fortios_inbound_lock, **{**BY_ADDRESS, "vips": ["VIP-mail"]})[
            "changed"
        ]


def test_the_address_of_a_server_behind_a_virtual_ip_of_ipv6_is_refused(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    public, server, stranger = "2001:db8:80::25", "2001:db8:20::25", "2001:db8:bad::1"
    config.create(
        "firewall/vip6",
        {"name": "VIP6-mail", "extip": public, "mappedip": server, "extintf": "wan1"},
    )
    policy(firewall, "Mail6", top=True, srcaddr6=refs("all"), dstaddr6=refs("VIP6-mail"))
    assert firewall.device.admits(stranger, public, 25)
    failed = firewall.run(fortios_inbound_lock, **{**LOCK, "addresses": [server]})
    assert failed["failed"]
    assert "'VIP6-mail'" in failed["msg"]


@pytest.mark.parametrize("version", ["v7.2.3", "v7.4.4"])
def test_every_barrier_says_match_vip(tmp_path: pathlib.Path, version: str) -> None:
    """Its default differs by version, and the sources about which one differ too."""
    for firewall in running(tmp_path, version=version):
        config = firewall.device.configs["root"]
        config.update("firewall/policy", "1", {"service": refs("ALL"), "dstaddr": refs("all")})
        firewall.done(fortios_inbound_lock, **LOCK)
        firewall.done(fortios_outbound_lock, **OUT)
        barriers = {
            row["name"]: row["match-vip"]
            for row in config.all("firewall/policy").values()
            if row["action"] == "deny"
        }
        assert barriers == {"birke-1-stop": "enable", "birke-3-held": "disable"}
        assert locked(firewall)
