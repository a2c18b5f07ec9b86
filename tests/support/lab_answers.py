# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab host answers to a request, no network between: by the stand-in, or by agent.ps1 in a
runspace of a real engine, as psrp has one.
"""

from __future__ import annotations

import pytest

from ansible_collections.mailedge.lockdown.tests.lab import standin
from ansible_collections.mailedge.lockdown.tests.lab.exchange.bridge import Bridge, prelude
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.support.engine import in_a_runspace, needs_engine

WAYS = [pytest.param(False, id="stand-in"), pytest.param(True, id="engine", marks=needs_engine)]
"""Whether a host answers by a real engine."""

LONG_WAYS = [
    WAYS[0],
    pytest.param(True, id="engine", marks=[needs_engine, pytest.mark.long]),
]
"""The same, for what takes an engine long."""


def lab_answer(host: ExchangeHost, stdin: bytes, engine: bool) -> tuple[int, bytes, bytes]:
    """Exit code, output and error output of one start of PowerShell, which the host counts."""
    host.counters["powershell_starts"] += 1
    if not engine:
        return 0, standin.answer(host, stdin), b""
    with Bridge(host) as bridge:
        return 0, in_a_runspace(prelude(), stdin, bridge.environment), b""
