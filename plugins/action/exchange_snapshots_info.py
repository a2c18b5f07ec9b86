# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_snapshots_info: what the snapshots on a server would restore. Writes nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    SNAPSHOTS_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.layer import ExchangeLayer
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import HostAction
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._snapshots import KeptFiles


class ActionModule(HostAction):
    """The action behind the module of the same name."""

    arguments = SNAPSHOTS_MODULE

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        kept = KeptFiles.read(agent)
        return {
            "changed": False,
            "server": kept.server,
            **kept.listed(ExchangeLayer.name, ExchangeLayer.tables, "connectors"),
            "cost": {"powershell_starts": agent.starts, "exchange_shells": 0},
        }
