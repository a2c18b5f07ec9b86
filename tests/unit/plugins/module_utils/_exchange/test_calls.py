# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls: what is sent for a change, for each version, and what never is."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import calls
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import Server, State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.values import Login
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import Resource
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Change,
)

CONTAINER = "CN=SMTP Receive Connectors,CN=Protocols,CN=EX1,CN=Servers,DC=birke,DC=example"
RIGHT = "ms-Exch-SMTP-Accept-Any-Recipient"


def state(version: Version = Version.E2019, edge: bool = False, send: t.Any = None) -> State:
    return State(
        Server(
            "EX1",
            "ex1.birke.example",
            version,
            "",
            edge=edge,
            anonymous_account=r"NT-AUTORITÄT\ANONYMOUS-ANMELDUNG",
        ),
        receive={"default, ex1": {"name": "Default, EX1"}},
        send=send or {},
        domain_controller=None if edge else "dc1.birke.example",
        identities={"default, ex1": rf"CN=Default\, EX1,{CONTAINER}"},
    )


def sent(table: Resource, where: State, action: str, **options: t.Any) -> list[dict[str, t.Any]]:
    after = {option: table.properties[option].parse(value) for option, value in options.items()}
    return calls.change_calls(
        Change(table.name, Action(action), "Mail from filter", {}, after),
        where,
        credential=lambda *login: login,
    )


RANGES = {
    "remote_ip_ranges": ["198.51.100.0/24", "198.51.100.7", "2001:db8::/48"],
    "bindings": ["0.0.0.0:25"],
}


def test_a_new_receive_connector_has_its_ranges_in_the_first_call() -> None:
    (step,) = sent(
        RECEIVE,
        state(),
        "create",
        **RANGES,
        permission_groups=["AnonymousUsers"],
        auth_mechanism=["Tls"],
    )
    assert step["cmdlet"] == "New-ReceiveConnector"
    assert step["parameters"] == {
        "Name": "Mail from filter",
        "Enabled": True,
        "Server": "EX1",
        "Custom": True,
        "TransportRole": "FrontendTransport",
        "RemoteIPRanges": ["198.51.100.0/24", "198.51.100.7", "2001:db8::/48"],
        "Bindings": ["0.0.0.0:25"],
        "PermissionGroups": "AnonymousUsers",
        "AuthMechanism": "Tls",
        "Confirm": False,
        "DomainController": "dc1.birke.example",
    }


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("edge", [False, True], ids=["hub", "edge"])
def test_each_version_gets_what_it_knows_and_nothing_else(version: Version, edge: bool) -> None:
    (step,) = sent(RECEIVE, state(version, edge), "create", **RANGES)
    given = set(step["parameters"]) - {"Name", "RemoteIPRanges", "Bindings"}
    expected = {"Enabled", *({"Usage"} if version is Version.E2007RTM else {"Custom", "Confirm"})}
    if not edge:
        expected |= {"Server", "DomainController"}
        if version >= Version.E2013:
            expected |= {"TransportRole"}
    assert given == expected
    (step,) = sent(SEND, state(version, edge), "remove")
    assert set(step["parameters"]) - {"Identity", "DomainController"} == (
        set() if version is Version.E2007RTM else {"Confirm"}
    )


def test_the_first_release_of_2007_is_told_the_usage_by_name() -> None:
    (step,) = sent(RECEIVE, state(Version.E2007RTM), "create", **RANGES, usage="Partner")
    assert step["parameters"]["Usage"] == "Partner"


def test_a_transport_role_that_was_named_is_kept() -> None:
    (step,) = sent(RECEIVE, state(), "create", **RANGES, transport_role="HubTransport")
    assert step["parameters"]["TransportRole"] == "HubTransport"


def test_an_internet_connector_is_not_told_its_ranges() -> None:
    (step,) = sent(
        RECEIVE,
        state(),
        "create",
        bindings=["0.0.0.0:25"],
        remote_ip_ranges=["0.0.0.0-255.255.255.255"],
        usage="Internet",
    )
    assert step["parameters"]["Internet"] is True
    assert "RemoteIPRanges" not in step["parameters"]


def test_what_only_set_takes_comes_in_a_second_call() -> None:
    new, later = sent(RECEIVE, state(), "create", **RANGES, smtp_utf8_enabled=False, enabled=False)
    assert new["parameters"]["Enabled"] is False
    assert "SmtpUtf8Enabled" not in new["parameters"]
    assert (later["id"], later["cmdlet"]) == ("change-set", "Set-ReceiveConnector")
    assert later["parameters"] == {
        "Identity": r"EX1\Mail from filter",
        "SmtpUtf8Enabled": False,
        "Confirm": False,
        "DomainController": "dc1.birke.example",
    }


