# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modes in which policies mean something else, or in which a change does not stay."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_address_group,
    fortios_inbound_lock,
    fortios_info,
    fortios_outbound_lock,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.catalogue import run_all
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.check import Evidence
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    LOCK,
    OUT,
    POLICY,
    STRANGER,
    Firewall,
    locked,
    meets,
    refs,
    running,
)

GROUP: dict[str, t.Any] = {"name": "partners", "ranges": ["192.0.2.0/25"]}
JUDGING: list[tuple[t.Any, dict[str, t.Any]]] = [
    (fortios_info, {}),
    (fortios_inbound_lock, LOCK),
    (fortios_outbound_lock, OUT),
]


def ids(result: dict[str, t.Any]) -> list[str]:
    return [finding["id"] for finding in result.get("guards", ())]


@pytest.mark.parametrize("version", ["v6.2.9", "v7.4.4"])
def test_policies_that_do_not_decide_are_not_judged(tmp_path: pathlib.Path, version: str) -> None:
    for firewall in running(tmp_path, version=version):
        modes = firewall.device.modes
        firewall.done(fortios_inbound_lock, **LOCK)
        assert locked(firewall)
        before = firewall.dump()
        if version == "v6.2.9":
            modes.consolidated = True
        else:
            modes.ngfw = "policy-based"
        assert meets(firewall, STRANGER), "as the other tables have it"
        for question, options in JUDGING:
            for check in (True, False):
                result = firewall.run(question, **options, check=check)
                assert result["failed"]
                assert "which this collection does not read" in result["msg"]
                assert "state" not in result
        assert firewall.dump() == before
        # A group of addresses is one in every mode.
        assert not firewall.run(fortios_address_group, **GROUP)["failed"]


