# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PowerShell engine (variable PWSH) for the tests of agent.ps1. Functions put in front play what only Windows has."""

from __future__ import annotations

import base64
import os
import pathlib
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _codec as codec
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent

PWSH = os.environ.get("PWSH") or shutil.which("pwsh") or ""
needs_engine = pytest.mark.skipif(not PWSH, reason="no PowerShell: set PWSH or put pwsh on PATH")

AGENT = pathlib.Path(codec.__file__).with_name("agent.ps1")
CANARY = "Zw1ebel'\"`$(x)-canary"

# The engine's own ConvertTo-Json judges what the agent's decoder made of a value.
ECHO = r"""
function Test-Echo { param($Value)
  $type = 'null'; if ($null -ne $Value) { $type = $Value.GetType().FullName }
  New-Object PSObject -Property @{ Value = $Value; Type = $type; Json = (ConvertTo-Json $Value -Depth 10 -Compress) } }
function Test-Login { param($Credential)
  New-Object PSObject -Property @{ User = $Credential.UserName; Password = $Credential.GetNetworkCredential().Password } }
"""


def start_engine(prelude: str, **env: str) -> subprocess.Popen[bytes]:
    script = f"{prelude}\n{codec.BOOTSTRAP_SCRIPT}".encode("utf-16-le")
    command = [PWSH, "-NoProfile", "-NonInteractive", "-EncodedCommand", base64.b64encode(script).decode()]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **env}
    )


def asking(steps: list[dict[str, t.Any]], shell: t.Any = None, **more: t.Any) -> dict[str, t.Any]:
    return {"protocol": 1, "shell": shell or {"way": "none"}, "mutex": None, "steps": steps, **more}


def agent_with(prelude: str = "", **env: str) -> Agent:
    def execute(stdin: bytes) -> tuple[int, bytes, bytes]:
        process = start_engine(prelude, **env)
        stdout, stderr = process.communicate(stdin, timeout=110)
        assert b"canary" not in stdout + stderr
        return process.returncode, stdout, stderr

    return Agent(execute, time_limit=120)


def call(step_id: str, cmdlet: str, parameters: dict[str, t.Any], *select: str, **more: t.Any) -> dict[str, t.Any]:
    return {"op": "call", "id": step_id, "cmdlet": cmdlet, "parameters": parameters, "select": list(select), **more}


def objects(answer: t.Mapping[str, t.Any], step_id: str) -> t.Any:
    assert answer["steps"][step_id]["ok"], answer["steps"][step_id]
    return answer["steps"][step_id]["objects"]
