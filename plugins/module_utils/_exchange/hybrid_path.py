# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether Exchange Online's addresses meet the hybrid path: a connector that takes their mail, with
the TLS capabilities that the hybrid wizard gives it (facts: HealthChecker's cloud connector).
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    builtin_connectors,
    doors,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.words import ranges
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet

_PORT = 25


def broken(state: State, hybrid: RangeSet) -> list[str]:
    """A sentence for each part of Exchange Online's ranges that does not meet the hybrid path."""
    return list(_broken(state, hybrid))


def _broken(state: State, hybrid: RangeSet) -> t.Iterator[str]:
    for answer, senders in doors.answers_of(state.receive.values(), hybrid, _PORT).items():
        who = f"Exchange Online's {ranges(senders)}"
        connector = state.receive.get((answer.connector or "").casefold())
        if not doors.surely_accepts_anonymous(answer):
            yield f"{who} are not accepted for certain on port {_PORT}."
        elif connector is None or not builtin_connectors.hybrid_capabilities(connector):
            yield (
                f"{who} meet the receive connector '{answer.connector}', which has none of the TLS "
                "capabilities of the hybrid path. Run the hybrid wizard, or give it one."
            )
