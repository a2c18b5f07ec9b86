# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions on a connection that answers the agent's protocol from a script: what is sent, and what becomes of errors."""

from __future__ import annotations

import copy
import json
import types
import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mailedge.lockdown.plugins.action.exchange_mail_flow import ActionModule
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import (
    Credential,
    decode_request,
    encode_answer,
)

# The base class of an action, its options and its scrubbing are ansible-core's.
pytestmark = pytest.mark.core

HOST = {
    "name": "EX1",
    "fqdn": "ex1.lab.example",
    "exchange": {"major": 15, "minor": 1, "build": 2507, "revision": 72},
    "edge": False,
    "roles": ["Mailbox"],
    "addresses": ["10.20.1.11", "127.0.0.1", "::1"],
    "anonymous_account": "NT AUTHORITY\\ANONYMOUS LOGON",
    "setup_running": False,
}
EVERYTHING = ["0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
FRONTEND = {
    "Name": "Default Frontend EX1",
    "Server": "EX1",
    "DistinguishedName": "CN=Default Frontend EX1,CN=SMTP Receive Connectors,CN=Protocols,CN=EX1",
    "Enabled": True,
    "Bindings": ["0.0.0.0:25", "[::]:25"],
    "RemoteIPRanges": EVERYTHING,
    "PermissionGroups": "AnonymousUsers, ExchangeServers, ExchangeLegacyServers",
    "AuthMechanism": "Tls, Integrated, BasicAuth, BasicAuthRequireTLS, ExchangeServer",
    "TransportRole": "FrontendTransport",
    "Fqdn": "ex1.lab.example",
    "OriginatingServer": "dc1.lab.example",
}


class Server:
    """Answers requests from a list of rows; a write changes them as far as these tests look."""

    def __init__(self) -> None:
        self.rows = [copy.deepcopy(FRONTEND)]
        self.requests: list[dict[str, t.Any]] = []
        self.fail: dict[str, dict[str, str]] = {}
        self.break_on_write = False
        self.ignore_writes = False
        self.changed_by_somebody = False
        self.setup_running = False

    def __call__(self, stdin: bytes) -> tuple[int, bytes, bytes]:
        request = decode_request(stdin)
        self.requests.append(request)
        writing = request["mutex"] is not None
        if writing and self.break_on_write:
            raise AnsibleConnectionFailure("the line went dead")
        steps: dict[str, t.Any] = {}
        error = None
        for step in request["steps"]:
            if error and not step.get("always"):
                continue
            found = self._step(step)
            if isinstance(found, dict):
                steps[step["id"]] = {"ok": False, "error": found}
                if not step.get("optional"):
                    error = error or {**found, "step": step["id"]}
            else:
                steps[step["id"]] = {"ok": True, "objects": found, "seconds": 0.0}
        host = {**HOST, "setup_running": self.setup_running}
        answer = {"protocol": 1, "ok": error is None, "way": "remote_session", "host": host, "steps": steps}
        return 0, encode_answer({**answer, "stopped": (error or {}).get("step"), "error": error}), b""

    def _step(self, step: dict[str, t.Any]) -> t.Any:
        if step["op"] == "digest":
            now = json.dumps(self.rows, sort_keys=True)
            if step["expect"] and (self.changed_by_somebody or step["expect"] != now):
                return {"class": "Mailedge.StateChanged", "id": "x", "message": "Somebody else. Nothing was written."}
            return [{"digest": now}]
        if step["op"] == "write_file":
            return [{"path": step["name"]}]
        cmdlet, parameters = step["cmdlet"], step["parameters"]
        if cmdlet in self.fail:
            return self.fail[cmdlet]
        if cmdlet == "Get-ReceiveConnector":
            return copy.deepcopy(self.rows)
        if cmdlet == "New-ReceiveConnector" and not self.ignore_writes:
            new = {key: value for key, value in parameters.items() if key not in ("Custom", "Confirm")}
            dn = f"CN={parameters['Name']},CN=SMTP Receive Connectors,CN=Protocols,CN=EX1"
            self.rows.append({"Enabled": True, "Server": "EX1", "DistinguishedName": dn, **new})
        if cmdlet == "Set-ReceiveConnector" and not self.ignore_writes:
            name = parameters["Identity"].split("\\", 1)[1]
            row = next(row for row in self.rows if row["Name"] == name)
            row.update({key: value for key, value in parameters.items() if key not in ("Identity", "Confirm")})
        return []

    @property
    def written(self) -> list[str]:
        """The cmdlets that would have changed something."""
        steps = [step for request in self.requests for step in request["steps"]]
        return [step["cmdlet"] for step in steps if not step.get("cmdlet", "Get-").startswith("Get-")]


class Connection:
    """A winrm connection, as far as an action looks at it."""

    ansible_name = "ansible.builtin.winrm"
    _shell = types.SimpleNamespace(tmpdir=None)

    def __init__(self, server: Server, **options: t.Any) -> None:
        self.become = None
        self._server = server
        self._options = {
            "scheme": "https",
            "port": 5986,
            "transport": ["ntlm"],
            "remote_user": "LAB\\admin",
            "remote_password": "canary-login",
            **options,
        }

    def get_option(self, name: str) -> t.Any:
        return self._options[name]

    def exec_command(self, _command: str, in_data: bytes, sudoable: bool) -> tuple[int, bytes, bytes]:
        assert sudoable is False
        return self._server(in_data)


class Task:
    """A task, as far as an action looks at it."""

    async_val = 0
    environment: t.ClassVar[list[t.Any]] = []
    action = "mailedge.lockdown.exchange_mail_flow"
    diff = True

    def __init__(self, arguments: dict[str, t.Any], check_mode: bool) -> None:
        self.args = arguments
        self.check_mode = check_mode


LOCK = {"provider_ranges": ["198.51.100.0/24"], "own_networks": [], "inbound_lock": {}}


@pytest.fixture
def server() -> Server:
    return Server()


def run(server: Server, arguments: dict[str, t.Any], check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    action = ActionModule(
        task=Task(arguments, check),
        connection=options.pop("connection", None) or Connection(server, **options),
        play_context=None,
        loader=None,
        templar=None,
        shared_loader_obj=None,
    )
    result: dict[str, t.Any] = action.run(task_vars={})
    return result


def test_a_lock_costs_two_starts_and_the_next_run_one(server: Server) -> None:
    first = run(server, LOCK)
    assert first["changed"], first
    assert first["cost"]["powershell_starts"] == len(server.requests) == 2
    assert any(
        line.startswith("any internet address: anonymous mail accepted → refused")
        for line in first["exposure"]["words"]
    )
    second = run(server, LOCK)
    assert not second["changed"], second["plan"]
    assert second["cost"]["powershell_starts"] == 1
    assert len(server.requests) == 3


def test_check_mode_says_what_a_run_does_and_writes_nothing(server: Server) -> None:
    checked = run(server, LOCK, check=True)
    assert server.written == []
    done = run(server, LOCK)
    assert checked["plan"] == done["plan"]
    assert checked["diff"] == done["diff"]


def test_the_new_door_opens_before_the_wide_one_closes(server: Server) -> None:
    run(server, LOCK)
    assert server.written == ["New-ReceiveConnector", "Set-ReceiveConnector"]


def test_the_write_carries_digest_and_mutex_and_saves_the_snapshot_first(server: Server) -> None:
    run(server, LOCK)
    request = server.requests[1]
    assert request["mutex"]["name"] == r"Global\mailedge.lockdown"
    order = [step["op"] if step["op"] != "call" else step["cmdlet"] for step in request["steps"]]
    assert order.index("digest") < order.index("write_file") < order.index("New-ReceiveConnector")
    # The send connectors are the organization's. Another server may be changing them at this moment, which is nothing to this one.
    assert [step["id"] for step in request["steps"] if step["op"] == "digest"] == ["digest-receive_connector"]
    text = next(step["text"] for step in request["steps"] if step["op"] == "write_file")
    assert {"name": "Mail from filter", "state": "absent"} in json.loads(text)["receive_connectors"]


def test_a_server_that_somebody_else_changed_is_left_alone(server: Server) -> None:
    server.changed_by_somebody = True
    result = run(server, LOCK)
    assert result["failed"]
    assert not result["changed"]
    assert result["error"]["class"] == "Mailedge.StateChanged"


def test_an_error_half_way_says_what_was_done_and_what_was_not(server: Server) -> None:
    server.fail["Set-ReceiveConnector"] = {
        "class": "ADTransientException",
        "id": "x",
        "message": "No domain controller.",
    }
    result = run(server, LOCK)
    assert result["failed"]
    assert result["changed"]
    assert len(result["done"]) == 1
    assert len(result["not_done"]) == 1
    assert result["snapshot"]["name"] in result["msg"]
    server.fail.clear()
    again = run(server, LOCK)
    assert again["changed"]
    assert not again.get("failed"), again
    assert not run(server, LOCK)["changed"]


def test_a_write_that_leaves_no_trace_is_a_failure(server: Server) -> None:
    server.ignore_writes = True
    result = run(server, LOCK)
    assert result["failed"]
    assert "does not show all of them" in result["msg"]


def test_a_connection_cut_while_writing_stays_a_connection_failure(server: Server) -> None:
    server.break_on_write = True
    with pytest.raises(AnsibleConnectionFailure, match="while changes were being written"):
        run(server, LOCK)


def test_nothing_is_written_while_exchange_setup_runs(server: Server) -> None:
    server.setup_running = True
    result = run(server, LOCK)
    assert result["failed"]
    assert server.written == []


def test_become_is_refused_before_anything_is_sent(server: Server) -> None:
    connection = Connection(server)
    connection.become = object()  # type: ignore[assignment]
    result = run(server, LOCK, connection=connection)
    assert result["failed"]
    assert "become" in result["msg"]
    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "clause"),
    [
        ({"provider_ranges": [], "inbound_lock": {}}, "names no range"),
        ({**LOCK, "provider_ranges": ["198.51.100.0/33"]}, "198.51.100.0/33"),
        ({**LOCK, "provider_ranges": ["198.51.100.9-198.51.100.1"]}, "198.51.100.9-198.51.100.1"),
        ({**LOCK, "provider_ranges": ["198.51.100.1-2001:db8::1"]}, "198.51.100.1-2001:db8::1"),
        ({**LOCK, "accept_risks": ["everything"]}, "no guard"),
        ({**LOCK, "exchange_password": "canary-1"}, "without exchange_username"),
        ({**LOCK, "no_such_option": 1}, "no_such_option"),
        ({"receive_connectors": [{"name": "x", "permission_groups": ["Everybody"]}]}, "Everybody"),
        ({"receive_connectors": [{"name": "x", "remote_ip_ranges": {"plus": ["10.0.0.1"]}}]}, "plus"),
        ({"receive_connectors": [{}]}, "name"),
        ({"snapshot": "latest", "inbound_lock": {}}, "mutually exclusive"),
        ({"snapshot": "../../etc/passwd"}, "no name of a snapshot"),
    ],
)
def test_bad_input_never_reaches_the_server(server: Server, arguments: dict[str, t.Any], clause: str) -> None:
    result = run(server, arguments)
    assert result["failed"]
    assert clause in result["msg"]
    assert server.requests == []
    assert "canary" not in json.dumps(result)


