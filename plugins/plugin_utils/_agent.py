# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the agent on a host: its start, its time limit, and its errors as exceptions."""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import (
    CodecError,
    Credential,
    decode_answer,
    encode_request,
)

_EXCERPT = 400
# What a process of .NET ends with that has thrown: 3762504530, as a signed number -532462766.
_CLR_EXCEPTION = 0xE0434352
_NO_MEMORY = "OutOfMemoryException"
# github.com/ansible/ansible/issues/72557, github.com/test-kitchen/test-kitchen/issues/742
_MEMORY = (
    "That is how a PowerShell ends to which WinRM leaves too little memory (150 MB for a shell "
    "before Windows Server 2012). "
    "Raise MaxMemoryPerShellMB on the server: winrm set winrm/config/winrs "
    '@{MaxMemoryPerShellMB="1024"} With Windows '
    "Management Framework 3.0 the setting has no effect without the hotfix KB2842230."
)

Execute = t.Callable[[bytes], "tuple[int, bytes | str, bytes | str]"]
"""Starts the bootstrap on the host with these bytes on standard input.

Gives the exit code, standard output and standard error.
"""


class AgentError(Exception):
    """The agent answered that something failed.

    `error_class` is stable and in no human language (``Mailedge.*`` or the name of the server's
    exception class); `step` is the id of the step that stopped the run, None where none had begun;
    `answer` is the whole answer, with whatever was done before, and the steps that run in any case.
    """

    def __init__(
        self,
        error_class: str,
        error_id: str,
        message: str,
        step: str | None = None,
        answer: t.Mapping[str, t.Any] | None = None,
    ) -> None:
        self.error_class = error_class
        self.error_id = error_id
        self.message = message
        self.step = step
        self.answer: t.Mapping[str, t.Any] = answer or {}
        if error_class.startswith("Mailedge."):
            text = message
        else:
            where = f"step '{step}'" if step else "the agent"
            text = f"On the server {where} failed with {error_class}: {message}"
            if error_class == _NO_MEMORY:
                text = f"{text} {_MEMORY}"
        super().__init__(text)

    def explain(self, sentences: str) -> None:
        """Put what is known of the error before what the server said."""
        self.args = (f"{sentences} {self}",)

    def as_result(self) -> dict[str, t.Any]:
        """The error as a part of a task's result."""
        return {
            "class": self.error_class,
            "id": self.error_id,
            "message": self.message,
            "step": self.step,
        }


class AgentTimeout(Exception):
    """No answer came within the time limit. It is not known what the server did meanwhile."""


class AgentNoise(Exception):
    """What came back is no answer of the agent, or only a part of one.

    It is not known what the server did.
    """


class Agent:
    """Runs requests on one host by `execute`, each at most `time_limit` seconds.

    `starts` counts PowerShell starts, `shells` those that open the Exchange shell.
    """

    def __init__(self, execute: Execute, time_limit: float) -> None:
        self._execute = execute
        self.time_limit = time_limit
        self.starts = 0
        self.shells = 0

    def run(self, request: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Send `request`, give the agent's answer.

        Raises AgentError, AgentTimeout, AgentNoise, CodecError (before anything is sent), and
        whatever `execute` raises.
        """
        stdin = encode_request(request)
        self.shells += request.get("shell", {}).get("way") != "none"
        code, stdout, stderr = self._bounded(stdin)
        try:
            answer = decode_answer(stdout)
        except CodecError as reason:
            raise AgentNoise(
                _describe(str(reason), code, stdout, stderr, set(_secrets(request)))
            ) from None
        error = answer.get("error")
        if error or not answer.get("ok"):
            details = error if isinstance(error, dict) else {}
            raise AgentError(
                str(details.get("class") or "Mailedge.Unknown"),
                str(details.get("id") or ""),
                str(details.get("message") or "The agent reported a failure without saying which."),
                details.get("step"),
                answer,
            )
        return answer

    def _bounded(self, stdin: bytes) -> tuple[int, bytes | str, bytes | str]:
        """`execute` in its own thread, since pywinrm and pypsrp do not limit a command."""
        outcome: list[tuple[int, bytes | str, bytes | str]] = []
        failure: list[BaseException] = []

        def work() -> None:
            try:
                outcome.append(self._execute(stdin))
            except BaseException as error:  # handed on to the waiting thread, which raises it
                failure.append(error)

        self.starts += 1
        thread = threading.Thread(target=work, name="mailedge-agent", daemon=True)
        thread.start()
        thread.join(self.time_limit)
        if failure:
            raise failure[0]
        if not outcome:
            raise AgentTimeout(f"The server did not answer within {self.time_limit:g} seconds.")
        return outcome[0]


def _secrets(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, Credential):
        if value.password:
            yield value.password
    elif isinstance(value, t.Mapping):
        for item in value.values():
            yield from _secrets(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _secrets(item)


def _describe(
    reason: str, code: int, stdout: bytes | str, stderr: bytes | str, secrets: set[str]
) -> str:
    parts = [f"{reason} The exit code was {code}."]
    told = b"".join(
        stream if isinstance(stream, bytes) else stream.encode() for stream in (stdout, stderr)
    )
    if code & 0xFFFFFFFF == _CLR_EXCEPTION or _NO_MEMORY.encode() in told:
        parts.append(_MEMORY)
    for name, stream in (("error output", stderr), ("output", stdout)):
        text = stream.decode("utf-8", "replace") if isinstance(stream, bytes) else stream
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "********")
        text = " ".join(text.split())
        if text:
            parts.append(f"Its {name} began with: {text[:_EXCERPT]}")
    return " ".join(parts)
