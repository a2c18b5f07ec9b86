# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to go back to: listed, and handed on to a run that has nothing else."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.playbook_runs import (
    NO_LOOK,
    handed_on,
)
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site

HOST = "birke-ex1"
A_PROOF_THAT_FAILS = {
    "mailedge_probe_looks": [
        {
            "name": "a stranger who is expected to get in",
            "source_address": "127.0.2.1",
            "expect": "open",
        }
    ]
}


@pytest.fixture
def lab() -> t.Iterator[Lab]:
    with Lab([Site("birke", ("2016",), "7.4.4")], pwsh="") as running:
        yield running


def kept(lab: Lab) -> pathlib.Path:
    """The folder of the snapshots on the server."""
    # The agent's backslash is a character of a name where the lab runs.
    return next(lab.hosts[HOST].exchange.folder.glob("ProgramData*mailedge"))


def folder(lab: Lab) -> pathlib.Path:
    """The folder of the firewall's snapshots."""
    return pathlib.Path(lab.folder, "birke-firewall", "snapshots")


def lines(run: Run) -> list[str]:
    return list(run.of("Say what was found")[-1].result["msg"])


def state(lab: Lab) -> t.Any:
    dump, firewall = lab.client().dump(HOST), lab.client().firewall_dump(HOST)
    return (
        dump["receive_connectors"],
        dump["send_connectors"],
        firewall["policies"],
        firewall["groups"],
    )


@pytest.mark.long
def test_what_could_be_given_back_is_listed_and_nothing_is_changed(lab: Lab) -> None:
    assert play("apply", lab.inventory, variables=NO_LOOK).code == 0
    assert play("rollback", lab.inventory, variables=NO_LOOK).code == 0
    there = kept(lab)
    newest = sorted(path.name for path in there.iterdir())[-1]
    (there / "99990101T000000.000Z-000000-apply.json").write_text("{", encoding="utf-8")
    of_another = (there / newest).read_text(encoding="utf-8").replace('"EX1"', '"EX9"')
    (there / "99990101T000001.000Z-000000-apply.json").write_text(of_another, encoding="utf-8")
    for number in range(2):
        lab.hosts[HOST].exchange.own(there / f"99990101T00000{number}.000Z-000000-apply.json")
    (there / "notes.txt").write_text("buy milk", encoding="utf-8")
    (folder(lab) / "zzz.json").write_text("{", encoding="utf-8")
    before = state(lab)
    files = sorted(path.name for path in there.iterdir())
    lab.client().reset_counters(HOST)

    run = play("snapshots", lab.inventory)

    assert run.code == 0, run.output
    assert state(lab) == before
    assert sorted(path.name for path in there.iterdir()) == files
    counted = lab.client().counters(HOST)
    assert (counted["powershell_starts"], counted["exchange_shells"], counted["writes"]) == (
        1,
        0,
        0,
    )
    (asked,) = [run.layers_of(task) for task in run.tasks if run.layers_of(task)]
    listed = asked["exchange"]["snapshots"]
    assert [snapshot["state"] for snapshot in listed] == [
        "foreign",
        "foreign",
        "unreadable",
        "usable",
        "usable",
    ]
    # A lease is no snapshot.
    assert [snapshot["name"] for snapshot in listed] == sorted(
        set(files) - {"0-lease.json"}, reverse=True
    )
    assert listed[1]["why"] == "It is of the server EX9."
    assert [snapshot["reason"] for snapshot in listed[3:]] == ["rollback", "apply"]
    assert "the receive connector 'Mail from filter': gone, as it was" in listed[-1]["restores"]
    assert all(
        re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", snapshot["time"]) for snapshot in listed[3:]
    )
    told = lines(run)
    assert told[0].startswith("birke: listed. Looked at: exchange, fortigate.")
    assert any(
        line.startswith(f"  {listed[-1]['name']}") for line in (line[2:] for line in told)
    ), told
    firewall = run.of("List the snapshots of the firewall")[-1].result["snapshots"]
    assert [snapshot["state"] for snapshot in firewall] == ["foreign", "usable", "usable"]
    assert len(told) < 40

    # A name of the list is what a rollback takes.
    run = play(
        "rollback",
        lab.inventory,
        variables={**NO_LOOK, "mailedge_exchange_snapshot": listed[-1]["name"]},
    )
    assert run.code == 0, run.output


def test_a_server_that_cannot_be_asked_is_unknown_and_not_without_snapshots(lab: Lab) -> None:
    lab.client().fault(HOST, kind="refuse_login", times=0)
    run = play("snapshots", lab.inventory)
    assert run.code != 0
    assert lines(run)[0].startswith("birke: unknown.")
    assert "firewall, in " in "\n".join(lines(run))


# ---------------------------------------------------------------- handed on to another container


@pytest.mark.core
def test_ansible_takes_what_is_handed_on_for_statistics_of_the_run(lab: Lab) -> None:
    variables = {**NO_LOOK, "mailedge_fail_on": "never"}
    env = {"ANSIBLE_SHOW_CUSTOM_STATS": "true"}
    run = play("drift", lab.inventory, variables=variables, env=env)
    shown = run.output.partition("CUSTOM STATS: ")[2].partition("RUN: ")[2].strip()
    assert json.loads(shown) == handed_on(run)
    assert set(handed_on(run)) == {"mailedge_report"}


@pytest.mark.parametrize("fails", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_rollback_in_an_empty_container_gives_back_what_the_run_handed_on(
    lab: Lab, fails: bool
) -> None:
    """Also one that failed, and whose own undo was hindered."""
    start = state(lab)
    variables: dict[str, t.Any] = NO_LOOK
    if fails:
        variables = A_PROOF_THAT_FAILS
        # The third one on the server, after the read and the write, is the undo.
        lab.client().fault(HOST, kind="die", at="start", nth=3)
    run = play("apply", lab.inventory, variables=variables)
    assert (run.code != 0) == fails, run.output
    stats = handed_on(run)
    assert set(stats["mailedge_snapshots"]) == {HOST}
    entry = stats["mailedge_snapshots"][HOST]
    assert set(entry) == {"exchange", "fortigate"}
    text = json.dumps(stats)
    assert lab.password not in text
    assert lab.firewalls["birke"].token not in text
    if fails:
        assert "could not be undone as a whole" in " ".join(lines(run)), run.output
        assert state(lab) != start

    shutil.rmtree(folder(lab))
    # What else a job of a workflow is given does no harm.
    run = play("rollback", lab.inventory, variables={**NO_LOOK, **stats})
    assert run.code == 0, run.output
    assert state(lab) == start
    # A later job must not take the rollback back.
    assert "mailedge_snapshots" not in handed_on(run)


@pytest.mark.long
def test_a_run_that_changed_nothing_hands_nothing_on_and_nothing_older_is_given_back_by_it(
    lab: Lab,
) -> None:
    assert play("apply", lab.inventory, variables=NO_LOOK).code == 0
    locked = state(lab)
    stats = handed_on(play("apply", lab.inventory, variables=NO_LOOK))
    assert stats["mailedge_snapshots"] == {}
    run = play("rollback", lab.inventory, variables={**NO_LOOK, **stats})
    assert state(lab) == locked
    assert run.code != 0, "nothing was looked at, which is not green"
    # A name counts more than what was handed on.
    run = play(
        "rollback",
        lab.inventory,
        variables={**NO_LOOK, **stats, "mailedge_exchange_snapshot": "latest"},
    )
    assert run.code == 0, run.output
    assert state(lab)[0] != locked[0]
