# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the worker of a host's task finds loaded, so that a run over many hosts is not slow."""

from __future__ import annotations

import pathlib
import pstats

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import COLLECTIONS, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site

# Every layer of the server, each switched on by what a site says of it.
EVERY_LAYER = (
    "mailedge_windows_firewall_ports: [25]\n"
    "mailedge_exchange_publish: [owa]\n"
    "mailedge_windows_tls_enabled: true\n"
    "mailedge_windows_posture_enabled: true\n"
)


@pytest.mark.long
@pytest.mark.core
def test_a_worker_loads_nothing_by_itself(tmp_path: pathlib.Path) -> None:
    profile = tmp_path / "profile"
    with Lab([Site("birke", ("2016",) * 5)], pwsh="") as lab:
        beside = lab.inventory.parent / "group_vars"
        beside.mkdir()
        (beside / "mailedge.yml").write_text(EVERY_LAYER, encoding="utf-8")
        run = play(
            "drift",
            lab.inventory,
            variables={"mailedge_probe_targets": "", "mailedge_fail_on": "never"},
            env={"MAILEDGE_PROFILE": str(profile)},
        )
    assert run.code == 0, run.output
    layers = {name for task in run.tasks for name in run.layers_of(task)}
    assert layers == {
        "exchange",
        "windows firewall",
        "iis",
        "windows tls",
        "windows posture",
    }, run.output
    stats = pstats.Stats(str(profile)).stats  # type: ignore[attr-defined]
    ours = str(COLLECTIONS / "ansible_collections" / "mailedge")
    loaded = [
        file for file, _line, function in stats if function == "<module>" and file.startswith(ours)
    ]
    assert loaded == []
