# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs of one site for tests of the playbooks, and what these read from a run."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run
from ansible_collections.mailedge.lockdown.tests.lab.runner import find_pwsh
from ansible_collections.mailedge.lockdown.tests.lab.site import Site

HOST = "birke-ex1"
# Nobody looks from outside where that is not what a test is about.
NO_LOOK = {"mailedge_probe_targets": ""}

STAND_IN = ""
REAL = pytest.param(
    None,
    marks=pytest.mark.skipif(not find_pwsh(), reason="no PowerShell: set PWSH or put pwsh on PATH"),
)


def site(edition: str, pwsh: str | None = STAND_IN) -> Lab:
    return Lab([Site("birke", (edition,))], pwsh=pwsh)


def connectors(lab: Lab) -> tuple[t.Any, t.Any]:
    dump = lab.client().ask("dump", host=HOST)
    return dump["receive_connectors"], dump["send_connectors"]


def recap(run: Run, host: str = HOST) -> dict[str, int]:
    """The numbers of the last line of a run."""
    line = next(line for line in reversed(run.output.splitlines()) if line.startswith(f"{host} "))
    return {
        key: int(value)
        for key, value in (part.split("=") for part in line.split(":", 1)[1].split())
    }


def only(run: Run) -> dict[str, t.Any]:
    """The result of a playbook of one task."""
    assert len(run.tasks) == 1, run.output
    return run.tasks[0].result


def summary(run: Run) -> list[str]:
    """The lines of the report."""
    return t.cast("list[str]", run.of("Say what was found")[-1].result["msg"])


def report(run: Run) -> str:
    """The report of the run, in one text."""
    return "\n".join(summary(run))


def handed_on(run: Run) -> dict[str, t.Any]:
    """The statistics of the run, as a later job of a workflow gets them for variables."""
    stats: dict[str, t.Any] = {}
    for task in run.tasks:
        stats.update(task.result.get("ansible_stats", {"data": {}})["data"])
    return stats
