# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two jobs on one FortiGate, as the playbook runs them: lock, prove, undo what is not proven."""

from __future__ import annotations

import json
import os
import pathlib
import random
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_lease_end,
    fortios_outbound_lock,
    fortios_rollback,
    fortios_snapshots_info,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.machine.firewall import (
    STRANGER,
    Pair,
    lock,
    story,
    way_out,
)
from ansible_collections.mailedge.lockdown.tests.machine.searching import MORE
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Firewall

PAIRS = {
    "the same lock": Pair(lock(), lock()),
    "more ranges": Pair(lock(), lock(ranges=["198.51.100.0/24", "203.0.113.0/25"])),
    "the way in and the way out": Pair(lock(), way_out()),
}
OURS: dict[str, t.Any] = {"run_id": "night42", "lease_minutes": 60}


@pytest.mark.parametrize("name", PAIRS)
def test_two_jobs_of_which_the_proof_of_one_fails(name: str) -> None:
    """It is as if only the other one had run, or that one was refused and nothing is left."""
    pair = PAIRS[name]
    known = {only: story(pair, "", only).configuration for only in ("", "b")}
    chance = random.Random(name)
    writes = story(pair, "", "a", unproven="").events.count("a")
    for number in range(MORE or 4):
        # The first time, the whole of b between what a makes and what it takes back.
        schedule = "".join(chance.choices("ab", k=80)) if number else "a" * writes + "b" * 99
        end = story(pair, schedule, unproven="a")
        refused = end.told["b"]["failed"]
        assert not refused or "undone" not in end.told["b"] or not end.told["b"]["undone"]["failed"]
        assert end.configuration == known["" if refused else "b"], (end.events, end.told)
        assert not end.told["a"].get("undone", {}).get("failed"), end.told["a"]["undone"]
        if not refused and name != "the way in and the way out":
            assert not end.packets[STRANGER, "VIP-mail"], f"{end.events}: open behind a green job"


@pytest.fixture
def firewall(tmp_path: pathlib.Path) -> t.Iterator[Firewall]:
    with FortiGateServer(Device()) as server:
        server.device.seed_mail_site()
        yield Firewall(server, tmp_path)


def lease_file(firewall: Firewall) -> pathlib.Path:
    (file,) = firewall.snapshots.glob("0-lease-*")
    return file


def test_a_run_that_meets_a_lease_is_refused_and_does_not_call_it_in_order(
    firewall: Firewall,
) -> None:
    done = firewall.done(fortios_inbound_lock, **lock()[1], **OURS)
    assert done["lease"]["held"]
    for check in (True, False):
        # The ranges that are let in are strangers to the second one.
        for task, state in ((lock(), "unknown"), (lock(ranges=["203.0.113.0/25"]), "open")):
            refused = firewall.run(task[0], check=check, **task[1])
            assert (refused["failed"], refused["state"]) == (True, state)
            assert "leased by the run night42" in refused["msg"]
    assert firewall.run(fortios_rollback)["failed"]
    listed = firewall.done(fortios_snapshots_info)["snapshots"]
    assert [row["state"] for row in listed] == ["usable"]
    again = firewall.done(fortios_inbound_lock, **lock()[1], **OURS)
    assert not again["changed"]
    assert firewall.done(fortios_lease_end, run_id="night42")["ended"]
    assert not firewall.done(fortios_lease_end, run_id="night42")["ended"]
    assert firewall.done(fortios_inbound_lock, check=True, **lock()[1])["state"] == "in order"


def test_a_lease_is_over_by_the_clock_of_the_device_and_the_late_run_takes_nothing_back(
    firewall: Firewall,
) -> None:
    done = firewall.done(fortios_inbound_lock, **lock()[1], **OURS)
    file = lease_file(firewall)
    held = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(
        json.dumps(
            {**held, "since": "2026-01-01T00:00:00.000Z", "until": "2026-01-01T01:00:00.000Z"}
        )
    )
    # As long as nobody has taken it over, the late run may still take the lock back.
    checked = firewall.done(fortios_inbound_lock, check=True, **lock()[1])
    assert (checked["state"], checked["plan"]) == ("unknown", [])
    assert any("takes over what it made" in warning for warning in checked["warnings"])
    taken = firewall.done(fortios_inbound_lock, **lock()[1])
    assert (taken["state"], taken["changed"]) == ("in order", False)
    assert any("has not ended its lease" in warning for warning in taken["warnings"])
    locked = firewall.dump()
    late = firewall.run(
        fortios_rollback, snapshot=done["snapshot"]["name"], keep_later_changes=True, **OURS
    )
    assert late["failed"]
    assert "nothing of it is taken back" in late["msg"]
    assert firewall.dump() == locked


