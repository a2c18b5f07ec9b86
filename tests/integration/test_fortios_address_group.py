# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fortios_address_group and fortios_rollback against the lab's FortiGate."""

from __future__ import annotations

import ipaddress
import os
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_address_group,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Firewall

ADDRESS, ADDRESS6, GROUP, GROUP6 = (
    "firewall/address",
    "firewall/address6",
    "firewall/addrgrp",
    "firewall/addrgrp6",
)
BOTH = ["198.51.100.0/24", "203.0.113.7", "2001:db8:100::/48"]


def many(count: int) -> list[str]:
    first = int(ipaddress.IPv4Address("198.18.0.0"))
    return [str(ipaddress.IPv4Address(first + 2 * number)) for number in range(count)]


def flat(device: Device, group: str, path: str = GROUP) -> set[str]:
    """The names of the addresses of a group, however deep."""
    rows = device.rows("root", path)
    members: set[str] = set()
    for member in rows[group]["member"]:
        members |= flat(device, member, path) if member in rows else {member}
    return members


def test_made_shown_and_made_once(firewall: Firewall) -> None:
    before = firewall.dump()
    checked = firewall.done(
        fortios_address_group, name="filter", ranges=BOTH, check=True, diff=True
    )
    assert checked["changed"]
    assert firewall.dump() == before
    made = firewall.done(fortios_address_group, name="filter", ranges=BOTH, diff=True)
    assert made["plan"] == checked["plan"]
    assert made["diff"] == checked["diff"]
    rows = firewall.device.rows
    assert rows("root", ADDRESS)["filter-198.51.100.0_24"]["subnet"] == "198.51.100.0 255.255.255.0"
    assert set(rows("root", GROUP)["filter"]["member"]) == {
        "filter-198.51.100.0_24",
        "filter-203.0.113.7",
    }
    assert rows("root", GROUP6)["filter-v6"]["member"] == ["filter-2001-db8-100--_48"]
    firewall.server.reset_counters()
    again = firewall.done(fortios_address_group, name="filter", ranges=list(reversed(BOTH)))
    assert not again["changed"]
    assert again["plan"] == []
    assert again["cost"] == {"requests": 6}
    assert {method for method, _path, _status in firewall.server.log} == {"GET"}


def test_what_differs_is_told_by_names_until_it_is_written(firewall: Firewall) -> None:
    wanted = {"name": "filter", "ranges": ["198.51.100.0/24", "203.0.113.7"]}
    checked = firewall.done(fortios_address_group, check=True, **wanted)
    told = {(each["object"], each["action"]) for each in checked["differences"]}
    assert told == {
        ("filter-198.51.100.0_24", "create"),
        ("filter-203.0.113.7", "create"),
        ("filter", "create"),
    }
    assert {each["noun"] for each in checked["differences"]} == {"address", "address group"}
    assert "differences" not in firewall.done(fortios_address_group, **wanted)
    assert "differences" not in firewall.done(fortios_address_group, check=True, **wanted)
    firewall.device.rows("root", GROUP)["filter"]["member"].pop()
    [group] = firewall.done(fortios_address_group, check=True, **wanted)["differences"]
    assert (group["action"], group["properties"]) == ("modify", ["member"])


def test_nothing_to_change_costs_three_requests_whatever_the_size(firewall: Firewall) -> None:
    ranges = many(600)
    firewall.device.group_members = 100
    firewall.done(fortios_address_group, name="filter", ranges=ranges, group_size=100)
    again = firewall.done(fortios_address_group, name="filter", ranges=ranges, group_size=100)
    assert not again["changed"]
    assert again["cost"] == {"requests": 5}
    assert len(flat(firewall.device, "filter")) == 600


def test_a_range_that_goes_and_one_that_comes(firewall: Firewall) -> None:
    ranges = many(500)
    firewall.done(fortios_address_group, name="filter", ranges=ranges, group_size=200)
    parts = {key: list(row["member"]) for key, row in firewall.device.rows("root", GROUP).items()}
    changed = firewall.done(
        fortios_address_group, name="filter", ranges=[*ranges[1:], "192.0.2.1"], group_size=200
    )
    assert len(changed["plan"]) == 3, changed["plan"]
    assert "filter-192.0.2.1" in flat(firewall.device, "filter")
    assert "filter-198.18.0.0" not in firewall.device.rows("root", ADDRESS)
    now = {key: list(row["member"]) for key, row in firewall.device.rows("root", GROUP).items()}
    assert sum(now[key] != parts[key] for key in parts) == 1


