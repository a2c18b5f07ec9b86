# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs on one Exchange server, in every order of their calls.

It is as if one came after the other, or one is refused and has left everything untouched.
"""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.machine import judge
from ansible_collections.mailedge.lockdown.tests.machine.searching import MORE
from ansible_collections.mailedge.lockdown.tests.machine.server import Result
from ansible_collections.mailedge.lockdown.tests.machine.server_of_two import (
    DESCRIBED,
    LOCK,
    MORE_RANGES,
    End,
    end_of,
    server_of_two,
)
from ansible_collections.mailedge.lockdown.tests.machine.turns import Turns, schedules
from ansible_collections.mailedge.lockdown.tests.support.marking import long_after

WAY_OUT: dict[str, t.Any] = {
    "outbound_lock": {"smart_hosts": ["127.0.0.1"], "port": 9},
    # Nothing listens there; nothing outside of this machine is ever asked.
    "accept_risks": ["smart_host_unreachable"],
}
EARLIER = "the snapshot of the run before"


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two runs, and one that came before both. `locks`: both want the door locked."""

    first: t.Mapping[str, t.Any]
    second: t.Mapping[str, t.Any]
    before: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    locks: bool = False


PAIRS = {
    "the same lock": Pair(LOCK, LOCK, locks=True),
    "locks with other ranges": Pair(LOCK, MORE_RANGES, locks=True),
    "the way in and the way out": Pair(LOCK, WAY_OUT),
    "a lock and a description": Pair(LOCK, DESCRIBED),
    "a refresh and a rollback": Pair(MORE_RANGES, {"snapshot": "latest"}, before=LOCK),
    "a refresh and the undo of the run before": Pair(
        MORE_RANGES, {"snapshot": EARLIER}, before=LOCK
    ),
    "two rollbacks": Pair({"snapshot": "latest"}, {"snapshot": "original"}, before=LOCK),
}


def story(
    pair: Pair, edition: str, schedule: str, only: str = "ab", *, inside: bool = False
) -> End:
    """Both runs, or one of them. `inside`: every cmdlet that writes is an event as well."""
    server = server_of_two(edition)
    earlier = ""
    if pair.before:
        earlier = server.done(**pair.before)["snapshot"]["name"]
    turns = Turns(schedule)

    def write(moment: str, cmdlet: str, _parameters: t.Mapping[str, t.Any]) -> None:
        if moment == "before" and cmdlet.startswith(("New-", "Set-", "Remove-", "Add-")):
            turns.at(turns.active)

    if inside:
        server.host.hooks.append(write)

    def run(name: str, arguments: t.Mapping[str, t.Any]) -> Result:
        named = {"snapshot": earlier} if arguments.get("snapshot") == EARLIER else {}
        return server.run(before_call=lambda: turns.at(name), **{**arguments, **named})

    runs = {"a": lambda: run("a", pair.first), "b": lambda: run("b", pair.second)}
    told = turns.play({name: runs[name] for name in only})
    return end_of(server, told, turns)


References = dict[str, judge.Site]
_references: dict[tuple[str, str], References] = {}


def references(name: str, edition: str) -> References:
    """What the runs leave one after the other, alone, and where both are refused."""
    if (name, edition) not in _references:
        pair = PAIRS[name]
        stories = {only: story(pair, edition, "", only) for only in ("ab", "a", "b")}
        stories["ba"] = story(pair, edition, "bbbb")
        for order, end in stories.items():
            assert not any(result["failed"] for result in end.told.values()), (order, end.told)
        start = story(pair, edition, "", "")
        _references[name, edition] = {
            key: end.configuration for key, end in {**stories, "": start}.items()
        }
    return _references[name, edition]


def check(name: str, edition: str, schedule: str, *, inside: bool = False) -> End:
    """As if one came after the other, or one is refused and has left everything untouched."""
    pair, known = PAIRS[name], references(name, edition)
    end = story(pair, edition, schedule, inside=inside)
    green = end.green
    for run, result in end.told.items():
        assert run in green or not result["changed"], (end.events, result["msg"])
    possible = ("ab", "ba") if green == "ab" else (green,)
    assert any(end.configuration == known[order] for order in possible), (end.events, green)
    if pair.locks and green:
        assert judge.SEND not in end.stranger, f"{end.events}: the lock is gone behind a green job"
    return end


@pytest.mark.parametrize("name", long_after(2, PAIRS))
@pytest.mark.parametrize("edition", ["2007", "2016", "se", "edge"] if MORE else ["2007"])
def test_every_order_of_the_calls_of_two_runs(name: str, edition: str) -> None:
    orders = schedules(2, 2)
    if PAIRS[name].first == PAIRS[name].second:
        orders = [order for order in orders if order.startswith("a")]
    refused = sum(
        any(result["failed"] for result in check(name, edition, order).told.values())
        for order in orders
    )
    assert refused or name == "two rollbacks", "no order of their calls makes them meet"


@pytest.mark.parametrize(
    "name", ["locks with other ranges", "a refresh and the undo of the run before"]
)
def test_a_run_meets_another_one_that_is_writing(name: str) -> None:
    """The second run reads, or does all that it can, before each write of the first."""
    edition = "2007"
    writes = story(PAIRS[name], edition, "", "a", inside=True).events.count("a")
    assert writes > 2
    for number in range(2, writes + 1) if MORE else (3,):
        for meanwhile in (1, 9):
            check(name, edition, "a" * number + "b" * meanwhile + "a" * writes, inside=True)
