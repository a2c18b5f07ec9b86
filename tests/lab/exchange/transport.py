# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transport service: which receive connector takes a session, and what the rights on it allow.

The collection's model of the same is what is tested, so nothing of it is used here.

Source: receive-connectors.md. Rights decide: permission groups are only what Exchange reads out of
them. The first entry that speaks of a right decides: an entry's own place beats what is inherited,
and there what is denied what is allowed (learn.microsoft.com, "Order of ACEs in a DACL"). A session
that does not log in holds Everyone as well; Authenticated Users it does not.

Unverified: a binding to the very local address beats the one to all addresses, for all senders; a
session on a connector with ExternalAuthoritative has the rights of the externally secured servers
and those of anonymous senders; of two equal claims the more generous one answers.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import ALL, FULL, Stored
from ansible_collections.mailedge.lockdown.tests.lab.exchange.rights import (
    ANY_RECIPIENT,
    ANY_SENDER,
    EXTERNALLY_SECURED,
    OWN_DOMAIN_SENDER,
    SUBMIT,
)

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Admission:
    """What a session that does not log in may do. `connector`: the one it meets; None: none.

    `heard`: the names of all that may take it, more than one where claims are equal. `submit`: send
    at all. `any_recipient`: to any recipient. `any_sender` and `own_domain_sender`: from an address
    of another domain, and of the organization's own ones. `tls_first`: only after STARTTLS.
    """

    connector: Stored | None = None
    submit: bool = False
    any_recipient: bool = False
    any_sender: bool = False
    own_domain_sender: bool = False
    tls_first: bool = False
    heard: tuple[str, ...] = ()

    @property
    def relays(self) -> bool:
        """Whether the session may send to anybody."""
        return self.submit and self.any_recipient

    def words(self) -> str:
        """The same, for a person."""
        if self.connector is None:
            return "no connector"
        if not self.submit:
            return f"refused by {self.connector.name}"
        accepted = "relayed" if self.any_recipient else "accepted"
        return f"{accepted} by {self.connector.name}{', over TLS only' if self.tls_first else ''}"


def _bound(connectors: t.Iterable[Stored], version: int, address: int, port: int) -> list[Stored]:
    """The enabled connectors with exactly this binding."""
    return [
        connector
        for connector in connectors
        if connector.values["Enabled"]
        and any(
            (binding.version, binding.address, binding.port) == (version, address, port)
            for binding in connector.values["Bindings"]
        )
    ]


def listening(connectors: t.Sequence[Stored], local: IPAddress, port: int = 25) -> list[Stored]:
    """The connectors that hear whoever comes to `local` on `port`."""
    own = _bound(connectors, local.version, int(local), port)
    return own or _bound(connectors, local.version, 0, port)


def claimants(
    connectors: t.Sequence[Stored], sender: IPAddress, local: IPAddress, port: int = 25
) -> list[Stored]:
    """The connectors that may take a session of `sender`: those with the smallest range around it.

    More than one only where two claims are equal, which no cmdlet allows.
    """
    sizes: list[tuple[int, Stored]] = []
    if sender.version != local.version:
        return []
    for connector in listening(connectors, local, port):
        around = [
            entry.last - entry.first
            for entry in connector.values["RemoteIPRanges"]
            if entry.version == sender.version and entry.first <= int(sender) <= entry.last
        ]
        if around:
            sizes.append((min(around), connector))
    smallest = min((size for size, _connector in sizes), default=0)
    return [connector for size, connector in sizes if size == smallest]


def may(connector: Stored, accounts: t.Iterable[str], right: str) -> bool:
    """Whether a session that holds these accounts has the extended right on the connector."""
    token = {account.casefold() for account in accounts}
    entries = [
        *sorted(connector.rights, key=lambda entry: not entry.deny),
        *sorted(connector.inherited, key=lambda entry: not entry.deny),
    ]
    speaking = (
        entry
        for entry in entries
        if entry.user.casefold() in token and entry.right in (right, ALL, FULL)
    )
    return any(not entry.deny for entry in list(speaking)[:1])


def _admission(connector: Stored, accounts: t.Collection[str]) -> Admission:
    tokens = [accounts]
    if "ExternalAuthoritative" in connector.values["AuthMechanism"]:
        tokens.append((EXTERNALLY_SECURED,))

    def has(right: str) -> bool:
        return any(may(connector, token, right) for token in tokens)

    return Admission(
        connector,
        submit=has(SUBMIT),
        any_recipient=has(ANY_RECIPIENT),
        any_sender=has(ANY_SENDER),
        own_domain_sender=has(OWN_DOMAIN_SENDER),
        tls_first=bool(connector.values["RequireTLS"]),
    )


def admit(
    connectors: t.Sequence[Stored],
    accounts: t.Collection[str],
    sender: IPAddress,
    local: IPAddress,
    port: int = 25,
    *,
    every_recipient: bool = False,
) -> Admission:
    """What `sender` may do without a login that comes to `local` on `port`.

    `accounts` are those that such a session holds, by the names that the server prints. With
    `every_recipient` the organization accepts mail for domains of strangers.
    """
    admissions = [
        _admission(connector, accounts) for connector in claimants(connectors, sender, local, port)
    ]
    best = max(admissions, key=_generosity, default=Admission())
    names = {
        admission.connector.name for admission in admissions if admission.connector is not None
    }
    any_recipient = best.any_recipient or every_recipient
    return dataclasses.replace(best, any_recipient=any_recipient, heard=tuple(sorted(names)))


def _generosity(admission: Admission) -> tuple[bool, ...]:
    return (admission.submit, admission.any_recipient, not admission.tls_first)
