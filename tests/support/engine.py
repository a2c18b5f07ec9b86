# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PowerShell engine (variable PWSH) for the tests of agent.ps1.

Functions put in front play what only Windows has.

A process of its own for every request (`start_engine`, `agent_in_a_process`) is what winrm gives; a
runspace in a process that is there already (`in_a_runspace`, `agent_with`) is what psrp gives, and
twenty times as fast.
"""

from __future__ import annotations

import atexit
import base64
import functools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _codec as codec
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent

PWSH = os.environ.get("PWSH") or shutil.which("pwsh") or ""
needs_engine = pytest.mark.skipif(not PWSH, reason="no PowerShell: set PWSH or put pwsh on PATH")

AGENT = pathlib.Path(codec.__file__).with_name("agent.ps1")
_RUNSPACES = pathlib.Path(__file__).with_name("runspaces.ps1")
CANARY = "Zw1ebel'\"`$(x)-canary"

# The engine's own ConvertTo-Json judges what the agent's decoder made of a value.
ECHO = r"""
function Test-Echo { param($Value)
  $type = 'null'; if ($null -ne $Value) { $type = $Value.GetType().FullName }
  $json = ConvertTo-Json $Value -Depth 10 -Compress
  New-Object PSObject -Property @{ Value = $Value; Type = $type; Json = $json } }
function Test-Login { param($Credential)
  $login = $Credential.GetNetworkCredential()
  New-Object PSObject -Property @{ User = $Credential.UserName; Password = $login.Password } }
"""


def start_engine(prelude: str, **env: str) -> subprocess.Popen[bytes]:
    script = f"{prelude}\n{codec.BOOTSTRAP_SCRIPT}".encode("utf-16-le")
    command = [
        PWSH,
        "-NoProfile",
        "-NonInteractive",
        "-EncodedCommand",
        base64.b64encode(script).decode(),
    ]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **env},
    )


def asking(steps: list[dict[str, t.Any]], shell: t.Any = None, **more: t.Any) -> dict[str, t.Any]:
    return {"protocol": 1, "shell": shell or {"way": "none"}, "mutex": None, "steps": steps, **more}


class _Runspaces:
    """An engine that runs one request after the other (runspaces.ps1), for as long as the tests
    run.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mailedge-engine-")
        path = f"{self._folder.name}/socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            listener.settimeout(60)
            command = [PWSH, "-NoProfile", "-NonInteractive", "-File", str(_RUNSPACES)]
            # Without an input of its own, which the engine would wait for.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "TEST_SOCKET": path},
            )
            self._connection, _peer = listener.accept()
        self._connection.settimeout(110)
        self._file = self._connection.makefile("rw", encoding="ascii")
        atexit.register(self.close)

    def run(self, script: str, stdin: bytes, env: t.Mapping[str, str]) -> bytes:
        """What the script writes."""
        asked = {
            "script": script,
            "lines": stdin.decode("ascii").splitlines(),
            "environment": dict(env),
        }
        self._file.write(f"{json.dumps(asked)}\n")
        self._file.flush()
        return base64.b64decode(self._file.readline())

    def close(self) -> None:
        """End the engine."""
        self._process.kill()
        self._process.wait()
        self._file.close()
        self._connection.close()
        self._folder.cleanup()


_runspaces = functools.lru_cache(maxsize=1)(_Runspaces)


def in_a_runspace(
    prelude: str, stdin: bytes, env: t.Mapping[str, str], *, bare: bool = False
) -> bytes:
    """What the agent answers in a runspace of its own; `bare`: what the prelude alone writes."""
    try:
        whole = prelude if bare else f"{prelude}\n{codec.BOOTSTRAP_SCRIPT}"
        return _runspaces().run(whole, stdin, env)
    except OSError:
        # The next request gets another engine.
        _runspaces().close()
        _runspaces.cache_clear()
        raise


def agent_with(prelude: str = "", **env: str) -> Agent:
    """The agent in a runspace of its own."""

    def execute(stdin: bytes) -> tuple[int, bytes, bytes]:
        stdout = in_a_runspace(prelude, stdin, env)
        assert b"canary" not in stdout
        return 0, stdout, b""

    return Agent(execute, time_limit=120)


def agent_in_a_process(prelude: str = "", **env: str) -> Agent:
    """The agent in a process of its own: for what depends on one, as its code page."""

    def execute(stdin: bytes) -> tuple[int, bytes, bytes]:
        process = start_engine(prelude, **env)
        stdout, stderr = process.communicate(stdin, timeout=110)
        assert b"canary" not in stdout + stderr
        return process.returncode, stdout, stderr

    return Agent(execute, time_limit=120)


def call(
    step_id: str, cmdlet: str, parameters: dict[str, t.Any], *select: str, **more: t.Any
) -> dict[str, t.Any]:
    return {
        "op": "call",
        "id": step_id,
        "cmdlet": cmdlet,
        "parameters": parameters,
        "select": list(select),
        **more,
    }


def objects(answer: t.Mapping[str, t.Any], step_id: str) -> t.Any:
    assert answer["steps"][step_id]["ok"], answer["steps"][step_id]
    return answer["steps"][step_id]["objects"]
