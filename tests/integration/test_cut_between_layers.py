# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection is cut between the writes of two layers: what was locked is undone where the
server comes back, and else is told, and mended by the next run.
"""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.control import LabClient
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play
from ansible_collections.mailedge.lockdown.tests.support.host_layers import (
    HOST,
    SITE,
    STRANGER,
    layers,
    reaches,
    whole,
)
from ansible_collections.mailedge.lockdown.tests.support.marking import long_after

# The first start reads, then exchange, windows firewall, iis and windows tls are written.
SECOND_LAYER, THIRD_LAYER = 3, 4
HOURS = 2 * 60 * 60


def cut_run(lab: Lab, client: LabClient, *, at: str, nth: int, seconds: float) -> Run:
    """An apply that loses the server at a start of PowerShell, or when all is said and nothing was
    heard.
    """
    client.fault(HOST, kind="cut", at=at, nth=nth, moment="before", seconds=seconds)
    run = play("apply", lab.inventory, variables=SITE)
    client.clear_faults(HOST)
    assert run.code != 0, run.output
    return run


def lease(lab: Lab) -> dict[str, t.Any]:
    (file,) = lab.inventory.parent.rglob("0-lease.json")
    return dict(json.loads(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("at", "nth", "cut"),
    [
        ("start", SECOND_LAYER, "windows firewall"),
        pytest.param("end", SECOND_LAYER, "windows firewall", marks=pytest.mark.long),
        pytest.param("end", THIRD_LAYER, "iis", marks=pytest.mark.long),
    ],
)
def test_what_was_locked_is_undone_where_the_server_comes_back(
    lab: Lab, host: LabHost, client: LabClient, at: str, nth: int, cut: str
) -> None:
    start = whole(host)
    run = cut_run(lab, client, at=at, nth=nth, seconds=0)
    assert whole(host) == start
    assert "The connection to the host was lost while changes were being written" in run.output
    assert "What this run had changed was undone." in run.output
    assert "does not say what was found" not in run.output
    assert run.output.count(f"\n  {cut}: open\n") == 1
    assert lease(lab)["ended"]
    again = play("apply", lab.inventory, variables=SITE)
    assert again.code == 0, again.output
    assert reaches(host, STRANGER) == (False, False)


@pytest.mark.parametrize("then", ["rollback", pytest.param("apply", marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "accepted", long_after(1, [True, False]), ids=["leased accepted", "lease over"]
)
def test_where_it_stays_away_the_next_run_or_a_rollback_mends_it(
    lab: Lab, host: LabHost, client: LabClient, then: str, accepted: bool
) -> None:
    start = whole(host)
    run = cut_run(lab, client, at="start", nth=SECOND_LAYER, seconds=10 * HOURS)
    assert whole(host)[0] != start[0], "the connectors stay locked"
    assert "What this run had changed could not be undone as a whole" in run.output
    kept = [layer["snapshot"]["name"] for layer in layers(run).values() if "snapshot" in layer]
    (locked,) = [task for task in run.tasks if "Lock the layers" in task.task]
    names = locked.result["snapshots"]
    assert set(names) == {"exchange", "windows firewall"}, kept
    for name in names.values():
        assert f"the state before is kept as {name}" in run.output
    (line,) = [text for text in run.output.splitlines() if text.startswith("birke: ")]
    assert line.startswith("birke: open. birke-ex1, exchange: "), line
    (failed,) = run.of("Fail the host")
    assert "The connection to the host was lost" in failed.result["msg"]

    client.clock(advance=10 * HOURS)
    # That was the clock of the faults. By its own, the server is still leased.
    refused = play(then, lab.inventory, variables=SITE)
    assert refused.code != 0
    assert "is leased by the run" in refused.output
    said = dict(SITE)
    if accepted:
        # A server has one lease: it is accepted once for all of its layers.
        said["mailedge_exchange_accept_risks"] = ["leased"]
    else:
        (file,) = lab.inventory.parent.rglob("0-lease.json")
        over = {"since": "2026-01-01T00:00:00.000Z", "until": "2026-01-01T01:00:00.000Z"}
        file.write_text(json.dumps({**lease(lab), **over}), encoding="utf-8")
    mended = play(then, lab.inventory, variables=said)
    assert mended.code == 0, mended.output
    if then == "apply":
        assert reaches(host, STRANGER) == (False, False)
    else:
        assert whole(host) == start
    assert lease(lab)["ended"]
