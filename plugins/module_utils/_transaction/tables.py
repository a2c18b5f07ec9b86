# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is and what is desired to the list of changes, in every layer.

The diff, check mode, apply and rollback all come from that list.
"""

from __future__ import annotations

import abc
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Change,
    Desired,
    Row,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

State = t.TypeVar("State")
Key = t.TypeVar("Key", bound=t.Hashable)


class Table(abc.ABC, t.Generic[State, Key]):
    """The rows of one kind in a layer's state. A layer says what they are and when they differ."""

    noun: str
    """What a row is called in a sentence."""

    def identity(self, key: Key) -> t.Hashable:
        """What two keys of the same row have in common."""
        return key

    @abc.abstractmethod
    def find(self, state: State, key: Key) -> tuple[Key, Row] | None:
        """The row, with its key in this state; None where it is not there."""

    @abc.abstractmethod
    def created(self, state: State, desired: Desired[Key]) -> Row:
        """The whole of a new row, canonical. Raises PlanError where it cannot be made of what is
        desired.
        """

    @abc.abstractmethod
    def differing(self, row: Row, options: Row) -> tuple[Row, Row]:
        """What of the desired options is not so, as it is and as it shall be. Raises PlanError."""

    @abc.abstractmethod
    def apply(self, change: Change[Key], state: State) -> State:
        """The state after a change, as it would be read back."""

    @abc.abstractmethod
    def plain(self, row: Row) -> dict[str, t.Any]:
        """Options as plain data in the modules' input form, without secrets and what a read does
        not show.
        """

    @abc.abstractmethod
    def undone(self, change: Change[Key]) -> tuple[Desired[Key], t.Sequence[str]]:
        """What takes a change back, as plain data for a snapshot; and in sentences what of it
        cannot be taken back.
        """

    def stands(self, row: Row) -> Row:
        """What a move remembers of where a row stood, beside the row that it stood before."""
        return {"name": row.get("name", "")}

    def complaints(self, state: State, change: Change[Key]) -> t.Iterable[str]:
        """Why the other side would refuse a change, in sentences."""
        return ()

    def keys(self, state: State) -> t.Sequence[Key]:
        """The keys in their order; none where the order of the rows means nothing."""
        return ()


class Tables(t.Mapping[str, "Table[State, Key]"], t.Generic[State, Key]):
    """The tables of one layer by their names, which changes and snapshots carry."""

    def __init__(self, tables: t.Mapping[str, Table[State, Key]]) -> None:
        self._tables = dict(tables)

    def __getitem__(self, name: str) -> Table[State, Key]:
        return self._tables[name]

    def __iter__(self) -> t.Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    def plan(self, state: State, desired: t.Iterable[Desired[Key]]) -> tuple[Change[Key], ...]:
        """The changes that make `state` what is desired, in the order of what is desired; none
        where nothing differs.

        Only options that are named are compared, by what they mean. Raises PlanError with every
        reason at once.
        """
        rows = list(desired)
        changes: list[Change[Key]] = []
        problems: list[str] = []
        described: set[tuple[str, t.Hashable]] = set()
        orders = {
            name: _Order(self[name], state, rows, name) for name in {row.table for row in rows}
        }
        for number, row in enumerate(rows):
            table, order = self[row.table], orders[row.table]
            identity = (row.table, table.identity(row.key))
            if identity in described:
                problems.append(
                    f"The {table.noun} '{row.key}' is described twice. Nothing was changed. "
                    "Describe it once."
                )
            described.add(identity)
            try:
                change = _change(table, state, row, order.place_of(number, row), order)
            except PlanError as error:
                problems.append(str(error))
                continue
            if change is not None:
                problems.extend(table.complaints(state, change))
                changes.append(change)
        if problems:
            raise PlanError(" ".join(dict.fromkeys(problems)))
        for name in dict.fromkeys(row.table for row in rows):
            changes.extend(
                _moves(self[name], state, [row for row in rows if row.table == name], orders[name])
            )
        return tuple(changes)

    def apply(self, change: Change[Key], state: State) -> State:
        """The state after a change, as it would be read back."""
        return self[change.table].apply(change, state)

    def apply_all(self, changes: t.Iterable[Change[Key]], state: State) -> State:
        """The state after all the changes."""
        for change in changes:
            state = self.apply(change, state)
        return state

    def fold(self, *groups: t.Iterable[Desired[Key]]) -> tuple[Desired[Key], ...]:
        """One list of several: per row the options of all, the later group winning where two name
        the same option.
        """
        merged: dict[tuple[str, t.Hashable], Desired[Key]] = {}
        for row in (row for group in groups for row in group):
            identity = (row.table, self[row.table].identity(row.key))
            earlier = merged.get(identity)
            if earlier is None or earlier.options is None or row.options is None:
                merged[identity] = row
            else:
                place = earlier.place if row.place is None else row.place
                merged[identity] = Desired(
                    row.table, row.key, {**earlier.options, **row.options}, place
                )
        return tuple(merged.values())

    def way_back(
        self, changes: t.Iterable[Change[Key]]
    ) -> tuple[tuple[Desired[Key], ...], tuple[str, ...]]:
        """What takes the changes back, and in sentences what of them cannot be taken back."""
        undone = [self[change.table].undone(change) for change in changes]
        # The first change of a row knows how it was.
        desired = self.fold(*([row] for row, _lost in reversed(undone)))
        not_restorable = dict.fromkeys(
            sentence for _row, sentences in undone for sentence in sentences
        )
        return tuple(reversed(desired)), tuple(not_restorable)

    def made(self, changes: t.Iterable[Change[Key]]) -> tuple[Desired[Key], ...]:
        """What the changes lead to, as plain data for a snapshot."""
        rows = []
        for change in changes:
            options = (
                None if change.action == Action.REMOVE else self[change.table].plain(change.after)
            )
            rows.append([Desired(change.table, change.key, options)])
        return self.fold(*rows)

    def changed_since(
        self, state: State, desired: t.Iterable[Desired[Key]], made: t.Iterable[Desired[Key]]
    ) -> tuple[tuple[Desired[Key], ...], tuple[str, ...]]:
        """What of a snapshot is about rows that are still as its run has `made` them, and in
        sentences what is not.
        """
        left_as = {(row.table, self[row.table].identity(row.key)): row.options for row in made}
        kept: list[Desired[Key]] = []
        changed: list[str] = []
        for row in desired:
            table = self[row.table]
            identity = (row.table, table.identity(row.key))
            as_made = identity in left_as and _is_as(table, state, row.key, left_as[identity])
            # Or as it was before: a run that was stopped has not made all of it.
            if as_made or _is_as(table, state, row.key, row.options):
                kept.append(row)
            else:
                changed.append(
                    f"The {table.noun} '{row.key}' was changed after the run, so it was left as "
                    "it is now."
                )
        return tuple(kept), tuple(changed)

    def restorable(
        self, state: State, desired: t.Iterable[Desired[Key]]
    ) -> tuple[tuple[Desired[Key], ...], tuple[str, ...]]:
        """What of a snapshot can be restored, and in sentences what cannot.

        Of a row that is gone a snapshot may hold a part only, of which no whole one can be made.
        """
        kept: list[Desired[Key]] = []
        gone: list[str] = []
        for row in desired:
            table = self[row.table]
            if row.options is not None and table.find(state, row.key) is None:
                try:
                    table.created(state, row)
                except PlanError:
                    what = ", ".join(row.options) or "place"
                    gone.append(
                        f"The {table.noun} '{row.key}' is gone, so that its {what} could not be "
                        "restored; the rest was."
                    )
                    continue
            kept.append(row)
        return tuple(kept), tuple(gone)


