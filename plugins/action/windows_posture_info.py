# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""windows_posture_info: read what a Windows server is like, and say what is wrong with it; writes
nothing.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.argspec import (
    POSTURE_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.catalogue import FINDINGS
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import HostAction
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._posture import PostureReader


class ActionModule(HostAction):
    """The action behind the module of the same name."""

    arguments = POSTURE_MODULE

    def check(self, params: dict[str, t.Any]) -> list[str]:
        wrong = FINDINGS.unknown(params["accept_findings"])
        return [wrong] if wrong else []

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        return PostureReader(agent, params).read()
