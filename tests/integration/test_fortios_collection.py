# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's own collection, unmodified, drives the lab's FortiGate: the lab is not only right by
our own opinion.
"""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import fortios_inbound_lock
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    OFFICE,
    PROVIDER,
    PUBLIC,
    STRANGER,
    Firewall,
)

PYTHON = os.environ.get("MAILEDGE_PEER_PYTHON", "")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not PYTHON,
        reason="the vendor's collection is not there: run `make peer` and set MAILEDGE_PEER_PYTHON",
    ),
]


def drive(firewall: Firewall, folder: pathlib.Path, *tasks: tuple[str, dict[str, t.Any]]) -> Run:
    """Run modules of the vendor's collection: (name without its prefix, its own options)."""
    host = {
        "ansible_connection": "ansible.netcommon.httpapi",
        "ansible_network_os": "fortinet.fortios.fortios",
        "ansible_host": "127.0.0.1",
        "ansible_httpapi_port": firewall.server.port,
        "ansible_httpapi_use_ssl": True,
        "ansible_httpapi_validate_certs": False,
    }
    inventory = folder / "hosts.yml"
    inventory.write_text(json.dumps({"all": {"hosts": {"firewall": host}}}), encoding="utf-8")
    shared = {"vdom": "root", "access_token": firewall.server.token}
    listed = [
        {"name": name, f"fortinet.fortios.fortios_{name}": {**shared, **options}}
        for name, options in tasks
    ]
    book = [{"name": "Drive", "hosts": "firewall", "gather_facts": False, "tasks": listed}]
    return play(book, inventory, python=PYTHON)


def changes(run: Run) -> list[bool]:
    assert run.code == 0, run.output
    return [bool(task.result.get("changed")) for task in run.tasks]


def test_made_read_back_and_made_once(firewall: Firewall, tmp_path: pathlib.Path) -> None:
    policy = {
        "policyid": 9,
        "name": "By the vendor",
        "action": "accept",
        "status": "enable",
        "schedule": "always",
        "srcintf": [{"name": "wan1"}],
        "dstintf": [{"name": "internal"}],
        "srcaddr": [{"name": "filters"}],
        "dstaddr": [{"name": "VIP-mail"}],
        "service": [{"name": "SMTP"}],
    }
    tasks = [
        (
            "firewall_address",
            {
                "state": "present",
                "firewall_address": {"name": "filter", "subnet": "198.51.100.0 255.255.255.0"},
            },
        ),
        (
            "firewall_addrgrp",
            {
                "state": "present",
                "firewall_addrgrp": {"name": "filters", "member": [{"name": "filter"}]},
            },
        ),
        ("firewall_policy", {"state": "present", "firewall_policy": policy}),
        (
            "firewall_policy",
            {"action": "move", "self": "9", "before": "1", "firewall_policy": {"policyid": 9}},
        ),
    ]
    assert changes(drive(firewall, tmp_path, *tasks[:3])) == [True, True, True]
    assert firewall.device.rows("root", "firewall/addrgrp")["filters"]["member"] == ["filter"]
    assert changes(drive(firewall, tmp_path, *tasks[:3])) == [False, False, False]
    assert changes(drive(firewall, tmp_path, tasks[3])) == [True]
    assert next(iter(firewall.device.rows("root", "firewall/policy"))) == 9
    # What the vendor's modules have made is what ours read, lock and leave.
    assert firewall.device.admits(STRANGER, PUBLIC, 25)
    lock: dict[str, t.Any] = {
        "name": "birke",
        "vips": ["VIP-mail"],
        "ranges": ["198.51.100.0/24"],
        "own_networks": ["10.20.0.0/16"],
    }
    firewall.done(fortios_inbound_lock, **lock)
    admitted = [
        firewall.device.admits(sender, PUBLIC, 25) for sender in (PROVIDER, OFFICE, STRANGER)
    ]
    assert admitted == [True, True, False]
    assert changes(drive(firewall, tmp_path, *tasks[:3])) == [False, False, False]


def test_what_the_lab_refuses_is_refused_to_the_vendor_as_well(
    firewall: Firewall, tmp_path: pathlib.Path
) -> None:
    group = {
        "state": "present",
        "firewall_addrgrp": {"name": "filters", "member": [{"name": "nobody"}]},
    }
    run = drive(firewall, tmp_path, ("firewall_addrgrp", group))
    assert run.code != 0
    assert "filters" not in firewall.device.rows("root", "firewall/addrgrp")
    used = {"state": "absent", "firewall_vip": {"name": "VIP-mail"}}
    run = drive(firewall, tmp_path, ("firewall_vip", used))
    assert "VIP-mail" in firewall.device.rows("root", "firewall/vip"), run.output
