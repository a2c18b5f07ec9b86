# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_receive_connector: the engine of exchange_mail_flow with a list of one."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    RECEIVE_MODULE,
    RECEIVE_OPTIONS,
    check_entry,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._mail_flow import MailFlowAction


class ActionModule(MailFlowAction):
    """The action behind the module of the same name."""

    arguments = RECEIVE_MODULE

    def check(self, params: dict[str, t.Any]) -> list[str]:
        return [*super().check(params), *check_entry(RECEIVE, self._entry(params))]

    def described(self, params: dict[str, t.Any], state: State) -> t.Sequence[Desired[str]]:
        return desired(receive=(self._entry(params),))

    @staticmethod
    def _entry(params: dict[str, t.Any]) -> dict[str, t.Any]:
        return {option: params[option] for option in RECEIVE_OPTIONS}
