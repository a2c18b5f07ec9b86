# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules between the options of one connector, and what a version or a user lacks."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.rules import (
    check_connector,
    check_supported,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import Server, State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import Resource
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Change,
)

SOUND_RECEIVE = {
    "remote_ip_ranges": ["192.0.2.0/24", "2001:db8::/32"],
    "bindings": ["0.0.0.0:25", "[::]:25"],
    "permission_groups": ["AnonymousUsers"],
    "auth_mechanism": ["Tls"],
    "banner": "220 mail.birke.example",
    "connection_timeout": "00:10:00",
    "connection_inactivity_timeout": "00:05:00",
    "tls_certificate_name": "<I>CN=Birke CA<S>CN=mail.birke.example",
}
SOUND_SEND = {
    "address_spaces": ["*"],
    "smart_hosts": ["out.filter.example"],
    "dns_routing_enabled": False,
    "require_tls": True,
    "ignore_starttls": False,
    "tls_auth_level": "DomainValidation",
    "tls_domain": "filter.example",
    "smart_host_auth_mechanism": "BasicAuthRequireTLS",
    "authentication_credential": {"username": "site", "password": "canary"},
}


def canonical(table: Resource, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {
        "name": "Birke",
        **{option: table.properties[option].parse(value) for option, value in options.items()},
    }


def problems(
    table: Resource, version: Version = Version.E2019, edge: bool = False, **options: t.Any
) -> list[str]:
    sound = SOUND_RECEIVE if table is RECEIVE else SOUND_SEND
    return check_connector(table, canonical(table, {**sound, **options}), version, edge)


def test_sound_connectors_break_no_rule() -> None:
    assert problems(RECEIVE) == problems(SEND) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"auth_mechanism": ["BasicAuthRequireTLS", "Tls"]}, "needs BasicAuth and Tls"),
        ({"auth_mechanism": ["BasicAuthRequireTLS", "BasicAuth"]}, "needs BasicAuth and Tls"),
        (
            {
                "auth_mechanism": ["ExternalAuthoritative", "Integrated"],
                "permission_groups": ["ExchangeServers"],
            },
            "goes with Tls only and not with Integrated",
        ),
        (
            {"auth_mechanism": ["ExternalAuthoritative", "Tls"]},
            "needs ExchangeServers in permission_groups",
        ),
        ({"auth_mechanism": [], "require_tls": True}, "require_tls set, which needs Tls"),
        (
            {"auth_mechanism": ["Integrated"], "domain_secure_enabled": True},
            "domain_secure_enabled set, which needs Tls",
        ),
        (
            {
                "auth_mechanism": ["Tls", "ExternalAuthoritative"],
                "permission_groups": ["ExchangeServers"],
                "domain_secure_enabled": True,
            },
            "does not go with ExternalAuthoritative",
        ),
        (
            {"connection_inactivity_timeout": "00:10:00"},
            "00:10:00, which must be less than its connection_timeout of 00:10:00",
        ),
        ({"banner": "Welcome"}, "banner 'Welcome'; a banner begins with 220"),
        ({"remote_ip_ranges": []}, "has no remote_ip_ranges"),
        ({"bindings": []}, "has no bindings"),
        ({"tls_certificate_name": "CN=mail.birke.example"}, "<I>Issuer<S>Subject"),
        ({"usage": "Internet"}, "takes no remote_ip_ranges at creation"),
    ],
)
def test_a_receive_connector_that_breaks_a_rule_is_told_so_once(
    options: dict[str, t.Any], said: str
) -> None:
    (sentence,) = problems(RECEIVE, **options)
    assert sentence.startswith("The receive connector 'Birke' has ")
    assert said in sentence
    assert sentence.endswith("Nothing was changed.")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"address_spaces": []}, "has no address_spaces"),
        (
            {"dns_routing_enabled": True},
            "smart_hosts and dns_routing_enabled, which exclude each other",
        ),
        (
            {"smart_hosts": [], "smart_host_auth_mechanism": "None"},
            "neither smart_hosts nor dns_routing_enabled",
        ),
        ({"authentication_credential": ""}, "needs authentication_credential"),
        (
            {"ignore_starttls": True, "tls_auth_level": "", "tls_domain": ""},
            "require_tls and ignore_starttls",
        ),
        ({"require_tls": False}, "tls_auth_level DomainValidation, which needs require_tls"),
        (
            {"tls_auth_level": "EncryptionOnly"},
            "tls_domain, which goes with the tls_auth_level DomainValidation only",
        ),
        ({"tls_domain": ""}, "which together need tls_domain"),
        ({"domain_secure_enabled": True}, "needs dns_routing_enabled"),
    ],
)
def test_a_send_connector_that_breaks_a_rule_is_told_so_once(
    options: dict[str, t.Any], said: str
) -> None:
    (sentence,) = problems(SEND, **options)
    assert sentence.startswith("The send connector 'Birke' has ")
    assert said in sentence
    assert sentence.endswith("Nothing was changed.")


