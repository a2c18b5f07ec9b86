# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a layer brings: its tables, its guards, and what it knows about a plan."""

from __future__ import annotations

import abc
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Change,
    Desired,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    Finding,
    Registry,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Reading
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.tables import Tables

State = t.TypeVar("State")
Key = t.TypeVar("Key", bound=t.Hashable)


class Layer(abc.ABC, t.Generic[State, Key]):
    """The options of one task, on one layer. What a layer does not judge has a default."""

    name: t.ClassVar[str]
    """What snapshots are of."""
    tables: t.ClassVar[Tables[t.Any, t.Any]]
    guards: t.ClassVar[Registry]
    about_state: t.ClassVar[frozenset[str]] = frozenset()
    """The guards about the state that there would be. They only warn of what a snapshot gives back,
    which was so before.
    """
    unread: t.ClassVar[frozenset[str]] = frozenset()
    """The guards about what strangers may get in by and that was not read. While one of them has
    something to say, the layer is unknown, unless the task accepts it by name."""

    @abc.abstractmethod
    def desired(self, reading: Reading[State]) -> t.Sequence[Desired[Key]]:
        """What the options ask for, on what was read. Raises PlanError."""

    def judge(
        self, reading: Reading[State], after: State, changes: t.Sequence[Change[Key]]
    ) -> t.Iterable[Finding]:
        """What the guards find about making `after` of what was read."""
        return ()

    def order(self, changes: t.Sequence[Change[Key]], state: State) -> tuple[Change[Key], ...]:
        """The changes in an order in which every step is safe, some of them in several steps.
        Raises NoSafeOrder.
        """
        return tuple(changes)

    def refuse(self, reading: Reading[State], steps: t.Sequence[Change[Key]]) -> str:
        """Why nothing can be written now, in sentences; empty where nothing stands against it. May
        read more.
        """
        return ""

    def strangers(self, before: State, state: State) -> list[str] | None:
        """Who gets in by `state` that nobody has named, in sentences; None where that is not this
        task's business.

        `before` is the state that was read, which is `state` itself or the one that `state` was
        made of.
        """
        return None

    def is_locked(self, before: State, state: State) -> bool:
        """Whether there is nothing left to lock in `state`; what a plan could not lock it does not
        show.
        """
        return True

    def is_visible(self, change: Change[Key]) -> bool:
        """Whether a read shows that a change was made."""
        return True

    @abc.abstractmethod
    def sentence(self, change: Change[Key]) -> str:
        """One change as one sentence for the operator; never with a secret."""

    def told(
        self, before: State, after: State, changes: t.Sequence[Change[Key]]
    ) -> dict[str, t.Any]:
        """More of the result: ``exposure``, ``before`` and ``after``, as far as the layer knows
        them.
        """
        return {}

    def edge(self, before: State, state: State) -> dict[str, t.Any] | None:
        """The layer as a stage of the whole edge (_edge.stage), as it is in `state`; None where the
        task says too little to tell. `before` as in strangers().
        """
        return None

    def diff(self, told: t.Mapping[str, t.Any], changes: t.Sequence[Change[Key]]) -> dict[str, str]:
        """What --diff shows of what told() gave."""
        return {"before": "", "after": ""}


Step = dict[str, t.Any]


class HostLayer(Layer[State, str]):
    """What a layer adds that is read and written by the agent, over the host's own connection.

    `digests` maps names to the ids of the steps that describe a part of the state; `digest_ignore`
    are properties that differ from read to read.
    """

    digests: t.ClassVar[t.Mapping[str, t.Sequence[str]]]
    digest_ignore: t.ClassVar[t.Sequence[str]] = ()

    @abc.abstractmethod
    def read_steps(
        self,
        host_name: t.Any,
        state: State | None = None,
        *,
        prefix: str = "",
        always: bool = False,
    ) -> list[Step]:
        """The steps that read the server; `state` is what an earlier reading gave, for a second
        one.

        `host_name` stands for the server's name in a request. `prefix` goes before every id, and
        `always` runs the steps after a failure too.
        """

    @abc.abstractmethod
    def parse(
        self, answer: t.Mapping[str, t.Any], prefix: str, earlier: State | None = None
    ) -> State:
        """The state of one reading in the agent's answer. Raises PlanError where it cannot be
        understood.
        """

    @abc.abstractmethod
    def calls(
        self,
        change: Change[str],
        state: State,
        *,
        step: str,
        credential: t.Callable[[str, str], t.Any],
    ) -> list[Step]:
        """The steps that carry out a change; their ids begin with `step`. `credential` makes one
        for the request.
        """

    def explain(self, step: str | None, message: str) -> str:
        """What the layer knows of an error that one of its steps met, and what to do, in sentences;
        empty where it knows nothing. `message` is in the server's language.
        """
        return ""

    @abc.abstractmethod
    def concerned(self, steps: t.Sequence[Change[str]]) -> set[str]:
        """The digests that have to be as they were read."""

    @abc.abstractmethod
    def origin(self, state: State) -> dict[str, str]:
        """What a snapshot is of: ``server``, and more where one server has several."""

    @abc.abstractmethod
    def facts(self, state: State, way: str) -> dict[str, t.Any]:
        """The server, for the result; `way` is how the agent got in."""
