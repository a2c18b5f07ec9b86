# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs on one tenant of Exchange Online, in every order of their requests; the lab's mail
servers judge.

A tenant has no place for a lease. So nothing is written over what somebody has changed since it was
read, runs of one folder write one after the other, and whoever comes too late is told.
"""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import ExchangeOnline
from ansible_collections.mailedge.lockdown.tests.machine.searching import MORE
from ansible_collections.mailedge.lockdown.tests.machine.tenant import (
    BY_ADDRESS,
    BY_CERTIFICATE,
    GIVE_BACK,
    Options,
    check,
    story,
)
from ansible_collections.mailedge.lockdown.tests.machine.turns import schedules
from ansible_collections.mailedge.lockdown.tests.support.marking import long_after

PAIRS: dict[str, tuple[Options, Options, Options | None]] = {
    "the same lock": (BY_CERTIFICATE, BY_CERTIFICATE, None),
    "two descriptions of one site": (BY_CERTIFICATE, BY_ADDRESS, None),
    "a lock and what gives back another": (BY_CERTIFICATE, GIVE_BACK, BY_ADDRESS),
}

# Both change the same connector, in another way each.
LISTS: tuple[Options, Options, Options] = (
    {**BY_ADDRESS, "on_premises_ranges": ["192.0.2.10"]},
    {**BY_ADDRESS, "require_tls": False},
    {**BY_ADDRESS, "provider_ranges": ["198.51.100.0/24"]},
)


@pytest.fixture(scope="module")
def online() -> t.Iterator[ExchangeOnline]:
    with ExchangeOnline() as running:
        # It is about the end, when all is in force.
        running.tenant.propagation = 0.0
        yield running


def play(online: ExchangeOnline, name: str, schedule: str) -> None:
    """One story, without and with the undo of what failed."""
    first, second, before = PAIRS[name]
    for undo in (False, True):
        end = story(online, {"a": first, "b": second}, schedule, before=before, undo=undo)
        check(end)
        if name == "the same lock":
            green = [result for result in end.told.values() if not result["failed"]]
            assert green, f"{end.events}: each has stopped the other"
            assert end.left == locked(online), end.events


_LOCKED: list[dict[str, t.Any]] = []


def locked(online: ExchangeOnline) -> dict[str, t.Any]:
    """What one run alone leaves."""
    if not _LOCKED:
        _LOCKED.append(story(online, {"a": BY_CERTIFICATE}, "").left)
    return _LOCKED[0]


@pytest.mark.parametrize("name", long_after(1, PAIRS))
def test_a_whole_run_between_any_two_requests_of_another(online: ExchangeOnline, name: str) -> None:
    first, _second, before = PAIRS[name]
    events = story(online, {"a": first}, "", before=before).events
    for number in range(1, len(events)):
        play(online, name, "a" * number + "b" * 99)
        play(online, name, "b" * number + "a" * 99)


@pytest.mark.long
@pytest.mark.parametrize("name", PAIRS)
def test_two_runs_mixed_by_chance(online: ExchangeOnline, name: str) -> None:
    chance = random.Random(name)
    for _number in range(MORE or 8):
        play(online, name, "".join(chance.choices("ab", k=30)))


def one_after_the_other(online: ExchangeOnline, schedule: str) -> None:
    """What is left, and what each snapshot gives back, is as if one run had waited for the other,
    or had been refused.
    """
    *tasks, before = LISTS
    runs = dict(zip("ab", tasks))
    alone = {name: story(online, {name: runs[name]}, "", before=before) for name in runs}
    end = story(online, runs, schedule, before=before, back=True)
    check(end)
    start = story(online, {}, "", before=before)
    green = [name for name, told in end.told.items() if not told["failed"]]
    assert green, end.told
    last = [name for name in green if end.left == alone[name].left]
    assert last, f"{end.events}: a mixture is left"
    others = [alone[name].left for name in green if name != last[0]]
    assert end.back == [*(others or [start.left]), OPEN], end.events


OPEN: dict[str, t.Any] = {"direct send": False, "connectors": {}}


@pytest.mark.long
def test_what_a_snapshot_holds_is_what_there_was_before_its_run(online: ExchangeOnline) -> None:
    chance = random.Random("lists")
    for number in range(1, 6):
        one_after_the_other(online, "a" * number + "b" * 99)
        one_after_the_other(online, "".join(chance.choices("ab", k=30)))


def orders(*counts: int) -> list[str]:
    """Every order of so many requests of two runs with MAILEDGE_EXAMPLES, which takes hours; else
    some of them.
    """
    every = list(schedules(*counts))
    return every if MORE else random.Random(0).sample(every, min(len(every), 20))


@pytest.mark.long
@pytest.mark.parametrize("name", PAIRS)
def test_orders_of_the_requests_of_two_runs(online: ExchangeOnline, name: str) -> None:
    first, second, before = PAIRS[name]
    counts = [len(story(online, {"a": task}, "", before=before).events) for task in (first, second)]
    for schedule in orders(*counts):
        play(online, name, schedule)


@pytest.mark.long
def test_any_order_of_two_runs_is_one_after_the_other(online: ExchangeOnline) -> None:
    *tasks, before = LISTS
    counts = [len(story(online, {"a": task}, "", before=before).events) for task in tasks]
    for schedule in orders(*counts):
        one_after_the_other(online, schedule)
