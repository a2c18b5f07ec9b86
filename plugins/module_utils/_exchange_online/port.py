# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port of the Exchange Online layer: its cmdlets over REST, and a folder of snapshots on the
host that runs the module.

A tenant has no place for a file.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.alone import Alone
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.client import (
    ExchangeOnline,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.errors import (
    ExchangeOnlineError,
    NotInstalled,
    Refused,
    TokenRefused,
    Unreachable,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.in_force import (
    awaited,
    clock_of,
    propagating,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.layer import (
    TenantLayer,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.state import (
    TenantState,
    read,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.tables import (
    Change,
    calls,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    snapshot as snapshots,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    PlanError,
    SnapshotError,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.folder import (
    CONTENT,
    Folder,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import (
    Kept,
    Port,
    Reading,
    Stopped,
    Written,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.snapshot import (
    Held,
    Snapshot,
)

_LOOKS = (2.0, 4.0, 8.0, 16.0)
"""How long is waited for what was written to be seen, in seconds, one time after the other."""


class TenantPort(Port[TenantState, str, Reading[TenantState]]):
    """One tenant, for one task. `wanted` is what a rollback asks for; None: no rollback. `content`
    is the text of CONTENT.
    """

    def __init__(
        self,
        client: ExchangeOnline,
        layer: TenantLayer,
        folder: Folder,
        *,
        wanted: str | None = None,
        content: str | None = None,
        wait: t.Callable[[float], None],
    ) -> None:
        self._client, self._layer, self._folder = client, layer, folder
        self._wanted, self._content, self._wait = wanted, content, wait
        self._alone = Alone(folder, client.tenant)

    def cost(self) -> dict[str, int]:
        return {"requests": self._client.requests}

    def read(self) -> Reading[TenantState]:
        state = read(self._client)
        now = self.now()
        held: tuple[Held, ...] = ()
        if self._wanted is not None:
            held = tuple(self._folder.held())
            if self._content:
                held = (Held(CONTENT, self._content),)
        facts: dict[str, t.Any] = {
            "tenant": {"id": self._client.tenant, "domains": list(state.domains)}
        }
        notes: tuple[str, ...] = ()
        until = awaited(self._client, state)
        if until:
            facts["tenant"]["in_force_by"] = snapshots.stamp(until)
            notes = (propagating(until),)
        return Reading(
            state=state,
            time=now,
            origin={"tenant": self._client.tenant.lower()},
            where=f"in the tenant {self._client.tenant}",
            kept=f"of the tenant {self._client.tenant}, in {self._folder.path}",
            facts=facts,
            notes=notes,
            snapshots=held,
        )

    def now(self) -> datetime.datetime:
        """The time by the service's clock, or by this host's where it does not tell."""
        return clock_of(self._client)

    def foreign(self, origin: t.Mapping[str, str], reading: Reading[TenantState]) -> str:
        return another_tenant(origin, self._client.tenant)

    def keep(self, snapshot: Snapshot[str], reading: Reading[TenantState]) -> Kept:
        """Nothing is kept, and nothing written, over what somebody has changed meanwhile; nor
        while another run of this folder writes.
        """
        self._alone.begin(self._wait)
        try:
            self._compare(reading.state, {row.table for row in snapshot.desired})
            return self._folder.keep(self._layer, snapshot, reading.time)
        except BaseException:
            self._alone.end()
            raise

    def keep_less(self, kept: Kept, snapshot: Snapshot[str]) -> Kept:
        return self._folder.keep_over(self._layer, kept.name, snapshot, kept.earlier)

    def write(
        self, steps: t.Sequence[Change], reading: Reading[TenantState], kept: Kept
    ) -> Written[TenantState, str]:
        try:
            return self._written(steps, reading)
        finally:
            self._alone.end()

    def _written(
        self, steps: t.Sequence[Change], reading: Reading[TenantState]
    ) -> Written[TenantState, str]:
        state, done = reading.state, 0
        for step in steps:
            goal = self._layer.tables.apply(step, state)
            self._make(step, state, goal, done)
            state, done = goal, done + 1
        try:
            return Written(self._seen(state, steps))
        except (ExchangeOnlineError, PlanError) as error:
            raise Stopped(
                f"All was written, and could not be read again. {error}", done=done
            ) from None

    def _make(self, step: Change, state: TenantState, goal: TenantState, done: int) -> None:
        """One step. Raises Stopped."""
        begun = False
        try:
            for call in calls(step, state):
                self._client.write(call)
                begun = True
        except ExchangeOnlineError as error:
            certain = _is_certain(error)
            if not certain and self._is_made(step, goal):
                return
            raise Stopped(str(error), done=done, refused=certain and not begun) from None

    def _is_made(self, step: Change, goal: TenantState) -> bool:
        """Whether a step of which no answer came is there to be seen."""
        try:
            return self._shows(step, goal, read(self._client))
        except (ExchangeOnlineError, PlanError):
            return False

    def _compare(self, before: TenantState, tables: t.Collection[str]) -> None:
        try:
            now = read(self._client)
        except ExchangeOnlineError as error:
            raise SnapshotError(f"{error} Nothing was changed.") from None
        for table in tables:
            if self._layer.rows(table, before) != self._layer.rows(table, now):
                raise SnapshotError(
                    f"The {self._layer.tables[table].noun}s of the tenant {self._client.tenant} "
                    "have been changed since they were read. Nothing was changed. Run the task "
                    "again."
                )

    def _seen(self, goal: TenantState, steps: t.Sequence[Change]) -> TenantState:
        """The state as it is read again. A directory may answer with what was there before, for a
        moment.
        """
        state = read(self._client)
        for seconds in _LOOKS:
            if all(self._shows(step, goal, state) for step in steps):
                break
            self._wait(seconds)
            state = read(self._client)
        return state

    def _shows(self, step: Change, goal: TenantState, state: TenantState) -> bool:
        table = self._layer.tables[step.table]
        wished, there = table.find(goal, step.key), table.find(state, step.key)
        if wished is None or there is None or step.action == Action.REMOVE:
            return wished is None and there is None
        return not table.differing(there[1], table.plain(wished[1]))[1]


def _is_certain(error: ExchangeOnlineError) -> bool:
    """Whether what was tried last was certainly not done."""
    if isinstance(error, Unreachable):
        return not error.sent
    return isinstance(error, (Refused, TokenRefused, NotInstalled))


def another_tenant(origin: t.Mapping[str, str], tenant: str) -> str:
    """Why a snapshot of that origin is not of this tenant, in one sentence; empty where it is."""
    if origin.get("tenant") == tenant.lower():
        return ""
    return f"It is of the tenant {origin.get('tenant')}."
