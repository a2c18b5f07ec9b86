# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Windows modules as a user runs them: by ansible-playbook, over the host's own WinRM
connection.
"""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost
from ansible_collections.mailedge.lockdown.tests.lab.playing import play

BOOK = """
- hosts: birke-ex1
  gather_facts: false
  tasks:
    - name: look
      mailedge.lockdown.windows_posture_info:
        accept_findings: [exchange_build]
    - name: check
      mailedge.lockdown.windows_tls:
      check_mode: true
      diff: true
    - name: make
      mailedge.lockdown.windows_tls:
      register: made
    - name: repeat
      mailedge.lockdown.windows_tls:
    - name: give back
      mailedge.lockdown.windows_tls:
        snapshot: "{{ made.snapshot.name }}"
    - name: refuse
      mailedge.lockdown.windows_tls:
        accept_risks: [everything]
      ignore_errors: true
"""


@pytest.mark.core
def test_a_play_looks_sets_repeats_and_gives_back(lab: Lab, host: LabHost) -> None:
    registry = host.exchange.windows.registry
    start = registry.shown()
    run = play(yaml.safe_load(BOOK), lab.inventory)
    assert run.code == 0, run.output
    told = {task.task: task.result for task in run.tasks}
    assert told["look"]["findings"][0]["severity"] == "critical"
    assert {finding["id"] for finding in told["look"]["findings"] if finding["accepted"]} == {
        "exchange_build"
    }
    assert told["look"]["cost"] == {"powershell_starts": 1, "exchange_shells": 0}
    assert [told[name]["changed"] for name in ("look", "check", "make", "repeat", "give back")] == [
        False,
        True,
        True,
        False,
        True,
    ]
    assert "missing" in told["check"]["diff"]["before"]
    assert told["make"]["restart_needed"]
    assert "which is no guard" in told["refuse"]["msg"]
    assert registry.shown() == start
