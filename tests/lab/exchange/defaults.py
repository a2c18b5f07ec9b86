# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites as setup and administrators leave them, by edition, and a real server from its projected
objects.

Sources: receive-connectors.md ("Default Receive connectors created during setup"), the objects of a
real Exchange 2019 server, TechNet aa996395 for 2007 and 2010. Of a Small Business Server no
document was found: its connectors are unverified.
"""

from __future__ import annotations

import json
import pathlib
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange import receive, send
from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import (
    EDITIONS,
    Edition,
    Generation,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Stored

_CLIENT = "Tls, Integrated, BasicAuth, BasicAuthRequireTLS"
_FIVE = f"{_CLIENT}, ExchangeServer"
_SERVERS = "ExchangeServers, ExchangeLegacyServers"


class _Made(t.NamedTuple):
    """A receive connector that setup makes; `{s}` stands for the server's name."""

    name: str
    port: int
    groups: str
    mechanisms: str
    role: str = ""
    more: t.Mapping[str, t.Any] = {}


_HUB_LIMITS = {
    "MaxRecipientsPerMessage": 5000,
    "MaxInboundConnectionPerSource": "Unlimited",
    "MaxInboundConnectionPercentagePerSource": 100,
    "SizeEnabled": "EnabledWithoutValue",
}
_USER_LIMITS = {"MessageRateLimit": "5", "MessageRateSource": "User", "EnableAuthGSSAPI": True}
_VERBOSE = {"ProtocolLoggingLevel": "Verbose"}

_MODERN = (
    _Made("Default {s}", 2525, f"ExchangeUsers, {_SERVERS}", _FIVE, "HubTransport", _HUB_LIMITS),
    _Made(
        "Client Proxy {s}",
        465,
        "ExchangeUsers, ExchangeServers",
        _FIVE,
        "HubTransport",
        _USER_LIMITS,
    ),
    _Made(
        "Default Frontend {s}",
        25,
        f"AnonymousUsers, {_SERVERS}",
        _FIVE,
        "FrontendTransport",
        {**_VERBOSE, "DomainSecureEnabled": True},
    ),
    _Made(
        "Outbound Proxy Frontend {s}",
        717,
        "ExchangeServers",
        _FIVE,
        "FrontendTransport",
        {**_VERBOSE, "DomainSecureEnabled": True, "TarpitInterval": "00:00:00"},
    ),
    _Made("Client Frontend {s}", 587, "ExchangeUsers", _CLIENT, "FrontendTransport", _USER_LIMITS),
)
# The limits of the older ones are those that a 2013 server gives its heirs (unverified).
_OLDER = (
    _Made("Default {s}", 25, f"ExchangeUsers, {_SERVERS}", _FIVE, more=_HUB_LIMITS),
    _Made("Client {s}", 587, "ExchangeUsers", _CLIENT),
)
_EDGE = (
    _Made(
        "Default internal receive connector {s}",
        25,
        "AnonymousUsers, ExchangeServers, Partners",
        "Tls, ExchangeServer",
    ),
)


def setup(host: ExchangeHost) -> None:
    """Make the connectors that Exchange's setup makes."""
    edition = host.edition
    made: tuple[_Made, ...] = _MODERN if edition.generation >= Generation.E2013 else _OLDER
    if edition.edge:
        made = _EDGE
    families = [4] if edition.edge or edition.generation is Generation.RTM2007 else [4, 6]
    for connector in made:
        values = {
            "Bindings": [
                f"{'0.0.0.0' if family == 4 else '[::]'}:{connector.port}" for family in families
            ],
            "RemoteIPRanges": [
                receive.EVERY_V4 if family == 4 else receive.EVERY_V6 for family in families
            ],
            "PermissionGroups": connector.groups,
            "AuthMechanism": connector.mechanisms,
            "MaxHopCount": 60,
            "MaxLocalHopCount": 5,
            **connector.more,
        }
        if connector.role:
            values["TransportRole"] = connector.role
        add_receive(host, connector.name.format(s=host.name), values)