def test_what_is_unset_is_left_out_of_a_new_connector_and_taken_from_an_old_one() -> None:
    (new,) = sent(RECEIVE, state(), "create", **RANGES, banner="", tls_domain_capabilities=[])
    assert not {"Banner", "TlsDomainCapabilities"} & set(new["parameters"])
    (old,) = sent(
        RECEIVE, state(), "modify", banner="", tls_domain_capabilities=[], permission_groups=[]
    )
    assert old["cmdlet"] == "Set-ReceiveConnector"
    assert old["parameters"]["Banner"] is None
    assert old["parameters"]["TlsDomainCapabilities"] is None
    assert old["parameters"]["PermissionGroups"] == "None"


def test_receive_connectors_are_named_with_their_server_and_send_connectors_are_not() -> None:
    assert sent(RECEIVE, state(), "remove")[0]["parameters"]["Identity"] == r"EX1\Mail from filter"
    assert sent(SEND, state(), "modify", port=26)[0]["parameters"]["Identity"] == "Mail from filter"


def test_the_right_to_relay_is_given_on_the_connector_that_was_just_made() -> None:
    new, right = sent(RECEIVE, state(), "create", **RANGES, anonymous_relay=True)
    assert new["select"] == ["DistinguishedName"]
    assert right["cmdlet"] == "Add-ADPermission"
    assert right["each"] == {
        "step": new["id"],
        "property": "DistinguishedName",
        "parameter": "Identity",
    }
    assert right["parameters"] == {
        "User": r"NT-AUTORITÄT\ANONYMOUS-ANMELDUNG",
        "ExtendedRights": [RIGHT],
        "Confirm": False,
        "DomainController": "dc1.birke.example",
    }


def test_a_new_connector_that_must_not_relay_needs_no_call_for_it() -> None:
    assert len(sent(RECEIVE, state(), "create", **RANGES, anonymous_relay=False)) == 1


def test_the_right_to_relay_is_taken_by_the_distinguished_name() -> None:
    after = {"anonymous_relay": False}
    (step,) = calls.change_calls(
        Change(RECEIVE.name, Action.MODIFY, "DEFAULT, EX1", {}, after), state()
    )
    assert step["cmdlet"] == "Remove-ADPermission"
    assert step["parameters"]["Identity"] == rf"CN=Default\, EX1,{CONTAINER}"
    assert (
        "Confirm"
        not in sent(RECEIVE, state(Version.E2007RTM), "modify", anonymous_relay=False)[0][
            "parameters"
        ]
    )


def test_the_distinguished_name_of_a_younger_connector_is_made_beside_the_others() -> None:
    assert (
        calls.distinguished_name('#1 "a+b", c\\d ', state())
        == rf"CN=\#1 \"a\+b\"\, c\\d\ ,{CONTAINER}"
    )
    with pytest.raises(calls.CallError, match="'Birke' is not known"):
        calls.distinguished_name("Birke", dataclasses.replace(state(), identities={}))


SMART: dict[str, t.Any] = {
    "mail from filter": {
        "name": "Mail from filter",
        "smart_hosts": frozenset({"out.filter.example"}),
        "dns_routing_enabled": False,
    }
}


def test_smart_hosts_and_dns_routing_share_a_command_line() -> None:
    (new,) = sent(
        SEND,
        state(),
        "create",
        address_spaces=["*"],
        smart_hosts=["out.filter.example"],
        dns_routing_enabled=False,
    )
    assert new["parameters"]["SmartHosts"] == ["out.filter.example"]
    assert new["parameters"]["DNSRoutingEnabled"] is False
    (step,) = sent(SEND, state(send=SMART), "modify", smart_hosts=["192.0.2.7"])
    assert step["parameters"]["SmartHosts"] == ["192.0.2.7"]
    assert step["parameters"]["DNSRoutingEnabled"] is False
    (back,) = sent(SEND, state(send=SMART), "modify", smart_hosts=[], dns_routing_enabled=True)
    assert back["parameters"]["SmartHosts"] is None
    assert back["parameters"]["DNSRoutingEnabled"] is True


