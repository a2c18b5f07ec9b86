# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's WinRM, as the clients that people use see it: pywinrm, pypsrp, and Ansible's two
plugins on them.
"""

from __future__ import annotations

import base64
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import typing as t
from dataclasses import dataclass, field

import pytest
import requests
import winrm
from pypsrp.client import Client
from pypsrp.complex_objects import PSInvocationState
from pypsrp.exceptions import AuthenticationError
from pypsrp.exceptions import WinRMTransportError as PsrpTransportError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError, WSManFaultError

from ansible_collections.mailedge.lockdown.tests.lab.wsman import soap
from ansible_collections.mailedge.lockdown.tests.lab.wsman.auth import Accounts
from ansible_collections.mailedge.lockdown.tests.lab.wsman.certificate import (
    Certificate,
    make_certificate,
)
from ansible_collections.mailedge.lockdown.tests.lab.wsman.server import Cut, Hooks, Listener
from ansible_collections.mailedge.lockdown.tests.lab.wsman.service import Service

USER, PASSWORD = r"BIRKE\operator", "p:a wörd'\"$%"
BIG = 300_000


@dataclass
class Engine:
    """Remembers what it was to run.

    A text with BIG, FAIL, SLOW or WAIT in it is answered accordingly.
    """

    runs: list[tuple[str, bytes, bool]] = field(default_factory=list)
    cancelled: list[bool] = field(default_factory=list)

    def run(
        self, text: str, stdin: bytes, is_script: bool, cancelled: threading.Event
    ) -> tuple[int, bytes, bytes]:
        if not is_script and "-EncodedCommand" in text:
            text = base64.b64decode(text.split()[-1]).decode("utf-16-le")
        self.runs.append((text, stdin, is_script))
        if "BIG" in text:
            return 0, b"0123456789" * (BIG // 10), b""
        if "FAIL" in text:
            return 3, b"", "broken ü\r\n".encode()
        if "SLOW" in text:
            time.sleep(1.5)
        if "WAIT" in text:
            self.cancelled.append(cancelled.wait(20))
        return 0, f"ran ü\r\n{len(stdin)}\r\n".encode(), b""


@dataclass
class Wire(Hooks):
    """Counts operations, and cuts where told."""

    seen: list[str] = field(default_factory=list)
    cut: tuple[str, str] | None = None
    open: bool = True

    def login_allowed(self) -> bool:
        return self.open

    def before(self, operation: str) -> None:
        self.seen.append(operation)
        if self.cut == ("before", operation):
            raise Cut

    def after(self, operation: str) -> None:
        if self.cut in (("after", operation), ("half", operation)):
            raise Cut(half=self.cut[0] == "half")


@dataclass
class Lab:
    engine: Engine
    service: Service
    http: Listener
    https: Listener
    clear: Listener
    certificate: Certificate
    wire: Wire

    def winrm(self, how: str, **more: t.Any) -> winrm.Protocol:
        transport, _space, port = how.partition(" ")
        listener = getattr(self, port)
        scheme = "https" if port == "https" else "http"
        more = {
            "username": USER,
            "password": PASSWORD,
            "ca_trust_path": str(self.certificate.path),
            **more,
        }
        endpoint = (
            f"{scheme}://localhost:{listener.port}/wsman"
            if scheme == "https"
            else f"http://127.0.0.1:{listener.port}/wsman"
        )
        return winrm.Protocol(endpoint=endpoint, transport=transport, **more)

    def psrp(self, how: str, **more: t.Any) -> WSMan:
        auth, _space, port = how.partition(" ")
        ssl = port == "https"
        validation: t.Any = str(self.certificate.path) if ssl else True
        more = {"username": USER, "password": PASSWORD, "cert_validation": validation, **more}
        return WSMan(
            "localhost" if ssl else "127.0.0.1",
            port=getattr(self, port).port,
            ssl=ssl,
            auth=auth,
            **more,
        )


@pytest.fixture
def lab(tmp_path: pathlib.Path) -> t.Iterator[Lab]:
    engine, wire = Engine(), Wire()
    service = Service(engine, "EX1")
    accounts = Accounts(USER, PASSWORD, tmp_path)
    certificate = make_certificate("ex1.birke.example", tmp_path)
    http = Listener(service, accounts, hooks=wire)
    https = Listener(service, accounts, certificate, hooks=wire)
    clear = Listener(service, accounts, allow_unencrypted=True, hooks=wire)
    yield Lab(engine, service, http, https, clear, certificate, wire)
    for listener in (http, https, clear):
        listener.close()
    service.close()


def run(protocol: winrm.Protocol, command: str, *stdin: bytes) -> tuple[bytes, bytes, int]:
    # Without a clean-up of what fails: after a cut, pywinrm's own would only hide the error behind
    # its next one.
    shell = protocol.open_shell(codepage=65001)
    command_id = protocol.run_command(shell, command, console_mode_stdin=not stdin)
    for index, chunk in enumerate(stdin, 1):
        protocol.send_command_input(shell, command_id, chunk, end=index == len(stdin))
    outcome: tuple[bytes, bytes, int] = protocol.get_command_output(shell, command_id)
    protocol.cleanup_command(shell, command_id)
    protocol.close_shell(shell)
    return outcome


@pytest.mark.parametrize(
    "how", ["ntlm http", "ntlm https", "ssl https", "basic https", "basic clear", "ntlm clear"]
)
def test_pywinrm_runs_a_command_with_standard_input(lab: Lab, how: str) -> None:
    assert run(lab.winrm(how), "powershell -Go", b"a" * 200_000, b"b" * 7) == (
        "ran ü\r\n200007\r\n".encode(),
        b"",
        0,
    )
    assert lab.engine.runs == [("powershell -Go", b"a" * 200_000 + b"b" * 7, False)]
    assert lab.service.shells == 0


def test_pywinrm_sees_exit_code_and_error_output(lab: Lab) -> None:
    assert run(lab.winrm("ntlm http"), "FAIL") == (b"", "broken ü\r\n".encode(), 3)


def test_pywinrm_gets_an_output_that_is_larger_than_an_envelope(lab: Lab) -> None:
    stdout, _stderr, _code = run(lab.winrm("ntlm http"), "BIG")
    assert stdout == b"0123456789" * (BIG // 10)
    assert lab.wire.seen.count("Receive") > 2


def test_a_silent_command_is_answered_by_timeouts_until_it_speaks(lab: Lab) -> None:
    protocol = lab.winrm("ntlm http", operation_timeout_sec=1, read_timeout_sec=5)
    assert run(protocol, "SLOW")[2] == 0
    assert lab.wire.seen.count("Receive") == 2


@pytest.mark.parametrize(
    "how", ["ntlm http", "ntlm https", "basic https", "basic clear", "basic http"]
)
@pytest.mark.parametrize(
    "wrong", [{"password": "p:a word"}, {"username": r"BIRKE\other"}, {"username": "operator"}]
)
def test_wrong_credentials_are_refused(lab: Lab, how: str, wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidCredentialsError):
        lab.winrm(how, **wrong).open_shell()
    assert lab.wire.seen == []


def test_the_user_name_is_the_same_in_any_case(lab: Lab) -> None:
    for how in ("ntlm http", "basic https"):
        assert run(lab.winrm(how, username=USER.lower()), "hello")[2] == 0


@pytest.mark.parametrize(
    ("how", "more"), [("basic http", {}), ("ntlm http", {"message_encryption": "never"})]
)
def test_what_is_not_encrypted_is_refused_over_http(
    lab: Lab, how: str, more: dict[str, str]
) -> None:
    with pytest.raises(WinRMTransportError) as caught:
        lab.winrm(how, **more).open_shell()
    assert caught.value.code == 500
    assert lab.wire.seen == []


def test_a_message_that_was_changed_on_the_way_is_refused(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = lab.winrm("ntlm http")
    protocol.transport.build_session()
    encryption = protocol.transport.encryption
    encrypt = encryption._encrypt_message
    monkeypatch.setattr(
        encryption, "_encrypt_message", lambda *given: encrypt(*given)[:-1] + b"\x00"
    )
    with pytest.raises(WinRMTransportError) as caught:
        protocol.open_shell()
    assert caught.value.code == 400
    assert lab.wire.seen == []


def test_a_closed_shell_is_unknown_and_its_commands_have_ended(lab: Lab) -> None:
    protocol = lab.winrm("ntlm http")
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "WAIT")
    protocol.close_shell(shell, close_session=False)
    for _attempt in range(50):
        if lab.engine.cancelled:
            break
        time.sleep(0.05)
    assert lab.engine.cancelled == [True]
    with pytest.raises(WSManFaultError) as caught:
        protocol.get_command_output_raw(shell, command)
    assert caught.value.wsman_fault_code == soap.no_such_shell().code


def test_a_signal_ends_a_command(lab: Lab) -> None:
    protocol = lab.winrm("ntlm http")
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "WAIT")
    protocol.cleanup_command(shell, command)
    assert protocol.get_command_output(shell, command)[2] == 1
    protocol.close_shell(shell)
    assert lab.service.shells == 0


def test_what_winrm_does_not_know_is_a_fault(lab: Lab) -> None:
    spaces = f'xmlns:s="{soap.NAMESPACES["s"]}" xmlns:a="{soap.NAMESPACES["a"]}"'
    header = "<s:Header><a:Action>http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate</a:Action></s:Header>"
    with pytest.raises(WSManFaultError, match="not supported"):
        lab.winrm("ntlm http").send_message(f"<s:Envelope {spaces}>{header}<s:Body/></s:Envelope>")
    for text in ("no XML", "<a/>"):
        with pytest.raises(WSManFaultError, match="The request is no"):
            lab.winrm("ntlm http").send_message(text)


@pytest.mark.parametrize("when", ["before", "after", "half"])
@pytest.mark.parametrize("operation", ["Create", "Command", "Send", "Receive"])
def test_a_cut_is_a_broken_connection_to_the_client(lab: Lab, when: str, operation: str) -> None:
    lab.wire.cut = (when, operation)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        run(lab.winrm("ntlm http"), "hello", b"x")
    lab.wire.cut = None
    assert run(lab.winrm("ntlm http"), "hello")[2] == 0


def test_a_login_can_be_refused_on_purpose(lab: Lab) -> None:
    lab.wire.open = False
    with pytest.raises(InvalidCredentialsError):
        lab.winrm("ntlm http").open_shell()


def test_the_password_is_not_on_the_disk(lab: Lab, tmp_path: pathlib.Path) -> None:
    assert run(lab.winrm("ntlm http"), "hello")[2] == 0
    for path in tmp_path.rglob("*"):
        for encoding in ("utf-8", "latin-1", "utf-16-le"):
            assert PASSWORD.encode(encoding) not in path.read_bytes()


PSRP = ["negotiate http", "ntlm http", "basic https", "negotiate https"]


@pytest.mark.parametrize("how", PSRP)
def test_pypsrp_runs_a_script_with_lines_of_input(lab: Lab, how: str) -> None:
    lines = [f"line {number} ü" for number in range(2_000)]
    with lab.psrp(how) as wsman, RunspacePool(wsman) as pool:
        shell = PowerShell(pool)
        shell.add_script("$input | Out-Null")
        output = shell.invoke(lines)
        assert not shell.had_errors
    stdin = "".join(f"{line}\n" for line in lines).encode()
    assert output == ["ran ü", str(len(stdin))]
    assert lab.engine.runs == [("$input | Out-Null", stdin, True)]
    assert lab.service.shells == 0


def test_pypsrp_sees_what_went_wrong(lab: Lab) -> None:
    with lab.psrp("negotiate http") as wsman, RunspacePool(wsman) as pool:
        for _again in range(2):
            shell = PowerShell(pool)
            shell.add_script("FAIL")
            assert shell.invoke() == []
            assert [str(error) for error in shell.streams.error] == ["broken ü"]


def test_pypsrp_carries_megabytes_both_ways(lab: Lab) -> None:
    with lab.psrp("negotiate http") as wsman, RunspacePool(wsman) as pool:
        shell = PowerShell(pool)
        shell.add_script("BIG")
        assert "".join(shell.invoke(["x" * 32_000] * 64)) == "0123456789" * (BIG // 10)
    assert len(lab.engine.runs[0][1]) == 64 * 32_001


def test_pypsrp_stops_a_pipeline(lab: Lab) -> None:
    with lab.psrp("negotiate http") as wsman, RunspacePool(wsman) as pool:
        shell = PowerShell(pool)
        shell.add_script("WAIT")
        shell.begin_invoke()
        shell.stop()
        assert shell.state == PSInvocationState.STOPPED
        for _attempt in range(50):
            if lab.engine.cancelled:
                break
            time.sleep(0.05)
    assert lab.engine.cancelled == [True]


def test_a_pipeline_of_commands_is_refused_and_not_taken_for_something_else(lab: Lab) -> None:
    with lab.psrp("negotiate http") as wsman, RunspacePool(wsman) as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("Get-Item").add_parameter("Path", "C:\\")
        assert shell.invoke() == []
        assert "one script a pipeline" in str(shell.streams.error[0])
    assert lab.engine.runs == []


def test_the_client_of_pypsrp_has_both_kinds_of_shell(lab: Lab) -> None:
    with Client(
        "127.0.0.1",
        username=USER,
        password=PASSWORD,
        ssl=False,
        port=lab.http.port,
        auth="negotiate",
    ) as client:
        assert client.execute_cmd("dir FAIL", encoding="utf-8") == ("", "broken ü\r\n", 3)
        output, _streams, failed = client.execute_ps("hello")
        assert (output, failed) == ("ran ü\n0", False)
    assert [run[2] for run in lab.engine.runs] == [False, True]


@pytest.mark.parametrize("how", PSRP)
def test_pypsrp_with_a_wrong_password_is_refused(lab: Lab, how: str) -> None:
    with (
        pytest.raises((AuthenticationError, PsrpTransportError)) as caught,
        lab.psrp(how, password="wrong") as wsman,
    ):
        RunspacePool(wsman).open()
    assert isinstance(caught.value, AuthenticationError) or caught.value.code == 401
    assert lab.wire.seen == []


def test_pypsrp_in_clear_is_refused(lab: Lab) -> None:
    with (
        pytest.raises(PsrpTransportError) as caught,
        lab.psrp("basic http", encryption="never") as wsman,
    ):
        RunspacePool(wsman).open()
    assert caught.value.code == 500


@pytest.mark.core
@pytest.mark.forks
def test_ansible_reaches_the_host_by_every_way(lab: Lab, tmp_path: pathlib.Path) -> None:
    port, tls, certificate = lab.http.port, lab.https.port, str(lab.certificate.path)
    by_winrm = {"ansible_connection": "winrm", "ansible_port": port, "ansible_winrm_scheme": "http"}
    by_psrp = {
        "ansible_connection": "psrp",
        "ansible_psrp_port": port,
        "ansible_psrp_protocol": "http",
    }
    tls_psrp = {
        **by_psrp,
        "ansible_psrp_port": tls,
        "ansible_psrp_protocol": "https",
        "ansible_psrp_ca_cert": certificate,
    }
    tls_winrm = {
        **by_winrm,
        "ansible_port": tls,
        "ansible_winrm_scheme": "https",
        "ansible_winrm_ca_trust_path": certificate,
    }
    hosts: dict[str, dict[str, t.Any]] = {
        "winrm-ntlm": {**by_winrm, "ansible_winrm_transport": "ntlm"},
        "winrm-basic-clear": {
            **by_winrm,
            "ansible_port": lab.clear.port,
            "ansible_winrm_transport": "basic",
        },
        "winrm-basic-tls": {**tls_winrm, "ansible_winrm_transport": "basic"},
        "psrp-negotiate": {**by_psrp, "ansible_psrp_auth": "negotiate"},
        "psrp-ntlm": {**by_psrp, "ansible_psrp_auth": "ntlm"},
        "psrp-basic-tls": {**tls_psrp, "ansible_psrp_auth": "basic"},
        "refused-clear": {**by_winrm, "ansible_winrm_transport": "basic"},
        "refused-login": {
            **by_winrm,
            "ansible_winrm_transport": "ntlm",
            "ansible_password": "wrong",
        },
    }
    shared = {"ansible_host": "127.0.0.1", "ansible_user": USER, "ansible_password": PASSWORD}
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": shared}}), encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ansible",
            "adhoc",
            "-i",
            str(inventory),
            "all",
            "-o",
            "-f",
            "8",
            "-m",
            "raw",
            "-a",
            "hello there",
        ],
        env={
            **os.environ,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_DEPRECATION_WARNINGS": "false",
            "LC_ALL": "C.UTF-8",
        },
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    lines = {line.split(" | ")[0]: line for line in done.stdout.splitlines() if " | " in line}
    for host in hosts:
        if host.startswith("refused"):
            assert "UNREACHABLE" in lines[host], done.stdout + done.stderr
        else:
            assert "rc=0" in lines[host], done.stdout + done.stderr
            assert "ran ü" in lines[host], lines[host]
    ran = [text for text, _stdin, _is_script in lab.engine.runs]
    assert len(ran) == 6
    assert all("hello there" in text for text in ran)
    assert lab.service.shells == 0
