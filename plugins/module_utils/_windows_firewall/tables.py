# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a firewall as a table: what of them can be changed, and how they look afterwards."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    change as changes,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Desired,
    Row,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.tables import (
    Table,
    Tables,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.state import (
    LOCAL,
    OURS,
    Held,
    State,
    identity,
    without_text,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.texts import (
    ALL_PROFILES,
    Rule,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.values import (
    parse_enabled,
    read_addresses,
    read_ports,
)

Change = changes.Change[str]

RULES = "rules"
CHANGEABLE = ("enabled", "local_ports", "remote_addresses")
"""What is changed of a rule that is there."""

FIXED = ("protocol", "profiles", "program", "service")
"""What a rule of ours is made with beside that."""


def canonical(option: str, value: t.Any) -> t.Any:
    """The canonical value of an option: lists as tuples of texts, in order. Raises PlanError."""
    if option == "enabled":
        return parse_enabled(value)
    if option == "local_ports":
        return read_ports(value).texts()
    if option == "remote_addresses":
        return read_addresses(value).texts()
    if option in FIXED:
        return value
    raise PlanError(f"A firewall rule has no option '{option}'. Nothing was changed.")


def row_of(rule: Rule) -> dict[str, t.Any]:
    """The options of a rule, canonical."""
    return {
        "enabled": rule.enabled,
        "local_ports": rule.ports.texts(),
        "remote_addresses": rule.remote.texts(),
        "protocol": rule.protocol,
        "profiles": rule.profiles,
        "program": rule.program,
        "service": rule.service,
    }


def rule_with(rule: Rule, row: Row) -> Rule:
    """A rule with some options as they are in `row`."""
    changed: dict[str, t.Any] = {name: row[name] for name in ("enabled", *FIXED) if name in row}
    if "local_ports" in row:
        changed["ports"] = read_ports(row["local_ports"])
    if "remote_addresses" in row:
        changed["remote"] = read_addresses(row["remote_addresses"])
    return dataclasses.replace(rule, **changed)


class RuleTable(Table[State, str]):
    """The local inbound rules that COM shows. Nobody makes or removes one but ours."""

    noun = "firewall rule"

    def identity(self, key: str) -> t.Hashable:
        return identity(key)

    def find(self, state: State, key: str) -> tuple[str, Row] | None:
        held = state.rules.get(identity(key))
        if held is None or held.row is None or held.store != LOCAL:
            return None
        return held.key, row_of(held.rule)

    def created(self, state: State, desired: Desired[str]) -> Row:
        options = desired.options or {}
        if not desired.key.startswith(OURS) or set(options) != {*CHANGEABLE, *FIXED}:
            raise PlanError(
                f"There is no firewall rule '{desired.key}', and only whole rules of this "
                "collection can be made. Nothing was changed. It may have been made again under "
                "another id since, as an update of Exchange does."
            )
        return {name: canonical(name, value) for name, value in options.items()}

    def differing(self, row: Row, options: Row) -> tuple[Row, Row]:
        wished = {name: canonical(name, value) for name, value in options.items()}
        different = [name for name, value in wished.items() if row[name] != value]
        return {name: row[name] for name in different}, {name: wished[name] for name in different}

    def apply(self, change: Change, state: State) -> State:
        rules = dict(state.rules)
        if change.action == Action.REMOVE:
            rules.pop(identity(change.key), None)
        elif change.action == Action.CREATE:
            rule = rule_with(Rule(name=change.key), change.after)
            rule = rule if state.has_texts else without_text(rule)
            rules[identity(change.key)] = Held(change.key, rule, row={}, ours=True)
        else:
            held = rules[identity(change.key)]
            rules[identity(change.key)] = dataclasses.replace(
                held, rule=rule_with(held.rule, change.after)
            )
        return dataclasses.replace(state, rules=rules)

    def plain(self, row: Row) -> dict[str, t.Any]:
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in row.items()
        }

    def undone(self, change: Change) -> tuple[Desired[str], t.Sequence[str]]:
        if change.action == Action.CREATE:
            return Desired(RULES, change.key, None), ()
        return Desired(RULES, change.key, self.plain(change.before)), ()

    def complaints(self, state: State, change: Change) -> t.Iterable[str]:
        held = state.rules.get(identity(change.key))
        if (
            change.action == Action.MODIFY
            and "local_ports" in change.after
            and held
            and held.rule.protocol is None
        ):
            yield (
                f"The firewall rule '{change.key}' is for every protocol, "
                "so that it can have no ports. Nothing was changed."
            )


TABLES: Tables[State, str] = Tables({RULES: RuleTable()})


def order(changes_: t.Sequence[Change]) -> tuple[Change, ...]:
    """New rules first, then those that let in more, then those that let in less; ours that go are
    last.

    So nobody who is let in before and after is shut out between, and nobody is let in whom neither
    lets in: each rule goes in one step from what it was to what it shall be.
    """

    def rank(change: Change) -> int:
        if change.action == Action.CREATE:
            return 0
        if change.action == Action.REMOVE:
            return 3
        return 1 if _widens(change) else 2

    return tuple(sorted(changes_, key=rank))


def _widens(change: Change) -> bool:
    """Whether a rule may let in more by a change than it did."""
    if not set(change.after) <= set(CHANGEABLE):
        return True
    if "enabled" in change.after:
        return bool(change.after["enabled"])
    if "local_ports" in change.after:
        before, after = (read_ports(side["local_ports"]) for side in (change.before, change.after))
        return not after.within(before)
    addresses = [read_addresses(side["remote_addresses"]) for side in (change.before, change.after)]
    return not addresses[1].possible <= addresses[0].possible


def whole(rule: Rule, remote: t.Sequence[str], ports: t.Sequence[str]) -> dict[str, t.Any]:
    """The options of a rule of ours that holds where `rule` does."""
    return {
        "enabled": True,
        "local_ports": list(ports),
        "remote_addresses": list(remote),
        "protocol": 6,
        "profiles": rule.profiles & ALL_PROFILES,
        "program": rule.program,
        "service": rule.service,
    }
