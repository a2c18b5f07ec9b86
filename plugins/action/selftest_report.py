# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""selftest_report: which of the collection's assumptions hold on the servers of a run."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import (
    SELFTEST_REPORT,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.catalogue import run_all
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.check import (
    Evidence,
    Status,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.of_windows import parts_of
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.description import DESCRIPTION
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._teller import (
    RESULT,
    Teller,
    Variables,
    variables_of,
    why_undescribed,
)

_BAD = (Status.FAILURE.value, Status.ERROR.value)


class ActionModule(Teller):
    """The action behind the module of the same name."""

    arguments = SELFTEST_REPORT

    def tell(self, params: dict[str, t.Any], variables: Variables) -> dict[str, t.Any]:
        """Judge what every selected host has read. Never fails a host by itself."""
        of_hosts = variables_of(params["hosts"], variables)
        lines: list[str] = []
        failed: dict[str, str] = {}
        results: dict[str, dict[str, t.Any]] = {}
        to_send: list[dict[str, t.Any]] = []
        for host, registered in of_hosts.items():
            why = why_undescribed(registered, registered.get(DESCRIPTION) or {})
            if why:
                failed[host] = why
                lines.append(f"{host}: not tested. {why}")
                continue
            evidence = _evidence(registered)
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
        document = {"format": 1, "servers": to_send}
        if to_send:
            lines += ["To send in:", json.dumps(document, sort_keys=True)]
        for line in lines:
            self._display.display(line)
        return {
            "changed": False,
            "msg": lines,
            "results": results,
            "to_send": document,
            "failed_hosts": failed,
            "verdicts": {host: "failed" if host in failed else "tested" for host in of_hosts},
        }


def _evidence(variables: Variables) -> Evidence:
    def told(name: str) -> t.Any:
        return variables.get(RESULT + name) or {}

    iis, windows_firewall = parts_of(told("selftest"))
    return Evidence(
        mail_flow=told("mail_flow"),
        senders=told("senders"),
        names=told("server_names"),
        posture=told("posture"),
        firewall=told("fortigate"),
        iis=iis,
        windows_firewall=windows_firewall,
        tenant=told("tenant"),
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
        "iis": str(evidence.iis.get("version") or ""),
        "fortios": str((evidence.firewall.get("device") or {}).get("version") or ""),
    }


def _count(results: t.Mapping[str, t.Mapping[str, t.Any]]) -> str:
    counted = [
        (status.value, sum(told["status"] == status.value for told in results.values()))
        for status in Status
    ]
    return ", ".join(f"{count} {status}" for status, count in counted if count)
