# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes of the lab's FortiGate: where packets go, and what its API tells of them.

The shapes of `router/lookup` and `router/ipv4` are those of the examples of a public client of the
API (fortigate-api, Apache-2.0); the fields of `router/static` and `router/policy` were read in the
schema of the vendor's collection. What is answered where no route is known is unverified. Not
modelled: distances, dynamic protocols, the rules of SD-WAN.
"""

from __future__ import annotations

import functools
import ipaddress
import typing as t
from dataclasses import dataclass, field

Row = dict[str, t.Any]


@dataclass(frozen=True)
class PolicyRoute:
    """Packets that come by one interface and go to a network leave by another one."""

    interface: str
    network: str
    leaves_by: str
    enabled: bool = True


@dataclass
class Routing:
    """Network → interface. `connected` are the device's own networks, `static` what was configured,
    `policies` come before both. What leads through an interface that is `down` does not count.
    `outside` is where the internet is.
    """

    connected: list[tuple[str, str]] = field(
        default_factory=lambda: [("10.0.0.0/8", "internal"), ("2001:db8:20::/48", "internal")]
    )
    static: list[tuple[str, str]] = field(
        default_factory=lambda: [("0.0.0.0/0", "wan1"), ("::/0", "wan1")]
    )
    policies: list[PolicyRoute] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    outside: str = "wan1"

    def leads(self, address: str, interface: str = "") -> str:
        """The interface by which a packet leaves, '' for none; `interface`: by which it came."""
        for policy in self.policies:
            if (
                policy.enabled
                and policy.interface == interface
                and _within(address, policy.network)
            ):
                return policy.leaves_by
        route = self._best(address)
        return route[1] if route else ""

    def _best(self, address: str) -> tuple[str, str] | None:
        known = [route for route in self.in_force() if _within(address, route[0])]
        return max(known, key=lambda route: int(route[0].rpartition("/")[2])) if known else None

    def in_force(self) -> list[tuple[str, str]]:
        """The routes of today; of two for one network the first counts."""
        return [route for route in (*self.connected, *self.static) if route[1] not in self.down]

    # ------------------------------------------------------------ what the API tells

    def looked_up(self, destination: str) -> Row:
        """The results of `router/lookup`."""
        route = self._best(destination)
        if route is None:
            return {"success": False}
        return {"success": True, "network": route[0], "gateway": "0.0.0.0", "interface": route[1]}

    def listed(self, version: int) -> list[Row]:
        """The results of `router/ipv4` and `router/ipv6`: only the route that counts of each
        network.
        """
        known: dict[str, Row] = {}
        for network, interface in self.in_force():
            if ipaddress.ip_network(network).version == version:
                kind = "connect" if (network, interface) in self.connected else "static"
                row = {
                    "ip_version": version,
                    "type": kind,
                    "ip_mask": network,
                    "distance": 0,
                    "metric": 0,
                }
                known.setdefault(network, {**row, "gateway": "0.0.0.0", "interface": interface})
        return list(known.values())

    def addresses(self, interface: str) -> Row:
        """What `system/interface` says of the addresses of an interface."""
        networks = [
            ipaddress.ip_network(text) for text, name in self.connected if name == interface
        ]
        own = [
            f"{network[-1]} {network.netmask}" for network in networks if network.version == 4
        ] or ["0.0.0.0 0.0.0.0"]
        six = [
            f"{network[-1]}/{network.prefixlen}" for network in networks if network.version == 6
        ] or ["::/0"]
        more = [
            {"id": number, "q_origin_key": number, "ip": text}
            for number, text in enumerate(own[1:], 1)
        ]
        extra = [{"prefix": text, "q_origin_key": text} for text in six[1:]]
        return {
            "ip": own[0],
            "secondaryip": more,
            "ipv6": {"ip6-address": six[0], "ip6-extra-addr": extra},
        }

    def configured(self) -> dict[str, list[Row]]:
        """The tables `router/static` and `router/policy`, and those of IPv6."""
        tables: dict[str, list[Row]] = {
            f"router/{name}{six}": [] for name in ("static", "policy") for six in ("", "6")
        }
        for number, (text, interface) in enumerate(self.static, 1):
            network = ipaddress.ip_network(text)
            six = network.version == 6
            shown = text if six else f"{network.network_address} {network.netmask}"
            row: Row = {"seq-num": number, "q_origin_key": number, "status": "enable", "dst": shown}
            tables["router/static6" if six else "router/static"].append(
                {
                    **row,
                    "device": interface,
                    "dstaddr": "",
                    "sdwan-zone": [],
                    "blackhole": "disable",
                }
            )
        for number, policy in enumerate(self.policies, 1):
            network = ipaddress.ip_network(policy.network)
            six = network.version == 6
            shown = policy.network if six else f"{network.network_address}/{network.netmask}"
            status = "enable" if policy.enabled else "disable"
            row = {
                "seq-num": number,
                "q_origin_key": number,
                "status": status,
                "action": "permit",
                "protocol": 0,
            }
            came = {"input-device": [{"name": policy.interface, "q_origin_key": policy.interface}]}
            to = {
                "dst": [{"addr6" if six else "subnet": shown, "q_origin_key": shown}],
                "dst-negate": "disable",
            }
            tables["router/policy6" if six else "router/policy"].append(
                {**row, **came, **to, "dstaddr": [], "output-device": policy.leaves_by}
            )
        return tables


@functools.lru_cache(maxsize=4096)
def _within(address: str, network: str) -> bool:
    number, held = ipaddress.ip_address(address), ipaddress.ip_network(network)
    return number.version == held.version and number in held
