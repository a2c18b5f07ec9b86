# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change of one row."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Change,
)

ROW = {"name": "x", "enabled": True}


@pytest.mark.parametrize(
    ("change", "inverse"),
    [
        (Change("t", Action.CREATE, "x", {}, ROW), Change("t", Action.REMOVE, "x", ROW, {})),
        (
            Change("t", Action.MODIFY, "x", {"enabled": True}, {"enabled": False}),
            Change("t", Action.MODIFY, "x", {"enabled": False}, {"enabled": True}),
        ),
        (
            Change("t", Action.CREATE, "x", {}, ROW, place="y"),
            Change("t", Action.REMOVE, "x", ROW, {}, was="y"),
        ),
        (
            Change("t", Action.MOVE, "x", {}, {}, place="y", was="z"),
            Change("t", Action.MOVE, "x", {}, {}, place="z", was="y"),
        ),
    ],
)
def test_a_change_is_taken_back_by_its_inverse_and_given_again(
    change: Change[str], inverse: Change[str]
) -> None:
    assert change.invert() == inverse
    assert inverse.invert() == change


def test_an_action_is_its_text() -> None:
    assert Action("create") is Action.CREATE
    assert json.dumps(Action.MODIFY) == '"modify"'


def test_what_a_change_holds_is_not_printed() -> None:
    assert "canary" not in repr(Change("t", Action.CREATE, "x", {}, {"password": "canary"}))
