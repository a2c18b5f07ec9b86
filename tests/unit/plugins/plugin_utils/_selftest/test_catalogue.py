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
        "names": [{"name": "canary.example", "from": ["the certificate 0A1B (services: SMTP)"]}],
        "not_read": [],
    },
    posture={"findings": [{"id": "tls", "severity": "ok"}]},
    firewall={
        "sources": [
            {"source": "192.0.2.9", "certain": True, "passes": True, "device_passes": True}
        ],
        "policies": [{"name": "canary", "hit_count": 5}],
        "targets": [{"vip": "canary", "port": 25, "way": "told"}],
        "device": {"version": "7.4.4", "central_nat": True},
        "policies_with_match_vip": 0,
    },
    iis={
        "version": "10.0",
        "url_rewrite": "7.2.1993",
        "sections": 22,
        "unread": [],
        "unread_files": 0,
        "rules": 2,
        "rules_without_level": 0,
        "ipv6_masks": ["32"],
        "directories": [
            "/Autodiscover",
            "/EWS",
            "/Microsoft-Server-ActiveSync",
            "/OAB",
            "/owa",
        ],
    },
    windows_firewall={
        "rules": 143,
        "has_texts": True,
        "without_text": 0,
        "not_shown": 0,
        "not_understood": [],
        "policy_rules": 3,
        "mdm_rules": 3,
        "exchange_rules": 21,
        "exchange_rules_for_25": 3,
    },
    tenant={
        "tenant": {"id": "canary", "domains": ["canary.example"]},
        "reading": {
            "objects": {"Get-OrganizationConfig": 1, "Get-TransportRule": 1},
            "unanswered": [],
            "warnings": {},
            "timed": {"Get-OrganizationConfig": 1, "Get-TransportRule": 1},
            "direct_send_told": True,
            "rules_without_conditions": 0,
        },
    },
)
READING = GOOD.tenant["reading"]


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
    ("names_whole", changed("names", not_read=["canary told nothing."])),
    ("posture", changed("posture", findings=[{"id": "tls", "severity": "unknown"}])),
    (
        "device_agrees",
        changed("firewall", sources=[{"certain": True, "passes": False, "device_passes": True}]),
    ),
    ("policy_counters", changed("firewall", policies=[{"hit_count": None}])),
    (
        "firewall_routes",
        changed("firewall", targets=[{"way": "told"}, {"way": "not told"}]),
    ),
    (
        "firewall_central_nat",
        changed("firewall", policies_with_match_vip=2),
    ),
    ("iis_sections", changed("iis", unread=["system.webServer/modules (0x80070021)"])),
    ("iis_levels", changed("iis", rules_without_level=1)),
    ("iis_paths", changed("iis", directories=["/owa"])),
    ("iis_ipv6_masks", changed("iis", ipv6_masks=["ffff::"])),
    ("firewall_rules", changed("windows_firewall", without_text=1)),
    ("firewall_texts", changed("windows_firewall", not_understood=["Magic"])),
    ("firewall_intune", changed("windows_firewall", policy_rules=0)),
    ("firewall_exchange_rules", changed("windows_firewall", exchange_rules_for_25=0)),
    ("tenant_whole", changed("tenant", reading={**READING, "warnings": {"Get-X": 1}})),
    ("tenant_direct_send", changed("tenant", reading={**READING, "direct_send_told": False})),
    (
        "tenant_changes",
        changed("tenant", reading={**READING, "timed": {"Get-OrganizationConfig": 0}}),
    ),
    ("tenant_rules", changed("tenant", reading={**READING, "rules_without_conditions": 1})),
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
        (
            {
                "device": 5,
                "targets": 5,
                "unread": 5,
                "rules": "five",
                "directories": 5,
                "ipv6_masks": 5,
            },
            "error",
        ),
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
