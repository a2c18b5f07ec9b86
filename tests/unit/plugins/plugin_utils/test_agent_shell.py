# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""agent.ps1 in a real engine: the ways into the Exchange shell, the mutex, and life in a runspace
of psrp.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import time

import pytest

from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _codec as codec
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import AgentError
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import Credential
from ansible_collections.mailedge.lockdown.tests.support.engine import (
    CANARY,
    ECHO,
    PWSH,
    agent_with,
    asking,
    call,
    needs_engine,
    objects,
    start_engine,
)

pytestmark = needs_engine

# A registry of one Exchange version ($setup: major, minor, build, revision) and a host name.
REGISTRY = r"""
function Get-ItemProperty { param($Path, $ErrorAction)
  $v = $env:TEST_SETUP.Split('.')
  $roots = @{ '8' = 'Exchange\v8.0'; '14' = 'ExchangeServer\v14'; '15' = 'ExchangeServer\v15' }
  $root = $roots[$v[0]]
  switch ($Path) {
    "HKLM:\SOFTWARE\Microsoft\$root\Setup" { New-Object PSObject -Property @{
      MsiProductMajor = $v[0]; MsiProductMinor = $v[1]; MsiBuildMajor = $v[2]; MsiBuildMinor = $v[3]
      MsiInstallPath = 'C:\Exchange\' } }
    "HKLM:\SOFTWARE\Microsoft\$root\$($env:TEST_ROLE)Role" {
      New-Object PSObject -Property @{ ConfiguredVersion = '1' } }
    'HKLM:\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters' {
      New-Object PSObject -Property @{ Hostname = 'mail1'; Domain = 'site.example' } }
    'HKLM:\SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName' {
      New-Object PSObject -Property @{ ComputerName = 'MAIL1' } }
    default { throw "no key $Path" } } }
"""

# Exchange's endpoint: a runspace without language. Every opening and closing is written to the file
# TEST_TRACE.
SESSION = (
    REGISTRY
    + r"""
function New-PSSession { [CmdletBinding()]
  param($ConfigurationName, $ConnectionUri, $Authentication, $SessionOption, $Credential)
  $opened = "open $ConfigurationName $ConnectionUri $Authentication $($Credential.UserName)`n"
  [System.IO.File]::AppendAllText($env:TEST_TRACE, $opened)
  if ($env:TEST_REFUSE) {
    $password = $Credential.GetNetworkCredential().Password
    $refusal = New-Object Exception "Access is denied for $password."
    $record = 'System.Management.Automation.ErrorRecord'
    throw (New-Object $record $refusal, 'AccessDenied,PSSessionOpenFailed', 'OpenError', $null) }
  $iss = [System.Management.Automation.Runspaces.InitialSessionState]::Create()
  $body = '[CmdletBinding()] param($Identity, $List, [switch]$Flag, $Wait, $Fail)
    $range = New-Object System.ArgumentOutOfRangeException "Range"
    $soft = New-Object System.InvalidOperationException "soft"
    $record = "System.Management.Automation.ErrorRecord"
    if ($Fail -eq "record") { throw (New-Object $record $range, "Fqid1", "InvalidData", $null) }
    if ($Fail -eq "text") { throw "no entry for $List" }
    if ($Fail -eq "soft") {
      $PSCmdlet.WriteError((New-Object $record $soft, "Soft", "InvalidOperation", $null)) }
    if ($Wait) { Start-Sleep -Seconds 50 }
    New-Object PSObject -Property @{ Name = $Identity; List = $List; Flag = [bool]$Flag }'
  $runspaces = 'System.Management.Automation.Runspaces'
  $iss.Commands.Add((New-Object "$runspaces.SessionStateFunctionEntry" 'Get-Thing', $body))
  foreach ($name in @('New-Object', 'Start-Sleep')) {
    $type = (Get-Command $name -CommandType Cmdlet).ImplementingType
    $entry = New-Object "$runspaces.SessionStateCmdletEntry" $name, $type, $null
    $entry.Visibility = 'Private'
    $iss.Commands.Add($entry) }
  $iss.LanguageMode = 'NoLanguage'
  $runspace = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace($iss)
  $runspace.Open()
  New-Object PSObject -Property @{ Runspace = $runspace } }
function Remove-PSSession { param($Session)
  [System.IO.File]::AppendAllText($env:TEST_TRACE, "close`n"); $Session.Runspace.Close() }
"""
)


SHELL = {
    "way": "auto",
    "fqdn": None,
    "credential": Credential("SITE\\admin", CANARY),
    "authentication": "Kerberos",
    "seconds": 20,
}