def test_a_space_of_another_type_needs_smart_hosts_and_no_edge_server() -> None:
    by_dns: dict[str, t.Any] = {
        "smart_hosts": [],
        "dns_routing_enabled": True,
        "smart_host_auth_mechanism": "None",
    }
    (sentence,) = problems(SEND, address_spaces=["fax:*"], **by_dns)
    assert "fax:*;1, which is not SMTP and needs smart_hosts" in sentence
    (sentence,) = problems(SEND, edge=True, address_spaces=["fax:*"])
    assert "an Edge server carries SMTP only" in sentence


def test_a_smart_host_login_without_smart_hosts_is_refused() -> None:
    (sentence,) = problems(SEND, smart_hosts=[], dns_routing_enabled=True)
    assert "smart_host_auth_mechanism BasicAuthRequireTLS, which needs smart_hosts" in sentence


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x" * 65, "65 characters; Exchange takes at most 64"),
        (" ", "empty name"),
        ("a\nb", "control character"),
    ],
)
def test_a_name_that_exchange_refuses_is_refused(name: str, said: str) -> None:
    (sentence,) = check_connector("send_connector", {"name": name}, Version.E2010)
    assert said in sentence


def test_names_with_characters_of_any_shell_are_none_of_its_business() -> None:
    assert check_connector(RECEIVE, {"name": "a'b\"c`$(d)\u2019;\u201c&|é"}, Version.E2010) == []


def test_edge_servers_have_no_legacy_servers_and_no_client_usage() -> None:
    (sentence,) = problems(RECEIVE, edge=True, permission_groups=["ExchangeLegacyServers"])
    assert "ExchangeLegacyServers" in sentence
    (sentence,) = problems(RECEIVE, edge=True, usage="Client")
    assert "usage Client" in sentence


def test_the_first_release_of_2007_knows_no_ipv6() -> None:
    first, second = problems(RECEIVE, Version.E2007RTM)
    assert "IPv6 addresses in remote_ip_ranges" in first
    assert "IPv6 addresses in bindings" in second
    assert problems(RECEIVE, Version.E2007) == []


def test_what_is_not_known_is_not_held_against_a_connector() -> None:
    assert check_connector(RECEIVE, {"name": "Birke", "require_tls": True}, Version.E2019) == []
    assert (
        check_connector(
            SEND, {"name": "Birke", "smart_host_auth_mechanism": "BasicAuth"}, Version.E2019
        )
        == []
    )


def lacking(table: Resource, state: State, action: str = "modify", **options: t.Any) -> list[str]:
    after = {option: table.properties[option].parse(value) for option, value in options.items()}
    return check_supported(table, Change(table.name, Action(action), "Birke", {}, after), state)


def server(version: Version, edge: bool = False) -> State:
    return State(Server("EX1", "ex1.birke.example", version, "", edge=edge))


def test_an_option_that_the_version_lacks_is_named_with_those_that_have_it() -> None:
    (sentence,) = lacking(
        SEND, server(Version.E2007), tls_auth_level="EncryptionOnly", require_tls=True
    )
    assert sentence == (
        "The option tls_auth_level of the send connector 'Birke' cannot be set: TlsAuthLevel "
        "exists on Exchange 2010 and later, and EX1 is Exchange 2007 SP1 to SP3. "
        "Nothing was changed. Leave the option out for this server."
    )
    assert lacking(SEND, server(Version.E2010), tls_auth_level="EncryptionOnly") == []


def test_an_option_that_edge_servers_lack_is_named() -> None:
    (sentence,) = lacking(
        RECEIVE, server(Version.E2019, edge=True), transport_role="FrontendTransport"
    )
    assert "EX1 is an Edge server with Exchange 2019" in sentence


def test_the_scope_of_a_connector_needs_no_parameter_in_the_first_release_of_2007() -> None:
    assert lacking(SEND, server(Version.E2007RTM), is_scoped_connector=True) == []


def test_a_parameter_that_the_cmdlet_lacks_for_this_user_is_named() -> None:
    parameters = frozenset({"Identity", "RequireTLS", "SmartHosts", "DNSRoutingEnabled"})
    state = dataclasses.replace(server(Version.E2019), supported={"Set-SendConnector": parameters})
    assert lacking(SEND, state, require_tls=True) == []
    (sentence,) = lacking(SEND, state, port=26)
    assert "Set-SendConnector on EX1 has no parameter Port" in sentence


def test_a_cmdlet_that_this_user_may_not_run_is_named() -> None:
    state = dataclasses.replace(
        server(Version.E2019), supported={"Get-SendConnector": frozenset({"Identity"})}
    )
    (sentence,) = lacking(SEND, state, "create", port=26)
    assert "needs New-SendConnector, which the user of this task may not run on EX1" in sentence
    (sentence,) = lacking(SEND, state, "remove")
    assert "Remove-SendConnector" in sentence


def test_what_only_set_takes_is_looked_for_there() -> None:
    supported = {
        "New-ReceiveConnector": frozenset({"Name", "Enabled"}),
        "Set-ReceiveConnector": frozenset({"SmtpUtf8Enabled"}),
    }
    state = dataclasses.replace(server(Version.E2019), supported=supported)
    assert (
        lacking(RECEIVE, state, "create", smtp_utf8_enabled=True, enabled=False, usage="Custom")
        == []
    )
