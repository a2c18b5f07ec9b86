# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of what is kept: newest first, few lines, and no name that forges one."""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.lines import detail_lines
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.snapshots import (
    FOREIGN,
    UNREADABLE,
    Kept,
    as_result,
    kept,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    MANAGED,
    HostVerdict,
    Part,
    record,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.snapshot import Held
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.tables import Tables

OLD, NEW = "20260114T101500.250Z-4f1c2a-apply.json", "20260115T101500.250Z-5f1c2a-rollback.json"


def test_newest_first_and_long_lists_are_counted() -> None:
    restores = tuple(f"the receive connector '{number}': enabled" for number in range(7))
    old = Kept(OLD, time="2026-01-14T10:15:00Z", reason="apply", run_id="4f1c2a", restores=restores)
    result = as_result(
        [old, Kept(NEW, time="2026-01-15T10:15:00Z", reason="rollback")], "connectors", "a folder"
    )
    assert [snapshot["name"] for snapshot in result["snapshots"]] == [NEW, OLD]
    assert result["snapshots"][1]["restores"] == list(restores)
    assert result["lines"] == [
        "connectors, in a folder: 2 snapshots, newest first",
        f"  {NEW}  2026-01-15T10:15:00Z, before a rollback",
        f"  {OLD}  2026-01-14T10:15:00Z, before an apply, run 4f1c2a",
        *(f"    restores {text}" for text in restores[:4]),
        "    ... and 3 more.",
    ]


def test_a_file_that_must_not_be_used_is_named_with_its_reason_and_is_no_snapshot() -> None:
    none = Tables[object, str]({})
    reasons = {
        Held("notes.txt", "{}"): (FOREIGN, "No run of this collection gives a file such a name."),
        Held(OLD, "{}", "It belongs to S-1-5-21-7."): (FOREIGN, "It belongs to S-1-5-21-7."),
        Held(OLD, "", unread="it is locked"): (UNREADABLE, "It could not be read: it is locked."),
    }
    for held, (state, why) in reasons.items():
        assert kept(held, "exchange", none, lambda origin: "") == Kept(held.name, state, why=why)
    cut = kept(Held(OLD, '{"format": 2'), "exchange", none, lambda origin: "")
    assert cut is not None
    assert cut.state == UNREADABLE


def test_a_file_name_cannot_forge_a_line() -> None:
    lines = as_result(
        [Kept("x\nbirke: in order.json", UNREADABLE, why="It is none.")], "firewall", "there"
    )["lines"]
    assert lines == [
        "firewall, in there: no snapshot",
        "  x\\nbirke: in order.json  unreadable: It is none.",
    ]
    forged = Kept(OLD, time="2026", reason="apply", restores=("x\nbirke: in order.",))
    assert "    restores x\\nbirke: in order." in as_result([forged], "firewall", "there")["lines"]


def test_what_was_listed_is_told_and_what_could_not_be_read_is_unknown() -> None:
    def told(**result: object) -> HostVerdict:
        layer_record = record("exchange", "ex1", Part(MANAGED), result, playbook="snapshots")
        assert layer_record
        return HostVerdict("ex1", "birke", (layer_record,))

    listed = told(changed=False, lines=["connectors, in there: no snapshot"])
    assert listed.state == "listed"
    assert not listed.breaks("snapshots")
    assert detail_lines(listed, "snapshots", check_mode=False, verbose=False) == [
        "ex1:",
        "  connectors, in there: no snapshot",
    ]
    for failed in (
        {"failed": True, "msg": "It broke."},
        {"unreachable": True, "msg": "It is gone."},
    ):
        assert told(**failed).state == "unknown"
        assert told(**failed).breaks("snapshots")
