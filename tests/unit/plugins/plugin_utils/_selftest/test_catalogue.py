# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each check of the self-test says of what was read."""

from __future__ import annotations

import dataclasses
import inspect
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.catalogue import (
    CHECKS,
    run_all,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.check import Evidence

ROOT = pathlib.Path(__file__).resolve().parents[5]
CONNECTOR = {
    "name": "Canary EX1",
    "enabled": True,
    "bindings": ["0.0.0.0:25"],
    "remote_ip_ranges": ["0.0.0.0-255.255.255.255"],
    "protocol_logging_level": "Verbose",
}
LOG = {"name": "protocol log", "files": 336, "lines": 220418, "messages": 1825}
GOOD = Evidence(
    mail_flow={
        "server": {"name": "canary", "version": "Exchange 2016"},
        "receive_connectors": [CONNECTOR],
        "accepted_domains": [{"domain": "canary.example"}],
    },
    senders={"logs": [LOG]},
    names={
        "names": [{"name": "canary.example", "from": ["the certificate 0A1B (services: SMTP)"]}]
    },
    posture={"findings": [{"id": "tls", "severity": "ok"}]},
    firewall={
        "sources": [
            {"source": "192.0.2.9", "certain": True, "passes": True, "device_passes": True}
        ],
        "policies": [{"name": "canary", "hit_count": 5}],
    },
)


def changed(part: str, **values: t.Any) -> Evidence:
    return dataclasses.replace(GOOD, **{part: {**getattr(GOOD, part), **values}})


def test_all_hold_and_nothing_of_the_site_is_told() -> None:
    results = run_all(GOOD)
    assert {told["status"] for told in results.values()} == {"success"}, results
    assert len(results) == len(CHECKS)
    assert "canary" not in str(results).lower()
    assert "192.0.2.9" not in str(results)


FAILING: tuple[tuple[str, Evidence], ...] = (
    (
        "accepted_domains",
        dataclasses.replace(GOOD, mail_flow={"receive_connectors": [CONNECTOR]}),
    ),
    (
        "connector_values",
        changed("mail_flow", receive_connectors=[{**CONNECTOR, "remote_ip_ranges": []}]),
    ),
    (
        "port_25",
        changed("mail_flow", receive_connectors=[{**CONNECTOR, "bindings": ["0.0.0.0:587"]}]),
    ),
    ("protocol_log_folder", changed("senders", logs=[{**LOG, "files": 0, "lines": 0}])),
    ("protocol_log_messages", changed("senders", logs=[{**LOG, "messages": 0}])),
    ("certificate_names", changed("names", names=[])),
    ("posture", changed("posture", findings=[{"id": "tls", "severity": "unknown"}])),
    (
        "device_agrees",
        changed("firewall", sources=[{"certain": True, "passes": False, "device_passes": True}]),
    ),
    ("policy_counters", changed("firewall", policies=[{"hit_count": None}])),
)


@pytest.mark.parametrize(("name", "evidence"), FAILING)
def test_what_does_not_hold_is_a_failure_of_that_check_alone(name: str, evidence: Evidence) -> None:
    results = run_all(evidence)
    assert results[name]["status"] == "failure"
    assert {each for each, told in results.items() if told["status"] == "failure"} == {name}


def test_every_check_can_fail() -> None:
    assert {name for name, _evidence in FAILING} == {check.name for check in CHECKS}


@pytest.mark.parametrize("part", [field.name for field in dataclasses.fields(Evidence)])
def test_silence_is_an_error_and_what_was_not_asked_is_skipped(part: str) -> None:
    of_part = {check.name for check in CHECKS if check.needs == part}
    for told, status in (
        ({"failed": True, "msg": "canary"}, "error"),
        ({"unreachable": True}, "error"),
        ({"skipped": True}, "skipped"),
        ({}, "skipped"),
        ({"receive_connectors": 5, "logs": 5, "names": 5, "findings": 5, "policies": 5}, "error"),
    ):
        results = run_all(dataclasses.replace(GOOD, **{part: told}))
        for name in of_part - {"device_agrees", "accepted_domains"}:
            assert results[name]["status"] == status, (name, results[name])
        assert "canary" not in str(results)


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ({"certain": True, "passes": True}, "error"),
        ({"certain": False, "passes": True, "device_passes": True}, "skipped"),
        ({"certain": True, "passes": True, "device_passes": None}, "error"),
    ],
)
def test_a_device_that_was_asked_and_is_silent_is_an_error(
    source: dict[str, t.Any], status: str
) -> None:
    assert run_all(changed("firewall", sources=[source]))["device_agrees"]["status"] == status


def test_each_says_what_it_assumes_and_where_that_is_marked() -> None:
    for check in CHECKS:
        text = inspect.getdoc(check) or ""
        assert "Expected results:" in text, check
        assert "Example:" in text, check
        assert "nverified" in (ROOT / check.marked).read_text(encoding="utf-8"), check
