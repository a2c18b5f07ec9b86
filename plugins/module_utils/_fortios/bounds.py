# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is behind the names of addresses, groups, feeds and internet services, between two bounds.

The tables do not tell the addresses of an FQDN or a country. An accept is judged by who *could* be
in its sources, a deny by who *certainly* is, so that the answer is never smaller than the truth.
"""

from __future__ import annotations

import types
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import shapes
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Row
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.networks import subnet
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    ADDRESS,
    ADDRESS6,
    FEED,
    FEED_ENTRIES,
    GROUP,
    GROUP6,
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    RangeError,
    RangeSet,
)

ALL = "all"
NOTHING = RangeSet(())

DYNAMIC_SOURCES = "network-service-src-dynamic"
"""A field of policies since 7.2."""

SERVICE_FIELDS = shapes.SERVICE_FIELDS
_KINDS: t.Mapping[str, str] = types.MappingProxyType(
    {
        "fqdn": "FQDN",
        "geography": "country",
        "dynamic": "dynamic address",
        "interface-subnet": "interface's network",
    }
)


class Opaque(t.NamedTuple):
    """A name whose addresses the tables do not tell. The same name has the same addresses wherever
    it stands.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}'"


@dataclass(frozen=True)
class Sources:
    """A set of addresses between two bounds.

    At most: the addresses `known` and those behind the names `opaque`. At least: the addresses
    `certain` and all of those behind the names `whole`.
    """

    known: RangeSet = NOTHING
    opaque: frozenset[Opaque] = frozenset()
    certain: RangeSet = NOTHING
    whole: frozenset[Opaque] = frozenset()

    def __or__(self, other: Sources) -> Sources:
        return Sources(
            self.known | other.known,
            self.opaque | other.opaque,
            self.certain | other.certain,
            self.whole | other.whole,
        )

    def __bool__(self) -> bool:
        return bool(self.known or self.opaque)

    def beyond(self, allowed: Sources) -> Sources:
        """What could be in these and not in those."""
        # An unknown name may hold any address, so that nothing is certainly outside of it.
        certain = NOTHING if allowed.opaque else self.certain - allowed.known
        whole = frozenset() if allowed else self.whole
        return Sources(self.known - allowed.certain, self.opaque - allowed.whole, certain, whole)


NOBODY = Sources()


def exactly(known: RangeSet = NOTHING, opaque: t.Iterable[Opaque] = ()) -> Sources:
    """These addresses and all behind these names: both bounds are the same."""
    names = frozenset(opaque)
    return Sources(known, names, known, names)


def everything(version: int) -> RangeSet:
    """All addresses of a version of IP."""
    return EVERYTHING.v4 if version == 4 else EVERYTHING.v6


