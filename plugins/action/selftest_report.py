# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""selftest_report: which of the collection's assumptions hold on the servers of a run."""

from __future__ import annotations

import json
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import (
    SELFTEST_REPORT,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._profile import profiled
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.catalogue import run_all
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.check import (
    Evidence,
    Status,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.description import DESCRIPTION

_RESULT = "__mailedge_result_"
_FAILURE = "__mailedge_failure"
_NEVER_RAN = "No task of the run ever ended on it."
_BAD = (Status.FAILURE.value, Status.ERROR.value)

Variables = t.Mapping[str, t.Any]


class ActionModule(ActionBase):
    """The action behind the module of the same name."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    @profiled
    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Judge what every selected host has read. Never fails a host by itself."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        checked = ArgumentSpecValidator(**SELFTEST_REPORT).validate(dict(self._task.args))
        if checked.error_messages:
            result.update(
                failed=True,
                msg=" ".join(f"{str(message).rstrip('.')}." for message in checked.error_messages),
            )
            return result
        hosts = checked.validated_parameters["hosts"]
        hostvars = (task_vars or {})["hostvars"]
        lines: list[str] = []
        failed: dict[str, str] = {}
        results: dict[str, dict[str, t.Any]] = {}
        to_send: list[dict[str, t.Any]] = []
        for host in hosts:
            variables = hostvars.raw_get(host)
            about = variables.get(DESCRIPTION) or {}
            if not about.get("described"):
                failed[host] = str(about.get("msg") or variables.get(_FAILURE) or _NEVER_RAN)
                lines.append(f"{host}: not tested. {failed[host]}")
                continue
            evidence = _evidence(variables)
            results[host] = run_all(evidence)
            to_send.append({**_versions(evidence), "checks": results[host]})
            lines.append(f"{host}: {_count(results[host])}")
            lines += [
                f"  {name}: {told['status']}, {told['seen']}"
                for name, told in results[host].items()
            ]
            bad = [name for name, told in results[host].items() if told["status"] in _BAD]
            if bad:
                failed[host] = (
                    f"The self-test failed in {', '.join(bad)}: what the collection assumes does "
                    "not hold here, or could not be read. Please send the result in, and do not "
                    "rely on what these checks are about."
                )
        if to_send:
            document = {"format": 1, "servers": to_send}
            lines += ["To send in:", json.dumps(document, sort_keys=True)]
        for line in lines:
            self._display.display(line)
        result.update(
            changed=False,
            msg=lines,
            results=results,
            to_send={"format": 1, "servers": to_send},
            failed_hosts=failed,
            verdicts={host: "failed" if host in failed else "tested" for host in hosts},
        )
        return result


def _evidence(variables: Variables) -> Evidence:
    def told(name: str) -> t.Any:
        return variables.get(_RESULT + name) or {}

    return Evidence(
        told("mail_flow"),
        told("senders"),
        told("server_names"),
        told("posture"),
        told("fortigate"),
    )


def _versions(evidence: Evidence) -> dict[str, str]:
    """What was tested, by versions alone: no name and no address of the site."""
    server = evidence.mail_flow.get("server") or {}
    windows = evidence.posture.get("server") or {}
    return {
        "exchange": str(server.get("version") or ""),
        "build": str(server.get("build") or ""),
        "shell": str(server.get("shell") or ""),
        "windows": str(windows.get("windows_build") or ""),
        "fortios": str((evidence.firewall.get("device") or {}).get("version") or ""),
    }


def _count(results: t.Mapping[str, t.Mapping[str, t.Any]]) -> str:
    counted = [
        (status.value, sum(told["status"] == status.value for told in results.values()))
        for status in Status
    ]
    return ", ".join(f"{count} {status}" for status, count in counted if count)
