# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the device behind which interfaces servers are, so that only policies that lead there are
touched.

The route of today is not enough, where another one takes its place when an interface goes down or
comes up. So to its interface come those whose own network holds the server, those of all static
routes that do, but the default route, and those of policy routes that could be meant for it. Where
any of it cannot be read, or is not understood, nothing is told, and every policy counts as one that
could lead there.

The answers of the monitors `router/lookup` and `router/ipv4` are as a public client of the API
(fortigate-api, Apache-2.0) shows them; on a device they are unverified, so that an interface is
believed only where the device has one of that name. That a dynamic route could move the server to
another interface is not looked at.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import interfaces
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import (
    Names,
    everything,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import FortiOS, Row
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import DeviceError
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import (
    Target,
    model_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.networks import subnet
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import DeviceState
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.ways import Ways
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import Interval, RangeSet

_MOST_ADDRESSES = 8
"""Behind one virtual IP; each costs a request."""
_LONGEST_TABLE = 500
"""A table of routes of this length may be the first page of a longer one (unverified)."""
_TCP = ("0", "6")
_NONE = {"0"}
_BY_SERVICE = (
    "internet-service",
    "internet-service-custom",
    "internet-service-fortiguard",
    "internet-service-id",
)


class _NotTold(Exception):
    """The device does not tell, or not so that it can be believed."""


class Routes:
    """What one device has told. `known`: its interfaces, where somebody has read them already."""

    def __init__(self, client: FortiOS, known: interfaces.Interfaces | None = None) -> None:
        self._client, self._interfaces = client, known
        self._behind: dict[Interval, frozenset[str]] = {}
        self._asked: set[Interval] = set()
        self._configured: dict[str, list[Row]] = {}

    def told(
        self, state: DeviceState, targets: t.Iterable[Target], ways_in: t.Collection[str] = ()
    ) -> DeviceState:
        """The state with the ways to the targets. The device is asked only where the policies leave
        open where a target is, and once for each server; for its zones alone where these settle it.
        Raises DeviceUnreachable.
        """
        every = list(targets)
        state = self._with_ways(state)
        if self._unsettled(state, every, ways_in) and self._has_interfaces(state):
            state = self._with_ways(state)
            for servers in self._unsettled(state, every, ways_in):
                fresh = [interval for interval in servers.intervals if interval not in self._asked]
                if fresh and servers.size <= _MOST_ADDRESSES:
                    self._asked.update(fresh)
                    for interval in fresh:
                        self._learn(interval, state)
        return self._with_ways(state)

    def _with_ways(self, state: DeviceState) -> DeviceState:
        ways = Ways(self._interfaces, dict(self._behind))
        return state if state.ways == ways else dataclasses.replace(state, ways=ways)

    def _unsettled(
        self, state: DeviceState, targets: t.Iterable[Target], ways_in: t.Collection[str]
    ) -> list[RangeSet]:
        model = model_of(state, ways_in)
        return [model.servers(target) for target in targets if model.is_unsettled(target)]

    def _has_interfaces(self, state: DeviceState) -> bool:
        if self._interfaces is None:
            with contextlib.suppress(DeviceError):
                self._interfaces = interfaces.read(self._client, state.version)
        return self._interfaces is not None

    def _learn(self, servers: Interval, state: DeviceState) -> None:
        try:
            interfaces_of = {
                name for server in _each(servers) for name in self._leading_to(server, state)
            }
        except (DeviceError, _NotTold):
            return
        self._behind[servers] = frozenset(interfaces_of)

    def _leading_to(self, server: Interval, state: DeviceState) -> set[str]:
        leading = self._looked_up(server) or self._in_table(server)
        known = {} if self._interfaces is None else self._interfaces.networks
        leading |= {name for name, networks in known.items() if str(server) in networks}
        names = model_of(state).names
        for row in self._table("router/static", server.version):
            if row.get("status") != "disable" and _holds(row, server, names, default=False):
                leading |= self._device_of(row)
        for row in self._table("router/policy", server.version):
            off = row.get("status") == "disable" or row.get("action") == "deny"
            if (
                not off
                and str(row.get("protocol") or 0) in _TCP
                and _holds(row, server, names, default=True)
            ):
                leading |= _texts(row.get("output-device"))
        return leading

    def _device_of(self, row: Row) -> set[str]:
        """Where a static route leads. One over SD-WAN names its zones from 7.0.1; none before."""
        sdwan = any(row.get(field) == "enable" for field in ("sdwan", "virtual-wan-link"))
        zones = self._interfaces.sdwan if sdwan and self._interfaces else frozenset()
        return _texts(row.get("device")) | _texts(row.get("sdwan-zone")) | zones

    def _table(self, path: str, version: int) -> list[Row]:
        path = path if version == 4 else f"{path}6"
        if path not in self._configured:
            self._configured[path] = self._client.table(path)
        return self._configured[path]

    def _looked_up(self, server: Interval) -> set[str]:
        """The interface of the route of today; nothing where the device does not offer it."""
        six = {"ipv6": "true"} if server.version == 6 else {}
        try:
            route = self._client.monitor("router/lookup", destination=str(server), **six)
        except DeviceError:
            return set()
        name = (
            route.get("interface")
            if isinstance(route, t.Mapping) and route.get("success", True)
            else None
        )
        return {name} if isinstance(name, str) and name in self._names() else set()

    def _in_table(self, server: Interval) -> set[str]:
        """The same from the table of the routes in force: of the longest prefixes that hold the
        server. Raises _NotTold.
        """
        rows = self._client.monitor(f"router/ipv{server.version}")
        if not isinstance(rows, list) or len(rows) >= _LONGEST_TABLE:
            raise _NotTold
        by_size: dict[int, set[str]] = {}
        for row in rows:
            network = subnet(row.get("ip_mask")) if isinstance(row, t.Mapping) else None
            if network is None or network.version != server.version:
                raise _NotTold
            if network.first <= server.first <= network.last:
                by_size.setdefault(network.size, set()).add(str(row.get("interface")))
        nearest = by_size[min(by_size)] if by_size else set()
        if not nearest or not nearest <= self._names():
            raise _NotTold
        return nearest

    def _names(self) -> frozenset[str]:
        return frozenset() if self._interfaces is None else self._interfaces.names


def _each(servers: Interval) -> t.Iterator[Interval]:
    for value in range(servers.first, servers.last + 1):
        yield Interval(servers.version, value, value)


def _holds(row: Row, server: Interval, names: Names, *, default: bool) -> bool:
    """Whether a configured route could be for a server. `default`: whether one for everything is.

    What is not understood could be.
    """
    if row.get("dst-negate") == "enable":
        return True
    if any(_texts(row.get(field)) - _NONE for field in _BY_SERVICE):
        return default
    named = _texts(row.get("dstaddr"))
    if named:
        held = names.all_named(named, server.version)
        return bool(held.opaque) or str(server) in held.known
    networks = [subnet(text) for text in _texts(row.get("dst"))]
    if any(network is None for network in networks):
        return True
    destinations = RangeSet(network for network in networks if network is not None)
    if not networks or destinations in (everything(4), everything(6)):
        return default
    return str(server) in destinations


def _texts(value: t.Any) -> set[str]:
    """The texts of a field; in a list each is an object of one, beside the bookkeeping."""
    if isinstance(value, (list, tuple)):
        inner = [
            [text for field, text in entry.items() if field != "q_origin_key"]
            if isinstance(entry, t.Mapping)
            else [entry]
            for entry in value
        ]
        return {str(text) for texts in inner for text in texts}
    return set() if value in (None, "") else {str(value)}
