# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The FortiGate modules against the lab's FortiGate: real requests over TLS, without a process for
each task.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import typing as t
import unittest.mock
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import FortiOS
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._controller_module import (
    ControllerModule,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer

STRANGER, PROVIDER, OFFICE = "192.0.2.77", "198.51.100.7", "10.20.0.5"
PUBLIC = "203.0.113.80"
POLICY = "firewall/policy"
RANGES = ["198.51.100.0/24"]
LOCK: dict[str, t.Any] = {
    "name": "birke",
    "vips": ["VIP-mail"],
    "ranges": ["198.51.100.0/24"],
    "own_networks": ["10.20.0.0/16"],
}
OUT: dict[str, t.Any] = {
    "name": "birke",
    "mail_servers": ["10.20.1.11"],
    "smart_hosts": ["out.filter.example"],
    "interfaces": ["wan1"],
}
Result = dict[str, t.Any]


@dataclass
class Firewall:
    """The lab's FortiGate, and the modules against it."""

    server: FortiGateServer
    snapshots: pathlib.Path

    @property
    def device(self) -> Device:
        """What is in it."""
        return self.server.device

    def client(self, **options: t.Any) -> FortiOS:
        """A client of it."""
        known = {"port": self.server.port, "ca_path": str(self.server.ca_path), "timeout": 5.0}
        return FortiOS("127.0.0.1", options.pop("token", self.server.token), **{**known, **options})

    def run(
        self, called: t.Any, *, check: bool = False, diff: bool = False, **options: t.Any
    ) -> Result:
        """What a module gives; `called` is the module's Python module."""
        usual = {
            "host": "127.0.0.1",
            "api_port": self.server.port,
            "token": self.server.token,
            "ca_path": str(self.server.ca_path),
            "timeout": 5,
            "snapshot_folder": str(self.snapshots),
        }
        taken = called.ARGUMENTS["argument_spec"]
        given = {**{name: value for name, value in usual.items() if name in taken}, **options}
        result = ControllerModule(given, check, diff).result_of(called.main)
        return {"failed": False, "warnings": [], **result}

    def done(self, called: t.Any, **options: t.Any) -> Result:
        """The same, and it must not fail."""
        result = self.run(called, **options)
        assert not result["failed"], result["msg"]
        return result

    @contextlib.contextmanager
    def without_network(self) -> t.Iterator[None]:
        """Requests go to the lab's server in this process, for tests that make very many."""

        def exchange(
            client: FortiOS, method: str, url: str, body: t.Any
        ) -> tuple[int, dict[str, str], str]:
            headers = {"authorization": f"Bearer {client._token}"}
            if client._transaction:
                headers["x-transaction-id"] = client._transaction
            client.requests += 1
            answer = self.server.answer(
                method, url, headers, b"" if body is None else json.dumps(body).encode()
            )
            assert answer is not None
            return answer[0], answer[3], answer[2]

        with unittest.mock.patch.object(FortiOS, "_exchange", exchange):
            yield

    def dump(self, vdom: str = "root") -> dict[str, t.Any]:
        """All that the device holds, for comparing."""
        config = self.device.configs[vdom]
        tables = {
            path: {str(key): row for key, row in rows.items()}
            for path, rows in config.rows.items()
            if rows
        }
        order = [str(key) for key in config.all("firewall/policy")]
        return t.cast(
            "dict[str, t.Any]",
            json.loads(json.dumps({"tables": tables, "order": order, "entries": config.entries})),
        )


def running(tmp_path: pathlib.Path, external6: str = "", **options: t.Any) -> t.Iterator[Firewall]:
    with FortiGateServer(Device(**options)) as server:
        server.device.seed_mail_site(external6=external6)
        yield Firewall(server, tmp_path / "snapshots")


def refs(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def policy(firewall: Firewall, name: str, *, top: bool = False, **fields: t.Any) -> int:
    """A policy as a colleague would make it: from the internet to the inside, for everybody, if not
    said otherwise.
    """
    row = {
        "name": name,
        "action": "accept",
        "srcintf": refs("wan1"),
        "dstintf": refs("internal"),
        "srcaddr": refs("all"),
        "dstaddr": refs("VIP-mail"),
        "service": refs("SMTP"),
        **fields,
    }
    config = firewall.device.configs["root"]
    key = int(config.create(POLICY, row))
    if top:
        config.move(POLICY, str(key), before=str(next(iter(config.all(POLICY)))))
    return key


def told_by(result: Result, guard: str) -> list[str]:
    """The sentences of a guard."""
    return [finding["sentence"] for finding in result["guards"] if finding["id"] == guard]


def touched(result: Result) -> set[int]:
    """Which policies of the device a plan touches, in place or by what stands right before them."""
    named = [
        re.search(r"(?:right before|^Change the) policy (\d+)", text) for text in result["plan"]
    ]
    return {int(match[1]) for match in named if match}


def meets(firewall: Firewall, source: str, port: int = 25, to: str = PUBLIC) -> bool:
    return firewall.device.admits(source, to, port)


def locked(firewall: Firewall) -> bool:
    """Provider and office get through, and the stranger does not."""
    return (meets(firewall, PROVIDER), meets(firewall, OFFICE), meets(firewall, STRANGER)) == (
        True,
        True,
        False,
    )
