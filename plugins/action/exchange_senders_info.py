# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_senders_info: who delivered to a server lately, of its logs; writes nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import recent
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    SENDERS_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.layer import ExchangeLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_port import (
    AgentPort,
    Options,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._mail_flow import (
    ExchangeAction,
    asked,
)


class ActionModule(ExchangeAction):
    """The action behind the module of the same name."""

    arguments = SENDERS_MODULE

    def check(self, params: dict[str, t.Any]) -> list[str]:
        limit = int(params.get("time_limit") or 300)
        return [*super().check(params), *recent.wrong(params, limit)]

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        networks, wanted = self.networks(params), asked(params)
        layer = ExchangeLayer(
            networks,
            lambda _state: (),
            domain_controller=params.get("domain_controller"),
            recent_senders=wanted,
        )
        limit = float(params.get("time_limit") or 300)
        port = AgentPort(agent, layer, Options(self.shell(params), limit))
        try:
            reading = port.read()
        except PlanError as error:
            raise Failure(str(error)) from None
        state = reading.state
        senders = recent.of(
            reading.answers, state, networks.on(state.server), wanted or recent.Asked()
        )
        notes = [*reading.notes, *senders.unknown]
        return {
            **({"warnings": notes} if notes else {}),
            "changed": False,
            **reading.facts,
            **recent.shown(senders, wanted or recent.Asked()),
            "cost": port.cost(),
        }
