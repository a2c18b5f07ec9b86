# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in at a server of the lab: its own reading of its connectors and their access control lists, one sender at a time.

Nothing of the collection decides here. Sources: receive-connectors.md (the most specific range that holds the sender; the rights
behind the groups), "Order of ACEs in a DACL". Unverified: that a binding to the very address beats the one to all, and which
of two connectors with the very same claim answers; whoever gets in by one of them gets in.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.tests.lab.exchange import rights
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import ALL, FULL, Stored

if t.TYPE_CHECKING:
    from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost


@dataclass(frozen=True)
class Door:
    """What a sender meets that does not log in. `connectors`: who may answer; none where nobody hears it."""

    connectors: tuple[str, ...] = ()
    accepts: bool = False
    relays: bool = False
    require_tls: bool = False


def knock(host: ExchangeHost, sender: str, port: int = 25, local: str | None = None) -> Door:
    """What the address `sender` meets that comes to `local`, by default the server's first address of that family."""
    address = ipaddress.ip_address(sender)
    if local is None:
        own = (ipaddress.ip_address(text) for text in host.addresses)
        near = address if address.is_loopback else next((one for one in own if one.version == address.version), None)
        if near is None:
            return Door()
    else:
        near = ipaddress.ip_address(local)
    with host.directory.lock:
        held = [one for one in host.directory.view("") if one.server == host.name and one.values["Enabled"]]

    def bound(to: int) -> list[Stored]:
        wanted = (address.version, to, port)
        return [one for one in held if any((b.version, b.address, b.port) == wanted for b in one.values["Bindings"])]

    claims = [
        (span.last - span.first, one)
        for one in bound(int(near)) or bound(0)
        for span in one.values["RemoteIPRanges"]
        if span.version == address.version and span.first <= int(address) <= span.last
    ]
    if not claims:
        return Door()
    closest = min(size for size, _one in claims)
    heard = list({one.name: one for size, one in claims if size == closest}.values())
    return Door(
        connectors=tuple(sorted(one.name for one in heard)),
        accepts=any(accepts(host, one) for one in heard),
        relays=any(accepts(host, one) and relays(host, one) for one in heard),
        require_tls=all(bool(one.values["RequireTLS"]) for one in heard),
    )


def accepts(host: ExchangeHost, one: Stored) -> bool:
    """Whether a session without a login may submit."""
    return _trusted(one) or may(host, one, rights.SUBMIT)


def relays(host: ExchangeHost, one: Stored) -> bool:
    """Whether it may submit to any recipient."""
    return _trusted(one) or may(host, one, rights.ANY_RECIPIENT)


def _trusted(one: Stored) -> bool:
    return "ExternalAuthoritative" in one.values["AuthMechanism"]


def may(host: ExchangeHost, one: Stored, right: str) -> bool:
    """Whether the token of a session without a login has a right: the first entry that speaks of it decides.

    Everyone holds such a session too; Authenticated Users does not. An entry's own place beats what is inherited, and there what is
    denied what is allowed.
    """
    token = {host.rights.anonymous.casefold(), host.rights.everyone.casefold()}
    ordered = [
        *sorted(one.rights, key=lambda ace: not ace.deny),
        *sorted(one.inherited, key=lambda ace: not ace.deny),
    ]
    return next(
        (not ace.deny for ace in ordered if ace.user.casefold() in token and ace.right in (right, ALL, FULL)), False
    )


def ports(host: ExchangeHost) -> list[int]:
    """The ports that a connector in service listens on."""
    with host.directory.lock:
        held = [one for one in host.directory.view("") if one.server == host.name and one.values["Enabled"]]
    return sorted({binding.port for one in held for binding in one.values["Bindings"]})


def listens(host: ExchangeHost, local: str, port: int = 25) -> bool:
    """Whether anything answers at a local address."""
    near = ipaddress.ip_address(local)
    with host.directory.lock:
        held = [one for one in host.directory.view("") if one.server == host.name and one.values["Enabled"]]
    return any(
        (b.version, b.port) == (near.version, port) and b.address in (0, int(near))
        for one in held
        for b in one.values["Bindings"]
    )
