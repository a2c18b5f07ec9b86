# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which names a server can be reached, as it says itself, on every edition of the lab."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS, Generation
from ansible_collections.mailedge.lockdown.tests.lab.exchange.published import Certificate
from ansible_collections.mailedge.lockdown.tests.machine.server import ExchangeServer

PUBLIC = Certificate(
    ("mail.site.example", "*.shop.example", "10.0.0.1"),
    ("IMAP", "IIS", "SMTP"),
    "CN=Webmail.site.example, O=Site",
)
RELAY = {
    "Bindings": ["0.0.0.0:2526"],
    "RemoteIPRanges": ["10.0.0.1"],
    "PermissionGroups": "AnonymousUsers",
    "AuthMechanism": "Tls",
}


def sources(result: dict[str, t.Any]) -> dict[str, list[str]]:
    return {entry["name"]: entry["from"] for entry in result["names"]}


def ask(server: ExchangeServer) -> dict[str, t.Any]:
    result = server.done("exchange_names_info")
    assert not result["changed"]
    assert result["cost"] == {"powershell_starts": 1, "exchange_shells": 1}
    assert server.host.counters["writes"] == 0
    return result


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_edition_tells_its_names(edition: str, tmp_path: pathlib.Path) -> None:
    server = ExchangeServer(edition, tmp_path)
    host = server.host
    host.directory.certificates[host.name] = [PUBLIC]
    host.directory.accepted_domains.update({"*.shop.example": "InternalRelay"})
    relay = {**RELAY, "Fqdn": "relay.site.example"}
    defaults.add_receive(host, "Relay", relay)
    told = ask(server)
    names = sources(told)
    assert told["domains"] == ["shop.example", "site.example"]
    certificate = f"the certificate {PUBLIC.thumbprint} (services: IMAP, IIS, SMTP)"
    assert names["mail.site.example"] == [certificate]
    assert names["webmail.site.example"] == [certificate]
    assert names["relay.site.example"] == ["the receive connector 'Relay'"]
    assert "the server's own name" in names[host.fqdn]
    assert told["wildcards"] == ["*.shop.example"]
    assert told["short_names"] == ["ex1"]
    assert "10.0.0.1" not in names
    old = host.edition.generation < Generation.E2013 and not host.edition.edge
    assert len(told["not_read"]) == old
    assert all("only Exchange 2013 and later" in sentence for sentence in told["not_read"])


@pytest.mark.parametrize("edition", ["2007", "2010", "2019", "edge"])
@pytest.mark.parametrize(
    "cmdlet",
    [
        "Get-AcceptedDomain",
        "Get-ReceiveConnector",
        "Get-SendConnector",
        "Get-ExchangeCertificate",
    ],
)
def test_what_may_not_be_read_is_told_and_the_rest_is_there(
    cmdlet: str, edition: str, tmp_path: pathlib.Path
) -> None:
    server = ExchangeServer(edition, tmp_path)
    before = ask(server)["not_read"]
    server.host.hidden.add(cmdlet)
    told = server.done("exchange_names_info")
    (sentence,) = [text for text in told["not_read"] if text not in before]
    assert cmdlet in sentence
    assert told["warnings"] == told["not_read"]
    assert (told["domains"] == []) is (cmdlet == "Get-AcceptedDomain")
    assert server.host.fqdn in sources(told)


def test_a_certificate_of_which_no_name_can_be_read_is_told(tmp_path: pathlib.Path) -> None:
    server = ExchangeServer("se", tmp_path)
    server.host.directory.certificates[server.host.name] = [Certificate((), ("SMTP",))]
    (sentence,) = ask(server)["not_read"]
    assert "No name could be read of the certificate " in sentence


def test_an_accepted_domain_for_everything_is_no_domain_to_look_at(tmp_path: pathlib.Path) -> None:
    server = ExchangeServer("2016", tmp_path)
    server.host.directory.accepted_domains["*"] = "ExternalRelay"
    told = ask(server)
    assert told["domains"] == ["site.example"]
    assert "'*' (ExternalRelay)" in told["not_read"][0]


@pytest.mark.parametrize("edition", ["2013", "2016", "2019", "se"])
def test_urls_and_hybrid_domains_are_told_with_where_they_are_from(
    edition: str, tmp_path: pathlib.Path
) -> None:
    server = ExchangeServer(edition, tmp_path)
    host = server.host
    host.directory.external[host.name] = "outside.site.example"
    host.directory.hybrid = ["site.example", "autod:hybrid.example"]
    told = ask(server)
    names = sources(told)
    assert len(names["outside.site.example"]) == 7
    assert "ExternalUrl of Get-OwaVirtualDirectory" in names["outside.site.example"]
    assert "ExternalHostname of Get-OutlookAnywhere" in names["outside.site.example"]
    (source,) = names["autodiscover.site.example"]
    assert source.startswith("AutoDiscoverServiceInternalUri of Get-ClientAccess")
    assert told["domains"] == ["hybrid.example", "site.example"]
    assert told["not_read"] == []

    # Which of the two names a version has is no matter, as long as it has one.
    host.hidden.add("Get-MapiVirtualDirectory")
    host.hidden.add("Get-ClientAccessServer")
    lacking = server.done("exchange_names_info")
    assert "Get-MapiVirtualDirectory said: " in lacking["not_read"][0]
    assert len(lacking["not_read"]) == (2 if edition == "2013" else 1)


@pytest.mark.parametrize("edition", ["2007", "2010"])
def test_versions_that_would_ask_iis_are_told_and_tell_autodiscover(
    edition: str, tmp_path: pathlib.Path
) -> None:
    server = ExchangeServer(edition, tmp_path)
    server.host.directory.external[server.host.name] = "outside.site.example"
    told = ask(server)
    names = sources(told)
    assert "outside.site.example" not in names
    assert "autodiscover.site.example" in names
    (sentence,) = told["not_read"]
    assert "The URLs of virtual directories were not read" in sentence
