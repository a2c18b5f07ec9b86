# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report without a connection: the verdicts of drift, by dumps, and no word to any server."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._offline import script
from ansible_collections.mailedge.lockdown.tests.integration.playbook_runs import NO_LOOK, summary
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site
from ansible_collections.mailedge.lockdown.tests.support.backups import backup
from ansible_collections.mailedge.lockdown.tests.support.dumps import by_standin

EX1, EX2 = "birke-ex1", "birke-ex2"


def verdicts(run: Run) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", run.of("Say what was found")[-1].result["verdicts"])


def dump(lab: Lab, host: str, folder: pathlib.Path) -> None:
    (folder / f"{host}.json").write_text(by_standin(lab.hosts[host].exchange), encoding="utf-8")


def starts(lab: Lab) -> dict[str, int]:
    return {host: lab.client().counters(host)["http_requests"] for host in lab.hosts}


def test_a_dump_is_judged_and_a_server_without_one_is_unknown(tmp_path: pathlib.Path) -> None:
    with Lab([Site("birke", ("2016", "2016"), "7.4.4")], pwsh="") as lab:
        names = {host: lab.hosts[host].exchange.name for host in lab.hosts}
        dump(lab, EX1, tmp_path)
        firewall = lab.firewalls["birke"]
        (tmp_path / "fw.conf").write_text(backup(firewall.device), encoding="utf-8")
        before, asked = starts(lab), firewall.requests
        variables = {
            "mailedge_offline_folder": str(tmp_path),
            "mailedge_offline_server": f"{{{{ {names}[inventory_hostname] }}}}",
            "mailedge_fortigate_backup": "fw.conf",
            "mailedge_report_folder": str(tmp_path / "reports"),
        }
        run = play("offline", lab.inventory, variables=variables)
        assert run.code != 0
        assert verdicts(run) == {EX1: "open", EX2: "unknown"}
        told = "\n".join(summary(run))
        assert "less than an hour ago, by the dump birke-ex1.json of " in told
        assert f"No dump of the server {names[EX2]} is in {tmp_path}" in told
        assert "Nobody looks from outside for an offline report" in told
        assert (starts(lab), firewall.requests) == (before, asked)
        assert "by the backup fw.conf" in told
        assert (tmp_path / script.NAME).is_file()
        report = json.loads((tmp_path / "reports" / "latest.json").read_text(encoding="utf-8"))
        assert report["playbook"] == "offline"
        findings = report["sites"]["birke"]["findings"]
        assert [each["layer"] for each in findings if each["what"] == "as_of"] == [
            "exchange",
            "fortigate way in",
        ]


@pytest.mark.long
def test_what_a_run_has_locked_is_in_order_by_its_dump_as_well(tmp_path: pathlib.Path) -> None:
    with Lab([Site("birke", ("2019",))], pwsh="") as lab:
        assert play("apply", lab.inventory, variables=NO_LOOK).code == 0
        dump(lab, EX1, tmp_path)
        variables = {
            "mailedge_offline_folder": str(tmp_path),
            "mailedge_offline_server": lab.hosts[EX1].exchange.name,
        }
        run = play("offline", lab.inventory, variables=variables)
        assert run.code == 0, run.output
        assert verdicts(run) == {EX1: "in order"}
        assert "As of " in summary(run)[0]
