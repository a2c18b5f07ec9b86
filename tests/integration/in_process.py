# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real actions over the lab's Exchange without a network between them: for what has to be tried
in every combination.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.standin import answer
from ansible_collections.mailedge.lockdown.tests.support.scripted_server import Connection, run

PROVIDER, STRANGER, COLLEAGUE = "198.51.100.7", "203.0.113.9", "10.20.0.5"
SITE: dict[str, t.Any] = {
    "provider_ranges": ["198.51.100.0/24"],
    "own_networks": ["10.20.0.0/16"],
    "exchange_servers": ["10.20.1.11"],
}
INBOUND: dict[str, t.Any] = {**SITE, "inbound_lock": {}}
BOTH: dict[str, t.Any] = {
    **INBOUND,
    "outbound_lock": {"smart_hosts": ["127.0.0.1"], "port": 9},
    # Nothing listens there; nothing outside of this machine is ever asked.
    "accept_risks": ["smart_host_unreachable"],
}


def killed() -> ExchangeError:
    """Ends the run at this cmdlet, as when PowerShell is killed there; the wire loses the answer
    that says so.
    """
    return ExchangeError("Killed", "Killed", "Killed", "PowerShell was killed.")


class Wire:
    """What stands between action and server: counts PowerShell starts, and can cut."""

    def __init__(self, host: ExchangeHost) -> None:
        self.host = host
        self.starts = 0
        self.cut_before = 0
        self.cut_after = 0
        self.cut_now = False

    def __call__(self, stdin: bytes) -> tuple[int, bytes, bytes]:
        self.starts += 1
        if self.starts == self.cut_before:
            raise AnsibleConnectionFailure("the connection was cut before the request arrived")
        output = answer(self.host, stdin)
        if self.cut_now:
            self.cut_now = False
            raise AnsibleConnectionFailure("the connection was cut in the middle")
        if self.starts == self.cut_after:
            raise AnsibleConnectionFailure("the connection was cut before the answer arrived")
        return 0, output, b""


def do(wire: Wire, arguments: dict[str, t.Any], check: bool = False) -> dict[str, t.Any]:
    """Run exchange_mail_flow."""
    return run(
        t.cast("t.Any", wire), arguments, check, connection=Connection(t.cast("t.Any", wire))
    )


def accepts(host: ExchangeHost, address: str) -> bool:
    """Whether the server takes anonymous mail from an address at this moment."""
    return host.admission(address).submit