def test_central_nat_has_the_address_in_the_policies(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    config.create("firewall/address", {"name": "server", "subnet": "10.20.1.11/32"})
    for key in ("1", "2"):
        config.update(POLICY, key, {"dstaddr": refs("server")})
    firewall.device.modes.central_nat = True
    assert meets(firewall, STRANGER)
    failed = firewall.run(fortios_inbound_lock, **LOCK)
    assert "With central NAT" in failed["msg"]
    assert "in addresses" in failed["msg"]
    looked = firewall.done(fortios_info)
    told = looked["exposure"]
    assert told == ["everybody → port 25 of 10.20.1.11, by policy 1 'Mail in'"]
    assert run_all(Evidence(firewall=looked))["firewall_central_nat"]["status"] == "success"
    firewall.device.modes.shows_match_vip = True
    looked = firewall.done(fortios_info)
    assert run_all(Evidence(firewall=looked))["firewall_central_nat"]["status"] == "failure"
    firewall.device.modes.shows_match_vip = False
    by_address = {**LOCK, "vips": [], "addresses": ["10.20.1.11"]}
    before = firewall.dump()
    firewall.done(fortios_inbound_lock, **by_address)
    assert locked(firewall)
    assert not firewall.done(fortios_inbound_lock, **by_address)["changed"]
    firewall.done(fortios_rollback)
    assert firewall.dump() == before
    # The same with a fence, which has nothing to say about virtual IPs.
    config.update(POLICY, "1", {"service": refs("ALL")})
    firewall.done(fortios_inbound_lock, **by_address)
    assert locked(firewall)
    assert meets(firewall, STRANGER, 443)
    firewall.done(fortios_outbound_lock, **OUT)
    assert not firewall.done(fortios_outbound_lock, **OUT)["changed"]


def test_a_change_that_will_be_undone_stops_with_the_time(firewall: Firewall) -> None:
    firewall.device.modes.saves = "revert"
    before = firewall.dump()
    for called, options in (*JUDGING[1:], (fortios_address_group, GROUP)):
        failed = firewall.run(called, **options)
        assert failed["failed"]
        assert ids(failed)[0] == "will_be_undone"
        assert "will be undone at" in failed["msg"]
        assert "600 seconds" in failed["msg"]
    assert firewall.dump() == before
    firewall.done(fortios_inbound_lock, **LOCK, accept_risks=["will_be_undone"])
    # Nothing is to be changed, so that nothing is undone.
    assert not ids(firewall.done(fortios_inbound_lock, **LOCK))


def test_what_becomes_of_a_change_is_told(firewall: Firewall) -> None:
    firewall.device.modes.saves, firewall.device.modes.manager = "manual", "192.0.2.9"
    checked = firewall.done(fortios_inbound_lock, **LOCK, check=True)
    result = firewall.done(fortios_inbound_lock, **LOCK)
    assert ids(checked) == ids(result) == ["saved_by_hand", "managed_elsewhere"]
    assert any("FortiManager 192.0.2.9: its next install" in text for text in result["warnings"])
    assert any("a reboot undoes" in text for text in result["warnings"])
    facts = result["device"]
    assert (facts["saves"], facts["managed_by"], facts["central_nat"]) == (
        "manual",
        "fortimanager",
        False,
    )
    assert not ids(firewall.done(fortios_inbound_lock, **LOCK))
    firewall.device.modes.manager_mode = "backup"
    assert ids(firewall.done(fortios_rollback)) == ["saved_by_hand"]


def test_a_cluster_is_told_and_no_warning(firewall: Firewall) -> None:
    firewall.device.modes.cluster = "a-p"
    result = firewall.done(fortios_inbound_lock, **LOCK)
    assert result["device"]["cluster"] == "a-p"
    assert not ids(result)


CAUSES = {
    "not allowed": ({"fail": {"GET {}": -37}}, "The API user may not read {}", "sysgrp"),
    "not there": (
        {"gone": ("{}",)},
        "The device says that it has no {} (error -3, HTTP 404)",
        "by hand",
    ),
    "failed": (
        {"fail": {"GET {}": -1}},
        "The device failed to read {} (error -1, HTTP 424)",
        "Run it again",
    ),
}


def armed(firewall: Firewall, faults: dict[str, t.Any], *tables: str) -> None:
    """The faults, each for all of the tables."""
    fail = {
        name.format(table): code
        for name, code in faults.get("fail", {}).items()
        for table in tables
    }
    firewall.server.arm(
        fail=fail,
        gone=tuple(pattern.format(table) for pattern in faults.get("gone", ()) for table in tables),
    )


@pytest.mark.parametrize(("faults", "told", "remedy"), CAUSES.values(), ids=CAUSES)
def test_what_cannot_be_read_is_told_with_its_cause(
    firewall: Firewall, faults: dict[str, t.Any], told: str, remedy: str
) -> None:
    armed(firewall, faults, "system/settings")
    failed = firewall.run(fortios_inbound_lock, **LOCK)
    assert ids(failed) == ["mode_unread"]
    assert told.format("system/settings") in failed["msg"]
    assert remedy in failed["msg"]
    assert any(remedy in text for text in firewall.done(fortios_info)["warnings"])
    firewall.done(fortios_inbound_lock, **LOCK, accept_risks=["mode_unread"])
    armed(firewall, faults, "system/global", "system/central-management")
    assert not ids(firewall.done(fortios_inbound_lock, **LOCK))
    result = firewall.done(fortios_rollback)
    assert ids(result) == ["saving_unread"]
    assert told.format("system/global and system/central-management") in result["warnings"][0]
    assert "whether FortiManager replaces them" in result["warnings"][0]


def test_each_cause_has_its_own_sentence(firewall: Firewall) -> None:
    firewall.server.arm(fail={"GET system/global": -37}, gone=("system/central-management",))
    result = firewall.done(fortios_inbound_lock, **LOCK)
    assert ids(result) == ["saving_unread"] * 2
    refused, gone = result["warnings"]
    assert "may not read system/global" in refused
    assert "FortiManager" not in refused
    assert "has no system/central-management" in gone
    assert "may not" not in gone


@pytest.mark.parametrize("saves", ["workspace", ""])
def test_a_save_mode_that_is_not_known_is_told(firewall: Firewall, saves: str) -> None:
    firewall.device.modes.saves = saves
    result = firewall.done(fortios_inbound_lock, **LOCK)
    assert ids(result) == ["saving_unread"]
    assert "cfg-save" in result["warnings"][0]
    assert "whether changes are saved" in result["warnings"][0]
    assert not ids(firewall.done(fortios_inbound_lock, **LOCK))


@pytest.mark.parametrize("version", ["v6.2.9", "v7.4.4"])
def test_what_a_colleague_has_open_in_a_workspace_is_locked_and_named(
    tmp_path: pathlib.Path, version: str
) -> None:
    for firewall in running(tmp_path, version=version):
        firewall.device.workspaces = {POLICY}
        before = firewall.dump()
        failed = firewall.run(fortios_inbound_lock, **LOCK)
        assert failed["failed"]
        for part in ("workspace", "execute config-transaction", "run it again", "is not in force"):
            assert part in failed["msg"]
        assert firewall.dump()["tables"][POLICY] == before["tables"][POLICY]
        assert meets(firewall, STRANGER)
        firewall.device.workspaces = set()
        firewall.done(fortios_inbound_lock, **LOCK)
        assert locked(firewall)
        # Where nothing is to be written, it is in nobody's way.
        firewall.device.workspaces = {POLICY}
        assert firewall.done(fortios_inbound_lock, **LOCK)["state"] == "in order"
