# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites for the tests of the plan: canonical connectors as setup leaves them, by version.

Source: learn.microsoft.com, receive-connectors.md ("Default Receive connectors created during
setup"); for 2007 and 2010 TechNet aa996395. The connectors of a Small Business Server are
unverified.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import TABLES
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import Server, State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import parse_address
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import snapshot
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Change,
    Desired,
)

NAME = "EX1"
LAN = "10.20.0.0/16"
LAN_ADDRESS = "10.20.1.11"
PROVIDER = "198.51.100.0/24"
STRANGER = "203.0.113.9"
EVERYBODY = ["0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
ALL_MECHANISMS = ["Tls", "Integrated", "BasicAuth", "BasicAuthRequireTLS", "ExchangeServer"]


def receive(name: str, **options: t.Any) -> dict[str, t.Any]:
    """A canonical receive connector on all of port 25 for everybody, unless `options` (input form)
    say otherwise.
    """
    plain = {
        "enabled": True,
        "bindings": ["0.0.0.0:25", "[::]:25"],
        "remote_ip_ranges": EVERYBODY,
        "permission_groups": [],
        "auth_mechanism": ["Tls"],
        "anonymous_relay": False,
        "require_tls": False,
        "banner": "",
        "fqdn": "",
        "comment": "",
        "protocol_logging_level": "None",
        "max_inbound_connection_per_source": "20",
        "max_inbound_connection_percentage_per_source": 2,
        **options,
    }
    return {
        "name": name,
        "server": NAME,
        **{option: RECEIVE.properties[option].parse(plain[option]) for option in plain},
    }


def send(name: str, **options: t.Any) -> dict[str, t.Any]:
    """A canonical send connector for the internet by DNS, unless `options` (input form) say
    otherwise.
    """
    plain = {
        "enabled": True,
        "address_spaces": ["SMTP:*;1"],
        "smart_hosts": [],
        "dns_routing_enabled": not options.get("smart_hosts"),
        "source_transport_servers": [NAME],
        "port": 25,
        "smart_host_auth_mechanism": "None",
        "authentication_credential": "",
        "require_tls": False,
        "ignore_starttls": False,
        "tls_domain": "",
        "max_message_size": "35MB",
        **options,
    }
    return {
        "name": name,
        **{option: SEND.properties[option].parse(plain[option]) for option in plain},
    }


def site(
    version: Version,
    connectors: t.Iterable[t.Mapping[str, t.Any]],
    send_connectors: t.Iterable[t.Mapping[str, t.Any]] = (),
    *,
    edge: bool = False,
) -> State:
    """A state of these connectors."""
    server = Server(
        name=NAME,
        fqdn="ex1.birke.example",
        version=version,
        build="15.1.2507.72",
        edge=edge,
        addresses=(parse_address(LAN_ADDRESS),),
    )
    return State(
        server=server,
        receive={connector["name"].casefold(): connector for connector in connectors},
        send={connector["name"].casefold(): connector for connector in send_connectors},
    )


def inner(name: str, role: str, port: int, groups: list[str]) -> dict[str, t.Any]:
    """One of the connectors between the services of Exchange 2013 and later."""
    return receive(
        name,
        transport_role=role,
        bindings=[f"0.0.0.0:{port}", f"[::]:{port}"],
        permission_groups=groups,
        auth_mechanism=ALL_MECHANISMS,
        tls_domain_capabilities=[],
    )


def modern(version: Version = Version.E2016, **frontend: t.Any) -> State:
    """Exchange 2013 or later as setup leaves it; `frontend` are options of `Default Frontend
    EX1`.
    """
    groups = ["AnonymousUsers", "ExchangeServers", "ExchangeLegacyServers"]
    default = inner(f"Default Frontend {NAME}", "FrontendTransport", 25, groups)
    default.update(
        {option: RECEIVE.properties[option].parse(value) for option, value in frontend.items()}
    )
    return site(
        version,
        [
            default,
            inner(f"Client Frontend {NAME}", "FrontendTransport", 587, ["ExchangeUsers"]),
            inner(f"Outbound Proxy Frontend {NAME}", "FrontendTransport", 717, ["ExchangeServers"]),
            inner(
                f"Client Proxy {NAME}", "HubTransport", 465, ["ExchangeUsers", "ExchangeServers"]
            ),
            inner(
                f"Default {NAME}",
                "HubTransport",
                2525,
                ["ExchangeUsers", "ExchangeServers", "ExchangeLegacyServers"],
            ),
        ],
        [send("Internet")],
    )


def older(version: Version = Version.E2010, *, anonymous: bool = True) -> State:
    """Exchange 2007 or 2010 on which the administrator lets the internet in through the default
    connector.
    """
    groups = [
        "ExchangeUsers",
        "ExchangeServers",
        "ExchangeLegacyServers",
        *(["AnonymousUsers"] if anonymous else []),
    ]
    v4 = version is Version.E2007RTM
    shape = {"bindings": ["0.0.0.0:25"], "remote_ip_ranges": EVERYBODY[:1]} if v4 else {}
    return site(
        version,
        [
            receive(
                f"Default {NAME}", permission_groups=groups, auth_mechanism=ALL_MECHANISMS, **shape
            ),
            receive(
                f"Client {NAME}",
                permission_groups=["ExchangeUsers"],
                **{**shape, "bindings": ["0.0.0.0:587"]},
            ),
        ],
        [send("Internet")],
    )


def small_business() -> State:
    """A Small Business Server 2011: an Internet connector for all but the LAN, on the LAN address
    (unverified).
    """
    around = ["0.0.0.0-10.19.255.255", "10.21.0.0-255.255.255.255"]
    return site(
        Version.E2010,
        [
            receive(
                f"Windows SBS Internet Receive {NAME}",
                bindings=[f"{LAN_ADDRESS}:25"],
                remote_ip_ranges=around,
                permission_groups=["AnonymousUsers"],
            ),
            receive(
                f"Default {NAME}",
                bindings=[f"{LAN_ADDRESS}:25"],
                remote_ip_ranges=[LAN],
                permission_groups=["ExchangeUsers", "ExchangeServers", "ExchangeLegacyServers"],
                auth_mechanism=ALL_MECHANISMS,
            ),
            receive(
                f"Windows SBS Fax Sharepoint Receive {NAME}",
                bindings=["127.0.0.1:25"],
                remote_ip_ranges=["127.0.0.1"],
                permission_groups=["AnonymousUsers"],
            ),
        ],
        [send(f"Windows SBS Internet Send {NAME}")],
    )


def edge() -> State:
    """An Edge server of Exchange 2019."""
    return site(
        Version.E2019,
        [
            receive(
                f"Default internal receive connector {NAME}",
                bindings=["0.0.0.0:25"],
                permission_groups=["AnonymousUsers", "ExchangeServers", "Partners"],
                auth_mechanism=["Tls", "ExchangeServer"],
            )
        ],
        edge=True,
    )


TIME = datetime.datetime(
    2026, 1, 14, 11, 15, 0, 250_999, tzinfo=datetime.timezone(datetime.timedelta(hours=1))
)


def snapshot_text(changes: t.Iterable[Change[str]], reason: str = "apply") -> str:
    """The snapshot that a run with these changes keeps."""
    taken_back, not_restorable = TABLES.way_back(changes)
    made: snapshot.Snapshot[str] = snapshot.Snapshot(
        layer="exchange",
        origin={"server": NAME},
        reason=reason,
        time=snapshot.stamp(TIME),
        run_id="4f1c2a",
        desired=taken_back,
        made=TABLES.made(changes),
        not_restorable=not_restorable,
    )
    return made.text()


def saved(text: str) -> tuple[Desired[str], ...]:
    """What a snapshot restores."""
    return snapshot.parse(text, "exchange", TABLES).desired