class Names:
    """The names of one state of the device."""

    def __init__(self, state: DeviceState) -> None:
        self._state = state
        self._held: dict[tuple[int, str], Sources] = {}

    def named(self, name: str, version: int) -> Sources:
        """Who is behind the name of an address, a group or a feed."""
        if (version, name) not in self._held:
            # A group that holds itself holds nothing by that.
            self._held[version, name] = NOBODY
            self._held[version, name] = self._named(name, version)
        return self._held[version, name]

    def all_named(self, names: t.Iterable[str], version: int) -> Sources:
        """Who is behind several names."""
        members = [self.named(str(name), version) for name in names]
        return Sources(
            RangeSet(interval for member in members for interval in member.known.intervals),
            frozenset(name for member in members for name in member.opaque),
            RangeSet(interval for member in members for interval in member.certain.intervals),
            frozenset(name for member in members for name in member.whole),
        )

    def _named(self, name: str, version: int) -> Sources:
        state = self._state
        group = state.table(GROUP if version == 4 else GROUP6).get(name)
        if group is not None:
            members = self.all_named(group.get("member") or (), version)
            if group.get("exclude") != "enable":
                return members
            return members.beyond(self.all_named(group.get("exclude-member") or (), version))
        row = state.table(ADDRESS if version == 4 else ADDRESS6).get(name)
        if row is not None:
            return _address(name, row, version)
        entries = state.table(FEED_ENTRIES).get(name)
        if entries is not None:
            held = RangeSet.parse(entries["entries"])
            return exactly(held.v4 if version == 4 else held.v6)
        if name == ALL:
            return exactly(everything(version))
        return exactly(opaque=[Opaque("feed" if name in state.table(FEED) else "source", name)])

    def sources(self, policy: Row, version: int) -> Sources:
        """From whom a policy takes traffic."""
        six = "" if version == 4 else "6"
        by_service = policy.get(f"internet-service{six}-src") == "enable"
        named = (
            self._services(policy, f"internet-service{six}-src", version)
            if by_service
            else self._addresses(policy, "srcaddr", version)
        )
        # Whether they come beside others is unverified, so that no deny is one for them.
        dynamic = frozenset(
            Opaque("network service", str(name)) for name in policy.get(DYNAMIC_SOURCES) or ()
        )
        return named | Sources(NOTHING, dynamic) if dynamic else named

    def destinations(self, policy: Row, version: int) -> Sources:
        """To whom a policy takes traffic, addresses behind virtual IPs left out."""
        six = "" if version == 4 else "6"
        if policy.get(f"internet-service{six}") == "enable":
            return self._services(policy, f"internet-service{six}", version)
        return self._addresses(policy, "dstaddr", version)

    def _services(self, policy: Row, field: str, version: int) -> Sources:
        if policy.get(f"{field}-negate") == "enable":
            return Sources(everything(version))
        names = {str(name) for end in SERVICE_FIELDS for name in policy.get(f"{field}-{end}") or ()}
        if not names:
            # By a field that is not known here; two of them need not be the same.
            return Sources(NOTHING, frozenset({Opaque("internet service", "?")}))
        return exactly(opaque=[Opaque("internet service", name) for name in names])

    def _addresses(self, policy: Row, field: str, version: int) -> Sources:
        names = policy.get(field if version == 4 else f"{field}6") or ()
        held = self.all_named(names, version)
        negated = negation(policy, field, version)
        if not names and is_untold(policy, field):
            # By a field that is not known here; two of them need not be the same.
            return Sources(NOTHING, frozenset({Opaque("source", "?")}))
        if negated is False or not names:
            return held
        if negated is None:
            return Sources(everything(version))
        return exactly(everything(version)).beyond(held)


def is_untold(policy: Row, field: str) -> bool:
    """Whether a policy names no addresses at all: the device takes none without, so that a field
    that is not known here has them.
    """
    service = "internet-service-src" if field == "srcaddr" else "internet-service"
    named = [policy.get(field), policy.get(f"{field}6")]
    return (
        not any(named)
        and not policy.get(DYNAMIC_SOURCES)
        and not any(
            policy.get(switch) == "enable"
            for switch in (service, service.replace("-service", "-service6"))
        )
    )


def negation(policy: Row, field: str, version: int) -> bool | None:
    """Whether a policy is for all but the addresses that it names; None where that is not known."""
    negated = policy.get(f"{field}-negate") == "enable"
    if version == 4:
        return negated
    own = policy.get(f"{field}6-negate")
    if own is not None:
        return bool(own == "enable")
    # Until 7.2.1 IPv6 has no switch of its own, and whether the one of IPv4 is for both is not
    # documented alike everywhere.
    return None if negated else False


def _address(name: str, row: Row, version: int) -> Sources:
    kind = str(row.get("type") or ("ipmask" if version == 4 else "ipprefix"))
    try:
        if kind in ("ipmask", "ipprefix"):
            held = subnet(row.get("subnet" if version == 4 else "ip6"))
            if held is not None and held.version == version:
                return exactly(RangeSet([held]))
        if kind == "iprange":
            return exactly(RangeSet.parse([f"{row.get('start-ip')}-{row.get('end-ip')}"]))
    except RangeError:
        pass
    return exactly(opaque=[Opaque(_KINDS.get(kind, kind), name)])
