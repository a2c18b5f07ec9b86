# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of the way out. See guards.py."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import routing
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import Change, SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.words import listed
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import STOP, WARN, Finding

_PLACE = frozenset({"enabled", "address_spaces"})


def check(
    before: State, after: State, _networks: SiteNetworks, changes: t.Sequence[Change], unreachable: frozenset[str]
) -> t.Iterator[Finding]:
    """What the guards find."""
    mine = [change for change in changes if change.table == SEND.name]
    yield from _protected(mine, before)
    # Whoever says anew which mail a connector takes means it; of two such connectors the one that
    # gets the mail is meant to.
    placed = {change.key.casefold() for change in mine if change.action == Action.CREATE or _PLACE & set(change.after)}
    for change in mine:
        connector = after.send.get(change.key.casefold())
        if connector is None or not connector.get("enabled", True):
            continue
        if change.key.casefold() in placed:
            yield from _leak(connector, after, placed)
        if change.action == Action.CREATE or "smart_hosts" in change.after or "enabled" in change.after:
            yield from _reach(connector, unreachable)


def _protected(changes: t.Sequence[Change], before: State) -> t.Iterator[Finding]:
    subscribed = before.server.edge and any(
        one["name"].casefold().startswith("edgesync - ") for one in before.send.values()
    )
    for change in changes:
        connector = before.send.get(change.key.casefold()) or change.after
        reason = routing.protected_reason(connector)
        if reason is None and subscribed:
            reason = "this Edge server is subscribed, so that EdgeSync would overwrite the change; change it on a Hub or Mailbox server"
        if reason:
            yield Finding(
                "protected_send_connector",
                STOP,
                f"The send connector '{change.key}' would be changed, but {reason}.",
            )


def _leak(connector: routing.Connector, after: State, placed: set[str]) -> t.Iterator[Finding]:
    """Mail in the spaces of `connector` that another one carries, or could."""
    name = connector["name"]
    for space in sorted(connector.get("address_spaces") or ()):
        carried = [
            message
            for message in routing.messages(after.send.values())
            if message.type == space.type
            and message.size == 0
            and routing.specificity(space.space, message.domain) is not None
        ]
        past: dict[str, set[str]] = {}
        idle: set[str] = set()
        for message in carried:
            chosen = routing.carriers(after.send.values(), message)
            if chosen[0] == name:
                idle |= {other for other in chosen[1:] if _has(after.send[other.casefold()], space)}
            elif chosen[0].casefold() not in placed:
                past.setdefault(chosen[0], set()).add(message.domain)
        for other, domains in sorted(past.items()):
            rival = after.send[other.casefold()]
            generic = [
                one
                for one in rival.get("address_spaces") or ()
                if one.type == space.type and routing.is_generic(one.space)
            ]
            deliberate = not generic or routing.protected_reason(rival) is not None
            yield Finding(
                "send_leak",
                WARN if deliberate else STOP,
                f"Mail {_to(domains, bool(generic))} would go through the send connector '{other}' and not through '{name}'.",
            )
        for other in sorted(idle - set(past)):
            yield Finding(
                "send_leak",
                WARN,
                f"The send connectors '{name}' and '{other}' are both enabled for {space.space}; Exchange chooses '{name}' while that stays so.",
            )


def _has(connector: routing.Connector, space: t.Any) -> bool:
    return any((one.type, one.space) == (space.type, space.space) for one in connector.get("address_spaces") or ())


def _to(domains: set[str], generic: bool) -> str:
    return "to the internet, or parts of it," if generic else f"to {listed(sorted(domains))}"


def _reach(connector: routing.Connector, unreachable: frozenset[str]) -> t.Iterator[Finding]:
    hosts = connector.get("smart_hosts") or frozenset()
    silent = sorted(host for host in hosts if host in {one.strip("[]").casefold() for one in unreachable})
    if silent:
        alone = len(silent) == len(hosts)
        yield Finding(
            "smart_host_unreachable",
            STOP if alone else WARN,
            f"The smart host {listed(silent)} of the send connector '{connector['name']}' does not answer this server on port "
            f"{connector.get('port') or 25}{', and there is no other' if alone else ''}.",
        )
