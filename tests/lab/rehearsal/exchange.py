# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's Exchange server from what a real one answered: connectors, their rights, its names."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange import receive, rights, send
from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory, Server
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS, Edition
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import (
    ALL,
    FULL,
    Ace,
    Stored,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.parameters import COMMON, commands
from ansible_collections.mailedge.lockdown.tests.lab.exchange.rows import READ
from ansible_collections.mailedge.lockdown.tests.lab.exchange.shapes import Mismatch, Refused
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal import windows, windows_firewall
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.file import (
    HostReading,
    NoReading,
    Row,
)

_ORGANIZATION = re.compile(r"CN=((?:[^,\\]|\\.)+),CN=Microsoft Exchange,CN=Services")
_RDN = re.compile(r"\\(.)")
_GROUP_ACCOUNTS = ("\\Exchange Servers", "\\ExchangeLegacyInterop")
# Of a container above: to read or to own a connector is no right to send by it.
_NO_RIGHT = (READ, FULL)
_LOGIN = "AuthenticationCredential"
# Cmdlets by which nothing of a lab changes: what the site answered is answered again.
_REPLAYED = re.compile(
    r"Get-(?:ExchangeCertificate|\w+VirtualDirectory|OutlookAnywhere|ClientAccess\w+"
    r"|HybridConfiguration)"
)
# Of Exchange 15.2, the first build of the Subscription Edition (Microsoft's table of builds).
_FIRST_SE = 2562


def edition_of(facts: Row) -> Edition:
    """The edition that is nearest to what a server says of itself, with its own build. Raises
    NoReading.
    """
    exchange = facts["exchange"]
    try:
        build = tuple(int(exchange[part]) for part in ("major", "minor", "build", "revision"))
    except (KeyError, TypeError, ValueError):
        raise NoReading(f"The server {facts.get('name')} does not tell its build.") from None
    major, minor, number, _revision = build
    if major == 8:
        key = "2007" if minor else "2007-rtm"
    elif major == 14:
        key = "2010"
    elif major == 15 and minor in (0, 1, 2):
        key = ("2013", "2016", "2019" if number < _FIRST_SE else "se")[minor]
    else:
        raise NoReading(
            f"The server {facts.get('name')} has Exchange {major}.{minor}, which the lab does not "
            f"play. It plays: {', '.join(EDITIONS)}."
        )
    return dataclasses.replace(
        EDITIONS[key],
        build=t.cast("tuple[int, int, int, int]", build),
        powershell=str(facts.get("powershell") or EDITIONS[key].powershell),
        edge=bool(facts.get("edge")),
    )


def directory_of(reading: HostReading) -> Directory:
    """The directory of the organization that a server is of, with nothing in it."""
    facts = reading.facts
    fqdn = str(facts.get("fqdn") or facts["name"])
    domain = fqdn.partition(".")[2] or "site.example"
    names = [str(row.get("DistinguishedName") or "") for row in reading.of("receive")]
    organization = next((match[1] for name in names if (match := _ORGANIZATION.search(name))), "")
    controllers = () if facts.get("edge") else ("dc1", "dc2")
    options = {"organization": _RDN.sub(r"\1", organization)} if organization else {}
    directory = Directory(domain, controllers, **options)
    directory.short_name = _short_name(reading)
    return directory


def _short_name(reading: HostReading) -> str:
    """The short name of the Windows domain, by the accounts of Exchange in it; '' for none."""
    for row in reading.of("rights"):
        domain, backslash, _name = str(row.get("User") or "").partition("\\")
        if backslash and str(row["User"]).endswith(_GROUP_ACCOUNTS) and domain != "MS Exchange":
            return domain
    return ""


def host_of(
    reading: HostReading, directory: Directory, folder: pathlib.Path | None = None
) -> tuple[ExchangeHost, list[str]]:
    """The server, and what of it could not be carried. Raises NoReading."""
    facts = reading.facts
    addresses = [str(text) for text in facts.get("addresses") or ()]
    host = ExchangeHost(
        str(facts["name"]),
        edition_of(facts),
        directory,
        addresses=addresses,
        culture=str(facts.get("culture") or "en-US"),
        anonymous_account=str(facts.get("anonymous_account") or rights.ANONYMOUS),
        everyone_account=str(facts.get("everyone_account") or rights.EVERYONE),
        authenticated_account=str(facts.get("users_account") or rights.AUTHENTICATED),
        folder=folder,
    )
    fqdn = str(facts.get("fqdn") or host.fqdn)
    host.server = Server(str(facts["name"]), fqdn, host.edition.edge)
    host.cmdlets.server = host.server
    host.setup_running = bool(facts.get("setup_running"))
    directory.servers[host.name.casefold()] = host.server
    told = windows.carry(host.windows, reading)
    told += windows_firewall.carry(host.windows.firewall, reading.of("firewall"))
    host.windows.firewall.keywords["LocalSubnet"] = windows_firewall.local_subnet(addresses)
    for row in reading.of("accepted-domains"):
        domain = str(row.get("DomainName") or "")
        directory.accepted_domains[domain] = str(row.get("DomainType"))
        directory.domain_names[domain] = str(row.get("Name"))
    _replay(host, reading)
    _hide(host, reading, told)
    entries = _entries(reading, told)
    learn(host, reading, entries)
    for row in reading.of("receive"):
        own = str(row.get("Server") or "").casefold()
        if own in (host.name.casefold(), host.fqdn.casefold()):
            _receive(host, row, entries, told)
    for row in reading.of("send"):
        _send(host, row, told)
    return host, told


def empty(directory: Directory) -> None:
    """Take away what a directory is made with."""
    directory.accepted_domains.clear()


def _replay(host: ExchangeHost, reading: HostReading) -> None:
    for step in reading.steps:
        cmdlet, held = str(step.get("cmdlet")), reading.rows.get(str(step.get("id")))
        if held is not None and step.get("op") == "call" and _REPLAYED.fullmatch(cmdlet):
            host.directory.replayed[host.name, cmdlet] = [dict(row) for row in held]


def _hide(host: ExchangeHost, reading: HostReading, told: list[str]) -> None:
    """Cmdlets and parameters that the user's roles do not give."""
    shown = {
        str(row.get("Name")): {str(name) for name in row.get("Parameters.Keys") or ()}
        for row in reading.of("commands")
    }
    if not any(shown.values()):
        return
    for cmdlet, parameters in commands(host.edition).items():
        if not cmdlet.endswith(("-ReceiveConnector", "-SendConnector")):
            continue
        if cmdlet not in shown:
            host.hidden.add(cmdlet)
        else:
            host.hidden |= {(cmdlet, name) for name in parameters if name not in shown[cmdlet]}
            more = shown[cmdlet] - set(parameters) - set(COMMON)
            if more:
                told.append(
                    f"{cmdlet} has parameters there that the lab does not know: "
                    f"{', '.join(sorted(more))}."
                )


# ------------------------------------------------------------ rights


def _truth(value: t.Any) -> bool:
    """A switch, as one arrives: a truth, or its text."""
    return str(value).casefold() == "true"


class _Entry(t.NamedTuple):
    """An access control entry, and whether the object has inherited it."""

    ace: Ace
    inherited: bool


def _entries(reading: HostReading, told: list[str]) -> dict[str, list[_Entry]]:
    """The entries of each connector, by its name in the directory."""
    entries: dict[str, list[_Entry]] = {}
    for row in reading.of("rights"):
        user, inherited = str(row.get("User") or ""), _truth(row.get("IsInherited"))
        names = row.get("ExtendedRights") or row.get("AccessRights") or ()
        for name in names if isinstance(names, list) else [names]:
            right = str(name)
            if not row.get("ExtendedRights") and right not in (ALL, FULL, READ):
                told.append(f"The access {right} of {user} to a connector is not in the lab.")
                continue
            entry = _Entry(Ace(user, right, _truth(row.get("Deny"))), inherited)
            entries.setdefault(str(row.get("_each") or ""), []).append(entry)
    return entries


def learn(
    host: ExchangeHost, reading: HostReading, entries: t.Mapping[str, t.Sequence[_Entry]]
) -> None:
    """Let a permission group stand for what it stands for on that server: versions differ in the
    rights of a group, and what the lab has of them is what documentation says.
    """
    shown = {
        str(row.get("DistinguishedName")): _words(row.get("PermissionGroups"))
        for row in reading.of("receive")
    }
    own = {
        name: {entry.ace for entry in entries.get(name, ()) if not entry.inherited}
        for name in shown
    }
    for group, documented in host.rights.documented().items():
        accounts = {ace.user for ace in documented}
        sets = [
            frozenset(ace for ace in own[name] if ace.user in accounts)
            for name, groups in shown.items()
            if group in groups
        ]
        # Where Custom stands beside it, there is more than the group.
        plain = [
            frozenset(ace for ace in own[name] if ace.user in accounts)
            for name, groups in shown.items()
            if group in groups and "Custom" not in groups
        ]
        common = frozenset.intersection(*(plain or sets)) if sets else frozenset()
        if common and (
            not all(documented <= held for held in sets) or (plain and common != documented)
        ):
            host.rights.learn(group, common)


def _words(value: t.Any) -> set[str]:
    return {word.strip() for word in str(value or "").split(",")} - {"", "None"}


# ------------------------------------------------------------ connectors


def _values(
    what: str, row: Row, settings: t.Mapping[str, t.Any], told: list[str]
) -> dict[str, t.Any]:
    values: dict[str, t.Any] = {}
    for name, setting in settings.items():
        if name not in row:
            continue
        try:
            values[name] = setting.kind.load(row[name])
        except (Mismatch, Refused, ExchangeError, ValueError, TypeError, KeyError):
            told.append(
                f"{what}: the lab does not understand {name} as it is there, and has its default."
            )
    return values


def _receive(
    host: ExchangeHost, row: Row, entries: t.Mapping[str, t.Sequence[_Entry]], told: list[str]
) -> None:
    name, place = str(row.get("Name")), str(row.get("DistinguishedName"))
    settings = receive.settings(host.edition)
    values = receive.defaults(host.edition, host.fqdn)
    values.update(_values(f"The receive connector '{name}'", row, settings, told))
    values.pop("PermissionGroups", None)
    held = entries.get(place, ())
    inherited = sorted({entry.ace for entry in held if entry.inherited})
    connector = Stored(
        name,
        place,
        values,
        host.name,
        tuple(sorted({entry.ace for entry in held if not entry.inherited})),
        tuple(ace for ace in inherited if ace.right not in _NO_RIGHT),
        tuple(ace for ace in inherited if ace.right in _NO_RIGHT),
        valid=row.get("IsValid") is not False,
    )
    host.directory.put(connector)


def _send(host: ExchangeHost, row: Row, told: list[str]) -> None:
    name, place = str(row.get("Name")), str(row.get("DistinguishedName"))
    directory = host.directory
    if any(held.distinguished_name == place for held in directory.view("")):
        # Another server of the organization told it already.
        return
    values = send.defaults(host.edition)
    values.update(_values(f"The send connector '{name}'", row, send.settings(host.edition), told))
    user = row.get(f"{_LOGIN}.UserName")
    if row.get(_LOGIN) or user:
        # Its password no server tells; the lab's smart hosts ask for none.
        values[_LOGIN] = (str(user or "unknown"), "")
    for source in values.get("SourceTransportServers") or ():
        if str(source).casefold() not in directory.servers:
            domain = directory.domain
            directory.servers[str(source).casefold()] = Server(
                str(source), f"{str(source).lower()}.{domain}", edge=False
            )
    directory.put(Stored(name, place, values, valid=row.get("IsValid") is not False))
