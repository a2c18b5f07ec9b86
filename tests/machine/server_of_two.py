# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server that two runs, or two jobs, meet at, and what they leave there."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.tests.machine import judge
from ansible_collections.mailedge.lockdown.tests.machine.server import (
    ExchangeServer,
    Impatient,
    Result,
)
from ansible_collections.mailedge.lockdown.tests.machine.turns import Turns

STRANGER, PROVIDER = "203.0.113.200", "198.51.100.7"
OWN = {"own_networks": ["10.20.0.0/16"]}
LOCK: dict[str, t.Any] = {**OWN, "provider_ranges": ["198.51.100.0/24"], "inbound_lock": {}}
MORE_RANGES = {**LOCK, "provider_ranges": ["198.51.100.0/24", "203.0.113.0/25"]}
SCANNER = {"name": "Scanner", "bindings": ["0.0.0.0:2526"], "remote_ip_ranges": ["10.20.9.9"]}
DESCRIBED: dict[str, t.Any] = {"receive_connectors": [SCANNER]}


@dataclasses.dataclass
class End:
    """What both have told and left, and whose turn it was at each event."""

    told: dict[str, Result]
    configuration: judge.Site
    stranger: judge.Granted
    events: str

    @property
    def green(self) -> str:
        """Those that did not fail."""
        return "".join(sorted(name for name, told in self.told.items() if not told["failed"]))


def server_of_two(edition: str) -> ExchangeServer:
    """One whose lock is not waited for."""
    server = ExchangeServer(edition)
    server.host.mutexes = Impatient()
    return server


def end_of(server: ExchangeServer, told: dict[str, Result], turns: Turns) -> End:
    """How it ended."""
    return End(
        told,
        judge.configuration(server.host),
        judge.granted(server.host, STRANGER),
        "".join(turns.events),
    )
