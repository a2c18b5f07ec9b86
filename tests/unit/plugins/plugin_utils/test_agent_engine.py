# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""agent.ps1 in a real engine: what it reads, what it answers, and its steps."""

from __future__ import annotations

import base64
import ctypes.util
import gzip
import json
import os
import pathlib
import socket
import subprocess
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _codec as codec
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import AgentError
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import Credential, HostFact
from ansible_collections.mailedge.lockdown.tests.support.engine import (
    AGENT,
    CANARY,
    ECHO,
    PWSH,
    agent_in_a_process,
    agent_with,
    asking,
    call,
    in_a_runspace,
    needs_engine,
    objects,
)

pytestmark = needs_engine


# An area alone lacks what it takes from the agent, and from other areas.
@pytest.mark.parametrize("script", ["bootstrap", "agent.ps1", "whole"])
def test_the_script_keeps_to_powershell_2(script: str, tmp_path: pathlib.Path) -> None:
    path = AGENT.with_name(script)
    if script == "whole":
        path = tmp_path / "whole.ps1"
        path.write_text(codec.agent_text(set(codec.AREAS.values())), encoding="ascii")
    if script == "bootstrap":
        path = tmp_path / "bootstrap.ps1"
        path.write_text(codec.BOOTSTRAP_SCRIPT, encoding="ascii")
    done = subprocess.run(
        [PWSH, "-Dialect2", str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode and "Dialect2" in done.stdout + done.stderr:
        pytest.skip("this PowerShell has no dialect checker")
    assert done.returncode == 0, done.stdout + done.stderr


VALUES: list[t.Any] = [
    None,
    True,
    False,
    0,
    -1,
    -(1 << 63),
    (1 << 63) - 1,
    1.5,
    1e300,
    "",
    " leading and trailing ",
    "quotes ' \" \u2018a\u2019 \u201cb\u201d \u201ec\u201a ` backtick",
    "$(Get-Date) $env:PATH ${x} @args %PATH% ; | & > < #",
    "line\nfeed\r\ncarriage\rtab\ttilde ~n ~t ~~ backslash \\n \\u0041",
    "nul \x00 bell \x07 escape \x1b unit \x1f del \x7f",
    "\u00fc \u00df \u0130 \u0131 I i \u6f22\u5b57 \u2028 \U0001f512 \ufeff",
    [],
    ["one"],
    ["192.0.2.1", "2001:db8::/32", ""],
    ["with ~ tilde", "and\nline"],
    [[], [[]], [["deep", ["deeper"]]], None, 1],
    {},
    {
        "add": ["a", "b"],
        "Nested": {"ID": 1, "id": None, "I\u0307": {"empty": []}},
        "count": 3,
        "keys": "k",
    },
]
ICU = {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "0"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        pytest.param({"PWSH_CODEPAGE": "437"}, marks=pytest.mark.long),
        pytest.param({"PWSH_CODEPAGE": "850"}, marks=pytest.mark.long),
        pytest.param({"PWSH_CODEPAGE": "932"}, marks=pytest.mark.long),
        pytest.param({"LANG": "de_DE.UTF-8", **ICU}, marks=pytest.mark.long),
        {"LANG": "tr_TR.UTF-8", **ICU},
    ],
    ids=["utf-8", "437", "850", "932", "de-DE", "tr-TR"],
)
def test_every_value_arrives_and_returns_whole(environment: dict[str, str]) -> None:
    if "LANG" in environment and not ctypes.util.find_library("icuuc"):
        pytest.skip(
            "no ICU on this machine, so no culture but the invariant one (Debian: libicu72)"
        )
    steps = [call(f"v{i}", "Test-Echo", {"Value": value}, "Json") for i, value in enumerate(VALUES)]
    texts = [value for value in VALUES if isinstance(value, str)]
    steps += [call(f"t{i}", "Test-Echo", {"Value": text}, "Value") for i, text in enumerate(texts)]
    steps.append(
        call("login", "Test-Login", {"Credential": Credential("SITE\\\u00fcser", CANARY)}, "User")
    )
    steps.append(
        call(
            "short", "Test-Login", {"Credential": Credential("u", "p\u00e4~\n")}, "User", "Password"
        )
    )
    steps.append(
        call("none", "Test-Login", {"Credential": Credential("u", "")}, "User", "Password")
    )
    answer = agent_in_a_process(ECHO, **environment).run(asking(steps))
    if "LANG" in environment:
        assert answer["host"]["culture"] == environment["LANG"][:5].replace("_", "-")
    for i, value in enumerate(VALUES):
        assert json.loads(objects(answer, f"v{i}")[0]["Json"]) == value
    for i, text in enumerate(texts):
        assert objects(answer, f"t{i}") == [{"Value": text}]
    assert objects(answer, "login") == [{"User": "SITE\\\u00fcser"}]
    assert objects(answer, "short") == [{"User": "u", "Password": "p\u00e4~\n"}]
    assert objects(answer, "none") == [{"User": "u", "Password": ""}]


def test_two_megabytes_are_read_in_seconds() -> None:
    ranges = [f"192.0.2.{i % 256}" for i in range(80_000)]
    tables = [{"name": f"n{i}~", "cost": i} for i in range(20_000)]
    steps = [
        call("text", "Test-Echo", {"Value": "\u00fc~\n" * 200_000}, "Value.Length"),
        call("ranges", "Test-Echo", {"Value": ranges}, "Value.Length", "Type"),
        call("tables", "Test-Echo", {"Value": tables}, "Value.Length"),
        call("back", "Test-Echo", {"Value": ranges[:3_000]}, "Value"),
    ]
    request = asking(steps)
    body = base64.b64decode(b"".join(codec.encode_request(request).splitlines()[1:]))
    assert len(gzip.decompress(body)) > 2_000_000
    before = os.times()
    answer = agent_in_a_process(ECHO.replace("ConvertTo-Json $Value", "ConvertTo-Json 1")).run(
        request
    )
    # What the engine has worked, and not what it has waited for on a busy machine.
    assert os.times().children_user - before.children_user < 15
    assert objects(answer, "text") == [{"Value.Length": 600_000}]
    assert objects(answer, "ranges") == [{"Value.Length": 80_000, "Type": "System.String[]"}]
    assert objects(answer, "tables") == [{"Value.Length": 20_000}]
    assert objects(answer, "back") == [{"Value": ranges[:3_000]}]


def test_constrained_language_is_named() -> None:
    with pytest.raises(AgentError, match="does not run in FullLanguage mode") as caught:
        agent_in_a_process(PWSH_LANGUAGE="ConstrainedLanguage").run(asking([]))
    assert caught.value.error_class == "Mailedge.ConstrainedLanguage"


def test_a_cut_or_foreign_request_is_refused_without_being_quoted() -> None:
    lines = (
        codec.encode_request(asking([call("x", "Test-Echo", {"Value": CANARY})]))
        .decode()
        .split("\n")
    )
    packed = base64.b64decode("".join(lines[1:]))
    body = gzip.decompress(packed)
    foreign = (
        body[:-2],
        body[:-40],
        body.replace(b"mailedge 1", b"mailedge 2"),
        b"mailedge 1\nz\n.",
        b"\xff",
    )
    for damaged in (*map(gzip.compress, foreign), packed[: len(packed) // 2], b"", body):
        stdin = f"{lines[0]}\n{base64.b64encode(damaged).decode()}\n".encode()
        answer = codec.decode_answer(in_a_runspace(ECHO, stdin, {}))
        assert answer["error"]["class"] == "Mailedge.BadRequest"
        assert answer["steps"] == {}
        assert "canary" not in str(answer)


def test_properties_come_back_by_their_text() -> None:
    # What a remote session makes of flags, sizes, lists and spans (receive-connector objects of
    # Exchange 2019).
    prelude = r"""
    $xml = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">
      <Obj RefId="0"><MS>
      <Obj N="Flags" RefId="1"><TN RefId="0"><T>Deserialized.Microsoft.Exchange.AuthMechanisms</T>
        <T>Deserialized.System.Enum</T></TN><ToString>Tls, Integrated</ToString><I32>3</I32></Obj>
      <Obj N="Size" RefId="2">
        <TN RefId="1"><T>Deserialized.Microsoft.Exchange.ByteQuantifiedSize</T></TN>
        <ToString>36 MB (37,748,736 bytes)</ToString></Obj>
      <Obj N="List" RefId="3">
        <TN RefId="2"><T>Deserialized.Microsoft.Exchange.MultiValuedProperty</T></TN>
        <LST><S>b</S><S>a</S></LST></Obj>
      <I32 N="Port">25</I32><B N="Enabled">true</B><Nil N="Nothing"/><TS N="Span">PT10M</TS>
      </MS></Obj></Objs>'
    function Get-Thing { [System.Management.Automation.PSSerializer]::Deserialize($xml) }
    function Get-Live { New-Object PSObject -Property @{ Day = [DayOfWeek]::Monday; Half = 0.5
      When = [DateTime]::SpecifyKind('2026-01-02T03:04:05', 'Utc')
      Address = [System.Net.IPAddress]'192.0.2.7'
      Table = @{ A = 1; B = [System.Net.IPAddress]'192.0.2.8' } } }
    function Get-Nothing { }
    function Get-Null { $null }
    """
    answer = agent_with(prelude).run(
        asking(
            [
                call(
                    "x",
                    "Get-Thing",
                    {},
                    "Flags",
                    "Size",
                    "List",
                    "Port",
                    "Enabled",
                    "Nothing",
                    "Span",
                    "Unknown",
                ),
                call(
                    "live", "Get-Live", {}, "Day", "When", "Address", "Table", "Table.Keys", "Half"
                ),
                call("nothing", "Get-Nothing", {}, "Name"),
                call("null", "Get-Null", {}, "Name"),
                {
                    "op": "call",
                    "id": "write",
                    "cmdlet": "Get-Thing",
                    "parameters": None,
                    "select": None,
                },
            ]
        )
    )
    assert objects(answer, "x") == [
        {
            "Flags": "Tls, Integrated",
            "Size": "36 MB (37,748,736 bytes)",
            "List": ["b", "a"],
            "Port": 25,
            "Enabled": True,
            "Nothing": None,
            "Span": "00:10:00",
            "Unknown": None,
        }
    ]
    (live,) = objects(answer, "live")
    assert sorted(live.pop("Table.Keys")) == ["A", "B"]
    assert live == {
        "Day": "Monday",
        "When": "2026-01-02T03:04:05.0000000Z",
        "Address": "192.0.2.7",
        "Table": {"A": "1", "B": "192.0.2.8"},
        "Half": "0.5",
    }
    assert [objects(answer, name) for name in ("nothing", "null", "write")] == [[], [], []]


def test_steps_stop_go_on_and_run_in_any_case_as_they_say() -> None:
    prelude = r"""
    function Get-Bad { $wrong = New-Object System.ArgumentException 'wrong'
      $record = 'System.Management.Automation.ErrorRecord'
      throw (New-Object $record $wrong, 'Bad,Get-Bad', 'InvalidArgument', $null) }
    function Get-Good { [CmdletBinding()] param($Identity)
      foreach ($i in 1, 2) { New-Object PSObject -Property @{ Name = "$Identity$i" } } }
    """
    steps = [
        call("optional", "Get-Bad", {}, "Name", optional=True),
        call(
            "of_none",
            "Get-Good",
            {},
            "Name",
            each={"step": "optional", "property": "Name", "parameter": "Identity"},
        ),
        call("list", "Get-Good", {"Identity": HostFact("powershell")}, "Name"),
        call(
            "each",
            "Get-Good",
            {},
            "Name",
            each={"step": "list", "property": "Name", "parameter": "Identity"},
        ),
        call("unknown", "Get-Good", {"Bogus": 1}, "Name"),
        call("skipped", "Get-Good", {}, "Name"),
        call("reread", "Get-Good", {"Identity": "x"}, "Name", always=True),
        call("missing", "Get-Missing", {}, "Name", always=True),
    ]
    with pytest.raises(AgentError) as caught:
        agent_with(prelude).run(asking(steps))
    answer = caught.value.answer
    assert answer["stopped"] == "unknown"
    assert caught.value.step == "unknown"
    assert caught.value.error_class == "ParameterBindingException"
    assert caught.value.error_id == "NamedParameterNotFound,Get-Good"
    assert list(answer["steps"]) == [
        "optional",
        "of_none",
        "list",
        "each",
        "unknown",
        "reread",
        "missing",
    ]
    assert answer["steps"]["optional"]["error"] == {
        "class": "ArgumentException",
        "id": "Bad,Get-Bad",
        "message": "wrong",
        "category": "InvalidArgument",
    }
    version = answer["host"]["powershell"]
    assert objects(answer, "of_none") == []
    assert [row["Name"] for row in objects(answer, "list")] == [f"{version}1", f"{version}2"]
    assert [row["Name"] for row in objects(answer, "each")] == [
        f"{version}{i}" for i in ("11", "12", "21", "22")
    ]
    assert [row["_each"] for row in objects(answer, "each")] == [
        f"{version}{i}" for i in ("1", "1", "2", "2")
    ]
    assert objects(answer, "reread") == [{"Name": "x1"}, {"Name": "x2"}]
    assert answer["steps"]["missing"]["error"]["class"] == "CommandNotFoundException"


@pytest.mark.parametrize(
    "step",
    [
        {"op": "dance", "id": "x"},
        {"op": "call", "id": "x", "cmdlet": "Get-Date; Get-Date", "parameters": {}, "select": None},
        {
            "op": "call",
            "id": "x",
            "cmdlet": "Test-Echo",
            "parameters": {"Value": HostFact("unknown")},
        },
        {"op": "digest", "id": "x", "steps": ["never"], "ignore": [], "expect": None},
        {"op": "write_file", "id": "x", "folder": "/nowhere", "name": "../x.json", "text": ""},
    ],
    ids=["op", "cmdlet", "fact", "reference", "file name"],
)
def test_a_request_that_makes_no_sense_is_a_bad_request(step: dict[str, t.Any]) -> None:
    with pytest.raises(AgentError) as caught:
        agent_with(ECHO).run(asking([step]))
    assert caught.value.error_class == "Mailedge.BadRequest"


def test_the_digest_sees_a_change_and_no_other_order(tmp_path: pathlib.Path) -> None:
    prelude = r"""
    function Get-Thing { param($Order)
      $a = New-Object PSObject -Property @{
        Name = 'a'; Ranges = @('192.0.2.1', '192.0.2.2'); Server = "dc$Order" }
      $b = New-Object PSObject -Property @{ Name = 'b'; Ranges = @('::', $null); Server = 'dc' }
      if ($Order -eq 1) { $a; $b } else { $a.Ranges = @('192.0.2.2', '192.0.2.1'); $b; $a }
      if ($Order -eq 3) { $a } }
    function Set-Thing { [System.IO.File]::WriteAllText("$env:TEST_FOLDER/written", '') }
    """

    def steps(order: int, expect: str | None) -> list[dict[str, t.Any]]:
        return [
            call("read", "Get-Thing", {"Order": order}, "Name", "Ranges", "Server"),
            {
                "op": "digest",
                "id": "digest",
                "steps": ["read"],
                "ignore": ["Server"],
                "expect": expect,
            },
            call("write", "Set-Thing", {}),
            call("reread", "Get-Thing", {"Order": order}, "Name", always=True),
        ]

    agent = agent_with(prelude, TEST_FOLDER=str(tmp_path))
    ((row),) = objects(agent.run(asking(steps(1, None))), "digest")
    (tmp_path / "written").unlink()
    assert agent.run(asking(steps(2, row["digest"])))["ok"] is True
    (tmp_path / "written").unlink()
    with pytest.raises(AgentError, match="somebody else is working on it") as caught:
        agent.run(asking(steps(3, row["digest"])))
    assert caught.value.error_class == "Mailedge.StateChanged"
    assert not (tmp_path / "written").exists()
    assert list(caught.value.answer["steps"]) == ["read", "digest", "reread"]


ICACLS = r"""
function icacls {
  $line = @($args | ForEach-Object { $_ }) -join ' '
  [System.IO.File]::AppendAllText("$env:TEST_FOLDER/icacls", "$line`n")
  if ($env:TEST_REFUSE) { $global:LASTEXITCODE = 5 } }
function Get-Acl { param($Path)
  [pscustomobject]@{ Sddl = 'O:BAG:SYD:AI' + [System.IO.Path]::GetFileName($Path) } }
"""


def test_a_snapshot_is_written_for_administrators_only_and_read_back(
    tmp_path: pathlib.Path,
) -> None:
    folder, text = tmp_path / "data" / "mailedge", 'a: "\u00fc"\n'
    write = {"op": "write_file", "folder": "%TEST_FOLDER%/data/mailedge", "text": text}
    read = {"op": "read_files", "folder": "%TEST_FOLDER%/data/mailedge", "names": None, "last": 2}
    agent = agent_with(ICACLS, TEST_FOLDER=str(tmp_path))
    answer = agent.run(
        asking(
            [
                {**read, "id": "before"},
                *({**write, "id": f"w{i}", "name": f"2026010{i}T000000Z.json"} for i in (3, 1, 2)),
                {**read, "id": "newest"},
                {
                    **read,
                    "id": "named",
                    "names": ["20260101T000000Z.json", "20250101T000000Z.json"],
                },
            ]
        )
    )
    assert objects(answer, "before") == []
    assert objects(answer, "w3") == [{"path": f"{folder}/20260103T000000Z.json"}]
    rows = [
        {"name": name, "text": text, "sddl": f"O:BAG:SYD:AI{name}"}
        for name in (f"2026010{i}T000000Z.json" for i in (1, 2, 3))
    ]
    assert objects(answer, "newest") == rows[1:]
    assert objects(answer, "named") == rows[:1]
    assert sorted(path.name for path in folder.iterdir()) == [
        f"2026010{i}T000000Z.json" for i in (1, 2, 3)
    ]
    assert (folder / "20260101T000000Z.json").read_bytes() == text.encode()
    assert (tmp_path / "icacls").read_text().splitlines()[:4] == [
        f"{folder} /setowner *S-1-5-32-544",
        f"{folder} /reset /q",
        f"{folder} /inheritance:r /grant:r *S-1-5-32-544:(OI)(CI)F *S-1-5-18:(OI)(CI)F",
        f"{folder}/20260103T000000Z.json /setowner *S-1-5-32-544",
    ]


@pytest.mark.parametrize("case", ["icacls", "exists", "link", "file in the way"])
def test_a_snapshot_that_cannot_be_kept_safe_stops_the_run(
    case: str, tmp_path: pathlib.Path
) -> None:
    folder = tmp_path / "mailedge"
    if case == "exists":
        folder.mkdir()
        (folder / "s.json").write_text("old")
    elif case == "link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    elif case == "file in the way":
        folder.write_text("")
    prelude = ICACLS + (
        "\nfunction Set-Thing { [System.IO.File]::WriteAllText(\"$env:TEST_FOLDER/written\", '') }"
    )
    agent = agent_with(
        prelude, TEST_FOLDER=str(tmp_path), TEST_REFUSE="1" if case == "icacls" else ""
    )
    steps = [
        {
            "op": "write_file",
            "id": "snapshot",
            "folder": str(folder),
            "name": "s.json",
            "text": "new",
        },
        call("write", "Set-Thing", {}),
    ]
    with pytest.raises(AgentError, match=r"could not be written\. Nothing was changed") as caught:
        agent.run(asking(steps))
    assert caught.value.error_class == "Mailedge.SnapshotFailed"
    assert not (tmp_path / "written").exists()
    assert not list(tmp_path.rglob("*.tmp"))
    if case == "exists":
        assert (folder / "s.json").read_text() == "old"


def test_reach_tells_open_closed_and_unknown_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, so that nobody takes it, but not listening
        targets = [
            ["127.0.0.1", listener.getsockname()[1]],
            ["127.0.0.1", closed.getsockname()[1]],
            ["name.invalid", 25],
        ]
        answer = agent_with().run(
            asking([{"op": "reach", "id": "reach", "targets": targets, "seconds": 5}])
        )
    rows = objects(answer, "reach")
    assert [(row["host"], row["port"]) for row in rows] == [tuple(target) for target in targets]
    assert [row["reachable"] for row in rows] == [True, False, False]
    assert rows[0]["error"] is None
    assert rows[1]["error"] == "ConnectionRefused"
    assert rows[2]["error"] in ("HostNotFound", "TryAgain", "NoData")
