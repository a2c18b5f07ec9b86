# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs at once, in every order: each waits at each of its events until a schedule names it.

Between two events of a run nothing of the other one happens, so that a schedule gives the same
story every time.
"""

from __future__ import annotations

import functools
import itertools
import threading
import typing as t

_PATIENCE = 120.0

Run = t.Callable[[], t.Any]


class Turns:
    """One story: `schedule` names a run for each event; what it leaves over happens run by run.

    `events` are the runs in the order in which their events happened, `active` is the one that has
    its turn.
    """

    def __init__(self, schedule: t.Iterable[str]) -> None:
        self._schedule = list(schedule)
        self._changed = threading.Condition()
        self._waiting: set[str] = set()
        self._finished: set[str] = set()
        self.events: list[str] = []
        self.active = ""
        self._outcomes: dict[str, t.Any] = {}
        self._broken: list[BaseException] = []

    def at(self, name: str) -> None:
        """An event of the run `name` is to happen: wait for its turn."""
        with self._changed:
            self._waiting.add(name)
            self._changed.notify_all()
            self._until(lambda: name not in self._waiting)

    def play(self, runs: t.Mapping[str, Run]) -> dict[str, t.Any]:
        """What each run gave. Raises what one of them raised."""
        for name, run in runs.items():
            threading.Thread(
                target=self._work, args=(name, run), name=f"turns-{name}", daemon=True
            ).start()
            with self._changed:
                self._until(functools.partial(self._arrived, name))
        with self._changed:
            while self._waiting:
                name = self._next()
                self.events.append(name)
                self.active = name
                self._waiting.discard(name)
                self._changed.notify_all()
                self._until(lambda: set(runs) == self._waiting | self._finished)
        if self._broken:
            raise self._broken[0]
        return self._outcomes

    def _arrived(self, name: str) -> bool:
        return name in self._waiting or name in self._finished

    def _next(self) -> str:
        while self._schedule:
            name = self._schedule.pop(0)
            if name in self._waiting:
                return name
        return min(self._waiting)

    def _work(self, name: str, run: Run) -> None:
        try:
            self._outcomes[name] = run()
        except BaseException as error:  # handed on to the test
            self._broken.append(error)
        with self._changed:
            self._finished.add(name)
            self._changed.notify_all()

    def _until(self, condition: t.Callable[[], bool]) -> None:
        if not self._changed.wait_for(condition, _PATIENCE):
            raise TimeoutError("The runs wait for each other.")


def schedules(first: int, second: int) -> list[str]:
    """Every order of so many events of the runs a and b."""
    places = itertools.combinations(range(first + second), first)
    return [
        "".join("a" if at in chosen else "b" for at in range(first + second))
        for chosen in map(set, places)
    ]
