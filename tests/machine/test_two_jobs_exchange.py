# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two jobs on one Exchange server, as the playbook runs them: lock, prove, undo what is not proven.

In every order of their calls it is as if one came after the other, or one is refused and has left
everything untouched; and never is a lock gone behind a green job.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.machine import judge
from ansible_collections.mailedge.lockdown.tests.machine.searching import MORE, share
from ansible_collections.mailedge.lockdown.tests.machine.server import Result
from ansible_collections.mailedge.lockdown.tests.machine.server_of_two import (
    DESCRIBED,
    LOCK,
    MORE_RANGES,
    OWN,
    End,
    end_of,
    server_of_two,
)
from ansible_collections.mailedge.lockdown.tests.machine.turns import Turns, schedules
from ansible_collections.mailedge.lockdown.tests.support.marking import long_after

BACK: dict[str, t.Any] = {**OWN, "snapshot": "latest"}

Call = t.Callable[..., Result]


@dataclasses.dataclass(frozen=True)
class Job:
    """What a job asks for. `proven`: what it made proves good; None: it proves nothing.

    `leases`: the job holds the server until it is over, as apply does.
    """

    arguments: t.Mapping[str, t.Any]
    proven: bool | None = True
    leases: bool = True
    check: bool = False

    @property
    def locks(self) -> bool:
        """Whether a green end of it means that the door is shut."""
        return "inbound_lock" in self.arguments and not self.check

    def run(self, call: Call, run_id: str) -> Result:
        """Its calls, and what it tells in the end: `failed` is the job."""
        lease = (
            {"lease": {"run_id": run_id, "goes_on": self.proven is not None}} if self.leases else {}
        )
        told = call(check=self.check, **self.arguments, **lease)
        held = told.get("lease")
        failed = told["failed"] or self.proven is False
        if failed and "snapshot" in told:
            undone = call(
                snapshot=told["snapshot"]["name"], keep_later_changes=True, **OWN, **lease
            )
            told["undone"] = undone
            held = undone.get("lease") or held
        if held and held["held"]:
            ended = call("exchange_lease_end", lease=held)
            assert ended["ended"], ended
        return {**told, "failed": failed}


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two jobs, and a change that came before both."""

    first: Job
    second: Job
    before: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


UNPROVEN = Job(LOCK, proven=False)
PAIRS = {
    "the same lock, and one is not proven": Pair(UNPROVEN, Job(LOCK)),
    "the same lock, and none is proven": Pair(UNPROVEN, UNPROVEN),
    "the same lock, and nothing is to be proven": Pair(UNPROVEN, Job(LOCK, proven=None)),
    "a lock that is not proven, and a task": Pair(UNPROVEN, Job(LOCK, leases=False)),
    "a lock that is not proven, and more ranges": Pair(UNPROVEN, Job(MORE_RANGES)),
    "a lock that is not proven, and a description": Pair(UNPROVEN, Job(DESCRIBED)),
    "a lock that is not proven, and drift": Pair(UNPROVEN, Job(LOCK, leases=False, check=True)),
    "a refresh that is not proven, and a rollback": Pair(
        Job(MORE_RANGES, proven=False), Job(BACK, leases=False), before=LOCK
    ),
    "the same lock, and both are proven": Pair(Job(LOCK), Job(LOCK)),
}


def story(pair: Pair, schedule: str, only: str = "ab", *, inside: bool = False) -> End:
    """Both jobs, or one of them. `inside`: every cmdlet is an event as well."""
    server = server_of_two("2007")
    if pair.before:
        server.done(**pair.before)
    turns = Turns(schedule)
    if inside:
        server.host.hooks.append(
            lambda moment, *_call: turns.at(turns.active) if moment == "before" else None
        )

    def play(name: str, job: Job) -> Result:
        return job.run(
            functools.partial(server.run, before_call=lambda: turns.at(name)), f"job{name}"
        )

    jobs = {"a": lambda: play("a", pair.first), "b": lambda: play("b", pair.second)}
    told = turns.play({name: jobs[name] for name in only})
    return end_of(server, told, turns)


@functools.cache
def references(name: str) -> dict[str, End]:
    """What the jobs leave one after the other, alone, and where none did anything."""
    pair = PAIRS[name]
    return {
        **{only: story(pair, "", only) for only in ("ab", "a", "b", "")},
        "ba": story(pair, "b" * 9),
    }


def check(name: str, schedule: str, *, inside: bool = False) -> End:
    """What the jobs leave is what one order of them leaves, or the one that was not refused."""
    pair, known = PAIRS[name], references(name)
    end = story(pair, schedule, inside=inside)
    refused = "".join(
        run for run, told in end.told.items() if told["failed"] and "undone" not in told
    )
    orders = {"": ("ab", "ba"), "a": ("b",), "b": ("a",)}.get(refused, ("",))
    assert any(end.configuration == known[order].configuration for order in orders), (
        end.events,
        end.told,
    )
    for run, told in end.told.items():
        job = pair.first if run == "a" else pair.second
        undone = told.get("undone")
        assert not (undone and undone["failed"]), (end.events, undone)
        if job.locks and run in end.green:
            assert judge.SEND not in end.stranger, (
                f"{end.events}: the lock is gone behind a green job"
            )
        if job.check:
            # The door was open at first and is in the end; in between nobody had proven anything. A
            # connector may be gone while it is read, which is a failure without a state.
            state = told.get("state", "unknown")
            assert state == "open" or (state == "unknown" and told["failed"]), (end.events, told)
    return end


@pytest.mark.parametrize("name", long_after(2, PAIRS))
def test_every_order_of_the_calls_of_two_jobs(name: str) -> None:
    known = references(name)
    calls = {run: known[run].events.count(run) for run in "ab"}
    orders = schedules(calls["a"], calls["b"])
    chance = random.Random(name)
    if not MORE:
        # Among them the whole of the second between what the first makes and what it takes back.
        orders = ["aa" + "b" * calls["b"] + "a" * calls["a"], *chance.sample(orders, share(4))]
    for order in orders:
        check(name, order)


def test_a_drift_between_any_two_cmdlets_of_a_job_is_not_in_order() -> None:
    chance = random.Random("drift")
    for _number in range(MORE or 4):
        schedule = "".join(chance.choices("ab", weights=(5, 1), k=80))
        check("a lock that is not proven, and drift", schedule, inside=True)
