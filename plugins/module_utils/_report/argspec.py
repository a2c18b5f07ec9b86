# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules that describe a site and report on a run."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import PLAYBOOKS

_PLAYBOOK: dict[str, t.Any] = {"type": "str", "choices": list(PLAYBOOKS)}

SITE_HOSTS: dict[str, t.Any] = {"argument_spec": {}}
SITE_DESCRIPTION: dict[str, t.Any] = {
    "argument_spec": {
        "playbook": {
            **_PLAYBOOK,
            "choices": [*PLAYBOOKS, "discover", "selftest"],
            "default": "apply",
        },
        "sites": {"type": "dict"},
    }
}
HOST_LOCK: dict[str, t.Any] = {
    "argument_spec": {
        "playbook": {**_PLAYBOOK, "default": "apply"},
        "layers": {"type": "list", "elements": "str"},
        "undo": {"type": "dict"},
        "perhaps": {"type": "list", "elements": "str"},
        "run_id": {"type": "str"},
    }
}
RUN_REPORT: dict[str, t.Any] = {
    "argument_spec": {
        "playbook": {**_PLAYBOOK, "required": True},
        "hosts": {"type": "list", "elements": "str", "required": True},
    }
}
SELFTEST_REPORT: dict[str, t.Any] = {
    "argument_spec": {"hosts": {"type": "list", "elements": "str", "required": True}}
}
SITE_DRAFT: dict[str, t.Any] = {
    "argument_spec": {"hosts": {"type": "list", "elements": "str", "required": True}}
}
REPORT_FILES: dict[str, t.Any] = {
    "argument_spec": {
        "folder": {"type": "path", "required": True},
        "formats": {
            "type": "list",
            "elements": "str",
            "choices": ["json", "html", "markdown", "csv", "junit", "prometheus"],
            "default": ["json", "html", "markdown"],
        },
        "mode": {"type": "str", "default": "0640"},
        "partial": {"type": "bool"},
        "keep_days": {"type": "int"},
        # Not for the log of the host that keeps it: it says who could get in where.
        "report": {"type": "json", "no_log": True},
    }
}
