# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller makes of the agent's answers, of none, and of late ones."""

from __future__ import annotations

import threading
import time
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import (
    Agent,
    AgentError,
    AgentNoise,
    AgentTimeout,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import (
    CodecError,
    Credential,
    decode_request,
    encode_answer,
)

REQUEST: dict[str, t.Any] = {"protocol": 1, "shell": {"way": "none"}, "mutex": None, "steps": []}
CANARY = "Zw1ebel-canary"


def _answering(answer: dict[str, t.Any]) -> Agent:
    return Agent(lambda stdin: (0, encode_answer(answer), b""), time_limit=10)


def test_a_good_answer_is_given_and_the_start_counted() -> None:
    seen: list[dict[str, t.Any]] = []

    def execute(stdin: bytes) -> tuple[int, bytes, bytes]:
        seen.append(decode_request(stdin))
        return 0, encode_answer({"protocol": 1, "ok": True, "error": None, "steps": {}}), b"noise"

    agent = Agent(execute, time_limit=10)
    assert agent.run(REQUEST)["steps"] == {}
    assert agent.run(REQUEST)["ok"] is True
    assert seen == [REQUEST, REQUEST]
    assert agent.starts == 2


def test_an_error_of_the_agent_keeps_class_step_and_what_was_done() -> None:
    error = {
        "class": "Mailedge.StateChanged",
        "id": "Mailedge.StateChanged",
        "message": "Changed.",
        "step": "digest",
    }
    answer = {
        "protocol": 1,
        "ok": False,
        "error": error,
        "stopped": "digest",
        "steps": {"receive": {"ok": True}},
    }
    with pytest.raises(AgentError, match=r"^Changed\.$") as caught:
        _answering(answer).run(REQUEST)
    assert caught.value.as_result() == error
    assert caught.value.answer["steps"] == {"receive": {"ok": True}}


def test_an_error_of_a_cmdlet_is_named_with_its_step() -> None:
    error = {
        "class": "ADOperationException",
        "id": "A1,Set-X",
        "message": "No.",
        "category": "x",
        "step": "set_1",
    }
    with pytest.raises(AgentError, match=r"step 'set_1' failed with ADOperationException: No\.$"):
        _answering({"protocol": 1, "ok": False, "error": error}).run(REQUEST)


def test_a_failure_without_a_reason_is_a_failure() -> None:
    with pytest.raises(AgentError, match="without saying which"):
        _answering({"protocol": 1, "ok": False, "error": None}).run(REQUEST)


def test_noise_is_quoted_without_the_password() -> None:
    stderr = f"<CLIXML>cannot log in with {CANARY}"
    agent = Agent(lambda stdin: (1, b"The command\r\nline is too long.", stderr), time_limit=10)
    with pytest.raises(AgentNoise) as caught:
        agent.run({**REQUEST, "shell": {"way": "auto", "credential": Credential("u", CANARY)}})
    text = str(caught.value)
    assert "No answer of the agent" in text
    assert "exit code was 1" in text
    assert "The command line is too long." in text
    assert "cannot log in with ********" in text
    assert CANARY not in text


def test_a_cut_answer_is_noise() -> None:
    whole = encode_answer({"protocol": 1, "ok": True, "error": None})
    with pytest.raises(AgentNoise, match="cut on its way"):
        Agent(lambda stdin: (0, whole[:-20], b""), time_limit=10).run(REQUEST)


def test_a_hung_connection_ends_at_the_time_limit() -> None:
    release = threading.Event()

    def hang(stdin: bytes) -> tuple[int, bytes, bytes]:
        release.wait(30)
        return 0, b"", b""

    agent = Agent(hang, time_limit=0.2)
    started = time.monotonic()
    with pytest.raises(AgentTimeout, match=r"within 0\.2 seconds"):
        agent.run(REQUEST)
    release.set()
    assert time.monotonic() - started < 5
    assert agent.starts == 1


def test_what_the_connection_raises_is_raised_as_it_is() -> None:
    class Unreachable(Exception):
        pass

    def fail(stdin: bytes) -> tuple[int, bytes, bytes]:
        raise Unreachable("gone")

    with pytest.raises(Unreachable, match="gone"):
        Agent(fail, time_limit=10).run(REQUEST)


@pytest.mark.parametrize(
    ("code", "stdout", "stderr"),
    [
        (3762504530, b"", b""),
        (-532462766, b"", b""),
        (1, b"", b"#< CLIXML System.OutOfMemoryException: "),
        (0, b"Exception of type 'System.OutOfMemoryException'", b""),
    ],
)
def test_a_powershell_that_runs_out_of_memory_is_named_with_the_setting(
    code: int, stdout: bytes, stderr: bytes
) -> None:
    with pytest.raises(AgentNoise, match="MaxMemoryPerShellMB"):
        Agent(lambda _stdin: (code, stdout, stderr), time_limit=10).run(REQUEST)


def test_a_step_that_runs_out_of_memory_is_named_with_the_setting() -> None:
    assert "MaxMemoryPerShellMB" in str(
        AgentError("OutOfMemoryException", "x", "No memory.", "change-1")
    )
    assert "MaxMemoryPerShellMB" not in str(
        AgentError("ADTransientException", "x", "No domain controller.")
    )


def test_what_cannot_be_encoded_is_not_sent() -> None:
    def execute(stdin: bytes) -> tuple[int, bytes, bytes]:
        raise AssertionError("nothing may be sent")

    agent = Agent(execute, time_limit=10)
    with pytest.raises(CodecError):
        agent.run({**REQUEST, "steps": [object()]})
    assert agent.starts == 0
