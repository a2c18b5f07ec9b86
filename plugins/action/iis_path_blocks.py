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
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import snapshot
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.layer import HostLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.lease import (
    check_minutes,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._layer_action import LayerAction


class ActionModule(LayerAction):
    """The action behind the module of the same name."""

    arguments = PATH_BLOCKS_MODULE

    def check(self, params: dict[str, t.Any]) -> list[str]:
        errors = [GUARDS.unknown(params["accept_risks"]), *wish(params)[1]]
        if params.get("snapshot"):
            errors.append(snapshot.check_wanted(params["snapshot"]))
        lease = params.get("lease")
        if lease:
            errors += [
                snapshot.check_run_id(str(lease["run_id"])),
                check_minutes(int(lease["minutes"])),
            ]
        return [error for error in errors if error]

    def layer(self, params: dict[str, t.Any]) -> HostLayer[t.Any]:
        return IisLayer(wish(params)[0], describes=not params.get("snapshot"))