def test_the_session_takes_arguments_as_data_and_is_removed(tmp_path: pathlib.Path) -> None:
    trace = tmp_path / "trace"
    pair = ["192.0.2.1", "192.0.2.2"]
    name = "x'; $(boom) \u201cq\u201d `n | & \u2019"
    steps = [
        call(
            "good",
            "Get-Thing",
            {"Identity": name, "List": ["192.0.2.1", "192.0.2.2"], "Flag": True},
            "Name",
            "List",
            "Flag",
        ),
        call("null", "Get-Thing", {"Identity": None, "Flag": False}, "Name", "Flag"),
        call("record", "Get-Thing", {"Fail": "record"}, "Name", optional=True),
        call("text", "Get-Thing", {"Fail": "text", "List": CANARY}, "Name", optional=True),
        call("soft", "Get-Thing", {"Fail": "soft"}, "Name", optional=True),
        call("bogus", "Get-Thing", {"Bogus": 1}, "Name", optional=True),
        call("private", "New-Object", {"TypeName": "Hashtable"}, "Name", optional=True),
        call("hang", "Get-Thing", {"Wait": True}, "Name", seconds=1),
        call("reread", "Get-Thing", {"Identity": "again"}, "Name", always=True),
    ]
    started = time.monotonic()
    with pytest.raises(AgentError, match="Get-Thing did not end within 1 seconds") as caught:
        agent_with(SESSION, TEST_SETUP="15.1.2507.6", TEST_TRACE=str(trace)).run(
            asking(steps, SHELL)
        )
    assert time.monotonic() - started < 30
    answer = caught.value.answer
    assert caught.value.error_class == "Mailedge.TimedOut"
    assert answer["way"] == "remote_session"
    assert answer["stopped"] == "hang"
    assert objects(answer, "good") == [{"Name": name, "List": pair, "Flag": True}]
    assert objects(answer, "null") == [{"Name": None, "Flag": False}]
    errors = {
        step: answer["steps"][step]["error"] for step in ("record", "soft", "bogus", "private")
    }
    assert (errors["record"]["class"], errors["record"]["id"]) == (
        "ArgumentOutOfRangeException",
        "Fqid1",
    )
    assert errors["record"]["category"] == "InvalidData"
    assert (errors["soft"]["class"], errors["soft"]["id"]) == (
        "InvalidOperationException",
        "Soft,Get-Thing",
    )
    text = answer["steps"]["text"]["error"]
    assert text["id"] == text["message"] == "no entry for ********"
    assert errors["bogus"]["class"] == "ParameterBindingException"
    assert errors["private"]["class"] == "CommandNotFoundException"
    assert objects(answer, "reread") == [{"Name": "again"}]
    assert trace.read_text().splitlines() == [
        "open Microsoft.Exchange http://mail1.site.example/PowerShell/ Kerberos SITE\\admin",
        "close",
    ]


def test_a_shell_that_does_not_open_is_named_without_the_password(tmp_path: pathlib.Path) -> None:
    agent = agent_with(
        SESSION, TEST_SETUP="14.3.123.4", TEST_TRACE=str(tmp_path / "t"), TEST_REFUSE="1"
    )
    with pytest.raises(
        AgentError, match=r"way: remote_session.*Access is denied for \*{8}\."
    ) as caught:
        agent.run(asking([call("x", "Get-Thing", {}, "Name", always=True)], SHELL))
    assert caught.value.error_class == "Mailedge.ShellFailed"
    assert caught.value.error_id == "AccessDenied,PSSessionOpenFailed"
    assert caught.value.step is None
    assert caught.value.answer["steps"] == {}


@pytest.mark.parametrize(
    ("setup", "role", "way", "snapin"),
    [
        ("8.3.83.6", "HubTransport", "snapin", "Microsoft.Exchange.Management.PowerShell.Admin"),
        ("14.3.123.4", "EdgeTransport", "edge", "Microsoft.Exchange.Management.PowerShell.E2010"),
        ("15.2.1544.4", "EdgeTransport", "edge", "Microsoft.Exchange.Management.PowerShell.SnapIn"),
    ],
)
def test_the_way_into_the_shell_is_chosen_by_what_the_server_is(
    setup: str, role: str, way: str, snapin: str
) -> None:
    prelude = REGISTRY + "function Add-PSSnapin { param($Name) $global:added = $Name }"
    prelude += "\nfunction Get-Snapin { New-Object PSObject -Property @{ Name = $global:added } }"
    agent = agent_with(prelude, TEST_SETUP=setup, TEST_ROLE=role)
    answer = agent.run(asking([call("x", "Get-Snapin", {}, "Name")], SHELL))
    assert answer["way"] == way
    assert objects(answer, "x") == [{"Name": snapin}]
    host = answer["host"]
    assert (host["name"], host["fqdn"], host["roles"]) == ("MAIL1", "mail1.site.example", [role])
    assert host["edge"] is (way == "edge")
    exchange = dict(
        zip(("major", "minor", "build", "revision"), map(int, setup.split(".")), strict=True)
    )
    assert host["exchange"] == {**exchange, "install_path": "C:\\Exchange\\"}