def test_a_late_run_takes_back_what_nobody_has_taken_over(firewall: Firewall) -> None:
    """A device ends no write by itself, and knows nothing of the lease."""
    first = firewall.dump()
    done = firewall.done(fortios_inbound_lock, **lock()[1], **OURS)
    file = lease_file(firewall)
    held = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(
        json.dumps(
            {**held, "since": "2026-01-01T00:00:00.000Z", "until": "2026-01-01T01:00:00.000Z"}
        )
    )
    assert firewall.done(fortios_inbound_lock, check=True, **lock()[1])["state"] == "unknown"
    firewall.done(
        fortios_rollback, snapshot=done["snapshot"]["name"], keep_later_changes=True, **OURS
    )
    assert firewall.dump() == first


def pipe(path: pathlib.Path) -> None:
    """What a reader waits for without end."""
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "why", "is_put_away"),
    [
        (lambda path: path.write_bytes(b"x" * (1 << 20)), "longer than 64 kB", True),
        (lambda path: path.write_bytes(b"\xff\xfe"), "it is no text", True),
        (pipe, "it is no file", True),
        (lambda path: path.symlink_to("/dev/zero"), "it is no file", True),
        (lambda path: path.symlink_to("nowhere"), "No such file", True),
        (lambda path: path.mkdir(), "Is a directory", False),
    ],
    ids=["long", "binary", "pipe", "device", "dangling", "folder"],
)
def test_a_lease_that_cannot_be_read_is_unknown_and_named_with_what_to_do(
    firewall: Firewall, make: t.Callable[[pathlib.Path], object], why: str, is_put_away: bool
) -> None:
    firewall.done(fortios_inbound_lock, **lock()[1], **OURS)
    file = lease_file(firewall)
    file.unlink()
    make(file)
    before = firewall.dump()
    for check in (True, False):
        told_of = firewall.run(fortios_inbound_lock, check=check, **lock()[1])
        assert (told_of["failed"], told_of["changed"], told_of["state"]) == (True, False, "unknown")
        for part in (
            file.name,
            str(firewall.snapshots),
            why,
            "remove it where no run is at work",
            "leased",
        ):
            assert part in told_of["msg"], part
    assert firewall.dump() == before
    assert not firewall.done(fortios_lease_end, run_id="night42")["ended"]
    over = firewall.run(fortios_inbound_lock, accept_risks=["leased"], **lock()[1])
    if is_put_away:
        assert (over["failed"], over["state"]) == (False, "in order"), over["msg"]
        assert firewall.done(fortios_inbound_lock, check=True, **lock()[1])["state"] == "in order"
    else:
        assert over["failed"]
        assert str(file) in over["msg"]
        assert "Remove what is there" in over["msg"]


def of_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has made the files of the folder is somebody else from now on."""
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    about = os.fstat

    def told(number: int) -> t.Any:
        status = about(number)
        return os.stat_result((*status[:4], 4712, *status[5:10]))

    monkeypatch.setattr(os, "fstat", told)


def test_a_lease_of_another_user_counts(
    firewall: Firewall, monkeypatch: pytest.MonkeyPatch
) -> None:
    firewall.done(fortios_inbound_lock, **lock()[1], **OURS)
    of_another_user(monkeypatch)
    for check in (True, False):
        told_of = firewall.run(fortios_inbound_lock, check=check, **lock()[1])
        assert (told_of["failed"], told_of["state"]) == (True, "unknown")
        assert "leased by the run night42" in told_of["msg"]
    # Nor is it in the way for ever.
    file = lease_file(firewall)
    held = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**held, "ended": True}))
    assert firewall.done(fortios_inbound_lock, check=True, **lock()[1])["state"] == "in order"
    file.write_text("{")
    told_of = firewall.run(fortios_inbound_lock, check=True, **lock()[1])
    assert (told_of["failed"], told_of["state"]) == (True, "unknown")
    assert "belongs to another user (uid 4712)" in told_of["msg"]


def test_a_lease_needs_a_run_and_a_length(firewall: Firewall) -> None:
    wrongs: list[dict[str, t.Any]] = [
        {"lease_minutes": 60},
        {"lease_minutes": 3, "run_id": "night42"},
    ]
    for wrong in wrongs:
        refused = firewall.run(fortios_inbound_lock, **lock()[1], **wrong)
        assert refused["failed"]
        assert "Nothing was sent" in refused["msg"]


def test_a_task_of_the_run_without_a_length_leaves_its_lease_as_it_is(firewall: Firewall) -> None:
    """A play names the run at each task, and the length perhaps at the first one only."""
    first = firewall.dump()
    firewall.done(fortios_inbound_lock, **lock()[1], **OURS)
    before = lease_file(firewall).read_text(encoding="utf-8")
    done = firewall.done(fortios_outbound_lock, **way_out()[1], run_id=OURS["run_id"])
    assert done["changed"]
    assert lease_file(firewall).read_text(encoding="utf-8") == before
    firewall.done(
        fortios_rollback, snapshot=done["snapshot"]["name"], keep_later_changes=True, **OURS
    )
    assert firewall.dump() == first
    assert firewall.done(fortios_lease_end, run_id=OURS["run_id"])["ended"]
