# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in answers as agent.ps1 does in a real engine, which meets the lab's Exchange through
the proxies.
"""

from __future__ import annotations

import pathlib
import socket
import subprocess
import threading
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.calls import (
    DIGEST_IGNORE,
    DIGESTS,
    read_steps,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _codec as codec
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import Credential, HostFact
from ansible_collections.mailedge.lockdown.tests.integration.both_ways import (
    QUIET,
    SHELL,
    Prepare,
    agree,
    by_engine,
    by_standin,
)
from ansible_collections.mailedge.lockdown.tests.lab import standin
from ansible_collections.mailedge.lockdown.tests.lab.exchange import bridge, rights
from ansible_collections.mailedge.lockdown.tests.lab.exchange.defaults import site
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.support.engine import (
    CANARY,
    agent_with,
    asking,
    call,
    needs_engine,
    start_engine,
)

pytestmark = [needs_engine, pytest.mark.long]
MUTEX = {"name": "Global\\mailedge.lockdown", "seconds": 1}
ODD = "x'; $(boom) \u201cq\u201d `n | & \u2019 \u00fc\U0001f600 _x000A_ <&>\ttab"
_READ_IDS = [step_id for ids in DIGESTS.values() for step_id in ids]


def story(edition: str) -> list[dict[str, t.Any]]:
    """Read, save, write, be refused in many ways, read again."""
    old = edition == "2007-rtm"
    quiet: dict[str, t.Any] = {} if old else QUIET
    reading = read_steps(HostFact("name"))
    new = {
        "Name": "Filter",
        "Bindings": ["0.0.0.0:25"],
        "RemoteIPRanges": ["198.51.100.1/24", "203.0.113.7-203.0.113.9"],
        "PermissionGroups": "AnonymousUsers",
        "Comment": ODD,
        **({"Usage": "Custom"} if old else {"Custom": True, **quiet}),
        **({"TransportRole": "FrontendTransport"} if edition == "2019" else {}),
    }
    bad: list[tuple[str, dict[str, t.Any]]] = [
        ("Set-ReceiveConnector", {"Identity": "EX1\\nope", **quiet}),
        ("Set-ReceiveConnector", {"Identity": "EX1\\Filter", "Bogus": 1, **quiet}),
        (
            "Set-ReceiveConnector",
            {"Identity": "EX1\\Filter", "RemoteIPRanges": ["0.0.0.0/0"], **quiet},
        ),
        ("Set-ReceiveConnector", {"Identity": "EX1\\Filter", "RemoteIPRanges": ["b-a"], **quiet}),
        ("Set-ReceiveConnector", {"Identity": "EX1\\Filter", "Enabled": "false", **quiet}),
        ("Set-ReceiveConnector", {"Identity": "EX1\\Filter", "MaxHopCount": 501, **quiet}),
        ("Set-ReceiveConnector", {"Identity": "EX1\\Filter", "TlsCertificateName": "x", **quiet}),
        ("Set-ReceiveConnector", {"Identity": "EX1\\Filter"}),
        ("Remove-ReceiveConnector", {"Identity": None, **quiet}),
        ("New-ReceiveConnector", {"Name": "y"}),
        ("New-ReceiveConnector", {**new, "TransportRole": "HubTransport", "Name": "z"}),
        ("New-SendConnector", {"Name": "Out", "AddressSpaces": ["*"], "SmartHosts": ["s.example"]}),
        ("Get-ReceiveConnector", {"Server": "EX9"}),
        ("Get-Mailbox", {}),
        ("New-Object", {"TypeName": "Hashtable"})
        if edition == "2019"
        else ("Get-Mailbox", {"Identity": "x"}),
    ]
    identity = {"step": "new", "property": "DistinguishedName", "parameter": "Identity"}
    right = {
        "User": HostFact("anonymous_account"),
        "ExtendedRights": [rights.ANY_RECIPIENT],
        **quiet,
    }
    smart = {"SmartHosts": ["smart.example", "192.0.2.7"], "DNSRoutingEnabled": False}
    login = {
        "SmartHostAuthMechanism": "BasicAuth",
        "AuthenticationCredential": Credential("relay", CANARY),
    }
    return [
        *reading,
        {
            "op": "digest",
            "id": "digest",
            "steps": _READ_IDS,
            "ignore": list(DIGEST_IGNORE),
            "expect": None,
        },
        {
            "op": "write_file",
            "id": "file",
            "folder": "%ProgramData%\\mailedge",
            "name": "s.json",
            "text": ODD + "\r\n",
        },
        call("new", "New-ReceiveConnector", new, "DistinguishedName", "Comment", "RemoteIPRanges"),
        call("right", "Add-ADPermission", right, each=identity),
        call(
            "out",
            "New-SendConnector",
            {"Name": "Out", "AddressSpaces": ["*"], **smart, **login, "Enabled": False},
            "Name",
        ),
        call(
            "set",
            "Set-ReceiveConnector",
            {"Identity": "EX1\\Filter", "Banner": f"220 {ODD}", "Fqdn": None, **quiet},
        ),
        *(
            call(f"bad{number}", cmdlet, parameters, "Name", optional=True)
            for number, (cmdlet, parameters) in enumerate(bad)
        ),
        call("last", "Remove-SendConnector", {"Identity": "nope", **quiet}),
        call("never", "Remove-SendConnector", {"Identity": "Out", **quiet}),
        *read_steps(HostFact("name"), prefix="after.", always=True, commands=False),
        {
            "op": "read_files",
            "id": "files",
            "folder": "%ProgramData%\\mailedge",
            "names": None,
            "last": 5,
            "always": True,
        },
    ]


@pytest.mark.parametrize("edition", ["2007-rtm", "2010", "2019", "edge"])
def test_a_whole_story_is_told_alike(edition: str, tmp_path: pathlib.Path) -> None:
    answer, first, second = agree(edition, asking(story(edition), SHELL, mutex=MUTEX), tmp_path)
    assert answer["stopped"] == "last"
    assert answer["error"]["class"] == "ManagementObjectNotFoundException"
    steps = answer["steps"]
    assert "never" not in steps
    refused = {
        name: step["error"]["class"]
        for name, step in steps.items()
        if name.startswith("bad") and not step["ok"]
    }
    # In the local shell nobody is asked for confirmation.
    assert len(refused) == (14 if first.edition.local_shell else 15)
    assert "Mailedge.BadRequest" not in refused.values()
    (after,) = [row for row in steps["after.receive"]["objects"] if row["Name"] == "Filter"]
    assert after["Comment"] == ODD
    assert after["Banner"] == f"220 {ODD}"
    assert after["PermissionGroups"] == "AnonymousUsers, Custom"
    assert steps["files"]["objects"] == [
        {"name": "s.json", "text": ODD + "\r\n", "sddl": "O:BAG:SYD:AI"}
    ]
    (out,) = [row for row in steps["after.send"]["objects"] if row["Name"] == "Out"]
    assert out["AuthenticationCredential.UserName"] == "relay"
    for host in (first, second):
        (held,) = [connector for connector in host.directory.view("") if connector.name == "Out"]
        assert held.values["AuthenticationCredential"] == ("relay", CANARY)


def test_the_digest_is_the_same_both_ways_and_a_colleague_changes_it(
    tmp_path: pathlib.Path,
) -> None:
    digest = {
        "op": "digest",
        "id": "digest",
        "steps": _READ_IDS,
        "ignore": list(DIGEST_IGNORE),
        "expect": None,
    }
    host = site("2016")
    request = asking([*read_steps(HostFact("name"), commands=False), digest], SHELL)
    objects = by_standin(host, request)["steps"]["digest"]["objects"]
    assert objects == by_engine(host, request)["steps"]["digest"]["objects"]
    digest["expect"] = objects[0]["digest"]
    written = call("set", "Set-SendConnector", {"Identity": "Internet", "Enabled": False, **QUIET})
    steps = [*read_steps(HostFact("name"), commands=False), digest, written]
    answer, *hosts = agree(
        "2016",
        asking(steps, SHELL),
        tmp_path,
        lambda exchange: t.cast(
            "None",
            exchange.colleague(
                "Set-ReceiveConnector", {"Identity": "EX1\\Default EX1", "Comment": "!"}
            ),
        ),
    )
    assert answer["error"]["class"] == "Mailedge.StateChanged"
    assert [host.counters["writes"] for host in hosts] == [0, 0]


def _strict(host: ExchangeHost) -> None:
    host.sessions.accounts = {"SITE\\admin": "another password"}


def _no_hop(host: ExchangeHost) -> None:
    host.sessions.second_hop = False


@pytest.mark.parametrize(
    ("edition", "shell", "prepare"),
    [
        ("2019", {}, _strict),
        ("2019", {"credential": None}, _no_hop),
        ("2019", {"fqdn": "mail.site.example"}, None),
        ("2019", {"authentication": "Basic"}, None),
        ("2007", {"way": "remote_session"}, None),
        ("2019", {"way": "dance"}, None),
    ],
    ids=["login", "second hop", "name", "authentication", "no endpoint", "unknown way"],
)
def test_a_shell_that_does_not_open_is_told_alike(
    edition: str, shell: dict[str, t.Any], prepare: Prepare | None, tmp_path: pathlib.Path
) -> None:
    request = asking([call("x", "Get-SendConnector", {}, "Name", always=True)], {**SHELL, **shell})
    answer, *_hosts = agree(edition, request, tmp_path, prepare)
    assert answer["error"]["class"] in ("Mailedge.ShellFailed", "Mailedge.BadRequest")
    assert answer["steps"] == {}


def test_the_local_shell_of_a_mailbox_server_asks_nobody(tmp_path: pathlib.Path) -> None:
    steps = [
        call("set", "Set-SendConnector", {"Identity": "Internet", "Comment": "x"}),
        *read_steps(HostFact("name")),
    ]
    answer, *_hosts = agree("2013", asking(steps, {**SHELL, "way": "snapin"}), tmp_path)
    assert answer["ok"] is True
    assert answer["way"] == "snapin"


@pytest.mark.parametrize(
    "step",
    [
        {"op": "dance", "id": "x"},
        {"op": "call", "id": "x", "cmdlet": "Get-Date; Get-Date", "parameters": {}, "select": None},
        {
            "op": "call",
            "id": "x",
            "cmdlet": "Get-SendConnector",
            "parameters": {"Identity": HostFact("unknown")},
        },
        {"op": "digest", "id": "x", "steps": ["never"], "ignore": [], "expect": None},
        {"op": "write_file", "id": "x", "folder": "%ProgramData%", "name": "../x.json", "text": ""},
    ],
    ids=["op", "cmdlet", "fact", "reference", "file name"],
)
def test_a_request_that_makes_no_sense_is_told_alike(
    step: dict[str, t.Any], tmp_path: pathlib.Path
) -> None:
    answer, *_hosts = agree("2019", asking([step], {"way": "none"}), tmp_path)
    assert answer["error"]["class"] == "Mailedge.BadRequest"


def test_what_can_be_reached_is_told_alike(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, so that nobody takes it, but not listening
        targets = [["127.0.0.1", bound.getsockname()[1]] for bound in (listener, closed)]
        step = {"op": "reach", "id": "reach", "targets": targets, "seconds": 5}
        answer, *_hosts = agree("2019", asking([step], {"way": "none"}), tmp_path)
    assert {row["error"] for row in answer["steps"]["reach"]["objects"]} == {
        None,
        "ConnectionRefused",
    }


def test_a_busy_server_and_one_on_which_setup_runs_are_told_alike(tmp_path: pathlib.Path) -> None:
    def busy(host: ExchangeHost) -> None:
        host.setup_running = True
        assert host.mutexes.wait(MUTEX["name"], "somebody", 0)  # type: ignore[arg-type]

    answer, *_hosts = agree("2019", asking([], {"way": "none"}, mutex=MUTEX), tmp_path, busy)
    assert answer["error"]["class"] == "Mailedge.Busy"
    assert answer["host"]["setup_running"] is True


def test_a_hanging_cmdlet_ends_alike_and_the_reading_goes_on(tmp_path: pathlib.Path) -> None:
    release = threading.Event()

    def hang(host: ExchangeHost) -> None:
        def wait(moment: str, name: str, _parameters: t.Mapping[str, t.Any]) -> None:
            if (moment, name) == ("before", "Set-SendConnector"):
                release.wait(60)

        host.hooks.append(wait)

    steps = [
        call(
            "set",
            "Set-SendConnector",
            {"Identity": "Internet", "Enabled": False, **QUIET},
            seconds=1,
        ),
        call("never", "Remove-SendConnector", {"Identity": "Internet", **QUIET}),
        call("after", "Get-SendConnector", {}, "Name", "Enabled", always=True),
    ]
    try:
        answer, *_hosts = agree("2019", asking(steps, SHELL), tmp_path, hang)
    finally:
        release.set()
    assert answer["error"]["class"] == "Mailedge.TimedOut"
    assert answer["steps"]["after"]["objects"] == [{"Name": "Internet", "Enabled": True}]


def test_a_killed_process_leaves_its_session_and_gives_its_mutex_back() -> None:
    killed = threading.Event()
    host = site("2019")
    host.hooks.append(
        lambda moment, name, _parameters: (
            killed.set() if (moment, name) == ("after", "New-SendConnector") else None
        )
    )
    steps = [
        call("new", "New-SendConnector", {"Name": "Out", "AddressSpaces": ["a.example"]}),
        call("after", "Remove-SendConnector", {"Identity": "Internet", **QUIET}, always=True),
    ]
    with pytest.raises(standin.Killed):
        standin.answer(host, codec.encode_request(asking(steps, SHELL, mutex=MUTEX)), killed)
    assert host.counters["writes"] == 1
    assert len(host.sessions.opened) == 1
    assert host.mutexes.wait(MUTEX["name"], "next", 0)  # type: ignore[arg-type]


def test_a_stranger_on_the_loopback_address_gets_no_answer() -> None:
    host = site("2019")
    with bridge.Bridge(host) as served:
        environment = {**served.environment, bridge.TOKEN_VARIABLE: "guess"}
        process = start_engine(bridge.prelude(), **environment)
        try:
            stdout = process.communicate(
                codec.encode_request(asking([], {"way": "auto"})), timeout=60
            )[0]
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert codec.decode_answer(stdout)["ok"] is False
    assert host.counters["exchange_shells"] == 0


def test_the_agent_of_the_collection_runs_on_it() -> None:
    host = site("se", anonymous_account="NT-AUTORIT\u00c4T\\ANONYMOUS-ANMELDUNG")
    with bridge.Bridge(host) as served:
        answer = agent_with(bridge.prelude(), **served.environment).run(asking([], SHELL))
    assert answer["way"] == "remote_session"
    assert answer["host"]["anonymous_account"] == "NT-AUTORIT\u00c4T\\ANONYMOUS-ANMELDUNG"
    assert answer["host"]["exchange"]["build"] == 2562
