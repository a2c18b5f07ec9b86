# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a server is kept, in a run of the playbooks: read with all layers, judged, never written."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.control import LabClient
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site
from ansible_collections.mailedge.lockdown.tests.support.engine import PWSH, needs_engine
from ansible_collections.mailedge.lockdown.tests.support.host_layers import HOST, SITE, layers

POSTURE = "windows posture"
KEPT = {**SITE, "mailedge_windows_posture_enabled": True}
ALONE: dict[str, t.Any] = {
    "mailedge_probe_targets": "",
    "mailedge_exchange_enabled": False,
    "mailedge_windows_posture_enabled": True,
}


def standing(run: Run) -> list[dict[str, t.Any]]:
    """The findings that are not accepted, worst first."""
    return [each for each in layers(run)[POSTURE]["findings"] if not each["accepted"]]


def test_everything_is_read_in_one_start_and_a_badly_kept_server_is_drift(
    lab: Lab, host: LabHost, client: LabClient
) -> None:
    locked = play("apply", lab.inventory, variables={**SITE})
    assert locked.code == 0, locked.output

    client.reset_counters(HOST)
    drift = play("drift", lab.inventory, variables=KEPT)
    counted = client.counters(HOST)
    assert (counted["powershell_starts"], counted["exchange_shells"]) == (1, 1), "all in one call"
    assert counted["writes"] == 0
    assert drift.code != 0
    assert {name: result["state"] for name, result in layers(drift).items()} == {
        **dict.fromkeys(("exchange", "windows firewall", "iis", "windows tls"), "in order"),
        POSTURE: "drift",
    }
    assert {each["severity"] for each in standing(drift)} <= {"critical", "warning"}
    worst = standing(drift)[0]
    assert f"{worst['sentence']} {worst['remedy']}" in drift.output
    assert f"{HOST}, {POSTURE}: {worst['sentence']}" in drift.output, "the first thing to know"

    everything = [each["id"] for each in layers(drift)[POSTURE]["findings"]]
    fine = play(
        "drift",
        lab.inventory,
        variables={**KEPT, "mailedge_windows_posture_accept_findings": everything},
    )
    assert fine.code == 0, fine.output
    assert layers(fine)[POSTURE]["state"] == "in order"
    assert f"Accepted: {worst['sentence']}" in fine.output


def test_what_the_site_asks_of_a_server_is_what_it_is_judged_by(lab: Lab, host: LabHost) -> None:
    asked = {
        "mailedge_windows_posture_min_memory_gb": 4096,
        "mailedge_windows_posture_max_update_age_days": 1,
        "mailedge_hybrid": {"kind": "agent"},
    }
    told = {
        each["id"]: each
        for each in standing(play("drift", lab.inventory, variables={**ALONE, **asked}))
    }
    assert "asks for 4096" in told["memory"]["sentence"]
    assert "asks for 1 day" in told["last_update"]["sentence"]
    assert told["hybrid_agent"]["severity"] == "critical"
    assert "hybrid_agent" not in {
        each["id"] for each in standing(play("drift", lab.inventory, variables=ALONE))
    }


def test_it_is_judged_without_any_other_layer_and_writes_nothing(
    lab: Lab, host: LabHost, client: LabClient
) -> None:
    client.reset_counters(HOST)
    run = play("apply", lab.inventory, variables=ALONE)
    counted = client.counters(HOST)
    assert (counted["powershell_starts"], counted["exchange_shells"], counted["writes"]) == (
        1,
        0,
        0,
    )
    assert set(layers(run)) == {POSTURE}
    assert run.code != 0, "a server that is not kept well is not green"
    assert run.changed == []


@pytest.mark.long
def test_a_lock_stands_whatever_the_posture_and_tls_is_judged_as_the_run_leaves_it(
    lab: Lab, host: LabHost, client: LabClient
) -> None:
    before = play("drift", lab.inventory, variables=KEPT)
    assert "tls_12_dotnet" in {each["id"] for each in standing(before)}
    client.reset_counters(HOST)
    run = play("apply", lab.inventory, variables=KEPT)
    assert run.code != 0
    assert "undone" not in run.output
    assert {layers(run)[name]["state"] for name in set(layers(run)) - {POSTURE}} == {"in order"}
    assert "tls_12_dotnet" not in {each["id"] for each in standing(run)}
    # One to read, one for each of four layers, one to look again, one to end the lease.
    assert client.counters(HOST)["powershell_starts"] == 7
    back = play("rollback", lab.inventory, variables=KEPT)
    assert back.code == 0, back.output
    assert POSTURE not in back.output


def test_a_finding_that_there_is_not_is_refused_before_anything_is_sent(
    lab: Lab, host: LabHost, client: LabClient
) -> None:
    client.reset_counters(HOST)
    run = play(
        "apply",
        lab.inventory,
        variables={**KEPT, "mailedge_windows_posture_accept_findings": ["weather"]},
    )
    assert run.code != 0
    assert "accept_findings names 'weather', which is no finding." in run.output
    assert client.counters(HOST)["powershell_starts"] == 0


def test_what_cannot_be_read_is_unknown_and_hides_no_layer(lab: Lab, host: LabHost) -> None:
    host.exchange.windows.wmi.broken = True
    run = play("drift", lab.inventory, variables=KEPT)
    assert layers(run)[POSTURE]["state"] == "unknown"
    assert {"processors", "memory"} <= {
        each["id"] for each in standing(run) if each["severity"] == "unknown"
    }
    assert {layers(run)[name]["state"] for name in ("exchange", "windows firewall", "iis")} == {
        "open"
    }


@pytest.mark.core
def test_the_role_fails_where_the_server_is_not_kept_as_the_site_asks(
    lab: Lab, host: LabHost
) -> None:
    book = [{"hosts": HOST, "gather_facts": False, "roles": ["mailedge.lockdown.windows"]}]
    run = play(book, lab.inventory, variables=ALONE)
    assert run.code != 0
    assert f"How the server is kept is drift. {standing(run)[0]['sentence']}" in run.output
    everything = [each["id"] for each in standing(run)]
    accepted = {**ALONE, "mailedge_windows_posture_accept_findings": everything}
    fine = play(book, lab.inventory, variables=accepted)
    assert fine.code == 0, fine.output


@needs_engine
@pytest.mark.long
def test_the_real_engine_reads_all_of_it_in_one_start() -> None:
    with Lab([Site("birke", ("2016",))], pwsh=PWSH) as lab:
        client = LabClient.of(lab.inventory)
        run = play("drift", lab.inventory, variables=KEPT)
        counted = client.counters(HOST)
        assert (counted["powershell_starts"], counted["exchange_shells"]) == (1, 1)
        assert {"exchange_support", "tls_12_dotnet"} <= {each["id"] for each in standing(run)}
