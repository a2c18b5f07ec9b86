# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action windows_firewall_rules over a lab host without a network between them, by the stand-in
or by a real engine.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.action.windows_firewall_rules import ActionModule
from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.packets import Packet, admits
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import Firewall
from ansible_collections.mailedge.lockdown.tests.support.lab_answers import lab_answer
from ansible_collections.mailedge.lockdown.tests.support.scripted_server import Connection, Task

PROVIDER, STRANGER, COLLEAGUE, EXCHANGE, CONTROLLER = (
    "198.51.100.7",
    "203.0.113.9",
    "10.20.0.5",
    "10.20.1.12",
    "10.9.0.4",
)
LOCK: dict[str, t.Any] = {
    "ports": [25],
    "remote_addresses": ["198.51.100.0/24", "2001:db8:100::/48"],
    "own_networks": ["10.20.0.0/16"],
    "exchange_servers": [],
    "domain_controllers": [],
}
FRONTEND = "MSExchangeFrontendTransport.exe"


class Server:
    """A server of the lab; counts the PowerShell starts. `engine`: whether a real one
    answers."""

    def __init__(self, edition: str = "2016", engine: bool = False) -> None:
        self.host = ExchangeHost("EX1", edition, Directory("birke.example"))
        self.engine = engine
        self.starts = 0

    @property
    def firewall(self) -> Firewall:
        """Its firewall."""
        return self.host.windows.firewall

    def __call__(self, stdin: bytes) -> tuple[int, bytes, bytes]:
        self.starts += 1
        return lab_answer(self.host, stdin, self.engine)

    def do(
        self, arguments: dict[str, t.Any], check: bool = False, **options: t.Any
    ) -> dict[str, t.Any]:
        """Run the module."""
        action = ActionModule(
            task=Task(arguments, check),
            connection=Connection(t.cast("t.Any", self), **options),
            play_context=None,
            loader=None,
            templar=None,
            shared_loader_obj=None,
        )
        result: dict[str, t.Any] = action.run(task_vars={})
        return result

    def admits(self, source: str, port: int = 25, listener: str = FRONTEND, **more: t.Any) -> bool:
        """Whether a packet comes in."""
        return admits(self.firewall, Packet(source, port, listener=listener, **more))
