# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which TCP ports the services of a policy are for."""

from __future__ import annotations

import enum

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import conditions
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Row
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    SERVICE,
    SERVICE_GROUP,
    DeviceState,
)

EVERY_PORT = ((0, 65535),)
_OTHER_PORTS = ("udp-portrange", "udplite-portrange", "sctp-portrange")
Ports = tuple[tuple[int, int], ...]


class Match(enum.IntEnum):
    """Whether a policy matches: not, perhaps (the tables do not tell), or certainly."""

    NO = 0
    PERHAPS = 1
    YES = 2


class Services:
    """The services of one state of the device."""

    def __init__(self, state: DeviceState) -> None:
        self._state = state
        self._matched: dict[tuple[str, int], Match] = {}

    def ports(self, name: str, above: frozenset[str] = frozenset()) -> Ports | None:
        """The TCP ports of a service or a group of them; None where the tables do not tell."""
        group = self._state.table(SERVICE_GROUP).get(name)
        if group is not None:
            members = [str(member) for member in group.get("member") or () if member not in above]
            parts = [self.ports(member, above | {name}) for member in members]
            if any(ports is None for ports in parts):
                return None
            return tuple(sorted({span for ports in parts for span in ports or ()}))
        row = self._state.table(SERVICE).get(name)
        if row is None:
            return EVERY_PORT if name == "ALL" else None
        return _ports(row)

    def matches(self, policy: Row, port: int) -> Match:
        """Whether a policy is for the port."""
        if policy.get("internet-service") == "enable":
            # An internet service has ports of its own, which the tables do not tell.
            return Match.PERHAPS
        # One without any is in a field that is not known here, since the device takes none without.
        match = max(
            (self._named(str(name), port) for name in policy.get("service") or ()),
            default=Match.PERHAPS,
        )
        return Match(2 - match) if policy.get("service-negate") == "enable" else match

    def _named(self, name: str, port: int) -> Match:
        if (name, port) not in self._matched:
            self._matched[name, port] = self._match(name, port)
        return self._matched[name, port]

    def _match(self, name: str, port: int, above: frozenset[str] = frozenset()) -> Match:
        group = self._state.table(SERVICE_GROUP).get(name)
        if group is not None:
            members = [str(member) for member in group.get("member") or () if member not in above]
            return max(
                (self._match(member, port, above | {name}) for member in members), default=Match.NO
            )
        ports = self.ports(name)
        if ports is None:
            return Match.PERHAPS
        if not covers(ports, port):
            return Match.NO
        return (
            Match.PERHAPS
            if conditions.of_service(self._state.table(SERVICE).get(name, {}))
            else Match.YES
        )

    def only(self, policy: Row, port: int) -> bool:
        """Whether a policy is for this TCP port and nothing else."""
        if policy.get("service-negate") == "enable":
            return False
        names = [str(name) for name in policy.get("service") or ()]
        return bool(names) and all(
            self.ports(name) == ((port, port),) and self._only_tcp(name) for name in names
        )

    def _only_tcp(self, name: str) -> bool:
        group = self._state.table(SERVICE_GROUP).get(name)
        if group is not None:
            return all(
                self._only_tcp(str(member))
                for member in group.get("member") or ()
                if member != name
            )
        row = self._state.table(SERVICE).get(name, {})
        return not any(str(row.get(field) or "").strip() for field in _OTHER_PORTS)


def covers(ports: Ports, port: int) -> bool:
    """Whether a port is among them."""
    return any(first <= port <= last for first, last in ports)


def span(text: str) -> tuple[int, int]:
    """`25` or `25-27`. Raises ValueError."""
    first, _dash, last = text.strip().partition("-")
    return int(first), int(last or first)


def _ports(row: Row) -> Ports | None:
    protocol = str(row.get("protocol") or "TCP/UDP/SCTP")
    if protocol in ("IP", "ALL"):
        return EVERY_PORT if str(row.get("protocol-number") or "0") in ("0", "6") else ()
    if protocol in ("ICMP", "ICMP6"):
        return ()
    if not protocol.startswith("TCP/UDP"):  # Later FortiOS names UDP-Lite there as well.
        return None
    parts = str(row.get("tcp-portrange") or "").split()
    if any(":" in part for part in parts):
        return None  # 25:1024-65535 is for some of the sender's ports only.
    try:
        return tuple(sorted({span(part) for part in parts}))
    except ValueError:
        return None
