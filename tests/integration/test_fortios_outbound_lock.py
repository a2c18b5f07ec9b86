# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fortios_outbound_lock and fortios_info against the lab's FortiGate."""

from __future__ import annotations

import datetime
import pathlib
import typing as t
import unittest.mock

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_info,
    fortios_outbound_lock,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.counters import Counters
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    POLICY,
    STRANGER,
    Firewall,
    meets,
    policy,
    refs,
)

SERVER, PRINTER = "10.20.1.11", "10.20.3.3"
SMART, OTHER = "198.51.100.25", "192.0.2.99"
LOCK: dict[str, t.Any] = {
    "name": "birke",
    "mail_servers": [SERVER],
    "smart_hosts": ["out.filter.example"],
    "interfaces": ["wan1"],
}


@pytest.fixture
def firewall(tmp_path: pathlib.Path) -> t.Iterator[Firewall]:
    with FortiGateServer() as server:
        server.device.seed_mail_site(external6="2001:db8:20::25")
        server.device.names["out.filter.example"] = [SMART]
        yield Firewall(server, tmp_path / "snapshots")


def sends(firewall: Firewall, source: str, to: str, port: int = 25) -> bool:
    return firewall.device.admits(source, to, port, "internal")


def locked(firewall: Firewall) -> bool:
    """The server reaches its smart host and nobody else does, or anything else."""
    return [
        sends(firewall, source, to) for source in (SERVER, PRINTER) for to in (SMART, OTHER)
    ] == [
        True,
        False,
        False,
        False,
    ]


def test_locked_once_and_given_back(firewall: Firewall) -> None:
    before = firewall.dump()
    assert sends(firewall, PRINTER, OTHER)
    checked = firewall.done(fortios_outbound_lock, **LOCK, check=True)
    assert firewall.dump() == before
    made = firewall.done(fortios_outbound_lock, **LOCK, diff=True)
    assert made["plan"] == checked["plan"] != []
    assert (checked["state"], made["state"]) == ("drift", "in order")
    assert "strangers" not in made
    assert made["exposure"] == {
        "before": ["everybody → port 25 of everybody, by policy 3 'LAN out'"],
        "after": ["only 10.20.1.11 → port 25 of the smart hosts"],
        "words": [
            "until now: everybody → port 25 of everybody, by policy 3 'LAN out'",
            "only 10.20.1.11 → port 25 of the smart hosts",
        ],
    }
    assert locked(firewall)
    assert sends(firewall, PRINTER, OTHER, 443)
    again = firewall.done(fortios_outbound_lock, **LOCK)
    assert not again["changed"], again["plan"]
    assert again["cost"] == {"requests": 15}
    firewall.done(fortios_rollback)
    assert firewall.dump() == before


def names(firewall: Firewall) -> list[str]:
    return [row["name"] for row in firewall.device.configs["root"].all(POLICY).values()]


@pytest.mark.parametrize("version", ["v6.0.9", "v7.4.4"], ids=["one by one", "together"])
def test_what_stood_side_by_side_comes_back_in_its_order(
    version: str, tmp_path: pathlib.Path
) -> None:
    with FortiGateServer(Device(version=version)) as server:
        server.device.seed_mail_site()
        server.device.names["out.filter.example"] = [SMART]
        firewall = Firewall(server, tmp_path / "snapshots")
        firewall.done(fortios_outbound_lock, **LOCK)
        there = names(firewall)
        assert there[there.index("birke-3-out") + 1] == "birke-3-held"
        given_back = firewall.done(fortios_rollback)
        # The numbers that they had are somebody else's by then.
        for name in ("Another", "One more"):
            server.device.configs["root"].create(
                POLICY,
                {
                    "name": name,
                    "action": "deny",
                    "srcintf": refs("internal"),
                    "dstintf": refs("wan1"),
                    "srcaddr": refs("all"),
                    "dstaddr": refs("all"),
                    "service": refs("HTTP"),
                    "schedule": "always",
                },
            )
        firewall.done(fortios_rollback, snapshot=given_back["snapshot"]["name"])
        assert names(firewall) == [*there, "Another", "One more"]
        assert locked(firewall)


