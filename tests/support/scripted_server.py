# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that answers the agent's protocol from a script, and the Exchange actions run against
it.

What it takes of the collection is the codec of the wire and the actions that are tested: nothing
here judges.
"""

from __future__ import annotations

import copy
import datetime
import json
import types
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mailedge.lockdown.plugins.action.exchange_mail_flow import ActionModule
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import (
    decode_request,
    encode_answer,
)

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
        self.files: dict[str, str] = {}
        self.fail: dict[str, dict[str, str]] = {}
        self.break_on_write = False
        self.ignore_writes = False
        self.changed_by_somebody = False
        self.setup_running = False
        self.clock_ahead = 0.0

    def __call__(self, stdin: bytes) -> tuple[int, bytes, bytes]:
        request = decode_request(stdin)
        self.requests.append(request)
        writing = request.get("deadline") is not None
        if writing and self.break_on_write:
            raise AnsibleConnectionFailure("the line went dead")
        steps: dict[str, t.Any] = {}
        error = None
        for step in request["steps"]:
            if error and not step.get("always"):
                continue
            objects = self._step(step)
            if isinstance(objects, dict):
                steps[step["id"]] = {"ok": False, "error": objects}
                if not step.get("optional"):
                    error = error or {**objects, "step": step["id"]}
            else:
                steps[step["id"]] = {"ok": True, "objects": objects, "seconds": 0.0}
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(
            seconds=self.clock_ahead
        )
        host = {
            **HOST,
            "setup_running": self.setup_running,
            "time_utc": f"{now:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        }
        answer = {
            "protocol": 1,
            "ok": error is None,
            "way": "remote_session",
            "host": host,
            "steps": steps,
        }
        return (
            0,
            encode_answer({**answer, "stopped": (error or {}).get("step"), "error": error}),
            b"",
        )

    def _step(self, step: dict[str, t.Any]) -> t.Any:
        if step["op"] == "digest":
            now = json.dumps(self.rows, sort_keys=True)
            if step["expect"] and (self.changed_by_somebody or step["expect"] != now):
                return {
                    "class": "Mailedge.StateChanged",
                    "id": "x",
                    "message": "Somebody else. Nothing was written.",
                }
            return [{"digest": now}]
        if step["op"] == "reach":
            return [{"host": host, "reachable": True} for host, _port in step["targets"]]
        if step["op"] == "read_files":
            names = (
                sorted(self.files)
                if step["names"] is None
                else set(step["names"]) & set(self.files)
            )
            return [
                {"name": name, "text": self.files[name], "sddl": "O:BAG:SYD:AI"} for name in names
            ]
        if step["op"] == "write_file":
            if step["name"] in self.files and self.files[step["name"]] != step.get("over"):
                return {
                    "class": "Mailedge.SnapshotFailed",
                    "id": "x",
                    "message": "It exists already.",
                }
            self.files[step["name"]] = step["text"]
            return [{"path": step["name"]}]
        cmdlet, parameters = step["cmdlet"], step["parameters"]
        if cmdlet in self.fail:
            return self.fail[cmdlet]
        if cmdlet == "Get-ReceiveConnector":
            return copy.deepcopy(self.rows)
        if cmdlet == "New-ReceiveConnector" and not self.ignore_writes:
            new = {
                key: value for key, value in parameters.items() if key not in ("Custom", "Confirm")
            }
            dn = f"CN={parameters['Name']},CN=SMTP Receive Connectors,CN=Protocols,CN=EX1"
            self.rows.append({"Enabled": True, "Server": "EX1", "DistinguishedName": dn, **new})
        if cmdlet == "Remove-ReceiveConnector" and not self.ignore_writes:
            name = parameters["Identity"].split("\\", 1)[1]
            self.rows = [row for row in self.rows if row["Name"] != name]
        if cmdlet == "Set-ReceiveConnector" and not self.ignore_writes:
            name = parameters["Identity"].split("\\", 1)[1]
            row = next(row for row in self.rows if row["Name"] == name)
            row.update(
                {
                    key: value
                    for key, value in parameters.items()
                    if key not in ("Identity", "Confirm")
                }
            )
        return []

    @property
    def written(self) -> list[str]:
        """The cmdlets that would have changed something."""
        steps = [step for request in self.requests for step in request["steps"]]
        return [
            step["cmdlet"] for step in steps if not step.get("cmdlet", "Get-").startswith("Get-")
        ]


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

    def exec_command(
        self, _command: str, in_data: bytes, sudoable: bool
    ) -> tuple[int, bytes, bytes]:
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


LOCK = {
    "provider_ranges": ["198.51.100.0/24"],
    "own_networks": ["10.20.0.0/16"],
    "inbound_lock": {},
}


def run(
    server: Server, arguments: dict[str, t.Any], check: bool = False, **options: t.Any
) -> dict[str, t.Any]:
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
