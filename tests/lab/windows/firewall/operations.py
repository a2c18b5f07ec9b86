# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations of agent_firewall.ps1 as the stand-in answers them: what that file does in
PowerShell, over the same objects.
"""

from __future__ import annotations

import json
import threading
import typing as t
import uuid

from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError, ComObject
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall import store

Row = dict[str, t.Any]

_READ = (
    *(
        "Name",
        "Grouping",
        "ApplicationName",
        "serviceName",
        "Protocol",
        "LocalPorts",
        "RemotePorts",
        "LocalAddresses",
    ),
    *(
        "RemoteAddresses",
        "InterfaceTypes",
        "Interfaces",
        "Enabled",
        "Action",
        "Profiles",
        "EdgeTraversal",
        "SecureFlags",
    ),
    *(
        "LocalUserAuthorizedList",
        "RemoteUserAuthorizedList",
        "RemoteMachineAuthorizedList",
        "LocalAppPackageId",
    ),
    "LocalUserOwner",
)


class Asked(t.Protocol):
    """What the operations ask of a host."""

    def create(self, prog_id: str) -> ComObject:
        """Make a COM object."""

    def firewall_keys(self, path: str) -> dict[str, dict[str, t.Any]]:
        """The keys of the registry that a path names."""

    def netstat(self) -> list[str]:
        """The lines of netstat."""


# What a request has read, and holds: as $state of the agent, which lives as long as one request
# does.
class _Held(threading.local):
    def __init__(self) -> None:
        self.rules: dict[str, list[tuple[ComObject, Row]]] = {}


_held = _Held()


def _shown(rule: ComObject) -> Row:
    return {name: rule.get(name) if name in rule.properties else None for name in _READ}


def read(host: Asked, step: t.Mapping[str, t.Any]) -> list[Row]:
    """firewall_read."""
    policy = host.create("HNetCfg.FwPolicy2")
    rules = t.cast(ComObject, policy.get("Rules"))
    held = [(rule, _shown(rule)) for rule in rules.items() if rule.get("Direction") == 1]
    _held.rules[step["id"]] = held
    rows: list[Row] = [{**row, "kind": "rule"} for _rule, row in held]
    for bit in store.NAMES:
        rows.append(
            {
                "kind": "profile",
                "bit": bit,
                "enabled": policy.call("FirewallEnabled", bit),
                "inbound": policy.call("DefaultInboundAction", bit),
                "blocks_all": policy.call("BlockAllInboundTraffic", bit),
                "excluded": policy.call("ExcludedInterfaces", bit),
            }
        )
    current, modify = map(_or_nothing(policy), ("CurrentProfileTypes", "LocalPolicyModifyState"))
    rows.append({"kind": "policy", "current": current, "modify_state": modify})
    for name, path in (
        ("local", store.LOCAL_KEY),
        ("policy", f"{store.POLICY_KEY}\\FirewallRules"),
        ("mdm", store.MDM_KEY),
    ):
        try:
            values = _values(host, path)
        except ExchangeError:
            if name != "local":
                raise
            values = {}
        rows += [
            {"kind": "text", "store": name, "id": id_, "text": text} for id_, text in values.items()
        ]
    for name in (*store.NAMES.values(), "Standard"):
        values = _values(host, f"{store.POLICY_KEY}\\{name}Profile")
        rows.append({"kind": "key", "profile": name.lower(), "values": values})
    for name in ("Domain", "Standard"):
        for kind in ("GloballyOpenPorts", "AuthorizedApplications"):
            values = _values(host, f"{store.POLICY_KEY}\\{name}Profile\\{kind}\\List")
            rows += [
                {"kind": "exception", "profile": name.lower(), "list": kind, "text": str(text)}
                for text in values.values()
            ]
    return rows


def _or_nothing(item: ComObject) -> t.Callable[[str], t.Any]:
    """A property that cannot be read is nothing to the engine."""

    def read_one(name: str) -> t.Any:
        try:
            return item.get(name)
        except ComError:
            return None

    return read_one


def _values(host: Asked, path: str) -> dict[str, t.Any]:
    return host.firewall_keys(path).get(path, {})


def peers(host: Asked, step: t.Mapping[str, t.Any]) -> list[Row]:
    """firewall_peers."""
    return [
        {"line": line}
        for line in host.netstat()
        if any(f":{port} " in line for port in step["ports"])
    ]


def write(host: Asked, step: t.Mapping[str, t.Any]) -> list[Row]:
    """firewall_write."""
    policy = host.create("HNetCfg.FwPolicy2")
    rules = t.cast(ComObject, policy.get("Rules"))
    if step["do"] == "add":
        made = host.create("HNetCfg.FWRule")
        _set(made, step["set"])
        rules.call("Add", made)
        return []
    rule = _find(step["rule"])
    if step["do"] == "set":
        _set(rule, step["set"])
        return []
    name = str(rule.get("Name"))
    if sum(str(rule.get("Name")).casefold() == name.casefold() for rule in rules.items()) > 1:
        name = f"{name} {uuid.uuid4()}"
        rule.set("Name", name)
    rules.call("Remove", name)
    return []


def _set(rule: ComObject, pairs: t.Iterable[t.Sequence[t.Any]]) -> None:
    for name, value in pairs:
        rule.set(name, value)


def _find(wanted: t.Mapping[str, t.Any]) -> ComObject:
    text = json.dumps(wanted["row"], sort_keys=True)
    alike = [
        rule for rule, row in _held.rules[wanted["read"]] if json.dumps(row, sort_keys=True) == text
    ]
    if wanted["number"] >= len(alike):
        message = (
            "A firewall rule is no longer as it was when the change was planned. "
            "It was left as it is. Run the task again."
        )
        raise ComError(0, message, "Mailedge.StateChanged")
    return alike[int(wanted["number"])]


OPERATIONS: t.Mapping[str, t.Callable[[t.Any, t.Mapping[str, t.Any]], list[Row]]] = {
    "firewall_read": read,
    "firewall_peers": peers,
    "firewall_write": write,
}
"""By the name of the operation."""
