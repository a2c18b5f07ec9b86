# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of the receive connectors themselves: what Exchange refuses, or does not survive. See
guards.py.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    builtin_connectors,
    conflicts,
    doors,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.calls import (
    RIGHTS_OPTIONS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    is_loopback,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    Change,
    SiteNetworks,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.words import listed
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import Address
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    WARN,
    Finding,
)


def check(
    before: State,
    after: State,
    networks: SiteNetworks,
    changes: t.Sequence[Change],
    _unreachable: frozenset[str],
) -> t.Iterator[Finding]:
    """What the guards find."""
    receive_changes = [change for change in changes if change.table == RECEIVE.name]
    for change in receive_changes:
        yield from _protected(change, before)
        yield from _bindings(change, after)
    yield from _conflicts(before, after, receive_changes, locks=networks.inbound_lock)


_NARROWING = ("remote_ip_ranges", "bindings", "permission_groups", "auth_mechanism")


def _protected(change: Change, before: State) -> t.Iterator[Finding]:
    current = before.receive.get(change.key.casefold())
    if current is None:
        return
    if change.action == Action.REMOVE:
        if builtin_connectors.is_setup_made(current, before.server):
            yield Finding(
                "protected_connector",
                STOP,
                f"The receive connector '{change.key}' was made by setup and would be removed.",
            )
        return
    reason = builtin_connectors.inner_reason(current, before.server)
    if reason is None:
        return
    harm = [
        option
        for option in _NARROWING
        if option in change.after and not change.before[option] <= change.after[option]
    ]
    harm += [option for option in ("transport_role", "fqdn") if option in change.after]
    if change.after.get("enabled") is False:
        harm.append("enabled")
    if harm:
        yield Finding(
            "protected_connector",
            STOP,
            f"The receive connector '{change.key}' would lose something ({listed(harm)}), "
            f"but {reason}.",
        )


def _bindings(change: Change, after: State) -> t.Iterator[Finding]:
    server = after.server
    fresh = (change.after.get("bindings") or frozenset()) - (
        change.before.get("bindings") or frozenset()
    )
    foreign = [
        endpoint
        for endpoint in sorted(fresh)
        if not endpoint.is_wildcard
        and not is_loopback(endpoint)
        and Address(endpoint.version, endpoint.address) not in server.addresses
    ]
    if foreign and server.addresses:
        yield Finding(
            "foreign_binding",
            STOP,
            f"The receive connector '{change.key}' would listen on {listed(map(str, foreign))}, "
            f"which the server {server.name} does not have.",
        )
    connector = after.receive.get(change.key.casefold(), {})
    becomes_hub = "transport_role" in change.after or bool(fresh)
    if (
        becomes_hub
        and builtin_connectors.is_mailbox_2013(server)
        and connector.get("transport_role") == "HubTransport"
        and 25 in doors.ports([connector])
    ):
        yield Finding(
            "transport_role_conflict",
            STOP,
            f"The receive connector '{change.key}' would give port 25 to the transport service, "
            "which belongs to the front end.",
        )


def _conflicts(
    before: State, after: State, changes: t.Sequence[Change], *, locks: bool
) -> t.Iterator[Finding]:
    for where, heard, names in conflicts.equal_claims(after.receive.values()):
        if all(name.casefold() in before.receive for name in names):
            yield Finding(
                "range_conflict",
                WARN,
                f"The receive connectors {_quoted(names)} all hear {heard} on {where}, "
                "and which of them answers is not known. Remove what is left over.",
            )
    if not changes:
        return
    there = {conflict.pair for conflict in conflicts.conflicts(before.receive.values())}
    touched = {change.key.casefold(): change for change in changes}
    for conflict in conflicts.conflicts(after.receive.values()):
        if conflict.pair in there:
            yield from _old_conflict(conflict, touched)
        else:
            yield Finding(
                (
                    "transport_role_conflict"
                    if conflict.kind == conflicts.ROLE
                    else "range_conflict"
                ),
                STOP,
                f"{conflict.sentence()}{_way_out(conflict, touched, after, locks=locks)}",
                final=True,
            )


def _way_out(
    conflict: conflicts.Conflict, touched: t.Mapping[str, Change], after: State, *, locks: bool
) -> str:
    """What to do with the one of two connectors that is there already."""
    option = "transport_role" if conflict.kind == conflicts.ROLE else "remote_ip_ranges"
    made = {
        key
        for key, change in touched.items()
        if change.action == Action.CREATE or option in change.after
    }
    standing = [name for name in conflict.names if name.casefold() not in made]
    if len(standing) != 1:
        return ""
    [name] = standing
    [other] = [other for other in conflict.names if other != name]
    if conflict.kind == conflicts.ROLE:
        role = after.receive[other.casefold()].get("transport_role")
        return f" Give '{name}' the transport_role {role} in receive_connectors, or remove it."
    heard = conflict.ranges[conflict.names.index(name)]
    way = (
        f" Take {heard} out of the remote_ip_ranges of '{name}' in receive_connectors, or remove it"
    )
    if locks and touched[other.casefold()].action == Action.CREATE:
        return f"{way}; or name '{name}' in the option name of inbound_lock, which then manages it."
    return f"{way}."


def _old_conflict(
    conflict: conflicts.Conflict, touched: t.Mapping[str, Change]
) -> t.Iterator[Finding]:
    """Exchange refuses whatever is set on one of two connectors that conflict, but no right."""
    for name in conflict.names:
        change = touched.get(name.casefold())
        refused = sorted(set(change.after) - RIGHTS_OPTIONS) if change else []
        if refused:
            yield Finding(
                "range_conflict",
                STOP,
                f"Exchange refuses to change {listed(refused)} of the receive connector '{name}' "
                f"as long as {_quoted(conflict.names)} conflict. Remove the one that is left over.",
                final=True,
            )


def _quoted(names: t.Iterable[str]) -> str:
    return listed(f"'{name}'" for name in names)
