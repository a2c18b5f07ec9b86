# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What does not answer as a FortiGate does is never read as a device without policies."""

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
    Firewall,
    running,
)

QUESTIONS: list[tuple[t.Any, dict[str, t.Any]]] = [
    (fortios_info, {}),
    (fortios_inbound_lock, LOCK),
    (fortios_outbound_lock, OUT),
]
TABLES = ["firewall/policy", "firewall/vip", "firewall/address", "firewall.service/custom"]
ANSWERS = {
    "page of a web server": (404, "<html><h1>Not Found</h1></html>"),
    "nothing": (404, ""),
    "error of a proxy": (404, '{"error": "no such route"}'),
    "other API": (200, '{"status": "success", "results": []}'),
    "other API without results": (200, '{"ok": true}'),
    "list": (200, "[]"),
    "other API's error": (404, '{"status": "error", "http_status": 404}'),
}


def refused(firewall: Firewall, words: str) -> None:
    before = firewall.dump()
    for question, options in QUESTIONS:
        result = firewall.run(question, **options)
        assert result["failed"], result
        assert words in result["msg"]
        assert "exposure" not in result
    assert firewall.dump() == before


@pytest.mark.parametrize("part", ["", *TABLES])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_no_fortigates(
    firewall: Firewall, part: str, answer: tuple[int, str]
) -> None:
    firewall.server.arm(instead={part: answer})
    for question, options in QUESTIONS:
        result = firewall.run(question, **options)
        assert result["failed"], result
        assert "does not come from a FortiGate's API" in result["msg"]
        assert "api_port" in result["msg"]
        assert not {"exposure", "state"} & set(result)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_that_every_fortios_has_is_not_empty_where_it_is_missing(
    firewall: Firewall, table: str
) -> None:
    firewall.server.arm(gone=(table,))
    for question, options in QUESTIONS:
        result = firewall.run(question, **options)
        assert result["failed"], result
        assert table in result["msg"]
        assert not {"exposure", "state"} & set(result)


def test_a_table_without_its_rows(firewall: Firewall) -> None:
    whole = '{"version": "v7.4.4", "status": "success", "http_status": 200%s}'
    for body, words in (
        ("", "not a list"),
        (', "results": null', "not a list"),
        (', "results": [], "matched_count": 3', "0 rows"),
    ):
        firewall.server.arm(instead={"firewall/policy": (200, whole % body)})
        refused(firewall, words)


def test_a_vdom_that_the_device_does_not_have(tmp_path: pathlib.Path) -> None:
    for firewall in running(tmp_path, vdoms=("root", "guest")):
        before = firewall.dump()
        for question, options in QUESTIONS:
            result = firewall.run(question, **options, vdom="guets")
            assert "There is no vdom 'guets'; the device has: guest, root." in result["msg"]
            # Where the token may not ask which there are, every reason is named.
            firewall.server.arm(fail={"GET system/vdom": -37})
            result = firewall.run(question, **options, vdom="guets")
            assert "there is no vdom 'guets'" in result["msg"]
            assert "trusthosts" in result["msg"]
            assert "127.0.0.1" in result["msg"]
            firewall.server.arm()
        assert firewall.dump() == before


def test_a_token_that_is_of_another_vdom(tmp_path: pathlib.Path) -> None:
    for firewall in running(tmp_path, vdoms=("root", "guest")):
        firewall.server.tokens["of-root"] = Profile(vdoms=("root",))
        result = firewall.run(fortios_info, vdom="guest", token="of-root")
        assert "There is a vdom 'guest'; is it among the vdoms of the API user" in result["msg"]


def test_a_device_without_vdoms_answers_for_its_only_one(firewall: Firewall) -> None:
    firewall.device.has_vdoms = False
    assert not firewall.run(fortios_info)["failed"]
    for question, options in QUESTIONS:
        result = firewall.run(question, **options, vdom="office")
        assert "the vdom 'root', and 'office' was asked for" in result["msg"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_from_none_of_its_trusthosts(firewall: Firewall, status: int) -> None:
    firewall.server.tokens["elsewhere"] = Profile(refused=status)
    for question, options in QUESTIONS:
        firewall.server.reset_counters()
        result = firewall.run(question, **options, token="elsewhere")
        assert "trusthost" in result["msg"]
        assert "This host asks from the address 127.0.0.1" in result["msg"]
        assert firewall.server.requests == 1, "the device locks out who fails"


def test_a_write_that_is_not_allowed_is_no_question_of_the_vdom(firewall: Firewall) -> None:
    result = firewall.run(fortios_inbound_lock, **LOCK, token="lab-token-read-only")
    assert "accprofile" in result["msg"]
    assert "There is a vdom" not in result["msg"]


@pytest.mark.parametrize(
    ("table", "group"), [("firewall/address", "fwgrp"), ("system/zone", "netgrp")]
)
def test_a_right_that_is_missing_is_named(firewall: Firewall, table: str, group: str) -> None:
    firewall.server.arm(fail={f"GET {table}": -37})
    result = firewall.run(fortios_info, interface="wan1")
    assert f"see its accprofile, which probably lacks the right to read {group}" in result["msg"]
