# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a run, from what it hands on to what each layer of a host is told of it."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.plan import (
    NOTHING,
    approved,
    handed_on,
)
from ansible_collections.mailedge.lockdown.tests.support.described import WHOLE, described
from ansible_collections.mailedge.lockdown.tests.tools.documentation import REPOSITORY

HOST, OTHER = "birke-ex1", "birke-ex2"
FIRST, SECOND, THIRD = (digit * 32 for digit in "1ab")
RESULTS: dict[str, dict[str, dict[str, t.Any]]] = {
    OTHER: {"exchange": {"plan_digest": THIRD, "plan": ["Narrow it."]}},
    HOST: {
        "exchange": {"plan_digest": FIRST, "plan": ["Make one.", "Narrow one."]},
        "fortigate way in": {"plan_digest": SECOND, "plan": ["Make a group."]},
        "iis": {"plan_digest": "", "plan": []},
        "windows tls": {"failed": True, "plan_digest": THIRD, "plan": ["Switch it off."]},
        "outside": {"looks": []},
    },
}
PLAN = handed_on(RESULTS)


def test_a_plan_names_every_layer_that_would_be_changed_and_none_that_failed() -> None:
    assert PLAN["hosts"] == {
        HOST: {"exchange": FIRST, "fortigate way in": SECOND},
        OTHER: {"exchange": THIRD},
    }
    assert PLAN["summary"] == [
        "birke-ex1, exchange: Make one.",
        "birke-ex1, exchange: Narrow one.",
        "birke-ex1, fortigate way in: Make a group.",
        "birke-ex2, exchange: Narrow it.",
    ]
    assert handed_on(dict(reversed(RESULTS.items()))) == PLAN


def test_the_artifact_and_its_digest_say_the_same_of_a_host() -> None:
    told = approved(PLAN, HOST)
    assert told == {
        "exchange": {"digest": FIRST, "plan": ["Make one.", "Narrow one."]},
        "fortigate way in": {"digest": SECOND, "plan": ["Make a group."]},
    }
    assert approved(json.dumps(PLAN), HOST) == told
    for text in (PLAN["digest"], PLAN["digest"].replace(", ", "\n"), f" {PLAN['digest']} "):
        by_text = approved(text, HOST)
        assert {layer: plan["digest"] for layer, plan in by_text.items()} == PLAN["hosts"][HOST]
    assert approved(PLAN["digest"], "birke-ex3") == {}


def test_a_plan_of_no_change_is_a_plan_and_not_none_at_all() -> None:
    nothing = handed_on({HOST: {"exchange": {"plan_digest": ""}}})
    assert nothing["digest"] == NOTHING
    assert approved(NOTHING, HOST) == {}
    values = described({**WHOLE, "mailedge_approved_plan": nothing["digest"]}).values
    assert set(map(str, values["approved_plan"])) >= {"exchange", "fortigate way in"}
    assert {plan["digest"] for plan in values["approved_plan"].values()} == {""}


@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_an_empty_text_approves_nothing(empty: str) -> None:
    """As a script gives it whose check has failed: `-e mailedge_approved_plan="$DIGEST"`."""
    (wrong,) = described({**WHOLE, "mailedge_approved_plan": empty}).errors
    assert "which approves nothing" in wrong
    assert "'nothing' where nothing was to be changed" in wrong
    assert not described({**WHOLE, "mailedge_approved_plan": empty}, playbook="drift").errors


def test_what_is_not_set_refuses_nothing() -> None:
    description = described({**WHOLE, "mailedge_approved_plan": None})
    assert not description.errors
    assert description.values["approved_plan"] is None


def test_every_layer_that_is_managed_is_told_what_was_approved_of_it() -> None:
    values = described({**WHOLE, "mailedge_approved_plan": PLAN}).values["approved_plan"]
    assert values["exchange"]["digest"] == FIRST
    assert values["fortigate way in"]["digest"] == SECOND
    assert (
        described({**WHOLE, "mailedge_approved_plan": PLAN}, playbook="drift").values[
            "approved_plan"
        ]
        is None
    )


def test_a_layer_that_is_not_managed_any_more_was_approved_for_nothing() -> None:
    without = {name: value for name, value in WHOLE.items() if "fortigate" not in name}
    (error,) = described({**without, "mailedge_approved_plan": PLAN}).errors
    assert "changes fortigate way in, which this run does not manage there" in error


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("5", "It has '5', which is no digest of a layer"),
        (f"{HOST}/exchange=12", "no digest of a layer"),
        ("{", "It begins like JSON and is none."),
        (["x"], "It has to be what a run of apply in check mode hands on"),
        ({"digest": "x"}, "It has to be what a run of apply in check mode hands on"),
        ({"hosts": {HOST: ["exchange"]}}, "What it says of birke-ex1 is not what a run hands on."),
        ({"hosts": {HOST: {"exchange": 1}}}, "is not what a run hands on."),
    ],
)
def test_what_is_no_plan_is_refused(given: t.Any, why: str) -> None:
    (error,) = described({**WHOLE, "mailedge_approved_plan": given}).errors
    assert error.startswith("mailedge_approved_plan cannot be used. ")
    assert why in error


def test_every_task_that_locks_beside_the_server_is_given_its_part() -> None:
    lock = REPOSITORY / "roles" / "fortigate" / "tasks" / "lock.yml"
    (block,) = yaml.safe_load(lock.read_text(encoding="utf-8"))
    tenant = REPOSITORY / "roles" / "exchange_online" / "tasks" / "lock.yml"
    tasks = [*block["block"], yaml.safe_load(tenant.read_text(encoding="utf-8"))[0]]
    layers = ("fortigate feed", "fortigate way in", "fortigate way out", "exchange online")
    for task, layer in zip(tasks, layers, strict=True):
        (options,) = [value for key, value in task.items() if key.startswith("mailedge.lockdown.")]
        assert f"['{layer}']" in options["approved_plan"]
        assert layer in task["when"]


def test_the_plan_of_an_earlier_job_is_known_and_not_read() -> None:
    description = described({**WHOLE, "mailedge_plan": PLAN})
    assert not description.errors
    assert description.values["approved_plan"] is None
