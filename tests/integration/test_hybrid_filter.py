# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchange Online as the filter of a hybrid: the connector that hears it is what the wizard's was,
and nobody else is heard.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.in_process import (
    INBOUND,
    PROVIDER,
    STRANGER,
    Wire,
    do,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Stored
from ansible_collections.mailedge.lockdown.tests.support.reading import read

HYBRID = {**INBOUND, "hybrid_ranges": INBOUND["provider_ranges"]}
EVERYBODY = ["0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
CERTIFICATE = "<I>CN=Authority, O=Birke<S>CN=mail.birke.example"
PARTNER = "<I>CN=Cloud Authority: 2, O=Cloud, C=US<S>CN=mail.protection.outlook.com, O=Cloud"
# As wizards of several ages and clouds leave them; the last one's name is not documented.
TAGS: tuple[tuple[str, str], ...] = (
    ("2010", "mail.protection.outlook.com:AcceptOorgProtocol"),
    ("2013", "mail.protection.outlook.com:AcceptCloudServicesMail"),
    ("2016", f"{PARTNER}:AcceptCloudServicesMail"),
    ("se", f"{PARTNER}:AcceptCloudServicesMail, AcceptCrossForestMail"),
    ("2019", "mail.protection.outlook.com:AcceptCloudServicesMail, AcceptLater"),
)


def ok(result: dict[str, t.Any]) -> dict[str, t.Any]:
    assert not result.get("failed"), result["msg"]
    return result


def answering(host: ExchangeHost, sender: str = PROVIDER) -> Stored:
    connector = host.admission(sender).connector
    assert connector is not None
    return connector


def wizard(host: ExchangeHost, tag: str, certificate: str = CERTIFICATE) -> str:
    """What the hybrid wizard sets on the connector that hears the internet, at its first run and at
    every later one.
    """
    name = f"Default Frontend {host.name}" if host.edition.frontend else f"Default {host.name}"
    (connector,) = [stored for stored in host.directory.view("") if stored.name == name]
    host.colleague(
        "Set-ReceiveConnector",
        {
            "Identity": connector.identity,
            "RemoteIPRanges": EVERYBODY,
            "PermissionGroups": (
                "AnonymousUsers, ExchangeUsers, ExchangeServers, ExchangeLegacyServers"
            ),
        },
    )
    # As an object prints: what is no documented name came by another way than by this cmdlet.
    connector = next(stored for stored in host.directory.view("") if stored.name == name)
    connector.values["TlsDomainCapabilities"] = (tag,)
    if "TlsCertificateName" in connector.values:
        connector.values["TlsCertificateName"] = certificate
    return name


@pytest.mark.parametrize(("edition", "tag"), TAGS)
def test_the_filter_meets_the_hybrid_connector_and_strangers_none(
    edition: str, tag: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = defaults.site(edition, folder=tmp_path)
    wizard(host, tag)
    start = read(host).receive
    wire = Wire(host)
    # A server that has a name also takes it.
    known: t.Any = host.cmdlets.receive_settings["TlsDomainCapabilities"].kind
    monkeypatch.setitem(known.spelling, "acceptlater", "AcceptLater")

    ok(do(wire, HYBRID))

    assert answering(host).name == "Mail from filter"
    assert not host.admission(STRANGER).submit
    normal = [text.replace(" ", "") for text in answering(host).values["TlsDomainCapabilities"]]
    assert sorted(normal) == sorted([tag.replace(" ", "")])
    assert answering(host).values.get("TlsCertificateName") == (
        CERTIFICATE if edition != "2010" else None
    )
    again = ok(do(wire, HYBRID))
    assert (again["changed"], again["state"]) == (False, "in order")

    # The wizard is run again, with the certificate of this year.
    newer = CERTIFICATE.replace("Authority", "Authority 2")
    wizard(host, tag, newer)
    seen = ok(do(wire, HYBRID, check=True))
    assert seen["state"] == "open"
    ok(do(wire, HYBRID))
    assert not host.admission(STRANGER).submit
    assert answering(host).values.get("TlsCertificateName") == (
        newer if edition != "2010" else None
    )
    ok(do(wire, {"snapshot": "original"}))
    assert {
        name: connector for name, connector in read(host).receive.items() if name not in start
    } == {}


def test_a_tag_that_is_taken_from_the_filter_is_given_back(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    wizard(host, TAGS[1][1])
    wire = Wire(host)
    ok(do(wire, HYBRID))
    host.colleague(
        "Set-ReceiveConnector",
        {"Identity": answering(host).identity, "TlsDomainCapabilities": None},
    )
    assert ok(do(wire, HYBRID, check=True))["state"] == "drift"
    ok(do(wire, HYBRID))
    assert answering(host).values["TlsDomainCapabilities"] == (TAGS[1][1],)


def test_a_hybrid_whose_ranges_nobody_named_is_stopped_with_both_ways_on(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    wizard(host, TAGS[1][1])
    stopped = do(Wire(host), INBOUND)
    assert "hybrid_shut_out" in stopped["msg"]
    assert "Name its ranges in hybrid_ranges" in stopped["msg"]
    assert "the filtering provider itself" in stopped["msg"]


def test_capabilities_can_be_given_where_no_connector_has_them(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    lock = {"tls_domain_capabilities": [f"{PARTNER}:AcceptCloudServicesMail"], "require_tls": True}
    wire = Wire(host)
    ok(do(wire, {**HYBRID, "inbound_lock": lock}))
    assert answering(host).values["TlsDomainCapabilities"] == (
        f"{PARTNER}:AcceptCloudServicesMail",
    )
    assert answering(host).values["RequireTLS"]
    assert not ok(do(wire, {**HYBRID, "inbound_lock": lock}))["changed"]
