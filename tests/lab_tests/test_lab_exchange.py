# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's Exchange is never kinder than a real one: its versions, its printing, its ways in."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange import rights
from ansible_collections.mailedge.lockdown.tests.lab.exchange.defaults import from_dump, site
from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.support.lab_host import (
    FRONTEND,
    HUB,
    NO,
    change,
    narrow,
    receive_connector,
    refusal,
    send,
)
from ansible_collections.mailedge.lockdown.tests.support.reading import read

FIXTURES = os.environ.get("MAILEDGE_FIXTURES", "")


@pytest.mark.skipif(not FIXTURES, reason="no real objects: set MAILEDGE_FIXTURES")
def test_a_real_server_prints_as_it_did() -> None:
    host = from_dump(FIXTURES)
    # Of these the lab has its own, or none.
    apart = {"ObjectCategory", "OrganizationId", "Region", "CertificateSubject"}
    for noun, file in (("Receive", "receive"), ("Send", "send")):
        text = pathlib.Path(FIXTURES, f"exchange2019_{file}_connectors.json").read_text(
            encoding="utf-8"
        )
        printed = {row["Name"]: row for row in host.invoke(f"Get-{noun}Connector", {})}
        expected = json.loads(text)
        assert len(printed) == len(expected)
        for row in expected:
            for name, value in row.items():
                if name in apart or name.startswith("When"):
                    continue
                shown = printed[row["Name"]][name]
                if isinstance(value, list):
                    assert sorted(shown) == sorted(value), name
                else:
                    assert (shown, isinstance(shown, bool)) == (value, isinstance(value, bool)), (
                        name
                    )


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_edition_has_its_connectors_and_the_collection_reads_them(edition: str) -> None:
    host = site(edition)
    state = read(host)
    groups = {
        key: sorted(connector["permission_groups"]) for key, connector in state.receive.items()
    }
    servers = ["ExchangeLegacyServers", "ExchangeServers"]
    if host.edition.frontend:
        assert groups == {
            "default ex1": [*servers, "ExchangeUsers"],
            "client proxy ex1": ["ExchangeServers", "ExchangeUsers"],
            "default frontend ex1": ["AnonymousUsers", *servers],
            "outbound proxy frontend ex1": ["ExchangeServers"],
            "client frontend ex1": ["ExchangeUsers"],
        }
    elif host.edition.edge:
        assert groups == {
            "default internal receive connector ex1": [
                "AnonymousUsers",
                "ExchangeServers",
                "Partners",
            ]
        }
    elif not host.edition.sbs:
        assert groups == {
            "default ex1": ["AnonymousUsers", *servers, "ExchangeUsers"],
            "client ex1": ["ExchangeUsers"],
        }
    assert len(state.send) == 1 or host.edition.edge
    # Setup's own connectors are legal beside each other.
    for row in host.invoke("Get-ReceiveConnector", {"Server": "EX1"}):
        identity = {"Identity": row["DistinguishedName"], "Comment": "same"}
        host.colleague("Set-ReceiveConnector", identity)


def test_setup_lets_nobody_in_anonymously_on_2010() -> None:
    assert receive_connector(site("2010", door=False), "Default EX1")["PermissionGroups"] == (
        "ExchangeUsers, ExchangeServers, ExchangeLegacyServers"
    )


@pytest.mark.parametrize(
    ("edition", "cmdlet", "parameter"),
    [
        ("2007-rtm", "Set-ReceiveConnector", "Confirm"),
        ("2007-rtm", "Remove-SendConnector", "WhatIf"),
        ("2007-rtm", "New-ReceiveConnector", "Custom"),
        ("2007-rtm", "Set-ReceiveConnector", "EnableAuthGSSAPI"),
        ("2007-rtm", "Set-SendConnector", "IsScopedConnector"),
        ("2007", "Set-ReceiveConnector", "TlsDomainCapabilities"),
        ("2007", "Set-SendConnector", "TlsAuthLevel"),
        ("2007", "Set-SendConnector", "ErrorPolicies"),
        ("2010", "New-ReceiveConnector", "TransportRole"),
        ("2010", "Set-SendConnector", "FrontendProxyEnabled"),
        ("2013", "Set-ReceiveConnector", "AuthTarpitInterval"),
        ("2013", "Set-SendConnector", "ConnectorType"),
        ("2019", "New-ReceiveConnector", "BareLinefeedRejectionEnabled"),
        ("2019", "Set-ReceiveConnector", "Usage"),
        ("2019", "Set-ReceiveConnector", "Server"),
        ("2019", "Get-SendConnector", "Server"),
        ("2019", "Remove-ReceiveConnector", "Force"),
        ("se", "Set-SendConnector", "LinkedReceiveConnector"),
    ],
)
def test_a_parameter_that_a_version_lacks_is_refused_before_anything_else(
    edition: str, cmdlet: str, parameter: str
) -> None:
    error = refusal(site(edition), cmdlet, {parameter: True})
    assert error.class_name == "ParameterBindingException"
    assert error.fully_qualified_error_id == f"NamedParameterNotFound,{cmdlet}"


