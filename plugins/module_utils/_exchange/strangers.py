# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strangers: whoever the site has not named, and may send without a login or relay, on any port
that the server listens on.

The guards still_open, ipv6_open and open_relay, and the result of every module, come from here.
"""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    builtin_connectors,
    doors,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    Answer,
    is_loopback,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.remember import (
    remembered,
    same,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.words import (
    listed,
    ranges,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import Interval, RangeSet

if t.TYPE_CHECKING:
    from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
        SiteNetworks,
    )

Connectors = t.Sequence[doors.Connector]


@dataclass(frozen=True)
class Opening:
    """What strangers may do on one port: those whom each connector lets in, by its name. False
    where nobody may.
    """

    port: int
    relay: bool
    parts: t.Mapping[str, RangeSet]

    def __bool__(self) -> bool:
        return bool(self.senders)

    @property
    def senders(self) -> RangeSet:
        """All of them."""
        return RangeSet(interval for part in self.parts.values() for interval in part.intervals)

    def only(self, group: RangeSet) -> Opening:
        """The same for those in `group`."""
        return dataclasses.replace(
            self, parts={name: part & group for name, part in self.parts.items()}
        )

    def words(self, may: str = "may") -> str:
        """One sentence; `may` is the verb of it."""
        what = "relay to any recipient" if self.relay else "send without a login"
        names = listed(f"'{name}'" for name, part in sorted(self.parts.items()) if part)
        return f"{who(self.senders)} {may} {what} on port {self.port}, through {names}."


def judged(networks: SiteNetworks) -> bool:
    """Whether a task says so much about the way in that somebody can be a stranger to it."""
    return networks.inbound_lock or bool(networks.provider)


def relays(answer: Answer) -> bool:
    """Whether a sender that does not log in may send to any recipient."""
    return answer.relay or answer.external


@remembered
def sending(connectors: Connectors, networks: SiteNetworks, port: int) -> Opening:
    """The internet addresses that nobody has named and that may send without a login."""
    groups = (
        networks.provider,
        networks.own_networks,
        networks.exchange_servers,
        networks.hybrid,
        networks.itself,
    )
    named = RangeSet(
        interval for group in groups for interval in _ranges_guards.believed(group).intervals
    )
    return _opening(connectors, port, doors.accepts_anonymous, doors.public(named), relay=False)


@remembered
def relaying(connectors: Connectors, networks: SiteNetworks, port: int) -> Opening:
    """Whoever may relay beside the site's own networks and servers, and the server itself; the
    provider has no business to.
    """
    inside = networks.itself
    for group in (networks.own_networks, networks.exchange_servers):
        inside = inside | _ranges_guards.believed(group)
    return _opening(
        connectors,
        port,
        relays,
        doors.public(inside) | (networks.provider - networks.itself),
        relay=True,
    )


def openings(connectors: Connectors, networks: SiteNetworks) -> list[Opening]:
    """All of them, on every port."""
    every = (
        look(connectors, networks, port)
        for port in sorted(doors.ports(connectors))
        for look in (sending, relaying)
    )
    return [opening for opening in every if opening]


def sentences(connectors: t.Iterable[doors.Connector], networks: SiteNetworks) -> list[str] | None:
    """The openings in words; empty where certainly nobody gets in, None where the task does not
    judge that.
    """
    return (
        [opening.words() for opening in openings(same(connectors), networks)]
        if judged(networks)
        else None
    )


def who(senders: RangeSet) -> str:
    """Senders at the beginning of a sentence."""
    if builtin_connectors.is_wide(senders.v4):
        return "The internet"
    if builtin_connectors.is_wide(senders.v6):
        others = f" and {ranges(senders.v4)}" if senders.v4 else ""
        return f"Every IPv6 internet address{others}"
    return ranges(senders)


def _opening(
    connectors: Connectors,
    port: int,
    right: t.Callable[[Answer], bool],
    among: RangeSet,
    *,
    relay: bool,
) -> Opening:
    view = doors.view_of(connectors, port)
    held: dict[str, list[Interval]] = {}
    by_name = {connector["name"].casefold(): connector for connector in connectors}
    for endpoint in view.endpoints:
        for first, last, answer in () if is_loopback(endpoint) else view.at(endpoint):
            if right(answer):
                for name in doors.openers(answer, by_name, right):
                    held.setdefault(name, []).append(Interval(endpoint.version, first, last))
    return Opening(
        port, relay, {name: RangeSet(intervals) & among for name, intervals in held.items()}
    )
