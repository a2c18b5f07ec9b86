# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a server: in one call for all that ask for something there."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _agent_lease
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import (
    Agent,
    AgentError,
    AgentNoise,
    AgentTimeout,
)

Step = dict[str, t.Any]


class Reader(t.Protocol):
    """What is read of a server, together with others: a port, or what only looks."""

    @property
    def shell(self) -> t.Mapping[str, t.Any]:
        """The request's part of that name."""

    def reading_steps(self) -> list[Step]:
        """What a read asks for. Ids are those of no other reader, or the step is the same."""

    def read_mutex(self) -> dict[str, t.Any] | None:
        """What a read waits for."""

    def take(self, answer: t.Mapping[str, t.Any]) -> None:
        """What the call gave."""


def read_alone(agent: Agent, reader: Reader) -> t.Mapping[str, t.Any]:
    """What one reader needs, in a call of its own. Raises what a read raises."""
    steps = reader.reading_steps()
    answer = ask(
        agent, {"protocol": 1, "shell": reader.shell, "mutex": reader.read_mutex(), "steps": steps}
    )
    raise_what_failed(answer, steps)
    return answer


def read_together(agent: Agent, ports: t.Sequence[Reader]) -> None:
    """Read what all these readers of one server need, in one call. Raises what a read raises.

    What one layer's steps meet is told when that layer reads: it does not hide the others.
    """
    steps: dict[str, Step] = {}
    for port in ports:
        for step in port.reading_steps():
            # Snapshots and lease are asked for by each of them.
            steps[str(step["id"])] = {**_merged(steps.get(str(step["id"])), step), "always": True}
    # After all that it tells of; where no port is among them, there is none.
    last = steps.pop(_agent_lease.READ_AGAIN, None)
    shells = [port.shell for port in ports if port.shell.get("way") != "none"]
    request = {
        "protocol": 1,
        "shell": shells[0] if shells else {"way": "none"},
        "mutex": next((mutex for port in ports if (mutex := port.read_mutex())), None),
        "steps": [*steps.values(), *([last] if last else [])],
    }
    answer = ask(agent, request)
    for port in ports:
        port.take(answer)


def _merged(asked: Step | None, step: Step) -> Step:
    """A step that several ports ask for, so that each of them gets what it needs."""
    if asked is None:
        return step
    whole = dict(step)
    if asked.get("names") and step.get("names"):
        whole["names"] = sorted({*asked["names"], *step["names"]})
    if "last" in step:
        whole["last"] = max(step["last"], asked["last"])
    if "unread" in step:
        whole["unread"] = bool(step["unread"] and asked["unread"])
    return whole


def ask(agent: Agent, request: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """The answer to a request that only reads, also where a step failed."""
    try:
        return agent.run(request)
    except AgentError as error:
        if error.step is None:
            raise
        return error.answer
    except AgentTimeout as error:
        raise Failure(
            f"{error} It was only being read: nothing was changed. If the server is slow, raise "
            "time_limit; if it hangs, look at its Exchange services first."
        ) from None
    except AgentNoise as error:
        raise Failure(f"{error} It was only being read: nothing was changed.") from None


def raise_what_failed(answer: t.Mapping[str, t.Any], steps: t.Iterable[Step]) -> None:
    """Raise AgentError for the first of these steps that failed, or was not run."""
    for step in steps:
        told = (answer.get("steps") or {}).get(step["id"]) or {}
        if told.get("ok") or (step.get("optional") and told):
            continue
        error = told.get("error") or answer.get("error") or {}
        raise AgentError(
            str(error.get("class") or "Mailedge.Unknown"),
            str(error.get("id") or ""),
            str(error.get("message") or "The agent reported a failure without saying which."),
            str(step["id"]) if told else error.get("step"),
            answer,
        )
