# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's FortiGate by itself: envelopes, refusals and their numbers, as on real devices."""

from __future__ import annotations

import http.client
import json
import ssl
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.internet_services import (
    InternetService,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer

Answer = tuple[int, t.Any]
ADDRESS, GROUP, POLICY, VIP = (
    f"cmdb/firewall/{name}" for name in ("address", "addrgrp", "policy", "vip")
)
FEED = "cmdb/system/external-resource"


@pytest.fixture
def server() -> t.Iterator[FortiGateServer]:
    with FortiGateServer(Device(vdoms=("root", "guest"), group_members=3)) as running:
        running.device.seed_mail_site()
        yield running


def ask(
    server: FortiGateServer,
    method: str,
    path: str,
    body: t.Any = None,
    *,
    token: str | None = None,
    **headers: str,
) -> Answer:
    """One request; the status, and the JSON or text of the answer."""
    context = ssl.create_default_context(cafile=str(server.ca_path))
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=5, context=context)
    sent = {"Authorization": f"Bearer {server.token if token is None else token}", **headers}
    connection.request(method, f"/api/v2/{path}", None if body is None else json.dumps(body), sent)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, json.loads(text) if "json" in (
        answer.headers["Content-Type"] or ""
    ) else text


def refs(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def error(answer: Answer) -> tuple[int, int]:
    assert answer[1]["status"] == "error", answer
    return answer[0], answer[1]["error"]


def held(server: FortiGateServer) -> str:
    return json.dumps(
        {path: rows for path, rows in server.device.configs["root"].rows.items() if rows},
        default=str,
    )


def test_envelopes(server: FortiGateServer) -> None:
    status, envelope = ask(server, "GET", ADDRESS)
    assert status == 200
    assert (envelope["status"], envelope["http_method"], envelope["vdom"], envelope["version"]) == (
        "success",
        "GET",
        "root",
        "v7.4.4",
    )
    assert (envelope["path"], envelope["name"], envelope["matched_count"]) == (
        "firewall",
        "address",
        1,
    )
    _status, made = ask(server, "POST", ADDRESS, {"name": "a/b", "subnet": "10.0.0.0/8"})
    assert made["mkey"] == "a/b"
    assert made["revision_changed"]
    assert made["revision"] != made["old_revision"]
    _status, single = ask(server, "GET", f"{ADDRESS}/a%2Fb")
    assert single["results"][0]["subnet"] == "10.0.0.0 255.0.0.0"
    _status, same = ask(server, "PUT", f"{ADDRESS}/a%2Fb", {"subnet": "10.0.0.0 255.0.0.0"})
    assert not same["revision_changed"]
    _status, listed = ask(server, "GET", f"{ADDRESS}?vdom=*")
    assert [row["vdom"] for row in listed] == ["root", "guest"]
    _status, policies = ask(server, "GET", POLICY)
    assert policies["results"][0]["dstaddr"] == [{"name": "VIP-mail", "q_origin_key": "VIP-mail"}]


def test_tokens_and_profiles(server: FortiGateServer) -> None:
    assert ask(server, "GET", ADDRESS, token="")[0] == 401
    assert ask(server, "GET", f"{ADDRESS}?access_token={server.token}", token="")[0] == 200
    server.device.version = (7, 4, 5)
    assert ask(server, "GET", f"{ADDRESS}?access_token={server.token}", token="")[0] == 401
    assert error(ask(server, "POST", ADDRESS, {"name": "x"}, token="lab-token-read-only")) == (
        403,
        -37,
    )
    assert error(ask(server, "GET", f"{ADDRESS}?vdom=guest", token="lab-token-read-only")) == (
        403,
        -37,
    )
    for _attempt in range(3):
        status, page = ask(server, "GET", ADDRESS, token="wrong")
        assert status == 401
        assert page.startswith("<html>")
    assert ask(server, "GET", ADDRESS)[0] == 429
    server.arm()
    server.licensed = False
    assert ask(server, "GET", ADDRESS)[0] == 401


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", GROUP, {"name": "g", "member": refs("nobody")}, -3),
        ("POST", ADDRESS, {"name": "all"}, -5),
        ("POST", POLICY, {"policyid": 1}, -5),
        ("DELETE", f"{VIP}/VIP-mail", None, -23),
        ("POST", ADDRESS, {"name": "VIP-mail"}, -164),
        ("POST", GROUP, {"name": "VIP-mail", "member": refs("all")}, -164),
        ("POST", GROUP, {"name": "g", "member": []}, -56),
        ("POST", GROUP, {"name": "g", "member": refs("all", "all")}, -5),
        ("POST", ADDRESS, {"name": "x" * 80}, -72),
        ("POST", ADDRESS, {"name": "x", "subnet": "300.0.0.0/8"}, -8),
        ("POST", ADDRESS, {"name": "x", "subnet": "10.0.0.0/40"}, -9),
        ("POST", ADDRESS, {"name": "x", "colour": 1}, -61),
        ("POST", ADDRESS, {"name": "x", "color": 33}, -650),
        ("POST", ADDRESS, {"name": "x", "type": "magic"}, -651),
        ("POST", ADDRESS, {}, -56),
        ("POST", FEED, {"name": "f", "refresh-rate": 0, "resource": "https://lists.example"}, -650),
        ("POST", FEED, {"name": "f"}, -56),
        ("PUT", f"{POLICY}/1?action=fly", None, -10000),
        ("PUT", f"{POLICY}/1", {"srcaddr": []}, -56),
    ],
)
def test_what_is_refused(
    server: FortiGateServer, method: str, path: str, body: t.Any, code: int
) -> None:
    before = held(server)
    assert error(ask(server, method, path, body)) == (424, code)
    assert held(server) == before
    server.device.version = (6, 4, 14)
    assert error(ask(server, method, path, body)) == (500, code)