def test_a_new_send_connector_is_told_no_server_by_the_parameter_of_the_other_cmdlet() -> None:
    (step,) = sent(
        SEND,
        state(),
        "create",
        address_spaces=["*"],
        source_transport_servers=["EX1"],
        enabled=False,
    )
    assert step["parameters"] == {
        "Name": "Mail from filter",
        "AddressSpaces": ["SMTP:*;1"],
        "SourceTransportServers": ["ex1"],
        "Enabled": False,
        "Confirm": False,
        "DomainController": "dc1.birke.example",
    }


def test_a_scope_is_a_parameter_or_stands_in_front_of_the_spaces() -> None:
    (step,) = sent(SEND, state(), "create", address_spaces=["*"], is_scoped_connector=True)
    assert (step["parameters"]["AddressSpaces"], step["parameters"]["IsScopedConnector"]) == (
        ["SMTP:*;1"],
        True,
    )
    (step,) = sent(
        SEND, state(Version.E2007RTM), "create", address_spaces=["*"], is_scoped_connector=True
    )
    assert step["parameters"]["AddressSpaces"] == ["Local:SMTP:*;1"]
    assert "IsScopedConnector" not in step["parameters"]
    spaces = SEND.properties["address_spaces"].parse(["*"])
    old = {
        "mail from filter": {
            "name": "Mail from filter",
            "address_spaces": spaces,
            "is_scoped_connector": True,
        }
    }
    (step,) = sent(SEND, state(Version.E2007RTM, send=old), "modify", is_scoped_connector=False)
    assert step["parameters"]["AddressSpaces"] == ["SMTP:*;1"]


def test_a_login_is_handed_over_as_a_credential_or_taken_away() -> None:
    login = {"username": "site", "password": "canary"}
    (step,) = sent(SEND, state(), "modify", authentication_credential=login)
    assert step["parameters"]["AuthenticationCredential"] == ("site", "canary")
    (step,) = sent(SEND, state(), "modify", authentication_credential="")
    assert step["parameters"]["AuthenticationCredential"] is None


@pytest.mark.parametrize("login", [Login("site"), Login("site", "canary")])
def test_a_login_that_cannot_be_written_is_an_error_without_its_password(login: Login) -> None:
    with pytest.raises(calls.CallError, match="password") as caught:
        calls.change_calls(
            Change(SEND.name, Action.MODIFY, "Birke", {}, {"authentication_credential": login}),
            state(),
        )
    assert "canary" not in str(caught.value)


def test_texts_go_out_as_they_are() -> None:
    wild = "a'b\"c`$(Get-Process)\u2019;\u201c&|\n\té"
    (step,) = sent(RECEIVE, state(), "modify", comment=wild)
    assert step["parameters"]["Comment"] == wild


def test_everything_is_read_in_one_go_by_server_and_never_by_identity() -> None:
    steps = {step["id"]: step for step in calls.read_steps("EX1", "dc1.birke.example")}
    assert list(steps) == ["receive", "rights", "send", "accepted-domains", "commands"]
    assert [step_id for ids in calls.DIGESTS.values() for step_id in ids] == list(steps)[:3]
    assert steps["receive"]["parameters"] == {
        "Server": "EX1",
        "DomainController": "dc1.birke.example",
    }
    assert steps["send"]["parameters"] == {"DomainController": "dc1.birke.example"}
    assert steps["rights"]["each"]["step"] == "receive"
    assert steps["accepted-domains"]["parameters"] == {"DomainController": "dc1.birke.example"}
    assert steps["commands"]["optional"] is steps["accepted-domains"]["optional"] is True
    assert {"Name", "DistinguishedName", "OriginatingServer", "RemoteIPRanges"} <= set(
        steps["receive"]["select"]
    )
    assert "Usage" not in steps["receive"]["select"]
    assert "" not in steps["receive"]["select"]


def test_a_second_reading_has_ids_of_its_own_and_runs_after_a_failure() -> None:
    steps = calls.read_steps("EX1", prefix="after.", always=True, commands=False)
    assert [step["id"] for step in steps] == [
        "after.receive",
        "after.rights",
        "after.send",
        "after.accepted-domains",
    ]
    assert all(step["always"] for step in steps)
    assert steps[1]["each"]["step"] == "after.receive"
    assert steps[0]["parameters"] == {"Server": "EX1"}


def test_rows_are_those_of_the_steps_that_went_well() -> None:
    answer = {
        "receive": {"ok": True, "objects": [{"Name": "a"}]},
        "after.receive": {"ok": True, "objects": [{"Name": "b"}]},
        "after.send": {"ok": False, "error": {}},
    }
    assert calls.rows(answer)["receive"] == [{"Name": "a"}]
    assert calls.rows(answer, "after.") == {"receive": [{"Name": "b"}]}
