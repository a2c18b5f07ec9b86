# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""windows_firewall_rules: which addresses may reach a port of a server, as one transaction."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.layer import HostLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall import argspec
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.guards import (
    GUARDS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.layer import (
    WindowsFirewallLayer,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._connection import port_of
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._layer_action import LayerAction


class ActionModule(LayerAction):
    """The action behind the module of the same name."""

    arguments = argspec.MODULE
    guards = GUARDS

    def check(self, params: dict[str, t.Any]) -> list[str]:
        return [*super().check(params), *argspec.check(params)]

    def layer(self, params: dict[str, t.Any]) -> HostLayer[t.Any]:
        try:
            site = argspec.site(params)
        except PlanError as error:
            raise Failure(f"{error} Nothing was sent to the server.") from None
        return WindowsFirewallLayer(site, came_by=port_of(self._connection))
