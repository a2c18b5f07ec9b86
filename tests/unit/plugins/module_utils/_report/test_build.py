# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as data: every finding of every layer, by an id that stays the same."""

from __future__ import annotations

import datetime
import json
import typing as t
from xml.etree import ElementTree as Tree

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.acceptance import (
    Acceptances,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.build import report_of
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render import as_junit
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    LEFT_OUT,
    MANAGED,
    NOT_JUDGED,
    HostVerdict,
    Part,
    Record,
    by_site,
    record,
)

TODAY = datetime.date(2026, 11, 25)
STRANGERS = "The internet may send without a login on port 25, through 'Default EX1'."
CONTROLS = {"exchange": {"strangers": ["V-1"], "*": ["V-2 (unverified)"]}}


def host(name: str, results: dict[str, dict[str, t.Any]], **more: t.Any) -> HostVerdict:
    entries = [{"id": "*", "until": "2026-12-31", "reason": "moving", "by": "Eva"}]
    acceptances = Acceptances("birke", more.pop("entries", entries), TODAY)
    records = [
        record(layer, name, Part(MANAGED), result, playbook="drift", acceptances=acceptances)
        for layer, result in results.items()
    ]
    return HostVerdict(name, "birke", tuple(filter(None, records)), **more)


def report(*hosts: HostVerdict, **more: t.Any) -> dict[str, t.Any]:
    return report_of(
        by_site(hosts),
        at="2026-11-25T10:00:00Z",
        revision="",
        check_mode=False,
        controls=CONTROLS,
        **{"unmatched": {}, "playbook": "drift", **more},
    )


def test_every_layer_tells_what_was_found_of_it() -> None:
    ex1 = host(
        "ex1",
        {
            "exchange": {"state": "open", "strangers": {"before": [STRANGERS], "after": []}},
            "windows tls": {"state": "drift"},
            "iis": {"state": "in order"},
        },
    )
    ex2 = host("ex2", {"exchange": {"unreachable": True, "msg": "No answer."}}, trouble="It ended.")
    left_out = Record("fortigate", "ex2", "not looked at", ("Its host was not selected.",))
    ex2 = HostVerdict("ex2", "birke", (*ex2.records, left_out), "It ended.")
    whole = report(ex1, ex2)
    assert json.loads(json.dumps(whole)) == whole
    site = whole["sites"]["birke"]
    assert site["state"] == "open"
    assert site["line"] == f"birke: open. ex1, exchange: {STRANGERS} {_LEFT}"
    assert [(each["id"], each["severity"]) for each in site["findings"]] == [
        ("birke/ex1/exchange/strangers/Default EX1/port 25", "critical"),
        ("birke/ex2/run/failed//", "critical"),
        ("birke/ex2/exchange/no_answer//", "warning"),
        ("birke/ex1/windows tls/is_drift//", "warning"),
    ]
    first, last = site["findings"][0], site["findings"][-1]
    assert first == {
        "id": "birke/ex1/exchange/strangers/Default EX1/port 25",
        "layer": "exchange",
        "host": "ex1",
        "what": "strangers",
        "object": "Default EX1",
        "property": "port 25",
        "severity": "critical",
        "words": STRANGERS,
        "remedy": "",
        "since": "",
        "accepted_until": "",
        "accepted_reason": "",
        "accepted_by": "",
        "due": "",
        "wrong_result": False,
        "controls": ["V-1"],
    }
    assert site["findings"][2]["controls"] == ["V-2 (unverified)"]
    assert (last["accepted_until"], last["accepted_reason"], last["accepted_by"]) == (
        "2026-12-31",
        "moving",
        "Eva",
    )
    assert site["accepted_until"] == "", "the site is open, whatever is accepted of it"
    assert site["not_looked_at"] == [
        {
            "host": "ex2",
            "layer": "fortigate",
            "state": "not looked at",
            "why": "Its host was not selected.",
        }
    ]
    assert set(site["hosts"]["ex1"]) == {
        "state",
        "trouble",
        "looks",
        "edge",
        "doors",
        "layers",
    }
    assert [each["layer"] for each in site["hosts"]["ex1"]["layers"]] == [
        "exchange",
        "windows tls",
        "iis",
    ]


_LEFT = "Not looked at: fortigate (Its host was not selected)."


def test_an_id_depends_on_no_order() -> None:
    results = {"exchange": {"state": "drift"}, "iis": {"state": "drift"}}
    there = report(host("ex1", results), host("ex2", results))
    back = report(host("ex2", dict(reversed(results.items()))), host("ex1", results))
    assert there["sites"]["birke"]["findings"] == back["sites"]["birke"]["findings"]


def test_a_site_whose_drift_is_accepted_says_until_when() -> None:
    entries = [
        {"id": "*/iis/*", "until": "2027-01-31", "reason": "y"},
        {"id": "*/exchange/*", "until": "2026-12-01", "reason": "x"},
    ]
    results = {"exchange": {"state": "drift"}, "iis": {"state": "drift"}}
    site = report(host("ex1", results, entries=entries))["sites"]["birke"]
    assert (site["state"], site["accepted_until"]) == ("accepted", "2026-12-01")


def test_an_acceptance_that_fits_nothing_is_told_and_makes_nothing_worse() -> None:
    fine = host("ex1", {"exchange": {"state": "in order"}})
    site = report(fine, unmatched={"birke": ["birke/ex9/*"]})["sites"]["birke"]
    assert site["state"] == "in order"
    [finding] = site["findings"]
    assert (finding["id"], finding["severity"]) == (
        "birke//description/acceptance_unmatched/birke%2Fex9%2F%2A/",
        "info",
    )
    assert "'birke/ex9/*'" in finding["words"]


def test_a_host_is_unknown_by_what_was_left_out_and_says_so() -> None:
    left = record("fortigate", "ex1", Part(LEFT_OUT, "Elsewhere."), None, playbook="drift")
    assert left is not None
    site = report(HostVerdict("ex1", "birke", (left,)))["sites"]["birke"]
    [finding] = site["findings"]
    assert (finding["id"], finding["words"]) == ("birke/ex1/run/not_looked_at//", "Elsewhere.")
    assert [each["layer"] for each in site["not_looked_at"]] == ["fortigate"]
    assert site["state"] == "unknown"
    [finding] = report(HostVerdict("ex1", "birke", ()))["sites"]["birke"]["findings"]
    assert finding["words"] == "Nothing of it was looked at."


@pytest.mark.parametrize(
    ("playbook", "fails"), [("drift", True), ("apply", True), ("probe", False)]
)
def test_what_fails_because_nobody_has_judged_it_is_found_and_no_test_passes(
    playbook: str, fails: bool
) -> None:
    """As the run itself says, and so does its check."""
    why = "Nobody has judged what a stranger gets."
    ex1 = HostVerdict("ex1", "birke", (Record("outside", "ex1", NOT_JUDGED, (why,)),))
    assert ex1.breaks(playbook) is fails
    assert ex1.breaks(playbook, check_mode=True) is fails
    whole = report(ex1, playbook=playbook)
    told = [(each["id"], each["words"]) for each in whole["sites"]["birke"]["findings"]]
    assert told == ([("birke/ex1/run/not_judged//", why)] if fails else [])
    suites = Tree.fromstring(as_junit.render(whole))
    assert int(suites.get("errors", "")) == fails
