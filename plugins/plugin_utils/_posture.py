# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a server is kept, read and judged: no transaction, because nothing of it is ever written.

It can be read in one call with the layers of the server (`_agent_port.read_together`).
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
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_reading import read_alone
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._layer_action import (
    WITHOUT_EXCHANGE,
)

_AS_THEY_ARE = (
    "min_processors",
    "min_memory_gb",
    "max_update_age_days",
    "warn_before_days",
    "paid_updates",
    "hybrid",
)


class PostureReader:
    """Reads a server by the options of windows_posture_info. Raises Failure for a table in them
    that cannot be understood.
    """

    shell: t.Mapping[str, t.Any] = WITHOUT_EXCHANGE

    def __init__(self, agent: Agent, params: t.Mapping[str, t.Any]) -> None:
        self._agent, self._accepted = agent, params["accept_findings"]
        self._answer: t.Mapping[str, t.Any] | None = None
        try:
            self._site = posture.Site(
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

    def reading_steps(self) -> list[dict[str, t.Any]]:
        """What a read asks for."""
        return reading.read_steps()

    def read_mutex(self) -> None:
        """What a read waits for: nothing."""

    def take(self, answer: t.Mapping[str, t.Any]) -> None:
        """What read_together() got; it stands for the next read."""
        self._answer = answer

    def facts(self) -> reading.Facts:
        """The facts, of the answer that was taken or of a call of their own. Raises what a read
        raises.
        """
        if self._answer is None:
            self._answer = read_alone(self._agent, self)
        return reading.understand(self._answer)

    def forget(self) -> None:
        """The server is no longer as it was read: the next read asks again."""
        self._answer = None

    def read(self) -> dict[str, t.Any]:
        """{changed, state, findings, server, tables, cost}, as windows_posture_info has them."""
        facts, site = self.facts(), self._site
        findings = finding.ordered(posture.findings(facts, site))
        build = facts.exchange_build
        return {
            "changed": False,
            "state": finding.state(findings, self._accepted),
            "findings": [finding.as_dict(self._accepted) for finding in findings],
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
            "cost": {
                "powershell_starts": self._agent.starts,
                "exchange_shells": self._agent.shells,
            },
        }
