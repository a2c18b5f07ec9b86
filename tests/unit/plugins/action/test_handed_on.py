# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an earlier run hands on to a rollback, and what a description does without it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.describe import Description
from ansible_collections.mailedge.lockdown.tests.support.described import WHOLE, described, parts

NAME = "20260114T101500.250Z-4f1c2a-apply.json"
SAVED = {"exchange": NAME, "fortigate": {"name": "birke-apply.json", "content": "{}"}}


def handed_on(entry: t.Mapping[str, t.Any], **more: t.Any) -> Description:
    given = {
        "mailedge_snapshots": {"birke-ex1": entry},
        **{f"mailedge_{name}": value for name, value in more.items()},
    }
    return described({**WHOLE, **given}, playbook="rollback")


def test_a_rollback_takes_what_an_earlier_run_handed_on() -> None:
    description = handed_on(SAVED)
    assert parts(description) == {"exchange": "managed", "fortigate": "managed"}
    assert description.values["exchange_snapshot"] == NAME
    assert (
        description.values["fortigate_snapshot"],
        description.values["fortigate_snapshot_content"],
    ) == (
        "birke-apply.json",
        "{}",
    )
    assert not {"snapshots", "report"} & set(description.values), (
        "it speaks of all hosts, and is not handed around"
    )


def test_what_the_earlier_run_had_not_changed_is_left_alone() -> None:
    assert parts(handed_on({"exchange": NAME})) == {
        "exchange": "managed",
        "fortigate": "not managed",
    }
    assert parts(handed_on({"fortigate": SAVED["fortigate"]})) == {
        "exchange": "not managed",
        "fortigate": "managed",
    }
    assert parts(handed_on({})) == {"exchange": "elsewhere", "fortigate": "elsewhere"}


@pytest.mark.parametrize(
    "entry", ["x", ["x"], {"exchange": ["x"]}, {"fortigate": "x"}, {"fortigate": {"name": 1}}]
)
def test_something_else_than_what_a_run_hands_on_is_an_error(entry: t.Any) -> None:
    assert handed_on(entry).errors == [
        "mailedge_snapshots has something else for birke-ex1 than what a run hands on."
    ]


def test_a_name_counts_more_than_what_was_handed_on() -> None:
    description = handed_on(SAVED, exchange_snapshot="original")
    assert description.values["exchange_snapshot"] == "original"
    assert parts(description) == {"exchange": "managed", "fortigate": "not managed"}


@pytest.mark.parametrize("playbook", ["apply", "drift", "snapshots", "probe"])
def test_other_playbooks_are_given_it_as_well_and_do_not_mind(playbook: str) -> None:
    variables = {
        **WHOLE,
        "mailedge_snapshots": {"birke-ex1": SAVED},
        "mailedge_report": {"birke": {}},
    }
    description = described(variables, playbook=playbook)
    assert not description.errors
    assert description.values["exchange_snapshot"] is None


def test_the_snapshots_are_listed_of_what_could_be_given_back() -> None:
    assert parts(described(WHOLE, playbook="snapshots")) == {
        "exchange": "managed",
        "fortigate": "managed",
    }
    other = described(WHOLE, playbook="snapshots", host="birke-ex2")
    assert parts(other) == {"exchange": "managed", "fortigate": "elsewhere"}
    without = described({**WHOLE, "mailedge_fortigate_token": ""}, playbook="snapshots")
    assert "mailedge_fortigate_token" in " ".join(without.errors)
