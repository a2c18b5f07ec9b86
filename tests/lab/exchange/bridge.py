# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connects the proxies in PowerShell (proxies.ps1) with the Exchange of the lab: JSON lines over a
loopback socket.

A request is ``{"token": ..., "op": ..., ...}``, an answer ``{"value": ...}`` or ``{"error":
{...}}``. A connection stands for a process of Windows: when it ends, the mutexes that it held are
given back, while its sessions stay until somebody closes them.
"""

from __future__ import annotations

import hmac
import json
import pathlib
import secrets
import socketserver
import threading
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.clixml import dump
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.parameters import is_switch
from ansible_collections.mailedge.lockdown.tests.lab.windows.bridge import (
    operations as windows_operations,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError, Handles

PORT_VARIABLE = "MAILEDGE_LAB_PORT"
TOKEN_VARIABLE = "MAILEDGE_LAB_TOKEN"
"""Environment variables of the PowerShell process in which proxies.ps1 runs."""

PROXIES = pathlib.Path(__file__).resolve().parents[1] / "proxies.ps1"
"""The prelude, to be put in front of the bootstrap."""

_TYPES = {
    "ReceiveConnector": "Microsoft.Exchange.Data.Directory.SystemConfiguration.ReceiveConnector",
    "SendConnector": (
        "Microsoft.Exchange.Data.Directory.SystemConfiguration.SmtpSendConnectorConfig"
    ),
    "AcceptedDomain": "Microsoft.Exchange.Data.Directory.SystemConfiguration.AcceptedDomain",
    "ADPermission": "Microsoft.Exchange.Management.RecipientTasks.ADAcePresentationObject",
    **{
        noun: f"Microsoft.Exchange.Management.SystemConfigurationTasks.{noun}"
        for noun in ("FrontendTransportService", "TransportService", "TransportServer")
    },
    "Command": "System.Management.Automation.FunctionInfo",
}

_SOFTWARE = "HKLM:\\SOFTWARE\\Microsoft\\"
_SYSTEM = "HKLM:\\SYSTEM\\CurrentControlSet\\"

Request = t.Mapping[str, t.Any]


class Bridge:
    """A server for the proxies of one host. A context manager; or start() and stop()."""

    def __init__(self, host: ExchangeHost) -> None:
        self.host = host
        self.token = secrets.token_hex(16)
        self._com = Handles()
        self._server: socketserver.ThreadingTCPServer | None = None

    def start(self) -> Bridge:
        """Listen on a free port of the loopback address."""
        bridge = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                holder = object()
                try:
                    for line in self.rfile:
                        self.wfile.write(
                            json.dumps(bridge.answer(line, holder)).encode("ascii") + b"\n"
                        )
                except OSError:
                    # A killed PowerShell does not say goodbye.
                    return
                finally:
                    bridge.host.mutexes.abandon(holder)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        thread = threading.Thread(
            target=self._server.serve_forever,
            args=(0.02,),
            name=f"bridge-{self.host.name}",
            daemon=True,
        )
        thread.start()
        return self

    def stop(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Bridge:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """Variables that a PowerShell with the proxies needs beside those of this process."""
        if self._server is None:
            raise RuntimeError("The bridge has to be started before PowerShell is.")
        port = self._server.server_address[1]
        return {PORT_VARIABLE: str(port), TOKEN_VARIABLE: self.token, **self.host.environment}

    def answer(self, line: bytes, holder: t.Hashable) -> dict[str, t.Any]:
        """The answer to one request of the process `holder`."""
        request = json.loads(line)
        if not hmac.compare_digest(str(request.get("token")), self.token):
            raise OSError("a stranger on the loopback address")
        operations: dict[str, t.Callable[[Request], t.Any]] = {
            "registry": lambda asked: self._registry(str(asked["path"])),
            "netstat": lambda _asked: self.host.windows.netstat(),
            "addresses": lambda _asked: list(self.host.addresses),
            "account": lambda asked: self._accounts().get(asked["sid"]),
            "setup": lambda _asked: self.host.setup_running,
            "icacls": lambda asked: self.host.run_icacls(
                [str(argument) for argument in asked["arguments"]]
            ),
            "denied": lambda asked: self.host.logs.is_denied(str(asked["path"])),
            "acl": lambda asked: self.host.sddl(str(asked["path"])),
            "wait": lambda asked: self.host.mutexes.wait(asked["name"], holder, asked["seconds"]),
            "release": lambda asked: self.host.mutexes.release(asked["name"], holder),
            "open": self._open,
            "close": lambda asked: self.host.sessions.close(asked["session"]),
            "snapin": lambda asked: self.host.sessions.add_snapin(str(asked["name"])),
            "commands": lambda _asked: self._commands(),
            "invoke": self._invoke,
            "com": lambda asked: self._com.shown(self.host.windows.create(str(asked["prog_id"]))),
            "com_get": lambda asked: self._com.shown(
                self._com.of(asked["object"]).get(asked["name"])
            ),
            "com_set": lambda asked: self._com.of(asked["object"]).set(
                asked["name"], self._com.understood(asked["value"])
            ),
            "com_call": self._call,
            **windows_operations(self.host.windows, self._com),
        }
        try:
            return {"value": operations[request["op"]](request)}
        except (ExchangeError, ComError) as error:
            return {"error": error.plain()}

    def _call(self, asked: Request) -> t.Any:
        arguments = [self._com.understood(value) for value in asked["arguments"]]
        return self._com.shown(self._com.of(asked["object"]).call(asked["name"], *arguments))

    def _accounts(self) -> dict[str, str]:
        return {"S-1-5-7": self.host.rights.anonymous, "S-1-1-0": self.host.rights.everyone}

    def _registry(self, path: str) -> dict[str, t.Any] | None:
        """The values of a key; None where there is no such key."""
        host, edition = self.host, self.host.edition
        major, minor, build, revision = edition.build
        root = f"{_SOFTWARE}{edition.registry}\\"
        setup = {
            "MsiProductMajor": major,
            "MsiProductMinor": minor,
            "MsiBuildMajor": build,
            "MsiBuildMinor": revision,
            "MsiInstallPath": edition.install_path,
        }
        version = ".".join(map(str, edition.build))
        keys: dict[str, dict[str, t.Any]] = {
            f"{root}Setup": setup,
            **{f"{root}{role}Role": {"ConfiguredVersion": version} for role in edition.roles},
            f"{_SYSTEM}Control\\ComputerName\\ActiveComputerName": {"ComputerName": host.name},
            f"{_SYSTEM}Services\\Tcpip\\Parameters": {
                "Hostname": host.fqdn.split(".", 1)[0],
                "Domain": host.fqdn.split(".", 1)[1],
            },
        }
        keys.update(host.windows.iis_keys(path))
        keys.update(host.windows.firewall_keys(path))
        return {key.casefold(): values for key, values in keys.items()}.get(path.casefold())

    def _open(self, asked: Request) -> int:
        return self.host.sessions.open(
            str(asked["configuration"]),
            str(asked["uri"]),
            str(asked["authentication"]),
            _value(asked.get("credential")),
            asked.get("seconds"),
        )

    def _commands(self) -> list[dict[str, t.Any]]:
        return [
            {
                "name": cmdlet,
                "parameters": [{"name": name, "switch": is_switch(name)} for name in parameters],
            }
            for cmdlet, parameters in self.host.commands().items()
        ]

    def _invoke(self, asked: Request) -> str:
        cmdlet = str(asked["cmdlet"])
        parameters = {name: _value(value) for name, value in asked["parameters"].items()}
        try:
            rows = self.host.invoke(cmdlet, parameters, remote=bool(asked["remote"]))
        except ExchangeError as error:
            if not error.terminating:
                # The engine puts the cmdlet's name behind the id of an error that goes to the error
                # stream.
                error.fully_qualified_error_id = error.fully_qualified_error_id.removesuffix(
                    f",{cmdlet}"
                )
            raise
        return dump(rows, _TYPES[cmdlet.split("-", 1)[1]])


def _value(value: t.Any) -> t.Any:
    """A value as the proxies write it: a credential is a table with one odd key."""
    if isinstance(value, dict):
        if "$credential" in value:
            return tuple(value["$credential"])
        return {key: _value(item) for key, item in value.items()}
    return [_value(item) for item in value] if isinstance(value, list) else value


def prelude() -> str:
    """The text of proxies.ps1."""
    return PROXIES.read_text(encoding="ascii")
