# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces, zones and SD-WAN zones: what policies name where the user names an interface.

From 6.4.1 policies cannot name the members of a zone or of an SD-WAN zone; they name the zone.
Before, they may name either.
"""

from __future__ import annotations

import difflib
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import (
    FortiOS,
    Row,
    Version,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.networks import subnet
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet, parse_range
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    WARN,
    Finding,
)

ANY = "any"
ZONES_ALONE_SINCE: Version = (6, 4, 1)
SDWAN_SINCE: Version = (6, 4, 0)
# How FortiOS shows that there is no address: 0.0.0.0 with an empty netmask, and ::/0.
_UNSET = (parse_range("0.0.0.0/0"), parse_range("::/0"))
_ONE_SDWAN_ZONE = "virtual-wan-link"


@dataclass(frozen=True)
class Interfaces:
    """What a device has. `zones`: zone → its members, SD-WAN zones with them; `intrazone`: those
    whose members reach each other freely; `sdwan`: those of SD-WAN; `networks`: interface → the
    networks that are connected to it, whether it is up or down.
    """

    version: Version
    names: frozenset[str]
    zones: t.Mapping[str, frozenset[str]]
    intrazone: frozenset[str]
    sdwan: frozenset[str] = frozenset()
    networks: t.Mapping[str, RangeSet] = field(default_factory=dict)

    def for_policies(self, wanted: t.Sequence[str]) -> tuple[str, ...]:
        """The names that policies have for these interfaces. Raises PlanError for one that the
        device does not have.
        """
        unknown = [
            name
            for name in wanted
            if name != ANY and name not in self.names and name not in self.zones
        ]
        if unknown:
            has = sorted({*self.names, *self.zones})
            near = difflib.get_close_matches(unknown[0], has, n=1)
            like = f" Is '{near[0]}' meant?" if near else ""
            raise PlanError(
                f"The device has no interface and no zone '{unknown[0]}'.{like} Nothing was "
                f"changed. It has: {', '.join(has)}."
            )
        names: list[str] = []
        for name in wanted:
            zones = self._of(name)
            names += zones
            if not zones or self.version < ZONES_ALONE_SINCE:
                names.append(name)
        return tuple(dict.fromkeys(names))

    def zones_named(self, wanted: t.Sequence[str]) -> t.Iterator[Finding]:
        """Which of the named interfaces are looked at by their zones."""
        for name in wanted:
            for zone in self._of(name):
                yield Finding(
                    "interface_in_zone",
                    WARN,
                    f"The interface '{name}' is a member of the zone '{zone}', which policies name "
                    "in its place; the whole zone is looked at.",
                )

    def findings(self, wanted: t.Sequence[str]) -> t.Iterator[Finding]:
        """What the user should know of the named interfaces."""
        yield from self.zones_named(wanted)
        for zone in self.free(wanted):
            yield Finding(
                "intrazone",
                WARN,
                f"Between the members of the zone '{zone}' ({', '.join(sorted(self.zones[zone]))}) "
                "traffic passes without any policy (intrazone allow), so that no lock stops it.",
            )

    def free(self, wanted: t.Sequence[str]) -> list[str]:
        """Those zones of the named interfaces whose members reach each other without a policy."""
        return [
            zone
            for zone in self.for_policies(wanted)
            if zone in self.intrazone and len(self.zones[zone]) > 1
        ]

    def called(self, name: str) -> frozenset[str]:
        """What policies may call an interface: itself and its zones; of a zone its members too.

        What SD-WAN sends through one of its members it may send through any other.
        """
        zones = set(self._of(name))
        if (zones | {name}) & self.sdwan:
            zones |= self.sdwan
        members = {
            member for zone in {name, *(zones & self.sdwan)} for member in self.zones.get(zone, ())
        }
        return frozenset({name, *zones, *members})

    def _of(self, name: str) -> list[str]:
        return sorted(zone for zone, members in self.zones.items() if name in members)


def read(client: FortiOS, version: Version) -> Interfaces:
    """Read interfaces, zones and SD-WAN: three requests. Raises FortiOSError."""
    rows = client.table("system/interface", fields=("name", "ip", "secondaryip", "ipv6"))
    networks = {_name(client, "system/interface", row): _connected(row) for row in rows}
    zones: dict[str, frozenset[str]] = {}
    intrazone: set[str] = set()
    for row in client.table("system/zone"):
        zone = _name(client, "system/zone", row)
        zones[zone] = frozenset(
            _name(client, "system/zone", member, "interface-name")
            for member in _objects(client, "system/zone", row, "interface")
        )
        if row.get("intrazone") == "allow":
            intrazone.add(zone)
    path = "system/sdwan" if version >= SDWAN_SINCE else "system/virtual-wan-link"
    sdwan = client.single(path)
    wide: set[str] = set()
    if sdwan.get("status") == "enable":
        for row in _objects(client, path, sdwan, "zone") or [{"name": _ONE_SDWAN_ZONE}]:
            zone = _name(client, path, row)
            zones.setdefault(zone, frozenset())
            wide.add(zone)
        for member in _objects(client, path, sdwan, "members"):
            zone = str(member.get("zone") or _ONE_SDWAN_ZONE)
            zones[zone] = zones.get(zone, frozenset()) | {_name(client, path, member, "interface")}
            wide.add(zone)
    return Interfaces(
        version, frozenset(networks), zones, frozenset(intrazone), frozenset(wide), networks
    )


def _name(client: FortiOS, path: str, row: Row, field: str = "name") -> str:
    name = row.get(field) or row.get("q_origin_key")
    if not isinstance(name, str):
        raise client.unreadable(path, f"an entry without its {field}")
    return name


def _objects(client: FortiOS, path: str, row: Row, field: str) -> list[Row]:
    """The rows within a row. Raises DeviceError for what is none."""
    inner = row.get(field) or []
    if not isinstance(inner, list) or not all(isinstance(entry, dict) for entry in inner):
        raise client.unreadable(path, f"an entry whose {field} is not a list of objects")
    return inner


def _inner(row: t.Any, field: str) -> list[t.Any]:
    entries = row.get(field)
    return (
        [entry for entry in entries if isinstance(entry, t.Mapping)]
        if isinstance(entries, list)
        else []
    )


def _connected(row: Row) -> RangeSet:
    """The networks of the addresses of an interface; what is no address is left out, such as that
    of one without any.
    """
    six = row.get("ipv6")
    inner = [six] if isinstance(six, t.Mapping) else []
    texts = [row.get("ip"), *(part.get("ip6-address") for part in inner)]
    texts += [part.get("ip") for part in _inner(row, "secondaryip")]
    texts += [address.get("prefix") for part in inner for address in _inner(part, "ip6-extra-addr")]
    return RangeSet(
        network for network in map(subnet, texts) if network is not None and network not in _UNSET
    )