@pytest.mark.parametrize(
    ("edition", "cmdlet", "parameters"),
    [
        ("edge", "Get-ReceiveConnector", {"DomainController": "dc1"}),
        ("edge", "New-ReceiveConnector", narrow()),
        (
            "edge",
            "Set-SendConnector",
            {"Identity": "Internet", "SourceTransportServers": "EX1", **NO},
        ),
        (
            "2019",
            "Set-SendConnector",
            {"Identity": "Internet", "SourceIPAddress": "192.0.2.25", **NO},
        ),
    ],
)
def test_a_parameter_of_another_role_is_refused(
    edition: str, cmdlet: str, parameters: dict[str, t.Any]
) -> None:
    assert refusal(site(edition), cmdlet, parameters).class_name == "InvalidOperationException"


def test_a_cmdlet_that_the_roles_hide_is_not_there() -> None:
    host = site("2016")
    host.hidden = {"New-SendConnector", ("Set-ReceiveConnector", "Banner")}
    assert refusal(host, "New-SendConnector", {}).class_name == "CommandNotFoundException"
    error = refusal(host, "Set-ReceiveConnector", {"Identity": HUB, "Banner": "220 x"})
    assert error.fully_qualified_error_id == "NamedParameterNotFound,Set-ReceiveConnector"
    shown = {
        row["Name"]: row["Parameters"]
        for row in host.invoke("Get-Command", {"Name": ["*-*Connector"]})
    }
    assert "New-SendConnector" not in shown
    assert "Banner" not in shown["Set-ReceiveConnector"]
    assert "Banner" in shown["New-ReceiveConnector"]


def test_a_remote_cmdlet_that_could_ask_has_to_be_told_not_to() -> None:
    host = site("2019")
    asked = {"Identity": HUB, "Comment": "x"}
    assert refusal(host, "Set-ReceiveConnector", asked).class_name == "HostException"
    assert (
        refusal(host, "Remove-SendConnector", {"Identity": "Internet"}).class_name
        == "HostException"
    )
    assert (
        refusal(host, "Remove-SendConnector", {"Identity": "Internet", "Confirm": True}).class_name
        == "HostException"
    )
    host.invoke("Set-ReceiveConnector", asked, remote=False)
    assert receive_connector(host, HUB)["Comment"] == "x"


def test_a_missing_identity_gives_all_connectors_and_a_write_to_it_fails() -> None:
    host = site("2019")
    assert len(host.invoke("Get-ReceiveConnector", {"Identity": "EX1\\nope"})) == 5
    assert len(host.invoke("Get-ReceiveConnector", {"Identity": None})) == 5
    (row,) = host.invoke("Get-ReceiveConnector", {"Identity": HUB.lower()})
    for identity in (row["Guid"], row["DistinguishedName"], "Default EX1"):
        assert (
            host.invoke("Get-ReceiveConnector", {"Identity": identity})[0]["Name"] == "Default EX1"
        )
    for cmdlet in ("Set-ReceiveConnector", "Remove-ReceiveConnector"):
        assert (
            refusal(host, cmdlet, {"Identity": "EX1\\nope", **NO}).class_name
            == "ManagementObjectNotFoundException"
        )
        assert (
            refusal(host, cmdlet, {"Identity": None, **NO}).class_name
            == "ParameterBindingValidationException"
        )
        assert (
            refusal(host, cmdlet, NO).fully_qualified_error_id
            == f"MissingMandatoryParameter,{cmdlet}"
        )
    assert (
        refusal(host, "Get-ReceiveConnector", {"Server": "EX9"}).class_name
        == "ManagementObjectNotFoundException"
    )
    assert (
        refusal(host, "Get-SendConnector", {"Identity": "x"}).class_name
        == "ManagementObjectNotFoundException"
    )
    both = {"Server": "EX1", "Identity": HUB}
    assert refusal(host, "Get-ReceiveConnector", both).fully_qualified_error_id.startswith(
        "AmbiguousParameterSet"
    )


