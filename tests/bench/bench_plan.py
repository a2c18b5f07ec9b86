# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole plan of the connectors: 10,000 ranges of a provider, or 1,000 connectors on one server.

Everything that a run does between reading and writing: recipe, plan, guards, order, words. The goal
is three seconds of processor time for each; seconds are printed, and judged by whoever reads them.
Fails where the second run would change something.
"""

from __future__ import annotations

import dataclasses
import sys
import time
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import words
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.guards import findings
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.order import order
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    SiteNetworks,
    apply_all,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.recipes import (
    inbound_lock,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites

OWN = ["10.0.0.0/8"]
# No two touch each other, so that none of them becomes a part of a wider one.
MANY_RANGES = [
    f"198.{18 + (number >> 14)}.{(number >> 6) & 255}.{(number & 63) * 4}/31"
    for number in range(10_000)
]


def with_connectors(count: int) -> State:
    """A server with so many relay connectors, each for a network of its own."""
    state = sites.modern()
    relays = [
        sites.receive(
            f"Relay {number:04}",
            bindings=["0.0.0.0:25"],
            remote_ip_ranges=[f"10.{number >> 8}.{number & 255}.0/24"],
            permission_groups=["AnonymousUsers"],
        )
        for number in range(count)
    ]
    return dataclasses.replace(
        state, receive={**state.receive, **{row["name"].casefold(): row for row in relays}}
    )


def measured(state: State, provider: t.Sequence[str]) -> tuple[dict[str, float], int]:
    """Seconds of processor time by part, and how many changes a second run would make."""
    seconds: dict[str, float] = {}
    begun = time.process_time()

    def lap(part: str) -> None:
        nonlocal begun
        seconds[part], begun = time.process_time() - begun, time.process_time()

    options = {"provider_ranges": provider, "own_networks": OWN}
    networks = SiteNetworks(
        provider=RangeSet.parse(provider), own_networks=RangeSet.parse(OWN), inbound_lock=True
    ).on(state.server)
    desired = inbound_lock(state, options)
    lap("recipe")
    changes = plan(state, desired)
    after = apply_all(changes, state)
    lap("plan")
    tuple(findings(state, after, networks, changes))
    lap("guards")
    order(changes, state, networks)
    lap("order")
    words.exposure(state, after, networks)
    words.before_after(state, after, changes)
    lap("words")
    return seconds, len(plan(after, inbound_lock(after, options)))


def main() -> int:
    """Print a line for each; give 1 where a second run would change something."""
    broken = 0
    for name, state, provider in (
        ("10,000 ranges", sites.modern(), MANY_RANGES),
        ("1,000 connectors", with_connectors(1_000), [sites.PROVIDER]),
    ):
        seconds, pending = measured(state, provider)
        parts = ", ".join(f"{part} {value:.2f}" for part, value in seconds.items())
        print(f"{name:18}{sum(seconds.values()):6.2f} s: {parts}")
        broken |= pending
    if broken:
        print("FAILED: a second run would change something.")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
