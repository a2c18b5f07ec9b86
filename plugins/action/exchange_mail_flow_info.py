# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_mail_flow_info: read a server and say what senders meet; writes nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import strangers, words
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import INFO_MODULE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import StateError
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import OptionError
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._mail_flow import ExchangeAction, described


class ActionModule(ExchangeAction):
    """The action behind the module of the same name."""

    arguments = INFO_MODULE

    def snapshot_names(self, params: t.Mapping[str, t.Any]) -> list[str] | None:
        return None

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        promises = self.promises(params)
        try:
            reading = self.read(params, agent)
        except (OptionError, StateError) as error:
            raise Failure(str(error)) from None
        state = reading.state
        told = strangers.sentences(state.receive.values(), promises)
        return {
            **({} if told is None else {"strangers": {"before": told, "after": told}}),
            "changed": False,
            "server": self.server_facts(reading),
            "receive_connectors": [described(RECEIVE, state.receive[key]) for key in sorted(state.receive)],
            "send_connectors": [described(SEND, state.send[key]) for key in sorted(state.send)],
            "exposure": {
                "listeners": words.listeners(state),
                "words": words.exposure_words(state, state, promises),
            },
            "snapshots": [name for name, _text in reading.snapshots],
            "cost": {"powershell_starts": agent.starts, "exchange_shells": agent.starts},
        }
