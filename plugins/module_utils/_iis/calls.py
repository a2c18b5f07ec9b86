# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change as a step of the agent: what it does to one section, saved at once or not at all."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.ip_list import (
    Entry,
    entry_values,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import (
    APPHOST,
    IP_SECURITY,
    ORDER,
    RULES,
    rule_change,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.sections import (
    LOCATION,
    MISSING,
    SECTIONS,
    is_drop,
    place_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.tables import (
    PLACE,
    REWRITE_RULES,
    TABLES,
    Change,
    own_entries,
    position_behind,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action

Step = dict[str, t.Any]


def change_steps(change: Change, state: State, step: str) -> list[Step]:
    """The step for a change on a state; none where IIS does it by itself."""
    changes: list[Step]
    if change.table == SECTIONS:
        path, section = place_of(change.key)
        # With what is left in it, it stays.
        is_empty = section != RULES or not state.local
        changes = [{"do": "drop", "whole": change.after[MISSING] == LOCATION}]
        changes = changes if is_drop(change) and is_empty else []
    elif change.table == REWRITE_RULES:
        path, section, changes = "", RULES, _rule_changes(change, state)
    else:
        path, section, changes = change.key, IP_SECURITY, _list_changes(change, state)
    asked = {
        "op": "iis_write",
        "id": step,
        "commit": APPHOST,
        "path": f"{APPHOST}/{state.site}{path}",
        "location": f"{state.site}{path}",
        "section": section,
        "order": list(ORDER),
        "changes": changes,
    }
    return [asked] if changes else []


def _rule_changes(change: Change, state: State) -> list[Step]:
    table = TABLES[REWRITE_RULES]
    names = list(table.keys(state))
    held = table.find(state, change.key)
    if held is None:
        return [_inserted(change.key, change.after, change.place, names)]
    name, row = held
    remove = {"do": "remove", "match": {"name": name}}
    if change.action == Action.REMOVE:
        return [remove]
    others = [other for other in names if other != name]
    if change.action == Action.MOVE:
        return [remove, _inserted(name, row, change.place, others)]
    follower = names[names.index(name) + 1 :]
    if PLACE in change.after:
        follower = others[position_behind(others, change.after[PLACE]) :]
    return [
        remove,
        _inserted(name, {**row, **change.after}, follower[0] if follower else None, others),
    ]


def _inserted(
    name: str, row: t.Mapping[str, t.Any], place: str | None, names: t.Iterable[str]
) -> Step:
    """Before a rule that stands in the same location: in front of an inherited one IIS would copy
    all that is inherited.
    """
    before = next(
        (other for other in names if place is not None and other.casefold() == place.casefold()),
        None,
    )
    return {**rule_change(name, row), "before": None if before is None else {"name": before}}


def _list_changes(change: Change, state: State) -> list[Step]:
    place = state.places[change.key.casefold()]
    held = own_entries(state, place)
    if change.action == Action.REMOVE:
        # Whoever was let in stays in at every moment.
        opened: list[Step] = [{"do": "set", "values": {"allowUnlisted": None}}]
        removed: list[Step] = [{"do": "remove", "match": entry.key()} for entry in held]
        return [*opened, *removed]
    changes: list[Step] = []
    if "entries" in change.after:
        changes += _entry_changes(held, change.after["entries"])
    if "allow_unlisted" not in change.after:
        return changes
    # Entries first and the refusal last.
    flag = {"do": "set", "values": {"allowUnlisted": change.after["allow_unlisted"]}}
    return [flag, *changes] if change.after["allow_unlisted"] else [*changes, flag]


def _entry_changes(held: t.Sequence[Entry], wished: t.Sequence[Entry]) -> list[Step]:
    def meaning(entry: Entry) -> tuple[t.Any, ...]:
        return entry.allowed, str(entry.ranges or (entry.address, entry.mask, entry.domain))

    def inserted(entries: t.Iterable[Entry]) -> list[Step]:
        return [
            {"do": "insert", "element": "add", "before": None, "values": entry_values(entry)}
            for entry in entries
        ]

    def removed(entries: t.Iterable[Entry]) -> list[Step]:
        return [{"do": "remove", "match": entry.key()} for entry in entries]

    if not all(entry.allowed for entry in (*held, *wished)):
        # The order decides.
        return [*removed(held), *inserted(wished)]
    old, new = set(map(meaning, held)), set(map(meaning, wished))
    # One network in two spellings has two keys; of the wished ones each is there once.
    gone = [entry for entry in held if meaning(entry) not in new]
    come = {meaning(entry): entry for entry in wished if meaning(entry) not in old}
    return [*removed(gone), *inserted(come.values())]
