# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which send connector carries a message: Exchange's own selection, on canonical connectors.

Sources: learn.microsoft.com, mail-routing ("How Exchange selects a Send connector") and TechNet
aa998662 ("Understanding Send Connectors", table of address spaces: `*.contoso.com` is the domain
and every domain below it).
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.values import (
        AddressSpace,
    )

Connector = t.Mapping[str, t.Any]

# The address space of EdgeSync for "all accepted domains"; it never matches a domain by name.
ACCEPTED_DOMAINS = "--"


class Message(t.NamedTuple):
    """What routing looks at. `domain` is the recipient's, lower case; `size` is in bytes; `server`
    is where the message waits.
    """

    domain: str
    type: str = "smtp"
    size: int = 0
    server: str | None = None


class Claim(t.NamedTuple):
    """What a task locks: mail of these spaces is to leave through the send connector `name`."""

    name: str
    spaces: frozenset[AddressSpace]


class Carrier(t.NamedTuple):
    """A connector that would carry the message, smallest first: the order of the fields is the
    order of selection.
    """

    vagueness: int
    cost: int
    distance: int
    name: str


def specificity(space: str, domain: str) -> int | None:
    """How closely an address space (canonical, lower case) fits a domain: bigger is closer, None is
    not at all.
    """
    if space == domain:
        return 2 * len(domain) + 1
    if space == "*":
        return 0
    if space.startswith("*.") and (domain == space[2:] or domain.endswith(space[1:])):
        return 2 * len(space[2:])
    return None


def _limit(connector: Connector) -> int | None:
    limit = connector.get("max_message_size")
    return limit if isinstance(limit, int) else None


def _closest(connector: Connector, message: Message) -> tuple[int, int] | None:
    """(specificity, cost) of the connector's best space for the message, or None."""
    fits = [
        (fit, -space.cost)
        for space in connector.get("address_spaces") or ()
        if space.type == message.type
        for fit in [specificity(space.space, message.domain)]
        if fit is not None
    ]
    return max(fits) if fits else None


class Chooser:
    """Which of some connectors carries a message; for many messages, it looks at each of them once
    a domain.
    """

    def __init__(self, send_connectors: t.Iterable[Connector]) -> None:
        self._connectors = [
            connector for connector in send_connectors if connector.get("enabled", True)
        ]
        self._fits: dict[tuple[str, str], list[tuple[tuple[int, int], Connector]]] = {}

    def carriers(self, message: Message) -> list[str]:
        """Names of the enabled connectors that could carry the message, the one that Exchange
        chooses first.

        The order is: closest address space, lowest cost, nearest source server, lowest name. Costs
        of Active Directory site links are not known here, so `server` only tells "is a source
        server itself" from "is not"; connectors of one site behave like that.
        """
        carriers: list[Carrier] = []
        for (closeness, cost), connector in self._fitting(message):
            limit = _limit(connector)
            if limit is not None and message.size > limit:
                continue
            sources = connector.get("source_transport_servers") or ()
            distance = 0 if message.server is None or message.server in sources else 1
            carriers.append(Carrier(-closeness, -cost, distance, connector["name"]))
        return [
            carrier.name
            for carrier in sorted(
                carriers, key=lambda carrier: (*carrier[:3], carrier.name.casefold())
            )
        ]

    def _fitting(self, message: Message) -> list[tuple[tuple[int, int], Connector]]:
        key = (message.type, message.domain)
        if key not in self._fits:
            closest = ((_closest(connector, message), connector) for connector in self._connectors)
            self._fits[key] = [(fit, connector) for fit, connector in closest if fit is not None]
        return self._fits[key]


def carriers(send_connectors: t.Iterable[Connector], message: Message) -> list[str]:
    """The same for one message."""
    return Chooser(send_connectors).carriers(message)


