# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a site that nobody has described to one that is locked, by the playbooks alone."""

from __future__ import annotations

import datetime
import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.tests.integration.playbook_runs import HOST
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import ExchangeOnline
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.names import NameServer, Zones
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site
from ansible_collections.mailedge.lockdown.tests.support.exchange_online_modules import (
    Tenant,
    described,
)
from ansible_collections.mailedge.lockdown.tests.support.mail_logs import writer

HOUR = datetime.timedelta(hours=1)
PROVIDER, SCANNER, STRANGER = "198.51.100.25", "10.20.5.7", "203.0.113.9"


def delivered(lab: Lab) -> None:
    """Two weeks of mail: the provider, a scanner, and a stranger who goes past the filter."""
    exchange = lab.hosts[HOST].exchange
    log = writer(exchange.logs)
    door = "Default Frontend EX1"
    for count in range(1, 80):
        # Not at the very edge of the two weeks that are read.
        at = exchange.logs.now() - count * 6 * HOUR - HOUR / 2
        log.session(at, PROVIDER, door)
        if count % 4 == 0:
            log.session(at + HOUR, SCANNER, door)
        if count % 20 == 0:
            log.session(at + 2 * HOUR, STRANGER, door)
    log.save()


def way_out(lab: Lab) -> None:
    """The site sends through a filter that listens on a port of its own."""
    exchange = lab.hosts[HOST].exchange
    (name,) = lab.client().dump(HOST)["send_connectors"]
    exchange.colleague(
        "Set-SendConnector",
        {
            "Identity": name,
            "DNSRoutingEnabled": False,
            "SmartHosts": ["out.filter.example"],
            "Port": 2525,
        },
    )


def discover(
    inventory: pathlib.Path, dns: NameServer, drafts: pathlib.Path, *more: str, **variables: t.Any
) -> Run:
    return play(
        "discover",
        inventory,
        *more,
        variables={
            "mailedge_dns_resolver": "127.0.0.1",
            "mailedge_dns_resolver_port": dns.port,
            "mailedge_discover_folder": str(drafts),
            **variables,
        },
    )


@pytest.mark.long
def test_an_undescribed_site_is_read_drafted_answered_and_locked(tmp_path: pathlib.Path) -> None:
    zones = Zones(["birke.example", "filter.example"])
    zones.add("birke.example", "MX", "10 mx1.filter.example.")
    with (
        Lab([Site("birke", ("2016",), "7.4.4")], pwsh="", described=False) as lab,
        NameServer(zones) as dns,
    ):
        delivered(lab)
        inventory, drafts = lab.inventory, tmp_path / "drafts"
        way_out(lab)
        before = lab.client().dump(HOST), lab.client().firewall_dump(HOST)["policies"]
        run = discover(inventory, dns, drafts, "--check")
        assert run.code == 0, run.output
        assert not drafts.exists()
        run = discover(inventory, dns, drafts)
        assert run.code == 0, run.output
        after = lab.client().dump(HOST), lab.client().firewall_dump(HOST)["policies"]
        assert before[0]["receive_connectors"] == after[0]["receive_connectors"]
        assert before[1] == after[1]
        draft = drafts / "birke.yml"
        assert draft.stat().st_mode & 0o777 == 0o600
        text = draft.read_text(encoding="utf-8")
        told = yaml.safe_load(text)
        assert told["mailedge_own_networks"] == [SCANNER]
        assert told["mailedge_fortigate_vips"] == ["VIP-mail"]
        assert told["mailedge_domains"] == ["birke.example"]
        # Neither the provider nor the stranger is let in by a guess.
        assert PROVIDER not in str(told)
        assert STRANGER not in str(told)
        assert PROVIDER in text
        assert STRANGER in text
        assert "From which addresses does the filtering provider deliver?" in run.output

        # The same again is no change; what somebody has begun to work on is not written over.
        again = discover(inventory, dns, drafts)
        assert again.code == 0, again.output
        assert again.of("Draft the descriptions")[-1].result["changed"] is False
        text += "# Asked on Monday.\n"
        draft.write_text(text, encoding="utf-8")
        again = discover(inventory, dns, drafts)
        assert again.code != 0
        assert "which somebody may have worked on" in again.output
        assert draft.read_text(encoding="utf-8") == text

        # Without the answer that only a person has, nothing is locked.
        extra = ("-e", f"@{draft}")
        refused = play("apply", inventory, "--check", *extra)
        assert refused.code != 0
        assert "names no provider range" in refused.output

        assert "The server listens on IPv6 as well." in run.output
        answers = {
            "mailedge_provider_ranges": ["198.51.100.0/24"],
            "mailedge_fortigate_addresses": ["2001:db8:20:1::11"],
        }
        check = play("apply", inventory, "--check", "--diff", *extra, variables=answers)
        assert check.code == 0, check.output
        done = play("apply", inventory, *extra, variables=answers)
        assert done.code == 0, done.output
        out = lab.client().dump(HOST)["send_connectors"]
        assert out == before[0]["send_connectors"], "a way out that was there stays as it is"
        drift = play("drift", inventory, *extra, variables=answers)
        assert drift.code == 0, drift.output
        exchange = lab.hosts[HOST].exchange
        assert exchange.admission(PROVIDER).submit
        assert exchange.admission(SCANNER).submit
        assert not exchange.admission(STRANGER).submit


def test_a_server_that_does_not_answer_is_told_and_fails(tmp_path: pathlib.Path) -> None:
    with (
        Lab([Site("birke", ("2016",))], pwsh="", described=False) as lab,
        NameServer(Zones(["x.example"])) as dns,
    ):
        inventory = lab.inventory
        run = discover(inventory, dns, tmp_path / "drafts", mailedge_discover_dayz=3)
        assert run.code != 0
        assert "Is mailedge_discover_days meant?" in run.output
        run = discover(inventory, dns, tmp_path / "drafts", ansible_port=1)
        assert run.code != 0
        assert "Its connectors could not be read" in run.output
        assert "Not read, so that nothing below" in (tmp_path / "drafts/birke.yml").read_text()


def test_the_self_test_tells_what_holds_and_names_nobody(tmp_path: pathlib.Path) -> None:
    with Lab([Site("birke", ("2016",), "7.4.4")], pwsh="") as lab, ExchangeOnline() as online:
        delivered(lab)
        variables = {
            name: value
            for name, value in described(Tenant(online, tmp_path)).items()
            if name.startswith("mailedge_exchange_online_")
        }
        sources = ["203.0.113.9", "198.51.100.25"]
        run = play(
            "selftest",
            lab.inventory,
            variables={**variables, "mailedge_selftest_sources": sources},
        )
        assert run.code == 0, run.output
        told = run.of("Judge what was read")[-1].result
        statuses = {name: check["status"] for name, check in told["results"][HOST].items()}
        others = {name: status for name, status in statuses.items() if status != "success"}
        # No rule of URL Rewrite and no IP list is there by itself, nor Intune.
        nothing = (
            "iis_levels",
            "iis_ipv6_masks",
            "firewall_intune",
            "tenant_rules",
            "firewall_central_nat",
        )
        assert others == dict.fromkeys(nothing, "skipped")
        sent = str(told["to_send"]).lower()
        names = ("birke", "ex1", "203.0.113", "10.20.", "hafen", online.tenant.id.lower())
        assert not [name for name in names if name in sent]
