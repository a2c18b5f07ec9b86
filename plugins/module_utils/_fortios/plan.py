# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The device's tables: when rows differ, and by which rank they are changed.

What is referred to comes first, then whatever lets more through (an accept policy, more sources, a
deny that goes), then whatever lets less through, and last what nobody refers to any more. That is
nearly always a safe order; where it is not, steps.py finds another one.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Key, Row
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    ADDRESS,
    ADDRESS6,
    FEED,
    FEED_ENTRIES,
    GROUP,
    GROUP6,
    NOUNS,
    POLICY,
    SERVICE,
    SERVICE_GROUP,
    DeviceState,
    same,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    change as transaction,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Desired,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.tables import (
    Table,
    Tables,
)

_REFERRED = (FEED, FEED_ENTRIES, ADDRESS, ADDRESS6, SERVICE, SERVICE_GROUP, GROUP, GROUP6)
SOURCES = (
    "srcaddr",
    "srcaddr6",
    "internet-service-src-name",
    "internet-service-src-group",
    "internet-service-src-custom",
)
SECRETS = frozenset({"password"})
_LONGEST_LIST = 6


Change = transaction.Change[Key]
"""A change of an entry: the table is its path in the API, the key its name, of a policy its number
or its name.

MODIFY holds the fields that differ, REMOVE the whole entry. `place` and `was` are policies.
"""


def change_sentence(change: Change) -> str:
    """One change as one sentence for the operator; never with a secret."""
    what = f"the {NOUNS.get(change.table, change.table)} {_named(change)}"
    if change.action == Action.CREATE:
        place = f", right before policy {change.place}" if change.place is not None else ""
        return f"Create {what}{_about(change.after)}{place}."
    if change.action == Action.REMOVE:
        return f"Remove {what}."
    if change.action == Action.MOVE:
        return f"Move {what} right before policy {change.place}."
    differences = (
        _field_words(name, change.before.get(name), value) for name, value in change.after.items()
    )
    return f"Change {what}: {'; '.join(differences)}."


def _named(change: Change) -> str:
    name = change.before.get("name") or change.after.get("name")
    if isinstance(change.key, int):
        return f"{change.key} '{name}'" if name else str(change.key)
    return f"'{change.key}'"


def _about(row: t.Mapping[str, t.Any]) -> str:
    for name in ("subnet", "ip6", "fqdn", "resource", "tcp-portrange"):
        if row.get(name):
            return f" ({row[name]})"
    if "entries" in row:
        return f" with {len(row['entries'])} range(s)"
    if "member" in row:
        return f" of {len(row['member'])} member(s)"
    if "action" in row:
        sources = next((row[name] for name in SOURCES if row.get(name)), ["nobody"])
        return (
            f" that {'accepts' if row['action'] == 'accept' else 'refuses'} {_listed(sources)} to "
            f"{_listed(row.get('dstaddr') or row.get('dstaddr6') or [])}"
        )
    return ""


def _listed(names: t.Sequence[t.Any]) -> str:
    shown = [f"'{name}'" for name in list(names)[:_LONGEST_LIST]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "") if shown else "nothing"


def _field_words(name: str, before: t.Any, after: t.Any) -> str:
    if name in SECRETS:
        return f"{name} is set anew"
    if isinstance(before, list) or isinstance(after, list):
        old, new = [str(value) for value in before or []], [str(value) for value in after or []]
        gone, come = (
            [value for value in old if value not in new],
            [value for value in new if value not in old],
        )
        parts = [
            f"{word} {_listed(names)}"
            for word, names in (("without", gone), ("with", come))
            if names
        ]
        return f"{name} {' and '.join(parts)}" if parts else f"{name} as a list of {len(new)}"
    return (
        f"{name} {before if before not in (None, '') else 'unset'} → "
        f"{after if after not in (None, '') else 'unset'}"
    )


# A policy that has to be made anew gets a new number and universally unique id.
_NOT_KEPT = frozenset({"policyid", "uuid", "global-label"}) | SECRETS


