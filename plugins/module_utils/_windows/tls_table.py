# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The managed values of the registry as rows: there is always one, and "missing" is a value of it.

A row has the options `value`, in plain data ``absent`` or ``{kind, data}``, and `missing_keys`: how
many of the keys around it are not there, counted from the innermost. A snapshot holds both, so that
a rollback takes away the keys that a run made.
"""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    change as transaction,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Desired,
    Row,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.tables import (
    Table,
    Tables,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.registry import Key, Value
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.tls import (
    SETTINGS,
    Setting,
    chain,
)

Change = transaction.Change[str]

VALUES = "registry_values"
ABSENT = "absent"
VALUE, MISSING_KEYS = "value", "missing_keys"
# Not an option: how many keys around the value a removal would leave, because they hold something
# else.
_KEPT = "_kept"
_CHAINS = tuple(chain(setting.key) for setting in SETTINGS.values())
# Casefolded key → the keys right below it that a write may make.
_MANAGED_BELOW: t.Mapping[str, frozenset[str]] = {
    outer.casefold(): frozenset(
        path[at]
        for path in _CHAINS
        for at in range(len(path) - 1)
        if path[at + 1].casefold() == outer.casefold()
    )
    for path in _CHAINS
    for outer in path[1:]
}
_KINDS = frozenset({"DWord", "QWord", "String", "ExpandString", "MultiString", "Binary"})


@dataclass(frozen=True)
class State:
    """What was read. `keys` maps casefolded paths to keys, all of which could be read.

    `build` is that of Windows, None where it is not known; `windows` names it.
    """

    server: str
    keys: t.Mapping[str, Key]
    build: int | None = None
    windows: str = ""

    def key(self, path: str) -> Key:
        """A key; one that does not exist where it was not read."""
        return self.keys.get(path.casefold(), Key(False))


def write_as(value: Value | None) -> t.Any:
    """A value in plain data."""
    return ABSENT if value is None else {"kind": value.kind, "data": value.data}


def read_as(plain: t.Any, path: str) -> Value | None:
    """The value of plain data. Raises PlanError for what is none."""
    if plain == ABSENT:
        return None
    if isinstance(plain, t.Mapping) and plain.get("kind") in _KINDS and "data" in plain:
        return Value(str(plain["kind"]), plain["data"])
    raise PlanError(f"The registry value '{path}' cannot be {plain!r}. Nothing was changed.")


class Values(Table[State, str]):
    """The managed values, by key and name."""

    noun = "registry value"

    def identity(self, key: str) -> str:
        return key.casefold()

    def find(self, state: State, key: str) -> tuple[str, Row] | None:
        setting = SETTINGS.get(key.casefold())
        if setting is None:
            raise PlanError(
                f"This collection does not manage the registry value '{key}'. Nothing was changed."
            )
        own = state.key(setting.key).value(setting.name)
        path = chain(setting.key)
        missing = next(
            (count for count, key in enumerate(path) if state.key(key).exists), len(path)
        )
        return setting.path, {
            VALUE: own,
            MISSING_KEYS: missing,
            _KEPT: _kept(state, path, own is not None),
        }

    def created(self, state: State, desired: Desired[str]) -> Row:
        raise PlanError(
            f"The registry value '{desired.key}' cannot be created as a row. Nothing was changed."
        )

    def differing(self, row: Row, options: Row) -> tuple[Row, Row]:
        unknown = sorted(set(options) - {VALUE, MISSING_KEYS})
        if unknown:
            raise PlanError(
                f"A registry value has no option {', '.join(unknown)}. Nothing was changed."
            )
        before: dict[str, t.Any] = {}
        after: dict[str, t.Any] = {}
        if VALUE in options:
            value = read_as(options[VALUE], "value")
            if value != row[VALUE]:
                before[VALUE], after[VALUE] = row[VALUE], value
            if value is not None:
                return _with_keys(row, before, after, 0)
        return _with_keys(row, before, after, min(int(options.get(MISSING_KEYS) or 0), row[_KEPT]))

    def apply(self, change: Change, state: State) -> State:
        setting = SETTINGS[change.key.casefold()]
        keys = dict(state.keys)
        if VALUE in change.after:
            own = _opened(keys, setting)
            values = {
                name: value for name, value in own.values.items() if name != setting.name.casefold()
            }
            if change.after[VALUE] is not None:
                values[setting.name.casefold()] = change.after[VALUE]
            keys[setting.key.casefold()] = dataclasses.replace(own, values=values)
        if change.after.get(VALUE) is None:
            _prune(keys, setting, int(change.after.get(MISSING_KEYS) or 0))
        return dataclasses.replace(state, keys=keys)

    def plain(self, row: Row) -> dict[str, t.Any]:
        shown = {VALUE: write_as(row[VALUE])} if VALUE in row else {}
        return {**shown, **({MISSING_KEYS: row[MISSING_KEYS]} if MISSING_KEYS in row else {})}

    def undone(self, change: Change) -> tuple[Desired[str], t.Sequence[str]]:
        return Desired(change.table, change.key, self.plain(change.before)), ()


def _kept(state: State, path: t.Sequence[str], has_value: bool) -> int:
    """How many keys of the chain would be missing if the value were removed with all that is
    managed around it.

    Where the value itself is missing already, its managed neighbours count as somebody else's.
    """
    gone = 0
    for at, part in enumerate(path):
        key = state.key(part)
        managed = [
            inner for inner in _MANAGED_BELOW.get(part.casefold(), ()) if state.key(inner).exists
        ]
        below = (
            len(managed)
            if has_value
            else len([inner for inner in path[max(at - 1, 0) : at] if inner in managed])
        )
        if key.exists and (
            key.others or key.subkeys > below or (not at and key.values and not has_value)
        ):
            break
        gone += 1
    return gone


def _with_keys(
    row: Row, before: dict[str, t.Any], after: dict[str, t.Any], missing: int
) -> tuple[Row, Row]:
    writes = after.get(VALUE) is not None
    if (writes and row[MISSING_KEYS]) or (not writes and missing > row[MISSING_KEYS]):
        before[MISSING_KEYS], after[MISSING_KEYS] = row[MISSING_KEYS], 0 if writes else missing
    return before, after


def _opened(keys: dict[str, Key], setting: Setting) -> Key:
    """The key of a setting, made with those around it where they are missing."""
    path = [key.casefold() for key in chain(setting.key)]
    for inner, outer in zip(path, path[1:], strict=False):
        if not keys.get(inner, Key(False)).exists and keys.get(outer, Key(False)).exists:
            keys[outer] = dataclasses.replace(keys[outer], subkeys=keys[outer].subkeys + 1)
    for at, key in enumerate(path):
        if not keys.get(key, Key(False)).exists:
            keys[key] = Key(True, subkeys=1 if at else 0)
    return keys[path[0]]


def _prune(keys: dict[str, Key], setting: Setting, levels: int) -> None:
    """Remove the key and those around it, as long as they are empty, so many levels at most."""
    path = [key.casefold() for key in chain(setting.key)]
    for at, part in enumerate(path[:levels]):
        key = keys.get(part, Key(False))
        if not key.exists:
            continue
        if key.values or key.others or key.subkeys:
            return
        keys[part] = Key(False)
        outer = path[at + 1] if at + 1 < len(path) else ""
        if outer in keys and keys[outer].exists:
            keys[outer] = dataclasses.replace(keys[outer], subkeys=keys[outer].subkeys - 1)


TABLES: Tables[State, str] = Tables({VALUES: Values()})
