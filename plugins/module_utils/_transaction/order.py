# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for an order of steps in which every half-way state is allowed."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Change
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    NoSafeOrder,
)

State = t.TypeVar("State")
State_contra = t.TypeVar("State_contra", contravariant=True)
Key = t.TypeVar("Key", bound=t.Hashable)

# How many half-way states are looked at before giving up. A plan of twelve changes that depend on
# each other has 4,096.
_MOST_STATES = 5000
_MOST_FAULTS = 3

Way = t.Sequence[Change[Key]]
"""The steps that make one change, to be taken in this order, with steps of other changes between
them.
"""

_Place = tuple[tuple[int, int], ...]
# Of each change the way that was chosen and the steps of it that are done.
_THROUGH = (-1, -1)


class StepJudge(t.Protocol[State_contra, Key]):
    """Says of a half-way state what is wrong with it."""

    def fault(self, state: State_contra, last: Change[Key]) -> str | None:
        """Why `state`, which `last` led to, breaks a promise, in one sentence; None when it does
        not.
        """


@dataclass
class _Node(t.Generic[State, Key]):
    place: _Place
    state: State
    candidates: t.Iterator[tuple[Change[Key], _Place]]
    faults: list[str] = field(default_factory=list)


def search(
    ways: t.Sequence[t.Sequence[Way[Key]]],
    start: State,
    apply: t.Callable[[Change[Key], State], State],
    judge: StepJudge[State, Key],
) -> list[Change[Key]]:
    """Steps in a safe order. `ways` has for each change the ways to make it, those to be tried
    first in front.

    Depth first, and no half-way state is looked at twice. Raises NoSafeOrder, with what stood in
    the way at the furthest point.
    """
    seen: set[_Place] = set()
    faults: list[str] = []
    furthest = -1
    steps: list[Change[Key]] = []
    beginning: _Place = tuple((0, 0) for _ways in ways)
    path = [_Node(beginning, start, _candidates(ways, beginning))]
    while path:
        node = path[-1]
        if all(done == _THROUGH for done in node.place):
            return steps
        for step, place in node.candidates:
            if place in seen:
                continue
            if len(seen) >= _MOST_STATES:
                raise NoSafeOrder(f"The search was given up after {_MOST_STATES} half-way states.")
            seen.add(place)
            state = apply(step, node.state)
            fault = judge.fault(state, step)
            if fault:
                node.faults.append(fault)
                continue
            steps.append(step)
            path.append(_Node(place, state, _candidates(ways, place)))
            break
        else:
            through = sum(done == _THROUGH for done in node.place)
            if through > furthest and node.faults:
                furthest, faults = through, node.faults[:_MOST_FAULTS]
            path.pop()
            del steps[-1:]
    raise NoSafeOrder(" ".join(dict.fromkeys(faults)))


def _candidates(
    ways: t.Sequence[t.Sequence[Way[Key]]], place: _Place
) -> t.Iterator[tuple[Change[Key], _Place]]:
    """The steps that may come next, each with the place that it leads to."""
    for index, (chosen, done) in enumerate(place):
        if (chosen, done) == _THROUGH:
            continue
        for way in range(len(ways[index])) if done == 0 else (chosen,):
            steps = ways[index][way]
            reached = _THROUGH if done + 1 == len(steps) else (way, done + 1)
            yield steps[done], (*place[:index], reached, *place[index + 1 :])
