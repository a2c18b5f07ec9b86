# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of the layers of a server as the result of one task."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import shortened

Result = dict[str, t.Any]


def not_done(result: t.Mapping[str, t.Any], why: str) -> Result:
    """The result of a layer whose turn did not come: it is as it was read."""
    return {
        **result,
        "changed": False,
        "failed": True,
        "msg": f"Nothing was changed here, because {why}.",
    }


def without_snapshots(results: t.Mapping[str, Result]) -> dict[str, Result]:
    """The results of a rollback: what no run has changed fails nothing where another layer was
    restored.
    """
    if not any(result.get("restored") for result in results.values()):
        return dict(results)
    return {
        name: {"changed": False, "not_looked_at": result["msg"]}
        if result.get("nothing_to_restore")
        else result
        for name, result in results.items()
    }


def listed(names: t.Sequence[str]) -> str:
    """Names in words."""
    return " and ".join(names)


def whole_of(results: t.Mapping[str, Result]) -> Result:
    """The result of the task: that of every layer, and what Ansible wants to know of all."""
    warnings = [text for result in results.values() for text in result.pop("warnings", ())]
    diffs = [result.pop("diff") for result in results.values() if result.get("diff")]
    broken = any(map(in_trouble, results.values()))
    # Ansible prints what failed as a whole, and a screen is for reading.
    layers = {
        name: shortened(result) if broken or not result.get("changed") else result
        for name, result in results.items()
    }
    troubles = [str(result.get("msg")) for result in layers.values() if in_trouble(result)]
    unreachable = any(result.get("unreachable") for result in layers.values())
    whole: Result = {
        "changed": any(result.get("changed") for result in layers.values()),
        "layers": layers,
        "snapshots": {
            name: result["snapshot"]["name"]
            for name, result in layers.items()
            if result.get("snapshot")
        },
        "warnings": list(dict.fromkeys(warnings)),
    }
    if troubles:
        whole.update(
            {"unreachable" if unreachable else "failed": True},
            msg=" ".join(dict.fromkeys(troubles)),
        )
    if diffs:
        whole["diff"] = diffs
    return whole


def in_trouble(result: t.Mapping[str, t.Any]) -> bool:
    """Whether a layer failed, or its host did not answer."""
    return bool(result.get("failed") or result.get("unreachable"))