def test_a_bare_name_is_ambiguous_across_servers_and_send_connectors_are_shared() -> None:
    first = site("2016")
    second = site("2016", "EX2", directory=first.directory)
    assert len(first.invoke("Get-ReceiveConnector", {})) == 10
    first.invoke("New-ReceiveConnector", narrow("Relay"))
    second.invoke("New-ReceiveConnector", narrow("Relay"))
    named = {"Identity": "Relay", "Comment": "x", **NO}
    assert (
        refusal(first, "Set-ReceiveConnector", named).class_name
        == "ManagementObjectAmbiguousException"
    )
    right = {"User": rights.ANONYMOUS, "ExtendedRights": rights.ANY_RECIPIENT, **NO}
    bare = {"Identity": "Relay", **right}
    assert (
        refusal(first, "Add-ADPermission", bare).class_name == "ManagementObjectAmbiguousException"
    )
    first.invoke("Set-SendConnector", {"Identity": "Internet", "Comment": "shared", **NO})
    assert send(second)["Comment"] == "shared"
    assert send(second)["SourceTransportServers"] == ["EX1"]
    second.invoke(
        "Set-SendConnector",
        {"Identity": "Internet", "SourceTransportServers": ["ex1", "EX2"], **NO},
    )
    assert sorted(send(first)["SourceTransportServers"]) == ["EX1", "EX2"]
    unknown = {"Identity": "Internet", "SourceTransportServers": ["EX9"], **NO}
    assert (
        refusal(first, "Set-SendConnector", unknown).class_name
        == "ManagementObjectNotFoundException"
    )


def test_values_print_as_exchange_prints_them() -> None:
    host = site("2019")
    ranges = ["192.168.1.1/24", "10.0.0.5-10.0.0.9", "10.9.0.1", "2001:0DB8::CD3/60"]
    row = change(
        host,
        FRONTEND,
        RemoteIPRanges=ranges,
        MaxMessageSize="25MB",
        MaxHeaderSize=131072,
        MaxInboundConnectionPerSource="unlimited",
        MaxProtocolErrors="7",
        ConnectionTimeout="1.00:00:00",
        PermissionGroups=["exchangeservers", "AnonymousUsers"],
        TlsDomainCapabilities=["partner.example:AcceptCloudServicesMail"],
        Banner=None,
        Comment="\u201cquotes\u201d `$(x)`; 'and' \"more\"",
    )
    # As typed, host bits and upper case and all.
    assert sorted(row["RemoteIPRanges"]) == sorted(ranges)
    assert row["MaxMessageSize"] == "25 MB (26,214,400 bytes)"
    assert row["MaxHeaderSize"] == "128 KB (131,072 bytes)"
    assert row["MaxInboundConnectionPerSource"] == "Unlimited"
    assert row["MaxProtocolErrors"] == "7"
    assert row["ConnectionTimeout"] == "1.00:00:00"
    assert row["PermissionGroups"] == "AnonymousUsers, ExchangeServers"
    assert row["PermissionGroups"].number == 5
    assert row["TlsDomainCapabilities"] == ["partner.example:AcceptCloudServicesMail"]
    assert row["Banner"] == ""
    assert row["Comment"] == "\u201cquotes\u201d `$(x)`; 'and' \"more\""
    assert (
        receive_connector(site("2019", culture="de-DE"), "Default EX1")["MaxMessageSize"]
        == "36 MB (37.748.736 bytes)"
    )
    assert receive_connector(site("2007"), "Default EX1")["MaxMessageSize"] == "10MB"


def test_lists_come_in_no_order() -> None:
    host = site("2019")
    orders = {tuple(receive_connector(host, FRONTEND)["Bindings"]) for _again in range(40)}
    assert orders == {("0.0.0.0:25", "[::]:25"), ("[::]:25", "0.0.0.0:25")}
    names = {
        row["Name"]
        for row in (
            host.invoke("Get-ReceiveConnector", {"Server": "EX1"})[0] for _again in range(40)
        )
    }
    assert len(names) > 1


def test_a_change_replaces_lists_unless_it_adds_and_removes() -> None:
    host = site("2010")
    default = "EX1\\Default EX1"
    assert (
        change(host, default, RemoteIPRanges=["192.0.2.0/24", "203.0.113.1"])["RemoteIPRanges"]
        != []
    )
    row = change(
        host, default, RemoteIPRanges={"Add": ["203.0.113.2"], "Remove": ["203.0.113.1/32"]}
    )
    assert sorted(row["RemoteIPRanges"]) == ["192.0.2.0/24", "203.0.113.2"]
    row = change(host, default, PermissionGroups="ExchangeUsers")
    assert row["PermissionGroups"] == "ExchangeUsers"
    edited = {"Identity": default, "RemoteIPRanges": {"Add": ["203.0.113.9"]}, **NO}
    assert refusal(site("2007"), "Set-ReceiveConnector", edited).class_name.startswith(
        "ParameterBinding"
    )
    groups = {"Identity": default, "PermissionGroups": {"Add": "AnonymousUsers"}, **NO}
    assert refusal(host, "Set-ReceiveConnector", groups).class_name.startswith("ParameterBinding")


