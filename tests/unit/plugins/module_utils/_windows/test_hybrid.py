# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What closes 443 before Exchange Online, and what has to run first."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows import hybrid
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._hybrid import closing

NOTHING: dict[str, t.Any] = {
    "windows_firewall_ports": [],
    "windows_firewall_remote_addresses": [],
    "exchange_publish": ["hybrid"],
    "iis_blocks": [],
}


@pytest.mark.parametrize(
    ("said", "layers"),
    [
        ({}, set()),
        ({"windows_firewall_ports": [25]}, set()),
        ({"windows_firewall_ports": [25, 443]}, {"windows firewall"}),
        (
            {"windows_firewall_ports": [443], "windows_firewall_remote_addresses": ["192.0.2.1"]},
            set(),
        ),
        ({"exchange_publish": ["ews", "autodiscover"]}, set()),
        ({"exchange_publish": ["autodiscover"]}, {"iis"}),
        ({"exchange_publish": []}, {"iis"}),
        ({"exchange_publish": ["hybrid_agent"]}, {"iis"}),
        ({"exchange_publish": [], "iis_blocks": [{"path": "/ecp"}]}, set()),
        ({"exchange_publish": [], "iis_blocks": [{"path": "/EWS/mrsproxy.svc"}]}, {"iis"}),
        ({"exchange_publish": [], "iis_blocks": [{"path": "/EWS", "state": "absent"}]}, set()),
        ({"exchange_publish": ["hybrid"], "iis_blocks": [{"path": "/"}]}, {"iis"}),
    ],
)
def test_which_layers_close_443(said: dict[str, t.Any], layers: set[str]) -> None:
    assert set(closing({**NOTHING, **said})) == layers


AGENT = {"name": "mshybridsvc"}


@pytest.mark.parametrize(
    ("step", "state"),
    [
        ({"ok": True, "objects": [{**AGENT, "exists": True, "status": "Running"}]}, "in order"),
        ({"ok": True, "objects": [{**AGENT, "exists": True, "status": "Stopped"}]}, "drift"),
        ({"ok": True, "objects": [{**AGENT, "exists": False}]}, "drift"),
        ({"ok": True, "objects": [{**AGENT, "exists": None, "error": "denied"}]}, "unknown"),
        ({"ok": True, "objects": []}, "unknown"),
        ({"ok": False}, "unknown"),
        (None, "unknown"),
    ],
)
def test_only_an_agent_that_is_seen_running_is_in_order(step: t.Any, state: str) -> None:
    told, sentence = hybrid.trouble("agent", {"steps": {"hybrid-services": step} if step else {}})
    assert told == state
    assert bool(sentence) is (state != "in order")
