# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that reads a server into a file: its dialect, what it may do, and what it writes."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
import re
import subprocess
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.layer import ExchangeLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._offline import dumps, script
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS
from ansible_collections.mailedge.lockdown.tests.support.dumps import by_script, by_standin
from ansible_collections.mailedge.lockdown.tests.support.engine import PWSH, needs_engine

STATE = ExchangeLayer(SiteNetworks(), lambda _state: ())


def state_of(answer: t.Mapping[str, t.Any]) -> State:
    """What a run makes of an answer; any domain controller may have given it, and the engine of the
    tests has no language and parameters of its own.
    """
    state = STATE.parse(answer, "")
    server = dataclasses.replace(state.server, language="")
    return dataclasses.replace(state, server=server, domain_controller=None, supported=None)


QUICK = ("2016",)


@needs_engine
def test_the_script_keeps_to_powershell_2(tmp_path: pathlib.Path) -> None:
    path = tmp_path / script.NAME
    path.write_bytes(script.text().encode("ascii"))
    done = subprocess.run(
        [PWSH, "-Dialect2", str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode and "Dialect2" in done.stdout + done.stderr:
        pytest.skip("this PowerShell has no dialect checker")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_script_holds_nothing_that_writes_to_the_server() -> None:
    text = script.text()
    operations = set(re.findall(r"\$operations\['(\w+)'\]", text))
    assert operations == {"call", "digest", "read_files"}
    assert {step["op"] for step in script.asked_steps()} <= operations
    cmdlets = {step["cmdlet"] for step in script.asked_steps() if step["op"] == "call"}
    assert {cmdlet for cmdlet in cmdlets if not cmdlet.startswith("Get-")} == set()
    assert text.count("WriteAllText") == 1
    for verb in ("icacls", "Set-", "Remove-Item", "CreateDirectory", "File]::Delete"):
        assert verb not in text, verb


@needs_engine
@pytest.mark.parametrize(
    "edition",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.long)
        for name in sorted(EDITIONS)
    ],
)
def test_the_script_writes_what_a_run_would_have_read(edition: str, tmp_path: pathlib.Path) -> None:
    host = defaults.site(EDITIONS[edition], "EX1", "birke.example", folder=tmp_path / "host")
    before = host.shown()
    told = by_script(host, tmp_path)
    assert "The server EX1 was read, and nothing was changed on it." in told
    assert "could not be read" not in told
    path = tmp_path / "mailedge-EX1.json"
    dump = dumps.read(path)
    assert dump.is_of("ex1")
    assert dump.is_of(f"EX1.{host.directory.domain}")
    assert dump.at <= datetime.datetime.now(datetime.timezone.utc)
    assert host.shown() == before
    assert state_of(dump.answer) == state_of(json.loads(by_standin(host))["answer"])
    assert set(STATE.parse(dump.answer, "").supported or ()) == {
        f"{verb}-{noun}Connector"
        for verb in ("Get", "New", "Remove", "Set")
        for noun in ("Receive", "Send")
    }
    assert all(step["ok"] for step in dump.answer["steps"].values())


@needs_engine
@pytest.mark.long
def test_where_the_cmdlets_are_missing_their_shell_is_opened(tmp_path: pathlib.Path) -> None:
    host = defaults.site(EDITIONS["2016"], "EX1", "birke.example", folder=tmp_path / "host")
    told = by_script(host, tmp_path, shell=False)
    assert "Written: " in told
    assert dumps.read(tmp_path / "mailedge-EX1.json").answer["way"] == "remote_session"
