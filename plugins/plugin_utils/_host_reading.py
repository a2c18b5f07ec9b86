# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that the layers read of one server, as the server answers it: for a lab that plays it.

The steps are the layers' own, so that what a run would look at is what is kept. Nothing is judged
here.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils import _raw
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    calls,
    server_names,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import read_step
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows import reading as posture
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall import (
    calls as firewall,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import HostFact

Step = dict[str, t.Any]

FORMAT = 1

# What only says when and by whom it was answered.
_PASSING = ("time_utc", "admin", "setup_running")
_WEB_CONFIG = "web_config"


class HostReader:
    """Reads a server whole. `site` is that of IIS."""

    def __init__(
        self, shell: t.Mapping[str, t.Any], domain_controller: str | None, site: str
    ) -> None:
        self.shell = shell
        self._domain_controller, self._site = domain_controller, site

    def reading_steps(self) -> list[Step]:
        """What a read asks for, each so that what one step meets does not hide the others."""
        name, controller = HostFact("name"), self._domain_controller
        steps = [
            *calls.read_steps(name, controller),
            *server_names.read_steps(name, controller),
            *firewall.read_steps(),
            *posture.read_steps(),
            {**read_step(self._site, ()), "id": "iis"},
        ]
        return [{**step, "always": True} for step in {str(s["id"]): s for s in steps}.values()]

    def read_mutex(self) -> None:
        """What a read waits for: nothing."""

    def take(self, answer: t.Mapping[str, t.Any]) -> None:
        """What is read together with others: never, it is read alone."""


def told(steps: t.Sequence[Step], answer: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """An answer as it may be kept: {format, host, way, steps, answers, left_out}.

    What was asked for goes with it, so that a lab can be asked the same.
    """
    answers = {}
    without_text: list[str] = []
    for step in steps:
        result = (answer.get("steps") or {}).get(step["id"]) or {"ok": False}
        rows = result.get("objects") if result.get("ok") else None
        told_rows = []
        for row in rows or ():
            if isinstance(row, dict) and row.get("kind") == _WEB_CONFIG and row.get("text"):
                # Connection strings and machine keys of whatever else runs there stand in it.
                without_text.append(f"iis.web_config {row.get('path')}")
                told_rows.append({**row, "text": ""})
            else:
                told_rows.append(row)
        error = result.get("error")
        answers[str(step["id"])] = (
            {"rows": told_rows} if rows is not None else {"error": error or "It was not asked."}
        )
    host = {name: value for name, value in answer["host"].items() if name not in _PASSING}
    clean, left_out = _raw.kept({"host": host, "answers": answers})
    return {
        "format": FORMAT,
        **clean,
        "way": str(answer.get("way")),
        "steps": [_plain(step) for step in steps],
        "left_out": [*left_out, *without_text],
    }


def _plain(value: t.Any) -> t.Any:
    """A step as JSON: what stands for a fact of the host, by the fact's name."""
    if isinstance(value, HostFact):
        return {"host_fact": value.name}
    if isinstance(value, t.Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value
