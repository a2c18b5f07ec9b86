# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchange Online as a layer: what the lock of a tenant does around its options."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import (
    edge,
    model,
    recipe,
    words,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.client import (
    ExchangeOnline,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.exchangers import (
    Source,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.guards import (
    ABOUT_STATE,
    GUARDS,
    UNREAD,
    is_about_organization,
    judge,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.model import Named
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.recipe import Wish
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.state import (
    TenantState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.tables import (
    RESOURCES,
    TABLES,
    Change,
    cmdlets,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Desired,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Finding
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.layer import Layer
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Reading


class TenantLayer(Layer[TenantState, str]):
    """The lock of one tenant. `wish` is None where a snapshot is given back. `may_write`: whether
    this app has to be allowed what the plan takes, also where nothing is written yet.
    """

    name = "exchange_online"
    tables = TABLES
    guards = GUARDS
    about_state = ABOUT_STATE
    unread = UNREAD

    def __init__(
        self,
        client: ExchangeOnline,
        wish: Wish | None,
        *,
        mx: Source | None = None,
        may_write: bool = True,
    ) -> None:
        self._client, self._wish, self._mx = client, wish, mx or Source()
        self._may_write = may_write

    @property
    def _named(self) -> Named:
        return self._wish.named if self._wish else Named()

    def desired(self, reading: Reading[TenantState]) -> t.Sequence[Desired[str]]:
        return recipe.desired(self._wish, reading.state) if self._wish else ()

    def judge(
        self,
        reading: Reading[TenantState],
        after: TenantState,
        changes: t.Sequence[Change],
    ) -> t.Iterable[Finding]:
        return judge(self._wish, self._mx, reading.state, after, changes)

    def order(self, changes: t.Sequence[Change], state: TenantState) -> tuple[Change, ...]:
        """What lets somebody in comes first, what shuts somebody out last.

        A connector that is made or changed lets in whom it names, and is the one that refuses; one
        that goes lets strangers in, or shuts out whom only it has named. So what names more comes
        before what names less, and RejectDirectSend, which every sender without a connector meets,
        after the connectors that it spares; before them where it is taken back.
        """
        return tuple(sorted(changes, key=_rank))

    def refuse(self, reading: Reading[TenantState], steps: t.Sequence[Change]) -> str:
        """Whether this app may run what the steps take: one request, and only before a write."""
        if not self._may_write:
            return ""
        allowed = self._client.cmdlets()
        if allowed is None:
            return ""
        missing = [name for name in cmdlets(steps, reading.state) if name.lower() not in allowed]
        if not missing:
            return ""
        return (
            f"This app may not run {', '.join(missing)} in the tenant {self._client.tenant}. "
            "Nothing was changed. Give it the role Exchange Administrator, or a role group of its "
            "own whose roles have these cmdlets."
        )

    def rows(self, table: str, state: TenantState) -> t.Mapping[str, t.Any]:
        """The rows of a table, for comparing what was read with what is there."""
        return state.rows(RESOURCES[table])

    def strangers(self, before: TenantState, state: TenantState) -> list[str] | None:
        return model.strangers(state, self._named) if self._wish else None

    def edge(self, before: TenantState, state: TenantState) -> dict[str, t.Any] | None:
        return edge.of(state, self._named) if self._wish else None

    def sentence(self, change: Change) -> str:
        return words.sentence(change)

    def told(
        self, before: TenantState, after: TenantState, changes: t.Sequence[Change]
    ) -> dict[str, t.Any]:
        return {"exposure": words.exposure(before, after)}

    def diff(self, told: t.Mapping[str, t.Any], changes: t.Sequence[Change]) -> dict[str, str]:
        return words.diff(told, changes)


def _rank(change: Change) -> int:
    if is_about_organization(change):
        return 3 if change.after.get("reject_direct_send") else 0
    if change.action == Action.REMOVE:
        return 4
    return 1 if change.action == Action.CREATE else 2
