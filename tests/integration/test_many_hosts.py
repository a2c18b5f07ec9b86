# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs over many hosts: hosts that never ran fail the run, and one screen tells the sites apart."""

from __future__ import annotations

import json
import pathlib
import resource
import subprocess
import sys

import pytest
import yaml

from ansible_collections.mailedge.lockdown.tests.integration.playbook_runs import (
    NO_LOOK,
    handed_on,
    summary,
)
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import environment, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site


def _lost(tmp_path: pathlib.Path, files: int, *arguments: str, task: str = "") -> tuple[int, str]:
    hosts = {
        f"h{number:02}": {
            "ansible_connection": "local",
            "mailedge_exchange_enabled": False,
            "mailedge_probe_expect": "any",
        }
        for number in range(20)
    }
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"mailedge": {"hosts": hosts}}), encoding="utf-8")
    configuration = tmp_path / "ansible.cfg"
    configuration.touch()
    env = environment(ANSIBLE_CONFIG=str(configuration), MAILEDGE_RECORD=str(tmp_path / "record"))
    del env["ANSIBLE_CALLBACKS_ENABLED"]
    if task:
        env.update(
            ANSIBLE_CALLBACKS_ENABLED="mailedge_few_files", MAILEDGE_FEW_FILES=f"{files} {task}"
        )
    limit = None if task else lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ansible",
            "playbook",
            "-i",
            str(inventory),
            "mailedge.lockdown.drift",
            *arguments,
        ],
        env=env,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
        preexec_fn=limit,
    )
    return done.returncode, done.stdout


@pytest.mark.forks
def test_more_forks_than_open_files_are_refused_before_anything_is_done(
    tmp_path: pathlib.Path,
) -> None:
    code, output = _lost(tmp_path, 110, "--forks", "20")
    assert code != 0
    assert "20 forks need about 150 open files, and the limit is 110" in " ".join(output.split())
    assert "TASK" not in output


@pytest.mark.forks
@pytest.mark.parametrize("task", ["Check and convert", "Look at the server", "Fail the host"])
def test_hosts_that_are_lost_on_the_way_fail_the_run(task: str, tmp_path: pathlib.Path) -> None:
    """The limit falls when the run has begun (ansible-core issues 82471, 87475): no host fails by
    itself, the tally does.
    """
    code, output = _lost(tmp_path, 40, "--forks", "20", task=task)
    assert code != 0, output
    assert "Nothing was looked at" not in output
    if "PLAY [Count the verdicts]" in output:
        assert "of 20 selected hosts have no verdict" in " ".join(output.split()), output


@pytest.mark.long
def test_a_drift_over_twelve_sites_tells_them_apart_on_its_first_screen(
    tmp_path: pathlib.Path,
) -> None:
    names = [f"site{letter}" for letter in "abcdefghijkl"]
    firewalls = {"sitec", "sitef"}
    sites = [Site(name, ("2016",), "7.4.4" if name in firewalls else "") for name in names]
    with Lab(sites, pwsh="") as lab:
        client = lab.client()
        assert play("apply", lab.inventory, "--forks", "12", variables=NO_LOOK).code == 0
        client.open_door("sitea-ex1")
        client.tamper(
            "siteb-ex1",
            "Set-ReceiveConnector",
            Identity="EX1\\Mail from filter",
            ProtocolLoggingLevel="None",
        )
        client.open_firewall("sitec-ex1")
        client.fault("sited-ex1", kind="refuse_login", times=0)
        client.tamper(
            "sitee-ex1",
            "Set-ReceiveConnector",
            Identity="EX1\\Mail from filter",
            ProtocolLoggingLevel="None",
        )
        text = yaml.safe_load(lab.inventory.read_text(encoding="utf-8"))
        text["mailedge"]["children"]["sitee"]["vars"]["mailedge_accepted_drift"] = [
            {"id": "sitee/*", "until": "2999-12-31", "reason": "the new filter comes in May"}
        ]
        text["mailedge"]["children"]["siteg"]["vars"]["mailedge_own_network"] = ["10.0.0.0/8"]
        lab.inventory.write_text(yaml.safe_dump(text), encoding="utf-8")
        # A folder that cannot be written makes no red run green, and takes none of its verdicts.
        (tmp_path / "file").write_text("", encoding="utf-8")
        nowhere = {"mailedge_report_folder": str(tmp_path / "file" / "reports")}
        run = play("drift", lab.inventory, "--forks", "12", variables={**NO_LOOK, **nowhere})
        assert run.code != 0
        assert "The report was not written" in " ".join(run.output.split())
        first = [line.split(".")[0] for line in summary(run)[:12]]
        assert first == [
            "sitea: open",
            "sitec: open",
            "sited: unknown",
            "siteg: unknown",
            "siteb: drift",
            "sitee: accepted",
            *(f"{name}: in order" for name in ("sitef", *names[7:])),
        ]
        failed = {task.host for task in run.of("Fail the host") if task.status == "failed"}
        assert failed == {"sitea-ex1", "siteb-ex1", "sitec-ex1", "sited-ex1", "siteg-ex1"}
        assert run.of("Count the hosts that were selected"), "the run goes on where hosts fail"
        assert len(run.output) < 40_000
        sites = handed_on(run)["mailedge_report"]["sites"]
        assert [(name, site["state"]) for name, site in sites.items()][:6] == [
            tuple(line.split(": ")) for line in first[:6]
        ]
        drifted = [each["id"] for each in sites["siteb"]["findings"]]
        assert any(name.startswith("siteb/siteb-ex1/exchange/differs/") for name in drifted)
        assert [each["accepted_until"] for each in sites["sitee"]["findings"]] == ["2999-12-31"]
        assert "siteg/siteg-ex1/description/not_described//" in {
            each["id"] for each in sites["siteg"]["findings"]
        }
        at = run.output.index("sitea: open")
        assert run.output[at:].splitlines()[11].startswith("sitel: in order")
        # Asked again, with nothing but a report.
        for state in ("open", "in order"):
            told = play(
                "drift",
                lab.inventory,
                "--limit",
                "sitea",
                variables={
                    **NO_LOOK,
                    "mailedge_fail_on": "never",
                    "mailedge_report_folder": str(tmp_path / "reports"),
                    "mailedge_report_formats": "json, junit",
                },
            )
            assert told.code == 0
            assert handed_on(told)["mailedge_report"]["sites"]["sitea"]["state"] == state
            limit = ("--limit", "sitea")
            assert play("apply", lab.inventory, *limit, variables=NO_LOOK).code == 0
        assert handed_on(told)["mailedge_report"]["changes"]["states"] == {
            "sitea": ["open", "in order"]
        }
        kept = json.loads((tmp_path / "reports" / "latest.json").read_text(encoding="utf-8"))
        assert kept == handed_on(told)["mailedge_report"]
        assert len(list((tmp_path / "reports").glob("report-*-drift*.xml"))) == 2
