# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The snapshots that lie on a server, read once and listed layer by layer. Writes nothing."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.snapshots import (
    as_result,
    kept,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.snapshot import Held
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.tables import Tables
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import (
    Agent,
    AgentNoise,
    AgentTimeout,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_port import another_server
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_snapshots import (
    MOST_SNAPSHOTS,
    SNAPSHOT_FOLDER,
    snapshot_files,
)


@dataclass(frozen=True)
class KeptFiles:
    """What lies in the folder of the snapshots of a server; `server` is its name."""

    server: str
    files: tuple[Held, ...]

    @classmethod
    def read(cls, agent: Agent) -> KeptFiles:
        """Ask the server, by one PowerShell start and no Exchange shell.

        Raises Failure, AgentError, AnsibleConnectionFailure.
        """
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
        files = snapshot_files(answer["steps"]["snapshots"]["objects"] or [])
        return cls(str(answer["host"]["name"]), files)

    def listed(self, layer: str, tables: Tables[t.Any, t.Any], what: str) -> dict[str, t.Any]:
        """{snapshots, lines} of one layer, which is called `what` on a screen."""
        entries = [
            kept(file, layer, tables, lambda origin: another_server(origin, self.server))
            for file in self.files
        ]
        own = [entry for entry in entries if entry is not None]
        return as_result(own, what, f"{SNAPSHOT_FOLDER} on {self.server}")
