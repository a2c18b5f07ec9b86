# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How objects print: every property as it comes back from a real server.

Source: the projected objects of a real Exchange 2019 server (microsoft/CSS-Exchange, test data).
Whatever else a real object carries is left out. Lists are shuffled, because their order means
nothing and is not kept.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import Generation
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import (
    ALL,
    FULL,
    Ace,
    Setting,
    Stored,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.rights import Rights
from ansible_collections.mailedge.lockdown.tests.lab.exchange.shapes import Shown, Style

Row = dict[str, t.Any]
Settings = t.Mapping[str, Setting]

READ = "ReadProperty"
_ID = "Microsoft.Exchange.Data.Directory.ADObjectId"


def _properties(
    connector: Stored,
    values: t.Mapping[str, t.Any],
    settings: Settings,
    directory: Directory,
    style: Style,
) -> Row:
    row: Row = {}
    for name, setting in settings.items():
        shown = setting.kind.show(values[name], style)
        if isinstance(shown, list):
            directory.random.shuffle(shown)
        row[name] = shown
    return row


def _about(connector: Stored, classes: list[str]) -> Row:
    return {
        "AdminDisplayName": "",
        "ExchangeVersion": Shown(
            "0.1 (8.0.535.0)", "Microsoft.Exchange.Data.ExchangeObjectVersion"
        ),
        "Name": connector.name,
        "DistinguishedName": connector.distinguished_name,
        "Identity": Shown(connector.identity, _ID),
        "Guid": Shown(connector.guid, "System.Guid"),
        "ObjectClass": classes,
        "WhenChangedUTC": connector.changed,
        "WhenCreatedUTC": connector.created,
        "OrganizationId": "",
        "Id": "",
        "IsValid": connector.valid,
        "ObjectState": Shown("Unchanged", "Microsoft.Exchange.Data.ObjectState", 1),
    }


def receive_row(
    connector: Stored,
    settings: Settings,
    groups: frozenset[str],
    directory: Directory,
    style: Style,
) -> Row:
    """A receive connector. Its usage cannot be read back."""
    row = _properties(
        connector, {**connector.values, "PermissionGroups": groups}, settings, directory, style
    )
    row["Server"] = Shown(connector.server, _ID)
    if any(setting.since >= Generation.E2016 for setting in settings.values()):
        row["AcceptConsumerMail"] = False
    return {**row, **_about(connector, ["top", "msExchSmtpReceiveConnector"])}


def send_row(connector: Stored, settings: Settings, directory: Directory, style: Style) -> Row:
    """A send connector."""
    row = _properties(connector, connector.values, settings, directory, style)
    sources = row.get("SourceTransportServers") or []
    row.update(
        SmartHostsString=",".join(str(host) for host in row["SmartHosts"]),
        ConnectedDomains=[],
        IsSmtpConnector=all(space.kind == "smtp" for space in connector.values["AddressSpaces"]),
        SourceRoutingGroup=Shown("Exchange Routing Group (DWBGZMFD01QNBJR)", _ID),
        HomeMTA=Shown("Microsoft MTA", _ID),
        HomeMtaServerId=sources[0] if sources else None,
    )
    return {
        **row,
        **_about(
            connector, ["top", "msExchConnector", "mailGateway", "msExchRoutingSMTPConnector"]
        ),
    }


def domain_rows(directory: Directory, identity: t.Any) -> list[Row]:
    """The accepted domains, or one of them (Get-AcceptedDomain.md)."""
    _type = "Microsoft.Exchange.Data.Directory.SystemConfiguration.AcceptedDomainType"
    numbers = {"Authoritative": 0, "ExternalRelay": 1, "InternalRelay": 2}
    return [
        {
            "Name": directory.domain_names.get(domain, f"Domain {domain}"),
            "DomainName": Shown(domain, "Microsoft.Exchange.Data.SmtpDomainWithSubdomains"),
            "DomainType": Shown(kind, _type, numbers[kind]),
        }
        for domain, kind in directory.accepted_domains.items()
        if identity is None
        or str(identity).casefold() in (domain.casefold(), f"domain {domain}".casefold())
    ]


def plain(
    connector: Stored, settings: Settings, groups: frozenset[str] | None, style: Style
) -> Row:
    """A connector as JSON, equal for equal connectors: lists are sorted, and ranges stand by their
    bounds.

    `groups` are the permission groups of a receive connector; with them stand the rights, each as
    ``account: right``.
    """
    values = (
        connector.values if groups is None else {**connector.values, "PermissionGroups": groups}
    )
    row: Row = {
        name: _plain(setting.kind.show(values[name], style)) for name, setting in settings.items()
    }
    if groups is not None:
        row["RemoteIPRanges"] = sorted(entry.bounds for entry in connector.values["RemoteIPRanges"])
        row["Rights"] = sorted(
            f"{'not ' if ace.deny else ''}{ace.user}: {ace.right}" for ace in connector.rights
        )
    return row


def _plain(shown: t.Any) -> t.Any:
    if isinstance(shown, list):
        return sorted(str(item) for item in shown)
    if isinstance(shown, Shown):
        # Of a login the name.
        return shown.fields.get("UserName", str(shown))
    return shown


def _switch(value: bool) -> Shown:
    return Shown(
        str(value), "System.Management.Automation.SwitchParameter", None, {"IsPresent": value}
    )


def entry_rows(entries: t.Iterable[Ace], connector: Stored, *, inherited: bool) -> list[Row]:
    """Access control entries, one right each."""
    return [
        {
            "Identity": Shown(connector.distinguished_name, _ID),
            "User": Shown(
                entry.user, "Microsoft.Exchange.Configuration.Tasks.SecurityPrincipalIdParameter"
            ),
            "ExtendedRights": None
            if entry.right in (ALL, FULL, READ)
            else [
                Shown(
                    entry.right, "Microsoft.Exchange.Configuration.Tasks.ExtendedRightIdParameter"
                )
            ],
            "AccessRights": [
                Shown(
                    entry.right if entry.right in (FULL, READ) else ALL,
                    "System.DirectoryServices.ActiveDirectoryRights",
                )
            ],
            "Deny": _switch(entry.deny),
            "IsInherited": _switch(inherited),
        }
        for entry in entries
    ]


def rights_rows(connector: Stored, rights: Rights, directory: Directory) -> list[Row]:
    """All entries of an object, also those that it inherits, and those that are no extended
    right.
    """
    manager = (
        f"{directory.netbios}\\Organization Management"
        if directory.netbios
        else r"BUILTIN\Administrators"
    )
    # To read an object is no right to send by it.
    above: t.Sequence[Ace] = [
        Ace(manager, FULL),
        Ace(rights.everyone, READ),
        Ace(rights.anonymous, READ),
    ]
    if connector.above is not None:
        above = connector.above
    above = [*above, *connector.inherited]
    entries = entry_rows(connector.rights, connector, inherited=False) + entry_rows(
        above, connector, inherited=True
    )
    directory.random.shuffle(entries)
    return entries
