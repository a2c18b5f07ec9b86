# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guards: what would happen that nobody can want, told before anything is written.

A guard has a stable id. One that stops is overridden on purpose by naming its id in accept_risks; it then warns.
"""

from __future__ import annotations

import dataclasses
import types
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import _guards_receive as receive_side
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import _guards_send as send_side
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import Change, PlanError, Promises
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State

STOP = "stop"
WARN = "warn"

GUARDS: t.Mapping[str, str] = types.MappingProxyType(
    {
        "no_provider_range": "Nobody on the internet could deliver mail any more, because no usable provider range is accepted.",
        "range_too_wide": "A provider range is wider than a /8 (IPv4) or a /20 (IPv6), so that it locks next to nothing.",
        "private_provider_range": "A provider range holds private addresses, which no provider on the internet sends from.",
        "provider_shut_out": "The provider, or a part of its ranges, would not be accepted.",
        "own_networks_shut_out": "The own networks, or internal senders where none are named, would lose something that is accepted from them today.",
        "own_networks_refused": "Own networks are refused without a login already, which a lock before they were named may have done.",
        "exchange_servers_shut_out": "Other Exchange servers would lose what they are accepted with today.",
        "hybrid_shut_out": "Exchange Online would lose the hybrid path into the server.",
        "ipv6_open": "IPv4 is shut to the internet, and IPv6 is left open.",
        "still_open": "Internet addresses other than the provider's may still send anonymously after the lock.",
        "protected_connector": "A receive connector that Exchange itself needs would be removed, disabled or restricted.",
        "open_relay": "Strangers, or the provider's addresses, could relay to any recipient.",
        "foreign_binding": "A connector would listen on an address that the server does not have; the service would not start again.",
        "transport_role_conflict": "Connectors of different transport roles would listen on one port, or port 25 would go to the wrong role.",
        "range_conflict": "Two connectors would hear the same addresses, or overlap in part, on one binding, which Exchange refuses.",
        "send_leak": "Outgoing mail would go past the connector that is meant to carry it.",
        "smart_host_unreachable": "A smart host does not answer the server.",
        "hybrid_wizard_undone": "The hybrid wizard has put back the wide ranges or the anonymous right of a connector that was locked.",
        "protected_send_connector": "A send connector of the hybrid wizard or of an edge subscription would be changed.",
    }
)


# About the state that there would be. The others are about what Exchange refuses, or does not survive.
_OF_STATE = frozenset(GUARDS) - {
    "protected_connector",
    "foreign_binding",
    "transport_role_conflict",
    "range_conflict",
    "protected_send_connector",
}


@dataclass(frozen=True)
class Guard:
    """A guard that spoke. `severity` is `stop` or `warn`; `sentence` says what would happen, without the way to override it."""

    id: str
    severity: str
    sentence: str


def check(
    before: State,
    after: State,
    promises: Promises,
    changes: t.Sequence[Change],
    accept_risks: t.Collection[str] = (),
    *,
    unreachable: t.Collection[str] = (),
    restoring: bool = False,
) -> tuple[Guard, ...]:
    """The guards that speak about making `after` of `before`, those that stop first.

    `unreachable` are smart hosts that were tried from the server and did not answer, as names or addresses. `restoring`: `after` is
    what a snapshot gives back, which was so before and is wished as it was; about that the guards only warn. Raises PlanError for an id
    in `accept_risks` that is none.
    """
    unknown = sorted(set(accept_risks) - set(GUARDS))
    if unknown:
        raise PlanError(
            f"accept_risks names '{unknown[0]}', which is no guard. Nothing was changed. The guards are: {', '.join(sorted(GUARDS))}."
        )
    spoken: list[Guard] = []
    for look in (receive_side.check, send_side.check):
        spoken.extend(Guard(*found) for found in look(before, after, promises, changes, frozenset(unreachable)))
    accepted = {*accept_risks, *(_OF_STATE if restoring else ())}
    spoken = [dataclasses.replace(one, severity=WARN) if one.id in accepted else one for one in dict.fromkeys(spoken)]
    return tuple(sorted(spoken, key=lambda one: one.severity != STOP))
