# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a packet that comes in: the lab's own reading of policy, local rules, merge
switches, profiles and interfaces.

Bypass before block before allow before the default of the profile (learn.microsoft.com, "Windows
Firewall rules").
"""

from __future__ import annotations

import functools
import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall import addresses, store
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import Firewall, Rule


@dataclass(frozen=True)
class Packet:
    """The first packet of a connection. `listener` and `service` are who listens on the port;
    `System` is the kernel.

    `authenticated`: IPsec knows the sender. `tunnelled`: it came through an edge device, as Teredo
    does.
    """

    source: str
    port: int
    profile: int = store.DOMAIN
    listener: str = ""
    service: str = ""
    local: str = "10.20.1.11"
    source_port: int = 50000
    interface: str = "Ethernet"
    interface_type: str = "Lan"
    authenticated: bool = False
    tunnelled: bool = False

    @functools.cached_property
    def address(self) -> addresses.IPAddress:
        """The sender."""
        return ipaddress.ip_address(self.source)


def admits(firewall: Firewall, packet: Packet) -> bool:
    """Whether the firewall lets it in."""
    if packet.address.is_loopback or not firewall.running:
        # Loopback is not filtered (MS-FASP); without the service there is no filter that anybody
        # could rely on.
        return True
    settings, policy = firewall.settings[packet.profile], firewall.policy[packet.profile]
    if _by_old_policy(firewall, packet):
        return True
    if not policy.get("EnableFirewall", settings.enabled) or packet.interface in settings.excluded:
        return True
    if policy.get("DoNotAllowExceptions", settings.blocks_all):
        return False
    rules = [*firewall.policy_rules, *firewall.mdm_rules]
    if policy.get("AllowLocalPolicyMerge", 1):
        rules += firewall.rules
    meant = [rule for rule in rules if _meant(firewall, rule, packet)]
    if any(rule.bypass for rule in meant):
        return True
    if any(rule.action == store.BLOCK and not rule.bypass for rule in meant):
        return False
    if any(rule.action == store.ALLOW for rule in meant):
        return True
    # In the registry 0 lets in, for COM 1 does.
    if "DefaultInboundAction" in policy:
        return policy["DefaultInboundAction"] == 0
    return settings.inbound == store.ALLOW


def _by_old_policy(firewall: Firewall, packet: Packet) -> bool:
    """Whether group policy lets it in in the way of Windows XP, if the server heeds that."""
    name = "DomainProfile" if packet.profile == store.DOMAIN else "StandardProfile"
    held = {key.casefold(): values for key, values in firewall.old_policy.items()}
    off = held.get("standardprofile", {}).get("EnableFirewall") == 0
    if (
        name == "StandardProfile"
        and off
        and "EnableFirewall" not in firewall.policy[packet.profile]
    ):
        return True
    for text in held.get(f"{name}\\GloballyOpenPorts\\List".casefold(), {}).values():
        port, protocol, scope, state = str(text).split(":")[:4]
        if (int(port), protocol.upper(), state) == (packet.port, "TCP", "enabled"):
            return _in_scope(firewall, scope, packet)
    for text in held.get(f"{name}\\AuthorizedApplications\\List".casefold(), {}).values():
        program, _colon, rest = str(text).rpartition(".exe:")
        scope, state = rest.split(":")[:2]
        if state == "enabled" and _file(f"{program}.exe") == _file(packet.listener):
            return _in_scope(firewall, scope, packet)
    return False


def _in_scope(firewall: Firewall, scope: str, packet: Packet) -> bool:
    return any(
        part in ("*", "LocalSubNet") or packet.address in ipaddress.ip_network(part)
        for part in scope.split(",")
    )


def _meant(firewall: Firewall, rule: Rule, packet: Packet) -> bool:
    """Whether a rule is about this packet."""
    if not (
        rule.enabled
        and rule.inbound
        and rule.profiles & packet.profile
        and rule.protocol in (6, store.ANY_PROTOCOL)
    ):
        return False
    if (rule.secure or rule.bypass) and not packet.authenticated:
        return False
    if packet.tunnelled and not rule.edge:
        return False
    if rule.package:
        # No listener here is an app of the store.
        return False
    if rule.program and _file(rule.program) != _file(packet.listener):
        return False
    if (
        rule.service
        and rule.service != "*"
        and rule.service.casefold() != packet.service.casefold()
    ):
        return False
    if rule.interface_types != "All" and packet.interface_type not in rule.interface_types.split(
        ","
    ):
        return False
    local = rule.local_addresses
    if local != ["*"] and not addresses.holds(
        local, ipaddress.ip_address(packet.local), firewall.keywords
    ):
        return False
    if rule.protocol != store.ANY_PROTOCOL and not _port(firewall, rule.ports, packet.port):
        return False
    loose = rule.action == store.ALLOW and {store.IGNORES_ADDRESSES, store.MADE_UP} & set(
        rule.tokens
    )
    if loose:
        return True
    if rule.protocol != store.ANY_PROTOCOL and not _port(
        firewall, rule.remote_ports, packet.source_port
    ):
        return False
    return addresses.holds(rule.remote, packet.address, firewall.keywords)


def _file(path: str) -> str:
    return path.rpartition("\\")[2].casefold()


def _port(firewall: Firewall, ports: t.Sequence[t.Any] | None, port: int) -> bool:
    for item in ports or ["*"]:
        if item == "*":
            return True
        if isinstance(item, str):
            places = {"RPC": firewall.rpc_ports, "RPC-EPMap": {135}, "IPHTTPS": {443}}.get(item, ())
            if port in places:
                return True
        elif item[0] <= port <= item[1]:
            return True
    return False
