# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs of the Windows modules: keyword arguments for AnsibleModule and for
ArgumentSpecValidator alike.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._host_options import (
    RUN_OPTIONS,
    TIME_LIMIT,
    WRITE_OPTIONS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.tls import FRAMEWORKS

TLS_MODULE: dict[str, t.Any] = {
    "argument_spec": {
        "schannel": {"type": "bool", "default": True},
        "explicit": {"type": "bool", "default": True},
        "dotnet": {
            "type": "list",
            "elements": "str",
            "choices": list(FRAMEWORKS),
            "default": list(FRAMEWORKS),
        },
        **WRITE_OPTIONS,
        **RUN_OPTIONS,
        **TIME_LIMIT,
    }
}

SELFTEST_MODULE: dict[str, t.Any] = {
    "argument_spec": {"site": {"type": "str", "default": "Default Web Site"}, **TIME_LIMIT}
}

POSTURE_MODULE: dict[str, t.Any] = {
    "argument_spec": {
        "min_processors": {"type": "int", "default": 4},
        "min_memory_gb": {"type": "int", "default": 16},
        "max_update_age_days": {"type": "int", "default": 45},
        "warn_before_days": {"type": "int", "default": 60},
        "hybrid": {
            "type": "str",
            "choices": ["none", "classic", "agent", "app_proxy"],
            "default": "none",
        },
        "exchange_builds": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "build": {"type": "str", "required": True},
                "name": {"type": "str", "required": True},
                "released": {"type": "str", "required": True},
                "article": {"type": "str"},
            },
        },
        "exchange_builds_as_of": {"type": "str"},
        "windows_versions": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "build": {"type": "int", "required": True},
                "name": {"type": "str", "required": True},
                "end_of_support": {"type": "str", "required": True},
                "end_of_paid_updates": {"type": "str"},
            },
        },
        "paid_updates": {"type": "bool", "default": False},
        "ignored_certificates": {"type": "list", "elements": "str", "default": []},
        "accept_findings": {"type": "list", "elements": "str", "default": []},
        **TIME_LIMIT,
    }
}
