# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of receive and send connectors: names, versions, and the real dump read by them."""

from __future__ import annotations

import json
import os
import pathlib
import re
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import (
    RECEIVE,
    USAGES,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import (
    new_connector as new_receive,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.rules import (
    check_connector,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import (
    new_connector as new_send,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.values import AddressSpace
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import (
    Version,
    VersionError,
    Where,
    detect,
    unknown_note,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    parse_endpoint,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import (
    OptionError,
    Resource,
    resolve,
)

FIXTURES = os.environ.get("MAILEDGE_FIXTURES")
real_dump = pytest.mark.skipif(
    not FIXTURES, reason="MAILEDGE_FIXTURES names no folder with the dump of a real server"
)

# Words of parameters that are not split where their capitals change.
_WORDS = ("STARTTLS", "GSSAPI", "EHLO", "HELO", "DNS", "TLS", "IP", "Utf8", "X")


def dump(name: str) -> list[dict[str, t.Any]]:
    rows: list[dict[str, t.Any]] = json.loads(
        pathlib.Path(str(FIXTURES), name).read_text(encoding="utf-8")
    )
    return rows


def snake(parameter: str) -> str:
    """The rule by which options get their names, written down a second time."""
    words = re.findall("|".join((*_WORDS, "[A-Z][a-z0-9]+")), parameter)
    assert "".join(words) == parameter
    return "_".join(words).lower()


@pytest.mark.parametrize("table", [RECEIVE, SEND], ids=lambda table: table.name)
def test_options_are_named_after_their_parameters(table: Resource) -> None:
    named = {prop.option: prop.parameter for prop in table.properties.values() if prop.parameter}
    assert named == {snake(parameter): parameter for parameter in named.values()}


@pytest.mark.parametrize("table", [RECEIVE, SEND], ids=lambda table: table.name)
def test_every_kind_has_a_value_for_unset(table: Resource) -> None:
    for prop in table.properties.values():
        unset = prop.parse("")
        assert not unset
        assert resolve(prop, unset, None) == unset


def test_verbs_are_cmdlets() -> None:
    assert dict(RECEIVE.verbs) == {
        "get": "Get-ReceiveConnector",
        "new": "New-ReceiveConnector",
        "set": "Set-ReceiveConnector",
        "remove": "Remove-ReceiveConnector",
    }
    assert SEND.verbs["new"] == "New-SendConnector"


@pytest.mark.parametrize(
    ("table", "option", "versions"),
    [
        (RECEIVE, "enable_auth_gssapi", ["E2007", "E2010", "E2013", "E2016", "E2019", "SE"]),
        (RECEIVE, "tls_domain_capabilities", ["E2010", "E2013", "E2016", "E2019", "SE"]),
        (RECEIVE, "transport_role", ["E2013", "E2016", "E2019", "SE"]),
        (RECEIVE, "auth_tarpit_interval", ["E2016", "E2019", "SE"]),
        (SEND, "tls_auth_level", ["E2010", "E2013", "E2016", "E2019", "SE"]),
        (SEND, "frontend_proxy_enabled", ["E2013", "E2016", "E2019", "SE"]),
        (SEND, "connector_type", ["E2016", "E2019", "SE"]),
        (SEND, "source_ip_address", []),
    ],
)
def test_properties_exist_on_their_versions(
    table: Resource, option: str, versions: list[str]
) -> None:
    prop = table.properties[option]
    assert [version.name for version in Version if prop.exists(version)] == versions


def test_edge_servers_have_other_properties() -> None:
    on_edge = {
        prop.option for table in (RECEIVE, SEND) for prop in table.here(Version.E2019, edge=True)
    }
    elsewhere = {prop.option for table in (RECEIVE, SEND) for prop in table.here(Version.E2019)}
    assert elsewhere - on_edge == {"transport_role", "source_transport_servers"}
    assert on_edge - elsewhere == {"source_ip_address"}


@pytest.mark.parametrize(
    ("build", "version", "label"),
    [
        ((8, 0, 685, 24), Version.E2007RTM, "Exchange 2007 RTM"),
        ((8, 3, 517, 0), Version.E2007, "Exchange 2007 SP1 to SP3"),
        ((14, 3, 513, 0), Version.E2010, "Exchange 2010"),
        ((15, 0, 1497, 48), Version.E2013, "Exchange 2013"),
        ((15, 1, 2507, 72), Version.E2016, "Exchange 2016"),
        ((15, 2, 1748, 49), Version.E2019, "Exchange 2019"),
        ((15, 2, 2562, 46), Version.SE, "Exchange SE"),
    ],
)
def test_builds_tell_versions(
    build: tuple[int, int, int, int], version: Version, label: str
) -> None:
    assert detect(*build) is version
    assert str(version) == f"{version}" == version.label == label
    assert unknown_note(*build) is None


def test_a_newer_build_counts_as_the_newest_version_and_is_named() -> None:
    assert detect(16, 0, 1, 2) is Version.SE
    assert "16.0.1.2" in (unknown_note(16, 0, 1, 2) or "")


def test_an_older_build_is_refused() -> None:
    with pytest.raises(VersionError, match=r"Exchange 6\.5\.7638\.1"):
        detect(6, 5, 7638, 1)


def test_versions_are_said_in_words() -> None:
    assert Where().words == "every version"
    assert Where(Version.E2007).words == "Exchange 2007 SP1 and later"
    assert Where(Version.E2013, edge=False).words == "Exchange 2013 and later, not on Edge servers"
    assert Where(edge=True).words == "every version, on Edge servers only"
    assert Where(Version.E2010, Version.E2013).words == "Exchange 2010 to Exchange 2013"


@real_dump
def test_a_real_receive_connector_is_read_by_its_meaning() -> None:
    rows = {
        row["Bindings"][0].rsplit(":", 1)[1]: row
        for row in dump("exchange2019_receive_connectors.json")
    }
    connector = RECEIVE.read(rows["25"], Version.E2019)
    assert connector["name"].startswith("Default Frontend ")
    assert connector["remote_ip_ranges"] == EVERYTHING
    assert connector["bindings"] == {parse_endpoint("0.0.0.0:25"), parse_endpoint("[::]:25")}
    assert connector["permission_groups"] == {
        "AnonymousUsers",
        "ExchangeServers",
        "ExchangeLegacyServers",
    }
    assert connector["auth_mechanism"] == {
        "Tls",
        "Integrated",
        "BasicAuth",
        "BasicAuthRequireTLS",
        "ExchangeServer",
    }
    assert connector["transport_role"] == "FrontendTransport"
    assert connector["max_message_size"] == 36 << 20
    assert connector["max_inbound_connection"] == 5000
    assert connector["connection_timeout"] == 600
    assert connector["banner"] is None
    assert "usage" not in connector
    assert "anonymous_relay" not in connector


@real_dump
def test_a_real_send_connector_is_read_by_its_meaning() -> None:
    (row,) = dump("exchange2019_send_connectors.json")
    connector = SEND.read(row, Version.E2019)
    assert connector["address_spaces"] == {AddressSpace("smtp", "*", 1)}
    assert connector["source_transport_servers"] == {row["SourceTransportServers"][0].lower()}
    assert connector["smart_hosts"] == {row["SmartHosts"][0]}
    assert connector["max_message_size"] == 35 << 20
    assert connector["tls_auth_level"] is None
    assert connector["authentication_credential"] is None
    assert connector["error_policies"] == frozenset()


@real_dump
@pytest.mark.parametrize(
    ("table", "name"),
    [
        (RECEIVE, "exchange2019_receive_connectors.json"),
        (SEND, "exchange2019_send_connectors.json"),
    ],
    ids=["receive", "send"],
)
def test_what_is_shown_of_a_real_connector_is_a_wish_for_the_same(
    table: Resource, name: str
) -> None:
    for row in dump(name):
        connector = table.read(row, Version.E2019)
        shown = json.loads(json.dumps(table.show(connector)))
        for option, wish in shown.items():
            if option != "name":
                prop = table.properties[option]
                assert resolve(prop, prop.parse(""), wish) == connector[option], option
        assert set(shown) == set(connector)
        assert check_connector(table, connector, Version.E2019) == []


def test_a_value_that_is_not_understood_is_named_with_its_connector() -> None:
    with pytest.raises(
        OptionError,
        match=(
            r"The receive connector 'Birke' has a MaxHopCount that .*'many'.*Nothing was "
            r"changed\."
        ),
    ):
        RECEIVE.read({"Name": "Birke", "MaxHopCount": "many"}, Version.E2019)


def test_a_wish_that_is_not_understood_is_named_with_its_option() -> None:
    with pytest.raises(
        OptionError, match=r"^The option bindings cannot be used as given: .*Nothing was changed\.$"
    ):
        resolve(RECEIVE.properties["bindings"], frozenset(), {"add": ["nowhere"]})


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("edge", [False, True], ids=["hub", "edge"])
def test_a_new_connector_breaks_no_rule_and_has_no_property_of_another_version(
    version: Version, edge: bool
) -> None:
    for usage in USAGES if not edge else ("Custom", "Internal", "Internet", "Partner"):
        receive = new_receive(usage, version, edge)
        assert all(RECEIVE.properties[option].exists(version, edge) for option in receive)
        assert check_connector(RECEIVE, {"name": "Birke", **receive}, version, edge) == []
        assert ("transport_role" in receive) == (version >= Version.E2013 and not edge)
    send = new_send(version, edge, "EX1")
    assert all(SEND.properties[option].exists(version, edge) for option in send)
    assert check_connector(SEND, {"name": "Birke", **send}, version, edge) == []


def test_a_new_connector_has_what_its_usage_gives() -> None:
    assert new_receive(None, Version.E2019)["permission_groups"] == frozenset()
    assert new_receive("Internet", Version.E2019)["permission_groups"] == {"AnonymousUsers"}
    assert new_receive("Internal", Version.E2019, edge=True)["permission_groups"] == {
        "ExchangeServers"
    }
    assert new_receive("Client", Version.E2010)["bindings"] == {parse_endpoint("0.0.0.0:587")}
