# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report for tickets and chat: one entry a finding, by a key that stays the same."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mailedge.lockdown.plugins.filter.report_changes import report_changes
from ansible_collections.mailedge.lockdown.plugins.filter.report_text import report_text
from ansible_collections.mailedge.lockdown.plugins.filter.tickets import tickets
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.folder import FORMATS
from ansible_collections.mailedge.lockdown.tests.support import reports


def test_a_finding_has_the_same_key_in_every_run_and_no_other_has_it() -> None:
    first = tickets(reports.small_fleet())
    changed = reports.small_fleet()
    for site in changed["sites"].values():
        site["findings"].reverse()
        for finding in site["findings"]:
            finding["words"] += " Again."
    second = tickets({**changed, "sites": dict(reversed(changed["sites"].items()))})
    keys = [ticket["key"] for ticket in first]
    assert sorted(keys) == sorted(ticket["key"] for ticket in second)
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch("mailedge-[0-9a-f]{32}", key) for key in keys)


def test_the_worst_comes_first_and_what_is_accepted_or_only_told_gets_none() -> None:
    whole = reports.small_fleet()
    told = tickets(whole)
    severities = [ticket["severity"] for ticket in told]
    assert severities == sorted(severities)
    assert set(severities) == {"critical", "warning"}
    assert {ticket["severity"] for ticket in tickets(whole, "critical")} == {"critical"}
    assert len(tickets(whole, "info")) >= len(told)
    assert "eibe" in whole["sites"]
    accepted = {
        finding["id"] for finding in whole["sites"]["eibe"]["findings"] if finding["accepted_until"]
    }
    assert accepted
    assert not accepted & {ticket["id"] for ticket in tickets(whole, "info")}


def test_what_is_gone_is_told_by_the_key_that_it_had() -> None:
    whole = reports.small_fleet()
    [gone] = reports.changes(whole)["gone"]
    told = tickets({**whole, "changes": reports.changes(whole)})
    [ticket] = [each for each in told if each["state"] == "gone"]
    standing = {**whole, "sites": {gone["site"]: {"findings": [gone]}}}
    assert ticket["key"] == tickets(standing)[0]["key"]
    assert ticket["site"] == gone["site"]


def test_titles_are_short_lines_whatever_names_are_in_them() -> None:
    told = tickets(reports.hostile(), "info")
    assert told
    for ticket in told:
        assert len(ticket["title"]) <= 150
        assert ticket["title"].isprintable() or "\ufffd" in ticket["title"]
        assert not re.search("[\x00-\x1f\u202a-\u202e]", ticket["title"])


@pytest.mark.parametrize("other", [None, "x", [], {}, {"format": 2}])
def test_what_is_no_report_is_told(other: t.Any) -> None:
    with pytest.raises(AnsibleFilterError, match="no report"):
        tickets(other)
    with pytest.raises(AnsibleFilterError, match="no report"):
        report_text(other)
    for pair in ((other, reports.small_fleet()), (reports.small_fleet(), other)):
        with pytest.raises(AnsibleFilterError, match="no report"):
            report_changes(*pair)


def test_a_severity_and_a_format_that_there_are_not_are_told() -> None:
    with pytest.raises(AnsibleFilterError, match="critical, warning, info"):
        tickets(reports.small_fleet(), "high")
    with pytest.raises(AnsibleFilterError, match="markdown"):
        report_text(reports.small_fleet(), "pdf")


@pytest.mark.parametrize("name", FORMATS)
def test_a_report_is_rendered_in_every_format(name: str) -> None:
    assert "birke" in report_text(reports.small_fleet(), name)


def test_two_runs_are_compared() -> None:
    monday = reports.report({"birke": "drift", "ulme": "open"}, at="2026-11-23T06:30:00Z")
    told = report_changes(reports.report({"birke": "in order"}), monday)
    assert (told["since"], told["states"]) == (monday["at"], {"birke": ["drift", "in order"]})
    assert told["missing_sites"] == ["ulme"]
    assert report_changes(reports.report({}), monday, partial=True)["missing_sites"] == []


def test_what_changed_is_in_the_text() -> None:
    whole = reports.small_fleet()
    assert "Changed since" not in report_text(whole)
    assert "Changed since" in report_text({**whole, "changes": reports.changes(whole)})
