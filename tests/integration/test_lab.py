# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as a whole: the agent over WinRM, the inventory, the control port, and its own end."""

from __future__ import annotations

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import (
    BOOTSTRAP,
    BOOTSTRAP_SCRIPT,
    Credential,
    decode_answer,
    encode_request,
)
from ansible_collections.mailedge.lockdown.tests.integration.agent_calls import (
    ENGINES,
    LONG_ENGINES,
    PWSH,
    READ,
    ask,
)
from ansible_collections.mailedge.lockdown.tests.integration.sending import Sender
from ansible_collections.mailedge.lockdown.tests.lab.control import LabClient, LabError
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost
from ansible_collections.mailedge.lockdown.tests.lab.playing import COLLECTIONS
from ansible_collections.mailedge.lockdown.tests.lab.site import Site, parse_sites, places
from ansible_collections.mailedge.lockdown.tests.support.marking import long_after

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
MODULE = "ansible_collections.mailedge.lockdown.tests.lab"


# --- The agent over WinRM -------------------------------------------------------------------------


@pytest.mark.parametrize("pwsh", ENGINES)
@pytest.mark.parametrize("edition", long_after(1, ["2007", "2019"]))
def test_a_read_costs_one_powershell_and_one_shell(pwsh: str, edition: str) -> None:
    with Lab([Site("birke", (edition,))], pwsh=pwsh) as lab:
        host = lab.hosts["birke-ex1"]
        code, answer = ask(host)
        counted = lab.client().counters("birke-ex1")
        assert lab.client().dump("birke-ex1")["exchange_sessions"] == 0
    assert answer is not None
    assert (code, answer["ok"], answer["error"]) == (0, True, None)
    assert {row["Name"] for row in answer["steps"]["receive"]["objects"]} >= {"Default EX1"}
    assert counted["powershell_starts"] == counted["exchange_shells"] == 1
    assert counted["writes"] == 0
    # Create, Command, Send, Receive, Signal, Delete; a slow answer takes more than one Receive.
    assert 6 <= counted["http_requests"] <= 9


