# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's Exchange is never kinder than a real one: what it refuses of connectors and of rights
on them.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange import rights
from ansible_collections.mailedge.lockdown.tests.lab.exchange.defaults import site
from ansible_collections.mailedge.lockdown.tests.support.lab_host import (
    FRONTEND,
    NO,
    change,
    narrow,
    receive_connector,
    refusal,
    send,
)
from ansible_collections.mailedge.lockdown.tests.support.reading import read


@pytest.mark.parametrize(
    ("usage", "groups", "mechanisms", "bindings", "ranges"),
    [
        (
            "Client",
            "ExchangeUsers",
            "Tls, Integrated, BasicAuth, BasicAuthRequireTLS",
            None,
            ["192.0.2.7"],
        ),
        (
            "Internal",
            "ExchangeServers, ExchangeLegacyServers",
            "Tls, ExchangeServer",
            ["192.0.2.25:25"],
            ["192.0.2.7"],
        ),
        ("Internet", "AnonymousUsers", "Tls", ["192.0.2.25:25"], None),
        ("Partner", "Partners", "Tls", ["192.0.2.25:25"], ["192.0.2.7"]),
        ("Custom", "None", "Tls", ["192.0.2.25:25"], ["192.0.2.7"]),
    ],
)
def test_a_usage_sets_groups_and_authentication(
    usage: str, groups: str, mechanisms: str, bindings: list[str] | None, ranges: list[str] | None
) -> None:
    host = site("2010")
    parameters: dict[str, t.Any] = {
        "Name": "x",
        usage: True,
        "Bindings": bindings,
        "RemoteIPRanges": ranges,
    }
    given = {name: value for name, value in parameters.items() if value is not None}
    if usage == "Client":
        host.colleague("Remove-ReceiveConnector", {"Identity": "EX1\\Client EX1"})
    (row,) = host.invoke("New-ReceiveConnector", given)
    assert (row["PermissionGroups"], row["AuthMechanism"]) == (groups, mechanisms)
    assert row["Bindings"] == (bindings or ["0.0.0.0:587"])
    assert row["RemoteIPRanges"] == (ranges or ["0.0.0.0-255.255.255.255"])
    assert "Usage" not in row


def test_the_usage_of_2007_rtm_is_a_parameter() -> None:
    host = site("2007-rtm")
    parameters = {
        "Name": "x",
        "Usage": "Custom",
        "Bindings": ["192.0.2.25:25"],
        "RemoteIPRanges": ["198.51.100.7"],
    }
    host.invoke("New-ReceiveConnector", parameters)
    assert receive_connector(host, "x")["PermissionGroups"] == "None"
    host.invoke("Remove-ReceiveConnector", {"Identity": "EX1\\x"})
    v6 = {**parameters, "RemoteIPRanges": ["2001:db8::/64"]}
    assert refusal(host, "New-ReceiveConnector", v6).class_name == "DataValidationException"


@pytest.mark.parametrize(
    ("change_", "error_id"),
    [
        ({"Custom": None, "Internet": True}, "AmbiguousParameterSet"),
        ({"Internet": True}, "AmbiguousParameterSet"),
        ({"Usage": "Custom"}, "AmbiguousParameterSet"),
        ({"Bindings": None}, "MissingMandatoryParameter"),
        ({"RemoteIPRanges": None}, "MissingMandatoryParameter"),
        ({"Name": None}, "MissingMandatoryParameter"),
        ({"RemoteIPRanges": "198.51.100.9-198.51.100.1"}, "ParameterArgumentTransformationError"),
        ({"RemoteIPRanges": "198.51.100.1-2001:db8::1"}, "ParameterArgumentTransformationError"),
        ({"RemoteIPRanges": "198.51.100.0/33"}, "ParameterArgumentTransformationError"),
        ({"RemoteIPRanges": "198.51.100.0/24,203.0.113.7"}, "ParameterArgumentTransformationError"),
        ({"RemoteIPRanges": ["198.51.100.256"]}, "ParameterArgumentTransformationError"),
        (
            {"RemoteIPRanges": ["198.51.100.0(255.255.255.0)"]},
            "ParameterArgumentTransformationError",
        ),
        ({"Bindings": ["198.51.100.1"]}, "ParameterArgumentTransformationError"),
        ({"Bindings": ["::1:25"]}, "ParameterArgumentTransformationError"),
        ({"Enabled": "false"}, "ParameterArgumentTransformationError"),
        ({"PermissionGroups": "Everybody"}, "ParameterArgumentTransformationError"),
        ({"Fqdn": "two words"}, "ParameterArgumentTransformationError"),
        ({"ConnectionTimeout": "a while"}, "ParameterArgumentTransformationError"),
        ({"MaxMessageSize": "36 apples"}, "ParameterArgumentTransformationError"),
        ({"TlsDomainCapabilities": ["contoso.example"]}, "ParameterArgumentTransformationError"),
    ],
)
def test_parameters_that_cannot_be_bound_are_refused_by_powershell(
    change_: dict[str, t.Any], error_id: str
) -> None:
    host = site("2019")
    given = {name: value for name, value in narrow(**change_).items() if value is not None}
    error = refusal(host, "New-ReceiveConnector", given)
    assert error.fully_qualified_error_id == f"{error_id},New-ReceiveConnector"
    assert error.terminating