def test_2007_rtm_has_the_scope_in_front_of_the_address_space() -> None:
    host = site("2007-rtm")
    host.invoke("Set-SendConnector", {"Identity": "Internet", "AddressSpaces": ["Local:SMTP:*;1"]})
    assert send(host)["AddressSpaces"] == ["Local:SMTP:*;1"]
    assert read(host).send["internet"]["is_scoped_connector"] is True


def test_domain_controllers_do_not_agree_at_once() -> None:
    host = site("2019")
    host.directory.lag = 60
    at = {"DomainController": "dc1.site.example"}
    host.invoke("Set-ReceiveConnector", {"Identity": FRONTEND, "Comment": "new", **NO, **at})
    fresh = {"Identity": FRONTEND, "DomainController": "dc1"}
    stale = {"Identity": FRONTEND, "DomainController": "dc2"}
    assert host.invoke("Get-ReceiveConnector", fresh)[0]["Comment"] == "new"
    assert host.invoke("Get-ReceiveConnector", stale)[0]["Comment"] == ""
    assert host.invoke("Get-ReceiveConnector", stale)[0]["OriginatingServer"] == "dc2.site.example"
    gone = {"Identity": FRONTEND, "DomainController": "dc9"}
    assert refusal(host, "Get-ReceiveConnector", gone).class_name == "SuitabilityDirectoryException"


def test_a_session_opens_by_the_servers_own_name_and_with_a_right_login_only() -> None:
    host = site("2016")
    host.sessions.accounts = {"SITE\\admin": "right"}
    host.sessions.second_hop = False
    uri = "http://ex1.site.example/PowerShell/"
    good = ("Microsoft.Exchange", uri, "Kerberos", ("site\\ADMIN", "right"))
    for at, bad in (
        (0, "Microsoft.PowerShell"),
        (1, "http://mail.site.example/PowerShell/"),
        (2, "Basic"),
    ):
        with pytest.raises(ExchangeError):
            host.sessions.open(*(bad if index == at else value for index, value in enumerate(good)))  # type: ignore[arg-type]
    for login in (None, ("SITE\\admin", "wrong")):
        with pytest.raises(ExchangeError, match="Access is denied"):
            host.sessions.open(*good[:3], login)
    numbers = [host.sessions.open(*good) for _again in range(18)]
    with pytest.raises(ExchangeError, match="maximum number of 18 concurrent shells"):
        host.sessions.open(*good)
    host.sessions.close(numbers[0])
    host.sessions.open(*good)
    assert host.counters["exchange_shells"] == 19
    for edition in ("2007", "edge"):
        with pytest.raises(ExchangeError, match="no endpoint"):
            site(edition).sessions.open("Microsoft.Exchange", uri, "Kerberos", None)
        with pytest.raises(ExchangeError, match="not installed"):
            site(edition).sessions.add_snapin("Microsoft.Exchange.Management.PowerShell.E2010")


def test_hooks_see_every_cmdlet_and_a_colleague_goes_unseen() -> None:
    host = site("2019")
    seen: list[tuple[str, str]] = []
    host.hooks.append(lambda moment, name, _parameters: seen.append((moment, name)))
    host.invoke("Get-SendConnector", {})
    host.colleague(
        "Set-ReceiveConnector", {"Identity": FRONTEND, "PermissionGroups": "AnonymousUsers"}
    )
    assert seen == [("before", "Get-SendConnector"), ("after", "Get-SendConnector")]
    assert dict(host.counters) == {"reads": 1}
    assert receive_connector(host, FRONTEND)["PermissionGroups"] == "AnonymousUsers"


def test_what_if_writes_nothing() -> None:
    host = site("2019")
    assert host.invoke("New-ReceiveConnector", narrow(WhatIf=True)) == []
    host.invoke("Remove-SendConnector", {"Identity": "Internet", "WhatIf": True, **NO})
    assert len(host.invoke("Get-ReceiveConnector", {})) == 5
    assert len(host.invoke("Get-SendConnector", {})) == 1


def test_an_edge_server_has_a_directory_of_its_own() -> None:
    host = ExchangeHost("EDGE1", "edge", Directory("site.example", ()))
    parameters = narrow()
    del parameters["TransportRole"]
    (row,) = host.invoke(
        "New-ReceiveConnector", {**parameters, "PermissionGroups": "AnonymousUsers"}
    )
    assert row["OriginatingServer"] == "localhost"
    assert row["MessageRateLimit"] == "600"
    assert row["ConnectionInactivityTimeout"] == "00:01:00"
    legacy = {"Identity": "EDGE1\\Filter", "PermissionGroups": "ExchangeLegacyServers", **NO}
    assert refusal(host, "Set-ReceiveConnector", legacy).class_name == "DataValidationException"
    client = {**parameters, "Name": "c", "Custom": False, "Client": True}
    assert refusal(host, "New-ReceiveConnector", client).class_name == "DataValidationException"
