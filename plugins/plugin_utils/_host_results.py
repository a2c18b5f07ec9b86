# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of the layers of a server as the result of one task."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import shortened
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.description import REPORTED

Result = dict[str, t.Any]


def not_done(result: t.Mapping[str, t.Any], why: str) -> Result:
    """The result of a layer whose turn did not come: it is as it was read. `held_back`: another one
    is to blame.
    """
    return {
        **result,
        "changed": False,
        "failed": True,
        "held_back": True,
        "msg": f"Nothing was changed here, because {why}.",
    }


_NOT_WRITTEN = (
    "The connection was lost before anything was written here: there is no snapshot of it."
)


def without_snapshots(
    results: t.Mapping[str, Result], perhaps: t.Container[str]
) -> dict[str, Result]:
    """The results of a rollback: what no run has changed fails nothing where another layer was
    restored. Nor does a layer of `perhaps`, to whose write no answer came, where that never began.
    """
    restored = any(result.get("restored") for result in results.values())

    def told(name: str, result: Result) -> Result:
        if name in perhaps and result.get("no_such_snapshot"):
            return {"changed": False, "not_looked_at": _NOT_WRITTEN}
        if restored and result.get("nothing_to_restore"):
            return {"changed": False, "not_looked_at": result["msg"]}
        return result

    return {name: told(name, result) for name, result in results.items()}


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
    # First who is to blame, then who had to wait for him.
    troubled = sorted(filter(in_trouble, layers.values()), key=lambda result: "held_back" in result)
    troubles = [str(result.get("msg")) for result in troubled]
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
    unanswered = [
        name
        for name, result in layers.items()
        if result.get("unreachable") and result.get("snapshot")
    ]
    if unanswered:
        whole["unanswered"] = unanswered
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


def handed_on(about: Result, own: t.AbstractSet[str]) -> Result:
    """What the report and the other layers read of the description; `own` are the layers that the
    task itself does.

    Ansible visits every value of a result several times in the process that all hosts wait for.
    """
    if set(about.get("layers") or ()) - own:
        return {key: value for key, value in about.items() if key != "warnings"}
    described = {
        key: value
        for key, value in about.get("described", {}).items()
        if key in REPORTED and value != []
    }
    return {
        **{key: about[key] for key in ("site", "msg", "failed", "parts", "layers") if key in about},
        "described": described,
    }
