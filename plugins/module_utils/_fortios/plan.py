# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is and what is wished to the list of changes. The diff, check mode, apply and rollback all come from that list.

The order is safe by construction: what is referred to comes first, then whatever lets more through (an accept policy, more sources, a
deny that goes), then whatever lets less through, and last what nobody refers to any more.
"""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass, field

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
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import change as transaction
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

_REFERRED = (FEED, FEED_ENTRIES, ADDRESS, ADDRESS6, SERVICE, SERVICE_GROUP, GROUP, GROUP6)
_SOURCES = (
    "srcaddr",
    "srcaddr6",
    "internet-service-src-name",
    "internet-service-src-group",
    "internet-service-src-custom",
)
SECRETS = frozenset({"password"})
_LONGEST_LIST = 6


@dataclass(frozen=True)
class Wish:
    """One entry as it shall be: only the named `fields` count; None: it shall not be there.

    `key` is a name, for a policy its number or its name. `before` is the policy that it must stand right before, or before others
    that are wished there as well.
    """

    table: str
    key: Key
    fields: t.Mapping[str, t.Any] | None = field(repr=False)
    before: Key | None = None


Change = transaction.Change[Key]
"""A change of an entry: the table is its path in the API, the key its name, of a policy its number or its name.

MODIFY holds the fields that differ, REMOVE the whole entry. `place` and `was` are policies.
"""


def apply(change: Change, state: DeviceState) -> DeviceState:
    """The state after a change, as it would be read back."""
    entries = dict(state.table(change.table))
    key = change.key
    if change.table == POLICY:
        known = state.policy_key(key)
        key = key if known is None else known
    if change.action == Action.REMOVE:
        entries.pop(key, None)
    elif change.action == Action.CREATE:
        entries[key] = dict(change.after)
    elif change.action == Action.MODIFY:
        entries[key] = {**entries[key], **change.after}
    if change.place is not None and change.action != Action.REMOVE:
        entries = _placed(entries, key, state.policy_key(change.place))
    return dataclasses.replace(state, rows={**state.rows, change.table: entries})


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
    differences = (_field_words(name, change.before.get(name), value) for name, value in change.after.items())
    return f"Change {what}: {'; '.join(differences)}."


def _named(change: Change) -> str:
    name = change.before.get("name") or change.after.get("name")
    if isinstance(change.key, int):
        return f"{change.key} '{name}'" if name else str(change.key)
    return f"'{change.key}'"


def _placed(entries: dict[Key, Row], key: Key, place: Key | None) -> dict[Key, Row]:
    row = entries.pop(key)
    found: dict[Key, Row] = {}
    for other, held in entries.items():
        if other == place:
            found[key] = row
        found[other] = held
    found.setdefault(key, row)
    return found


def _about(row: t.Mapping[str, t.Any]) -> str:
    for name in ("subnet", "ip6", "fqdn", "resource", "tcp-portrange"):
        if row.get(name):
            return f" ({row[name]})"
    if "entries" in row:
        return f" with {len(row['entries'])} range(s)"
    if "member" in row:
        return f" of {len(row['member'])} member(s)"
    if "action" in row:
        sources = next((row[name] for name in _SOURCES if row.get(name)), ["nobody"])
        return f" that {'accepts' if row['action'] == 'accept' else 'refuses'} {_listed(sources)} to {_listed(row.get('dstaddr') or row.get('dstaddr6') or [])}"
    return ""


def _listed(names: t.Sequence[t.Any]) -> str:
    shown = [f"'{name}'" for name in list(names)[:_LONGEST_LIST]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "") if shown else "nothing"


def _field_words(name: str, before: t.Any, after: t.Any) -> str:
    if name in SECRETS:
        return f"{name} is set anew"
    if isinstance(before, list) or isinstance(after, list):
        old, new = [str(one) for one in before or []], [str(one) for one in after or []]
        gone, come = [one for one in old if one not in new], [one for one in new if one not in old]
        parts = [f"{word} {_listed(names)}" for word, names in (("without", gone), ("with", come)) if names]
        return f"{name} {' and '.join(parts)}" if parts else f"{name} as a list of {len(new)}"
    return f"{name} {before if before not in (None, '') else 'unset'} → {after if after not in (None, '') else 'unset'}"


def plan(state: DeviceState, wishes: t.Iterable[Wish]) -> tuple[Change, ...]:
    """The changes that make `state` what the wishes say, in a safe order; empty where nothing differs. Raises PlanError."""
    found: list[Change] = []
    seen: set[tuple[str, Key]] = set()
    ordered = list(wishes)
    for wish in ordered:
        if (wish.table, wish.key) in seen:
            raise PlanError(
                f"The {NOUNS.get(wish.table, wish.table)} '{wish.key}' is wished twice. Nothing was changed."
            )
        seen.add((wish.table, wish.key))
        found.extend(_changes(state, wish))
    found.extend(_moves(state, ordered))
    nesting = _nesting(found)
    return tuple(sorted(found, key=lambda change: _rank(change, nesting)))


def _changes(state: DeviceState, wish: Wish) -> t.Iterator[Change]:
    there = state.find(wish.table, wish.key)
    if there is None:
        if wish.fields is None:
            return
        if wish.table == POLICY and isinstance(wish.key, int):
            raise PlanError(
                f"Policy {wish.key} does not exist any more, so that it cannot be given back what it had. Nothing was changed."
            )
        yield Change(wish.table, Action.CREATE, wish.key, {}, {"name": wish.key, **wish.fields}, place=wish.before)
        return
    key, row = there
    if wish.fields is None:
        yield Change(wish.table, Action.REMOVE, key, row, {}, was=_next(state, wish.table, key))
        return
    differs = {
        name: value for name, value in wish.fields.items() if not same(name, row.get(name), value) or name in SECRETS
    }
    if differs:
        before = {name: row.get(name) for name in differs}
        yield Change(wish.table, Action.MODIFY, key, {**_name_of(row, key), **before}, differs)


def _name_of(row: t.Mapping[str, t.Any], key: Key) -> dict[str, t.Any]:
    return {"name": row.get("name", "")} if isinstance(key, int) else {}


def _next(state: DeviceState, table: str, key: Key) -> Key | None:
    """The policy that stands right after this one."""
    if table != POLICY:
        return None
    keys = list(state.table(POLICY))
    at = keys.index(key) + 1
    return keys[at] if at < len(keys) else None


def _moves(state: DeviceState, wishes: t.Sequence[Wish]) -> t.Iterator[Change]:
    """Policies that exist and do not stand before their place, in the order of the wishes; what else stands between does no harm."""
    groups: dict[Key, list[Key]] = {}
    for wish in wishes:
        if wish.table == POLICY and wish.before is not None and wish.fields is not None:
            place = state.policy_key(wish.before)
            here = state.policy_key(wish.key)
            if place is not None and here is not None:
                groups.setdefault(place, []).append(here)
    keys = list(state.table(POLICY))
    for place, wished in groups.items():
        positions = [keys.index(key) for key in [*wished, place]]
        if positions == sorted(positions):
            continue
        for key in wished:
            yield Change(
                POLICY,
                Action.MOVE,
                key,
                {"name": state.table(POLICY)[key].get("name", "")},
                {},
                place=place,
                was=_next(state, POLICY, key),
            )


def _nesting(changes: t.Iterable[Change]) -> dict[tuple[str, Key], int]:
    """How deep the groups among the changes are nested: 0 for one that holds no other of them."""
    members = {
        (change.table, change.key): list((change.after or change.before).get("member") or []) for change in changes
    }
    depths: dict[tuple[str, Key], int] = {}

    def depth(table: str, key: Key, above: frozenset[Key]) -> int:
        if (table, key) not in depths:
            inside = [one for one in members[table, key] if (table, one) in members and one not in above]
            depths[table, key] = max((1 + depth(table, one, above | {one}) for one in inside), default=0)
        return depths[table, key]

    for table, key in members:
        depth(table, key, frozenset((key,)))
    return depths


def _rank(change: Change, nesting: t.Mapping[tuple[str, Key], int]) -> tuple[int, int, int]:
    """Where a change stands in the safe order; what has the same rank keeps the order of the wishes."""
    if change.table == POLICY:
        return (_policy_rank(change), 0, 0)
    position = _REFERRED.index(change.table) if change.table in _REFERRED else 0
    depth = nesting[change.table, change.key]
    if change.action == Action.REMOVE:
        return (9, -position, -depth)
    # Of groups that gain and groups that lose, those that gain are first, so that a member that changes its group is never in none.
    loses = change.action == Action.MODIFY and bool(
        set(map(str, change.before.get("member") or [])) - set(map(str, change.after.get("member") or []))
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
    after = {str(one) for name in _SOURCES for one in change.after.get(name) or []}
    before = {str(one) for name in _SOURCES for one in change.before.get(name) or []}
    if change.after.get("status") == "enable":
        return True
    if change.after.get("status") == "disable":
        return False
    return "all" in after or before < after


def apply_all(changes: t.Iterable[Change], state: DeviceState) -> DeviceState:
    """The state after all the changes."""
    for change in changes:
        state = apply(change, state)
    return state
