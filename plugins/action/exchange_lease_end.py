# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_lease_end: say that a run takes nothing back any more."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    LEASE_END_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.lease import (
    LeaseError,
    from_told,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure, HostAction
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import (
    Agent,
    AgentNoise,
    AgentTimeout,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_lease import end


class ActionModule(HostAction):
    """The action behind the module of the same name."""

    arguments = LEASE_END_MODULE

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        try:
            lease = from_told(params["lease"])
        except LeaseError as error:
            raise Failure(
                "The option lease must be the lease that a task has returned. "
                f"{error} Nothing was changed."
            ) from None
        if self._task.check_mode:
            return {"changed": False, "ended": False}
        try:
            problem = end(agent, lease)
        except (AgentTimeout, AgentNoise, AnsibleConnectionFailure) as error:
            problem = str(error)
        if not problem:
            return {"changed": False, "ended": True}
        until = params["lease"]["until"]
        warning = (
            f"The lease of the server {lease.server} by the run {lease.run_id} was not ended. "
            f"{problem} If it is still there, other runs leave the server alone until {until} by "
            "its clock."
        )
        return {"changed": False, "ended": False, "warnings": [warning]}
