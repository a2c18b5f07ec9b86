# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_names_info: by which names a server can be reached, as it says; writes nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import server_names
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    NAMES_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import read_server
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_reading import read_alone
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import HostFact
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._mail_flow import ExchangeAction


class NamesReader:
    """Reads the names of a server."""

    def __init__(self, shell: t.Mapping[str, t.Any], domain_controller: str | None) -> None:
        self.shell = shell
        self._domain_controller = domain_controller

    def reading_steps(self) -> list[dict[str, t.Any]]:
        """What a read asks for."""
        return server_names.read_steps(HostFact("name"), self._domain_controller)

    def read_mutex(self) -> None:
        """What a read waits for: nothing."""

    def take(self, answer: t.Mapping[str, t.Any]) -> None:
        """What is read together with others: never, it is read alone."""


class ActionModule(ExchangeAction):
    """The action behind the module of the same name."""

    arguments = NAMES_MODULE

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        reader = NamesReader(self.shell(params), params.get("domain_controller"))
        answer = read_alone(agent, reader)
        try:
            server = read_server(answer["host"])
        except PlanError as error:
            raise Failure(str(error)) from None
        names = server_names.of(answer["steps"], server)
        facts = {
            "name": server.name,
            "version": server.version.label,
            "build": server.build,
            "shell": str(answer.get("way")),
            **({"note": server.note} if server.note else {}),
        }
        return {
            **({"warnings": names.not_read} if names.not_read else {}),
            "changed": False,
            "server": facts,
            **names.told(),
            "cost": {"powershell_starts": agent.starts, "exchange_shells": agent.shells},
        }
