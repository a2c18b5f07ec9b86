# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a FortiGate's steps, and what takes effect together, by packets at every request."""

from __future__ import annotations

import datetime
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.snapshot import (
    Snapshot,
    stamp,
)
from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    LOCK,
    OFFICE,
    POLICY,
    PROVIDER,
    PUBLIC,
    STRANGER,
    Firewall,
    locked,
    policy,
    refs,
    running,
)

OTHER, WITHOUT, WITH = "203.0.113.81", "v6.2.9", "v7.4.4"
PACKETS = [(sender, to) for sender in (STRANGER, PROVIDER, OFFICE) for to in (PUBLIC, OTHER)]
BOTH = {**LOCK, "vips": ["VIP-mail", "VIP-both"]}


@pytest.fixture
def firewall(tmp_path: pathlib.Path) -> t.Iterator[Firewall]:
    yield from running(tmp_path, version=WITHOUT)


def second_door(firewall: Firewall) -> None:
    """A virtual IP of all ports beside the one of the mail, and a policy for all of it."""
    config = firewall.device.configs["root"]
    server = {"extip": OTHER, "mappedip": [{"range": "10.20.1.11"}], "extintf": "wan1"}
    config.create("firewall/vip", {"name": "VIP-both", **server})
    policy(firewall, "Server in", dstaddr=refs("VIP-both"), service=refs("ALL"))


