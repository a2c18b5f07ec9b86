# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A safe order for a plan: every half-way state is judged by the model of the policies.

At every step a sender keeps every right that start and goal share, and gains none that neither
grants. What nobody refers to yet is made first and what nobody refers to any more is removed last,
by rank; in between, changes of policies and of what they refer to are searched for an order.
"""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import (
    Opaque,
    Sources,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Key
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import (
    SOURCES,
    TABLES,
    Change,
    apply_all,
    change_sentence,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.questions import (
    Question,
    Rights,
    Views,
    names_of,
    questions,
    rights,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.sentences import words
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    GROUP,
    GROUP6,
    POLICY,
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    NoSafeOrder,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.order import search

# Lists that may be changed in two steps, by way of what is there before or after.
_GROWING = (*SOURCES, "dstaddr", "dstaddr6", "member")


def order(changes: t.Sequence[Change], start: DeviceState) -> tuple[Change, ...]:
    """The changes in a safe order, some of them split in two steps; they come by rank. Raises
    NoSafeOrder.
    """
    first, middle, last = _parts(changes)
    if POLICY not in start.rows or not middle:
        return tuple(changes)
    base = apply_all(first, start)
    judge = Judge(base, apply_all(middle, base), middle)
    if judge.first_fault(middle) is None:
        return tuple(changes)
    reasons = ""
    # In as few steps as may be, and only where that does not do with split ones.
    for most in (1, None):
        try:
            ordered = search([_ways(change)[:most] for change in middle], base, TABLES.apply, judge)
            return (*first, *ordered, *last)
        except NoSafeOrder as error:
            reasons = str(error)
    raise NoSafeOrder(
        "There is no order of these changes in which every step is safe, and this FortiOS does not "
        f"make them together. Nothing was changed. {reasons} Make the changes in two runs, with a "
        "state in between that shuts nobody out."
    )


def first_fault(steps: t.Sequence[Change], start: DeviceState) -> str | None:
    """What these steps, taken one by one in just this order, would break first; None where they
    are safe.
    """
    first, middle, _last = _parts(steps)
    if POLICY not in start.rows or not middle:
        return None
    base = apply_all(first, start)
    return Judge(base, apply_all(middle, base), middle).first_fault(middle)


def _parts(changes: t.Iterable[Change]) -> tuple[list[Change], list[Change], list[Change]]:
    """Those that nobody meets yet, those that are met, and those that nobody meets any more."""
    first: list[Change] = []
    middle: list[Change] = []
    last: list[Change] = []
    for change in changes:
        if change.table != POLICY and change.action == Action.CREATE:
            first.append(change)
        elif change.table != POLICY and change.action == Action.REMOVE:
            last.append(change)
        else:
            middle.append(change)
    return first, middle, last


class Judge:
    """Every half-way state between `start` and `goal`, judged where the last step can have changed
    it.
    """

    def __init__(self, start: DeviceState, goal: DeviceState, steps: t.Sequence[Change]) -> None:
        self._start, self._goal, self._views = start, goal, Views((start, goal))
        self._asked: dict[Key, tuple[Question, ...]] = {}
        for step in steps:
            if step.table == POLICY and self._key(step) not in self._asked:
                rows = [
                    entry[1] for state in (start, goal) if (entry := state.find(POLICY, step.key))
                ]
                self._asked[self._key(step)] = questions(self._views, rows)
        if any(step.table != POLICY for step in steps):
            # Whoever refers to a changed object may be met in another way; all that could be asked
            # of a policy that is in force.
            for state in (start, goal):
                for key, row in state.table(POLICY).items():
                    if key not in self._asked and any(_refers(state, row, step) for step in steps):
                        self._asked[key] = questions(self._views, [row])
        every = dict.fromkeys(question for asked in self._asked.values() for question in asked)
        self._every = tuple(every)
        # The names that it is about, and who gets through before and after, in each possible world.
        self._ends: dict[Question, tuple[frozenset[Opaque], list[tuple[Rights, Rights]]]] = {}

    def _key(self, step: Change) -> Key:
        known = self._start.policy_key(step.key)
        return step.key if known is None else known

    def first_fault(self, steps: t.Sequence[Change]) -> str | None:
        """What these steps, taken in just this order, would break first."""
        state = self._start
        for step in steps:
            state = TABLES.apply(step, state)
            fault = self.fault(state, step)
            if fault:
                return fault
        return None

    def fault(self, state: DeviceState, last: Change) -> str | None:
        """Why the state, which `last` led to, breaks a promise, in sentences; None where it does
        not.
        """
        if last.table in (GROUP, GROUP6) and _holds_itself(state, last.table, str(last.key)):
            return (
                f"{change_sentence(last)[:-1]} would for a time make the group a member of itself."
            )
        if self._stands_before_one_to_come(state, last):
            return f"{change_sentence(last)[:-1]} would put it last until that one is made."
        asked = self._asked.get(self._key(last), ()) if last.table == POLICY else self._every
        form = state.find(POLICY, last.key) if last.table == POLICY else None
        if form is not None:
            self._views.note(*form)
        for moment in (_unplaced(state, last), state):
            if moment is not None:
                for question in asked:
                    fault = self._fault(moment, question)
                    if fault:
                        return f"{change_sentence(last)[:-1]} {fault}"
        return None

    def _stands_before_one_to_come(self, state: DeviceState, last: Change) -> bool:
        return (
            last.table == POLICY
            and last.action == Action.CREATE
            and last.place is not None
            and state.find(POLICY, last.place) is None
            and self._goal.find(POLICY, last.place) is not None
        )

    def _fault(self, state: DeviceState, question: Question) -> str | None:
        version = question.target.version
        if question not in self._ends:
            both = [self._views.meetings_of(end, question) for end in (self._start, self._goal)]
            names = names_of(itertools.chain(*both))
            self._ends[question] = (
                names,
                list(zip(*(rights(meetings, version, names) for meetings in both))),
            )
        names, ends = self._ends[question]
        for now, (before, after) in zip(
            rights(self._views.meetings_of(state, question), version, names), ends
        ):
            short = (before & after) - now
            if short:
                return f"would for a time shut out {_whom(short)} from {question.target}."
            over = now - (before | after)
            if over:
                return (
                    f"would for a time let in {_whom(over)} to {question.target}, which is closed "
                    "to them before and after."
                )
        return None


def _whom(rights: Rights) -> str:
    return words(Sources(rights.ranges, rights.names))


def _refers(state: DeviceState, row: t.Mapping[str, t.Any], step: Change) -> bool:
    """Whether a policy names a changed object, by itself or by a group."""
    if step.table == POLICY:
        return False
    waiting = [
        str(name) for value in row.values() if isinstance(value, (list, tuple)) for name in value
    ]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name == str(step.key):
            return True
        if name not in seen:
            seen.add(name)
            for rows in state.rows.values():
                waiting += [str(member) for member in rows.get(name, {}).get("member") or ()]
    return False


def _holds_itself(state: DeviceState, table: str, group: str) -> bool:
    waiting: list[str] = [group]
    seen: set[str] = set()
    while waiting:
        members = {
            str(member) for member in state.table(table).get(waiting.pop(), {}).get("member") or ()
        }
        if group in members:
            return True
        waiting += members - seen
        seen |= members
    return False


def _unplaced(state: DeviceState, last: Change) -> DeviceState | None:
    """The state between making a policy, which puts it last, and moving it to its place."""
    if last.table != POLICY or last.action != Action.CREATE or last.place is None:
        return None
    policies = dict(state.table(POLICY))
    policies[last.key] = policies.pop(last.key)
    return dataclasses.replace(state, rows={**state.rows, POLICY: policies})


# ------------------------------------------------------------ ways


def _ways(change: Change) -> list[tuple[Change, ...]]:
    """The ways to make a change: in as few steps as may be, then in more."""
    ways: list[tuple[Change, ...]] = [(change,)]
    if change.action == Action.CREATE and change.after.get("status", "enable") == "enable":
        closed = dataclasses.replace(change, after={**change.after, "status": "disable"})
        ways.append((closed, _part(change, {"status": ("disable", "enable")})))
    if change.action != Action.MODIFY:
        return ways
    pairs = {field: (change.before.get(field), value) for field, value in change.after.items()}
    switch = {field: pair for field, pair in pairs.items() if field == "status"}
    rest = {field: pair for field, pair in pairs.items() if field not in switch}
    if switch and rest:
        parts = (_part(change, switch), _part(change, rest))
        ways.append(parts if change.after["status"] == "disable" else parts[::-1])
    grown = {field: _grown(*pair) for field, pair in pairs.items() if field in _GROWING}
    grown = {field: both for field, both in grown.items() if both}
    if grown:
        first = {field: (pairs[field][0], both) for field, both in grown.items()}
        second = {field: (grown.get(field, old), new) for field, (old, new) in pairs.items()}
        ways.append((_part(change, first), _part(change, second)))
    return ways


def _grown(old: t.Sequence[t.Any] | None, new: t.Sequence[t.Any] | None) -> list[t.Any]:
    """What is in a list before or after; nothing where that is no step of its own."""
    if not old or not new:
        return []
    both = [*old, *(name for name in new if name not in old)]
    return both if len(both) > max(len(old), len(new)) else []


def _part(change: Change, fields: t.Mapping[str, tuple[t.Any, t.Any]]) -> Change:
    name = change.before.get("name") or change.after.get("name")
    named = {"name": name} if change.table == POLICY else {}
    return Change(
        change.table,
        Action.MODIFY,
        change.key,
        {**named, **{field: pair[0] for field, pair in fields.items()}},
        {field: pair[1] for field, pair in fields.items()},
    )
