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
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.snapshots import (
    as_result,
    kept,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure, HostAction
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import (
    Agent,
    AgentNoise,
    AgentTimeout,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_port import (
    MOST_SNAPSHOTS,
    SNAPSHOT_FOLDER,
    another_server,
    snapshot_files,
)


class ActionModule(HostAction):
    """The action behind the module of the same name."""

    arguments = SNAPSHOTS_MODULE

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        step = {
            "op": "read_files",
            "id": "snapshots",
            "folder": SNAPSHOT_FOLDER,
            "names": None,
            "last": MOST_SNAPSHOTS,
        }
        try:
            answer = agent.run(
                {"protocol": 1, "shell": {"way": "none"}, "mutex": None, "steps": [step]}
            )
        except (AgentTimeout, AgentNoise) as error:
            raise Failure(f"{error} It was only being read: nothing was changed.") from None
        server = str(answer["host"]["name"])
        files = answer["steps"]["snapshots"]["objects"] or []
        listed = [
            kept(
                file,
                ExchangeLayer.name,
                ExchangeLayer.tables,
                lambda origin: another_server(origin, server),
            )
            for file in snapshot_files(files)
        ]
        return {
            "changed": False,
            "server": server,
            **as_result(listed, "connectors", f"{SNAPSHOT_FOLDER} on {server}"),
            "cost": {"powershell_starts": agent.starts, "exchange_shells": 0},
        }
