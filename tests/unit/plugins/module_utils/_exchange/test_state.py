# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State: what the agent's answer means."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import rights
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import (
    StateError,
    read_server,
    read_state,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.values import Login
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import parse_address

FIXTURES = os.environ.get("MAILEDGE_FIXTURES")
DN = "CN=Birke,CN=SMTP Receive Connectors,CN=EX1"
ANY = "ms-Exch-SMTP-Accept-Any-Recipient"
GERMAN = r"NT-AUTORITÄT\ANONYMOUS-ANMELDUNG"


def host(major: int = 15, minor: int = 2, build: int = 1748, **more: t.Any) -> dict[str, t.Any]:
    return {
        "name": "EX1",
        "fqdn": "ex1.birke.example",
        "exchange": {"major": major, "minor": minor, "build": build, "revision": 49},
        "edge": False,
        "roles": ["Mailbox"],
        "addresses": ["192.0.2.5", "fe80::1", "nonsense"],
        "anonymous_account": GERMAN,
        "culture": "de-DE",
        **more,
    }


def row(name: str = "Birke", **more: t.Any) -> dict[str, t.Any]:
    return {
        "Name": name,
        "Identity": f"EX1\\{name}",
        "Server": "EX1",
        "DistinguishedName": DN.replace("Birke", name),
        "OriginatingServer": "dc1.birke.example",
        "RemoteIPRanges": ["192.0.2.0/24"],
        **more,
    }


def right(
    user: str = GERMAN,
    deny: t.Any = False,
    inherited: t.Any = False,
    rights: t.Any = (ANY,),
    each: str = DN,
    access: t.Any = (),
) -> dict[str, t.Any]:
    return {
        "User": user,
        "ExtendedRights": list(rights),
        "AccessRights": access,
        "Deny": deny,
        "IsInherited": inherited,
        "_each": each,
    }


def test_the_server_is_what_its_facts_say() -> None:
    server = read_server(host())
    assert (server.name, server.fqdn, server.version, server.build) == (
        "EX1",
        "ex1.birke.example",
        Version.E2019,
        "15.2.1748.49",
    )
    assert server.addresses == (parse_address("192.0.2.5"), parse_address("fe80::1"))
    assert server.language == "de-DE"
    assert server.note is None
    assert read_server(host(16, 0, 1)).note is not None


@pytest.mark.parametrize("facts", [host(exchange=None), host(6, 5, 7638)])
def test_a_server_without_a_known_exchange_is_refused(facts: dict[str, t.Any]) -> None:
    with pytest.raises(StateError, match=r"Nothing was changed\."):
        read_server(facts)


def test_connectors_are_found_by_name_whatever_its_case() -> None:
    state = read_state(host(), {"receive": [row("Straße")], "send": [], "rights": []})
    connector = state.receive["strasse"]
    assert (connector["name"], connector["server"], connector["anonymous_relay"]) == (
        "Straße",
        "EX1",
        False,
    )
    assert state.domain_controller == "dc1.birke.example"
    assert state.identities["strasse"] == DN.replace("Birke", "Straße")


@pytest.mark.parametrize(
    "owner",
    [
        {"Server": "EX2"},
        {"Server": "birke.example/Configuration/Servers/EX2"},
        {"Server": None, "Identity": r"EX2\Birke"},
    ],
)
def test_connectors_of_other_servers_are_left_alone(owner: dict[str, t.Any]) -> None:
    state = read_state(host(), {"receive": [row(**owner), row("Mine")], "send": []})
    assert list(state.receive) == ["mine"]


@pytest.mark.parametrize(
    "owner", ["ex1", "EX1.birke.example", "birke.example/Servers/EX1", "", None]
)
def test_the_own_server_is_known_in_every_form(owner: str | None) -> None:
    assert "birke" in read_state(host(), {"receive": [row(Server=owner)]}).receive


@pytest.mark.parametrize(
    ("entries", "relay"),
    [
        ([], False),
        ([right()], True),
        ([right(user=r"nt authority\anonymous logon")], True),
        ([right(user="S-1-5-7")], True),
        ([right(inherited=True)], True),
        ([right(deny="False", inherited="False")], True),
        ([right(rights=["ms-Exch-SMTP-Submit", ANY.lower()])], True),
        ([right(user=r"BIRKE\Scanner")], False),
        ([right(rights=["ms-Exch-SMTP-Submit"])], False),
        ([right(), right(deny=True)], False),
        ([right(deny="True"), right()], False),
        ([right(), right(deny=True, inherited=True)], True),
        ([right(inherited=True), right(deny=True, inherited=True)], False),
        ([right(inherited=True), right(deny=True)], False),
        ([right(each=DN.replace("Birke", "Other"))], False),
        # Everyone is anybody, in the language of the server; Authenticated Users is not.
        ([right(user="Jeder")], True),
        ([right(user="Everyone")], True),
        ([right(user="S-1-1-0")], True),
        ([right(user=r"NT-AUTORITÄT\Authentifizierte Benutzer")], False),
        ([right(user="Jeder"), right(deny=True)], False),
        # Without a list an entry is for all extended rights, if it is for any.
        ([right(rights=[], access=["ExtendedRight"])], True),
        ([right(rights=[], access="ReadProperty, ExtendedRight")], True),
        ([right(rights=[], access=["GenericAll"], inherited=True)], True),
        ([right(rights=[], access=["ReadProperty"])], False),
        ([right(rights=[])], False),
        ([right(rights=["ms-Exch-SMTP-Submit"], access=["ExtendedRight"])], False),
        ([right(), right(rights=[], access=["GenericAll"], deny=True)], False),
        ([right(rights=[], access=["GenericAll"]), right(deny=True, inherited=True)], True),
    ],
)
def test_an_anonymous_relay_is_seen_by_the_rights(
    entries: list[dict[str, t.Any]], relay: bool
) -> None:
    state = read_state(
        host(everyone_account="Jeder"), {"receive": [row()], "send": [], "rights": entries}
    )
    assert (ANY in rights.held(state.receive["birke"])) is relay


def test_what_can_be_taken_away_is_told_from_what_stays() -> None:
    entries = [
        right(rights=["ms-Exch-SMTP-Submit"]),
        right(user="Everyone", rights=[ANY.lower(), "Receive-As"]),
        right(rights=["ms-Exch-SMTP-Accept-Any-Sender"], inherited=True),
        right(rights=[ANY], inherited=True),
        right(user="Everyone", rights=[], access=["GenericAll"]),
    ]
    birke = read_state(host(), {"receive": [row()], "send": [], "rights": entries}).receive["birke"]
    assert birke["anonymous_rights"] == {"anonymous:ms-Exch-SMTP-Submit", f"everyone:{ANY}"}
    assert birke["anonymous_relay"] is False
    assert birke["fixed_rights"] == {ANY, "ms-Exch-SMTP-Submit"}
    assert rights.fixed_entries(birke) == (
        "all rights of Everyone",
        rf"{ANY} of NT AUTHORITY\ANONYMOUS LOGON, inherited",
    )


def test_the_rights_of_a_group_are_those_of_the_group() -> None:
    preset = [right(rights=[name]) for name in rights.PRESET]
    whole = row(PermissionGroups="AnonymousUsers")
    assert not read_state(host(), {"receive": [whole], "send": [], "rights": preset}).receive[
        "birke"
    ]["anonymous_rights"]
    lacking = [
        connector for connector in preset if "Authoritative" not in connector["ExtendedRights"][0]
    ]
    hardened = row(PermissionGroups="Custom")
    birke = read_state(host(), {"receive": [hardened], "send": [], "rights": lacking}).receive[
        "birke"
    ]
    assert birke["anonymous_rights"] == {
        f"anonymous:{connector['ExtendedRights'][0]}" for connector in lacking
    }
    assert "ms-Exch-SMTP-Submit" in rights.held(birke)


def test_rights_that_were_not_read_are_not_known() -> None:
    assert "anonymous_relay" not in read_state(host(), {"receive": [row()]}).receive["birke"]


def test_properties_of_other_versions_are_not_there() -> None:
    rows = [row(TransportRole=None, AuthTarpitInterval=None, Banner="")]
    old = read_state(host(8, 3, 517), {"receive": rows}).receive["birke"]
    assert "transport_role" not in old
    assert "auth_tarpit_interval" not in old
    assert old["banner"] is None


def send(**more: t.Any) -> dict[str, t.Any]:
    return {"Name": "Internet", "AddressSpaces": ["SMTP:*;1"], **more}


@pytest.mark.parametrize(
    ("shown", "login"),
    [
        ({"AuthenticationCredential": None, "AuthenticationCredential.UserName": None}, None),
        ({"AuthenticationCredential": "System.Management.Automation.PSCredential"}, Login("")),
        (
            {
                "AuthenticationCredential": "x.PSCredential",
                "AuthenticationCredential.UserName": "site",
            },
            Login("site"),
        ),
    ],
)
def test_a_login_is_known_by_its_user_name(shown: dict[str, t.Any], login: Login | None) -> None:
    connector = read_state(host(), {"send": [send(**shown)]}).send["internet"]
    assert connector["authentication_credential"] == login


@pytest.mark.parametrize(("spaces", "scoped"), [(["Local:SMTP:*;1"], True), (["SMTP:*;1"], False)])
def test_the_first_release_of_2007_has_its_scope_in_the_spaces(
    spaces: list[str], scoped: bool
) -> None:
    connector = read_state(host(8, 0, 685), {"send": [send(AddressSpaces=spaces)]}).send["internet"]
    assert connector["is_scoped_connector"] is scoped
    assert {str(space) for space in connector["address_spaces"]} == {"SMTP:*;1"}


def test_an_edge_server_has_no_domain_controller() -> None:
    assert read_state(host(edge=True), {"receive": [row()]}).domain_controller is None


def test_parameters_are_those_of_real_cmdlets() -> None:
    commands: list[dict[str, t.Any]] = [
        {"Name": "Set-SendConnector", "Parameters.Keys": ["Identity", "Port"]},
        {"Name": "New-SendConnector", "Parameters.Keys": ["rest", "Verbose"]},
        {"Name": "Get-SendConnector", "Parameters.Keys": None},
    ]
    assert read_state(host(), {"commands": commands}).supported == {
        "Set-SendConnector": frozenset({"Identity", "Port"})
    }
    assert read_state(host(), {"commands": commands[1:]}).supported is None


@pytest.mark.skipif(
    not FIXTURES, reason="MAILEDGE_FIXTURES names no folder with the dump of a real server"
)
def test_a_real_server_is_read_whole() -> None:
    receive, sending = (
        json.loads(
            pathlib.Path(str(FIXTURES), f"exchange2019_{kind}_connectors.json").read_text(
                encoding="utf-8"
            )
        )
        for kind in ("receive", "send")
    )
    name = receive[0]["Server"]
    state = read_state(host(name=name), {"receive": receive, "send": sending, "rights": []})
    assert len(state.receive) == 5
    assert set(state.identities) == set(state.receive)
    assert list(state.send) == ["mail to o365"]
    assert state.domain_controller == receive[0]["OriginatingServer"]