def test_more_members_than_the_model_takes(firewall: Firewall) -> None:
    firewall.device.group_members = 20
    failed = firewall.run(fortios_address_group, name="filter", ranges=many(40))
    assert failed["failed"]
    assert "group_size" in failed["msg"]
    assert "restore the previous state with the snapshot" in failed["msg"]
    assert firewall.done(fortios_address_group, name="filter", ranges=many(40), group_size=20)[
        "changed"
    ]
    assert len(flat(firewall.device, "filter")) == 40


def test_what_somebody_else_uses_stays(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    firewall.done(fortios_address_group, name="filter", ranges=BOTH)
    config.create(GROUP, {"name": "of the colleague", "member": [{"name": "filter-203.0.113.7"}]})
    left = firewall.done(fortios_address_group, name="filter", ranges=["198.51.100.0/24"])
    assert "filter-203.0.113.7" in firewall.device.rows("root", ADDRESS)
    assert any("filter-203.0.113.7" in warning for warning in left["warnings"])
    assert flat(firewall.device, "filter") == {"filter-198.51.100.0_24"}


@pytest.mark.parametrize("path", [ADDRESS, GROUP, "firewall/vip"])
@pytest.mark.parametrize("name", ["filter", "filter-203.0.113.7"])
def test_a_name_that_is_taken(firewall: Firewall, path: str, name: str) -> None:
    row = {"member": [{"name": "all"}]} if path == GROUP else {}
    firewall.device.configs["root"].create(path, {"name": name, "comment": "of a colleague", **row})
    before = firewall.dump()
    failed = firewall.run(fortios_address_group, name="filter", ranges=BOTH)
    assert failed["failed"]
    assert f"The name '{name}' is taken" in failed["msg"]
    assert firewall.dump() == before


def test_nothing_of_anybody_else_is_touched(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    config.create(
        ADDRESS,
        {"name": "filter-10.9.9.9", "subnet": "10.9.9.9/32", "comment": "the printer's filter"},
    )
    before = firewall.dump()
    firewall.done(fortios_address_group, name="filter", ranges=BOTH)
    firewall.done(fortios_address_group, name="filter", state="absent")
    assert firewall.dump() == before


def test_rolled_back_and_rolled_back_again(firewall: Firewall) -> None:
    before = firewall.dump()
    firewall.done(fortios_address_group, name="filter", ranges=BOTH)
    between = firewall.dump()
    second = firewall.done(fortios_address_group, name="filter", ranges=many(300))
    firewall.done(fortios_rollback)
    assert firewall.dump() == between
    assert not firewall.done(fortios_rollback)["changed"]
    first = sorted(os.listdir(firewall.snapshots))[0]
    assert first != second["snapshot"]["name"]
    firewall.done(fortios_rollback, snapshot=first)
    assert firewall.dump() == before


def test_original_is_the_state_before_the_first_of_several_changes(firewall: Firewall) -> None:
    before = firewall.dump()
    first = firewall.done(fortios_address_group, name="filter", ranges=BOTH)["snapshot"]["name"]
    for ranges in (many(30), many(60)):
        last = firewall.done(fortios_address_group, name="filter", ranges=ranges)["snapshot"][
            "name"
        ]
    back = firewall.done(fortios_rollback)
    assert back["restored"] == last
    assert back["further"][-1] == first
    assert len(back["further"]) == 2
    assert firewall.dump() != before
    planned = firewall.done(fortios_rollback, check=True, snapshot="original")["plan"]
    back = firewall.done(fortios_rollback, snapshot="original")
    assert back["plan"] == planned
    assert (back["restored"], back["further"]) == ("original", [])
    assert firewall.dump() == before
    assert not firewall.done(fortios_rollback, snapshot="original")["changed"]


def test_the_snapshot_is_for_its_user_only_and_can_come_from_the_result(
    firewall: Firewall, tmp_path: pathlib.Path
) -> None:
    before = firewall.dump()
    made = firewall.done(fortios_address_group, name="filter", ranges=BOTH)
    kept = firewall.snapshots / made["snapshot"]["name"]
    assert kept.stat().st_mode & 0o077 == 0
    assert firewall.snapshots.stat().st_mode & 0o077 == 0
    kept.unlink()
    firewall.done(fortios_rollback, content=made["snapshot"]["content"])
    assert firewall.dump() == before


def test_a_snapshot_of_another_device_is_refused(firewall: Firewall) -> None:
    made = firewall.done(fortios_address_group, name="filter", ranges=BOTH)
    path = firewall.snapshots / made["snapshot"]["name"]
    text = path.read_text(encoding="utf-8").replace(
        f"127.0.0.1:{firewall.server.port}", "192.0.2.1:443"
    )
    path.write_text(text.replace(firewall.device.serial, "FGTLAB0000000002"), encoding="utf-8")
    before = firewall.dump()
    failed = firewall.run(fortios_rollback, snapshot=made["snapshot"]["name"])
    assert failed["failed"]
    assert "FGTLAB0000000002" in failed["msg"]
    assert "no snapshot" in firewall.run(fortios_rollback)["msg"]
    assert firewall.dump() == before


def test_a_snapshot_survives_a_failover_which_is_told(firewall: Firewall) -> None:
    before = firewall.dump()
    firewall.done(fortios_address_group, name="filter", ranges=BOTH)
    firewall.device.serial = "FGTLAB0000000002"
    back = firewall.done(fortios_rollback)
    assert firewall.dump() == before
    assert "another member of a cluster" in " ".join(back["warnings"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ranges": []}, "ranges is empty"),
        ({"ranges": ["198.51.100.0/33"]}, "198.51.100.0/33"),
        ({"ranges": ["filter.example"]}, "filter.example"),
        ({"ranges": [""]}, "empty"),
        ({"ranges": ["198.51.100.0\u201324"]}, "198.51.100.0"),
        ({"name": "a/b", "ranges": BOTH}, "cannot be the name"),
        ({"name": "", "ranges": BOTH}, "cannot be the name"),
        ({"name": "x" * 25, "ranges": BOTH}, "cannot be the name"),
        ({"name": "näme", "ranges": BOTH}, "cannot be the name"),
        ({"group_size": 0, "ranges": BOTH}, "group_size"),
        ({"ranges": BOTH, "accept_risks": ["sleep"]}, "no guard"),
        ({"ranges": BOTH, "run_id": "../../x"}, "letters and digits"),
        ({"state": "present"}, "ranges"),
    ],
)
def test_bad_input_changes_nothing(
    firewall: Firewall, options: dict[str, t.Any], words: str
) -> None:
    before = firewall.dump()
    failed = firewall.run(fortios_address_group, **{"name": "filter", **options})
    assert failed["failed"]
    assert words in failed["msg"]
    assert firewall.dump() == before


@pytest.mark.parametrize(
    ("wide", "guard"), [("0.0.0.0/0", "range_too_wide"), ("10.0.0.0/8", "private_range")]
)
def test_ranges_that_no_provider_has_stop_a_run(firewall: Firewall, wide: str, guard: str) -> None:
    failed = firewall.run(fortios_address_group, name="filter", ranges=[wide])
    assert failed["failed"]
    assert guard in failed["msg"]
    risks = [finding["id"] for finding in failed["guards"]]
    assert firewall.done(fortios_address_group, name="filter", ranges=[wide], accept_risks=risks)[
        "changed"
    ]


@pytest.mark.long
def test_cut_at_every_request_and_run_again(firewall: Firewall) -> None:
    """Whichever request is the last: a second run finishes the work, and a rollback of the first
    snapshot gives everything back.
    """
    ranges = [*many(6), "2001:db8:100::/48"]
    for fault in ("cut_before", "cut_after", "reboot_after"):
        for number in range(1, 40):
            before = firewall.dump()
            firewall.server.arm(**{fault: number})
            result = firewall.run(fortios_address_group, name="filter", ranges=ranges, group_size=3)
            firewall.server.arm()
            if result["failed"]:
                assert "cannot be reached" in result["msg"]
            firewall.done(fortios_address_group, name="filter", ranges=ranges, group_size=3)
            assert len(flat(firewall.device, "filter")) == 6
            for name in sorted(os.listdir(firewall.snapshots), reverse=True):
                firewall.done(fortios_rollback, snapshot=name)
                (firewall.snapshots / name).unlink()
            for name in os.listdir(firewall.snapshots):
                (firewall.snapshots / name).unlink()
            assert firewall.dump() == before, (fault, number)
            if result["cost"]["requests"] < number:
                break
        else:
            raise AssertionError(f"{fault} never let a run through.")


def test_two_runs_share_the_snapshot_of_one_apply(firewall: Firewall) -> None:
    before = firewall.dump()
    name = "abcdef"
    firewall.done(fortios_address_group, name="one", ranges=BOTH, run_id=name)
    firewall.done(fortios_address_group, name="two", ranges=BOTH, run_id=name)
    made = firewall.done(fortios_address_group, name="two", ranges=BOTH[:1], run_id=name)
    firewall.done(fortios_rollback, snapshot=made["snapshot"]["name"])
    assert firewall.dump() == before


def test_secrets_are_in_no_result(firewall: Firewall) -> None:
    result = firewall.done(fortios_address_group, name="filter", ranges=BOTH, diff=True)
    kept = (firewall.snapshots / result["snapshot"]["name"]).read_text(encoding="utf-8")
    assert firewall.server.token not in f"{result}{kept}"
