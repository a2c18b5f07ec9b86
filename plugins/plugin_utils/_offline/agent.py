# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent of a server that nobody is connected to: it answers from a dump, and writes nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent, AgentError
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._offline import script
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._offline.dumps import Dump

_NOT_TOLD, _REFUSED = "Mailedge.NotInDump", "Mailedge.Offline"


class DumpAgent(Agent):
    """Answers what the dump tells. What it does not tell is an error of the step that asks."""

    def __init__(self, dump: Dump) -> None:
        super().__init__(_never, 1)
        self._dump = dump

    def run(self, request: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """The answer. Raises AgentError, before anything else for what would write."""
        steps = list(request["steps"])
        if any(map(_writes, steps)):
            raise AgentError(
                _REFUSED,
                _REFUSED,
                f"What is known of {self._dump.name} comes from the dump {self._dump.file}, to "
                "which nothing can be written. Nothing was changed. Run apply over a connection to "
                "the server.",
            )
        answers = {str(step["id"]): self._answer(step) for step in steps}
        stopped = next((str(step["id"]) for step in steps if _stops(step, answers)), None)
        error = None if stopped is None else {**answers[stopped]["error"], "step": stopped}
        whole = {
            **self._dump.answer,
            "ok": error is None,
            "steps": answers,
            "stopped": stopped,
            "error": error,
        }
        if error is not None:
            raise AgentError(
                str(error.get("class") or "Mailedge.Unknown"),
                str(error.get("id") or ""),
                str(error.get("message") or "The dump tells of a failure without saying which."),
                stopped,
                whole,
            )
        return whole

    def _answer(self, step: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        name = str(step["id"])
        held = self._dump.answer["steps"].get(name)
        if held is None or script.questions().get(name) != script.question(step):
            return {"ok": False, "error": self._missing()}
        return dict(held)

    def _missing(self) -> dict[str, t.Any]:
        message = (
            f"The dump {self._dump.file} of {self._dump.name} does not tell this: it is of the "
            "connectors alone. It has to be asked over a connection to the server."
        )
        return {
            "class": _NOT_TOLD,
            "id": _NOT_TOLD,
            "message": message,
            "category": "ObjectNotFound",
        }


def _stops(step: t.Mapping[str, t.Any], answers: t.Mapping[str, t.Any]) -> bool:
    return not answers[str(step["id"])].get("ok") and not step.get("optional")


def _writes(step: t.Mapping[str, t.Any]) -> bool:
    if step.get("op") == "call":
        return not str(step.get("cmdlet")).casefold().startswith("get-")
    return "write" in str(step.get("op"))


def _never(_stdin: bytes) -> tuple[int, bytes, bytes]:
    raise NotImplementedError("A dump has no connection.")
