# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs compared: what came, what went, since when."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.changes import (
    ReportError,
    checked,
    compared,
    merged,
    with_since,
)

Plain = dict[str, t.Any]
MONDAY, TUESDAY, WEDNESDAY = (f"2026-11-{day}T10:00:00Z" for day in (23, 24, 25))


def run(at: str, **sites: str) -> Plain:
    """A report: site → its state and the ids of its findings, with blanks between them."""
    made = {}
    for name, text in sites.items():
        state, *ids = text.split()
        findings = [{"id": f"{name}/{each}", "since": "", "words": at} for each in ids]
        made[name] = {"state": state, "findings": findings}
    return {"format": 1, "at": at, "sites": made}


def test_what_came_and_what_went_and_which_site_is_another() -> None:
    before = run(MONDAY, birke="drift a b", erle="open c", esche="drift d", ulme="drift x")
    now = run(TUESDAY, birke="drift b n", erle="drift", esche="drift d", linde="open e")
    told = compared(before, now)
    assert told["since"] == MONDAY
    assert [(each["site"], each["id"]) for each in told["appeared"]] == [("birke", "birke/n")]
    assert [(each["site"], each["id"]) for each in told["gone"]] == [
        ("birke", "birke/a"),
        ("erle", "erle/c"),
    ]
    assert told["states"] == {"erle": ["open", "drift"]}
    assert (told["new_sites"], told["missing_sites"]) == (["linde"], ["ulme"])
    # What a run was not to see is not missing.
    assert compared(before, now, partial=True)["missing_sites"] == []


def test_a_finding_is_there_since_the_report_that_had_it_first() -> None:
    first = with_since(run(MONDAY, birke="drift a"), None)
    second = with_since(run(TUESDAY, birke="drift a b"), first)
    third = with_since(run(WEDNESDAY, birke="drift a b"), second)
    assert [each["since"] for each in third["sites"]["birke"]["findings"]] == [MONDAY, TUESDAY]
    gone = with_since(run(TUESDAY, birke="drift b"), first)
    back = with_since(run(WEDNESDAY, birke="drift a"), gone)
    assert [each["since"] for each in back["sites"]["birke"]["findings"]] == [WEDNESDAY]


def test_a_run_on_some_sites_takes_nothing_from_what_is_known_of_the_others() -> None:
    whole = merged(None, run(MONDAY, birke="drift a", erle="open c"), partial=False)
    part = merged(whole, run(TUESDAY, birke="drift"), partial=True)
    assert {name: (site["state"], site["at"]) for name, site in part["sites"].items()} == {
        "birke": ("drift", TUESDAY),
        "erle": ("open", MONDAY),
    }
    # A site that is gone is gone with the next run that would have seen it.
    assert set(merged(part, run(WEDNESDAY, birke="drift"), partial=False)["sites"]) == {"birke"}


@pytest.mark.parametrize(
    "other",
    [
        None,
        [],
        "x",
        {},
        {"format": 2, "at": MONDAY, "sites": {}},
        {"format": 1, "sites": {}},
        {"format": 1, "at": MONDAY, "sites": []},
        {"format": 1, "at": MONDAY, "sites": {"birke": []}},
        {"format": 1, "at": MONDAY, "sites": {"birke": {"findings": [{}]}}},
        {"format": 1, "at": MONDAY, "sites": {"birke": {"findings": ["a"]}}},
    ],
)
def test_what_is_no_report_is_told(other: t.Any) -> None:
    with pytest.raises(ReportError):
        checked(other)


def test_a_report_is_taken_as_it_is() -> None:
    whole = run(MONDAY, birke="drift a")
    assert checked(whole) is whole
