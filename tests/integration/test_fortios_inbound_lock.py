# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fortios_inbound_lock against the lab's FortiGate, which judges every packet by itself: each trap
that a person walks into.
"""

from __future__ import annotations

import multiprocessing
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_address_group,
    fortios_inbound_lock,
    fortios_range_feed,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.internet_services import (
    SERVICES,
    InternetService,
)
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    LOCK,
    OFFICE,
    POLICY,
    PROVIDER,
    PUBLIC,
    STRANGER,
    Firewall,
    Result,
    locked,
    meets,
    policy,
    refs,
    running,
)


@pytest.mark.core
def test_locked_once_and_given_back(firewall: Firewall) -> None:
    before = firewall.dump()
    assert meets(firewall, STRANGER)
    checked = firewall.done(fortios_inbound_lock, **LOCK, check=True, diff=True)
    assert checked["changed"]
    assert firewall.dump() == before
    made = firewall.done(fortios_inbound_lock, **LOCK, diff=True)
    assert made["plan"] == checked["plan"]
    assert made["exposure"]["before"] == [
        "everybody → port 25 of the virtual IP 'VIP-mail', by policy 1 'Mail in'"
    ]
    assert made["exposure"]["after"] == [
        (
            "10.20.0.0/16, 198.51.100.0/24 → port 25 of the virtual IP 'VIP-mail', "
            "by policy 1 'Mail in'"
        )
    ]
    assert "everybody" in made["diff"]["before"]
    assert "everybody" not in made["diff"]["after"]
    assert locked(firewall)
    assert meets(firewall, STRANGER, 443)
    firewall.server.reset_counters()
    again = firewall.done(fortios_inbound_lock, **LOCK)
    assert not again["changed"]
    # One request for each table, whatever there is in it.
    assert again["cost"] == {"requests": 11}
    firewall.done(fortios_rollback)
    assert firewall.dump() == before


def test_trap_an_accept_policy_beside_a_wide_one(firewall: Firewall) -> None:
    """What people do first: let the provider in at the top.

    The wide policy below still lets everybody in.
    """
    policy(firewall, "Filter", top=True, srcaddr=refs("all"))
    firewall.done(fortios_inbound_lock, **LOCK)
    assert locked(firewall)


def test_trap_a_deny_that_skips_virtual_ips(tmp_path: pathlib.Path) -> None:
    """A deny to `all` right above looks like a lock, and on 7.2.3 it stops nothing that a virtual
    IP lets in.
    """
    for firewall in running(tmp_path, version="v7.2.3"):
        policy(firewall, "Deny", top=True, action="deny", dstaddr=refs("all"))
        assert meets(firewall, STRANGER)
        result = firewall.done(fortios_inbound_lock, **LOCK, check=True)
        assert "everybody" in result["exposure"]["before"][0]
        firewall.done(fortios_inbound_lock, **LOCK)
        assert locked(firewall)


def test_trap_a_deny_that_does_match_virtual_ips_shuts_the_provider_out(firewall: Firewall) -> None:
    policy(firewall, "Deny", top=True, action="deny", dstaddr=refs("all"))
    before = firewall.dump()
    failed = firewall.run(fortios_inbound_lock, **LOCK)
    assert failed["failed"]
    assert "nothing to lock" in failed["msg"]
    assert "accept_risks" not in failed["msg"]
    assert firewall.dump() == before


def test_a_deny_of_some_countries_above_stays_above(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    config.create("firewall/address", {"name": "far away", "type": "geography", "country": "AQ"})
    deny = policy(
        firewall,
        "Countries",
        top=True,
        action="deny",
        srcaddr=refs("far away"),
        dstaddr=refs("all"),
    )
    firewall.done(fortios_inbound_lock, **LOCK)
    assert locked(firewall)
    assert next(iter(config.all(POLICY))) == deny


@pytest.mark.parametrize(
    "wide",
    [
        {"dstaddr": refs("VIP-mail", "VIP-web"), "service": refs("SMTP", "HTTPS")},
        {"dstaddr": refs("all"), "service": refs("ALL")},
        {"dstaddr": refs("of both"), "service": refs("Email Access", "HTTPS")},
        {"dstaddr": refs("all"), "service": refs("HTTPS"), "service-negate": "enable"},
        {
            "dstaddr": refs("VIP-web"),
            "dstaddr-negate": "enable",
            "service": refs("ALL"),
            "srcintf": refs("any"),
        },
    ],
)
@pytest.mark.parametrize("top", [True, False])
def test_trap_a_policy_that_serves_the_web_as_well_is_fenced(
    firewall: Firewall, wide: dict[str, t.Any], top: bool
) -> None:
    config = firewall.device.configs["root"]
    config.create("firewall/vipgrp", {"name": "of both", "member": refs("VIP-mail", "VIP-web")})
    key = policy(firewall, "Server in", top=top, **wide)
    before = firewall.dump()
    web = meets(firewall, STRANGER, 443)
    made = firewall.done(fortios_inbound_lock, **LOCK)
    assert locked(firewall)
    assert meets(firewall, STRANGER, 443) == web
    assert firewall.dump()["tables"][POLICY][str(key)] == before["tables"][POLICY][str(key)], (
        "the wide policy was changed"
    )
    again = firewall.done(fortios_inbound_lock, **LOCK)
    assert not again["changed"], again["plan"]
    # Somebody opens the fence, one way or another.
    for name in ("birke-{}-in", "birke-{}-stop"):
        numbers = [
            number for number, row in config.all(POLICY).items() if row["name"] == name.format(key)
        ]
        for number in numbers:
            config.update(POLICY, str(number), {"status": "disable"})
            assert not locked(firewall) or not top
            assert firewall.done(fortios_inbound_lock, **LOCK)["changed"] or not top
            assert locked(firewall)
            config.move(POLICY, str(number), after=str(list(config.all(POLICY))[-1]))
            assert firewall.done(fortios_inbound_lock, **LOCK)["changed"]
            assert locked(firewall)
    firewall.done(fortios_rollback, content=made["snapshot"]["content"])
    assert locked(firewall) is False
    assert firewall.dump()["tables"] == before["tables"]


def test_trap_the_port_of_a_policy_is_the_one_behind_the_virtual_ip(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    forward = {
        "extip": PUBLIC,
        "mappedip": [{"range": "10.20.1.11"}],
        "extintf": "wan1",
        "portforward": "enable",
    }
    config.create(
        "firewall/vip", {"name": "VIP-2525", "extport": "2525", "mappedport": "25", **forward}
    )
    policy(firewall, "Mail by another door", dstaddr=refs("VIP-2525"))
    assert meets(firewall, STRANGER, 2525)
    result = firewall.done(fortios_inbound_lock, **LOCK)
    assert [finding["id"] for finding in result["guards"]] == ["other_way_in"]
    assert "VIP-2525" in result["warnings"][0]
    firewall.done(fortios_inbound_lock, **{**LOCK, "vips": ["VIP-mail", "VIP-2525"]})
    assert not meets(firewall, STRANGER, 2525)
    assert meets(firewall, PROVIDER, 2525)
    assert locked(firewall)


@pytest.mark.parametrize(
    ("name", "guard"),
    [
        ("Microsoft-Outbound_Email", "internet_service_destination"),
        ("Mimecast-Mimecast", "internet_service_empty"),
        ("Mimecast", "missing_source"),
    ],
)
def test_traps_of_the_internet_service_database(
    tmp_path: pathlib.Path, name: str, guard: str
) -> None:
    services = {**SERVICES, "Mimecast-Mimecast": InternetService(5046403, "both", ())}
    for firewall in running(tmp_path, services=services):
        before = firewall.dump()
        failed = firewall.run(
            fortios_inbound_lock, name="birke", vips=["VIP-mail"], internet_services=[name]
        )
        assert failed["failed"]
        assert guard in failed["msg"]
        assert "Nothing was changed" in failed["msg"]
        assert firewall.dump() == before
        if name == "Mimecast":
            assert "It has Mimecast-Mimecast." in failed["msg"]


def test_internet_services_and_ranges_need_two_policies(firewall: Firewall) -> None:
    before = firewall.dump()
    wish = {**LOCK, "internet_services": ["Microsoft-Outlook"]}
    result = firewall.done(fortios_inbound_lock, **wish)
    assert locked(firewall)
    assert meets(firewall, "40.107.1.1")
    assert [finding["id"] for finding in result["guards"]] == ["shared_source"]
    assert not firewall.done(fortios_inbound_lock, **wish)["changed"]
    firewall.done(fortios_rollback)
    assert firewall.dump() == before


def test_internet_services_alone_and_that_azure_is_everybody(firewall: Firewall) -> None:
    wish = {"name": "birke", "vips": ["VIP-mail"], "internet_services": ["Microsoft-Azure"]}
    result = firewall.done(fortios_inbound_lock, **wish)
    assert any("every customer of Microsoft Azure" in warning for warning in result["warnings"])
    assert not meets(firewall, STRANGER)
    assert meets(firewall, "20.33.1.1")
    assert not firewall.done(fortios_inbound_lock, **wish)["changed"]
    assert firewall.run(fortios_inbound_lock, **LOCK)["changed"]
    assert locked(firewall)
    assert not meets(firewall, "20.33.1.1")


def test_feeds_and_groups_of_other_modules(firewall: Firewall) -> None:
    firewall.done(fortios_range_feed, name="birke-feed", mode="push", ranges=["198.51.100.0/25"])
    firewall.done(fortios_address_group, name="partners", ranges=["192.0.2.128/25"])
    wish = {"name": "birke", "vips": ["VIP-mail"], "feeds": ["birke-feed"], "groups": ["partners"]}
    firewall.done(fortios_inbound_lock, **wish)
    assert meets(firewall, PROVIDER)
    assert meets(firewall, "192.0.2.200")
    assert not meets(firewall, STRANGER)
    assert not firewall.done(fortios_inbound_lock, **wish)["changed"]


def test_a_feed_that_holds_nothing_would_stop_the_mail(firewall: Firewall) -> None:
    firewall.done(
        fortios_range_feed, name="birke-feed", mode="poll", url="https://lists.example/birke.txt"
    )
    failed = firewall.run(
        fortios_inbound_lock, name="birke", vips=["VIP-mail"], feeds=["birke-feed"]
    )
    assert failed["failed"]
    assert "feed_empty" in failed["msg"]
    assert meets(firewall, PROVIDER)


def test_what_an_earlier_task_would_make_is_no_error_in_check_mode(firewall: Firewall) -> None:
    wish: dict[str, t.Any] = {
        "name": "birke",
        "vips": ["VIP-mail"],
        "groups": ["partners"],
        "feeds": ["birke-feed"],
    }
    checked = firewall.done(fortios_inbound_lock, **wish, check=True)
    assert [finding["id"] for finding in checked["guards"]] == ["missing_source"]
    failed = firewall.run(fortios_inbound_lock, **wish)
    assert failed["failed"]
    assert "no group 'partners' and no feed 'birke-feed'" in failed["msg"]
    assert meets(firewall, PROVIDER)


def test_a_virtual_ip_of_this_port_alone_is_narrowed_whatever_the_service(
    firewall: Firewall,
) -> None:
    firewall.device.configs["root"].update(POLICY, "1", {"service": refs("ALL")})
    made = firewall.done(fortios_inbound_lock, **LOCK)
    assert locked(firewall)
    assert not any("Create the policy" in line for line in made["plan"])


_at_work: list[Firewall] = []


def _lock_elsewhere(_number: int) -> Result:
    return _at_work[0].run(fortios_inbound_lock, **LOCK)


def test_two_runs_at_once(firewall: Firewall) -> None:
    """One of them may find that the other was faster; the lock stands, and the next run has nothing
    to do.
    """
    policy(firewall, "Server in", top=True, dstaddr=refs("all"), service=refs("ALL"))
    before = firewall.dump()
    _at_work[:] = [firewall]
    for _round in range(5):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            results = pool.map(_lock_elsewhere, range(2), chunksize=1)
            # Ended by themselves, and not by a signal, which somebody else may have taken over.
            pool.close()
            pool.join()
        assert all("refused" in row["msg"] for row in results if row["failed"]), results
        firewall.done(fortios_inbound_lock, **LOCK)
        assert locked(firewall)
        names = [row["name"] for row in firewall.device.rows("root", POLICY).values()]
        assert len(set(names)) == len(names)
        for name in sorted((path.name for path in firewall.snapshots.iterdir()), reverse=True):
            firewall.done(fortios_rollback, snapshot=name)
            (firewall.snapshots / name).unlink()
        for path in firewall.snapshots.iterdir():
            path.unlink()
        assert firewall.dump() == before


@pytest.mark.parametrize(
    "opened",
    [
        lambda firewall, config: policy(firewall, "Quick fix", top=True),
        lambda firewall, config: config.update(POLICY, "1", {"srcaddr": refs("all")}),
        lambda firewall, config: config.update(POLICY, "1", {"srcaddr": refs("birke-own")}),
        lambda firewall, config: config.update(POLICY, "1", {"srcaddr-negate": "enable"}),
        lambda firewall, config: config.update(
            POLICY,
            "1",
            {
                "internet-service-src": "enable",
                "internet-service-src-name": refs("Microsoft-Azure"),
            },
        ),
        lambda firewall, config: config.update(
            "firewall/addrgrp", "birke-provider", {"member": refs("all")}
        ),
        lambda firewall, config: config.update(
            "firewall/address", "birke-provider-198.51.100.0_24", {"subnet": "0.0.0.0/0"}
        ),
    ],
)
def test_a_colleague_opens_it_again(firewall: Firewall, opened: t.Callable[..., t.Any]) -> None:
    firewall.done(fortios_inbound_lock, **LOCK)
    opened(firewall, firewall.device.configs["root"])
    assert not locked(firewall)
    checked = firewall.done(fortios_inbound_lock, **LOCK, check=True)
    assert firewall.done(fortios_inbound_lock, **LOCK)["plan"] == checked["plan"] != []
    assert locked(firewall)


def test_other_interfaces_are_told_and_left(firewall: Firewall) -> None:
    policy(firewall, "From the dmz", srcintf=refs("dmz"))
    result = firewall.done(fortios_inbound_lock, **LOCK, interfaces=["wan1"])
    assert [finding["id"] for finding in result["guards"]] == ["still_open"]
    assert "policy 4 'From the dmz'" in result["warnings"][0]
    assert locked(firewall)
    assert firewall.device.admits(STRANGER, PUBLIC, 25, "dmz") is False, "the virtual IP is on wan1"
    firewall.done(fortios_inbound_lock, **LOCK)
    assert firewall.device.rows("root", POLICY)[4]["srcaddr"] != ["all"]


def test_a_provider_that_a_policy_above_refuses(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    config.create("firewall/address", {"name": "bad", "subnet": "198.51.100.0/25"})
    policy(firewall, "Blacklist", top=True, action="deny", srcaddr=refs("bad"))
    before = firewall.dump()
    failed = firewall.run(fortios_inbound_lock, **LOCK)
    assert failed["failed"]
    assert "198.51.100.0/25 would not get through" in failed["msg"]
    assert "'Blacklist'" in failed["msg"]
    assert "provider_shut_out" in failed["msg"]
    assert firewall.dump() == before
    assert firewall.done(fortios_inbound_lock, **LOCK, accept_risks=["provider_shut_out"])[
        "changed"
    ]


def test_trap_a_name_that_is_taken(firewall: Firewall) -> None:
    firewall.device.configs["root"].create(
        "firewall/vip", {"name": "birke-provider", "extip": "203.0.113.81"}
    )
    before = firewall.dump()
    failed = firewall.run(fortios_inbound_lock, **LOCK)
    assert "The name 'birke-provider' is taken" in failed["msg"]
    assert firewall.dump() == before


def test_trap_more_policies_than_the_licence_has(tmp_path: pathlib.Path) -> None:
    """The evaluation licence has three policies: the fence does not fit, and all its policies are
    one transaction.
    """
    for firewall in running(tmp_path, limits={POLICY: 4}):
        key = policy(firewall, "Server in", top=True, dstaddr=refs("all"), service=refs("ALL"))
        failed = firewall.run(fortios_inbound_lock, **LOCK)
        assert failed["failed"]
        assert "as many entries as this model allows" in failed["msg"]
        assert list(firewall.device.rows("root", POLICY)) == [key, 1, 2, 3]
        assert meets(firewall, PROVIDER)
        made = [line for line in failed["plan"] if "policy" not in line]
        assert (failed["done"], failed["not_done"]) == (made, failed["plan"][len(made) :])


@pytest.mark.parametrize(
    ("version", "fault"),
    [
        ("v7.4.4", "cut_before"),
        pytest.param("v7.4.4", "reboot_after", marks=pytest.mark.long),
        pytest.param("v6.2.16", "cut_after", marks=pytest.mark.long),
        pytest.param("v7.4.4", "cut_after", marks=pytest.mark.long),
        pytest.param("v6.2.16", "cut_before", marks=pytest.mark.long),
        pytest.param("v6.2.16", "reboot_after", marks=pytest.mark.long),
    ],
)
def test_trap_the_device_goes_away_in_the_middle(
    tmp_path: pathlib.Path, fault: str, version: str
) -> None:
    """At no point is the provider shut out; a second run finishes the lock."""
    for firewall in running(tmp_path, version=version):
        for number in range(1, 60):
            firewall.server.device = Device(version=version)
            firewall.device.seed_mail_site()
            policy(firewall, "Server in", top=True, dstaddr=refs("all"), service=refs("ALL"))
            firewall.server.arm(**{fault: number})
            result = firewall.run(fortios_inbound_lock, **LOCK)
            assert meets(firewall, PROVIDER)
            assert meets(firewall, OFFICE)
            assert meets(firewall, STRANGER, 443)
            firewall.server.arm()
            firewall.device.transactions.clear()
            again = firewall.done(fortios_inbound_lock, **LOCK)
            assert locked(firewall)
            assert not firewall.done(fortios_inbound_lock, **LOCK)["changed"], again["plan"]
            if result["cost"]["requests"] < number:
                return
    raise AssertionError("No run ever came to its end.")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"vips": []}, "nothing to lock"),
        ({"vips": ["VIP-nail"]}, "no virtual IP 'VIP-nail'"),
        ({"vips": ["VIP-web"]}, "does not lead to port 25"),
        ({"port": 0}, "not a TCP port"),
        ({"ranges": []}, "nobody through but the own networks"),
        ({"ranges": ["0.0.0.0/0"]}, "range_too_wide"),
        ({"ranges": ["10.0.0.0/24"]}, "private_range"),
        ({"ranges": ["198.51.100.0/8"]}, "Write 198.51.100.0/24"),
        ({"own_networks": ["10.20.0.0-255.255.0.0"]}, "Write 10.20.0.0/16"),
        ({"own_networks": ["0.0.0.0/0"]}, "Name the networks alone"),
        ({"own_networks": ["11.0.0.0/9"]}, "range_too_wide"),
        ({"name": "x" * 16}, "cannot be the name"),
        ({"addresses": ["10.0.0.0/24"]}, "single addresses"),
        ({"addresses": ["mail.example"]}, "mail.example"),
        ({"group_size": 0}, "group_size"),
        ({"accept_risks": ["all"]}, "no guard"),
    ],
)
def test_bad_input_changes_nothing(
    firewall: Firewall, options: dict[str, t.Any], words: str
) -> None:
    before = firewall.dump()
    failed = firewall.run(fortios_inbound_lock, **{**LOCK, **options})
    assert failed["failed"]
    assert words in failed["msg"]
    assert firewall.dump() == before


def test_an_older_fortios_says_what_it_cannot(tmp_path: pathlib.Path) -> None:
    for firewall in running(tmp_path, version="v6.2.16"):
        assert (
            "6.4"
            in firewall.run(fortios_inbound_lock, **LOCK, addresses=["2001:db8:20::25"])["msg"]
        )
        assert (
            "6.4"
            in firewall.run(fortios_inbound_lock, **LOCK, internet_services=["Microsoft-Outlook"])[
                "msg"
            ]
        )
        firewall.done(fortios_inbound_lock, **LOCK)
        assert locked(firewall)
        assert not firewall.done(fortios_inbound_lock, **LOCK)["changed"]
