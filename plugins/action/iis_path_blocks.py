# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iis_path_blocks: who reaches which path of a web site, as one transaction."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.argspec import (
    PATH_BLOCKS_MODULE,
    wish,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.guards import GUARDS
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.layer import IisLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.layer import HostLayer
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._layer_action import LayerAction


class ActionModule(LayerAction):
    """The action behind the module of the same name."""

    arguments = PATH_BLOCKS_MODULE
    guards = GUARDS

    def check(self, params: dict[str, t.Any]) -> list[str]:
        return [*super().check(params), *wish(params)[1]]

    def layer(self, params: dict[str, t.Any]) -> HostLayer[t.Any]:
        return IisLayer(wish(params)[0], describes=not params.get("snapshot"))