@pytest.mark.parametrize(
    "change_",
    [
        {"Name": "x" * 65},
        {"Name": " x"},
        {"Banner": "hello"},
        {"MaxHopCount": 501},
        {"MaxInboundConnectionPerSource": 10001},
        {"MaxInboundConnectionPercentagePerSource": 0},
        {"ConnectionTimeout": "600"},
        {"ConnectionInactivityTimeout": "00:10:00"},
        {"AuthMechanism": "BasicAuthRequireTLS, Tls"},
        {"AuthMechanism": "None, Tls"},
        {"AuthMechanism": "ExternalAuthoritative"},
        {
            "AuthMechanism": "ExternalAuthoritative, Integrated",
            "PermissionGroups": "ExchangeServers",
        },
        {
            "AuthMechanism": "ExternalAuthoritative, Tls",
            "PermissionGroups": "ExchangeServers",
            "DomainSecureEnabled": True,
        },
        {"AuthMechanism": "Integrated", "RequireTLS": True},
        {"AuthMechanism": "Integrated", "DomainSecureEnabled": True},
        {"AuthMechanism": "Tls, ExchangeServer", "Fqdn": "mail.site.example"},
        {"TlsCertificateName": "CN=mail.site.example"},
        {"RemoteIPRanges": []},
        {"Bindings": []},
        {"RemoteIPRanges": ["198.51.100.7", "198.51.100.7/32"]},
    ],
)
def test_a_connector_that_breaks_a_rule_is_refused_and_nothing_is_written(
    change_: dict[str, t.Any],
) -> None:
    host = site("2019")
    error = refusal(host, "New-ReceiveConnector", narrow(**change_))
    assert error.class_name == "DataValidationException"
    assert "FailureCategory=Cmdlet-DataValidationException" in error.fully_qualified_error_id
    assert len(host.invoke("Get-ReceiveConnector", {"Server": "EX1"})) == 5
    host.invoke("New-ReceiveConnector", narrow())
    if "Name" not in change_:
        refusal(host, "Set-ReceiveConnector", {"Identity": "EX1\\Filter", **NO, **change_})


def test_rules_hold_for_what_a_change_leaves_as_well() -> None:
    host = site("2019")
    change(host, FRONTEND, RequireTLS=True)
    error = refusal(
        host, "Set-ReceiveConnector", {"Identity": FRONTEND, "AuthMechanism": "Integrated", **NO}
    )
    assert "requires the authentication mechanism Tls" in error.message


@pytest.mark.parametrize(
    ("ranges", "conflict"),
    [
        (["0.0.0.0-255.255.255.255"], True),
        (["0.0.0.0/0"], True),
        (["198.51.100.0/24"], False),
        (["198.51.100.0/24", "::/0"], True),
        (["2001:db8::/32"], False),
    ],
)
def test_equal_ranges_on_one_binding_conflict_and_nested_ones_do_not(
    ranges: list[str], conflict: bool
) -> None:
    host = site("2019")
    if not conflict:
        host.invoke("New-ReceiveConnector", narrow(RemoteIPRanges=ranges))
        return
    error = refusal(host, "New-ReceiveConnector", narrow(RemoteIPRanges=ranges))
    assert error.class_name == "ConnectorMappingConflictException"
    assert f'conflict with the settings on Receive connector "{FRONTEND}".' in error.message
    host.invoke("New-ReceiveConnector", narrow(RemoteIPRanges=ranges, Bindings=["192.0.2.25:25"]))


def test_ranges_that_overlap_in_part_conflict_even_where_one_connector_is_disabled() -> None:
    host = site("2019")
    host.invoke(
        "New-ReceiveConnector", narrow(RemoteIPRanges=["198.51.100.0-198.51.100.20"], Enabled=False)
    )
    other = narrow("Other", RemoteIPRanges=["198.51.100.10-198.51.100.30"])
    assert (
        refusal(host, "New-ReceiveConnector", other).class_name
        == "ConnectorMappingConflictException"
    )
    other["RemoteIPRanges"] = ["198.51.100.21-198.51.100.30"]
    host.invoke("New-ReceiveConnector", other)
    grown = {"Identity": "EX1\\Other", "RemoteIPRanges": ["198.51.100.20-198.51.100.30"], **NO}
    assert (
        refusal(host, "Set-ReceiveConnector", grown).class_name
        == "ConnectorMappingConflictException"
    )


