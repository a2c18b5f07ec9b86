# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows Firewall as a layer, and how a host-side port reads and writes it."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.diff import text_diff
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Desired,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Finding
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.layer import (
    HostLayer,
    Step,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Reading
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall import (
    calls,
    edge,
    recipe,
    words,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.guards import (
    ABOUT_STATE,
    GUARDS,
    MANAGEMENT_PORTS,
    UNREAD,
    findings,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.recipe import (
    Site,
    covered,
    ignoring,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.state import (
    State,
    identity,
    read_state,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.tables import (
    TABLES,
    Change,
    order,
)

# EPT_S_NOT_REGISTERED, which COM gives while the service is not running. The number is the same in
# every language; the words around it are not.
_NO_ENDPOINTS = "0X800706D9"


class WindowsFirewallLayer(HostLayer[State]):
    """The firewall of one server, for one task.

    `site` is what the task locks; None for a rollback. `came_by` is the port of the connection.
    """

    name = "windows_firewall"
    tables = TABLES
    guards = GUARDS
    about_state = ABOUT_STATE
    unread = UNREAD
    digests: t.ClassVar[t.Mapping[str, t.Sequence[str]]] = {"windows_firewall": (calls.READ,)}

    def __init__(self, site: Site | None, *, came_by: int | None = None) -> None:
        self._site, self._came_by = site, came_by

    # ------------------------------------------------------------ what the plan means

    def desired(self, reading: Reading[State]) -> t.Sequence[Desired[str]]:
        return [] if self._site is None else recipe.lock(reading.state, self._site)

    def judge(
        self, reading: Reading[State], after: State, changes: t.Sequence[Change]
    ) -> t.Iterable[Finding]:
        return findings(reading.state, after, self._site, changes, self._came_by)

    def order(self, changes: t.Sequence[Change], state: State) -> tuple[Change, ...]:
        return order(changes)

    def strangers(self, before: State, state: State) -> list[str] | None:
        if self._site is None:
            return None
        return words.stranger_sentences(state, self._site.ports, self._site.named)

    def sentence(self, change: Change) -> str:
        return words.sentence(change)

    def told(self, before: State, after: State, changes: t.Sequence[Change]) -> dict[str, t.Any]:
        return {
            **words.before_after(before, after, changes),
            "exposure": words.exposure(before, after, self._ports(before, changes)),
        }

    def _ports(self, before: State, changes: t.Sequence[Change]) -> t.Sequence[int]:
        """The ports to tell of: those of the task, or the numbers that its changes are about."""
        if self._site is not None:
            return self._site.ports
        rules = [
            before.rules[identity(change.key)].rule
            for change in changes
            if change.action != Action.CREATE
        ]
        spans = [span for rule in rules for span in rule.ports.spans if span[1] - span[0] < 8]
        told = {port for first, last in spans for port in range(first, last + 1)}
        return sorted(port for port in told if any(covered(rule, (port,)) for rule in rules))

    def edge(self, before: State, state: State) -> dict[str, t.Any] | None:
        return None if self._site is None else edge.of(state, self._site)

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
        ports = (*MANAGEMENT_PORTS, *([self._came_by] if self._came_by else []))
        return calls.read_steps(
            prefix=prefix, always=always, peers_at=ports if state is None else ()
        )

    def parse(
        self, answer: t.Mapping[str, t.Any], prefix: str, earlier: State | None = None
    ) -> State:
        steps = answer["steps"]
        peers = (steps.get(f"{prefix}{calls.PEERS}") or {}).get("objects") or []
        lines = [str(row.get("line") or "") for row in peers]
        state = read_state(answer["host"], steps[f"{prefix}{calls.READ}"]["objects"], lines)
        state = state if earlier is None else dataclasses.replace(state, peers=earlier.peers)
        return state if self._site is None else ignoring(state, self._site)

    def calls(
        self, change: Change, state: State, *, step: str, credential: t.Callable[[str, str], t.Any]
    ) -> list[Step]:
        return calls.change_calls(change, state, step=step)

    def explain(self, step: str | None, message: str) -> str:
        if _NO_ENDPOINTS not in message.upper():
            return ""
        return (
            "The Windows Firewall service (MpsSvc) of the server does not answer, so that its "
            "rules can be neither read nor changed. Start it (Start-Service MpsSvc), see that it "
            "starts with the server, and run the task again."
        )

    def concerned(self, steps: t.Sequence[Change]) -> set[str]:
        return set(self.digests)

    def origin(self, state: State) -> dict[str, str]:
        return {"server": state.server}

    def facts(self, state: State, way: str) -> dict[str, t.Any]:
        """The server and how its profiles are, for the result."""
        profiles = {
            profile.name: {
                "active": profile.bit in state.current,
                "enabled": profile.enabled,
                "blocks_all": profile.blocks_all,
                "lets_in_by_default": profile.lets_in,
                "local_rules_count": profile.merges,
            }
            for profile in state.profiles.values()
        }
        return {"server": {"name": state.server}, "profiles": profiles}
