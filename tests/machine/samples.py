# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values for every line of the tables: derived from its kind, or named here.

A line for which there is none is a failing test, so that a new one cannot escape the tests of its
life.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.kinds import (
    UNLIMITED,
    Bool,
    Choice,
    Int,
    Size,
    TimeSpan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import (
    Property,
    Resource,
)

Values = dict[str, t.Any]

LOGIN = {"username": "site@filter.example", "password": "canary-life"}
_CERTIFICATE = "<I>CN=Authority, O=Birke<S>CN=mail.birke.example"

NAMED: t.Mapping[str, t.Mapping[str, tuple[t.Any, ...]]] = {
    RECEIVE.name: {
        "bindings": (["0.0.0.0:2599"], ["0.0.0.0:2598", "0.0.0.0:2599"]),
        "remote_ip_ranges": (["10.20.9.9"], ["10.20.9.0/24", "192.168.40.1-192.168.40.9"]),
        "permission_groups": (
            ["AnonymousUsers"],
            ["AnonymousUsers", "ExchangeUsers"],
            ["Partners"],
            [],
        ),
        "auth_mechanism": (
            ["Tls"],
            ["Tls", "Integrated"],
            ["Tls", "BasicAuth", "BasicAuthRequireTLS"],
        ),
        "anonymous_rights": (["everyone:ms-Exch-SMTP-Submit"], []),
        "usage": ("Custom",),
        "fqdn": ("mail.birke.example", "mx.birke.example"),
        "banner": ("220 birke", "220 birke, at your service"),
        "comment": ("first floor", 'second "floor"; \u00fcber $all\u2019s'),
        "default_domain": ("site.example",),
        "tls_certificate_name": (_CERTIFICATE,),
        "tls_domain_capabilities": (["mail.birke.example:AcceptOorgProtocol"],),
        "service_discovery_fqdn": ("autodiscover.birke.example",),
        # The one has to be less than the other.
        "connection_timeout": (2, 86400),
        "connection_inactivity_timeout": (1, 86399),
        # Which one it has does not change (Set-ReceiveConnector.md).
        "transport_role": ("FrontendTransport",),
    },
    SEND.name: {
        "address_spaces": (
            ["SMTP:life.example;7"],
            ["SMTP:life.example;7", "SMTP:*.life.example;100"],
        ),
        "smart_hosts": (["out.filter.example"], ["out.filter.example", "192.0.2.99"]),
        "source_transport_servers": (["EX1"],),
        "authentication_credential": (LOGIN,),
        "tls_domain": ("filter.example", "mx.filter.example"),
        "tls_certificate_name": (_CERTIFICATE,),
        "fqdn": ("mail.birke.example", "mx.birke.example"),
        "comment": ("first floor", 'second "floor"; \u00fcber $all\u2019s'),
        "error_policies": (
            ["DowngradeDnsFailures"],
            ["DowngradeCustomFailures", "UpgradeCustomFailures"],
        ),
        "source_ip_address": ("192.0.2.25",),
    },
}

# What a value needs beside it; a function of the value where it depends on that.
BESIDE: t.Mapping[str, t.Mapping[str, t.Callable[[t.Any], Values]]] = {
    RECEIVE.name: {
        "anonymous_relay": lambda value: {"permission_groups": ["AnonymousUsers"]},
        "connection_timeout": lambda value: {"connection_inactivity_timeout": 1},
        "connection_inactivity_timeout": lambda value: {"connection_timeout": 86400},
    },
    SEND.name: {
        "smart_hosts": lambda value: {"dns_routing_enabled": False},
        "dns_routing_enabled": lambda value: (
            {} if value else {"smart_hosts": ["out.filter.example"]}
        ),
        "smart_host_auth_mechanism": lambda value: {
            "smart_hosts": ["out.filter.example"],
            "dns_routing_enabled": False,
            **({"authentication_credential": LOGIN} if value.startswith("Basic") else {}),
        },
        "authentication_credential": lambda value: {
            "smart_hosts": ["out.filter.example"],
            "dns_routing_enabled": False,
            "smart_host_auth_mechanism": "BasicAuth",
        },
        "tls_auth_level": lambda value: {
            "require_tls": True,
            **({"tls_domain": "filter.example"} if value == "DomainValidation" else {}),
        },
        "tls_domain": lambda value: {"require_tls": True, "tls_auth_level": "DomainValidation"},
        "cloud_services_mail_enabled": lambda value: (
            {"tls_certificate_name": _CERTIFICATE} if value else {}
        ),
    },
}

# Of values that exclude each other, those of a connector with everything at once: first, and later.
TOGETHER: tuple[t.Mapping[str, Values], t.Mapping[str, Values]] = (
    {
        RECEIVE.name: {},
        SEND.name: {
            "dns_routing_enabled": False,
            "domain_secure_enabled": False,
            "ignore_starttls": False,
            "require_tls": True,
            "tls_auth_level": "DomainValidation",
            "smart_host_auth_mechanism": "BasicAuth",
        },
    },
    {
        RECEIVE.name: {"permission_groups": ["AnonymousUsers", "ExchangeUsers"]},
        SEND.name: {
            "dns_routing_enabled": False,
            "domain_secure_enabled": False,
            "ignore_starttls": False,
            "require_tls": True,
            "tls_auth_level": "DomainValidation",
            "smart_host_auth_mechanism": "BasicAuthRequireTLS",
        },
    },
)


def values(table: Resource, prop: Property) -> tuple[t.Any, ...]:
    """What the life of a property is tried with; empty where nothing is known of it."""
    named = NAMED[table.name].get(prop.option)
    if named is not None:
        return named
    kind = prop.kind
    if isinstance(kind, Bool):
        return True, False
    if isinstance(kind, Choice):
        return kind.choices
    if isinstance(kind, (Int, Size)):
        ends: list[t.Any] = [kind.first, kind.last]
        if isinstance(kind, Size):
            # What the server rounds up would come out of its own bounds.
            ends[1] = kind.last // kind.unit * kind.unit
        return (*ends, *([UNLIMITED] if kind.unlimited else []))
    if isinstance(kind, TimeSpan):
        return kind.first, kind.last
    return ()


def beside(table: Resource, option: str, value: t.Any) -> Values:
    """The options of a connector that has this value, and what that needs."""
    needed = BESIDE[table.name].get(option, lambda value: {})(value)
    return {option: value, **needed}
