# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that every module has which works on a host: how long it may take, what is given back,
whose the host is.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import approval

Spec = dict[str, dict[str, t.Any]]

TIME_LIMIT: Spec = {"time_limit": {"type": "int", "default": 300}}

RUN_OPTIONS: Spec = {
    "snapshot": {"type": "str"},
    "keep_later_changes": {"type": "bool", "default": False},
    "lease": {
        "type": "dict",
        "options": {
            "run_id": {"type": "str", "required": True},
            "minutes": {"type": "int", "default": 60},
            "goes_on": {"type": "bool", "default": True},
        },
    },
    **approval.OPTION,
}

WRITE_OPTIONS: Spec = {
    "accept_risks": {"type": "list", "elements": "str", "default": []},
    "snapshot_copy": {"type": "path"},
}
