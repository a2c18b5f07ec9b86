# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a firewall rule takes as addresses and ports, and how it gives them back (MS-FASP 2.2.36 to
2.2.38, INetFwRule).
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.com import INVALID_ARGUMENT, ComError

IPAddress = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Span = tuple[int, int, int]
"""Version, first and last address as numbers."""

MOST = 1000
KEYWORDS = ("LocalSubnet", "Defaultgateway", "DHCP", "DNS", "WINS")
LATER_KEYWORDS = ("Internet", "Intranet", "RmtIntranet", "Ply2Renders", "CaptivePortal")
PORT_KEYWORDS = ("RPC", "RPC-EPMap", "IPHTTPS", "Teredo", "Ply2Disc", "mDNS")


def refused(message: str = "Value does not fall within the expected range.") -> ComError:
    """E_INVALIDARG."""
    return ComError(INVALID_ARGUMENT, message, "ArgumentException")


def parse(text: str, *, late: bool = True) -> list[str | Span]:
    """Keywords, and spans of addresses. Raises ComError for what a rule does not take.

    Not taken: ::1 and ::, a prefix or mask of 0, host bits, blanks, `*` beside others, more than
    1,000 in one of the four lists.
    """
    known = {word.casefold(): word for word in (*KEYWORDS, *(LATER_KEYWORDS if late else ()))}
    entries: list[str | Span] = []
    lists: dict[str, int] = {}
    items = text.split(",")
    if "*" in items:
        if items != ["*"]:
            raise refused()
        return ["*"]
    for item in items:
        if item.casefold() in known:
            entries.append(known[item.casefold()])
            continue
        span, kind = _span(item)
        lists[kind] = lists.get(kind, 0) + 1
        if lists[kind] > MOST:
            raise refused()
        entries.append(span)
    return entries


def _span(item: str) -> tuple[Span, str]:
    if not item or item != item.strip() or any(character.isspace() for character in item):
        raise refused()
    try:
        if "-" in item:
            start, end = (ipaddress.ip_address(part) for part in item.split("-"))
            if start.version != end.version or int(start) > int(end):
                raise refused()
            _usable(start)
            return (start.version, int(start), int(end)), f"range {start.version}"
        network = ipaddress.ip_network(item, strict=True)
    except ValueError:
        raise refused() from None
    if network.prefixlen == 0:
        raise refused()
    _usable(network.network_address)
    return (
        network.version,
        int(network.network_address),
        int(network.broadcast_address),
    ), f"subnet {network.version}"


def _usable(address: IPAddress) -> None:
    if address.version == 6 and (address.is_loopback or address.is_unspecified):
        raise ComError(
            0xD000000D, "An invalid parameter was passed to a service or function. (0xD000000D)"
        )


def shown(parsed: t.Sequence[str | Span]) -> str:
    """What a rule gives back: masks, singles with all bits, in an order of its own."""
    words = [item for item in parsed if isinstance(item, str)]
    spans = sorted((item for item in parsed if not isinstance(item, str)), reverse=True)
    return ",".join([*(_text(span, masks=True) for span in spans), *words])


def _text(span: Span, *, masks: bool) -> str:
    version, first, last = span
    make = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    size = last - first + 1
    if size & (size - 1) or first % size:
        return f"{make(first)}-{make(last)}"
    network = ipaddress.ip_network((first, (32 if version == 4 else 128) - size.bit_length() + 1))
    if version == 4:
        return network.with_netmask if masks else str(network)
    return str(network) if size > 1 else str(make(first))


def tokens(parsed: t.Sequence[str | Span]) -> list[str]:
    """The same as tokens of a rule's text in the registry; none for all."""
    texts = []
    for item in parsed:
        if item == "*":
            continue
        if isinstance(item, str):
            texts += [f"RA4={item}", f"RA6={item}"]
        else:
            texts.append(f"RA{item[0]}={_text(item, masks=True)}")
    return texts


def holds(
    parsed: t.Sequence[str | Span], source: IPAddress, keywords: t.Mapping[str, t.Sequence[str]]
) -> bool:
    """Whether a sender is one of them. `keywords` says what each stands for on this host; one that
    stands for nothing has the whole rule not enforced (MS-FASP 2.2.38, FW_RULE_STATUS_PARSING_ERROR
    and the like; firewall reference of the facts).
    """
    for item in parsed:
        if isinstance(item, str) and item != "*" and not keywords.get(item):
            return False
    for item in parsed:
        if item == "*":
            return True
        if isinstance(item, str):
            if any(
                source in ipaddress.ip_network(network)
                for network in keywords[item]
                if _same(network, source)
            ):
                return True
        elif item[0] == source.version and item[1] <= int(source) <= item[2]:
            return True
    return False


def _same(network: str, source: IPAddress) -> bool:
    return ipaddress.ip_network(network).version == source.version


def parse_ports(text: str, *, ranges: bool = True) -> list[str | tuple[int, int]]:
    """Keywords and spans of ports.

    Ranges are not taken by Server 2008 before its service pack 2 (INetFwRule::put_LocalPorts).
    """
    known = {word.casefold(): word for word in PORT_KEYWORDS}
    items = text.split(",")
    if items == ["*"]:
        return ["*"]
    if len(items) > MOST:
        raise refused()
    ports: list[str | tuple[int, int]] = []
    for item in items:
        if item.casefold() in known:
            ports.append(known[item.casefold()])
            continue
        first, dash, last = item.partition("-")
        if not first.isdecimal() or (dash and not (last.isdecimal() and ranges)):
            raise refused()
        span = (int(first), int(last or first))
        if not 0 <= span[0] <= span[1] <= 65535:
            raise refused()
        ports.append(span)
    return ports


def shown_ports(parsed: t.Sequence[str | tuple[int, int]]) -> str:
    """As a rule gives them back."""
    return ",".join(item if isinstance(item, str) else _port(item) for item in parsed)


def port_tokens(parsed: t.Sequence[str | tuple[int, int]]) -> list[str]:
    """As tokens of a rule's text: ranges have a name of their own from 2008 R2 on."""
    texts = []
    for item in parsed:
        if item == "*":
            continue
        if item == "IPHTTPS":
            # So it stands in the registry (from memory, unverified).
            texts += ["LPort2_10=IPTLSIn", "LPort2_10=IPHTTPSIn"]
        elif isinstance(item, str):
            texts.append(f"LPort={item}")
        else:
            texts.append(f"LPort={item[0]}" if item[0] == item[1] else f"LPort2_10={_port(item)}")
    return texts


def _port(span: tuple[int, int]) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]}-{span[1]}"
