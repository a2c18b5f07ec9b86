# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether one packet gets through the lab's FortiGate, judged packet by packet and not from the
collection's model.

The virtual IP is applied before the policies are looked at, in their order. A deny whose
destination is `all` does not match what a virtual IP has translated, unless it says match-vip
(vendor's knowledge base; the default of match-vip changed after 7.2.3), and one to the server's own
address does not either.
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device

Row = t.Mapping[str, t.Any]
_PREDEFINED_ALL = "all"


@dataclass(frozen=True)
class Packet:
    """The first packet of a TCP connection."""

    source: str
    destination: str
    port: int
    interface: str = "wan1"


def decide(device: Device, packet: Packet, vdom: str = "root") -> tuple[bool, int]:
    """Whether it gets through, and the number of the policy that decided; 0 is the implicit
    deny.
    """
    look = _Look(device, vdom)
    if device.modes.decides_elsewhere:
        return True, 0
    vip, port = look.translate(packet)
    if device.modes.central_nat and vip:
        packet, vip = dataclasses.replace(packet, destination=look.server(packet, vip)), ""
    zone = device.zone(packet.interface)
    leaves = device.route(look.server(packet, vip), packet.interface)
    if not leaves:
        return False, 0  # There is no way to it.
    if zone in device.intrazone and zone == device.zone(leaves):
        # No policy is asked, but where it meets a virtual IP outside.
        back = dataclasses.replace(packet, interface=leaves)
        meets = not vip and leaves != packet.interface and look.translate(back)[0]
        return decide(device, back, vdom) if meets else (True, 0)
    for number, policy in device.rows(vdom, "firewall/policy").items():
        if policy["status"] == "enable" and look.matches(policy, packet, vip, port):
            leaves = device.route(packet.destination, packet.interface)
            if policy["action"] == "deny" or vip or leaves == packet.interface:
                return policy["action"] != "deny", int(number)
            # What leaves for a virtual IP of that interface comes back there and is asked once more
            # (vendor's knowledge base on hairpin NAT, ta-p/195448; by which source is not told).
            back = dataclasses.replace(packet, interface=leaves)
            return decide(device, back, vdom) if look.translate(back)[0] else (True, int(number))
    return False, 0


def delivered(device: Device, packet: Packet, vdom: str = "root") -> str:
    """To which address a packet gets in the end, behind a virtual IP too; '' where it is
    stopped.
    """
    if not decide(device, packet, vdom)[0]:
        return ""
    look = _Look(device, vdom)
    for sent in (
        packet,
        dataclasses.replace(packet, interface=device.route(packet.destination, packet.interface)),
    ):
        vip, _port = look.translate(sent)
        if vip:
            return look.server(sent, vip)
    return packet.destination


class _Look:
    def __init__(self, device: Device, vdom: str) -> None:
        self._device, self._vdom = device, vdom

    def _rows(self, path: str) -> t.Mapping[t.Any, Row]:
        return self._device.rows(self._vdom, path)

    def server(self, packet: Packet, vip: str) -> str:
        """Where the packet goes, behind the virtual IP."""
        row = self._vips(packet.destination)[vip] if vip else {}
        if real := self._real(row):
            return str(real["ip"])
        mapped = row["mappedip"] if vip else packet.destination
        return str(mapped if isinstance(mapped, str) else mapped[0]["range"]).split(
            "-", maxsplit=1
        )[0]

    def _real(self, vip: Row) -> Row:
        """The server that a virtual server chooses: the lab's takes the first that is in use."""
        return next(
            (server for server in vip.get("realservers") or () if server["status"] == "active"), {}
        )

    def _vips(self, address: str) -> t.Mapping[t.Any, Row]:
        return self._rows("firewall/vip6" if ":" in address else "firewall/vip")

    def translate(self, packet: Packet) -> tuple[str, int]:
        """The virtual IP that the packet meets, '' for none, and the port behind it."""
        for name, vip in self._vips(packet.destination).items():
            if (
                vip["extintf"] not in ("any", packet.interface)
                or vip["extip"] != packet.destination
            ):
                continue
            if vip.get("protocol", "tcp") != "tcp" or vip.get("type") == "access-proxy":
                continue  # No packet of TCP, or none that policies see.
            # A virtual server is for its port alone, whatever the switch says.
            if vip["portforward"] == "enable" or self._real(vip):
                outer = _numbers(vip["extport"])
                if packet.port not in outer:
                    continue
                inner = _numbers(
                    vip["mappedport"] if vip["mappedport"] not in ("", "0") else vip["extport"]
                )
                at = outer.index(packet.port)
                port = inner[at] if at < len(inner) else inner[0] + at
            else:
                port = packet.port
            port = int(self._real(vip).get("port") or port)
            allowed = [str(allowed_range["range"]) for allowed_range in vip["src-filter"] or ()]
            if allowed and not any(within(packet.source, text) for text in allowed):
                continue
            return str(name), port
        return "", packet.port

    def matches(self, policy: Row, packet: Packet, vip: str, port: int) -> bool:
        server = self.server(packet, vip)
        behind = self._device.route(server, packet.interface)
        for field, interface in (("srcintf", packet.interface), ("dstintf", behind)):
            if not {"any", interface, self._device.zone(interface)} & set(policy[field]):
                return False
        if not self._source(policy, packet.source) or not self._service(policy, port, server):
            return False
        if not self._device.conditions_hold(policy):
            return False
        return self._destination(policy, packet.destination, vip, server)

    def _source(self, policy: Row, source: str) -> bool:
        if policy["internet-service-src"] == "enable":
            by_service = any(
                source in self._device.internet_service(name)
                for name in policy.get("internet-service-src-name", ())
            )
            return bool(by_service != (policy["internet-service-src-negate"] == "enable"))
        if any(
            within(source, text)
            for name in policy.get("network-service-src-dynamic", ())
            for text in self._device.dynamic.get(name, ())
        ):
            return True
        names = policy.get("srcaddr6", ()) if ":" in source else policy["srcaddr"]
        if not names:
            return False
        return any(self._address(name, source) for name in names) != self._negated(
            policy, "srcaddr", source
        )

    def _negated(self, policy: Row, field: str, address: str) -> bool:
        """IPv6 has a switch of its own since 7.2.1; before, one switch is for both."""
        six = ":" in address and f"{field}6-negate" in policy
        return bool(policy[f"{field}6-negate" if six else f"{field}-negate"] == "enable")

    def _destination(self, policy: Row, destination: str, vip: str, server: str) -> bool:
        if policy["internet-service"] == "enable":
            by_service = any(
                destination in self._device.internet_service(name)
                for name in policy.get("internet-service-name", ())
            )
            return bool(by_service != (policy["internet-service-negate"] == "enable"))
        negated = self._negated(policy, "dstaddr", destination)
        if ":" in destination:
            names = policy.get("dstaddr6", ())
            if vip:
                return (
                    vip in names or (policy["action"] != "deny" and _PREDEFINED_ALL in names)
                ) != negated
            return (
                bool(names) and any(self._address(name, destination) for name in names) != negated
            )
        names = list(policy["dstaddr"])
        if not vip:
            plain = [
                name
                for name in names
                if name not in self._rows("firewall/vip")
                and name not in self._rows("firewall/vipgrp")
            ]
            return (
                bool(plain) and any(self._address(name, destination) for name in plain) != negated
            )
        groups = self._rows("firewall/vipgrp")
        named = any(
            name == vip or (name in groups and vip in groups[name]["member"]) for name in names
        )
        if policy["action"] != "deny" or policy["match-vip"] == "enable":
            named = named or _PREDEFINED_ALL in names
        if policy["action"] == "deny" and policy["match-vip"] == "enable":
            named = named or any(self._address(name, server) for name in names)
        return bool(named != negated)

    def _address(self, name: str, address: str, depth: int = 0) -> bool:
        if depth > 16:
            return False
        six = "6" if ":" in address else ""
        group = self._rows(f"firewall/addrgrp{six}").get(name)
        if group is not None:
            if group.get("exclude") == "enable" and any(
                self._address(member, address, depth + 1) for member in group["exclude-member"]
            ):
                return False
            return any(self._address(member, address, depth + 1) for member in group["member"])
        feed = self._device.feed_entries(self._vdom, name)
        if feed is not None:
            return any(within(address, text) for text in feed)
        row = self._rows(f"firewall/address{six}").get(name)
        if row is None:
            return False
        kind = row["type"]
        if kind == "fqdn":
            return any(within(address, text) for text in self._device.names.get(row["fqdn"], ()))
        if kind == "geography":
            return any(
                within(address, text) for text in self._device.countries.get(row["country"], ())
            )
        if kind in ("dynamic", "interface-subnet"):
            return any(within(address, text) for text in self._device.dynamic.get(name, ()))
        if kind == "iprange":
            return within(address, f"{row['start-ip']}-{row['end-ip']}")
        return within(address, row["ip6"] if six else row["subnet"].replace(" ", "/"))

    def _service(self, policy: Row, port: int, server: str) -> bool:
        if policy["internet-service"] == "enable":
            return True  # An internet service has ports of its own; the lab's have all.
        named = any(self._port(name, port, server) for name in policy["service"])
        return bool(named != (policy["service-negate"] == "enable"))

    def _port(self, name: str, port: int, server: str, depth: int = 0) -> bool:
        group = self._rows("firewall.service/group").get(name)
        if group is not None:
            return depth < 16 and any(
                self._port(member, port, server, depth + 1) for member in group["member"]
            )
        row = self._rows("firewall.service/custom")[name]
        if row["iprange"] != "0.0.0.0" and not within(server, row["iprange"]):
            return False
        if row["fqdn"] and server not in self._device.names.get(row["fqdn"], ()):
            return False
        if row["app-service-type"] != "disable":
            return False  # What an application is shows after the first packet.
        if row["protocol"] in ("IP", "ALL"):
            return row["protocol-number"] in (0, 6)
        for part in row["tcp-portrange"].split():
            first, _dash, last = part.partition(":")[0].partition("-")
            if int(first) <= port <= int(last or first):
                return True
        return False


def _numbers(text: str) -> list[int]:
    """The ports of a text such as `25 587` or `25-27`."""
    spans = [part.partition("-") for part in str(text).split()]
    return [
        number
        for first, _dash, last in spans
        for number in range(int(first), int(last or first) + 1)
    ]


def is_range(text: str) -> bool:
    """Whether the device takes a line of a range feed: an address, a prefix, or a first and a last
    address.
    """
    try:
        for part in text.split("-"):
            ipaddress.ip_network(part.strip(), strict=False)
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=4096)
def within(address: str, text: str) -> bool:
    """Whether an address is in an address, a prefix, or a range from a first to a last one."""
    number = ipaddress.ip_address(address)
    if "-" in text:
        first, last = (ipaddress.ip_address(part.strip()) for part in text.split("-"))
        return number.version == first.version and int(first) <= int(number) <= int(last)
    network = ipaddress.ip_network(text, strict=False)
    return number.version == network.version and number in network
