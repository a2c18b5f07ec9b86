# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS 1.2 as rows: whatever was there, it is set, unchanged by a second run, and given back to the
last key.
"""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows import tls
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.layer import Wish, desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.registry import (
    DWORD,
    Key,
    Value,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.systems import Default
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.tls_table import (
    TABLES,
    VALUES,
    State,
)

SERVER, CLIENT = tls.SIDES.values()
PARENT = tls.chain(SERVER)[1]
ROOT = tls.chain(SERVER)[2]

DATA = st.one_of(
    st.none(),
    st.sampled_from(
        [
            Value(DWORD, 0),
            Value(DWORD, 1),
            Value(DWORD, -1),
            Value("String", "1"),
            Value("QWord", 1),
        ]
    ),
)


@st.composite
def states(draw: st.DrawFn) -> State:
    """Registries that there can be: a key is there where one below it is."""
    keys: dict[str, Key] = {}
    for key in {setting.key for setting in tls.SETTINGS.values()}:
        names = [setting.name.casefold() for setting in tls.SETTINGS.values() if setting.key == key]
        values = {name: value for name in names if (value := draw(DATA)) is not None}
        exists = bool(values) or draw(st.booleans())
        keys[key.casefold()] = Key(exists, values, others=draw(st.integers(0, 1)) if exists else 0)
    for level in (1, 2):
        for outer in {
            tls.chain(key)[level] for key in tls.keys_to_read() if len(tls.chain(key)) > level
        }:
            below = {
                inner.casefold()
                for key in tls.SETTINGS.values()
                for inner in _right_below(key.key, outer)
            }
            held = sum(keys[inner].exists for inner in below if inner in keys)
            more = draw(st.integers(0, 1))
            others = draw(st.integers(0, 1))
            exists = bool(held or more or others) or draw(st.booleans())
            keys[outer.casefold()] = Key(exists, others=others, subkeys=held + more)
    return State("EX1", keys, draw(st.sampled_from([6002, 7601, 17763, 20348])))


def _right_below(key: str, outer: str) -> list[str]:
    chain = tls.chain(key)
    return [inner for inner, above in zip(chain, chain[1:]) if above == outer]


WISHES = st.builds(
    Wish,
    st.booleans(),
    st.booleans(),
    st.sets(st.sampled_from(tls.FRAMEWORKS)).map(lambda frameworks: tuple(sorted(frameworks))),
)


def there(state: State) -> dict[str, Key]:
    """The keys that exist."""
    return {path: key for path, key in state.keys.items() if key.exists}


@given(states(), WISHES)
def test_what_is_wished_comes_about_and_goes_away_again(start: State, wish: Wish) -> None:
    changes = TABLES.plan(start, desired(wish, start))
    after = TABLES.apply_all(changes, start)
    assert desired(wish, after) == ()
    if wish.schannel:
        default = Default.ON if start.build in (17763, 20348) else Default.OFF
        assert {tls.protocol(after.key(key), default)[0] for key in tls.SIDES.values()} == {
            tls.Protocol.ON
        }
    taken_back, not_restorable = TABLES.way_back(changes)
    assert not not_restorable
    back = TABLES.apply_all(TABLES.plan(after, taken_back), after)
    assert there(back) == there(start)
    assert TABLES.plan(back, taken_back) == ()


@given(states(), WISHES, st.data())
def test_whatever_a_colleague_adds_a_rollback_ends(
    start: State, wish: Wish, data: st.DataObject
) -> None:
    changes = TABLES.plan(start, desired(wish, start))
    after = TABLES.apply_all(changes, start)
    touched = data.draw(st.sampled_from(sorted(there(after)) or [""]))
    if not touched:
        return
    key = after.keys[touched]
    theirs = dataclasses.replace(key, others=key.others + 1)
    after = dataclasses.replace(after, keys={**after.keys, touched: theirs})
    taken_back, _lost = TABLES.way_back(changes)
    back = TABLES.apply_all(TABLES.plan(after, taken_back), after)
    assert back.keys[touched].others == theirs.others
    assert TABLES.plan(back, taken_back) == (), "nothing is left that could not be done"


@given(states(), WISHES)
def test_a_rollback_that_was_cut_is_finished_by_the_next(start: State, wish: Wish) -> None:
    changes = TABLES.plan(start, desired(wish, start))
    after = TABLES.apply_all(changes, start)
    taken_back, _lost = TABLES.way_back(changes)
    steps = TABLES.plan(after, taken_back)
    for cut in range(len(steps)):
        half = TABLES.apply_all(steps[:cut], after)
        back = TABLES.apply_all(TABLES.plan(half, taken_back), half)
        assert {path: key.values for path, key in there(back).items() if key.values} == {
            path: key.values for path, key in there(start).items() if key.values
        }
        assert TABLES.plan(back, taken_back) == ()


def empty(**more: t.Any) -> State:
    keys = {ROOT.casefold(): Key(True, subkeys=1), **more}
    return State("EX1", keys, 17763)


def test_missing_is_given_back_as_missing_and_0_as_0() -> None:
    zero = {"enabled": Value(DWORD, 0)}
    start = State(
        "EX1",
        {
            ROOT.casefold(): Key(True, subkeys=1),
            PARENT.casefold(): Key(True, subkeys=1),
            SERVER.casefold(): Key(True, zero),
        },
    )
    changes = TABLES.plan(start, desired(Wish(frameworks=()), start))
    assert len(changes) == 4
    taken_back, _lost = TABLES.way_back(changes)
    told = {row.key: row.options for row in taken_back}
    assert told[f"{SERVER}\\Enabled"] == {"value": {"kind": DWORD, "data": 0}}
    assert told[f"{SERVER}\\DisabledByDefault"] == {"value": "absent"}
    assert told[f"{CLIENT}\\Enabled"] == {"value": "absent", "missing_keys": 1}


def test_only_what_is_managed_can_be_described() -> None:
    with pytest.raises(PlanError, match="does not manage"):
        TABLES.plan(
            empty(),
            [
                Desired(
                    VALUES, r"SYSTEM\CurrentControlSet\Services\Tcpip\Start", {"value": "absent"}
                )
            ],
        )
    with pytest.raises(PlanError, match="has no option"):
        TABLES.plan(empty(), [Desired(VALUES, f"{SERVER}\\Enabled", {"data": 1})])
    with pytest.raises(PlanError, match="cannot be 1"):
        TABLES.plan(empty(), [Desired(VALUES, f"{SERVER}\\Enabled", {"value": 1})])


def test_the_order_of_capitals_means_nothing() -> None:
    row = TABLES[VALUES].find(empty(), f"{SERVER}\\Enabled".upper())
    assert row is not None
    assert row[0] == f"{SERVER}\\Enabled"


def test_a_neighbour_that_is_left_as_it_is_now_keeps_the_key() -> None:
    """As with keep_later_changes, where somebody has changed the other value since."""
    start = empty()
    changes = TABLES.plan(start, desired(Wish(frameworks=()), start))
    after = TABLES.apply_all(changes, start)
    taken_back, _lost = TABLES.way_back(changes)
    only = [row for row in taken_back if row.key == f"{SERVER}\\Enabled"]
    assert len(only) == 1
    back = TABLES.apply_all(TABLES.plan(after, only), after)
    assert set(back.key(SERVER).values) == {"disabledbydefault"}
    assert back.key(PARENT).subkeys == 2
    assert TABLES.plan(back, only) == ()
