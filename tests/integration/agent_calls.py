# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of the agent to a host of the lab over WinRM, as an action makes them."""

from __future__ import annotations

import typing as t

import pytest
import winrm

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import calls
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import (
    BOOTSTRAP,
    HostFact,
    decode_answer,
    encode_request,
)
from ansible_collections.mailedge.lockdown.tests.lab.lab import LabHost
from ansible_collections.mailedge.lockdown.tests.lab.runner import find_pwsh

PWSH = find_pwsh() or ""
_needs_engine = pytest.mark.skipif(not PWSH, reason="no PowerShell: set PWSH or put pwsh on PATH")
ENGINES = ["", pytest.param(PWSH, id="pwsh", marks=_needs_engine)]
# Where the engine takes long, .ci/run has it.
LONG_ENGINES = ["", pytest.param(PWSH, id="pwsh", marks=[_needs_engine, pytest.mark.long])]
READ: dict[str, t.Any] = {
    "protocol": 1,
    "shell": {
        "way": "auto",
        "fqdn": None,
        "credential": None,
        "authentication": "Kerberos",
        "seconds": 60,
    },
    "mutex": None,
    "steps": calls.read_steps(HostFact("name"), None),
}


def connect(host: LabHost) -> winrm.Protocol:
    return winrm.Protocol(
        endpoint=f"http://127.0.0.1:{host.http.port}/wsman",
        transport="ntlm",
        username=host.username,
        password=host.password,
    )


def ask(
    host: LabHost, request: dict[str, t.Any] | None = None
) -> tuple[int, dict[str, t.Any] | None]:
    """The agent's answer over WinRM; None where there was none."""
    protocol = connect(host)
    shell = protocol.open_shell(codepage=65001)
    command = protocol.run_command(shell, BOOTSTRAP, console_mode_stdin=False)
    protocol.send_command_input(shell, command, encode_request(request or READ), end=True)
    stdout, _stderr, code = protocol.get_command_output(shell, command)
    protocol.cleanup_command(shell, command)
    protocol.close_shell(shell)
    return code, decode_answer(stdout) if stdout else None


def writing(name: str, *comments: str) -> dict[str, t.Any]:
    """A request that sets the comment of the wide connector, once for each text."""
    steps = [
        {
            "op": "call",
            "id": f"write-{number}",
            "cmdlet": "Set-ReceiveConnector",
            "parameters": {
                "Identity": f"{name}\\Default Frontend {name}",
                "Comment": comment,
                "Confirm": False,
            },
        }
        for number, comment in enumerate(comments, 1)
    ]
    return {**READ, "steps": steps}


def comment_of(host: LabHost) -> t.Any:
    connectors = host.exchange.receive_connectors()
    return next(
        connector for connector in connectors if connector.name.startswith("Default Frontend")
    ).values["Comment"]
