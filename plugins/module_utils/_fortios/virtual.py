# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a virtual IP or a virtual server leads to, as far as its row tells.

Of a virtual server policies are taken to see the port of its real servers, as those of any other
virtual IP see the port behind it (unverified). What cannot be read counts as every port, so that it
is seen as a way in.
"""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Row
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.services import (
    EVERY_PORT,
    Ports,
    span,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError, RangeSet

_BALANCER = "server-load-balance"
_PROXY = "access-proxy"
_NOT_TCP = frozenset({"udp", "sctp", "icmp"})


def is_balancer(vip: Row) -> bool:
    """Whether it is a virtual server, with real servers and no mapped address."""
    return str(vip.get("type") or "") == _BALANCER


def servers(vip: Row) -> RangeSet:
    """The addresses behind it; nothing where the row does not tell them."""
    real = [server.get("ip") for server in _real(vip)]
    try:
        return RangeSet.parse(
            [
                str(address)
                for address in (real if is_balancer(vip) else vip.get("mappedip")) or ()
                if address
            ]
        )
    except RangeError:
        return RangeSet(())


def untold(vip: Row) -> str:
    """What is behind it and not read, as a phrase; empty where the row tells the servers."""
    kind = str(vip.get("type") or "")
    if kind == _PROXY:
        return "an access proxy, whose servers are not read"
    if kind == "fqdn":
        return "for a host name, whose addresses are not read"
    if is_balancer(vip) and any(
        not server.get("ip") or str(server.get("type") or "ip") != "ip" for server in _real(vip)
    ):
        return "a virtual server for named addresses, which are not read"
    return ""


def _real(vip: Row) -> list[Row]:
    return [
        server
        for server in vip.get("realservers") or ()
        if isinstance(server, dict) and str(server.get("status") or "") != "disable"
    ]


def ports(vip: Row) -> Ports:
    """The TCP ports behind it."""
    if is_balancer(vip):
        return _balanced(vip)
    if vip.get("portforward") != "enable":
        return EVERY_PORT
    if str(vip.get("protocol") or "tcp") in _NOT_TCP:
        return ()
    pairs = _pairs(vip)
    return EVERY_PORT if pairs is None else tuple(sorted({inner for _outer, inner in pairs}))


def in_front(vip: Row, port: int) -> int:
    """The port in front by which one behind is reached."""
    pairs = (_pairs(vip) or ()) if vip.get("portforward") == "enable" or is_balancer(vip) else ()
    for outer, inner in pairs:
        if inner[0] <= port <= inner[1]:
            return outer[0] + port - inner[0]
    if is_balancer(vip):
        outside = _spans(vip.get("extport"))
        return outside[0][0] if outside else port
    return port


def is_for_one_port(vip: Row, port: int) -> bool:
    """Whether it leads to this port and to no other, of any protocol."""
    return (
        vip.get("portforward") == "enable"
        and not is_balancer(vip)
        and ports(vip) == ((port, port),)
    )


def _balanced(vip: Row) -> Ports:
    kind = str(vip.get("server-type") or "")
    if kind == "udp":
        return ()
    outside = _spans(vip.get("extport"))
    if kind == "ip" or not outside:
        return EVERY_PORT
    spans: set[tuple[int, int]] = set()
    for server in _real(vip):
        own = str(server.get("port") or "0")
        spans.update([(int(own), int(own))] if own.isdigit() and own != "0" else outside)
    return tuple(sorted(spans)) or outside


def _pairs(vip: Row) -> list[tuple[tuple[int, int], tuple[int, int]]] | None:
    """The ports in front with those behind; None where they cannot be read."""
    outside, inside = _spans(vip.get("extport")), _spans(vip.get("mappedport"))
    if not outside:
        return None
    if not inside:
        return [(span, span) for span in outside]
    if len(inside) != len(outside):
        return None
    pairs = []
    for outer, inner in zip(outside, inside):
        # Only the first port behind may be given; as many follow as there are in front.
        last = inner[0] + outer[1] - outer[0] if inner[0] == inner[1] else inner[1]
        pairs.append((outer, (inner[0], last)))
    return pairs


def _spans(value: object) -> Ports:
    """Ports as a row has them, `25`, `25-27` or `25 587`; nothing where there are none, or where
    they cannot be read.
    """
    text = str(value or "0").replace(",", " ").strip()
    try:
        return () if text in ("", "0") else tuple(span(part) for part in text.split())
    except ValueError:
        return ()