class _Order(t.Generic[State, Key]):
    """Where the rows of a table stand, and which of those that are desired before a row stand there
    already; worked out once for all of a plan, which may be thousands.
    """

    def __init__(
        self, table: Table[State, Key], state: State, desired: t.Sequence[Desired[Key]], name: str
    ) -> None:
        self._table, self._state = table, state
        self._keys = table.keys(state)
        self._at = {key: at for at, key in enumerate(self._keys)}
        # Place → the numbers of those desired there that stand before it, rising, with their keys.
        self._before: dict[Key, list[tuple[int, Key]]] = {}
        for number, row in enumerate(desired):
            if row.table != name or row.place is None or row.options is None:
                continue
            place, here = table.find(state, row.place), table.find(state, row.key)
            if (
                place is not None
                and here is not None
                and self.position(here[0]) < self.position(place[0])
            ):
                self._before.setdefault(row.place, []).append((number, here[0]))

    def position(self, key: Key) -> int:
        """Where a row stands; behind all others where the rows have no order."""
        return self._at.get(key, len(self._keys))

    def after(self, key: Key) -> Key | None:
        """The row that stands right after this one; None for the last, and where rows have no
        order.
        """
        at = self.position(key) + 1
        return self._keys[at] if at < len(self._keys) else None

    def place_of(self, number: int, desired: Desired[Key]) -> Key | None:
        """The row that a new one, the `number`th that is desired, is put right before: its place,
        or the first of those that are desired behind it there and stand before the place already.
        """
        there = () if desired.place is None else self._before.get(desired.place, ())
        return next((key for behind, key in there if behind > number), desired.place)


def _change(
    table: Table[State, Key],
    state: State,
    desired: Desired[Key],
    place: Key | None,
    order: _Order[State, Key],
) -> Change[Key] | None:
    there = table.find(state, desired.key)
    if there is None:
        if desired.options is None:
            return None
        row = table.created(state, desired)
        return Change(desired.table, Action.CREATE, desired.key, {}, row, place=place)
    key, row = there
    if desired.options is None:
        return Change(desired.table, Action.REMOVE, key, dict(row), {}, was=order.after(key))
    before, after = table.differing(row, desired.options)
    return Change(desired.table, Action.MODIFY, key, before, after) if after else None


def _is_as(table: Table[State, Key], state: State, key: Key, options: Row | None) -> bool:
    """Whether a row is what `options` say; None: not there."""
    there = table.find(state, key)
    if there is None or options is None:
        return there is None and options is None
    return not table.differing(there[1], options)[1]


def _moves(
    table: Table[State, Key],
    state: State,
    desired: t.Sequence[Desired[Key]],
    order: _Order[State, Key],
) -> t.Iterator[Change[Key]]:
    """Rows that exist and do not stand before their place, in the order of what is desired; what
    else stands between does no harm.
    """
    groups: dict[Key, list[tuple[Key, Row]]] = {}
    for row in desired:
        if row.place is None or row.options is None:
            continue
        place, here = table.find(state, row.place), table.find(state, row.key)
        if place is not None and here is not None:
            groups.setdefault(place[0], []).append(here)
    for place_key, rows in groups.items():
        positions = [order.position(key) for key in [*(key for key, _row in rows), place_key]]
        if positions == sorted(positions):
            continue
        for key, held in rows:
            yield Change(
                desired[0].table,
                Action.MOVE,
                key,
                table.stands(held),
                {},
                place=place_key,
                was=order.after(key),
            )
