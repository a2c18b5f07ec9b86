# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How findings are settled, in every layer."""

from __future__ import annotations

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    WARN,
    Finding,
    Registry,
    refusal,
)

GUARDS = Registry(
    {"shut_out": "Somebody would be shut out.", "left_open": "Somebody would get in."}
)
OUT, OPEN = Finding("shut_out", STOP, "A is shut out."), Finding("left_open", WARN, "B gets in.")


def test_what_stops_stands_first_and_nothing_twice() -> None:
    assert GUARDS.settle([OPEN, OUT, OPEN], []) == (OUT, OPEN)


@pytest.mark.parametrize(("accepted", "exempt"), [(["shut_out"], ()), ([], ["shut_out"])])
def test_what_is_accepted_or_exempt_is_still_told(accepted: list[str], exempt: list[str]) -> None:
    settled = GUARDS.settle([OUT], accepted, exempt)
    assert [finding.as_dict() for finding in settled] == [
        {"id": "shut_out", "severity": "warn", "sentence": "A is shut out."}
    ]
    assert refusal(settled) == ""


def test_every_guard_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(
        PlanError,
        match="names 'a' and 'b', which are no guards. The guards are: left_open, shut_out.",
    ):
        GUARDS.settle([], ["b", "shut_out", "a"])
    assert GUARDS.unknown(["x"]).startswith("accept_risks names 'x', which is no guard.")
    assert GUARDS.unknown(["shut_out", "left_open"]) == ""


def test_a_finding_of_a_guard_that_nobody_registered_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        GUARDS.settle([Finding("unheard_of", STOP, "C.")], [])


def test_a_refusal_names_everything_and_each_way_past_it_once() -> None:
    again = Finding("shut_out", STOP, "D is shut out.")
    assert refusal([OUT, again, OPEN]) == (
        "A is shut out. (guard shut_out) D is shut out. (guard shut_out) Nothing was changed. "
        "Change the description, or name shut_out in accept_risks if this is what you want."
    )


def test_a_refusal_tells_what_helps_against_each_of_its_findings() -> None:
    held = Finding("left_open", STOP, "E has it.", remedy="run it again")
    assert refusal([OUT, held]).endswith(
        "Change the description and run it again, or name shut_out and left_open in accept_risks "
        "if this is what you want."
    )
    assert "description" not in refusal([held])


@pytest.mark.parametrize(("accepted", "exempt"), [(["shut_out"], ()), ([], ["shut_out"])])
def test_what_cannot_be_done_stops_whoever_accepts_it(
    accepted: list[str], exempt: list[str]
) -> None:
    never = Finding("shut_out", STOP, "The server refuses it.", final=True)
    assert GUARDS.settle([never], accepted, exempt) == (never,)
    # With it no way past the others is offered either.
    assert refusal([OPEN, Finding("left_open", STOP, "C gets in."), never]) == (
        "C gets in. (guard left_open) The server refuses it. (guard shut_out) Nothing was changed. "
        "Change the description: this cannot be done, even if it is accepted."
    )


def test_nothing_stops_where_nothing_is_told_or_only_warned_of() -> None:
    assert GUARDS.settle([], ["shut_out"]) == ()
    assert refusal([]) == refusal([OPEN]) == ""
