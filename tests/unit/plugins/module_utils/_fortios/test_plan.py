# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which a plan's changes are written: no step shuts a way in before another one is
open.
"""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import state as states
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import (
    TABLES,
    apply_all,
    change_sentence,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Change,
    Desired,
)

POLICIES: dict[int, dict[str, t.Any]] = {
    number: {"policyid": number, "action": action, "srcaddr": ["office"], "status": "enable"}
    for number, action in ((1, "accept"), (2, "deny"), (3, "accept"), (4, "accept"))
}


def test_what_lets_in_comes_before_what_shuts_out_whatever_the_order_of_the_wish() -> None:
    state = states.DeviceState((7, 4, 4), t.cast("t.Any", {states.POLICY: POLICIES}))
    wish: list[Desired[t.Any]] = [
        Desired(states.POLICY, 1, None),
        Desired(states.POLICY, 3, {"status": "disable"}),
        Desired(states.POLICY, "shut", {"action": "deny", "srcaddr": ["all"]}),
        Desired(states.POLICY, 2, None),
        Desired(states.POLICY, 4, {"srcaddr": ["all"]}),
        Desired(states.POLICY, "filter", {"action": "accept", "srcaddr": ["filter"]}),
    ]
    for some in itertools.permutations(wish):
        keys = [change.key for change in plan(state, some)]
        assert keys == ["filter", 4, 2, "shut", 3, 1]


def test_policies_that_stood_side_by_side_come_back_in_their_order() -> None:
    for actions in itertools.product(("accept", "deny"), repeat=3):
        rows: dict[int, dict[str, t.Any]] = {
            number: {"policyid": number, "name": f"ours-{number}", "action": action}
            for number, action in enumerate(actions, 7)
        }
        before = states.DeviceState(
            (7, 4, 4), t.cast("t.Any", {states.POLICY: {**rows, 1: POLICIES[1]}})
        )
        gone = plan(before, [Desired(states.POLICY, number, None) for number in rows])
        desired, not_given = TABLES.way_back(gone)
        # Its number is somebody else's by then.
        left: dict[t.Any, t.Any] = dict(apply_all(gone, before).table(states.POLICY))
        left[8] = {"policyid": 8, "name": "other", "action": "deny"}
        now = states.DeviceState((7, 4, 4), t.cast("t.Any", {states.POLICY: left}))
        after = apply_all(plan(now, desired), now)
        names = [row.get("name") for row in after.table(states.POLICY).values()]
        assert (names, not_given) == (["ours-7", "ours-8", "ours-9", None, "other"], ())


def test_a_group_goes_before_the_groups_that_it_holds_and_these_before_their_members() -> None:
    tables: dict[str, t.Any] = {
        states.ADDRESS: {"a": {"name": "a", "subnet": "198.51.100.0 255.255.255.0"}},
        states.GROUP: {
            "inner": {"name": "inner", "member": ["a"]},
            "outer": {"name": "outer", "member": ["inner"]},
        },
    }
    wish: list[Desired[t.Any]] = [
        Desired(states.ADDRESS, "a", None),
        Desired(states.GROUP, "inner", None),
        Desired(states.GROUP, "outer", None),
    ]
    for some in itertools.permutations(wish):
        changes = plan(states.DeviceState((7, 4, 4), tables), some)
        assert [change.key for change in changes] == ["outer", "inner", "a"]


def test_a_change_is_told_in_one_sentence_by_what_it_does() -> None:
    many = [f"net{number}" for number in range(40)]
    row = {"action": "accept", "srcaddr": ["filter"], "dstaddr": ["srv"]}
    six = {"action": "deny", "srcaddr6": ["all"], "dstaddr6": ["srv6"]}
    changes: list[Change[t.Any]] = [
        Change(states.POLICY, Action.CREATE, "in", {}, row, 7),
        Change(states.POLICY, Action.CREATE, "six", {}, six),
        Change(states.POLICY, Action.CREATE, "shut", {}, {"action": "deny", "srcaddr": ["all"]}),
        Change(states.POLICY, Action.REMOVE, 7, {"name": "old", **row}, {}),
        Change(states.POLICY, Action.MOVE, 8, {}, {}, 7),
        Change(states.POLICY, Action.MODIFY, 9, {"comments": ""}, {"comments": "Ours"}),
    ]
    sentences = [change_sentence(change).replace("firewall policy", "policy") for change in changes]
    assert sentences.pop().startswith("Change the policy 9: ")
    assert sentences == [
        "Create the policy 'in' that accepts 'filter' to 'srv', right before policy 7.",
        "Create the policy 'six' that refuses 'all' to 'srv6'.",
        "Create the policy 'shut' that refuses 'all' to nothing.",
        "Remove the policy 7 'old'.",
        "Move the policy 8 right before policy 7.",
    ]
    long: Change[t.Any] = Change(states.POLICY, Action.CREATE, "x", {}, {**row, "srcaddr": many})
    assert " more to 'srv'." in change_sentence(long)


def test_a_policy_is_changed_and_removed_by_its_name_and_made_beside_one_of_that_name() -> None:
    policies = {7: {"policyid": 7, "name": "old"}, 8: {"policyid": 8, "name": "kept"}}
    state = states.DeviceState((7, 4, 4), t.cast("t.Any", {states.POLICY: policies}))

    def left_by(action: Action, after: dict[str, t.Any]) -> t.Any:
        change: Change[t.Any] = Change(states.POLICY, action, "old", {}, after)
        return apply_all([change], state).table(states.POLICY)

    assert list(left_by(Action.REMOVE, {})) == [8]
    changed = left_by(Action.MODIFY, {"status": "disable"})
    assert changed == {7: {**policies[7], "status": "disable"}, 8: policies[8]}
    assert len(left_by(Action.CREATE, {"name": "old"})) == 3
