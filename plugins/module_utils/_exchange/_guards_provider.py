# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of the provider's way in. See guards.py."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    builtin_connectors,
    doors,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange._guards_sides import (
    NOBODY,
    Sides,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    exposure,
    is_loopback,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.words import (
    listed,
    ranges,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING_V4,
    EVERYTHING_V6,
    Endpoint,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    WARN,
    Finding,
)


def check(view: Sides) -> t.Iterator[Finding]:
    """What the guards find."""
    provider = view.networks.provider
    heard = NOBODY
    for connectors in (view.old, view.new):
        for endpoint in doors.view_of(connectors, 25).endpoints:
            if not is_loopback(endpoint):
                heard = heard | (EVERYTHING_V4 if endpoint.version == 4 else EVERYTHING_V6)
    # By a firewall that maps port 25 to another one the provider may come in there.
    shut_out = {
        port: view.losing(doors.accepts_anonymous, [port]) & provider for port in (25, *view.ports)
    }
    for port, senders_losing in shut_out.items():
        if senders_losing:
            yield Finding(
                "provider_shut_out",
                STOP,
                f"The provider's {ranges(senders_losing)} would no longer be accepted on port "
                f"{port}.{_coming_in(view, senders_losing, port)}",
            )
    senders_losing = shut_out[25]
    refused = (
        (provider & heard) - doors.holding(view.new, doors.surely_accepts_anonymous)
    ) - senders_losing
    if refused:
        severity = STOP if view.networks.inbound_lock else WARN
        yield Finding(
            "provider_shut_out",
            severity,
            f"The provider's {ranges(refused)} would not be accepted on port "
            f"25.{_refusing(view, refused)}",
        )
    yield from _partly_refused(view, provider - senders_losing - refused)
    public = doors.public(NOBODY)
    if view.same or doors.holding(view.new, doors.accepts_anonymous) & public:
        return
    if doors.holding(view.old, doors.accepts_anonymous) & public:
        yield Finding(
            "no_provider_range",
            STOP,
            "No internet address could deliver mail to this server any more, "
            "the provider's included.",
        )


def _coming_in(view: Sides, senders: RangeSet, port: int) -> str:
    """Where a lock has to listen for senders that are taken today."""
    taken = [
        shown.listener
        for shown in exposure(view.old, port)
        if shown.answer.accepts_anonymous and shown.ranges & senders
    ]
    where = sorted({str(listener) for listener in taken if not is_loopback(listener)})
    if not where or not view.networks.inbound_lock:
        return ""
    # Whoever comes to an address on which one connector listens is heard by no wildcard any more.
    listening = {endpoint for connector in view.old for endpoint in connector.get("bindings") or ()}
    fresh = {
        endpoint for connector in view.new for endpoint in connector.get("bindings") or ()
    } - listening
    alone = sorted(
        str(endpoint) for endpoint in fresh if endpoint.port == port and not endpoint.is_wildcard
    )
    beside = (
        f" instead of {listed(alone)}, where no connector listens today" if alone else " as well"
    )
    return f" If it comes in by {listed(where)}, name that in the bindings of inbound_lock{beside}."


def _partly_refused(view: Sides, others: RangeSet) -> t.Iterator[Finding]:
    """Told where one local address takes a part of the provider's mail and not all of it. One that
    takes nothing of it may be none that the provider comes to.
    """
    listening = doors.View(view.new, 25)
    for endpoint in doors.endpoints([listening]):
        sides: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
        for first, last, (answer,) in doors.walk([listening], endpoint):
            sides[doors.accepts_anonymous(answer)].append((first, last))
        taken, refused = (
            RangeSet.of_spans(endpoint.version, sides[side]) & others for side in (True, False)
        )
        if taken and refused and not is_loopback(endpoint):
            hint = (
                f" Name {endpoint} in the bindings of inbound_lock, or none."
                if view.networks.inbound_lock
                else ""
            )
            yield Finding(
                "provider_shut_out",
                WARN,
                f"The provider's {ranges(refused)} would not be accepted on {endpoint}, "
                f"where {ranges(taken)} would.{_refusing(view, refused, endpoint) or hint}",
            )


def _refusing(view: Sides, senders: RangeSet, where: Endpoint | None = None) -> str:
    """Which narrow connectors turn senders away, and what to do; empty where none does."""
    names = {
        name
        for shown in exposure(view.new, 25)
        if where in (None, shown.listener)
        and not shown.answer.accepts_anonymous
        and shown.ranges & senders
        for name in shown.answer.names
        if not builtin_connectors.hears_internet(view.after.receive[name.casefold()])
    }
    quoted = listed(f"'{name}'" for name in sorted(names))
    return (
        (
            f" They are heard by {quoted}, without the right to send: take them out of the "
            "remote_ip_ranges there, or give AnonymousUsers, in receive_connectors."
        )
        if names
        else ""
    )
