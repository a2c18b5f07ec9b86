# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fortios_range_feed against the lab's FortiGate."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_range_feed,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Firewall

FEED = "system/external-resource"
RANGES = ["198.51.100.0/24", "203.0.113.7", "2001:db8:100::/48"]
URL = "https://lists.example/mailedge/birke-ipv4.txt"
PUSHED: dict[str, t.Any] = {"name": "birke-provider", "mode": "push", "ranges": RANGES}
POLLED: dict[str, t.Any] = {"name": "birke-provider", "mode": "poll", "url": URL}
CANARY = "canary-of-a-password"


def running(tmp_path: pathlib.Path, **options: t.Any) -> t.Iterator[Firewall]:
    with FortiGateServer(Device(**options)) as server:
        yield Firewall(server, tmp_path / "snapshots")


@pytest.fixture
def firewall(tmp_path: pathlib.Path) -> t.Iterator[Firewall]:
    yield from running(tmp_path)


@pytest.fixture
def older(tmp_path: pathlib.Path) -> t.Iterator[Firewall]:
    yield from running(tmp_path, version="v7.0.14")


def test_pushed_read_back_and_pushed_once(firewall: Firewall) -> None:
    before = firewall.dump()
    assert firewall.done(fortios_range_feed, **PUSHED, check=True)["changed"]
    assert firewall.dump() == before
    firewall.done(fortios_range_feed, **PUSHED)
    held = firewall.device.feed_entries("root", "birke-provider")
    assert held is not None
    assert set(held) == {"198.51.100.0/24", "203.0.113.7/32", "2001:db8:100::/48"}
    again = firewall.done(fortios_range_feed, **PUSHED)
    assert not again["changed"]
    assert again["entries"] == 3
    assert again["cost"] == {"requests": 4}


def test_pushed_anew_where_the_device_has_lost_it(firewall: Firewall) -> None:
    firewall.done(fortios_range_feed, **PUSHED)
    firewall.device.configs["root"].entries.clear()
    assert firewall.done(fortios_range_feed, **PUSHED)["changed"]
    assert len(firewall.device.feed_entries("root", "birke-provider") or ()) == 3


def test_a_changed_list_is_rolled_back(firewall: Firewall) -> None:
    firewall.done(fortios_range_feed, **PUSHED)
    before = firewall.dump()
    changed = firewall.done(fortios_range_feed, **{**PUSHED, "ranges": RANGES[:1]}, diff=True)
    assert "198.51.100.0/24" in changed["diff"]["after"]
    firewall.done(fortios_rollback)
    assert firewall.dump() == before


def test_removed_and_given_back_with_what_it_held(firewall: Firewall) -> None:
    firewall.done(fortios_range_feed, **PUSHED)
    before = firewall.dump()
    firewall.done(fortios_range_feed, name="birke-provider", state="absent")
    assert firewall.device.feed_entries("root", "birke-provider") is None
    firewall.done(fortios_rollback)
    assert firewall.dump() == before


def test_polled_with_a_login_that_is_in_nothing_that_is_kept(firewall: Firewall) -> None:
    login = {**POLLED, "username": "poller", "password": CANARY}
    made = firewall.done(fortios_range_feed, **login, diff=True)
    assert firewall.device.rows("root", FEED)["birke-provider"]["password"] == CANARY
    assert not firewall.done(fortios_range_feed, **login)["changed"]
    anew = firewall.done(
        fortios_range_feed, **{**login, "password": "another"}, update_password="always", diff=True
    )
    assert anew["changed"]
    firewall.done(fortios_rollback, snapshot=anew["snapshot"]["name"])
    # The device does not tell a password, so that none can be given back; a mask in its place would
    # be worse.
    assert firewall.device.rows("root", FEED)["birke-provider"]["password"] == "another"
    kept = "".join(path.read_text(encoding="utf-8") for path in firewall.snapshots.iterdir())
    assert CANARY not in f"{made}{anew}{kept}"
    assert "another" not in f"{anew}{kept}"


def test_a_feed_that_holds_nothing_is_told(firewall: Firewall) -> None:
    firewall.done(fortios_range_feed, **POLLED)
    result = firewall.done(fortios_range_feed, **POLLED)
    assert [finding["id"] for finding in result["guards"]] == ["feed_empty"]
    assert result["warnings"]


def test_an_older_fortios_is_told_what_it_can(older: Firewall) -> None:
    before = older.dump()
    failed = older.run(fortios_range_feed, **PUSHED)
    assert failed["failed"]
    assert "7.2.1" in failed["msg"]
    assert older.dump() == before
    assert older.done(fortios_range_feed, **POLLED)["changed"]
    assert not older.done(fortios_range_feed, **POLLED)["changed"]


def test_somebody_elses_feed_is_left(firewall: Firewall) -> None:
    firewall.device.configs["root"].create(
        FEED, {"name": "birke-provider", "type": "address", "resource": URL}
    )
    before = firewall.dump()
    for options in (PUSHED, POLLED, {"name": "birke-provider", "state": "absent"}):
        failed = firewall.run(fortios_range_feed, **options)
        assert failed["failed"]
        assert "taken" in failed["msg"]
    assert firewall.dump() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "push", "ranges": []}, "needs ranges"),
        ({"mode": "push"}, "needs ranges"),
        ({"mode": "poll"}, "needs the url"),
        ({"mode": "poll", "url": "ftp://lists.example/x"}, "not an http or https"),
        ({"mode": "poll", "url": f"https://lists.example/{'x' * 600}"}, "longer than"),
        ({"mode": "poll", "url": URL, "refresh_rate": 0}, "refresh_rate"),
        ({"mode": "push", "ranges": ["nothing"]}, "nothing"),
        ({"name": "x" * 36, "mode": "poll", "url": URL}, "cannot be the name"),
        ({"mode": "push", "ranges": ["0.0.0.0/0"]}, "range_too_wide"),
    ],
)
def test_bad_input_changes_nothing(
    firewall: Firewall, options: dict[str, t.Any], words: str
) -> None:
    before = firewall.dump()
    failed = firewall.run(fortios_range_feed, **{"name": "birke-provider", **options})
    assert failed["failed"]
    assert words in failed["msg"]
    assert firewall.dump() == before
