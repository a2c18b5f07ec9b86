# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a transaction reads and writes: over a connection to a server, or a device's API."""

from __future__ import annotations

import abc
import dataclasses
import datetime
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Change
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.lease import Lease
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.snapshot import (
    Held,
    Snapshot,
)

State = t.TypeVar("State")
Key = t.TypeVar("Key", bound=t.Hashable)


@dataclass(frozen=True)
class Reading(t.Generic[State]):
    """What was read: the state, by what clock, and of which server or device.

    `origin` is what a snapshot says of it; `lasting` are the parts of it that stay where another
    member of a cluster answers, all where None. `where` is a phrase for sentences: `on the server
    EX1`.
    `facts` go into the result as they are, `notes` are warnings. `snapshots` are newest first, as
    far as they were asked for; `kept` is where they are, as a phrase. `answers` are the rows of
    whatever else was asked over there, by the name of the question. `lease` is the newest one,
    ended or not; `leased_meanwhile`: it was another one when the reading began. `lease_unknown`
    says in sentences why nobody can tell whether there is one.
    """

    state: State
    time: datetime.datetime
    origin: t.Mapping[str, str]
    where: str
    kept: str
    facts: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    snapshots: tuple[Held, ...] = ()
    answers: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]] = dataclasses.field(
        default_factory=dict
    )
    lease: Lease | None = None
    leased_meanwhile: bool = False
    lease_unknown: str = ""
    lasting: tuple[str, ...] | None = None

    @property
    def approved_of(self) -> dict[str, str]:
        """Whose plan somebody approves."""
        return {
            name: text
            for name, text in self.origin.items()
            if self.lasting is None or name in self.lasting
        }


@dataclass(frozen=True)
class Written(t.Generic[State, Key]):
    """What a write led to: the state as it was read back, and the keys of rows that somebody else
    uses and that were left.
    """

    state: State
    kept: tuple[Key, ...] = ()


class Stopped(Exception):
    """A write ended early.

    `done` is how many steps are known to have been made; None: how many is not known. `refused`:
    the step after them was certainly not made. `untouched`: certainly none was, and there is no
    snapshot either. `facts` go into the result.
    """

    def __init__(
        self,
        message: str,
        *,
        done: int | None,
        refused: bool = False,
        untouched: bool = False,
        facts: t.Mapping[str, t.Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.done, self.refused, self.untouched, self.facts = (
            done,
            refused,
            untouched,
            dict(facts or {}),
        )


@dataclass(frozen=True)
class Kept:
    """A snapshot on its way: its file name, its text, and what the result says of it.

    That is ``name``, ``folder``, and more. `earlier` is the text of what an earlier task of the run
    had kept under that name; empty: nothing.
    """

    name: str
    text: str
    facts: t.Mapping[str, t.Any]
    earlier: str = ""


ReadingType = t.TypeVar("ReadingType", bound=Reading[t.Any])


class Port(abc.ABC, t.Generic[State, Key, ReadingType]):
    """The way to one server or device."""

    @abc.abstractmethod
    def read(self) -> ReadingType:
        """Everything that a plan needs."""

    def foreign(self, origin: t.Mapping[str, str], reading: ReadingType) -> str:
        """Why a snapshot of that origin is not of what was read, in one sentence; empty where it
        is.
        """
        return "" if origin == reading.origin else f"It is of {' '.join(origin.values())}."

    @abc.abstractmethod
    def keep(self, snapshot: Snapshot[Key], reading: ReadingType) -> Kept:
        """Keep a snapshot before the first write, as the newest. Raises SnapshotError.

        Where it can only be kept over there, write() keeps it, before its first step.
        """

    def keep_less(self, kept: Kept, snapshot: Snapshot[Key]) -> Kept:
        """Put a snapshot of what was made in the place of one of all that was planned, where that
        is possible.

        What was not made is not there to be undone: the same rows may be somebody else's by now.
        """
        return kept

    @abc.abstractmethod
    def write(
        self, steps: t.Sequence[Change[Key]], reading: ReadingType, kept: Kept
    ) -> Written[State, Key]:
        """Make the steps in their order, and read again. Raises Stopped."""

    def take_over(self, reading: ReadingType) -> None:
        """End the lease of another run, which then takes nothing back. Raises Stopped."""

    def lease(self) -> dict[str, t.Any] | None:
        """The lease of this run, for the result; None where it has none."""
        return None

    @abc.abstractmethod
    def cost(self) -> dict[str, int]:
        """What it has cost so far."""