def test_a_server_without_exchange_is_named() -> None:
    with pytest.raises(AgentError, match="No Exchange Server is installed") as caught:
        agent_with("function Get-ItemProperty { throw 'no key' }").run(asking([], SHELL))
    assert caught.value.error_class == "Mailedge.NoExchange"


def test_two_runs_on_one_server_do_not_interleave(tmp_path: pathlib.Path) -> None:
    # /tmp/.dotnet keeps the mutex's file, so the name is this test's own.
    mutex = {"name": f"Global\\mailedge.test.{os.getpid()}", "seconds": 1}
    prelude = f"""function Wait-Thing {{ [System.IO.File]::WriteAllText('{tmp_path}/held', '')
      while (-not [System.IO.File]::Exists('{tmp_path}/go')) {{
        [System.Threading.Thread]::Sleep(50) }} }}"""
    request = asking([call("x", "Wait-Thing", {}, "Name")], mutex=mutex)
    first = start_engine(prelude)
    assert first.stdin is not None
    first.stdin.write(codec.encode_request(request))
    first.stdin.close()
    first.stdin = None
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "held").exists():
            assert time.monotonic() < deadline, "the first run never began"
            time.sleep(0.05)
        with pytest.raises(AgentError, match="Another run is working on this server") as caught:
            agent_with(prelude).run(request)
        assert caught.value.error_class == "Mailedge.Busy"
        assert caught.value.answer["steps"] == {}
    finally:
        (tmp_path / "go").touch()
        stdout = first.communicate(timeout=60)[0]
    assert codec.decode_answer(stdout)["ok"] is True
    assert agent_with(prelude).run(request)["ok"] is True


def test_in_a_runspace_of_psrp_nothing_is_left_behind(tmp_path: pathlib.Path) -> None:
    # psrp runs the bootstrap in a runspace that serves the whole task: the lines are $input, there
    # is no console.
    runner = tmp_path / "runner.ps1"
    stdin = codec.encode_request(
        asking(
            [call("x", "Test-Login", {"Credential": Credential("u", CANARY)}, "User")], mutex=None
        )
    )
    (tmp_path / "stdin").write_bytes(stdin)
    (tmp_path / "bootstrap").write_text(codec.BOOTSTRAP_SCRIPT)
    (tmp_path / "echo").write_text(ECHO)
    runner.write_text(
        f"""$lines = [System.IO.File]::ReadAllLines('{tmp_path}/stdin')
$iss = [System.Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()
$entry = 'System.Management.Automation.Runspaces.SessionStateCmdletEntry'
foreach ($c in Get-Command -CommandType Cmdlet) {{
  if (-not $c.ModuleName) {{
    $iss.Commands.Add((New-Object $entry $c.Name, $c.ImplementingType, $null)) }} }}
$runspace = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace($iss)
$runspace.Open()
function Invoke-Text($text, $lines) {{
  $ps = [PowerShell]::Create(); $ps.Runspace = $runspace; [void]$ps.AddScript($text, $true)
  $ps.Invoke($lines); if ($ps.HadErrors) {{ 'HAD ERRORS' }} }}
$echo = [System.IO.File]::ReadAllText('{tmp_path}/echo').Replace('function ', 'function global:')
[void](Invoke-Text $echo @())
$list = 'foreach ($drive in "variable:", "function:") {{
  $ExecutionContext.SessionState.InvokeProvider.ChildItem.Get($drive, $false) |
    ForEach-Object {{ "$drive$($_.Name)" }} }}'
$before = @(Invoke-Text $list @())
$bootstrap = [System.IO.File]::ReadAllText('{tmp_path}/bootstrap')
foreach ($i in 1, 2) {{ Invoke-Text $bootstrap $lines; '=====' }}
$after = @(Invoke-Text $list @())
"count $($after.Count)"
foreach ($name in $after) {{ if ($before -notcontains $name) {{ "LEFT $name" }} }}
"""
    )
    done = subprocess.run(
        [PWSH, "-NoProfile", "-File", str(runner)], capture_output=True, text=True, check=False
    )
    assert done.stdout.count("=====") == 2, done.stdout + done.stderr
    first, second, rest = done.stdout.split("=====")
    for output in (first, second):
        assert objects(codec.decode_answer(output), "x") == [{"User": "u"}]
    assert int(rest.split()[1]) > 40  # the list of what there is: PowerShell's own variables
    # PowerShell itself sets $StackTrace when an exception is thrown, caught or not.
    assert [
        line for line in rest.splitlines() if "LEFT" in line and line != "LEFT variable:StackTrace"
    ] == []
    assert "HAD ERRORS" not in done.stdout
    assert "canary" not in done.stdout + done.stderr
