# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What workers find done."""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import agent_line
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._preload import preload
from ansible_collections.mailedge.lockdown.tests.support.scripted_server import Server, run


def test_the_agent_that_reads_connectors_is_packed_before_a_worker_needs_it() -> None:
    agent_line.cache_clear()
    preload(1)
    packed = agent_line.cache_info().misses
    server = Server()
    run(server, {"provider_ranges": ["198.51.100.0/24"], "inbound_lock": {}}, True)
    assert len(server.requests) == 1
    assert (packed, agent_line.cache_info().misses) == (1, 1)
