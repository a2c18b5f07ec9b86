# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of provider_ranges_lock, for its module and its action."""

from __future__ import annotations

import typing as t

ARGUMENTS: dict[str, t.Any] = {
    "argument_spec": {
        "path": {"type": "path", "required": True},
        "provider": {"type": "str", "required": True},
        "region": {"type": "str", "default": ""},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "mechanism": {"type": "str", "choices": ["json", "dns", "spf", "url"]},
        "source": {"type": "str"},
        "ranges": {"type": "list", "elements": "str"},
        "accept_grade": {"type": "str", "choices": ["A", "B", "C"], "default": "B"},
        "grace_days": {"type": "int", "default": 30},
        "max_ranges": {"type": "int", "default": 2000},
        "max_removed_percent": {"type": "int", "default": 30},
        "resolver": {"type": "str"},
        "ca_path": {"type": "path"},
        "timeout": {"type": "int", "default": 30},
        "accept_risks": {"type": "list", "elements": "str", "default": []},
    },
    "mutually_exclusive": [("ranges", "mechanism"), ("ranges", "source")],
    "required_by": {"mechanism": "source"},
}
