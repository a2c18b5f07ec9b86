# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The paths of a web site as a layer: how they are read, judged and written."""

from __future__ import annotations

import dataclasses
import types
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis import edge, recipes, words
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.calls import Step, change_steps
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.guards import (
    ABOUT_STATE,
    GUARDS,
    findings,
    open_sentences,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.recipes import Wish
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import read_step
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.sections import (
    SECTIONS,
    is_drop,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.state import State, read_state
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.tables import (
    IP_LISTS,
    REWRITE_RULES,
    TABLES,
    Change,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.diff import text_diff
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Desired,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Finding
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.layer import HostLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Reading

_STEP = "iis"
_RANK = {Action.CREATE: 0, Action.MODIFY: 1, Action.MOVE: 2, Action.REMOVE: 3}


class IisLayer(HostLayer[State]):
    """The paths of one site of one server, for one task. `describes`: the task describes them, and
    does not give back a snapshot.
    """

    name = "iis"
    tables = TABLES
    guards = GUARDS
    about_state = ABOUT_STATE
    unread = frozenset({"not_certain"})
    digests: t.ClassVar[t.Mapping[str, t.Sequence[str]]] = types.MappingProxyType({_STEP: (_STEP,)})

    def __init__(self, wish: Wish, *, describes: bool = True) -> None:
        self._wish, self._describes = wish, describes

    # ------------------------------------------------------------ what the plan means

    def desired(self, reading: Reading[State]) -> t.Sequence[Desired[str]]:
        return recipes.desired(self._wish, reading.state)

    def judge(
        self, reading: Reading[State], after: State, changes: t.Sequence[Change]
    ) -> t.Iterable[Finding]:
        return findings(reading.state, after, self._wish, changes)

    def order(self, changes: t.Sequence[Change], state: State) -> tuple[Change, ...]:
        """What blocks a path now goes after what shall block it has come. Where nothing blocks it
        any more, each step only opens.
        """
        ranked = sorted(changes, key=lambda change: (is_drop(change), _RANK[change.action]))
        return tuple(_behind_their_places(ranked))

    def refuse(self, reading: Reading[State], steps: t.Sequence[Change]) -> str:
        server = reading.state.server
        if server.shared:
            return (
                f"IIS on {server.name} has its configuration in {server.shared}, which it shares "
                "with other servers: a change would be "
                "one of all of them. Nothing was changed. Change it there, or end the shared "
                "configuration."
            )
        if any(
            place.ip_locked
            for step in steps
            if step.table == IP_LISTS
            for place in self._at(reading.state, step)
        ):
            return (
                f"The section of an IP list is locked on {server.name}. Nothing was changed. "
                f"Unlock it first."
            )
        return ""

    @staticmethod
    def _at(state: State, step: Change) -> list[t.Any]:
        place = state.places.get(step.key.casefold())
        return [] if place is None else [place]

    def is_visible(self, change: Change) -> bool:
        # A section stays where something is left in it.
        return change.table != SECTIONS

    def strangers(self, before: State, state: State) -> list[str] | None:
        return open_sentences(self._wish, state) if self._describes else None

    def edge(self, before: State, state: State) -> dict[str, t.Any] | None:
        return edge.of(state, self._wish) if self._describes else None

    def sentence(self, change: Change) -> str:
        return words.change_sentence(change, self._wish.site)

    def told(self, before: State, after: State, changes: t.Sequence[Change]) -> dict[str, t.Any]:
        return {
            **words.before_after(after, changes),
            "exposure": words.exposure(before, after, self._wish),
        }

    def diff(self, told: t.Mapping[str, t.Any], changes: t.Sequence[Change]) -> dict[str, str]:
        return text_diff(
            *(words.diff_lines(told["exposure"][side], told[side]) for side in ("before", "after"))
        )

    # ------------------------------------------------------------ how it is read and written

    def read_steps(
        self,
        host_name: t.Any,
        state: State | None = None,
        *,
        prefix: str = "",
        always: bool = False,
    ) -> list[Step]:
        step = {
            **read_step(self._wish.site, [block.path for block in self._wish.blocks]),
            "id": f"{prefix}{_STEP}",
        }
        return [{**step, "always": True} if always else step]

    def parse(
        self, answer: t.Mapping[str, t.Any], prefix: str, earlier: State | None = None
    ) -> State:
        state = read_state(
            answer["host"], answer["steps"][f"{prefix}{_STEP}"]["objects"], self._wish.site
        )
        self._wish = dataclasses.replace(self._wish, site=state.site)
        return state

    def calls(
        self, change: Change, state: State, *, step: str, credential: t.Callable[[str, str], t.Any]
    ) -> list[Step]:
        return change_steps(change, state, step)

    def concerned(self, steps: t.Sequence[Change]) -> set[str]:
        return {_STEP}

    def origin(self, state: State) -> dict[str, str]:
        return {"server": state.server.name, "site": state.site}

    def facts(self, state: State, way: str) -> dict[str, t.Any]:
        server = state.server
        iis = "" if server.iis is None else ".".join(map(str, server.iis))
        return {
            "server": {"name": server.name, "iis": iis, "url_rewrite": server.rewrite},
            "site": state.site,
            "bindings": [binding.words() for binding in state.bindings or ()],
        }


def _behind_their_places(changes: t.Sequence[Change]) -> t.Iterator[Change]:
    """The changes in their order, a new rule behind that new one which it is put right before: as
    long as that one is not there, it would come to stand at the end.
    """
    waiting = list(changes)
    to_come = {
        change.key.casefold()
        for change in changes
        if change.action == Action.CREATE and change.table == REWRITE_RULES
    }
    while waiting:
        ready = next(
            (
                change
                for change in waiting
                if change.action != Action.CREATE
                or change.table != REWRITE_RULES
                or (change.place or "").casefold() not in to_come
            ),
            waiting[0],
        )
        waiting.remove(ready)
        to_come.discard(ready.key.casefold())
        yield ready
