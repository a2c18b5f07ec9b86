# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook probe on a site that names its domains: what DNS tells is looked at, what it does
not tell is unknown, and what is wrong in it is in the report.
"""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.playbook_runs import (
    HOST,
    report,
    site,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.published import Certificate
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.names import NameServer, Zones
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play

DOMAIN = "birke.example"
FILTER = "filter.example"
NAMES = [f"mail.{DOMAIN}", f"webmail.{DOMAIN}"]


def states(run: Run) -> dict[str, str]:
    """Host → the state that the run gave it."""
    return t.cast("dict[str, str]", run.of("Say what was found")[-1].result["verdicts"])


def zones_of(address: str) -> Zones:
    """The site's zone in order, its server at one address by two names."""
    zones = Zones([DOMAIN, FILTER, "in-addr.arpa"])
    zones.add(DOMAIN, "MX", f"10 mx1.{FILTER}.")
    zones.add(DOMAIN, "TXT", '"v=spf1 ip4:198.51.100.0/24 -all"')
    zones.add(f"_dmarc.{DOMAIN}", "TXT", '"v=DMARC1; p=reject"')
    zones.add(f"mail.{DOMAIN}", "A", address)
    zones.add(f"webmail.{DOMAIN}", "CNAME", f"mail.{DOMAIN}.")
    return zones


@pytest.fixture(scope="module")
def lab() -> t.Iterator[Lab]:
    with (
        site("2016") as running,
        NameServer(zones_of(running.hosts[HOST].front_end.address)) as server,
    ):
        run = probe(running, server, "apply")
        assert run.code == 0, run.output
        assert states(run) == {HOST: "in order"}
        looks = [task.result for task in run.of("Look at the server from outside")]
        stranger = [each["looks"][0] for each in looks if "looks" in each]
        assert [each["verdict"] for each in stranger] == ["open", "closed"]
        assert stranger[-1]["addresses"][0]["targets"] == NAMES
        yield running


@pytest.fixture
def dns(lab: Lab) -> t.Iterator[NameServer]:
    with NameServer(zones_of(lab.hosts[HOST].front_end.address)) as server:
        yield server


def probe(
    lab: Lab, dns: NameServer, playbook: str = "probe", *arguments: str, **variables: t.Any
) -> Run:
    return play(
        playbook,
        lab.inventory,
        *arguments,
        variables={
            "mailedge_probe_targets": "",
            "mailedge_domains": [DOMAIN],
            "mailedge_mx_suffixes": [FILTER],
            "mailedge_dns_resolver": "127.0.0.1",
            "mailedge_dns_resolver_port": dns.port,
            "mailedge_dns_timeout": 1,
            **variables,
        },
    )


def test_a_locked_site_is_proven_by_the_names_that_dns_has(lab: Lab, dns: NameServer) -> None:
    run = probe(lab, dns)
    assert run.code == 0, run.output
    assert states(run) == {HOST: "in order"}
    looks = run.of("Look at the server from outside")[0].result["looks"]
    seen = looks[0]["addresses"][0]
    assert seen["targets"] == NAMES
    assert "Looked at: dns, outside" in report(run)


def test_a_drift_looks_at_a_name_that_only_the_server_tells(lab: Lab, dns: NameServer) -> None:
    directory = lab.hosts[HOST].exchange.directory
    certificate = Certificate((f"owa-alt.{DOMAIN}",), ("IIS",), "")
    directory.certificates.setdefault(lab.hosts[HOST].exchange.name, []).append(certificate)
    dns.zones.add(f"owa-alt.{DOMAIN}", "A", lab.hosts[HOST].front_end.address)
    web = lab.hosts[HOST].web
    assert web
    run = probe(
        lab, dns, "drift", mailedge_names_from_server=True, mailedge_probe_web_port=web.port
    )
    assert run.code == 0, run.output
    looks = run.of("Look at the server from outside")[0].result["looks"]
    assert set(looks[0]["addresses"][0]["targets"]) == {*NAMES, f"owa-alt.{DOMAIN}"}
    # Its web, by the same names and by its address, is told: IIS is not managed there.
    asked = [address["targets"] for address in looks[-1]["addresses"]]
    assert asked == [[f"owa-alt.{DOMAIN}"], *([name] for name in NAMES), [web.address]]
    told = report(run)
    assert f"a stranger at the web at {web.address}:{web.port} (owa-alt.{DOMAIN}): open. " in told
    assert "Its certificate is for" in told
    # A server that does not tell them leaves it unknown what else there is.
    wrong = {"mailedge_exchange_username": "nobody", "mailedge_exchange_password": "wrong"}
    run = probe(lab, dns, "probe", mailedge_names_from_server=True, **wrong)
    assert states(run) == {HOST: "unknown"}
    assert f"{HOST} did not tell by which names it can be reached" in report(run)


