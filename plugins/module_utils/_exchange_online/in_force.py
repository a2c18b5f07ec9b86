# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When what was changed in a tenant is in force: told, or waited for."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.client import (
    ExchangeOnline,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.state import (
    TenantState,
    moment_of,
    read,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    snapshot as snapshots,
)

PROPAGATION = datetime.timedelta(minutes=30)
"""What a change takes at most to be in force everywhere, as Microsoft says of RejectDirectSend."""
MOST_MINUTES = 240


def propagating(until: datetime.datetime) -> str:
    """What is said of a tenant that was changed a moment ago."""
    return (
        f"The tenant was changed less than {int(PROPAGATION.total_seconds() / 60)} minutes ago. "
        f"Until {snapshots.stamp(until)} it may not be in force everywhere, so that who is let in "
        "meanwhile says nothing about the lock."
    )


def clock_of(client: ExchangeOnline) -> datetime.datetime:
    """The time by the service's clock, or by this host's where it does not tell."""
    return client.clock or datetime.datetime.now(datetime.timezone.utc)


def awaited(
    client: ExchangeOnline, state: TenantState, told: datetime.datetime | None = None
) -> datetime.datetime | None:
    """Until when a change may not be in force; None where none is awaited. `told`: what a run that
    changed the tenant has said, since not every change leaves its time in the tenant.
    """
    known = [told, state.changed + PROPAGATION if state.changed else None]
    until = max((moment for moment in known if moment), default=None)
    return until if until and clock_of(client) < until else None


def wait(
    client: ExchangeOnline,
    state: TenantState,
    told: datetime.datetime | None,
    minutes: int,
    sleep: t.Callable[[float], None],
) -> TenantState:
    """The tenant as it is read when nothing is awaited any more, or so many minutes are over.

    By the service's clock: what another host's says of a change there may be wrong by an hour.
    Raises what read() raises.
    """
    left = minutes * 60.0
    while left > 0:
        until = awaited(client, state, told)
        if until is None:
            break
        # The service tells whole seconds.
        pause = min(left, (until - clock_of(client)).total_seconds() + 1.0)
        sleep(pause)
        left -= pause
        state = read(client)
    return state


def problem(params: t.Mapping[str, t.Any]) -> str:
    """What is wrong with the options about waiting, as a sentence; empty where nothing is."""
    minutes, told = params["wait_minutes"], params["in_force_by"]
    if not 0 <= minutes <= MOST_MINUTES:
        return f"wait_minutes is {minutes}: it must be between 0 and {MOST_MINUTES}."
    if told and moment_of(told) is None:
        return (
            f"in_force_by is {str(told)[:80]!r}, which is no time as exchange_online_lock tells it."
        )
    return ""
