# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host registered, and the verdict on it."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.action.run_report import Judge
from ansible_collections.mailedge.lockdown.tests.support.looks import look

TODAY = datetime.date(2026, 1, 14)


def registered(playbook: str, *layers: str, **variables: t.Any) -> dict[str, t.Any]:
    """The variables of a host that is to do these layers."""
    parts = {layer: {"how": "managed", "why": ""} for layer in layers}
    return {"__mailedge": {"parts": parts, "described": {"site": "birke"}}, **variables}


@pytest.mark.parametrize(
    ("looks", "state"),
    [
        ([look("a stranger", "closed", "closed")], "in order"),
        ([look("a stranger", "closed", "closed"), look("the filter", "open", "open")], "in order"),
        ([look("the filter", "open", "open")], "not judged"),
        ([look("the filter", "open", "open"), look("a stranger", "any", "open")], "not judged"),
        ([look("the filter", "open", "closed")], "drift"),
    ],
)
def test_outside_is_in_order_only_where_a_stranger_was_refused(looks: list[dict[str, t.Any]], state: str) -> None:
    found = Judge("drift", TODAY).host(
        "ex1", registered("drift", "outside", __mailedge_result_outside={"results": looks})
    )
    assert found.state == state
    if state == "not judged":
        assert "nobody knows what a stranger gets" in found.records[0].findings[0]
        assert found.breaks("drift")


def test_an_undo_that_could_not_give_all_back_is_not_called_done() -> None:
    undone = {"changed": True, "state": "in order", "plan": [], "not_restored": ["The receive connector 'x' is gone."]}
    variables = registered(
        "apply",
        "exchange",
        __mailedge_result_exchange=undone,
        __mailedge_failure="The proof failed.",
        __mailedge_undo_connectors="20260114T101500.250Z-4f1c2a-apply.json",
    )
    found = Judge("apply", TODAY).host("ex1", variables)
    assert found.trouble == (
        "The proof failed. What this run had changed could not be undone as a whole: The receive connector 'x' is gone."
    )
    whole = {**variables, "__mailedge_result_exchange": {**undone, "not_restored": []}}
    assert "What this run had changed was undone." in Judge("apply", TODAY).host("ex1", whole).trouble


def test_nothing_looked_at_is_nothing_to_report() -> None:
    """Also where drift is told only."""
    off = {"how": "not managed", "why": ""}
    parts = {"exchange": off, "outside": {"how": "not looked at", "why": ""}}
    judge = Judge("drift", TODAY)
    found = judge.host("ex1", {"__mailedge": {"parts": parts, "described": {"site": "birke"}}})
    assert set(judge.failing([found], report_only=True, check_mode=False)) == {"ex1"}
