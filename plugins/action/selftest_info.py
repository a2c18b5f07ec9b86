# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""selftest_info: read of a Windows server what the self-test judges; writes nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.argspec import (
    SELFTEST_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import HostAction
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_reading import ask
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._layer_action import (
    WITHOUT_EXCHANGE,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest import windows


class ActionModule(HostAction):
    """The action behind the module of the same name."""

    arguments = SELFTEST_MODULE

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        """Read both in one call. What one of them meets is told in its place."""
        steps = windows.read_steps(params["site"])
        request = {"protocol": 1, "shell": WITHOUT_EXCHANGE, "mutex": None, "steps": steps}
        return {
            "changed": False,
            **windows.numbers(ask(agent, request)),
            "cost": {"powershell_starts": agent.starts, "exchange_shells": agent.shells},
        }
