# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual servers, virtual IPs of other protocols and several ports, and ways that nobody reads."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import virtual
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import Names
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    ADDRESS,
    GROUP,
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_info,
    fortios_outbound_lock,
)
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    LOCK,
    OUT,
    POLICY,
    PROVIDER,
    PUBLIC,
    STRANGER,
    Firewall,
    locked,
    meets,
    policy,
    refs,
    running,
    told_by,
)

OTHER = "203.0.113.81"
SERVER = {
    "extip": OTHER,
    "extintf": "wan1",
    "mappedip": [{"range": "10.20.1.11"}],
    "portforward": "enable",
}


def test_a_virtual_server_leads_to_the_mail_server(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    balanced = {
        "type": "server-load-balance",
        "server-type": "tcp",
        "extip": OTHER,
        "extintf": "wan1",
    }
    real = [{"ip": "10.20.1.11", "port": 25}, {"ip": "10.20.1.12", "port": 25}]
    config.create(
        "firewall/vip", {"name": "VS-mail", "extport": "2525", "realservers": real, **balanced}
    )
    policy(firewall, "Balanced", dstaddr=refs("VS-mail"), service=refs("ALL"))
    assert meets(firewall, STRANGER, 2525, OTHER)
    exposure = firewall.done(fortios_info, interface="wan1", sources=[STRANGER])
    assert any("'VS-mail'" in text for text in exposure["exposure"])
    assert all(sender["device_passes"] == sender["passes"] for sender in exposure["sources"])
    result = firewall.done(fortios_inbound_lock, **LOCK)
    assert "'VS-mail'" in told_by(result, "other_way_in")[0]
    assert result["state"] == "open"
    both = {**LOCK, "vips": ["VIP-mail", "VS-mail"]}
    firewall.done(fortios_inbound_lock, **both)
    assert not meets(firewall, STRANGER, 2525, OTHER)
    assert meets(firewall, PROVIDER, 2525, OTHER)
    assert firewall.done(fortios_inbound_lock, **both)["state"] == "in order"
    # One that is out of use leads nowhere.
    config.update("firewall/vip", "VS-mail", {"realservers": [{"ip": "10.20.1.12", "port": 25}]})
    assert not told_by(firewall.done(fortios_inbound_lock, **LOCK), "other_way_in")


def test_a_virtual_ip_of_udp_is_no_way_for_mail(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    config.create(
        "firewall/vip",
        {"name": "VIP-udp", "protocol": "udp", "extport": "25", "mappedport": "25", **SERVER},
    )
    policy(firewall, "Calls", dstaddr=refs("VIP-udp"), service=refs("ALL"))
    assert not meets(firewall, STRANGER, 25, OTHER)
    assert not any("VIP-udp" in text for text in firewall.done(fortios_info)["exposure"])
    result = firewall.done(fortios_inbound_lock, **LOCK)
    assert not told_by(result, "other_way_in")
    assert result["state"] == "in order"
    failed = firewall.run(fortios_inbound_lock, **{**LOCK, "vips": ["VIP-udp"]})
    assert "does not lead to port 25" in failed["msg"]


def test_a_virtual_ip_for_several_ports(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    config.update("firewall/vip", "VIP-mail", {"extport": "25 587", "mappedport": "25 587"})
    config.update(POLICY, "1", {"service": refs("ALL")})
    answer = firewall.done(fortios_info, interface="wan1", sources=[STRANGER])["sources"][0]
    assert (answer["passes"], answer["device_passes"]) == (True, True)
    firewall.done(fortios_inbound_lock, **LOCK)
    assert locked(firewall)
    assert meets(firewall, STRANGER, 587), "the other port is not locked with it"
    assert firewall.done(fortios_inbound_lock, **LOCK)["state"] == "in order"


@pytest.mark.parametrize(
    ("row", "ports", "outside"),
    [
        ({"extport": "25"}, ((25, 25),), 25),
        ({"extport": "2525", "mappedport": "25"}, ((25, 25),), 2525),
        ({"extport": "2500-2510", "mappedport": "20"}, ((20, 30),), 2505),
        ({"extport": "587 2525", "mappedport": "587 25"}, ((25, 25), (587, 587)), 2525),
        ({"extport": "25,587"}, ((25, 25), (587, 587)), 25),
        ({"extport": "25 587 2525", "mappedport": "25"}, ((0, 65535),), 25),
        ({"extport": "smtp"}, ((0, 65535),), 25),
        ({}, ((0, 65535),), 25),
        ({"extport": "25", "protocol": "sctp"}, (), 25),
    ],
)
def test_ports_of_a_virtual_ip(row: dict[str, str], ports: object, outside: int) -> None:
    vip = {"portforward": "enable", **row}
    assert virtual.ports(vip) == ports
    assert virtual.in_front(vip, 25) == outside


def test_a_network_service_as_the_only_source_is_somebody(firewall: Firewall) -> None:
    service = {"srcaddr": [], "network-service-src-dynamic": refs("of the carrier")}
    firewall.device.configs["root"].update(POLICY, "1", service)
    firewall.device.dynamic["of the carrier"] = ["192.0.2.0/24"]
    assert meets(firewall, STRANGER)
    assert not any("nobody" in text for text in firewall.done(fortios_info)["exposure"])
    firewall.done(fortios_inbound_lock, **LOCK)
    assert locked(firewall)
    assert not firewall.done(fortios_inbound_lock, **LOCK)["changed"]
    config = firewall.device.configs["root"]
    config.update(POLICY, "1", {**service, "service": refs("ALL"), "dstaddr": refs("all")})
    assert meets(firewall, STRANGER)
    firewall.done(fortios_inbound_lock, **LOCK)
    assert locked(firewall)


def test_a_policy_whose_sources_are_in_no_known_field_is_for_somebody() -> None:
    rows: dict[str, dict[t.Any, t.Any]] = {ADDRESS: {}, GROUP: {}}
    assert Names(DeviceState((7, 4, 4), rows)).sources({"srcaddr": [], "dstaddr": ["VIP-mail"]}, 4)
    assert not Names(DeviceState((7, 4, 4), rows)).sources({"srcaddr": [], "srcaddr6": ["all"]}, 4)


def test_ways_that_are_not_read_are_named(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    assert not told_by(firewall.done(fortios_inbound_lock, **LOCK), "unread_way")
    proxy = {"type": "access-proxy", "extip": OTHER, "extintf": "wan1", "extport": "25"}
    config.create("firewall/vip", {"name": "ZTNA", **proxy})
    config.create(
        "firewall/vip",
        {"name": "VIP-host", "type": "fqdn", "mapped-addr": "host", **SERVER, "extport": "25"},
    )
    config.create(
        "firewall/vip6",
        {"name": "VIP6-mail", "extip": "2001:db8:80::25", "mappedip": "2001:db8:20::25"},
    )
    config.create("firewall/address6", {"name": "server6", "ip6": "2001:db8:20::25/128"})
    policy(firewall, "Proxied", dstaddr=refs("ZTNA"))
    policy(firewall, "To a host", dstaddr=refs("VIP-host"))
    policy(firewall, "To the other world", nat46="enable")
    policy(
        firewall,
        "From there",
        srcaddr=[],
        dstaddr=[],
        srcaddr6=refs("all"),
        dstaddr6=refs("VIP6-mail"),
        nat64="enable",
    )
    policy(
        firewall, "Mail6", srcaddr=[], dstaddr=[], srcaddr6=refs("all"), dstaddr6=refs("server6")
    )
    # Out of force, of another port, and what stops.
    policy(firewall, "Old", nat64="enable", status="disable")
    policy(firewall, "Web", nat64="enable", service=refs("HTTPS"))
    policy(firewall, "Stop", nat64="enable", action="deny", srcintf=refs("dmz"))
    result = firewall.done(fortios_inbound_lock, **LOCK)
    sentences = told_by(result, "unread_way")
    for words in (
        "'ZTNA' is an access proxy",
        "'VIP-host' is for a host name",
        "(nat46)",
        "(nat64)",
        "'server6' over IPv6",
    ):
        assert any(words in text for text in sentences), words
    assert not any(name in text for text in sentences for name in ("Old", "Web", "Stop"))
    assert any("(nat64)" in text for text in firewall.done(fortios_info)["warnings"])
    config.delete(POLICY, "7")
    named = firewall.done(
        fortios_inbound_lock, **{**LOCK, "addresses": ["2001:db8:20::25"]}, check=True
    )
    assert not any("server6" in text for text in told_by(named, "unread_way"))
    assert meets(firewall, STRANGER, 25, PUBLIC) is False


@pytest.mark.parametrize(
    ("version", "tables"),
    [
        ("v6.0.12", ["policy6", "policy46", "policy64"]),
        ("v6.4.14", ["policy46", "policy64"]),
        ("v7.0.1", []),
        ("v7.4.4", []),
    ],
)
def test_policies_in_tables_of_their_own_are_named_on_the_versions_that_have_them(
    tmp_path: pathlib.Path, version: str, tables: list[str]
) -> None:
    for firewall in running(tmp_path, version=version):
        config = firewall.device.configs["root"]
        row = {
            "name": "Other world",
            "action": "accept",
            "srcintf": refs("wan1"),
            "dstintf": refs("internal"),
        }
        row = {**row, "srcaddr": refs("all"), "dstaddr": refs("VIP-other"), "service": refs("SMTP")}
        for table in tables:
            config.create(f"firewall/{table}", row)
            for other in ({"service": refs("HTTPS")}, {"status": "disable"}, {"action": "deny"}):
                config.create(f"firewall/{table}", {**row, **other, "name": "Quiet"})
        warned = (
            firewall.done(fortios_info)["warnings"]
            if tables
            else firewall.done(fortios_info).get("warnings", [])
        )
        sentences = told_by(firewall.done(fortios_inbound_lock, **LOCK), "unread_way")
        assert sentences == warned
        assert len(sentences) == len(tables)
        for kind in [table.removeprefix("policy") or "" for table in tables]:
            noun = {"6": "IPv6 policy", "46": "NAT46 policy", "64": "NAT64 policy"}[kind]
            assert any(
                f"The {noun} 1 'Other world' lets the port through" in text for text in sentences
            )
        asked = [
            path
            for _method, path, _status in firewall.server.log
            if path.endswith(("policy6", "policy46", "policy64"))
        ]
        assert bool(asked) == bool(tables)
        # What was not read is neither closed nor open, until the site accepts it by name.
        assert firewall.done(fortios_inbound_lock, **LOCK)["state"] == (
            "unknown" if tables else "in order"
        )
        accepted = firewall.done(fortios_inbound_lock, **LOCK, accept_risks=["unread_way"])
        assert accepted["state"] == "in order"
        # Where a model lacks such a table, there is nothing in it.
        firewall.server.arm(gone=tuple(f"firewall/{table}" for table in tables))
        assert not told_by(firewall.done(fortios_inbound_lock, **LOCK), "unread_way")


def test_ipv6_that_is_in_a_table_of_its_own_is_not_called_closed(tmp_path: pathlib.Path) -> None:
    for firewall in running(tmp_path, version="v6.2.9"):
        config = firewall.device.configs["root"]
        row = {
            "name": "LAN out six",
            "action": "accept",
            "srcintf": refs("internal"),
            "dstintf": refs("wan1"),
        }
        config.create(
            "firewall/policy6",
            {**row, "srcaddr": refs("all"), "dstaddr": refs("all"), "service": refs("ALL")},
        )
        asked = firewall.run(fortios_info, addresses=["2001:db8:20::25"])
        assert asked["failed"]
        assert "policies of their own for IPv6" in asked["msg"]
        sentences = told_by(firewall.done(fortios_outbound_lock, **OUT), "unread_way")
        assert len(sentences) == 1
        assert "The IPv6 policy 1 'LAN out six' lets port 25 out" in sentences[0]
        assert not told_by(firewall.done(fortios_inbound_lock, **LOCK), "unread_way")


def test_where_nothing_was_looked_at_it_says_so(firewall: Firewall) -> None:
    for name in ("VIP-mail", "VIP-web"):
        firewall.device.configs["root"].rows["firewall/vip"].pop(name, None)
    assert "nothing was looked at" in firewall.done(fortios_info)["warnings"][0]
