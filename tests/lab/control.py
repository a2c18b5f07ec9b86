# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port by which tests play tricks on a running lab, and its client. JSON over HTTP on loopback,
behind a token.
"""

from __future__ import annotations

import hmac
import http.server
import json
import secrets
import threading
import typing as t
import urllib.error
import urllib.request

from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.inventory import read_access

if t.TYPE_CHECKING:
    from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
    from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost

Plain = dict[str, t.Any]

COUNTERS = ("powershell_starts", "exchange_shells", "http_requests", "reads", "writes")
"""What every host counts."""

DOOR = "Relay for scanner"
"""The connector by which a colleague opens the door."""


class LabError(Exception):
    """The lab refused what its client asked for."""


class Tricks:
    """What can be asked of a lab, one method each; arguments and results are JSON."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def _host(self, name: str) -> LabHost:
        host = self._lab.hosts.get(name)
        if host is None:
            raise LabError(
                f"The lab has no host '{name}'. Its hosts: {', '.join(self._lab.hosts)}."
            )
        return host

    def hosts(self) -> list[str]:
        """The names of all hosts."""
        return list(self._lab.hosts)

    def fault(self, host: str, **about: t.Any) -> int:
        """Set a fault (faults.Fault); give its number."""
        return self._host(host).faults.add(**about)

    def faults(self, host: str) -> list[Plain]:
        """The faults that were set, with how often each was seen and happened."""
        return self._host(host).faults.plain()

    def clear_faults(self, host: str) -> None:
        """Forget all faults; what hangs goes on. An outage that has begun lasts."""
        self._host(host).faults.clear()

    def tamper(self, host: str, cmdlet: str, parameters: Plain) -> None:
        """Run a cmdlet as a colleague at the server."""
        self._host(host).machine.change(cmdlet, parameters)

    def open_door(self, host: str) -> str:
        """Let the internet in again, as colleagues do in a hurry; give a sentence about it."""
        exchange, machine = self._host(host).exchange, self._host(host).machine
        name, connectors = exchange.name, exchange.receive_connectors()
        groups = {
            connector.guid: exchange.rights.read(connector.rights) - {"Custom"}
            for connector in connectors
        }
        for connector in connectors:
            wide = any(
                entry.bounds == "0.0.0.0-255.255.255.255"
                for entry in connector.values["RemoteIPRanges"]
            )
            public = any(
                binding.port == 25 and binding.is_any for binding in connector.values["Bindings"]
            )
            if wide and public:
                given: Plain = {
                    "Identity": connector.identity,
                    "PermissionGroups": ", ".join(
                        sorted({*groups[connector.guid], "AnonymousUsers"})
                    ),
                    "Enabled": True,
                }
                machine.change("Set-ReceiveConnector", given)
                return f"Somebody has let anonymous senders use '{connector.identity}' again."
        for connector in connectors:
            public = any(binding.port == 25 for binding in connector.values["Bindings"])
            if (
                public
                and not connector.values["Enabled"]
                and "AnonymousUsers" in groups[connector.guid]
            ):
                machine.change(
                    "Set-ReceiveConnector", {"Identity": connector.identity, "Enabled": True}
                )
                return f"A wizard has enabled '{connector.identity}' again."
        address = exchange.addresses[0]
        new: Plain = {
            "Name": DOOR,
            "Bindings": [f"{address}:25"],
            "RemoteIPRanges": ["0.0.0.0-127.255.255.255", "128.0.0.0-255.255.255.255"],
            "PermissionGroups": "AnonymousUsers",
            "Usage": "Custom",
        }
        if "Server" in exchange.commands()["New-ReceiveConnector"]:
            new["Server"] = name
        machine.change("New-ReceiveConnector", new)
        return f"Somebody has made a connector '{name}\\{DOOR}' for everybody."

    def open_firewall(self, host: str, beside: bool = False) -> str:
        """Let everybody through to port 25 at the site's firewall again, as colleagues do in a
        hurry; give a sentence about it.

        `beside`: by a policy of their own at the top, and not by changing the one that is there.
        """
        place = self._host(host).place
        config = self._firewall(host).device.configs["root"]
        policies = config.all("firewall/policy")
        everybody = [{"name": "all"}]
        if beside:
            row = next(
                policy for policy in policies.values() if place.virtual_ip in policy["dstaddr"]
            )
            new: Plain = {
                name: [{"name": interface} for interface in row[name]]
                for name in ("srcintf", "dstintf")
            }
            new.update(
                name="Temporary, for the tests",
                action="accept",
                srcaddr=everybody,
                service=[{"name": "ALL"}],
            )
            key = config.create("firewall/policy", {**new, "dstaddr": [{"name": place.virtual_ip}]})
            config.move("firewall/policy", str(key), before=str(next(iter(policies))))
            sentence = (
                f"Somebody has made policy {key} '{new['name']}' at the top of the firewall, for "
                "everybody."
            )
        else:
            key, row = next(
                (key, policy)
                for key, policy in policies.items()
                if place.virtual_ip in policy["dstaddr"]
            )
            six = {"srcaddr6": everybody} if row.get("dstaddr6") else {}
            config.update("firewall/policy", str(key), {"srcaddr": everybody, **six})
            sentence = (
                f"Somebody has set the source of the firewall's policy {key} '{row['name']}' back "
                "to all."
            )
        self._lab.refresh()
        return sentence

    def firewall_dump(self, host: str) -> Plain:
        """The policies and address groups of the site's firewall, and how many requests it
        has had.
        """
        firewall = self._firewall(host)
        rows = firewall.device.rows
        return {
            "policies": [{**row} for row in rows("root", "firewall/policy").values()],
            "groups": [{**row} for row in rows("root", "firewall/addrgrp").values()],
            "feeds": dict(firewall.device.configs["root"].entries),
            "requests": firewall.requests,
        }

    def firewall_fault(self, host: str, **faults: t.Any) -> None:
        """Let something go wrong at the site's firewall (fortigate.server.Faults); without a fault:
        nothing any more.
        """
        self._firewall(host).arm(**faults)

    def _firewall(self, host: str) -> FortiGateServer:
        firewall = self._host(host).firewall
        if firewall is None:
            raise LabError(f"The site of '{host}' has no firewall.")
        return firewall

    def counters(self, host: str) -> dict[str, int]:
        """What the host has counted since it started, or since the counters were reset."""
        held = self._host(host).exchange.counters
        return {name: held.get(name, 0) for name in COUNTERS}

    def reset_counters(self, host: str) -> None:
        """Count from nothing."""
        self._host(host).exchange.counters.clear()

    def latency(self, host: str, **seconds: float) -> None:
        """How slow things are, in seconds: `powershell` (the stand-in's start), `shell`, `tarpit`,
        `directory` (the lag between domain controllers).
        """
        lab_host = self._host(host)
        for name, value in seconds.items():
            if name == "powershell":
                lab_host.machine.settings.start = value
            elif name == "shell":
                lab_host.exchange.sessions.seconds = value
            elif name == "tarpit":
                lab_host.mailbox.tarpit = value
            elif name == "directory":
                lab_host.exchange.directory.lag = value
            else:
                raise LabError(f"There is no latency '{name}'.")

    def set(self, host: str, **settings: t.Any) -> None:
        """What the host is like: `language_mode`, `code_page`, `locale` of its PowerShell,
        `setup_running`, `second_hop`, `unencrypted`, `takes_mail`.
        """
        lab_host = self._host(host)
        for name, value in settings.items():
            if name in ("language_mode", "code_page", "locale"):
                setattr(lab_host.machine.settings, name, value)
            elif name == "setup_running":
                lab_host.exchange.setup_running = bool(value)
            elif name == "second_hop":
                lab_host.exchange.sessions.second_hop = bool(value)
            elif name == "takes_mail":
                lab_host.mailbox.takes_mail = bool(value)
            elif name == "unencrypted":
                lab_host.http.allow_unencrypted = bool(value)
            else:
                raise LabError(f"There is no setting '{name}'.")

    def dump(self, host: str) -> Plain:
        """The connectors with every property as it prints, what each of the lab's senders meets,
        and what is open.
        """
        lab_host = self._host(host)
        senders = {
            address: role
            for version in (4, 6)
            for role, address in lab_host.place.players(version).items()
        }
        return {
            **lab_host.exchange.shown(),
            "meets": {
                f"{role} {address}": lab_host.exchange.admission(address).words()
                for address, role in senders.items()
            },
            "foreign_bindings": lab_host.exchange.foreign_bindings(),
            "exchange_sessions": len(lab_host.exchange.sessions.opened),
            "winrm_shells": lab_host.shells,
        }

    def files(self, host: str) -> dict[str, str]:
        """Path → text of what was written to the server's disk."""
        root = self._host(host).exchange.folder
        texts = {}
        # The agent's backslash is a character of a name where the lab runs.
        for path in sorted(root.glob("ProgramData*/**/*")):
            if path.is_file():
                texts[str(path.relative_to(root)).replace("\\", "/")] = path.read_text(
                    encoding="utf-8-sig"
                )
        return texts

    def conversations(self, host: str) -> list[Plain]:
        """What was said on port 25, connection by connection."""
        return [
            {
                "sender": conversation.sender,
                "connector": conversation.connector,
                "tls": conversation.tls,
                "commands": list(conversation.commands),
                "replies": list(conversation.replies),
            }
            for conversation in list(self._host(host).mailbox.conversations)
        ]

    def clock(self, advance: float = 0.0) -> float:
        """Move the lab's clock on (an outage ends, a hang); give how many seconds it is ahead."""
        return self._lab.clock.advance(advance)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: t.Any

    def log_message(self, format: str, *args: t.Any) -> None:
        """Nothing is logged."""

    def do_POST(self) -> None:
        """One question: its name is the path, its arguments are the body."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not hmac.compare_digest(
            self.headers.get("Authorization") or "", f"Bearer {self.server.token}"
        ):
            return self._answer(403, {"error": "The token is not this lab's."})
        name = self.path.strip("/")
        method = None if name.startswith("_") else getattr(self.server.tricks, name, None)
        if method is None:
            return self._answer(404, {"error": f"The lab cannot do '{name}'."})
        try:
            return self._answer(200, {"value": method(**json.loads(body or b"{}"))})
        except (LabError, ExchangeError, ValueError, TypeError, KeyError) as error:
            return self._answer(400, {"error": f"{type(error).__name__}: {error}"})

    def _answer(self, status: int, document: Plain) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class ControlServer:
    """Serves the control port of a lab until closed."""

    def __init__(self, lab: Lab) -> None:
        server: t.Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.daemon_threads = True
        server.tricks = Tricks(lab)
        server.token = secrets.token_urlsafe(16)
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, args=(0.02,), name="lab-control", daemon=True
        )
        self._thread.start()

    def access(self) -> dict[str, str]:
        """What a client needs."""
        return {
            "url": f"http://127.0.0.1:{self._server.server_address[1]}",
            "token": self._server.token,
        }

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class LabClient:
    """Asks a running lab for what Tricks can do: ``client.fault("birke-ex1", kind="cut")``. Raises
    LabError.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        # Nothing of loopback goes through a proxy that the user may have.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @classmethod
    def of(cls, inventory: t.Any) -> LabClient:
        """The client of the lab that wrote this inventory."""
        return cls(**read_access(inventory))

    def ask(self, method: str, **arguments: t.Any) -> t.Any:
        """Ask for one thing."""
        request = urllib.request.Request(
            f"{self._url}/{method}",
            data=json.dumps(arguments).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method="POST",
        )
        try:
            with self._opener.open(request, timeout=60) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise LabError(json.load(error)["error"]) from None

    def hosts(self) -> list[str]:
        """The names of all hosts."""
        return list(self.ask("hosts"))

    def fault(self, host: str, **about: t.Any) -> int:
        """Set a fault (faults.Fault); give its number."""
        return int(self.ask("fault", host=host, **about))

    def faults(self, host: str) -> list[Plain]:
        """The faults that were set, with how often each was seen and happened."""
        return list(self.ask("faults", host=host))

    def clear_faults(self, host: str) -> None:
        """Forget all faults."""
        self.ask("clear_faults", host=host)

    def tamper(self, host: str, cmdlet: str, **parameters: t.Any) -> None:
        """Run a cmdlet as a colleague at the server."""
        self.ask("tamper", host=host, cmdlet=cmdlet, parameters=parameters)

    def open_door(self, host: str) -> str:
        """Let the internet in again; give a sentence about it."""
        return str(self.ask("open_door", host=host))

    def open_firewall(self, host: str, *, beside: bool = False) -> str:
        """Let everybody through at the site's firewall again; give a sentence about it."""
        return str(self.ask("open_firewall", host=host, beside=beside))

    def firewall_dump(self, host: str) -> Plain:
        """The policies and address groups of the site's firewall."""
        return dict(self.ask("firewall_dump", host=host))

    def firewall_fault(self, host: str, **faults: t.Any) -> None:
        """Let something go wrong at the site's firewall; without a fault: nothing any more."""
        self.ask("firewall_fault", host=host, **faults)

    def counters(self, host: str) -> dict[str, int]:
        """What the host has counted."""
        return dict(self.ask("counters", host=host))

    def reset_counters(self, host: str) -> None:
        """Count from nothing."""
        self.ask("reset_counters", host=host)

    def latency(self, host: str, **seconds: float) -> None:
        """How slow things are: `powershell`, `shell`, `tarpit`, `directory`."""
        self.ask("latency", host=host, **seconds)

    def set(self, host: str, **settings: t.Any) -> None:
        """What the host is like: `language_mode`, `code_page`, `locale`, `setup_running`,
        `second_hop`, `unencrypted`.
        """
        self.ask("set", host=host, **settings)

    def dump(self, host: str) -> Plain:
        """Connectors, exposure, and what is open."""
        return dict(self.ask("dump", host=host))

    def files(self, host: str) -> dict[str, str]:
        """What was written to the server's disk."""
        return dict(self.ask("files", host=host))

    def conversations(self, host: str) -> list[Plain]:
        """What was said on port 25."""
        return list(self.ask("conversations", host=host))

    def clock(self, advance: float = 0.0) -> float:
        """Move the lab's clock on."""
        return float(self.ask("clock", advance=advance))
