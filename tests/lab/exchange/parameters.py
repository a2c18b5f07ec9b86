# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cmdlets there are, and the parameters of each by version and role.

Sources: the pages of the cmdlets (office-docs-powershell for 2010 and later, TechNet for 2007).
Confirm and WhatIf came with SP1 of 2007.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange import published, receive, send
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import Edition, Generation
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import unknown_parameter
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Setting

COMMON = (
    "Verbose",
    "Debug",
    "ErrorAction",
    "WarningAction",
    "ErrorVariable",
    "WarningVariable",
    "OutVariable",
    "OutBuffer",
)
"""Parameters that every cmdlet has; only Get-Command shows them here."""

_RIGHTS = ("Identity", "User", "AccessRights", "ExtendedRights", "Deny", "DomainController")

_SWITCHES = frozenset({*receive.USAGES, *send.USAGES, "Confirm", "WhatIf", "Force", "Deny"})


def _settings(noun: str, edition: Edition) -> t.Mapping[str, Setting]:
    return receive.settings(edition) if noun == "ReceiveConnector" else send.settings(edition)


def commands(edition: Edition) -> dict[str, tuple[str, ...]]:
    """Cmdlet → parameters, without the common ones."""
    asks = () if edition.generation is Generation.RTM2007 else ("Confirm", "WhatIf")
    parameters: dict[str, tuple[str, ...]] = {
        # Get-SendConnector has no -Server: send connectors belong to the organization.
        "Get-ReceiveConnector": ("Identity", "Server", "DomainController"),
        "Get-SendConnector": ("Identity", "DomainController"),
        "Get-AcceptedDomain": ("Identity", "DomainController"),
        # TechNet has no -Server for 2007, where it reads the local server.
        "Get-ExchangeCertificate": (
            ("Thumbprint", "DomainName", "DomainController")
            if edition.generation < Generation.E2010
            else ("Identity", "Server", "Thumbprint", "DomainName", "DomainController")
        ),
        **published.commands(edition),
        "Get-ADPermission": ("Identity", "User", "DomainController"),
        "Add-ADPermission": (*_RIGHTS, *asks),
        "Remove-ADPermission": (*_RIGHTS, *asks),
    }
    for noun, usages, extra in (
        ("ReceiveConnector", receive.USAGES, ("Server",)),
        ("SendConnector", send.USAGES, ("Force",)),
    ):
        held = _settings(noun, edition)
        # The switches for the usages came with SP1 of 2007, together with Confirm (TechNet
        # bb125139).
        switches = usages if asks else ()
        new = [name for name, setting in held.items() if setting.new]
        changed = [name for name, setting in held.items() if setting.set_]
        force = ("Force",) if noun == "SendConnector" else ()
        parameters[f"New-{noun}"] = (
            "Name",
            "Usage",
            *switches,
            *extra,
            *new,
            "DomainController",
            *asks,
        )
        parameters[f"Set-{noun}"] = (
            "Identity",
            "Name",
            *force,
            *changed,
            "DomainController",
            *asks,
        )
        parameters[f"Remove-{noun}"] = ("Identity", "DomainController", *asks)
    return parameters


def is_switch(parameter: str) -> bool:
    """Whether a parameter is a switch."""
    return parameter in _SWITCHES


def bind(names: t.Iterable[str], given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """`given` under the proper names of the parameters. Raises ExchangeError for one that is not
    there.
    """
    spelling = {name.casefold(): name for name in names}
    bound = {}
    for name, value in given.items():
        proper = spelling.get(name.casefold())
        if proper is None:
            raise unknown_parameter(name)
        bound[proper] = value
    return bound
