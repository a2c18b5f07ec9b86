# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for an order, held against every order that there is."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Change,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    NoSafeOrder,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.order import search

# A state is the set of the effects that are there. Every way to make a change has the same effects
# in the end, in other steps.
Effects = frozenset[str]
Ways = list[list[list[Change[str]]]]
NOTHING: Effects = frozenset()


class After:
    """Allows an effect only beside those that it needs."""

    def __init__(self, needs: t.Mapping[str, Effects]) -> None:
        self.needs = needs

    def fault(self, state: Effects, last: Change[str]) -> str | None:
        early = sorted(held for held in state if not self.needs.get(held, frozenset()) <= state)
        return f"{last.key}: {early[0]} is too early." if early else None


def _apply(step: Change[str], state: Effects) -> Effects:
    return state | frozenset(step.after)


def _ways(*changes: list[list[str]]) -> Ways:
    """For each change its ways, each a list of steps; that of `ab` has the effects a and b."""
    return [
        [
            [Change("t", Action.MODIFY, f"{number}", {}, dict.fromkeys(step, True)) for step in way]
            for way in ways
        ]
        for number, ways in enumerate(changes)
    ]


def _texts(steps: t.Iterable[Change[str]]) -> list[str]:
    return ["".join(step.after) for step in steps]


def _interleaved(parts: t.Sequence[t.Sequence[Change[str]]]) -> t.Iterator[list[Change[str]]]:
    """Every order of steps that keeps the order within each part."""
    if not any(parts):
        yield []
    for index, part in enumerate(parts):
        if part:
            rest = [*parts[:index], part[1:], *parts[index + 1 :]]
            for others in _interleaved(rest):
                yield [part[0], *others]


def _is_safe(steps: t.Sequence[Change[str]], judge: After) -> bool:
    state = NOTHING
    for step in steps:
        state = _apply(step, state)
        if judge.fault(state, step):
            return False
    return True


# What a change of two or three effects can be made in.
_SPLITS = {
    "ab": [["ab"], ["a", "b"], ["b", "a"]],
    "cde": [["cde"], ["c", "d", "e"], ["e", "cd"], ["d", "e", "c"]],
    "fg": [["fg"], ["f", "g"], ["g", "f"]],
}


@st.composite
def _cases(draw: st.DrawFn) -> tuple[Ways, After]:
    changes = [
        draw(st.lists(st.sampled_from(splits), min_size=1, max_size=3, unique_by=tuple))
        for splits in _SPLITS.values()
    ]
    pairs = st.tuples(st.sampled_from("abcdefg"), st.sampled_from("abcdefg"))
    needs: dict[str, Effects] = {}
    for effect, needed in draw(st.lists(pairs, min_size=2, max_size=6)):
        needs[effect] = needs.get(effect, frozenset()) | {needed}
    return _ways(*changes), After(needs)


@given(_cases())
def test_an_order_is_found_exactly_where_there_is_one(case: tuple[Ways, After]) -> None:
    ways, judge = case
    possible = any(
        _is_safe(steps, judge)
        for chosen in itertools.product(*ways)
        for steps in _interleaved(chosen)
    )
    event("possible" if possible else "impossible")
    try:
        steps = search(ways, NOTHING, _apply, judge)
    except NoSafeOrder:
        assert not possible
        return
    assert possible
    assert _is_safe(steps, judge)
    for number, choices in enumerate(ways):
        assert [step for step in steps if step.key == f"{number}"] in choices


def test_a_dead_end_is_left_and_what_was_taken_before_it_stays() -> None:
    """The first way of the second change begins well and leads nowhere."""
    ways = _ways([["a"]], [["c", "d", "e"], ["d", "ce"]], [["f"]])
    judge = After(
        {"c": frozenset("a"), "d": frozenset("a"), "e": frozenset("f"), "f": frozenset("a")}
    )
    assert _texts(search(ways, NOTHING, _apply, judge)) == ["a", "c", "d", "f", "e"]
    judge = After({"a": frozenset(), "e": frozenset("c"), "f": frozenset("e"), "d": frozenset("f")})
    ways = _ways([["a"]], [["c", "d", "e"], ["c", "e", "d"]], [["f"]])
    assert _texts(search(ways, NOTHING, _apply, judge)) == ["a", "c", "e", "f", "d"]


def test_where_there_is_none_it_says_what_stood_in_the_way_at_the_furthest_point() -> None:
    judge = After({"a": frozenset("c"), "c": frozenset("a")})
    with pytest.raises(NoSafeOrder) as stopped:
        search(_ways([["a"]], [["c"]], [["f"]]), NOTHING, _apply, judge)
    assert str(stopped.value) == "0: a is too early. 1: c is too early."