def test_a_name_that_dns_does_not_tell_is_never_closed(lab: Lab, dns: NameServer) -> None:
    dns.faults[f"remote.{DOMAIN}"] = "SERVFAIL"
    run = probe(lab, dns)
    assert run.code != 0
    assert states(run) == {HOST: "unknown"}
    assert f"DNS does not say where remote.{DOMAIN} leads" in " ".join(report(run).split())
    assert probe(lab, dns, mailedge_names_left_out=[f"remote.{DOMAIN}"]).code == 0


def test_a_domain_that_is_none_is_an_error_and_keeps_nobody_from_looking(
    lab: Lab, dns: NameServer
) -> None:
    run = probe(lab, dns, mailedge_domains=[DOMAIN, "birke"])
    assert run.code != 0
    assert states(run) == {HOST: "unknown"}
    assert "domains has 'birke', which is no domain" in " ".join(report(run).split())
    look = run.of("Look at the server from outside")[0].result
    assert look["looks"][0]["addresses"][0]["targets"] == NAMES


@pytest.mark.long
def test_a_resolver_that_is_silent_leaves_the_site_unknown(lab: Lab, dns: NameServer) -> None:
    dns.faults["*"] = "silent"
    run = probe(lab, dns)
    assert run.code != 0
    assert states(run) == {HOST: "unknown"}


def test_what_is_wrong_in_dns_is_drift_until_it_is_accepted(lab: Lab, dns: NameServer) -> None:
    dns.zones.records[DOMAIN, "MX"].append(f"90 mail.{DOMAIN}.")
    run = probe(lab, dns)
    assert run.code != 0
    assert states(run) == {HOST: "drift"}
    assert f"its MX records name mail.{DOMAIN}" in " ".join(report(run).split())
    run = probe(lab, dns, mailedge_dns_accept_findings=["mx"])
    assert run.code == 0, run.output
    assert "Accepted: " in report(run)


def test_a_forgotten_name_that_leads_past_the_lock_is_open(lab: Lab, dns: NameServer) -> None:
    opened = [
        {
            "name": "the filtering provider, taken for a stranger",
            "source_address": "127.0.1.1",
            "expect": "closed",
        }
    ]
    looks = probe(lab, dns).of("Look at the server from outside")[0].result["looks"]
    provider = next(each for each in looks if each["delivery"] == "open")
    opened[0]["source_address"] = provider["addresses"][0]["source"]
    run = probe(lab, dns, mailedge_probe_looks=opened)
    assert run.code != 0
    assert states(run) == {HOST: "open"}
    assert f"mail.{DOMAIN}" in report(run)


def test_several_hosts_look_and_none_that_could_not_is_taken_for_a_refusal(
    lab: Lab, dns: NameServer, tmp_path: pathlib.Path
) -> None:
    towers = {"tower": "local", "second-tower": "local", "dark-tower": "no_such_connection"}
    hosts = {name: {"ansible_connection": kind} for name, kind in towers.items()}
    inventory = tmp_path / "towers.yml"
    inventory.write_text(json.dumps({"towers": {"hosts": hosts}}), encoding="utf-8")
    for asked, state in ((["tower", "second-tower"], "in order"), (list(towers), "unknown")):
        looks = {"mailedge_probe_looks": "", "mailedge_probe_hosts": asked}
        run = probe(lab, dns, "probe", "-i", str(inventory), **looks)
        assert states(run) == {HOST: state}, run.output
        assert (run.code == 0) == (state == "in order")
        seen = [
            task.result["looks"][0]
            for task in run.of("Look at the server from outside")
            if "looks" in task.result
        ]
        assert [each["name"] for each in seen] == [
            f"a stranger on the internet, from {name}" for name in ("tower", "second-tower")
        ]
        assert {each["verdict"] for each in seen} == {"closed"}
    assert "a stranger on the internet, from dark-tower" in report(run)


def test_without_judging_dns_is_told_and_fails_nothing(lab: Lab, dns: NameServer) -> None:
    dns.zones.records.pop((f"_dmarc.{DOMAIN}", "TXT"))
    dns.faults[f"remote.{DOMAIN}"] = "SERVFAIL"
    run = probe(lab, dns, mailedge_probe_expect="any")
    assert run.code == 0, run.output
    assert states(run) == {HOST: "not judged"}


def test_a_wrong_domain_is_a_sentence(lab: Lab, dns: NameServer) -> None:
    run = probe(lab, dns, mailedge_domains=["203.0.113.25"])
    assert run.code != 0
    assert states(run) == {HOST: "unknown"}
    assert "which is no domain such as" in " ".join(report(run).split())