class Entries(Table[DeviceState, Key]):
    """The entries of one table of the device."""

    def __init__(self, path: str) -> None:
        self.noun = NOUNS[path]
        self._path = path

    def find(self, state: DeviceState, key: Key) -> tuple[Key, Row] | None:
        return state.find(self._path, key)

    def created(self, state: DeviceState, desired: Desired[Key]) -> Row:
        if not desired.options or isinstance(desired.key, int):
            raise PlanError(
                f"The {self.noun} {desired.key} does not exist any more, and it is not known "
                "whole. Nothing was changed."
            )
        return {"name": desired.key, **desired.options}

    def differing(
        self, row: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]
    ) -> tuple[Row, Row]:
        after = {
            name: value
            for name, value in options.items()
            if not same(name, row.get(name), value) or name in SECRETS
        }
        named = {"name": row.get("name", "")} if self._path == POLICY else {}
        return {**named, **{name: row.get(name) for name in after}}, after

    def apply(self, change: Change, state: DeviceState) -> DeviceState:
        return self.apply_all([change], state)

    def apply_all(self, changes: t.Iterable[Change], state: DeviceState) -> DeviceState:
        """The state after changes of this table."""
        entries = dict(state.table(self._path))
        order: list[Key] = []  # Filled where something is put before something else.
        numbers: dict[str, Key] = {}

        def known(key: Key | None) -> Key | None:
            if key in entries or self._path != POLICY:
                return key
            if not numbers and isinstance(key, str):
                names = (
                    (str(row.get("name") or ""), number)
                    for number, row in reversed(entries.items())
                )
                numbers.update((name, number) for name, number in names if name)
            return numbers.get(key) if isinstance(key, str) else None

        for change in changes:
            # What is made is not there under its name, and has none to be looked for.
            known_key = change.key if change.action == Action.CREATE else known(change.key)
            key = change.key if known_key is None else known_key
            if change.action == Action.REMOVE:
                if entries.pop(key, None) is not None and order:
                    order.remove(key)
                continue
            if change.place is not None and not order:
                order = list(entries)
            there = key in entries
            if change.action == Action.CREATE:
                entries[key] = dict(change.after)
            elif change.action == Action.MODIFY:
                entries[key] = {**entries[key], **change.after}
            if change.place is None:
                order += [key] if order and not there else []
                continue
            if there:
                order.remove(key)
            place = known(change.place)
            order.insert(order.index(place) if place in entries else len(order), key)
        placed = {key: entries[key] for key in order} if order else entries
        return dataclasses.replace(state, rows={**state.rows, self._path: placed})

    def plain(self, row: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return {
            field: value
            for field, value in row.items()
            if field not in _NOT_KEPT and field != "name"
        }

    def undone(self, change: Change) -> tuple[Desired[Key], t.Sequence[str]]:
        """Secrets are not restored: the device answers them masked."""
        if change.action == Action.CREATE:
            return Desired(self._path, change.key, None), ()
        if change.action == Action.REMOVE:
            name = change.before.get("name") if self._path == POLICY else None
            return Desired(
                self._path, name or change.key, self.plain(change.before), change.was
            ), ()
        before = {name: change.before.get(name) for name in change.after}
        return Desired(self._path, change.key, self.plain(before), change.was), ()

    def keys(self, state: DeviceState) -> t.Sequence[Key]:
        return list(state.table(POLICY)) if self._path == POLICY else ()


class DeviceTables(Tables[DeviceState, Key]):
    """The tables that are written to."""

    def apply_all(self, changes: t.Iterable[Change], state: DeviceState) -> DeviceState:
        """No entry's place or name depends on another table, so that each table is made once."""
        by_table: dict[str, list[Change]] = {}
        for change in changes:
            by_table.setdefault(change.table, []).append(change)
        for table, its in by_table.items():
            state = t.cast(Entries, self[table]).apply_all(its, state)
        return state

    def plan(self, state: DeviceState, desired: t.Iterable[Desired[Key]]) -> tuple[Change, ...]:
        """The changes by rank; within a rank, in the order of what is desired."""
        changes = super().plan(state, desired)
        nesting = _nesting(changes)
        ranked = sorted(changes, key=lambda change: _rank(change, nesting))
        return tuple(_behind_their_places(ranked))

    def way_back(
        self, changes: t.Iterable[Change]
    ) -> tuple[tuple[Desired[Key], ...], tuple[str, ...]]:
        """A policy that stood before another one that went as well is put before that one by its
        name: made anew, it has another number, and the old one may be somebody else's by then.
        """
        steps = list(changes)
        gone = {
            step.key: step for step in steps if (step.table, step.action) == (POLICY, Action.REMOVE)
        }

        def known(key: Key | None) -> Key | None:
            while key in gone:
                step = gone[key]
                if step.before.get("name"):
                    return str(step.before["name"])
                key = step.was
            return key

        return super().way_back(
            dataclasses.replace(step, was=known(step.was)) if step.table == POLICY else step
            for step in steps
        )


def _behind_their_places(changes: t.Sequence[Change]) -> t.Iterator[Change]:
    """The changes in their order, a new policy behind that new one which it is put right before."""
    to_come = {change.key for change in changes if _is_made(change)}
    if not any(_is_made(change) and change.place in to_come for change in changes):
        yield from changes
        return
    waiting = list(changes)
    while waiting:
        ready = next(
            (each for each in waiting if not (_is_made(each) and each.place in to_come)),
            waiting[0],
        )
        waiting.remove(ready)
        to_come.discard(ready.key)
        yield ready


def _is_made(change: Change) -> bool:
    return change.table == POLICY and change.action == Action.CREATE


def _nesting(changes: t.Iterable[Change]) -> dict[tuple[str, Key], int]:
    """How deep the groups among the changes are nested: 0 for one that holds no other of them."""
    members = {
        (change.table, change.key): list((change.after or change.before).get("member") or [])
        for change in changes
    }
    depths: dict[tuple[str, Key], int] = {}

    def depth(table: str, key: Key, above: frozenset[Key]) -> int:
        if (table, key) not in depths:
            inside = [
                member
                for member in members[table, key]
                if (table, member) in members and member not in above
            ]
            depths[table, key] = max(
                (1 + depth(table, member, above | {member}) for member in inside), default=0
            )
        return depths[table, key]

    for table, key in members:
        depth(table, key, frozenset((key,)))
    return depths


def _rank(change: Change, nesting: t.Mapping[tuple[str, Key], int]) -> tuple[int, int, int]:
    """Where a change stands."""
    if change.table == POLICY:
        return (_policy_rank(change), 0, 0)
    position = _REFERRED.index(change.table) if change.table in _REFERRED else 0
    depth = nesting[change.table, change.key]
    if change.action == Action.REMOVE:
        return (9, -position, -depth)
    # Of groups that gain and groups that lose, those that gain are first, so that a member that
    # changes its group is never in none.
    loses = change.action == Action.MODIFY and bool(
        set(map(str, change.before.get("member") or []))
        - set(map(str, change.after.get("member") or []))
    )
    return (1, position * 2 + int(loses), depth)


def _policy_rank(change: Change) -> int:
    whole = change.before if change.action == Action.REMOVE else change.after
    accepts = whole.get("action") == "accept"
    if change.action == Action.CREATE:
        return 2 if accepts else 5
    if change.action == Action.REMOVE:
        return 7 if accepts else 4
    if change.action == Action.MOVE:
        return 3
    return 3 if _widens(change) else 6


def _widens(change: Change) -> bool:
    """Whether a modified policy lets more through: `all` comes in, or nothing goes."""
    after = {str(source) for name in SOURCES for source in change.after.get(name) or []}
    before = {str(source) for name in SOURCES for source in change.before.get(name) or []}
    if change.after.get("status") == "enable":
        return True
    if change.after.get("status") == "disable":
        return False
    return "all" in after or before < after


TABLES = DeviceTables({path: Entries(path) for path in (*_REFERRED, POLICY)})
plan, apply_all = TABLES.plan, TABLES.apply_all
