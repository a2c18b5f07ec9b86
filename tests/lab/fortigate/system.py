# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's FortiGate is beside its policies: modes, interfaces, zones, SD-WAN.

Names of fields and values: the public schema of the vendor's collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

# As a device shows a password that it keeps.
_ENCRYPTED = "ENC AAAAlab5Y0cE9vQqk3bqTz0w"

if t.TYPE_CHECKING:
    from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device


@dataclass
class Modes:
    """How a device decides, saves and is managed, as one is delivered. `shows_match_vip`: whether a
    policy has that field with central NAT as well, which is unverified.
    """

    ngfw: str = "profile-based"
    central_nat: bool = False
    shows_match_vip: bool = False
    consolidated: bool = False
    saves: str = "automatic"
    revert_after: int = 600
    manager: str = ""
    manager_mode: str = "normal"
    cluster: str = "standalone"

    @property
    def decides_elsewhere(self) -> bool:
        """Whether other tables than firewall/policy decide; the lab's let everybody through."""
        return self.ngfw == "policy-based" or self.consolidated


def device_tables(device: Device) -> dict[str, t.Any]:
    """Interfaces, zones, and SD-WAN, which is one object and no table: until 6.4 under another
    name, with one zone of a fixed name.
    """

    def members(names: list[str], zone: str = "") -> list[dict[str, str]]:
        return [{"interface": name, **({"zone": zone} if zone else {})} for name in names]

    zones = [
        {
            "name": name,
            "intrazone": "allow" if name in device.intrazone else "deny",
            "interface": [
                {"interface-name": interface, "q_origin_key": interface} for interface in held
            ],
        }
        for name, held in device.zones.items()
    ]
    old = (6, 2, 0) <= device.version < (6, 4, 0)
    status = "enable" if device.sdwan else "disable"
    if device.version < (6, 4, 0):
        sdwan = {
            "status": status,
            "members": members([member for held in device.sdwan.values() for member in held]),
        }
    else:
        rows = [row for name, held in device.sdwan.items() for row in members(held, name)]
        sdwan = {
            "status": status,
            "zone": [{"name": name} for name in device.sdwan],
            "members": rows,
        }
    modes = device.modes
    return {
        "system/settings": {
            "ngfw-mode": modes.ngfw,
            "central-nat": "enable" if modes.central_nat else "disable",
            **(
                {"consolidated-firewall-mode": "enable" if modes.consolidated else "disable"}
                if old
                else {}
            ),
        },
        "system/global": {"cfg-save": modes.saves, "cfg-revert-timeout": modes.revert_after},
        "system/central-management": {
            "type": "fortimanager" if modes.manager else "none",
            "mode": modes.manager_mode,
            "fmg": f'"{modes.manager}"' if modes.manager else "",
        },
        "system/ha": {"mode": modes.cluster, "group-name": "", "password": _ENCRYPTED},
        "system/vdom": [{"name": name, "q_origin_key": name} for name in device.configs],
        "system/interface": [
            {
                "name": name,
                "q_origin_key": name,
                **device.routing.addresses(name),
                # Of PPPoE; a list of wanted fields does not keep it away (unverified).
                "password": _ENCRYPTED,
            }
            for name in device.interfaces
        ],
        "system/zone": zones,
        "system/virtual-wan-link" if device.version < (6, 4, 0) else "system/sdwan": sdwan,
        **device.routing.configured(),
    }


def device_table(device: Device, path: str) -> t.Any:
    """One of these; None for what is none of them."""
    return device_tables(device).get(path) if path.startswith(("system/", "router/")) else None
