# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hybrid in a run of the playbooks: 443 stays open until Exchange Online comes in another way."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.control import LabClient
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site
from ansible_collections.mailedge.lockdown.tests.support.engine import PWSH, needs_engine
from ansible_collections.mailedge.lockdown.tests.support.host_layers import HOST, SITE, layers

HYBRID = "hybrid"
AGENT = {**SITE, "mailedge_hybrid": {"kind": "agent"}}
ONLINE = "198.51.100.7"
EVERYBODY = ["0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
TAG = "mail.protection.outlook.com:AcceptCloudServicesMail"


def written(host: LabHost) -> tuple[t.Any, ...]:
    windows = host.exchange.windows
    return (
        host.exchange.shown(),
        windows.registry.shown(),
        windows.iis.text,
        list(windows.firewall.rules),
    )


def starts(client: LabClient) -> tuple[int, int]:
    """How often PowerShell was started, and the Exchange shell loaded."""
    counted = client.counters(HOST)
    return counted["powershell_starts"], counted["exchange_shells"]


def told(run: Run) -> str:
    return " ".join(each["sentence"] for each in layers(run)[HYBRID]["findings"])


def test_443_is_closed_when_the_agent_runs_and_not_before(
    lab: Lab, host: LabHost, client: LabClient
) -> None:
    start = written(host)
    refused = play("apply", lab.inventory, variables=AGENT)
    assert refused.code != 0
    assert "mailedge_exchange_publish does not have hybrid" in refused.output
    assert (
        "The Hybrid Agent, by which Exchange Online comes in, is not installed here."
        in refused.output
    )
    assert "Nothing was changed here, because iis cannot be changed." in refused.output
    assert written(host) == start

    services = host.exchange.windows.services
    services.install("mshybridsvc", status="Stopped")
    assert "is stopped" in told(play("drift", lab.inventory, variables=AGENT))
    services.install("mshybridsvc")
    client.reset_counters(HOST)
    run = play("apply", lab.inventory, variables=AGENT)
    assert run.code == 0, run.output
    # One read for all, a write for each of the four layers, and the end of the lease.
    assert starts(client) == (6, 2)
    assert layers(run)[HYBRID] == {"changed": False, "state": "in order", "findings": []}

    client.reset_counters(HOST)
    again = play(
        "drift", lab.inventory, variables={**AGENT, "mailedge_windows_posture_enabled": True}
    )
    assert starts(client) == (1, 1)
    assert layers(again)[HYBRID]["state"] == "in order"
    # Closed already: nothing is refused, and it is told.
    services.unreadable.add("mshybridsvc")
    unread = play("drift", lab.inventory, variables=AGENT)
    assert layers(unread)[HYBRID]["state"] == "unknown"
    assert layers(unread)["iis"]["state"] == "in order"


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ({"mailedge_hybrid": {"kind": "classic"}}, False),
        ({"mailedge_hybrid": {"kind": "classic", "https_needed": False}}, True),
        ({"mailedge_hybrid": {"kind": "none"}, "mailedge_hybrid_ranges": [ONLINE]}, True),
        ({"mailedge_hybrid_ranges": [ONLINE]}, False),
        ({"mailedge_hybrid": {"kind": "classic"}, "mailedge_exchange_publish": ["hybrid"]}, True),
    ],
)
def test_who_may_close_443(lab: Lab, host: LabHost, said: dict[str, t.Any], allowed: bool) -> None:
    run = play("drift", lab.inventory, variables={**SITE, **said})
    result = layers(run)["iis"]
    assert bool(result.get("failed")) is not allowed, result
    assert ("443 is not closed to the internet" in run.output) is not allowed
    assert result["plan"], "what a run would do is told all the same"


def test_a_role_that_closes_443_alone_is_refused_too(lab: Lab, host: LabHost) -> None:
    start = written(host)
    book = [{"hosts": HOST, "gather_facts": False, "roles": ["mailedge.lockdown.windows_firewall"]}]
    closing = {**AGENT, "mailedge_windows_firewall_ports": [443]}
    run = play(book, lab.inventory, variables=closing)
    assert run.code != 0
    assert "mailedge_windows_firewall_ports has 443" in run.output
    assert written(host) == start


def test_the_path_of_exchange_online_and_a_wizard_that_undid_the_lock_are_told(
    lab: Lab, host: LabHost, client: LabClient
) -> None:
    site: dict[str, t.Any] = {
        "mailedge_probe_targets": "",
        "mailedge_hybrid": {"kind": "classic"},
        "mailedge_hybrid_ranges": [ONLINE],
        "mailedge_provider_ranges": [ONLINE],
        "mailedge_own_networks": ["10.20.0.0/16"],
    }
    plain = play("drift", lab.inventory, variables=site)
    assert layers(plain)[HYBRID]["state"] == "drift"
    assert "has none of the TLS capabilities of the hybrid path" in told(plain)

    exchange = host.exchange
    (front,) = [
        connector
        for connector in exchange.directory.view("")
        if connector.name == f"Default Frontend {exchange.name}"
    ]
    wizard = {
        "Identity": front.identity,
        "RemoteIPRanges": EVERYBODY,
        "PermissionGroups": "AnonymousUsers, ExchangeUsers, ExchangeServers, ExchangeLegacyServers",
        "TlsDomainCapabilities": TAG,
    }
    exchange.colleague("Set-ReceiveConnector", wizard)
    client.reset_counters(HOST)
    run = play("apply", lab.inventory, variables=site)
    assert run.code == 0, run.output
    assert layers(run)[HYBRID]["state"] == "in order"
    # Read, written, and the hybrid path read again; with nothing to do it is one.
    assert starts(client) == (3, 3)
    client.reset_counters(HOST)
    assert play("apply", lab.inventory, variables=site).changed == []
    assert starts(client) == (1, 1)

    exchange.colleague("Set-ReceiveConnector", wizard)
    undone = play("drift", lab.inventory, variables=site)
    assert layers(undone)[HYBRID]["state"] == "drift"
    assert "The hybrid wizard does that when it is run again" in told(undone)
    assert layers(undone)["exchange"]["state"] == "open"


def test_the_role_looks_and_changes_nothing(lab: Lab, host: LabHost) -> None:
    start = written(host)
    book = [{"hosts": HOST, "gather_facts": False, "roles": ["mailedge.lockdown.hybrid"]}]
    run = play(book, lab.inventory, variables=AGENT)
    assert run.code != 0
    assert "The hybrid is drift. The Hybrid Agent" in run.output
    assert written(host) == start
    host.exchange.windows.services.install("mshybridsvc")
    start = written(host)
    assert play(book, lab.inventory, variables=AGENT).code == 0
    assert written(host) == start


@needs_engine
@pytest.mark.long
def test_the_real_engine_sees_the_agent_in_the_same_start() -> None:
    with Lab([Site("birke", ("2016",))], pwsh=PWSH) as lab:
        lab.hosts[HOST].exchange.windows.services.install("mshybridsvc")
        client = LabClient.of(lab.inventory)
        run = play("drift", lab.inventory, variables=AGENT)
        assert client.counters(HOST)["powershell_starts"] == 1
        assert layers(run)[HYBRID]["state"] == "in order"
