# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchange's connectors as a layer, and how a host-side port reads and writes them."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    _guards_accepted,
    _guards_recent,
    edge,
    mail_logs,
    recent,
    strangers,
    ways_out,
    words,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.calls import (
    DIGEST_IGNORE,
    DIGESTS,
    CredentialType,
    Step,
    change_calls,
    read_steps,
    rows,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.guards import (
    ABOUT_STATE,
    GUARDS,
    findings,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.order import order
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    CREDENTIAL,
    TABLES,
    Change,
    SiteNetworks,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import (
    State,
    read_state,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.diff import text_diff
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Finding
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.layer import HostLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Reading

_REACH, _REACH_SECONDS = "reach", 5

Answers = t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]]
"""The rows that the agent answered, by the ids of the steps."""


class ExchangeLayer(HostLayer[State]):
    """The connectors of one server, for one task.

    `describe` gives what the task's options ask for, on a state. `smart_hosts` are tried from the
    server while it is read, and its logs are, where `recent_senders` says how. `domain_controller`
    is the one that the user named. `in_clear` says why a login would travel in clear text; None
    where it would not.
    """

    name = "exchange"
    tables = TABLES
    guards = GUARDS
    about_state = ABOUT_STATE
    unread = frozenset({_guards_recent.UNKNOWN, _guards_accepted.UNREAD})
    digests = DIGESTS
    digest_ignore = DIGEST_IGNORE

    def __init__(
        self,
        networks: SiteNetworks,
        describe: t.Callable[[State], t.Sequence[Desired[str]]],
        *,
        smart_hosts: t.Sequence[tuple[str, int]] = (),
        domain_controller: str | None = None,
        in_clear: str | None = None,
        recent_senders: recent.Asked | None = None,
    ) -> None:
        self._networks, self._describe, self._in_clear = networks, describe, in_clear
        self._smart_hosts, self._domain_controller = smart_hosts, domain_controller
        self._asked = recent_senders
        self._recent: dict[str, t.Any] | None = None

    # ------------------------------------------------------------ what the plan means

    def desired(self, reading: Reading[State]) -> t.Sequence[Desired[str]]:
        return self._describe(reading.state)

    def judge(
        self, reading: Reading[State], after: State, changes: t.Sequence[Change]
    ) -> t.Iterable[Finding]:
        unreachable = [
            str(row["host"]) for row in reading.answers.get(_REACH, ()) if not row.get("reachable")
        ]
        before, networks = reading.state, self._networks.on(reading.state.server)
        yield from findings(before, after, networks, changes, unreachable)
        if self._asked:
            senders = recent.of(reading.answers, before, networks, self._asked)
            self._recent = recent.shown(senders, self._asked)
            yield from _guards_recent.check(before, after, networks, senders, self._asked)

    def order(self, changes: t.Sequence[Change], state: State) -> tuple[Change, ...]:
        return order(changes, state, self._networks.on(state.server))

    def refuse(self, reading: Reading[State], steps: t.Sequence[Change]) -> str:
        server = reading.state.server
        if self._in_clear and any(step.after.get(CREDENTIAL) for step in steps):
            return self._in_clear
        if not server.setup_running:
            return ""
        return (
            f"Exchange's own setup is running on {server.name}. It changes the connectors itself, "
            "and a change of ours could make it fail half way. Nothing was changed. Run the task "
            "again when setup has ended."
        )

    def strangers(self, before: State, state: State) -> list[str] | None:
        inwards = strangers.sentences(state.receive.values(), self._networks.on(state.server))
        outwards = ways_out.sentences(state.send, self._networks.outbound_lock)
        judged = [part for part in (inwards, outwards) if part is not None]
        return [sentence for part in judged for sentence in part] if judged else None

    def is_locked(self, before: State, state: State) -> bool:
        """What could not be read is never called in order."""
        return state.accepted_domains is not None or not strangers.judged(self._networks)

    def is_visible(self, change: Change) -> bool:
        """A login that is written in every run is never equal to what can be read back; another
        user name is.
        """
        if set(change.after) != {CREDENTIAL}:
            return True
        held, desired = change.before[CREDENTIAL], change.after[CREDENTIAL]
        return (
            held is None
            or desired is None
            or held.username.casefold() not in ("", desired.username.casefold())
        )

    def sentence(self, change: Change) -> str:
        return words.change_sentence(change)

    def told(self, before: State, after: State, changes: t.Sequence[Change]) -> dict[str, t.Any]:
        return {
            **words.before_after(before, after, changes),
            "exposure": words.exposure(before, after, self._networks.on(before.server)),
            **({"recent_senders": self._recent} if self._recent else {}),
        }

    def edge(self, before: State, state: State) -> dict[str, t.Any] | None:
        networks = self._networks.on(state.server)
        return edge.of(state, networks) if strangers.judged(networks) else None

    def diff(self, told: t.Mapping[str, t.Any], changes: t.Sequence[Change]) -> dict[str, str]:
        sides = (
            words.diff_lines(told["exposure"][side], told[side]) for side in ("before", "after")
        )
        return text_diff(*sides)

    # ------------------------------------------------------------ how it is read and written

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
        """
        if state is not None:
            controller = state.domain_controller
            return read_steps(
                state.server.name, controller, prefix=prefix, always=always, commands=False
            )
        steps = read_steps(host_name, self._domain_controller, prefix=prefix, always=always)
        if self._smart_hosts:
            targets = [list(target) for target in self._smart_hosts]
            reach = {"op": "reach", "id": _REACH, "targets": targets, "seconds": _REACH_SECONDS}
            steps.append({**reach, "optional": True})
        if self._asked:
            steps += mail_logs.read_steps(
                host_name, self._asked.bounds, refusals=self._asked.refusals
            )
        return steps

    def parse(
        self, answer: t.Mapping[str, t.Any], prefix: str, earlier: State | None = None
    ) -> State:
        """The state of one reading. A named domain controller, or that of the earlier reading, is
        the one that is written to.
        """
        state = read_state(answer["host"], rows(answer["steps"], prefix))
        controller = self._domain_controller if earlier is None else earlier.domain_controller
        return dataclasses.replace(state, domain_controller=controller) if controller else state

    def calls(
        self, change: Change, state: State, *, step: str, credential: CredentialType
    ) -> list[Step]:
        """The steps that carry out a change."""
        return change_calls(change, state, step=step, credential=credential)

    def concerned(self, steps: t.Sequence[Change]) -> set[str]:
        """The resources that have to be as they were read. What is locked inwards is judged with
        every plan.
        """
        return {RECEIVE.name, *(change.table for change in steps)}

    def origin(self, state: State) -> dict[str, str]:
        """What a snapshot is of."""
        return {"server": state.server.name}

    def facts(self, state: State, way: str) -> dict[str, t.Any]:
        """The server, for the result."""
        server = state.server
        facts = {
            "name": server.name,
            "version": server.version.label,
            "build": server.build,
            "shell": way,
        }
        return {"server": {**facts, "note": server.note} if server.note else facts}
