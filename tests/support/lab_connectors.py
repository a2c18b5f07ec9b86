# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of the lab with receive connectors as a test wants them, and the rights on these."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost

EVERYBODY = ("0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
HERE = ("192.0.2.25", "2001:db8::25")


def bare(edition: str = "2016", **options: t.Any) -> ExchangeHost:
    """A server without connectors. Its Windows domain is SITE."""
    directory = Directory("site.example", () if edition == "edge" else ("dc1",))
    return ExchangeHost("EX1", edition, directory, addresses=HERE, **options)


def create(host: ExchangeHost, name: str, **options: t.Any) -> str:
    """Make a receive connector for everybody on port 25, where nothing else is said; give
    its DN.
    """
    given: dict[str, t.Any] = {
        "Name": name,
        "Bindings": ["0.0.0.0:25", "[::]:25"],
        "RemoteIPRanges": list(EVERYBODY),
        "PermissionGroups": "None",
        **options,
    }
    if host.edition.frontend:
        given.setdefault("TransportRole", "FrontendTransport")
    (made,) = host.colleague("New-ReceiveConnector", given)
    return str(made["DistinguishedName"])


def grant(
    host: ExchangeHost, connector: str, *rights: str, user: str = "", deny: bool = False
) -> None:
    """Give rights on a connector to anonymous senders, or to `user`; or deny them."""
    given: dict[str, t.Any] = {"Identity": connector, "User": user or host.rights.anonymous}
    host.colleague("Add-ADPermission", {**given, "ExtendedRights": list(rights), "Deny": deny})


def withdraw(host: ExchangeHost, connector: str, *rights: str) -> None:
    """Take rights away from anonymous senders."""
    given: dict[str, t.Any] = {"Identity": connector, "User": host.rights.anonymous}
    host.colleague("Remove-ADPermission", {**given, "ExtendedRights": list(rights)})