def small_business(host: ExchangeHost, lan: str = "192.0.2.0/24") -> None:
    """Make the connectors of a Small Business Server (unverified): the internet on the LAN address,
    the LAN, and the server itself.
    """
    address = host.addresses[0]
    low, high = lan.rsplit(".", 1)[0] + ".0", lan.rsplit(".", 1)[0] + ".255"
    before, after = _neighbour(low, -1), _neighbour(high, 1)
    internet = {
        "Bindings": [f"{address}:25"],
        "RemoteIPRanges": [f"0.0.0.0-{before}", f"{after}-255.255.255.255"],
        "PermissionGroups": "AnonymousUsers",
        "AuthMechanism": "Tls",
    }
    add_receive(host, f"Windows SBS Internet Receive {host.name}", internet)
    inside = {"PermissionGroups": f"ExchangeUsers, {_SERVERS}", "AuthMechanism": _FIVE}
    add_receive(
        host,
        f"Default {host.name}",
        {**inside, "Bindings": [f"{address}:25"], "RemoteIPRanges": [f"{low}-{high}"]},
    )
    local = {**internet, "Bindings": ["127.0.0.1:25"], "RemoteIPRanges": ["127.0.0.1"]}
    add_receive(host, f"Windows SBS Fax Sharepoint Receive {host.name}", local)
    add_send(host, f"Windows SBS Internet Send {host.name}", {"AddressSpaces": ["SMTP:*;1"]})


def _neighbour(address: str, step: int) -> str:
    numbers = [int(part) for part in address.split(".")]
    value = sum(number << shift for number, shift in zip(numbers, (24, 16, 8, 0))) + step
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def site(
    edition: Edition | str,
    name: str = "EX1",
    domain: str = "site.example",
    *,
    door: bool = True,
    way_out: bool = True,
    directory: Directory | None = None,
    **options: t.Any,
) -> ExchangeHost:
    """A server as it stands at a client's before the lock.

    Setup's connectors, and what an administrator adds so that mail flows: with `door`, 2007 and
    2010 let the internet in through `Default <server>`, which setup does not; with `way_out` a send
    connector for all domains, of which setup makes none.
    """
    chosen = EDITIONS[edition] if isinstance(edition, str) else edition
    if directory is None:
        directory = Directory(domain, () if chosen.edge else ("dc1", "dc2"))
    host = ExchangeHost(name, chosen, directory, **options)
    if chosen.sbs:
        small_business(host)
        return host
    setup(host)
    if door and chosen.generation < Generation.E2013 and not chosen.edge:
        groups = f"AnonymousUsers, ExchangeUsers, {_SERVERS}"
        identity = f"{host.name}\\Default {host.name}"
        host.cmdlets.run("Set-ReceiveConnector", {"Identity": identity, "PermissionGroups": groups})
    if way_out and not any(not connector.server for connector in directory.view("")):
        add_send(host, "Internet", {"AddressSpaces": ["SMTP:*;1"]})
    return host


def add_receive(
    host: ExchangeHost, name: str, printed: t.Mapping[str, t.Any], **about: t.Any
) -> Stored:
    """Put a receive connector into the directory without asking its rules; `printed` are properties
    as they print.
    """
    values = receive.defaults(host.edition, host.fqdn)
    values.update(_loaded(receive.settings(host.edition), printed))
    rights = host.rights.regroup((), values.pop("PermissionGroups"))
    connector = Stored(name, host.directory.receive_dn(host.name, name), values, host.name, rights)
    return _put(host, connector, about)


def add_send(
    host: ExchangeHost, name: str, printed: t.Mapping[str, t.Any], **about: t.Any
) -> Stored:
    """Put a send connector into the directory without asking its rules; `printed` are properties as
    they print.
    """
    values = send.defaults(host.edition)
    if not host.edition.edge:
        values["SourceTransportServers"] = (host.name,)
    values.update(_loaded(send.settings(host.edition), printed))
    return _put(host, Stored(name, host.directory.send_dn(name), values), about)


def _put(host: ExchangeHost, connector: Stored, about: t.Mapping[str, t.Any]) -> Stored:
    for field, value in about.items():
        setattr(connector, field, value)
    with host.directory.lock:
        host.directory.put(connector)
    return connector


def _loaded(settings: t.Mapping[str, t.Any], printed: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {
        name: settings[name].kind.load(value) for name, value in printed.items() if name in settings
    }


def from_dump(dump: str | pathlib.Path, **options: t.Any) -> ExchangeHost:
    """The real Exchange 2019 server of the projected objects in `dump` (variable
    MAILEDGE_FIXTURES).
    """
    base = pathlib.Path(dump)
    received = json.loads(
        (base / "exchange2019_receive_connectors.json").read_text(encoding="utf-8")
    )
    sent = json.loads((base / "exchange2019_send_connectors.json").read_text(encoding="utf-8"))
    name, domain = received[0]["OriginatingServer"].split(".", 1)
    # Here the domain controller is the Exchange server itself.
    host = ExchangeHost(name, "2019", Directory(domain, (name,)), **options)
    for row in received:
        add_receive(
            host, row["Name"], row, guid=row["Guid"], distinguished_name=row["DistinguishedName"]
        )
    for row in sent:
        add_send(
            host, row["Name"], row, guid=row["Guid"], distinguished_name=row["DistinguishedName"]
        )
    return host