def watched(firewall: Firewall, called: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """A run; at every request each packet goes as before or as after it."""
    moments: list[dict[tuple[str, str], bool]] = []

    def now() -> dict[tuple[str, str], bool]:
        return {packet: firewall.device.admits(*packet, 25) for packet in PACKETS}

    before = now()
    firewall.server.changed = lambda: moments.append(now())
    result = firewall.run(called, **options)
    firewall.server.changed = lambda: None
    after = now()
    for moment in moments:
        for packet, through in moment.items():
            ends = (before[packet], after[packet])
            assert all(ends) <= through <= any(ends), (packet, ends, result["plan"])
    return result


def test_a_door_that_leaves_the_lock_is_open_all_the_time(firewall: Firewall) -> None:
    second_door(firewall)
    firewall.device.configs["root"].update(POLICY, "4", {"dstaddr": refs("VIP-both", "VIP-mail")})
    firewall.done(fortios_inbound_lock, **BOTH)
    # The fence of the door loses its entrance and its barrier; the barrier has to go first.
    assert watched(firewall, fortios_inbound_lock, **LOCK)["changed"]
    assert firewall.device.admits(STRANGER, OTHER, 25)
    assert watched(firewall, fortios_rollback)["changed"]
    assert not firewall.device.admits(STRANGER, OTHER, 25)


def test_a_colleagues_everybody_in_a_group_of_ours_keeps_the_own_networks_in(
    firewall: Firewall,
) -> None:
    firewall.done(fortios_inbound_lock, **{**LOCK, "own_networks": []})
    config = firewall.device.configs["root"]
    config.update("firewall/addrgrp", "birke-provider", {"member": refs("all")})
    assert watched(firewall, fortios_inbound_lock, **LOCK)["changed"]
    assert locked(firewall)


def test_a_barrier_that_was_switched_off_comes_back_behind_its_entrance(firewall: Firewall) -> None:
    second_door(firewall)
    firewall.done(fortios_inbound_lock, **BOTH)
    config = firewall.device.configs["root"]
    keys = {row["name"]: str(key) for key, row in config.all(POLICY).items()}
    config.create("firewall/address", {"name": "half", "subnet": "198.51.100.0/25"})
    config.update(POLICY, keys["birke-4-in"], {"srcaddr": refs("half")})
    config.update(POLICY, keys["birke-4-stop"], {"status": "disable"})
    assert watched(firewall, fortios_inbound_lock, **BOTH)["changed"]
    assert not firewall.device.admits(STRANGER, OTHER, 25)


def test_an_entrance_that_was_removed_comes_back_before_its_barrier(firewall: Firewall) -> None:
    second_door(firewall)
    firewall.done(fortios_inbound_lock, **BOTH)
    config = firewall.device.configs["root"]
    gone = next(str(key) for key, row in config.all(POLICY).items() if row["name"] == "birke-4-in")
    config.delete(POLICY, gone)
    assert not firewall.device.admits(PROVIDER, OTHER, 25)
    assert watched(firewall, fortios_inbound_lock, **BOTH)["changed"]
    assert firewall.device.admits(PROVIDER, OTHER, 25)
    assert not firewall.done(fortios_inbound_lock, **BOTH)["changed"]


def tied(firewall: Firewall) -> str:
    """A snapshot whose changes have no order in which every step is safe: a policy for all but a
    group is to be one for the group, which is to be another one.
    """
    config = firewall.device.configs["root"]
    for name, subnet in (("half", "198.51.100.0/25"), ("rest", "198.51.100.128/25")):
        config.create("firewall/address", {"name": name, "subnet": subnet})
    config.create("firewall/addrgrp", {"name": "part", "member": refs("half")})
    config.update(POLICY, "1", {"srcaddr": refs("part"), "srcaddr-negate": "enable"})
    return content(
        firewall,
        Desired("firewall/addrgrp", "part", {"member": ["rest"]}),
        Desired(POLICY, 1, {"srcaddr-negate": "disable"}),
    )


def content(firewall: Firewall, *rows: Desired[t.Any]) -> str:
    """A snapshot that holds these rows."""
    moment = datetime.datetime(2026, 1, 14, tzinfo=datetime.timezone.utc)
    return Snapshot(
        layer="fortigate",
        origin={
            "serial": firewall.device.serial,
            "vdom": "root",
            "address": f"127.0.0.1:{firewall.server.port}",
        },
        reason="apply",
        time=stamp(moment),
        run_id="4f1c2a",
        desired=rows,
        made=(),
        plan=(),
        not_restorable=(),
    ).text()


def test_what_has_no_safe_order_is_refused_untouched(firewall: Firewall) -> None:
    wanted = tied(firewall)
    before = firewall.dump()
    for check in (True, False):
        failed = firewall.run(fortios_rollback, content=wanted, check=check)
        assert failed["failed"]
        assert "no order of these changes in which every step is safe" in failed["msg"]
        assert "would for a time shut out 198.51.100.128/25" in failed["msg"]
        assert firewall.dump() == before


def test_what_has_no_safe_order_is_made_together_or_not_at_all(tmp_path: pathlib.Path) -> None:
    for refusing in ({}, {"firewall/addrgrp": -1}, {POLICY: -10000}):
        for firewall in running(tmp_path, version=WITH):
            wanted = tied(firewall)
            before = firewall.dump()
            firewall.device.refusing.update(refusing)
            result = watched(firewall, fortios_rollback, content=wanted)
            assert result["failed"] == bool(refusing)
            assert not firewall.device.transactions
            if refusing:
                assert "takes no transaction there" in result["msg"]
                assert "would for a time" in result["msg"]
                assert not result["changed"]
                assert firewall.dump() == before


@pytest.mark.parametrize("code", [-1, -7, -61, -10000])
@pytest.mark.parametrize("table", [POLICY, "firewall/addrgrp", ""])
def test_tables_that_take_no_transaction_are_written_one_by_one(
    tmp_path: pathlib.Path, table: str, code: int
) -> None:
    for firewall in running(tmp_path, version=WITH):
        second_door(firewall)
        before = firewall.dump()
        if table:
            firewall.device.refusing[table] = code
        else:
            firewall.server.arm(fail={"POST ": code})
        assert not watched(firewall, fortios_inbound_lock, **BOTH)["failed"]
        assert not watched(
            firewall, fortios_inbound_lock, **{**BOTH, "ranges": ["198.51.100.0/25"]}
        )["failed"]
        assert not watched(firewall, fortios_inbound_lock, **LOCK)["failed"]
        assert locked(firewall)
        assert not firewall.device.transactions
        for _run in range(3):
            name = firewall.done(fortios_rollback)["restored"]
            (firewall.snapshots / name).unlink()
        assert firewall.dump() == before


def test_the_device_can_be_used_after_a_transaction_that_was_refused(
    tmp_path: pathlib.Path,
) -> None:
    """An open one keeps everybody from its tables until its time is over."""
    for firewall in running(tmp_path, version=WITH, limits={POLICY: 5}):
        firewall.device.locks = True
        second_door(firewall)
        failed = firewall.run(fortios_inbound_lock, **BOTH)
        assert "as many entries as this model allows" in failed["msg"]
        firewall.device.limits.clear()
        assert not firewall.done(fortios_inbound_lock, **BOTH)["failed"]
        assert locked(firewall)


def test_a_commit_that_is_refused_is_given_up(tmp_path: pathlib.Path) -> None:
    for firewall in running(tmp_path, version=WITH):
        second_door(firewall)
        before = firewall.dump()["order"]
        begin = firewall.device.begin

        def another_administrator(
            vdom: str, firewall: Firewall = firewall, begin: t.Any = begin
        ) -> t.Any:
            number = begin(vdom)
            policy(firewall, "birke-4-stop")
            return number

        firewall.device.begin = another_administrator  # type: ignore[method-assign]
        failed = firewall.run(fortios_inbound_lock, **BOTH)
        assert failed["failed"]
        assert firewall.dump()["order"] == [*before, "5"]
        assert not firewall.device.transactions


@pytest.mark.parametrize("version", ["v6.2.9", "v6.4.14", "v7.4.4"])
def test_a_number_that_somebody_else_has_taken_meanwhile(
    tmp_path: pathlib.Path, version: str
) -> None:
    for firewall in running(tmp_path, version=version):
        policy(firewall, "Of the manager", policyid=1071741824, status="disable")
        second_door(firewall)
        config = firewall.device.configs["root"]
        config.delete(POLICY, "1071741825")
        policy(firewall, "Server in", policyid=4, dstaddr=refs("VIP-both"), service=refs("ALL"))
        answer, meanwhile = firewall.server.answer, iter((5, 6))

        def busy(
            method: str, target: str, *more: t.Any, parts: t.Any = (firewall, answer, meanwhile)
        ) -> t.Any:
            number = next(parts[2], None) if method != "GET" and "addrgrp" in target else None
            if number is not None:
                policy(parts[0], f"Another {number}", policyid=number, status="disable")
            return parts[1](method, target, *more)

        firewall.server.answer = t.cast("t.Any", busy)  # type: ignore[method-assign]
        firewall.done(fortios_inbound_lock, **BOTH)
        assert locked(firewall)
        assert not firewall.done(fortios_inbound_lock, **BOTH)["changed"]
        names = {row["name"]: key for key, row in config.all(POLICY).items()}
        assert {names["birke-4-in"], names["birke-4-stop"]} == {7, 8}


GONE = {
    "a group": (Desired(POLICY, 1, {"srcaddr": ["birke-provider"]}), "'birke-provider' (srcaddr)"),
    "a virtual IP": (Desired(POLICY, 1, {"dstaddr": ["VIP-old"]}), "'VIP-old' (dstaddr)"),
    "a service": (Desired(POLICY, 1, {"service": ["Old SMTP"]}), "'Old SMTP' (service)"),
    "a member": (Desired("firewall/addrgrp", "part", {"member": ["old"]}), "'old' (member)"),
    "an interface": (Desired(POLICY, 1, {"srcintf": ["wan2"]}), "the interface 'wan2'"),
}


@pytest.mark.parametrize(("row", "words"), GONE.values(), ids=GONE)
@pytest.mark.parametrize("version", [WITHOUT, WITH])
def test_what_refers_to_what_is_gone_is_refused_in_check_mode_too(
    tmp_path: pathlib.Path, version: str, row: Desired[t.Any], words: str
) -> None:
    for firewall in running(tmp_path, version=version):
        tied(firewall)
        before = firewall.dump()
        wanted = content(firewall, row, Desired(POLICY, 3, {"comments": "as before"}))
        for check in (True, False):
            failed = firewall.run(fortios_rollback, content=wanted, check=check)
            assert failed["failed"]
            assert words in failed["msg"]
            assert "Nothing was changed" in failed["msg"]
            assert firewall.dump() == before
        # What the snapshot itself brings is there in the end.
        made = Desired("firewall/address", "old", {"type": "ipmask", "subnet": "192.0.2.0/24"})
        if "member" in words:
            assert not firewall.run(fortios_rollback, content=content(firewall, made, row))[
                "failed"
            ]


def test_a_rollback_reads_what_it_judges_by_once(firewall: Firewall) -> None:
    firewall.done(fortios_inbound_lock, **LOCK)
    firewall.server.reset_counters()
    firewall.done(fortios_rollback, check=True)
    asked = [path for _method, path, _status in firewall.server.log]
    # The policies a first time for the serial number alone; two tables say whether a change stays.
    assert len(asked) == len(set(asked)) + 1 == 13
