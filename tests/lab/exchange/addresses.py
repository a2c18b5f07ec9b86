# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges and bindings as Exchange reads and prints them. Standard library only: the collection's
own algebra is what is tested.

Source of the forms: Set-ReceiveConnector.md (RemoteIPRanges, Bindings), and the objects of a real
server.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class IPRange:
    """A range. Two are equal by their bounds; `expression` is the text as it was typed, which is
    how it prints.
    """

    version: int
    first: int
    last: int
    expression: str = field(compare=False)

    @classmethod
    def parse(cls, text: str, *, netmask: bool = False) -> IPRange:
        """Raise ValueError for what Exchange does not take. `netmask` allows the form
        ``10.0.0.0(255.0.0.0)``, which old consoles wrote (unverified) and no cmdlet documents.
        """
        bare = text.strip()
        masked = re.fullmatch(r"([0-9.]+)\(([0-9.]+)\)", bare)
        if masked and netmask:
            network = ipaddress.IPv4Network(f"{masked.group(1)}/{masked.group(2)}", strict=False)
            return cls(4, int(network.network_address), int(network.broadcast_address), bare)
        low, dash, high = bare.partition("-")
        if dash:
            first, last = _address(low), _address(high)
            if first.version != last.version:
                raise ValueError("both ends of a range have to be of one address family")
            if int(first) > int(last):
                raise ValueError("the first address of a range has to be lower than the last one")
            return cls(first.version, int(first), int(last), bare)
        address, slash, bits = bare.partition("/")
        if not slash:
            only = _address(address)
            return cls(only.version, int(only), int(only), bare)
        if not re.fullmatch(r"[0-9]{1,3}", bits) or "%" in address:
            raise ValueError("the length of a prefix has to be a number")
        # Host bits may be set: 192.168.1.1/24 and 2001:0DB8::CD3/60 are Microsoft's own examples.
        block = ipaddress.ip_network(f"{_address(address)}/{int(bits)}", strict=False)
        return cls(block.version, int(block.network_address), int(block.broadcast_address), bare)

    def __str__(self) -> str:
        return self.expression

    @property
    def bounds(self) -> str:
        """First and last address, however the range was typed."""
        address = ipaddress.IPv4Address if self.version == 4 else ipaddress.IPv6Address
        return f"{address(self.first)}-{address(self.last)}"

    def overlaps(self, other: IPRange) -> bool:
        """Whether they have an address in common."""
        return (
            self.version == other.version and self.first <= other.last and other.first <= self.last
        )

    def conflicts(self, other: IPRange) -> bool:
        """Whether two connectors may not have them on one binding: equal ones, and such as overlap
        in part. One that lies completely inside the other is allowed (receive-connectors.md).
        """
        if not self.overlaps(other):
            return False
        inside = self.first >= other.first and self.last <= other.last
        outside = self.first <= other.first and self.last >= other.last
        return inside == outside


@dataclass(frozen=True)
class IPBinding:
    """A local address and port."""

    version: int
    address: int
    port: int

    @classmethod
    def parse(cls, text: str) -> IPBinding:
        """Raise ValueError for what Exchange does not take."""
        form = re.fullmatch(r"(?:\[([^\]]+)\]|([0-9.]+)):([0-9]{1,5})", text.strip())
        if not form:
            raise ValueError("a binding is an address and a port, such as 0.0.0.0:25 or [::]:25")
        address, port = _address(form.group(1) or form.group(2)), int(form.group(3))
        if form.group(1) and address.version != 6:
            raise ValueError("square brackets are for IPv6 addresses")
        if not 0 < port < 65536:
            raise ValueError("the port is out of range")
        return cls(address.version, int(address), port)

    def __str__(self) -> str:
        if self.version == 4:
            return f"{ipaddress.IPv4Address(self.address)}:{self.port}"
        return f"[{ipaddress.IPv6Address(self.address)}]:{self.port}"

    @property
    def is_any(self) -> bool:
        """Whether it stands for every local address."""
        return self.address == 0

    @property
    def host(self) -> str:
        """The address as text."""
        return str(
            ipaddress.IPv4Address(self.address)
            if self.version == 4
            else ipaddress.IPv6Address(self.address)
        )


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    bare = text.strip()
    if "%" in bare:
        # A zone, as in Microsoft's example fe80::39bd:88f7:6969:d223%11: it names an adapter and is
        # no part of the number.
        bare, _percent, zone = bare.partition("%")
        if not zone or ":" not in bare:
            raise ValueError("a zone belongs to an IPv6 address")
    return ipaddress.ip_address(bare)