@pytest.mark.parametrize("pwsh", [pytest.param("", marks=pytest.mark.core), LONG_ENGINES[1]])
def test_the_modules_work_over_both_plugins(pwsh: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "empty.cfg").touch()
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(tmp_path / "empty.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
        "LC_ALL": "C.UTF-8",
    }
    with Lab([Site("birke", ("2016",))], pwsh=pwsh) as lab:
        for number, connection in enumerate(["winrm", "psrp"], 1):
            command = [
                sys.executable,
                "-m",
                "ansible",
                "adhoc",
                "-i",
                str(lab.inventory),
                "mailedge",
            ]
            command += [
                "-m",
                "mailedge.lockdown.exchange_mail_flow_info",
                "-e",
                f"lab_connection={connection}",
            ]
            done = subprocess.run(
                command,
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                encoding="utf-8",
                timeout=100,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert "any internet address: anonymous mail accepted" in done.stdout
            counted = lab.client().counters("birke-ex1")
            assert counted["powershell_starts"] == counted["exchange_shells"] == number
            assert lab.client().dump("birke-ex1")["winrm_shells"] == 0


@pytest.mark.skipif(not PWSH, reason="no PowerShell: set PWSH or put pwsh on PATH")
def test_other_scripts_run_in_the_real_engine(tmp_path: pathlib.Path) -> None:
    with Lab([Site("birke", ("2016",))], pwsh=PWSH) as lab:
        machine = lab.hosts["birke-ex1"].machine
        ended = machine.run(
            '$input | ForEach-Object { "<$_>" }; exit 5', b"a\nb c\n", True, threading.Event()
        )
    assert (ended[0], ended[1].split()) == (5, [b"<a>", b"<b", b"c>"])


@pytest.mark.skipif(not PWSH, reason="no PowerShell: set PWSH or put pwsh on PATH")
def test_a_request_that_is_larger_than_a_pipe_reaches_the_real_engine() -> None:
    ranges = [
        f"2001:db8:{number:x}:1:1:1:1:1-2001:db8:{number:x}:ffff:ffff:ffff:ffff:ffff"
        for number in range(6_000)
    ]
    step = {
        "op": "call",
        "id": "wide",
        "cmdlet": "Set-ReceiveConnector",
        "parameters": {
            "Identity": "EX1\\Default Frontend EX1",
            "RemoteIPRanges": ranges,
            "Confirm": False,
        },
    }
    # What is packed is shorter than that; the agent does not look at this, and has to read it.
    request = encode_request(
        {**READ, "steps": [step], "noise": random.Random(1).randbytes(200_000).hex()}
    )
    assert len(request) > 300_000
    with Lab([Site("birke", ("2016",))], pwsh=PWSH) as lab:
        host = lab.hosts["birke-ex1"]
        # A run that waits for the rest of its input is ended, and has no answer then.
        cancelled = threading.Event()
        timer = threading.Timer(60, cancelled.set)
        timer.start()
        code, stdout, _stderr = host.machine.run(BOOTSTRAP_SCRIPT, request, True, cancelled)
        timer.cancel()
        assert code == 0
        assert decode_answer(stdout)["ok"] is True
        held = next(
            connector
            for connector in host.exchange.receive_connectors()
            if connector.name == "Default Frontend EX1"
        )
    assert len(held.values["RemoteIPRanges"]) == 6_000


def test_what_is_no_powershell_is_refused_as_cmd_does(host: LabHost) -> None:
    ran = host.machine.run
    event = threading.Event()
    assert b"'ipconfig' is not recognized" in ran("ipconfig /all", b"", False, event)[2]
    assert ran(BOOTSTRAP + " " * 8191, b"", False, event)[1:] == (
        b"",
        b"The command line is too long.\r\n",
    )
    assert ran("Get-Date", b"", True, event)[0] == 1
    assert host.exchange.counters["powershell_starts"] == 1


def test_a_host_under_application_control_says_so(host: LabHost, client: LabClient) -> None:
    client.set("birke-ex1", language_mode="ConstrainedLanguage")
    _code, answer = ask(host)
    assert answer is not None
    assert answer["error"]["class"] == "Mailedge.ConstrainedLanguage"


def test_the_shell_takes_the_user_of_the_inventory_and_no_other(host: LabHost) -> None:
    for password, ok in ((host.password, True), ("another", False)):
        shell = {**READ["shell"], "credential": Credential(host.username, password)}
        answer = ask(host, {**READ, "shell": shell})[1]
        assert answer is not None
        assert answer["ok"] is ok


# --- Inventory, control, end ----------------------------------------------------------------------


def test_the_inventory_is_for_its_owner_only_and_goes_with_the_lab(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "deep" / "inventory.yml"
    with Lab(
        [Site("birke", ("2016", "2016")), Site("eck", ("edge",))], inventory=path, pwsh=""
    ) as lab:
        assert path.stat().st_mode & 0o777 == 0o600
        data = yaml.safe_load(path.read_text(encoding="utf-8"))["mailedge"]["children"]
        folder = lab.folder
        assert folder.is_dir()
    assert list(data) == ["birke", "eck"]
    assert list(data["birke"]["hosts"]) == ["birke-ex1", "birke-ex2"]
    ports = [host["ansible_port"] for site in data.values() for host in site["hosts"].values()]
    assert len(set(ports)) == 3
    assert not path.exists()
    assert not folder.exists()
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
    assert not [
        thread
        for thread in threading.enumerate()
        if thread.name in ("lab-wsman", "lab-smtp", "lab-web", "lab-control", "lab-greeter")
    ]


def test_servers_of_one_site_share_their_send_connectors_and_their_port_25_follows_both() -> None:
    with Lab([Site("birke", ("2016", "2019"))], pwsh="") as lab:
        first, second = lab.hosts["birke-ex1"], lab.hosts["birke-ex2"]
        shared = first.exchange.shown()["send_connectors"]
        assert shared
        assert second.exchange.shown()["send_connectors"] == shared
        lab.client().tamper(
            "birke-ex1", "Set-ReceiveConnector", Identity="EX2\\Default Frontend EX2", Enabled=False
        )
        assert Sender(first, "internet").greeting[0] == 220
        with pytest.raises(ConnectionRefusedError):
            Sender(second, "internet")


def test_every_place_has_addresses_of_its_own() -> None:
    sites = parse_sites(["birke=2016,2016", "hafen=2019", "nordlicht=sbs-2011", "eck=edge"])
    addresses = [address for place in places(sites) for address in place.addresses]
    assert len(set(addresses)) == len(addresses)
    for place in places(sites):
        assert place.addresses[0] not in place.players(4).values()
        assert place.addresses[0] in place.exchange_servers()


@pytest.mark.parametrize("text", ["birke", "birke=2021", "Birke=2016", "birke=", "=2016"])
def test_a_site_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="[.:]"):
        parse_sites([text])


def test_the_control_port_is_for_who_has_the_token(lab: Lab) -> None:
    access = yaml.safe_load(lab.inventory.read_text(encoding="utf-8"))["mailedge"]["vars"][
        "lab_control"
    ]
    with pytest.raises(LabError, match="token"):
        LabClient(access["url"], "guess").hosts()
    client = LabClient(**access)
    assert client.hosts() == ["birke-ex1"]
    for method in ("_host", "nothing"):
        with pytest.raises(LabError, match="cannot do"):
            client.ask(method)
    with pytest.raises(LabError, match="NamedParameterNotFound|matches parameter name"):
        client.tamper(
            "birke-ex1", "Set-ReceiveConnector", Identity="EX1\\Default EX1", Colour="red"
        )
    with pytest.raises(LabError, match="go back"):
        client.clock(advance=-1)


def start_cli(path: pathlib.Path, *arguments: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        MODULE,
        "--sites",
        "birke=2016",
        "--inventory",
        str(path),
        "--pwsh",
        "",
        *arguments,
    ]
    return subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )


def wait_until(condition: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited for nothing"
        time.sleep(0.05)


def test_the_command_ends_with_its_time_and_prints_its_inventory(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "inventory.yml"
    with start_cli(path, "--lifetime", "1") as process:
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    assert "birke-ex1" in yaml.safe_load(output)["mailedge"]["children"]["birke"]["hosts"]
    assert not path.exists()


def test_the_command_ends_in_good_order_when_told_to(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "inventory.yml"
    with start_cli(path) as process:
        wait_until(path.exists)
        assert LabClient.of(path).hosts() == ["birke-ex1"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not path.exists()


def test_the_command_ends_with_its_parent(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "inventory.yml"
    script = (
        "import json, subprocess, sys, time\n"
        f"subprocess.Popen({[sys.executable, '-m', MODULE]!r} + json.loads(sys.argv[1]), "
        "stdout=subprocess.DEVNULL)\n"
        "time.sleep(60)\n"
    )
    arguments = json.dumps(["--sites", "birke=2016", "--inventory", str(path), "--pwsh", ""])
    with subprocess.Popen([sys.executable, "-c", script, arguments], env=ENVIRONMENT) as parent:
        wait_until(path.exists)
        parent.kill()
    wait_until(lambda: not path.exists())


def test_a_wrong_site_on_the_command_line_is_explained(tmp_path: pathlib.Path) -> None:
    with start_cli(tmp_path / "inventory.yml", "--sites", "birke=2021") as process:
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 2
    assert "There is no edition '2021'" in output
