# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as JSON, CSV, JUnit, metrics and Markdown, read back by who reads such files."""

from __future__ import annotations

import csv
import io
import json
import re
import typing as t
from xml.etree import ElementTree

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render import (
    as_csv,
    as_json,
    as_junit,
    as_markdown,
    as_prometheus,
)
from ansible_collections.mailedge.lockdown.tests.support import reports

Plain = dict[str, t.Any]
FLEETS: dict[str, t.Callable[[], Plain]] = {
    "small": reports.small_fleet,
    "hostile": reports.hostile,
    "none": lambda: reports.report({}),
}
whatever_is_in_it = pytest.mark.parametrize(
    "whole", [make() for make in FLEETS.values()], ids=FLEETS
)
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e]")


@whatever_is_in_it
def test_json_is_the_report_itself(whole: Plain) -> None:
    text = as_json.render(whole)
    assert text.isascii()
    assert json.loads(text) == whole
    changes = reports.changes(whole)
    assert json.loads(as_json.render(whole, changes)) == {**whole, "changes": changes}


def rows(whole: Plain) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv.render(whole), newline="")))


@whatever_is_in_it
def test_csv_has_a_row_for_every_finding_and_one_for_a_site_without_any(whole: Plain) -> None:
    read = rows(whole)
    assert len(read) == sum(len(site["findings"]) or 1 for site in whole["sites"].values())
    assert all(set(row) == set(as_csv.COLUMNS) for row in read)
    assert not CONTROL.search(as_csv.render(whole).replace("\r\n", ""))


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("https://evil.example")',
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1+1",
        "\r=1+1",
        "\u2028=1",
        "\uff1d1+1",
        "  =1",
        "|cmd",
        "%0A=1",
    ],
)
def test_no_cell_is_a_formula(text: str) -> None:
    whole = reports.report({"birke": "drift"})
    whole["sites"] = {text: whole["sites"]["birke"]}
    for finding in whole["sites"][text]["findings"]:
        finding.update(words=text, object=text, id=text)
    for row in rows(whole):
        for column in ("site", "words", "object", "id"):
            assert row[column].startswith("'"), row[column]


def test_a_cell_with_quotes_commas_and_lines_stays_one_cell() -> None:
    whole = reports.report({"birke": "drift"})
    whole["sites"]["birke"]["findings"][0]["words"] = 'He said "no", and\nleft; ü→日本'
    assert rows(whole)[0]["words"] == 'He said "no", and left; ü→日本'


@whatever_is_in_it
def test_junit_has_a_suite_a_site_and_a_case_a_layer(whole: Plain) -> None:
    junitparser = pytest.importorskip("junitparser")
    suites = list(junitparser.JUnitXml.fromstring(as_junit.render(whole).encode()))
    assert len(suites) == len(whole["sites"])
    for suite, site in zip(suites, whole["sites"].values()):
        cases = list(suite)
        assert (suite.tests, len(cases)) == (len(cases), suite.tests)
        assert len(cases) >= sum(len(host["layers"]) for host in site["hosts"].values())
        kinds = [type(case.result[0]).__name__ for case in cases if case.result]
        counted = (suite.failures, suite.errors, suite.skipped)
        assert counted == tuple(map(kinds.count, ("Failure", "Error", "Skipped")))
        failed = bool(suite.failures or suite.errors)
        # A trouble of a host is never hidden by layers that are as they should be.
        troubled = any(host["trouble"] for host in site["hosts"].values())
        assert failed == (site["state"] in ("open", "unknown", "drift") or troubled)


def cases(whole: Plain) -> dict[str, str]:
    """Name of each case → what became of it."""
    document = ElementTree.fromstring(as_junit.render(whole))
    return {
        str(case.get("name")): next((kind.tag for kind in case), "passed")
        for case in document.iter("testcase")
    }


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("in order", "passed"),
        ("restored", "passed"),
        ("listed", "passed"),
        ("accepted", "skipped"),
        ("not managed", "skipped"),
        ("not looked at", "skipped"),
        ("not judged", "skipped"),
        ("drift", "failure"),
        ("open", "failure"),
        ("unknown", "error"),
        ("fine", "error"),
        ("", "error"),
        (None, "error"),
    ],
)
def test_only_what_was_found_so_has_passed(state: str, kind: str) -> None:
    host = {"state": state, "trouble": "", "layers": [{"layer": "iis", "state": state}]}
    whole = {"format": 1, "at": reports.AT, "sites": {"birke": {"hosts": {"ex1": host}}}}
    assert cases(whole)["ex1: iis"] == kind


def test_a_host_that_its_layers_do_not_explain_is_a_case_of_its_own() -> None:
    def site(**host: t.Any) -> Plain:
        record = {"layer": "iis", "state": "in order"}
        about = {"state": "in order", "trouble": "", "layers": [record], **host}
        return {"format": 1, "at": reports.AT, "sites": {"birke": {"hosts": {"ex1": about}}}}

    assert cases(site()) == {"ex1: iis": "passed"}
    assert cases(site(state="unknown")) == {"ex1: iis": "passed", "ex1: run": "error"}
    assert cases(site(trouble="It ended.")) == {"ex1: iis": "passed", "ex1: run": "error"}
    assert cases(site(layers=[], state="unknown")) == {"ex1: run": "error"}
    assert cases({"sites": {"birke": {"hosts": {}}}}) == {"birke: run": "error"}