def test_a_policy_for_mail_alone_above_the_wide_one(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    key = config.create(
        POLICY,
        {
            "name": "Scanner",
            "action": "accept",
            "srcintf": refs("internal"),
            "dstintf": refs("any"),
            "srcaddr": refs("all"),
            "dstaddr": refs("all"),
            "service": refs("Email Access"),
            "nat": "enable",
        },
    )
    config.move(POLICY, str(key), before="1")
    firewall.done(fortios_outbound_lock, **LOCK)
    assert locked(firewall)
    assert not firewall.done(fortios_outbound_lock, **LOCK)["changed"]


@pytest.mark.parametrize("kind", ["out", "held"])
def test_a_colleague_opens_it_again(firewall: Firewall, kind: str) -> None:
    firewall.done(fortios_outbound_lock, **LOCK)
    config = firewall.device.configs["root"]
    [key] = [
        number for number, row in config.all(POLICY).items() if row["name"] == f"birke-3-{kind}"
    ]
    for change in (
        lambda: config.update(POLICY, str(key), {"status": "disable"}),
        lambda: config.move(POLICY, str(key), after="3"),
        lambda: config.update(POLICY, str(key), {"service": refs("HTTP")}),
    ):
        change()
        assert not locked(firewall)
        firewall.done(fortios_outbound_lock, **LOCK)
        assert locked(firewall)


@pytest.mark.parametrize(
    ("behind", "changed"), [("10.20.3.9", False), (OTHER, True)], ids=["inside", "outside"]
)
def test_a_virtual_ip_leads_inwards_where_its_server_is_inside(
    firewall: Firewall, behind: str, changed: bool
) -> None:
    """Mail for an old relay is sent on to somebody outside by such a one."""
    firewall.done(fortios_outbound_lock, **LOCK)
    config = firewall.device.configs["root"]
    relay = {"name": "relay", "extip": "10.20.9.9", "mappedip": [{"range": behind}]}
    config.create("firewall/vip", {**relay, "extintf": "any"})
    policy(firewall, "Relay", top=True, dstintf=refs("any"), dstaddr=refs("relay"))
    assert firewall.done(fortios_outbound_lock, **LOCK)["changed"] == changed


def test_a_fence_of_the_way_in_that_leads_out_by_now_is_a_way_out(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    policy(firewall, "All", top=True, dstintf=refs("any"), dstaddr=refs("all"))
    inwards = {"name": "birke", "vips": ["VIP-mail"], "ranges": ["192.0.2.0/24"]}
    firewall.done(fortios_inbound_lock, **inwards)
    firewall.done(fortios_outbound_lock, **LOCK)
    assert not firewall.done(fortios_outbound_lock, **LOCK)["changed"]
    [key] = [number for number, row in config.all(POLICY).items() if row["name"] == "birke-4-in"]
    config.update(POLICY, str(key), {"dstaddr": refs("all")})
    opened = firewall.done(fortios_outbound_lock, **LOCK, check=True)
    assert f"birke-{key}-held" in " ".join(opened["plan"])


def test_addresses_of_both_versions(firewall: Firewall) -> None:
    wish = {
        **LOCK,
        "mail_servers": [SERVER, "2001:db8:20::25"],
        "smart_hosts": ["198.51.100.0/25", "2001:db8:100::25"],
    }
    firewall.device.configs["root"].update(
        POLICY, "3", {"srcaddr6": refs("all"), "dstaddr6": refs("all")}
    )
    assert sends(firewall, "2001:db8:20::99", "2001:db8:bad::1")
    firewall.done(fortios_outbound_lock, **wish)
    assert locked(firewall)
    assert sends(firewall, "2001:db8:20::25", "2001:db8:100::25")
    assert not sends(firewall, "2001:db8:20::25", "2001:db8:bad::1")
    assert not sends(firewall, "2001:db8:20::99", "2001:db8:100::25")
    assert not firewall.done(fortios_outbound_lock, **wish)["changed"]


def test_nothing_to_lock(firewall: Firewall) -> None:
    result = firewall.done(fortios_outbound_lock, **{**LOCK, "interfaces": ["dmz"]})
    assert not result["changed"]
    assert [finding["id"] for finding in result["guards"]] == ["no_way_out"]


def test_a_wall_above_that_shuts_the_mail_in(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    row = {
        "name": "Wall",
        "srcintf": refs("any"),
        "dstintf": refs("any"),
        "srcaddr": refs("all"),
        "dstaddr": refs("all"),
    }
    key = config.create(POLICY, {**row, "action": "deny", "service": refs("SMTP")})
    config.move(POLICY, str(key), before="1")
    before = firewall.dump()
    failed = firewall.run(fortios_outbound_lock, **LOCK)
    assert failed["failed"]
    assert "mail_shut_in" in failed["msg"]
    assert firewall.dump() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mail_servers": []}, "nobody could send"),
        ({"smart_hosts": []}, "nobody could send"),
        ({"smart_hosts": ["filter"]}, "full host name"),
        ({"smart_hosts": ["filter.example\u2019"]}, "full host name"),
        ({"smart_hosts": [f"{'x' * 60}.filter.example"]}, "more than 63"),
        ({"interfaces": []}, "what is outwards"),
        ({"port": 70000}, "not a TCP port"),
        ({"name": "a b"}, "cannot be the name"),
    ],
)
def test_bad_input_changes_nothing(
    firewall: Firewall, options: dict[str, t.Any], words: str
) -> None:
    before = firewall.dump()
    failed = firewall.run(fortios_outbound_lock, **{**LOCK, **options})
    assert failed["failed"]
    assert words in failed["msg"]
    assert firewall.dump() == before
    assert firewall.server.requests == 0


def test_info_tells_what_a_stranger_meets_and_what_the_device_says(firewall: Firewall) -> None:
    question: dict[str, t.Any] = {"sources": [STRANGER, "198.51.100.7"], "interface": "wan1"}
    before = firewall.dump()
    told = firewall.done(fortios_info, **question)
    assert told["exposure"] == [
        "everybody → port 25 of the virtual IP 'VIP-mail', by policy 1 'Mail in'"
    ]
    assert [(sender["passes"], sender["policy"]) for sender in told["sources"]] == [
        (True, 1),
        (True, 1),
    ]
    assert [(sender["device_passes"], sender["device_policy"]) for sender in told["sources"]] == [
        (True, 1),
        (True, 1),
    ]
    assert told["policies"] == [
        {
            "policy": 1,
            "name": "Mail in",
            "action": "accept",
            "target": "port 25 of the virtual IP 'VIP-mail'",
            "sources": "everybody",
            "hit_count": None,
            "last_used": None,
        }
    ]
    assert firewall.dump() == before
    firewall.done(fortios_inbound_lock, name="birke", vips=["VIP-mail"], ranges=["198.51.100.0/24"])
    told = firewall.done(fortios_info, **question)
    assert [(sender["passes"], sender["device_passes"]) for sender in told["sources"]] == [
        (False, False),
        (True, True),
    ]


def test_info_tells_how_often_a_policy_was_hit_and_when_last(firewall: Firewall) -> None:
    def counted() -> tuple[int | None, str | None]:
        [row] = firewall.done(fortios_info)["policies"]
        return row["hit_count"], row["last_used"]

    assert counted() == (None, None), "the device does not say, of one that was never hit"
    begun = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    for _time in range(3):
        meets(firewall, STRANGER)
    hits, last = counted()
    assert (hits, last is not None) == (3, True)
    assert begun <= datetime.datetime.fromisoformat(str(last).replace("Z", "+00:00"))
    odd: list[t.Any] = [
        [],
        {},
        None,
        [1, {"policyid": "first", "hit_count": 3}],
        [{"policyid": 1, "hit_count": "three"}],
    ]
    for answer in odd:
        with unittest.mock.patch.object(Counters, "told", return_value=answer):
            assert counted() == (None, None)
    firewall.server.arm(gone=("firewall/policy",))
    assert firewall.run(fortios_info)["failed"], "the table of policies is gone as well"
    firewall.server.arm(instead={"monitor/firewall/policy": (404, "<html>Not Found</html>")})
    assert counted() == (None, None)
    firewall.server.arm()
    firewall.device.admits("2001:db8:bad::1", "2001:db8:20::25", 25)
    meets(firewall, STRANGER)
    rows = firewall.done(fortios_info, vips=["VIP-mail"], addresses=["2001:db8:20::25"])["policies"]
    # Four times over IPv4 and once over IPv6, by one policy for both.
    assert {(row["policy"], row["hit_count"]) for row in rows} == {(1, 5)}


def test_info_over_ipv6_and_without_the_devices_own_answer(firewall: Firewall) -> None:
    told = firewall.done(
        fortios_info, addresses=["2001:db8:20::25"], sources=[STRANGER, "2001:db8:bad::1"]
    )
    assert [(sender["source"], sender["passes"]) for sender in told["sources"]] == [
        ("2001:db8:bad::1", True)
    ]
    assert "device_passes" not in told["sources"][0]
    assert (
        firewall.run(fortios_info, vips=["VIP-nail"])["msg"]
        == "There is no virtual IP 'VIP-nail' on the device."
    )
    assert "nonsense" in firewall.run(fortios_info, sources=["nonsense"])["msg"]
