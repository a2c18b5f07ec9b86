# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The receive connectors as the last stage of the whole edge."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import (
    DELIVER,
    RELAY,
    Door,
    Groups,
    Plain,
    stage,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import doors, strangers
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    Answer,
    is_loopback,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.remember import same
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Address,
    Endpoint,
    RangeSet,
)

if t.TYPE_CHECKING:
    from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
        SiteNetworks,
    )
    from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State

_RIGHTS: t.Mapping[str, tuple[t.Callable[[Answer], bool], t.Callable[[Answer], bool]]] = {
    DELIVER: (doors.accepts_anonymous, doors.surely_accepts_anonymous),
    # Of several connectors with the same claim only one may allow it.
    RELAY: (strangers.relays, lambda answer: strangers.relays(answer) and not answer.rivals),
}
"""Right → whether an answer may allow it, and whether it certainly does."""


def of(state: State, networks: SiteNetworks) -> Plain:
    """Who may send, and relay, without a login at each port that a connector listens on."""
    connectors = same(state.receive.values())
    told = [door for port in sorted(doors.ports(connectors)) for door in _at_port(connectors, port)]
    addresses = [str(address) for address in state.server.addresses]
    groups = Groups(networks.named, networks.provider)
    return stage("exchange", groups, told, addresses=addresses, complete=True)


def _at_port(connectors: t.Sequence[doors.Connector], port: int) -> t.Iterator[Door]:
    view = doors.view_of(connectors, port)
    for endpoint in sorted(view.endpoints):
        if is_loopback(endpoint):
            continue
        rights = {
            name: (_who(view, endpoint, might), _who(view, endpoint, certain))
            for name, (might, certain) in _RIGHTS.items()
        }
        at = () if endpoint.is_wildcard else (str(Address(endpoint.version, endpoint.address)),)
        yield Door((endpoint.version,), (port,), rights, at)


def _who(view: doors.View, endpoint: Endpoint, right: t.Callable[[Answer], bool]) -> RangeSet:
    spans = [(first, last) for first, last, answer in view.at(endpoint) if right(answer)]
    return RangeSet.of_spans(endpoint.version, spans)
