# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connectors of the lab's server as the product reads them: for tests of that reading, and of
the model over it.

No verdict of a test hangs on it: those ask the server itself (ExchangeHost.admission and .shown).
"""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.accepted import STEP
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import (
    State,
    read_state,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost


def read(host: ExchangeHost) -> State:
    """What a run would read, by one domain controller; it counts as no read of the host."""
    near = {"DomainController": host.directory.controllers[0]} if host.directory.controllers else {}
    with host.directory.lock:
        receive = host.cmdlets.run("Get-ReceiveConnector", {"Server": host.name, **near})
        send = host.cmdlets.run("Get-SendConnector", near)
        domains = host.cmdlets.run("Get-AcceptedDomain", near)
        rights = [
            {**row, "_each": connector["DistinguishedName"]}
            for connector in receive
            for row in host.cmdlets.run(
                "Get-ADPermission", {"Identity": connector["DistinguishedName"], **near}
            )
        ]
    return read_state(
        host.facts(), {"receive": receive, "send": send, "rights": rights, STEP: domains}
    )
