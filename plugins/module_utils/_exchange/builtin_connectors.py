# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Receive connectors that Exchange itself, its setup or the hybrid wizard relies on, told by role
and port, then by name.

Source: learn.microsoft.com, receive-connectors.md ("Default Receive connectors created during
setup"). Names hold the server's name; connectors can be renamed, and setups in other languages may
name them otherwise (unverified), so names are only the second look.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import doors
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import PRIVATE, RangeSet

if t.TYPE_CHECKING:
    from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import Server

Connector = t.Mapping[str, t.Any]

# Role and port of the connectors between the services of Exchange 2013 and later.
_INNER = {
    ("HubTransport", 2525): "it carries mail between the transport services of all servers",
    ("HubTransport", 465): "it takes over the logins of the client front end",
    ("FrontendTransport", 717): "outgoing mail is proxied through it",
}
_INNER_NAMES = {
    "default": ("HubTransport", 2525),
    "client proxy": ("HubTransport", 465),
    "outbound proxy frontend": ("FrontendTransport", 717),
}
_SETUP_NAMES = (
    "default frontend",
    "client frontend",
    "default internal receive connector",
    "default",
    "client",
)

_HYBRID_CAPABILITIES = frozenset({"acceptcloudservicesmail", "acceptoorgprotocol"})

# More than this many addresses are the internet, and not a partner: a /8 of IPv4, a /32 of IPv6
# (what one provider is given).
_WIDE = {4: 1 << 24, 6: 1 << 96}


def is_mailbox_2013(server: Server) -> bool:
    """Whether the server has a front end transport service."""
    return bool(server.version >= Version.E2013 and not server.edge)


def _is_named(connector: Connector, server: Server, prefix: str) -> bool:
    return bool(connector["name"].casefold() == f"{prefix} {server.name}".casefold())


def inner_reason(connector: Connector, server: Server) -> str | None:
    """Why Exchange itself needs the connector as it is; None when it may be changed."""
    if not is_mailbox_2013(server):
        return None
    role = connector.get("transport_role")
    if "ExchangeServers" in (connector.get("permission_groups") or ()):
        for port in sorted(doors.ports([connector])):
            reason = _INNER.get((role or "", port))
            if reason:
                return reason
    for prefix, kind in _INNER_NAMES.items():
        if _is_named(connector, server, prefix) and role in (None, kind[0]):
            return _INNER[kind]
    return None


def is_setup_made(connector: Connector, server: Server) -> bool:
    """Whether setup made the connector, by its name."""
    return (
        any(_is_named(connector, server, prefix) for prefix in _SETUP_NAMES)
        or inner_reason(connector, server) is not None
    )


def hybrid_capabilities(connector: Connector) -> frozenset[str]:
    """Capabilities that make the connector the hybrid path into the server."""
    return frozenset(
        text
        for text in connector.get("tls_domain_capabilities") or ()
        if text.rpartition(":")[2].casefold() in _HYBRID_CAPABILITIES
    )


def hears_internet(connector: Connector) -> bool:
    """Whether the ranges of a connector are the internet at large, and not some partner's and
    private ones.
    """
    return is_wide((connector.get("remote_ip_ranges") or RangeSet()) - PRIVATE)


def is_wide(ranges: RangeSet) -> bool:
    """Whether so many addresses are the internet at large and not some partner's."""
    return ranges.v4.size > _WIDE[4] or ranges.v6.size > _WIDE[6]