def test_members_and_entries_are_counted(server: FortiGateServer) -> None:
    for number in range(4):
        ask(server, "POST", ADDRESS, {"name": f"a{number}", "subnet": f"10.0.{number}.0/24"})
    names = [f"a{number}" for number in range(4)]
    assert error(ask(server, "POST", GROUP, {"name": "g", "member": refs(*names)})) == (424, -4)
    assert ask(server, "POST", GROUP, {"name": "g", "member": refs(*names[:3])})[0] == 200
    server.device.limits["firewall/address"] = 5
    assert error(ask(server, "POST", ADDRESS, {"name": "one more"})) == (424, -4)


def test_paths_and_methods(server: FortiGateServer) -> None:
    assert error(ask(server, "GET", f"{ADDRESS}/nobody")) == (404, -3)
    assert error(ask(server, "DELETE", f"{ADDRESS}/nobody")) == (404, -3)
    assert error(ask(server, "GET", "cmdb/firewall/nothing"))[0] == 404
    assert error(ask(server, "PUT", f"{POLICY}/0", {}))[0] == 405
    assert error(ask(server, "DELETE", ADDRESS))[0] == 405
    assert error(ask(server, "POST", "cmdb/firewall/internet-service", {"name": "mine"}))[0] == 405
    server.arm(redirect=1)
    assert ask(server, "GET", ADDRESS)[0] == 301
    assert ask(server, "GET", ADDRESS)[0] == 200


def test_the_order_of_policies(server: FortiGateServer) -> None:
    row = {
        "srcintf": refs("wan1"),
        "dstintf": refs("internal"),
        "srcaddr": refs("all"),
        "dstaddr": refs("all"),
        "service": refs("ALL"),
    }
    assert ask(server, "POST", POLICY, {**row, "name": "new", "policyid": 0})[1]["mkey"] == 4
    assert error(ask(server, "POST", POLICY, {**row, "name": "new"})) == (424, -5)
    ask(server, "PUT", f"{POLICY}/4?action=move&before=2")
    assert [row["policyid"] for row in ask(server, "GET", POLICY)[1]["results"]] == [1, 4, 2, 3]
    ask(server, "PUT", f"{POLICY}/4?action=move&after=3")
    assert [row["policyid"] for row in ask(server, "GET", POLICY)[1]["results"]] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("version", "stops"), [("v6.4.14", False), ("v7.2.3", False), ("v7.2.4", True)]
)
def test_a_new_deny_to_all_and_virtual_ips(version: str, stops: bool) -> None:
    device = Device(version=version)
    device.seed_mail_site()
    config = device.configs["root"]
    row = {
        "srcintf": refs("any"),
        "dstintf": refs("any"),
        "srcaddr": refs("all"),
        "dstaddr": refs("all"),
        "service": refs("ALL"),
    }
    key = config.create("firewall/policy", {**row, "action": "deny"})
    config.move("firewall/policy", str(key), before="1")
    assert device.admits("192.0.2.77", "203.0.113.80", 25) is not stops
    config.update("firewall/policy", str(key), {"match-vip": "enable"})
    assert not device.admits("192.0.2.77", "203.0.113.80", 25)


