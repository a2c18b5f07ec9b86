# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report_files: keeps the report that a run has registered, and hands it on with what changed."""

from __future__ import annotations

import json
import re
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.templates import (
    unrendered,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._controller_module import (
    ControllerModuleAction,
    plain,
)

_REPORT = "__mailedge_report"
_KEPT = "The verdicts stand, and the report is in the statistics of the run."
# Of a run on the group of all hosts every site is seen.
_EVERYBODY = ("", "mailedge", "all")

Result = dict[str, t.Any]


class ActionModule(ControllerModuleAction):
    """The action behind the module of the same name."""

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        """Keep the report. Where that cannot be, say so, and fail nothing."""
        variables = task_vars or {}
        args = dict(self._task.args)
        formats = args.get("formats")
        if isinstance(formats, str):
            # As a survey gives it.
            args["formats"] = [name for name in re.split(r"[\s,]+", formats) if name]
        if args.get("partial") in (None, ""):
            # As a survey that nobody answered gives it.
            args.pop("partial", None)
        if _partial(variables):
            args["partial"] = True
        report = args.get("report") or (variables.get(_REPORT) or {}).get("report")
        if not report:
            return {"changed": False, "skipped": True, "msg": "The run has no report."}
        given = report if isinstance(report, str) else json.dumps(plain(report))
        if not isinstance(args.get("folder", ""), str):
            # The type `path` takes the text of a list for a folder beside the playbook.
            return self._not_written(f"The folder is {args['folder']!r}, which is no path")
        self._task.args = {**args, "report": given}
        try:
            result = super().run(tmp, task_vars)
        except AnsibleConnectionFailure as error:
            result = {"failed": True, "msg": str(error)}
        result.pop("invocation", None)
        if result.get("failed") or result.get("unreachable"):
            return self._not_written(str(result.get("msg") or "The task said nothing."))
        told = result.pop("report")
        if result.get("changes") is not None:
            told["changes"] = result["changes"]
        for path in result["files"]:
            self._display.display(f"The report: {path}")
        data = {"mailedge_report": unrendered(told)}
        return {**result, "ansible_stats": {"data": data, "per_host": False, "aggregate": False}}

    def _not_written(self, why: str) -> Result:
        told = f"The report was not written: {why.rstrip('.')}. {_KEPT}"
        self._display.warning(told)
        return {"changed": False, "msg": told}


def _partial(variables: t.Mapping[str, t.Any]) -> bool:
    """Whether the run was to see a part of the inventory only."""
    hosts = variables.get("mailedge_hosts") or ""
    return bool(variables.get("ansible_limit")) or hosts not in _EVERYBODY
