# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of a shape that no FortiGate is known to give: a sentence, never a crash, and never
closed.
"""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_address_group,
    fortios_inbound_lock,
    fortios_info,
    fortios_outbound_lock,
    fortios_range_feed,
)
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    LOCK,
    OUT,
    STRANGER,
    Firewall,
    Result,
    meets,
    policy,
    refs,
    running,
)

QUESTIONS: list[tuple[t.Any, dict[str, t.Any]]] = [
    (fortios_info, {"interface": "wan1", "sources": [STRANGER]}),
    (fortios_inbound_lock, {**LOCK, "interfaces": ["wan1"]}),
    (fortios_outbound_lock, OUT),
    (fortios_address_group, {"name": "g", "ranges": ["192.0.2.0/25"]}),
]
POLICIES, GROUPS = "cmdb/firewall/policy", "cmdb/firewall/addrgrp"
MAIL: dict[str, t.Any] = {
    "policyid": 1,
    "name": "Mail in",
    "status": "enable",
    "action": "accept",
    "srcintf": refs("wan1"),
    "dstintf": refs("internal"),
    "srcaddr": refs("all"),
    "dstaddr": refs("VIP-mail"),
    "service": refs("SMTP"),
}
JUNK: list[t.Any] = [None, 5, True, [], [None], {"a": 1}, "text"]


@pytest.fixture
def firewall(tmp_path: pathlib.Path) -> t.Iterator[Firewall]:
    for started in running(tmp_path):
        started.device.configs["root"].create(
            "firewall/address", {"name": "lan", "subnet": "10.20.0.0/16"}
        )
        policy(started, "Any", dstaddr=refs("all"), service=refs("ALL"), dstintf=refs("dmz"))
        with started.without_network():
            yield started


def answer(results: t.Any) -> tuple[int, str]:
    envelope = {"version": "v7.4.4", "status": "success", "http_status": 200, "vdom": "root"}
    return 200, json.dumps({**envelope, "results": results})


def asked(firewall: Firewall, part: str, results: t.Any) -> list[Result]:
    """What every module gives that reads this; none may crash, or call open closed."""
    ended = []
    for called, options in QUESTIONS:
        firewall.server.arm(instead={part: answer(results)})
        ended.append(firewall.run(called, **options, check=True))
        firewall.server.arm()
        result = ended[-1]
        if not result["failed"]:
            assert "nobody → port 25 of the virtual IP 'VIP-mail'" not in json.dumps(result), (
                part,
                results,
            )
            assert (
                called in (fortios_address_group, fortios_outbound_lock)
                or result.get("state") != "in order"
            )
        assert firewall.server.token not in json.dumps(result)
    assert meets(firewall, STRANGER)
    return ended


def without(field: str) -> dict[str, t.Any]:
    return {name: value for name, value in MAIL.items() if name != field}


@pytest.mark.parametrize(
    ("part", "rows", "words"),
    [
        (POLICIES, [None], "no object"),
        (POLICIES, ["x"], "no object"),
        (POLICIES, [without("policyid")], "without a number"),
        (POLICIES, [{**MAIL, "policyid": "first"}], "without a number"),
        (POLICIES, [without("action")], "action"),
        (POLICIES, [{**MAIL, "status": None}], "status"),
        (POLICIES, [{**MAIL, "srcaddr-negate": 1}], "srcaddr-negate"),
        (POLICIES, [{**MAIL, "srcintf": []}], "srcintf"),
        (POLICIES, [{**MAIL, "srcaddr": 5}], "srcaddr"),
        (POLICIES, [{**MAIL, "dstaddr": [{}]}], "dstaddr"),
        (GROUPS, [{"name": ""}], "without a name"),
        (GROUPS, [{"name": "lans"}], "member"),
        (GROUPS, [{"name": "lans", "member": [[]]}], "member"),
    ],
)
def test_a_row_that_cannot_be_read_stops_with_its_place(
    firewall: Firewall, part: str, rows: list[t.Any], words: str
) -> None:
    results = [result for result in asked(firewall, part, rows) if result["failed"]]
    assert results
    for result in results:
        assert words in result["msg"], result["msg"]
        assert part.partition("/")[2] in result["msg"]
        assert "gives no reason" not in result["msg"]


@pytest.mark.parametrize("field", sorted(set(MAIL) - {"name"}))
def test_whatever_a_policy_lacks_or_holds_it_is_not_closed(firewall: Firewall, field: str) -> None:
    asked(firewall, POLICIES, [without(field)])
    for junk in JUNK:
        asked(firewall, POLICIES, [{**MAIL, field: junk}])


@pytest.mark.parametrize(
    ("part", "row"),
    [
        (
            "cmdb/system/interface",
            {"name": "wan1", "ip": "192.0.2.1 255.255.255.0", "secondaryip": [], "ipv6": {}},
        ),
        (
            "cmdb/system/zone",
            {"name": "Z", "intrazone": "deny", "interface": [{"interface-name": "dmz"}]},
        ),
        (
            "cmdb/router/static",
            {"dst": "0.0.0.0 0.0.0.0", "device": "wan1", "status": "enable", "dstaddr": ""},
        ),
        (
            "cmdb/router/policy",
            {"dst": [{"subnet": "10.0.0.0/8"}], "output-device": "dmz", "status": "enable"},
        ),
        ("monitor/router/ipv4", {"ip_mask": "10.0.0.0/8", "interface": "internal"}),
        ("cmdb/firewall.service/group", {"name": "Mails", "member": refs("SMTP")}),
    ],
)
def test_tables_of_the_network(firewall: Firewall, part: str, row: dict[str, t.Any]) -> None:
    for junk in JUNK:
        asked(firewall, part, junk)
        asked(firewall, part, [junk])
        for field in row:
            asked(firewall, part, [{**row, field: junk}])


@pytest.mark.parametrize(
    ("part", "row"),
    [
        (
            "cmdb/system/sdwan",
            {"status": "enable", "zone": [{"name": "virtual-wan-link"}], "members": []},
        ),
        ("monitor/router/lookup", {"success": True, "interface": "internal"}),
        ("monitor/firewall/policy-lookup", {"success": True, "policy_id": 1}),
        ("cmdb/system/global", {"cfg-save": "revert", "cfg-revert-timeout": 600}),
        ("cmdb/system/settings", {"ngfw-mode": "profile-based", "central-nat": "disable"}),
    ],
)
def test_single_answers(firewall: Firewall, part: str, row: dict[str, t.Any]) -> None:
    for junk in JUNK:
        asked(firewall, part, junk)
        for field in row:
            asked(firewall, part, {**row, field: junk})


def test_what_the_device_says_itself_is_told_as_it_says_it(firewall: Firewall) -> None:
    for said in ({"success": "false", "policy_id": 1}, {"success": True, "policy_id": "first"}):
        result = asked(firewall, "monitor/firewall/policy-lookup", said)[0]
        assert not any("device_passes" in sender for sender in result["sources"])


def test_an_unknown_mode_is_none_in_which_policies_decide(firewall: Firewall) -> None:
    for result in asked(firewall, "cmdb/system/settings", {"ngfw-mode": "other"})[:3]:
        assert result["failed"]
        assert "'other'" in result["msg"]


def test_counts_as_texts_and_out_of_all_bounds(firewall: Firewall) -> None:
    for hits, last, told in (
        ("12", "1700000000", (12, "2023-11-14T22:13:20Z")),
        (10**30, 10**30, (10**30, None)),
    ):
        row = {"policyid": "1", "hit_count": hits, "last_used": last}
        result = asked(firewall, "monitor/firewall/policy", [row])[0]
        assert (result["policies"][0]["hit_count"], result["policies"][0]["last_used"]) == told


def test_a_virtual_ip_of_an_interface_that_is_none_is_of_any(firewall: Firewall) -> None:
    vip = {
        "name": "VIP-mail",
        "extip": "203.0.113.80",
        "mappedip": [{"range": "10.20.1.11"}],
        "portforward": "enable",
    }
    for name in ("gone", ["wan1"], 5):
        asked(
            firewall,
            "cmdb/firewall/vip",
            [{**vip, "extport": "25", "mappedport": "25", "extintf": name}],
        )


def test_what_a_feed_holds_in_another_shape(firewall: Firewall) -> None:
    push: dict[str, t.Any] = {"name": "fd", "mode": "push", "ranges": ["192.0.2.0/24"]}
    firewall.done(fortios_range_feed, **push)
    part = "external-resource/entry-list"
    contents: list[t.Any] = [5, True, "text", [5], [None], [[]], [{"entry": 5}]]
    for junk in contents:
        firewall.server.arm(instead={part: answer(junk)})
        result = firewall.run(fortios_range_feed, **push, check=True)
        assert result["failed"]
        assert part in result["msg"]
    # A line of a list that is no address is in no range.
    rows = [{"entry": "# ours", "valid": False}, {"entry": "192.0.2.0/24", "valid": True}]
    firewall.server.arm(instead={part: answer(rows)})
    assert not firewall.done(fortios_range_feed, **push)["changed"]
    for junk in JUNK:
        row = {"name": "fd", "type": "address", "refresh-rate": junk, "update-method": "push"}
        firewall.server.arm(instead={"cmdb/system/external-resource": answer([row])})
        firewall.run(fortios_range_feed, **push, check=True)


def test_internet_services_without_readable_counts(firewall: Firewall) -> None:
    for junk in JUNK:
        row = {
            "id": 327791,
            "name": "Microsoft-Outlook",
            "direction": "both",
            "ip-range-number": junk,
        }
        firewall.server.arm(instead={"cmdb/firewall/internet-service": answer([row])})
        firewall.run(
            fortios_inbound_lock, **LOCK, internet_services=["Microsoft-Outlook"], check=True
        )
