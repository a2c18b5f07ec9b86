# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells one plan from another, and when another one is refused."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import TABLES
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import (
    RECEIVE as RECEIVE_TABLE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import (
    SEND as SEND_TABLE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.approval import (
    Approved,
    digest,
    given,
    refusal,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Change,
)

RECEIVE, SEND = RECEIVE_TABLE.name, SEND_TABLE.name
NARROWED = Change(RECEIVE, Action.MODIFY, "Default EX1", {"enabled": True}, {"enabled": False})
MADE: Change[str] = Change(
    RECEIVE, Action.CREATE, "Mail from filter", {}, {"enabled": True, "comment": "of the lock"}
)
GONE: Change[str] = Change(RECEIVE, Action.REMOVE, "Scanner", {"comment": "2nd floor"}, {})
MOVED: Change[str] = Change(RECEIVE, Action.MOVE, "A", {"name": "B"}, {}, place="C", was="D")


def of(*changes: Change[t.Any], layer: str = "exchange", **whose: str) -> str:
    return digest(TABLES, changes, layer=layer, of=whose or {"server": "EX1"})


def test_the_order_of_changes_and_options_means_nothing() -> None:
    digests = {of(*order) for order in itertools.permutations([NARROWED, MADE, GONE])}
    assert len(digests) == 1
    turned = dataclasses.replace(MADE, after=dict(reversed(list(MADE.after.items()))))
    assert of(turned) == of(MADE)
    assert of(dataclasses.replace(NARROWED, key="default ex1")) == of(NARROWED)


def test_every_part_of_a_change_counts() -> None:
    others = [
        NARROWED,
        MADE,
        GONE,
        MOVED,
        dataclasses.replace(NARROWED, before={"enabled": False}, after={"enabled": True}),
        dataclasses.replace(NARROWED, after={"enabled": False, "comment": "x"}),
        dataclasses.replace(NARROWED, key="Default EX2"),
        dataclasses.replace(NARROWED, table=SEND),
        dataclasses.replace(GONE, before={"comment": "3rd floor"}),
        dataclasses.replace(MOVED, place="E"),
    ]
    digests = [of(change) for change in others] + [of(NARROWED, MADE), of(NARROWED, NARROWED)]
    assert len(set(digests)) == len(digests)


def test_a_plan_is_of_one_layer_and_one_server() -> None:
    others = [
        of(MADE),
        of(MADE, layer="iis"),
        of(MADE, server="EX2"),
        of(MADE, tenant="EX1"),
        of(MADE, server="EX1", site="Back End"),
    ]
    assert len(set(others)) == len(others)
    assert of(MADE, server="ex1") == of(MADE), "Windows compares names without case"
    assert of(server="EX2") == ""


def test_a_secret_has_no_part_in_it() -> None:
    made = Change(SEND, Action.CREATE, "Out", {}, {"enabled": True})
    login = {"authentication_credential": {"username": "relay", "password": "canary"}}
    assert of(dataclasses.replace(made, after={**made.after, **login})) == of(made)


def test_no_change_has_no_digest_and_needs_no_approval() -> None:
    assert of() == ""
    assert refusal(Approved(of(MADE)), of(), []) == ""
    assert refusal(Approved(""), "", []) == ""


def test_without_an_approved_plan_any_may_be_carried_out() -> None:
    assert given(None) is None
    assert refusal(given(None), of(MADE), ["Make it."]) == ""


@pytest.mark.parametrize(
    ("approved", "told"),
    [
        ({"digest": of(MADE), "plan": ["Make it."]}, ""),
        ({"digest": of(MADE)}, ""),
        ({}, "No change was approved here, but one would be made: Make it. Nothing was"),
        ({"digest": of(GONE)}, "It is now: Make it. Nothing was changed by this task."),
        (
            {"digest": of(GONE), "plan": ["Take the scanner's away."]},
            "Planned now, and not approved: Make it. Approved, and not planned any more: Take the "
            "scanner's away. Nothing was changed by this task.",
        ),
        ({"digest": of(GONE), "plan": ["Make it."]}, "It reads the same, but what is there now is"),
    ],
)
def test_another_plan_is_refused_and_the_difference_is_told(
    approved: dict[str, t.Any], told: str
) -> None:
    sentence = refusal(given(approved), of(MADE), ["Make it."])
    assert bool(sentence) == bool(told)
    assert told in sentence
