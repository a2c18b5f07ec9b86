# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""windows_posture_info: read what a Windows server is like, and say what is wrong with it; writes
nothing.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows import (
    exchange_level,
    finding,
    posture,
    reading,
    systems,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.argspec import (
    POSTURE_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.catalogue import FINDINGS
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure, HostAction
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent

_AS_THEY_ARE = (
    "min_processors",
    "min_memory_gb",
    "max_update_age_days",
    "warn_before_days",
    "paid_updates",
    "hybrid",
)


class ActionModule(HostAction):
    """The action behind the module of the same name."""

    arguments = POSTURE_MODULE

    def check(self, params: dict[str, t.Any]) -> list[str]:
        wrong = FINDINGS.unknown(params["accept_findings"])
        return [wrong] if wrong else []

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        try:
            site = posture.Site(
                today=datetime.date.today(),
                builds=exchange_level.overridden(
                    params["exchange_builds"], params.get("exchange_builds_as_of") or ""
                ),
                windows=systems.overridden(params["windows_versions"]),
                ignored_certificates=params["ignored_certificates"],
                **{name: params[name] for name in _AS_THEY_ARE},
            )
        except PlanError as error:
            raise Failure(str(error)) from None
        answer = agent.run(
            {"protocol": 1, "shell": {"way": "none"}, "mutex": None, "steps": reading.read_steps()}
        )
        facts = reading.understand(answer)
        accepted = params["accept_findings"]
        found = finding.ordered(posture.findings(facts, site))
        build = facts.exchange_build
        return {
            "changed": False,
            "state": finding.state(found, accepted),
            "findings": [one.as_dict(accepted) for one in found],
            "server": {
                "name": facts.name,
                "exchange_build": exchange_level.text_of(build) if build else None,
                "windows_build": facts.windows_build,
                "update_revision": facts.update_revision,
            },
            "tables": {
                "exchange_builds": site.builds.as_of.isoformat(),
                "windows_versions": systems.AS_OF,
            },
            "cost": {"powershell_starts": agent.starts, "exchange_shells": agent.shells},
        }
