# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that all FortiGate modules share: how the device is reached, and what a module that
writes needs besides.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import approval

Spec = dict[str, dict[str, t.Any]]

DEVICE_OPTIONS: Spec = {
    "host": {"type": "str", "required": True},
    "api_port": {"type": "int", "default": 443},
    "token": {"type": "str", "no_log": True},
    "vdom": {"type": "str", "default": "root"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "int", "default": 30},
    "backup": {"type": "path"},
    "backup_days": {"type": "int", "default": 30},
}

WRITE_OPTIONS: Spec = {
    **DEVICE_OPTIONS,
    "snapshot_folder": {"type": "path", "default": "~/.mailedge/snapshots"},
    "run_id": {"type": "str"},
    "lease_minutes": {"type": "int"},
    "accept_risks": {"type": "list", "elements": "str", "default": []},
    **approval.OPTION,
}
