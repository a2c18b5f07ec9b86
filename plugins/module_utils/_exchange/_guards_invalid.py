# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard about connectors that Exchange calls invalid. See guards.py."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    Change,
    SiteNetworks,
    table,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import (
    INVALID,
    State,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    WARN,
    Finding,
)


def check(
    before: State,
    _after: State,
    _networks: SiteNetworks,
    changes: t.Sequence[Change],
    _unreachable: frozenset[str],
) -> t.Iterator[Finding]:
    """What the guard finds. A real default connector is such (CSS-Exchange's test data)."""
    for change in changes:
        resource = table(change.table)
        if before.connectors(change.table).get(change.key.casefold(), {}).get(INVALID):
            yield Finding(
                "invalid_connector",
                WARN,
                f"Exchange calls the {resource.noun} '{change.key}' invalid (IsValid: False) and "
                "may refuse to change it (unverified). Its change comes as early as is safe, "
                f"before others close anything. Look at what {resource.verbs['get']} warns of.",
            )
