# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fortios_reading_info: without a process of its own where it runs on the controller."""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._controller_module import (
    ControllerModuleAction,
)


class ActionModule(ControllerModuleAction):
    """The action behind the module of the same name."""
