# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of the way out. See guards.py."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import routing, ways_out
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    Change,
    SiteNetworks,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.routing import Claim
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.words import listed
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    WARN,
    Finding,
)

_PLACE = frozenset({"enabled", "address_spaces"})


def check(
    before: State,
    after: State,
    networks: SiteNetworks,
    changes: t.Sequence[Change],
    unreachable: frozenset[str],
) -> t.Iterator[Finding]:
    """What the guards find."""
    send_changes = [change for change in changes if change.table == SEND.name]
    yield from _protected(send_changes, before)
    # Whoever says anew which mail a connector takes means it; of two such connectors the one that
    # gets the mail is meant to.
    placed = {
        change.key.casefold()
        for change in send_changes
        if change.action == Action.CREATE or _PLACE & set(change.after)
    }
    claim = networks.outbound_lock
    if claim is not None:
        yield from _leaks(claim, after, placed, locked=True)
        if send_changes:
            yield from _stranded(before, after)
    if send_changes:
        yield from _bereft(before, after, claim)
    for change in send_changes:
        connector = after.send.get(change.key.casefold())
        if connector is None or not connector.get("enabled", True):
            continue
        if change.key.casefold() in placed and (
            claim is None or change.key.casefold() != claim.name.casefold()
        ):
            of_its_own = Claim(connector["name"], frozenset(connector.get("address_spaces") or ()))
            yield from _leaks(of_its_own, after, placed, locked=False)
        if (
            change.action == Action.CREATE
            or "smart_hosts" in change.after
            or "enabled" in change.after
        ):
            yield from _reach(connector, unreachable)


def _protected(changes: t.Sequence[Change], before: State) -> t.Iterator[Finding]:
    subscribed = before.server.edge and any(
        connector["name"].casefold().startswith("edgesync - ") for connector in before.send.values()
    )
    for change in changes:
        connector = before.send.get(change.key.casefold()) or change.after
        reason = routing.protected_reason(connector)
        if reason is None and subscribed:
            reason = (
                "this Edge server is subscribed, so that EdgeSync would overwrite the "
                "change; change it on a Hub or Mailbox server"
            )
        if reason:
            yield Finding(
                "protected_send_connector",
                STOP,
                f"The send connector '{change.key}' would be changed, but {reason}.",
            )


def _leaks(claim: Claim, after: State, placed: set[str], *, locked: bool) -> t.Iterator[Finding]:
    """Mail of a claim that another connector carries, or could.

    Of a lock it is told in every run, and stops one that places the lock's own connector.
    """
    rivals = ways_out.past(after.send, claim)
    for passage in rivals:
        if passage.rival.casefold() in placed and not (locked and passage.generic):
            continue
        rival = after.send[passage.rival.casefold()]
        deliberate = not passage.generic or routing.protected_reason(rival) is not None
        hint = ways_out.what_to_do(rival, claim) if passage.generic else ""
        severity = WARN if deliberate or claim.name.casefold() not in placed else STOP
        yield Finding("send_leak", severity, passage.words("would go") + hint)
    for space, name in ways_out.idle(after.send, claim) if claim.name.casefold() in placed else ():
        if name not in {passage.rival for passage in rivals}:
            yield Finding(
                "send_leak",
                WARN,
                f"The send connectors '{claim.name}' and '{name}' are both enabled for {space}; "
                f"Exchange chooses '{claim.name}' while that stays so.",
            )


def _stranded(before: State, after: State) -> t.Iterator[Finding]:
    """Of a limit only told: a lock takes over the biggest one, so that somebody has named less."""
    for mail in ways_out.stranded(before.send, after.send):
        what = f"Mail of more than {mail.bigger >> 10} KB" if mail.bigger else "Mail"
        way = "Raise the max_message_size" if mail.bigger else "Name them in the address_spaces"
        yield Finding(
            "mail_stranded",
            WARN if mail.bigger else STOP,
            f"{what} to {listed(mail.spaces)} goes through the send connector '{mail.name}' today, "
            "and no send connector would carry it: it would wait in the Unreachable queue. "
            f"{way} of outbound_lock, or set its close to keep.",
        )


def _bereft(before: State, after: State, claim: Claim | None) -> t.Iterator[Finding]:
    for name, servers in sorted(ways_out.bereft(before.send, after.send).items()):
        carrier = after.send[name.casefold()]
        own = carrier.get("source_transport_servers") or ()
        plural = len(servers) > 1
        yield Finding(
            "source_servers_lost",
            STOP,
            f"The {'servers' if plural else 'server'} {_upper(servers)} "
            f"{'send' if plural else 'sends'} mail to the internet by "
            f"{'themselves' if plural else 'itself'} today. "
            f"Through the send connector '{name}' only {_upper(own)} would, so that it waits while "
            f"that one is down. {_give_back(carrier, servers, claim)}",
        )


def _give_back(carrier: routing.Connector, servers: t.Collection[str], claim: Claim | None) -> str:
    """How servers come to their own way out again, in a sentence: by whom the connector is kept."""
    them = "them" if len(servers) > 1 else "it"
    reason = routing.protected_reason(carrier)
    if reason is None:
        locked = claim is not None and carrier["name"].casefold() == claim.name.casefold()
        whose = " of outbound_lock" if locked else f" of '{carrier['name']}'"
        return f"Name {them} in source_transport_servers{whose} as well."
    kept = "keep the connector in service that carries this mail today"
    if claim is not None:
        kept += " (close: keep of outbound_lock)"
    if routing.is_hybrid(carrier):
        return (
            f"It is not touched here, because {reason}: choose {them} in the wizard as well, which "
            f"asks for the transport servers that send (unverified), or {kept}."
        )
    return f"It is not touched here, because {reason}: {kept}."


def _upper(servers: t.Iterable[str]) -> str:
    return listed(sorted(server.upper() for server in servers))


def _reach(connector: routing.Connector, unreachable: frozenset[str]) -> t.Iterator[Finding]:
    hosts = connector.get("smart_hosts") or frozenset()
    silent = sorted(
        host for host in hosts if host in {host.strip("[]").casefold() for host in unreachable}
    )
    if silent:
        alone = len(silent) == len(hosts)
        yield Finding(
            "smart_host_unreachable",
            STOP if alone else WARN,
            f"The smart host {listed(silent)} of the send connector '{connector['name']}' does not "
            "answer this server on port "
            f"{connector.get('port') or 25}{', and there is no other' if alone else ''}.",
        )
