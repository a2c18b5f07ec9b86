# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe of the lock on the way out: one connector hands all mail to the smart hosts, and the
others that carry mail to the internet are disabled and kept.

A new one takes over what of those made mail leave as it does: the servers that send it, the biggest
message, the name that they give.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import routing
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.kinds import UNLIMITED
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

Options = t.Mapping[str, t.Any]
Connector = routing.Connector

OUTBOUND_NAME = "Mail to filter"

_SOURCES = "source_transport_servers"
# Of the connector that carried mail to the internet. frontend_proxy_enabled and source_ip_address
# decide from which address the smart hosts see it come.
_TAKEN_OVER = ("fqdn", "frontend_proxy_enabled", "source_ip_address")


def outbound_lock(state: State, options: Options) -> tuple[Desired[str], ...]:
    """The wish of the lock on the way out.

    Every other enabled connector for the internet at large (`*`, `*.com`) or for one of the lock's
    own spaces is disabled and kept for the way back. One for a partner's domain stays, because the
    partner may be reachable no other way; the guard send_leak tells of it. Connectors of the hybrid
    wizard and of EdgeSync are never touched. Raises PlanError where the options cannot be used.
    """
    name = options.get("name") or OUTBOUND_NAME
    if not options.get("smart_hosts"):
        raise PlanError(
            "outbound_lock names no smart_hosts. Nothing was changed. Name the hosts that take the "
            "site's outgoing mail."
        )
    close = options.get("close") or "disable"
    if close not in ("disable", "keep"):
        raise PlanError(
            f"The option close of outbound_lock is '{close}'. Nothing was changed. It can be "
            "disable or keep."
        )
    spaces = options.get("address_spaces") or ["SMTP:*;1"]
    entry: dict[str, t.Any] = {
        "name": name,
        "state": "present",
        "enabled": True,
        "address_spaces": spaces,
    }
    # Not taken from the rest: name, close and what is not an option of a send connector.
    entry.update(
        {
            option: value
            for option, value in options.items()
            if value is not None
            and option not in ("name", "close", "address_spaces")
            and (option in SEND.properties or option == "update_credential")
        }
    )
    closed = list(_rivals(state, name, spaces)) if close == "disable" else []
    if not entry.get(_SOURCES):
        entry.pop(_SOURCES, None)
        entry.update(_sources(state, name, closed))
    if name.casefold() not in state.send:
        entry = {**_taken_over(closed), **entry}
    return desired(send=(entry, *({"name": rival["name"], "enabled": False} for rival in closed)))


def _rivals(state: State, name: str, spaces: t.Any) -> t.Iterator[Connector]:
    """The connectors that carry the same mail and are to be closed."""
    wanted = {
        (space.type, space.space) for space in SEND.properties["address_spaces"].parse(spaces)
    }
    everything = ("smtp", "*") in wanted
    for key, connector in sorted(state.send.items()):
        if (
            key == name.casefold()
            or not connector.get("enabled", True)
            or routing.protected_reason(connector)
        ):
            continue
        own = {(space.type, space.space) for space in connector.get("address_spaces") or ()}
        if own & wanted or (
            everything and any(kind == "smtp" and routing.is_generic(space) for kind, space in own)
        ):
            yield connector


def _sources(state: State, name: str, closed: t.Sequence[Connector]) -> dict[str, t.Any]:
    """The servers that send what the closed connectors carried: those that do so today, so that
    none of them has to hand it to another one. This server where there are none.
    """
    if state.server.edge:
        return {}
    replaced: frozenset[str] = frozenset().union(
        *(connector.get(_SOURCES) or () for connector in closed)
    )
    current = state.send.get(name.casefold())
    if current is None:
        return {_SOURCES: sorted(replaced) or [state.server.name]}
    missing = replaced - (current.get(_SOURCES) or frozenset())
    return {_SOURCES: {"add": sorted(missing)}} if missing else {}


def _taken_over(closed: t.Sequence[Connector]) -> dict[str, t.Any]:
    # The one that Exchange chooses for the internet today speaks for the others.
    chosen = routing.carriers(closed, routing.Message("internet"))
    ranked = sorted(closed, key=lambda connector: connector["name"] not in chosen[:1])
    options = {
        option: connector[option]
        for connector in reversed(ranked)
        for option in _TAKEN_OVER
        if connector.get(option)
    }
    sizes = [
        connector["max_message_size"]
        for connector in closed
        if connector.get("max_message_size") is not None
    ]
    if sizes:
        options["max_message_size"] = UNLIMITED if UNLIMITED in sizes else max(sizes)
    return {option: SEND.properties[option].kind.show(value) for option, value in options.items()}