def test_feeds_are_pushed_from_7_2_1_on(server: FortiGateServer) -> None:
    ask(server, "POST", FEED, {"name": "f", "type": "address", "update-method": "push"})
    push = {
        "commands": [
            {
                "name": "f",
                "command": "snapshot",
                "entries": ["198.51.100.0/24", "nonsense", "2001:db8::/32"],
            }
        ]
    }
    assert ask(server, "POST", "monitor/system/external-resource/dynamic", push)[0] == 200
    held = ask(server, "GET", "monitor/system/external-resource/entry-list?mkey=f")[1]["results"]
    assert [row["entry"] for row in held] == ["198.51.100.0/24", "2001:db8::/32"]
    for command, entries in (("add", ["203.0.113.0/24"]), ("remove", ["198.51.100.0/24"])):
        ask(
            server,
            "POST",
            "monitor/system/external-resource/dynamic",
            {"commands": [{"name": "f", "command": command, "entries": entries}]},
        )
    assert server.device.feed_entries("root", "f") == ["2001:db8::/32", "203.0.113.0/24"]
    server.device.version = (7, 2, 0)
    assert error(ask(server, "POST", "monitor/system/external-resource/dynamic", push))[0] == 404
    assert error(
        ask(
            server,
            "POST",
            FEED,
            {"name": "g", "update-method": "push", "resource": "https://lists.example"},
        )
    ) == (424, -61)


def test_internet_services() -> None:
    with FortiGateServer(Device(services={"Some-Mail": InternetService(1, "both", ())})) as server:
        [row] = ask(
            server, "GET", "cmdb/firewall/internet-service?format=name|direction|ip-range-number"
        )[1]["results"]
        assert row == {
            "q_origin_key": 1,
            "name": "Some-Mail",
            "direction": "both",
            "ip-range-number": 0,
        }
        server.device.seed_mail_site()
        body = {"internet-service-src": "enable", "internet-service-src-name": refs("Some-Mail")}
        assert ask(server, "PUT", f"{POLICY}/1", body)[0] == 200
        # Sources by address and by service exclude each other, and a service without addresses lets
        # nobody through.
        assert ask(server, "GET", f"{POLICY}/1")[1]["results"][0]["srcaddr"] == []
        assert not server.device.admits("192.0.2.77", "203.0.113.80", 25)


def test_filters_and_meta(server: FortiGateServer) -> None:
    filtered = ask(
        server,
        "GET",
        f"{POLICY}?filter=name==Mail%20in,name==Web%20in&filter=policyid%3C2&with_meta=1",
    )[1]["results"]
    assert [row["policyid"] for row in filtered] == [1]
    assert ask(server, "GET", f"{VIP}?with_meta=1&filter=name=@mail")[1]["results"][0]["q_ref"] == 1


def test_a_transaction_is_seen_when_it_is_committed(server: FortiGateServer) -> None:
    number = ask(server, "POST", "cmdb?action=transaction-start", {"timeout": 60})[1]["results"][
        "transaction-id"
    ]
    within = {"X-TRANSACTION-ID": str(number)}
    which = {"transaction-id": number}
    ask(server, "POST", ADDRESS, {"name": "later"}, **within)
    assert error(ask(server, "GET", f"{ADDRESS}/later"))[1] == -3
    # The number is in the body; a header alone is not enough.
    assert error(ask(server, "POST", "cmdb?action=transaction-commit", **within))[0] == 400
    assert ask(server, "POST", "cmdb?action=transaction-commit", which)[0] == 200
    assert ask(server, "GET", f"{ADDRESS}/later")[0] == 200
    assert error(ask(server, "POST", "cmdb?action=transaction-commit", which))[0] == 424
