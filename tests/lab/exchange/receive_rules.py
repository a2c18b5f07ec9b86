# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Exchange holds against a whole receive connector, and against two of one server."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import Edition, Generation
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import (
    invalid,
    range_conflict,
    role_conflict,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Stored

Values = t.Mapping[str, t.Any]


def check(values: Values, edition: Edition, server: str, server_fqdn: str) -> None:
    """Refuse a connector that breaks a rule of its own. Raises ExchangeError."""
    _authentication(values)
    _families(values, edition)
    # Set-ReceiveConnector.md, ConnectionInactivityTimeout and ConnectionTimeout.
    if values["ConnectionInactivityTimeout"] >= values["ConnectionTimeout"]:
        raise invalid("ConnectionInactivityTimeout must be less than ConnectionTimeout.")
    if edition.edge and "ExchangeLegacyServers" in values["PermissionGroups"]:
        # New-ReceiveConnector.md: not on Edge Transport servers.
        raise invalid(
            "The permission group ExchangeLegacyServers isn't available on an Edge Transport "
            "server."
        )
    # Set-ReceiveConnector.md, Fqdn: with ExchangeServer authentication it is the server's own name,
    # or nothing.
    own = {name.casefold() for name in (server, server_fqdn)}
    if (
        "ExchangeServer" in values["AuthMechanism"]
        and values["Fqdn"]
        and values["Fqdn"].casefold() not in own
    ):
        raise invalid(
            "If the AuthMechanism attribute contains the value ExchangeServer, you must set the "
            "FQDN parameter to one of the following "
            f'values: the FQDN of the transport server "{server_fqdn}", the NetBIOS name of the '
            f'transport server "{server}", or $null.'
        )


def _authentication(values: Values) -> None:
    """Set-ReceiveConnector.md, AuthMechanism, RequireTLS and DomainSecureEnabled."""
    mechanisms, groups = values["AuthMechanism"], values["PermissionGroups"]
    if "BasicAuthRequireTLS" in mechanisms and not {"BasicAuth", "Tls"} <= mechanisms:
        raise invalid(
            "The authentication mechanism BasicAuthRequireTLS requires BasicAuth and Tls."
        )
    if "ExternalAuthoritative" in mechanisms:
        if mechanisms - {"ExternalAuthoritative", "Tls"}:
            raise invalid(
                "The authentication mechanism ExternalAuthoritative can coexist only with Tls."
            )
        if "ExchangeServers" not in groups:
            raise invalid(
                "The authentication mechanism ExternalAuthoritative requires the permission group "
                "ExchangeServers."
            )
        if values["DomainSecureEnabled"]:
            raise invalid(
                "DomainSecureEnabled can't be used with the authentication mechanism "
                "ExternalAuthoritative."
            )
    for parameter in ("RequireTLS", "DomainSecureEnabled"):
        if values[parameter] and "Tls" not in mechanisms:
            raise invalid(f"{parameter} requires the authentication mechanism Tls.")


def _families(values: Values, edition: Edition) -> None:
    for name in ("Bindings", "RemoteIPRanges"):
        if not values[name]:
            # Both are mandatory for a new connector (New-ReceiveConnector.md); that neither may be
            # emptied later is unverified.
            raise invalid(f"{name} can't be empty.")
        if edition.generation is Generation.RTM2007 and any(
            entry.version == 6 for entry in values[name]
        ):
            # IPv6 came with SP1 on Windows Server 2008.
            raise invalid(f"{name} can't contain IPv6 addresses.")


def check_against(connector: Stored, others: t.Iterable[Stored]) -> None:
    """Refuse a connector that conflicts with another one of its server. Raises ExchangeError.

    Equal bindings are what counts: receive-connectors.md speaks of the combination of bindings and
    ranges. That disabled connectors count is unverified; to take it so is the stricter reading.
    """
    rivals = [
        other
        for other in others
        if set(other.values["Bindings"]) & set(connector.values["Bindings"])
    ]
    for other in rivals:
        if connector.values.get("TransportRole") != other.values.get("TransportRole"):
            raise role_conflict(other.identity)
    for other in rivals:
        # Of ranges that do not overlap none can conflict, so a sweep over both in order is enough.
        if _conflict(connector.values["RemoteIPRanges"], other.values["RemoteIPRanges"]):
            raise range_conflict(other.identity)


def _conflict(mine: t.Iterable[t.Any], theirs: t.Iterable[t.Any]) -> bool:
    events = sorted(
        [
            (entry.version, entry.first, -entry.last, side, entry)
            for side, ranges in enumerate((mine, theirs))
            for entry in ranges
        ],
        key=lambda event: event[:4],
    )
    reaching: list[tuple[int, t.Any]] = []
    for _version, _first, _last, side, entry in events:
        reaching = [
            (whose, held)
            for whose, held in reaching
            if held.version == entry.version and held.last >= entry.first
        ]
        if any(whose != side and held.conflicts(entry) for whose, held in reaching):
            return True
        reaching.append((side, entry))
    return False
