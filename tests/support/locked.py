# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the recipes make of a server."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    Answer,
    match,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    apply_all,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.recipes import (
    inbound_lock,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import parse_address
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites

PROVIDER, PROVIDER_6 = "198.51.100.25", "2001:db8:100::25"
STRANGERS = ["203.0.113.9", "1.2.3.4", "2a00::1"]
LAN_HOST = "10.20.5.17"
OPTIONS: dict[str, t.Any] = {
    "provider_ranges": [sites.PROVIDER, "2001:db8:100::/48"],
    "own_networks": [sites.LAN],
}


def lock(state: State, **options: t.Any) -> State:
    given = {**OPTIONS, **options}
    after = apply_all(plan(state, inbound_lock(state, given)), state)
    assert plan(after, inbound_lock(after, given)) == (), "a second run would change something"
    return after


def meets(state: State, address: str, local: str = sites.LAN_ADDRESS) -> Answer:
    return match(
        state.receive.values(), address, 25, parse_address(local) if ":" not in address else None
    )