def test_two_transport_roles_never_share_a_binding() -> None:
    host = site("2013")
    error = refusal(host, "New-ReceiveConnector", narrow(TransportRole="HubTransport"))
    assert error.class_name == "ReceiveConnectorRoleConflictException"
    assert error.message.endswith("must listen on unique local IP address & port bindings.")
    # Without a role a new connector gets the dangerous one.
    unnamed = {name: value for name, value in narrow().items() if name != "TransportRole"}
    assert (
        refusal(host, "New-ReceiveConnector", unnamed).class_name
        == "ReceiveConnectorRoleConflictException"
    )


def test_a_name_that_is_taken_is_refused_also_when_renaming() -> None:
    host = site("2019")
    host.invoke("New-ReceiveConnector", narrow())
    again = narrow("filter", RemoteIPRanges=["203.0.113.0/24"])
    assert (
        refusal(host, "New-ReceiveConnector", again).class_name == "ADObjectAlreadyExistsException"
    )
    rename = {"Identity": "EX1\\Filter", "Name": "Default EX1", **NO}
    assert (
        refusal(host, "Set-ReceiveConnector", rename).class_name == "ADObjectAlreadyExistsException"
    )
    host.invoke("Set-ReceiveConnector", {**rename, "Name": "Filter, Inc."})
    assert receive_connector(host, "Filter, Inc.")["DistinguishedName"].startswith(
        "CN=Filter\\, Inc.,CN=SMTP Receive Connectors,"
    )
    space = {"Name": "internet", "AddressSpaces": "*"}
    assert refusal(host, "New-SendConnector", space).class_name == "ADObjectAlreadyExistsException"


def test_a_right_beyond_the_groups_shows_as_custom_and_is_an_open_relay() -> None:
    host = site("2019")
    host.invoke("New-ReceiveConnector", narrow(PermissionGroups="AnonymousUsers"))
    identity = receive_connector(host, "Filter")["DistinguishedName"]
    right = {
        "Identity": identity,
        "User": rights.ANONYMOUS,
        "ExtendedRights": ["ms-exch-smtp-accept-any-recipient"],
        **NO,
    }
    host.invoke("Add-ADPermission", right)
    assert receive_connector(host, "Filter")["PermissionGroups"] == "AnonymousUsers, Custom"
    assert read(host).receive["filter"]["anonymous_relay"] is True
    entries = host.invoke("Get-ADPermission", {"Identity": identity, "User": rights.ANONYMOUS})
    assert [rights.ANY_RECIPIENT] in [row["ExtendedRights"] for row in entries]
    assert {str(row["Deny"]) for row in entries} == {"False"}
    # What belongs to no group stays when the groups change.
    assert change(host, "EX1\\Filter", PermissionGroups="None")["PermissionGroups"] == "Custom"
    host.invoke("Remove-ADPermission", right)
    host.invoke("Remove-ADPermission", right)
    assert receive_connector(host, "Filter")["PermissionGroups"] == "None"


@pytest.mark.parametrize(
    "change_",
    [
        {"User": "S-1-5-7"},
        {"User": "SITE\\nobody"},
        {"ExtendedRights": "ms-Exch-Everything"},
        {"ExtendedRights": []},
        {"Identity": FRONTEND},
        {"Identity": "CN=nope"},
    ],
)
def test_rights_of_unknown_accounts_names_and_objects_are_refused(
    change_: dict[str, t.Any],
) -> None:
    host = site("2019")
    identity = receive_connector(host, FRONTEND)["DistinguishedName"]
    given = {
        "Identity": identity,
        "User": rights.ANONYMOUS,
        "ExtendedRights": rights.ANY_RECIPIENT,
        **NO,
        **change_,
    }
    assert (
        refusal(host, "Add-ADPermission", given).class_name == "ManagementObjectNotFoundException"
    )


def test_an_account_has_its_name_in_the_language_of_the_server() -> None:
    host = site("2016", anonymous_account="NT-AUTORITÄT\\ANONYMOUS-ANMELDUNG")
    identity = receive_connector(host, FRONTEND)["DistinguishedName"]
    given = {
        "Identity": identity,
        "User": rights.ANONYMOUS,
        "ExtendedRights": rights.ANY_RECIPIENT,
        **NO,
    }
    refusal(host, "Add-ADPermission", given)
    host.invoke("Add-ADPermission", {**given, "User": host.facts()["anonymous_account"]})
    assert read(host).receive["default frontend ex1"]["anonymous_relay"] is True


