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


@pytest.fixture
def firewall(tmp_path: pathlib.Path) -> t.Iterator[Firewall]:
    yield from running(tmp_path)


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
def test_an_answer_that_is_no_fortigates(firewall: Firewall, part: str, answer: tuple[int, str]) -> None:
    firewall.server.arm(instead={part: answer})
    for question, options in QUESTIONS:
        result = firewall.run(question, **options)
        assert result["failed"], result
        assert "none of a FortiGate's API" in result["msg"]
        assert "api_port" in result["msg"]
        assert not {"exposure", "state"} & set(result)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_that_every_fortios_has_is_not_empty_where_it_is_missing(firewall: Firewall, table: str) -> None:
    firewall.server.arm(gone=(table,))
    for question, options in QUESTIONS:
        result = firewall.run(question, **options)
        assert result["failed"], result
        assert table in result["msg"]
        assert not {"exposure", "state"} & set(result)


def test_a_table_without_its_rows(firewall: Firewall) -> None:
    whole = '{"version": "v7.4.4", "status": "success", "http_status": 200%s}'
    for body, words in (
        ("", "no list"),
        (', "results": null', "no list"),
        (', "results": [], "matched_count": 3', "0 rows"),
    ):
        firewall.server.arm(instead={"firewall/policy": (200, whole % body)})
        refused(firewall, words)