def metrics(whole: Plain) -> dict[str, dict[tuple[str, ...], float]]:
    parser = pytest.importorskip("prometheus_client.parser")
    read: dict[str, dict[tuple[str, ...], float]] = {}
    for family in parser.text_string_to_metric_families(as_prometheus.render(whole)):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            values = read.setdefault(family.name, {})
            labels = tuple(sample.labels.values())
            assert labels not in values, "one series twice"
            values[labels] = sample.value
    return read


@whatever_is_in_it
def test_metrics_say_what_the_report_says(whole: Plain) -> None:
    read = metrics(whole)
    sites = whole["sites"]
    looks = read.get("mailedge_last_look_timestamp_seconds", {})
    assert set(looks.values()) <= {1796032800.0}
    states = read.get("mailedge_site_state", {})
    numbers = {"in order": 0, "accepted": 1, "drift": 2, "unknown": 3, "open": 4}
    for name, site in sites.items():
        if not name.isprintable():
            continue
        assert states[name, "all"] == numbers[site["state"]]
        assert ((name,) in looks) == any(
            layer["state"] in ("in order", "accepted", "drift", "open")
            for host in site["hosts"].values()
            for layer in host["layers"]
        )
        counted = [
            read["mailedge_findings"][name, kind]
            for kind in ("critical", "warning", "info", "accepted")
        ]
        assert sum(counted) == len(site["findings"])
    assert len({labels[0] for labels in states}) == len(sites)


def test_the_worst_host_of_a_layer_counts_and_a_site_may_have_a_time_of_its_own() -> None:
    hosts = {
        name: {"layers": [{"layer": "iis", "state": state}]}
        for name, state in {"a": "in order", "b": "drift", "c": "not looked at"}.items()
    }
    site = {"state": "drift", "hosts": hosts, "findings": [], "at": "2026-11-29T10:00:00Z"}
    quoted = 'a"b\\c\nd'
    read = metrics({"at": reports.AT, "sites": {quoted: site, "x\x07": site, "x\x08": site}})
    assert read["mailedge_site_state"][quoted, "iis"] == 2
    assert read["mailedge_last_look_timestamp_seconds"][quoted,] == 1796032800.0 - 86400
    assert read["mailedge_site_state"]["x\ufffd", "all"] == 2


def test_markdown_tells_what_changed_and_the_worst_first() -> None:
    whole = reports.small_fleet()
    lines = as_markdown.render(whole, reports.changes(whole)).splitlines()
    assert lines[0] == (
        "**Mail edge: 2 open, 1 unknown, 3 drift, 1 accepted, 19 in order** "
        "(drift, 2026-11-30T10:00:00Z)"
    )
    assert lines[2] == f"Changed since {reports.SINCE}:"
    assert lines[4] == "- **birke**: in order → open"
    order = [line.split("**")[1] for line in lines if line.startswith("- **")]
    at = lines.index("Not in order, worst first:")
    assert order[3:] == ["birke", "tanne", "ulme", "erle", "hasel", "linde", "eibe"]
    assert "- 3 sites: exchange, The receive connector 'Mail from filter'" in "\n".join(lines[at:])
    assert "ahorn" not in "\n".join(lines[at:])


def test_markdown_says_that_nothing_changed_and_counts_what_does_not_fit() -> None:
    nothing: Plain = {
        "since": reports.SINCE,
        **{key: [] for key in ("appeared", "gone", "new_sites", "missing_sites")},
        "states": {},
    }
    whole = reports.fleet(300)
    text = as_markdown.render(whole, nothing)
    assert f"Nothing changed since {reports.SINCE}." in text
    assert "- … and 230 more" in text
    assert len(text) < 10_000
    assert as_markdown.render(reports.report({})).startswith("**Mail edge: no site**")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b*c", r"a\_b\*c"),
        ("[x](http://evil.example)", "\\[x\\](http:\u200b//evil.example)"),
        ("@everyone www.evil.example", "@\u200beveryone www\u200b.evil.example"),
        ("# big", "\u200b# big"),
        ("1. first", "\u200b1. first"),
        ("- item", "\u200b- item"),
        ("<b>", r"\<b\>"),
        ("one\n\n# two", "one # two"),
        ("x" * 400, f"{'x' * 299}…"),
        ("\x1b[31m", "\ufffd\\[31m"),
    ],
)
def test_a_name_is_no_markdown(text: str, shown: str) -> None:
    assert as_markdown.plain(text) == shown


def test_three_hundred_sites_are_rendered_at_once() -> None:
    """Sizes that a mail, a textfile and a spreadsheet carry."""
    whole = reports.fleet(300)
    assert len(as_csv.render(whole)) < 1_000_000
    assert len(as_junit.render(whole)) < 1_000_000
    assert len(as_prometheus.render(whole)) < 500_000
