# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what on a server of the lab, by the entries and bindings in its directory.

Nothing of the collection has a say here. Known from receive-connectors.md: among the enabled
connectors that listen where a sender comes in, the one with the most specific range that holds the
sender's address answers. That a binding to the very address comes before one to all addresses is
unverified, as elsewhere.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange import rights
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Stored

SEND, RELAY, LOGIN, SERVER = "send", "relay", "log in", "send as a server"
Granted = frozenset[str]
NOTHING: Granted = frozenset()
_SERVERS = r"MS Exchange\Hub Transport Servers"


def granted(host: ExchangeHost, sender: str, port: int = 25) -> Granted:
    """What a sender may do on a port at this moment; nothing where no connector hears it."""
    source = ipaddress.ip_address(sender)
    local = source if source.is_loopback else _own_address(host, source.version)
    if local is None:
        return NOTHING
    answering: dict[bool, list[tuple[int, Stored]]] = {True: [], False: []}
    listening = set()
    for stored in host.directory.view(""):
        if stored.server != host.name or not stored.values["Enabled"]:
            continue
        for binding in stored.values["Bindings"]:
            if (
                binding.version != source.version
                or binding.port != port
                or binding.address not in (0, int(local))
            ):
                continue
            exact = binding.address != 0
            listening.add(exact)
            answering[exact] += [
                (entry.last - entry.first, stored)
                for entry in stored.values["RemoteIPRanges"]
                if entry.version == source.version and entry.first <= int(source) <= entry.last
            ]
    if not listening or not answering[max(listening)]:
        return NOTHING
    return _rights(host, min(answering[max(listening)], key=lambda pair: pair[0])[1])


def ports(host: ExchangeHost) -> list[int]:
    """The ports that a connector of the server is bound to, in service or not."""
    held = [stored for stored in host.directory.view("") if stored.server == host.name]
    return sorted({binding.port for stored in held for binding in stored.values["Bindings"]})


def _own_address(
    host: ExchangeHost, version: int
) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    own = [ipaddress.ip_address(text) for text in host.addresses]
    return next((address for address in own if address.version == version), None)


def _rights(host: ExchangeHost, stored: Stored) -> Granted:
    denied = {(entry.user, entry.right) for entry in stored.rights if entry.deny}
    held = {(entry.user, entry.right) for entry in stored.rights if not entry.deny} - denied
    rights_held = set()
    if (host.rights.anonymous, rights.SUBMIT) in held:
        rights_held.add(SEND)
        if (host.rights.anonymous, rights.ANY_RECIPIENT) in held:
            rights_held.add(RELAY)
    if "ExternalAuthoritative" in stored.values["AuthMechanism"]:
        rights_held |= {SEND, RELAY}
    if (rights.AUTHENTICATED, rights.SUBMIT) in held:
        rights_held.add(LOGIN)
    if (_SERVERS, rights.SUBMIT) in held:
        rights_held.add(SERVER)
    return frozenset(rights_held)


Site = dict[str, dict[str, t.Any]]


def configuration(host: ExchangeHost) -> Site:
    """All connectors that the server can see, for comparing: lists without order, unset is None."""
    site: Site = {}
    for stored in host.directory.view(""):
        if stored.server in ("", host.name):
            # The groups are what the entries make up.
            values = {
                name: _plain(value)
                for name, value in stored.values.items()
                if name != "PermissionGroups"
            }
            entries = frozenset(stored.rights)
            site[f"{'receive' if stored.server else 'send'} {stored.name}"] = {
                **values,
                "rights": entries,
            }
    return site


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, (tuple, list, frozenset, set)):
        return frozenset(value)
    return None if value == "" else value
