# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""host_reading_info: read all that the layers look at on a server, as it is; writes nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    READING_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_reading import ask
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._host_reading import (
    HostReader,
    told,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._mail_flow import ExchangeAction


class ActionModule(ExchangeAction):
    """The action behind the module of the same name."""

    arguments = READING_MODULE

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        reader = HostReader(self.shell(params), params.get("domain_controller"), params["iis_site"])
        steps = reader.reading_steps()
        request = {"protocol": 1, "shell": reader.shell, "mutex": None, "steps": steps}
        return {
            "changed": False,
            "reading": told(steps, ask(agent, request)),
            "cost": {"powershell_starts": agent.starts, "exchange_shells": agent.shells},
        }