@pytest.mark.parametrize(
    ("parameters", "class_name"),
    [
        ({"AddressSpaces": "*contoso.example"}, "ParameterBindingArgumentTransformationException"),
        ({"AddressSpaces": "SMTP:*;101"}, "ParameterBindingArgumentTransformationException"),
        ({"AddressSpaces": "Local:SMTP:*;1"}, "ParameterBindingArgumentTransformationException"),
        ({"AddressSpaces": "X400:c=US;a=x;p=y"}, "ParameterBindingArgumentTransformationException"),
        ({"AddressSpaces": []}, "DataValidationException"),
        ({"AddressSpaces": "FAX:*;1"}, "DataValidationException"),
        ({"SmartHosts": "smart.example"}, "DataValidationException"),
        ({"SmartHosts": "smart.example", "DNSRoutingEnabled": True}, "DataValidationException"),
        ({"DNSRoutingEnabled": False}, "DataValidationException"),
        (
            {"SmartHosts": "two words", "DNSRoutingEnabled": False},
            "ParameterBindingArgumentTransformationException",
        ),
        (
            {"SmartHosts": "10.0.0", "DNSRoutingEnabled": False},
            "ParameterBindingArgumentTransformationException",
        ),
        (
            {
                "SmartHosts": "smart.example",
                "DNSRoutingEnabled": False,
                "SmartHostAuthMechanism": "BasicAuth",
            },
            "DataValidationException",
        ),
        ({"RequireTLS": True, "IgnoreSTARTTLS": True}, "DataValidationException"),
        ({"TlsAuthLevel": "EncryptionOnly"}, "DataValidationException"),
        (
            {"RequireTLS": True, "TlsAuthLevel": "EncryptionOnly", "TlsDomain": "a.example"},
            "DataValidationException",
        ),
        (
            {
                "RequireTLS": True,
                "TlsAuthLevel": "DomainValidation",
                "SmartHosts": "a.example",
                "DNSRoutingEnabled": False,
            },
            "DataValidationException",
        ),
        ({"AuthenticationCredential": "me"}, "ParameterBindingArgumentTransformationException"),
        ({"Port": 65536}, "DataValidationException"),
        ({"Fqdn": ""}, "ParameterBindingArgumentTransformationException"),
    ],
)
def test_a_send_connector_that_breaks_a_rule_is_refused(
    parameters: dict[str, t.Any], class_name: str
) -> None:
    host = site("2019")
    error = refusal(host, "New-SendConnector", {"Name": "Out", "AddressSpaces": "*", **parameters})
    assert error.class_name == class_name
    assert (
        refusal(host, "Set-SendConnector", {"Identity": "Internet", **NO, **parameters}).class_name
        == class_name
    )
    assert len(host.invoke("Get-SendConnector", {})) == 1


def test_a_send_connector_to_smart_hosts_is_made_changed_and_turned_back() -> None:
    host = site("2019")
    login = ("relay-user", "canary")
    hosts = {"SmartHosts": ["smart.example", "192.0.2.77"], "DNSRoutingEnabled": False}
    (row,) = host.invoke(
        "New-SendConnector",
        {
            "Name": "Out",
            "AddressSpaces": ["contoso.example", "SMTP:*;5"],
            "Custom": True,
            "Enabled": False,
            "SmartHostAuthMechanism": "BasicAuth",
            "AuthenticationCredential": login,
            "MaxMessageSize": "1500000",
            **hosts,
        },
    )
    assert sorted(row["AddressSpaces"]) == ["SMTP:*;5", "SMTP:contoso.example;1"]
    assert sorted(row["SmartHosts"]) == ["[192.0.2.77]", "smart.example"]
    assert row["Enabled"] is False
    assert row["MaxMessageSize"].endswith("(1,500,160 bytes)")
    assert row["AuthenticationCredential"].fields == {"UserName": "relay-user"}
    assert "canary" not in repr(host.invoke("Get-SendConnector", {}))
    half = {"Identity": "Out", "SmartHosts": ["other.example"], **NO}
    assert "same command line" in refusal(host, "Set-SendConnector", half).message
    back = {
        "SmartHosts": None,
        "DNSRoutingEnabled": True,
        "SmartHostAuthMechanism": "None",
        "AuthenticationCredential": None,
    }
    host.invoke("Set-SendConnector", {"Identity": "Out", **NO, **back})
    assert (send(host, "Out")["SmartHosts"], send(host, "Out")["AuthenticationCredential"]) == (
        [],
        None,
    )


def test_a_binding_to_a_foreign_address_is_taken_and_noted() -> None:
    host = site("2019")
    host.invoke("New-ReceiveConnector", narrow(Bindings=["192.0.2.99:25", "192.0.2.25:25"]))
    assert host.foreign_bindings() == ["192.0.2.99:25"]
