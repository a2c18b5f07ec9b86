# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""windows_tls: TLS 1.2 of Windows and .NET, as one transaction."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.argspec import TLS_MODULE
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.guards import GUARDS
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.layer import TlsLayer, Wish
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._layer_action import LayerAction


class ActionModule(LayerAction):
    """The action behind the module of the same name."""

    arguments = TLS_MODULE
    guards = GUARDS

    def layer(self, params: dict[str, t.Any]) -> TlsLayer:
        return TlsLayer(Wish(params["schannel"], params["explicit"], tuple(params["dotnet"])))