def test_the_whole_internet_as_provider_is_stopped_by_a_guard(server: Server) -> None:
    result = run(server, {**LOCK, "provider_ranges": ["0.0.0.0/0"]})
    assert result["failed"]
    assert "range_too_wide" in [guard["id"] for guard in result["guards"]]
    assert server.written == []


def test_the_login_of_the_connection_opens_the_session_and_is_never_shown(server: Server) -> None:
    result = run(server, LOCK)
    assert server.requests[0]["shell"]["credential"] == Credential("LAB\\admin", "canary-login")
    assert "canary-login" not in json.dumps(result)


def test_a_login_is_not_sent_over_a_connection_in_clear_text(server: Server) -> None:
    run(server, LOCK, scheme="http", port=5985, transport=["basic"])
    assert server.requests[0]["shell"]["credential"] is None
    result = run(
        server,
        {**LOCK, "exchange_username": "LAB\\x", "exchange_password": "canary-2"},
        scheme="http",
        transport=["basic"],
    )
    assert result["failed"]
    assert "clear text" in result["msg"]
    assert "canary-2" not in json.dumps(result)


def test_the_password_of_a_described_connector_is_scrubbed_even_where_the_description_is_wrong(server: Server) -> None:
    login = {"username": "site", "password": "canary-3"}
    entry = {"name": "out", "authentication_credential": login, "port": "many"}
    result = run(server, {"send_connectors": [entry]})
    assert result["failed"]
    assert "canary-3" not in json.dumps(result)