def route(
    send_connectors: t.Iterable[Connector],
    domain: str,
    *,
    type: str = "smtp",
    size: int = 0,
    server: str | None = None,
) -> str | None:
    """Name of the connector that carries a message to `domain`; None when it would wait in the
    Unreachable queue.
    """
    chosen = carriers(
        send_connectors,
        Message(domain.lower(), type.lower(), size, server.lower() if server else None),
    )
    return chosen[0] if chosen else None


def messages(send_connectors: t.Iterable[Connector]) -> list[Message]:
    """One message for every class that the connectors could treat differently.

    Two messages of one class meet the same address spaces, the same size limits and the same source
    servers in every state that is made of these connectors, so asking one of them is asking all.
    """
    everything = list(send_connectors)
    spaces = sorted(
        {
            (space.type, space.space)
            for connector in everything
            for space in connector.get("address_spaces") or ()
        }
    )
    taken = {label for _type, space in spaces for label in space.split(".")}
    fresh = "other"
    while fresh in taken:
        fresh += "x"
    sizes = {0}
    for connector in everything:
        limit = _limit(connector)
        if limit is not None:
            sizes |= {limit, limit + 1}
    servers: set[str | None] = {
        server
        for connector in everything
        for server in connector.get("source_transport_servers") or ()
    }
    servers.add(None)
    asked: set[tuple[str, str]] = {("smtp", f"{fresh}.{fresh}")}
    for kind, space in spaces:
        if space == ACCEPTED_DOMAINS:
            asked.add((kind, space))
        elif space == "*":
            asked.add((kind, f"{fresh}.{fresh}"))
        elif space.startswith("*."):
            asked |= {(kind, space[2:]), (kind, f"{fresh}{space[1:]}")}
        else:
            asked.add((kind, space))
    return [
        Message(domain, kind, size, server)
        for kind, domain in sorted(asked)
        for size in sorted(sizes)
        for server in sorted(servers, key=lambda name: name or "")
    ]


# Options that say which messages a connector takes, how long it is patient or what it writes down,
# and nothing about where mail goes.
_NOT_THE_WAY = frozenset(
    {
        "name",
        "enabled",
        "address_spaces",
        "comment",
        "source_transport_servers",
        "max_message_size",
        "invalid",
        "protocol_logging_level",
        "connection_inactivity_time_out",
        "smtp_max_messages_per_connection",
    }
)


def way(connector: Connector, unsaid: Connector) -> tuple[tuple[str, t.Any], ...]:
    """Where a connector takes mail and how: everything that says nothing about which messages it
    takes.

    `unsaid` is what a new connector has where nothing is said. A connector that is still to be
    created says less than one that was read, and means the same.
    """
    said = {option: value for option, value in connector.items() if value is not None}
    return tuple(
        sorted(
            (option, value)
            for option, value in {**unsaid, **said}.items()
            if option not in _NOT_THE_WAY and value is not None
        )
    )


def is_generic(space: str) -> bool:
    """Whether an address space means the internet at large (`*`, `*.com`) and not one partner's
    domain.
    """
    return space == "*" or (space.startswith("*.") and "." not in space[2:])


def is_hybrid(connector: Connector) -> bool:
    """Whether the hybrid configuration wizard made the connector."""
    name = connector.get("name", "").casefold()
    return (
        name.startswith("outbound to office 365")
        or connector.get("cloud_services_mail_enabled") is True
    )


def protected_reason(connector: Connector) -> str | None:
    """Why a send connector belongs to somebody else and is not to be touched; None when it is the
    administrator's own.

    Sources: the hybrid configuration wizard's log of its own New-SendConnector calls; TechNet
    bb629503 for EdgeSync.
    """
    name = connector.get("name", "").casefold()
    if is_hybrid(connector):
        return "it belongs to the hybrid configuration wizard"
    spaces = {space.space for space in connector.get("address_spaces") or ()}
    if (
        name.startswith("edgesync - ")
        or ACCEPTED_DOMAINS in spaces
        or ACCEPTED_DOMAINS in (connector.get("smart_hosts") or ())
    ):
        return "EdgeSync writes it and would overwrite the change"
    return None
