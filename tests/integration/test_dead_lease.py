# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks where a run that died has left its leases: of the server, and of the firewall."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, module, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site

NO_LOOK = {"mailedge_probe_targets": ""}
# As a person types them after -e.
GO_ON = {"mailedge_exchange_accept_risks": "leased", "mailedge_fortigate_accept_risks": "leased"}
LATE_UNDO: dict[str, t.Any] = {
    "hosts": "mailedge",
    "gather_facts": False,
    "vars": {
        "__mailedge_undo": "latest",
        "__mailedge_undo_host": {"exchange": "latest"},
        "__mailedge_lease": {"run_id": "late"},
    },
    "tasks": [
        {"import_role": {"name": "mailedge.lockdown.site", "rolespec_validate": False}},
        {
            "import_role": {
                "name": "mailedge.lockdown.site",
                "tasks_from": "undo",
                "rolespec_validate": False,
            },
            "ignore_errors": True,
        },
        {
            "import_role": {
                "name": "mailedge.lockdown.fortigate",
                "tasks_from": "restore",
                "rolespec_validate": False,
            }
        },
    ],
}


def told(run: Run) -> str:
    return "\n".join(run.of("Say what was found")[-1].result["msg"])


def lease_of_the_firewall(lab: Lab) -> pathlib.Path:
    (file,) = lab.inventory.parent.rglob("0-lease-*.json")
    return file


def die(lab: Lab, more: str) -> None:
    """A run changes the server, and dies; of the firewall it is as if it had changed it before."""
    lock = {
        "provider_ranges": "{{ mailedge_provider_ranges + [more] }}",
        "own_networks": "{{ mailedge_own_networks }}",
        "inbound_lock": {},
        "lease": {"run_id": "dead42"},
    }
    assert (
        play(
            module("exchange_mail_flow", "mailedge", lock), lab.inventory, variables={"more": more}
        ).code
        == 0
    )
    file = lease_of_the_firewall(lab)
    held = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**held, "run_id": "dead42", "ended": False}), encoding="utf-8")


@pytest.mark.long
def test_the_leases_of_a_dead_run_stop_a_rollback_and_an_apply_until_they_are_told_to_go_on() -> (
    None
):
    with Lab([Site("birke", ("2016",), "7.4.4")], pwsh="") as lab:
        assert play("apply", lab.inventory, variables=NO_LOOK).code == 0
        die(lab, "192.0.2.0/25")
        refused = play("rollback", lab.inventory)
        assert refused.code != 0
        # The site's line, and each layer's.
        assert told(refused).count("leased by the run dead42") == 3, told(refused)

        # The undo of another run is nobody's decision.
        late = play([LATE_UNDO], lab.inventory, variables=GO_ON)
        for task in (
            "Take back what this run has changed at the server",
            "Give back what the firewall's snapshot holds",
        ):
            result = late.of(task)[-1].result
            assert result["failed"], result
            assert "leased by the run dead42" in result["msg"]

        # Nothing is to be done at the firewall, and the dead run takes nothing back any more.
        over = play("apply", lab.inventory, variables={**NO_LOOK, **GO_ON})
        assert over.code == 0, over.output
        held = json.loads(lease_of_the_firewall(lab).read_text(encoding="utf-8"))
        assert held["ended"], held
        assert held["run_id"] != "dead42"
        assert play("drift", lab.inventory, variables=NO_LOOK).code == 0

        die(lab, "192.0.2.128/25")
        back = play("rollback", lab.inventory, variables=GO_ON)
        assert back.code == 0, back.output


@pytest.mark.long
def test_what_a_late_run_may_take_back_is_unknown_until_an_apply_has_taken_it_over() -> None:
    over = {"since": "2026-01-01T00:00:00.000Z", "until": "2026-01-01T01:00:00.000Z"}
    with Lab([Site("birke", ("2016",), "7.4.4")], pwsh="") as lab:
        assert play("apply", lab.inventory, variables=NO_LOOK).code == 0
        files = [lease_of_the_firewall(lab), *lab.inventory.parent.rglob("0-lease.json")]
        assert len(files) == 2
        for file in files:
            held = json.loads(file.read_text(encoding="utf-8"))
            late = {**held, **over, "run_id": "dead42", "ended": False}
            file.write_text(json.dumps(late), encoding="utf-8")
        drift = play("drift", lab.inventory, variables=NO_LOOK)
        assert drift.code != 0
        assert told(drift).startswith("birke: unknown."), told(drift)
        assert told(drift).count("takes back what it cannot prove") == 3, "the line, and each layer"
        assert play("apply", lab.inventory, variables=NO_LOOK).code == 0
        assert play("drift", lab.inventory, variables=NO_LOOK).code == 0
