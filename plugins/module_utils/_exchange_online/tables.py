# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a tenant for the engine, and the cmdlets that carry out a change."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.client import Call
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.resources import (
    CONNECTOR,
    CONNECTOR_SOURCE,
    FURTHER,
    ORGANIZATION,
    PARTNER,
    RULE,
    STOPS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.state import (
    TenantState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import Resource
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    change as transaction,
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

Change = transaction.Change[str]

# What a new object has where nothing is said.
_NEW: t.Mapping[str, t.Mapping[str, t.Any]] = {
    CONNECTOR.name: {"enabled": True, CONNECTOR_SOURCE: "Default"},
    RULE.name: {"enabled": True, FURTHER: frozenset(), "set_scl": None, STOPS: False},
}
_NEEDED: t.Mapping[str, tuple[str, ...]] = {
    CONNECTOR.name: ("connector_type", "sender_domains"),
    RULE.name: ("from_scope", "mode"),
    ORGANIZATION.name: (),
}


class Objects(Table[TenantState, str]):
    """The inbound connectors, the transport rules, or the one organization."""

    def __init__(self, resource: Resource) -> None:
        self.noun = resource.noun
        self._resource = resource

    def identity(self, key: str) -> str:
        return key.casefold()

    def find(self, state: TenantState, key: str) -> tuple[str, Row] | None:
        row = state.rows(self._resource).get(key.casefold())
        if row is None:
            return None
        return (key if self._resource is ORGANIZATION else row["name"]), row

    def created(self, state: TenantState, desired: Desired[str]) -> Row:
        options = desired.options or {}
        missing = [name for name in _NEEDED[self._resource.name] if not options.get(name)]
        if missing or self._resource is ORGANIZATION:
            raise PlanError(
                f"There is no {self.noun} '{desired.key}', and a new one needs "
                f"{' and '.join(missing)}. Nothing was changed."
            )
        row: dict[str, t.Any] = {"name": desired.key, **_NEW[self._resource.name]}
        for option, value in options.items():
            row[option] = self._property(option).resolve(None, value)
        return row

    def differing(self, row: Row, options: Row) -> tuple[Row, Row]:
        before: dict[str, t.Any] = {}
        after: dict[str, t.Any] = {}
        for option, value in options.items():
            prop = self._property(option)
            empty = prop.parse("")
            current = row.get(option, empty)
            wished = empty if value is None else prop.resolve(current, value)
            if current != wished:
                before[option], after[option] = current, wished
        return before, after

    def _property(self, option: str) -> t.Any:
        try:
            return self._resource.properties[option]
        except KeyError:
            raise PlanError(
                f"The {self.noun} has no option '{option}'. Nothing was changed."
            ) from None

    def apply(self, change: Change, state: TenantState) -> TenantState:
        rows = dict(state.rows(self._resource))
        key = change.key.casefold()
        if change.action == Action.REMOVE:
            rows.pop(key, None)
        else:
            base = rows[key] if change.action == Action.MODIFY else {}
            rows[key] = {**base, **change.after}
        return state.with_rows(self._resource, rows)

    def plain(self, row: Row) -> dict[str, t.Any]:
        properties = self._resource.properties
        # An option that is not set is told as well: to give it back is to unset it.
        return {
            option: properties[option].kind.show(row[option])
            for option in sorted(row)
            if option in properties
        }

    def undone(self, change: Change) -> tuple[Desired[str], t.Sequence[str]]:
        if change.action == Action.CREATE:
            return Desired(change.table, change.key, None), ()
        return Desired(change.table, change.key, self.plain(change.before)), ()


TABLES: Tables[TenantState, str] = Tables(
    {resource.name: Objects(resource) for resource in (CONNECTOR, RULE, ORGANIZATION)}
)
RESOURCES: t.Mapping[str, Resource] = {
    resource.name: resource for resource in (CONNECTOR, RULE, ORGANIZATION)
}


def calls(change: Change, state: TenantState) -> list[Call]:
    """The cmdlets that carry out a change, in their order; `state` is the one before it."""
    resource = RESOURCES[change.table]
    verbs = resource.verbs
    if change.action == Action.REMOVE:
        return [Call(verbs["remove"], {"Identity": change.key, "Confirm": False})]
    parameters = {
        prop.parameter: _written(prop.kind.write(change.after[option]))
        for option, prop in resource.properties.items()
        if option in change.after and not prop.set_only
    }
    if change.action == Action.CREATE:
        if resource is RULE:
            parameters["Enabled"] = bool(change.after["enabled"])
        # What is not set is not said to New-, which knows no null for most of it.
        named = {name: value for name, value in parameters.items() if value not in (None, [])}
        return [Call(verbs["new"], {"Name": change.key, **named})]
    if resource is ORGANIZATION:
        return [Call(verbs["set"], parameters)]
    made = []
    if parameters:
        if resource is CONNECTOR:
            # Restrictions act on a connector of this type only, and what Set- takes for one that
            # is not said has changed over time.
            row = {**state.rows(resource)[change.key.casefold()], **change.after}
            parameters["ConnectorType"] = row.get("connector_type") or PARTNER
        made.append(Call(verbs["set"], {"Identity": change.key, **parameters}))
    if resource is RULE and "enabled" in change.after:
        verb = "Enable" if change.after["enabled"] else "Disable"
        made.append(Call(f"{verb}-TransportRule", {"Identity": change.key, "Confirm": False}))
    return made


def cmdlets(changes: t.Iterable[Change], state: TenantState) -> list[str]:
    """The names of all cmdlets that the changes take, each once."""
    names: dict[str, None] = {}
    for change in changes:
        names.update(dict.fromkeys(call.cmdlet for call in calls(change, state)))
        state = TABLES.apply(change, state)
    return list(names)


def _written(value: t.Any) -> t.Any:
    return list(value) if isinstance(value, (tuple, frozenset, set)) else value
