# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Exchange Online modules against the lab's tenant: real requests over TLS, real tokens by
msal, without a process for each task.
"""

from __future__ import annotations

import json
import pathlib
import typing as t
import unittest.mock
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import web
from ansible_collections.mailedge.lockdown.plugins.modules import (
    exchange_online_info,
    exchange_online_lock,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._controller_module import (
    ControllerModule,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import ExchangeOnline
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Result

CERTIFICATE = "*.filter.example"
RANGES = ["198.51.100.0/24", "203.0.113.64/26"]
OWN = "mail.hafen.example"
MX = ["mx1.filter.example"]
LOCK: dict[str, t.Any] = {
    "name": "hafen",
    "provider_certificate": CERTIFICATE,
    "mx_hosts": MX,
}
BY_ADDRESS: dict[str, t.Any] = {"name": "hafen", "provider_ranges": RANGES, "mx_hosts": MX}


@dataclass
class Tenant:
    """The lab's tenant, and the modules against it."""

    online: ExchangeOnline
    snapshots: pathlib.Path

    def login(self, **options: t.Any) -> dict[str, t.Any]:
        """The options that say who asks, and which tenant."""
        return {
            "tenant_id": self.online.tenant.id,
            "client_id": self.online.writer.client_id,
            "client_secret": self.online.writer.secret,
            "authority_url": self.online.login_url,
            "api_url": self.online.api_url,
            "ca_path": str(self.online.ca_path),
            "timeout": 5,
            "snapshot_folder": str(self.snapshots),
            **options,
        }

    def run(
        self, called: t.Any, *, check: bool = False, diff: bool = False, **options: t.Any
    ) -> Result:
        """What a module gives."""
        given = {**self.login(), **options}
        given = {name: value for name, value in given.items() if value is not None}
        # Nobody waits for a clock in a test.
        with unittest.mock.patch.object(web.Web, "sleep"):
            result = ControllerModule(given, check, diff).result_of(called.main)
        return {"failed": False, "warnings": [], **result}

    def lock(self, **options: t.Any) -> Result:
        """What a lock gives; by the provider's certificate if not said otherwise."""
        return self.run(exchange_online_lock, **{**LOCK, **options})

    def locked(self, **options: t.Any) -> Result:
        """The same, and it must not fail."""
        result = self.lock(**options)
        assert not result["failed"], result["msg"]
        return result

    def info(self, **options: t.Any) -> Result:
        """What the module that only reads gives."""
        return self.run(exchange_online_info, **options)

    def rollback(self, snapshot: str = "latest", **options: t.Any) -> Result:
        """What giving a snapshot back gives."""
        return self.run(exchange_online_lock, snapshot=snapshot, **options)

    def dump(self) -> dict[str, t.Any]:
        """All that the tenant holds and that a lock may change, without when it was changed."""
        held = {
            noun: [
                {name: value for name, value in row.items() if not name.startswith("When")}
                for row in self.online.tenant.rows(noun)
            ]
            for noun in ("InboundConnector", "TransportRule")
        }
        held["organization"] = {  # type: ignore[assignment]
            name: value
            for name, value in self.online.tenant.organization.items()
            if not name.startswith("When")
        }
        return t.cast("dict[str, t.Any]", json.loads(json.dumps(held, default=str)))


def running(tmp_path: pathlib.Path) -> t.Iterator[Tenant]:
    """A tenant as a test gets it."""
    with ExchangeOnline() as online:
        yield Tenant(online, tmp_path / "snapshots")


def ids(result: Result) -> set[str]:
    """The guards that spoke."""
    return {finding["id"] for finding in result["guards"]}


def described(tenant: Tenant, **more: t.Any) -> dict[str, t.Any]:
    """A site whose tenant is all that is managed, and not looked at from outside."""
    online = tenant.online
    return {
        "mailedge_probe_targets": "",
        "mailedge_exchange_enabled": False,
        "mailedge_windows_posture_enabled": False,
        "mailedge_exchange_online_tenant_id": online.tenant.id,
        "mailedge_exchange_online_client_id": online.writer.client_id,
        "mailedge_exchange_online_client_secret": online.writer.secret,
        "mailedge_exchange_online_authority_url": online.login_url,
        "mailedge_exchange_online_api_url": online.api_url,
        "mailedge_exchange_online_ca_path": str(online.ca_path),
        "mailedge_exchange_online_snapshot_folder": str(tenant.snapshots),
        "mailedge_exchange_online_provider_certificate": CERTIFICATE,
        "mailedge_exchange_online_mx_hosts": " ".join(MX),
        **more,
    }


def state_of(run: Run, layer: str = "exchange online") -> str:
    """The state of a layer in the report of a playbook on the lab's one host."""
    (host,) = run.of("Say what was found")[-1].result["report"]["sites"]["birke"]["hosts"].values()
    (state,) = [told["state"] for told in host["layers"] if told["layer"] == layer]
    return str(state)
