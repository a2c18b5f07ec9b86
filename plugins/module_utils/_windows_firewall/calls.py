# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps for the agent: to read the firewall, and to carry out one change."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.state import (
    GROUP,
    State,
    identity,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.tables import (
    Change,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.values import (
    write_addresses,
)

Step = dict[str, t.Any]

READ, PEERS = "firewall", "firewall-peers"
"""The ids of the steps."""

_ALL_PROFILES = 0x7FFFFFFF
# The order in which properties of a new rule are set: ports are refused before the protocol, and
# whatever is set on a rule that is in force counts at once (INetFwRule, "Remarks").
_ORDER = ("Protocol", "ApplicationName", "serviceName", "Profiles", "LocalPorts", "RemoteAddresses")


def read_steps(
    *, prefix: str = "", always: bool = False, peers_at: t.Collection[int] = ()
) -> list[Step]:
    """The steps that read everything; also who is connected to the server's ports `peers_at`."""
    steps: list[Step] = [{"op": "firewall_read", "id": f"{prefix}{READ}", "always": always}]
    if peers_at:
        asked = {"op": "firewall_peers", "id": f"{prefix}{PEERS}", "ports": sorted(set(peers_at))}
        steps.append({**asked, "optional": True, "always": always})
    return steps


def change_calls(change: Change, state: State, *, step: str) -> list[Step]:
    """The step that carries out `change` on a firewall in `state`.

    A rule is told by all that COM showed of it, because it has no id and its name may be another's.
    """
    write = {"op": "firewall_write", "id": step}
    if change.action == Action.CREATE:
        properties = _written(change.after)
        named = [
            ["Name", change.key],
            ["Grouping", GROUP],
            *((name, properties[name]) for name in _ORDER),
        ]
        values = [[name, value] for name, value in named if value not in (None, "")]
        return [
            {
                **write,
                "do": "add",
                "rule": None,
                "set": [*values, ["Action", 1], ["Direction", 1], ["Enabled", True]],
            }
        ]
    held = state.rules[identity(change.key)]
    rule = {"row": dict(held.row or {}), "number": held.number, "read": READ}
    if change.action == Action.REMOVE:
        return [{**write, "do": "remove", "rule": rule, "set": []}]
    properties = _written(change.after)
    values = [[name, properties[name]] for name in _ORDER if name in properties]
    if "enabled" in change.after:
        # First out of force, last into force: nothing half-way counts.
        enabled = ["Enabled", change.after["enabled"]]
        values = [*values, enabled] if change.after["enabled"] else [enabled, *values]
    return [{**write, "do": "set", "rule": rule, "set": values}]


def _written(row: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Options as properties of COM."""
    made: dict[str, t.Any] = {}
    for option, value in row.items():
        if option == "remote_addresses":
            made["RemoteAddresses"] = write_addresses(value)
        elif option == "local_ports":
            made["LocalPorts"] = ",".join(value)
        elif option == "protocol":
            made["Protocol"] = 256 if value is None else value
        elif option == "profiles":
            made["Profiles"] = _ALL_PROFILES if value == 7 else value
        elif option == "program":
            made["ApplicationName"] = value
        elif option == "service":
            made["serviceName"] = value
    return made
