# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches a port through a FortiGate: its policies, read in their order, from the tables alone.

What the tables do not tell (the addresses of an FQDN or a country, a schedule, a login) is counted as open where it lets somebody through and
as no protection where it stops somebody, so that the answer is never smaller than the truth.

A virtual IP is applied before the policies: they see the port behind it, and a deny whose destination is `all` does not stop what a virtual
IP has let in, unless it says match-vip (Fortinet's knowledge base; the default of match-vip changed after 7.2.3).
"""

from __future__ import annotations

import enum
import itertools
import types
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Key, Row, Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    ADDRESS,
    ADDRESS6,
    FEED,
    FEED_ENTRIES,
    GROUP,
    GROUP6,
    POLICY,
    SERVICE,
    SERVICE_GROUP,
    VIP,
    VIP_GROUP,
    DeviceState,
    subnet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    Interval,
    RangeError,
    RangeSet,
    parse_address,
)

MATCH_VIP_BY_DEFAULT_AFTER: Version = (7, 2, 3)
ANY = "any"
_UNNAMED = ""  # An interface that no policy names; those for any interface are for it as well.
ALL = "all"
NOTHING = RangeSet(())
EVERY_PORT = ((0, 65535),)
_OTHER_PORTS = ("udp-portrange", "udplite-portrange", "sctp-portrange")
Ports = tuple[tuple[int, int], ...]

INTERNET_SERVICE_FIELDS = (
    "internet-service-src-name",
    "internet-service-src-group",
    "internet-service-src-custom",
    "internet-service-src-custom-group",
    "internet-service-src-id",
    "internet-service-src-fortiguard",
)
_KINDS: t.Mapping[str, str] = types.MappingProxyType(
    {"fqdn": "FQDN", "geography": "country", "dynamic": "dynamic address", "interface-subnet": "interface's network"}
)


class Match(enum.IntEnum):
    """Whether a policy matches: not, perhaps (the tables do not tell), or certainly."""

    NO = 0
    PERHAPS = 1
    YES = 2


@dataclass(frozen=True)
class Target:
    """What is reached: a virtual IP by its name, or an address. `port` is the one of the server behind the virtual IP."""

    port: int
    vip: str = ""
    address: Interval | None = None

    @property
    def version(self) -> int:
        """Of IP."""
        return 4 if self.address is None else self.address.version

    def __str__(self) -> str:
        return f"port {self.port} of {f'the virtual IP {self.vip!r}' if self.vip else self.address}"


class Opaque(t.NamedTuple):
    """A source whose addresses the tables do not tell."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}'"


@dataclass(frozen=True)
class Sources:
    """Addresses, and names of what has addresses that are not known."""

    known: RangeSet = NOTHING
    opaque: frozenset[Opaque] = frozenset()

    def __or__(self, other: Sources) -> Sources:
        return Sources(self.known | other.known, self.opaque | other.opaque)

    def __bool__(self) -> bool:
        return bool(self.known or self.opaque)

    def beyond(self, allowed: Sources) -> Sources:
        """What is in these and not in those."""
        return Sources(self.known - allowed.known, self.opaque - allowed.opaque)


NOBODY = Sources()


@dataclass(frozen=True)
class Admission:
    """An accept policy and those whom it lets through to a target."""

    policy: Key
    sources: Sources


class Model:
    """Answers about one state of the device. `ways_in`: the interfaces that somebody may come from; empty: all of them."""

    def __init__(self, state: DeviceState, ways_in: t.Collection[str] = ()) -> None:
        self.state, self._ways_in = state, frozenset(ways_in)
        self._held: dict[tuple[int, str], Sources] = {}

    # ------------------------------------------------------------ sources

    def named(self, name: str, version: int) -> Sources:
        """Who is behind the name of an address, a group or a feed."""
        if (version, name) not in self._held:
            # A group that holds itself holds nothing by that.
            self._held[version, name] = NOBODY
            self._held[version, name] = self._named(name, version)
        return self._held[version, name]

    def all_named(self, names: t.Iterable[str], version: int) -> Sources:
        """Who is behind several names."""
        known: list[RangeSet] = []
        opaque: set[Opaque] = set()
        for name in names:
            found = self.named(str(name), version)
            known.append(found.known)
            opaque |= found.opaque
        return Sources(RangeSet(one for ranges in known for one in ranges.intervals), frozenset(opaque))

    def _named(self, name: str, version: int) -> Sources:
        group = self.state.table(GROUP if version == 4 else GROUP6).get(name)
        if group is not None:
            found = self.all_named(group.get("member") or (), version)
            if group.get("exclude") == "enable":
                left_out = self.all_named(group.get("exclude-member") or (), version)
                found = Sources(found.known - left_out.known, found.opaque)
            return found
        row = self.state.table(ADDRESS if version == 4 else ADDRESS6).get(name)
        if row is not None:
            return _address(name, row, version)
        entries = self.state.table(FEED_ENTRIES).get(name)
        if entries is not None:
            held = RangeSet.parse(entries["entries"])
            return Sources(held.v4 if version == 4 else held.v6)
        if name == ALL:
            return Sources(_everything(version))
        return Sources(NOTHING, frozenset((Opaque("feed" if name in self.state.table(FEED) else "source", name),)))

    def sources(self, policy: Row, version: int) -> Sources:
        """From whom a policy takes traffic."""
        if policy.get("internet-service-src") == "enable" and version == 4:
            if policy.get("internet-service-src-negate") == "enable":
                return Sources(_everything(version))
            names = [str(name) for field in INTERNET_SERVICE_FIELDS for name in policy.get(field) or ()]
            return Sources(NOTHING, frozenset(Opaque("internet service", name) for name in names))
        if policy.get("internet-service6-src") == "enable" and version == 6:
            names6 = policy.get("internet-service6-src-name") or ["?"]
            return Sources(NOTHING, frozenset(Opaque("internet service", str(name)) for name in names6))
        found = self.all_named(policy.get("srcaddr" if version == 4 else "srcaddr6") or (), version)
        if policy.get("srcaddr-negate" if version == 4 else "srcaddr6-negate") == "enable":
            return Sources(_everything(version) - found.known)
        return found

    # ------------------------------------------------------------ destination and service

    def destination(self, policy: Row, target: Target) -> Match:
        """Whether a policy is for the target."""
        four = target.version == 4
        names = [str(name) for name in policy.get("dstaddr" if four else "dstaddr6") or ()]
        if not names:
            # A destination by internet service is somewhere on the internet, and never the own server.
            return Match.NO
        found = max(self._destined(name, policy, target) for name in names)
        if policy.get("dstaddr-negate" if four else "dstaddr6-negate") == "enable":
            return Match(2 - found)
        return found

    def _destined(self, name: str, policy: Row, target: Target) -> Match:
        if target.vip:
            group = self.state.table(VIP_GROUP).get(name)
            if name == target.vip or (group is not None and target.vip in map(str, group.get("member") or ())):
                return Match.YES
            if policy.get("action") != "accept" and not self._matches_vips(policy):
                return Match.NO
            if name == ALL:
                return Match.YES
            if name in self.state.table(VIP) or group is not None:
                return Match.NO
            # Whether an address object matches what a virtual IP has translated to it is unverified; it counts as open.
            found = self.named(name, 4)
            behind = self.mapped(target.vip)
            return Match.PERHAPS if found.opaque or not found.known.isdisjoint(behind) else Match.NO
        found = self.named(name, target.version)
        wanted = RangeSet(() if target.address is None else (target.address,))
        if wanted <= found.known:
            return Match.YES
        return Match.PERHAPS if found.opaque or not found.known.isdisjoint(wanted) else Match.NO

    def _matches_vips(self, policy: Row) -> bool:
        value = policy.get("match-vip")
        if value in (None, ""):
            return self.state.version > MATCH_VIP_BY_DEFAULT_AFTER
        return bool(value == "enable")

    def mapped(self, vip: str) -> RangeSet:
        """The addresses of the servers behind a virtual IP; nothing where it has none that can be read."""
        try:
            return RangeSet.parse([str(one) for one in self.state.table(VIP)[vip].get("mappedip") or ()])
        except (RangeError, KeyError):
            return NOTHING

    def serves(self, vip: str, port: int) -> bool:
        """Whether a virtual IP leads to this port of its server."""
        row = self.state.table(VIP)[vip]
        return row.get("portforward") != "enable" or _covers(_forwarded(row), port)

    def only(self, vip: str, port: int) -> bool:
        """Whether a virtual IP leads to this port and to no other."""
        row = self.state.table(VIP)[vip]
        return row.get("portforward") == "enable" and _forwarded(row) == ((port, port),)

    def ports(self, name: str, above: frozenset[str] = frozenset()) -> Ports | None:
        """The TCP ports of a service or a group of them; None where the tables do not tell."""
        group = self.state.table(SERVICE_GROUP).get(name)
        if group is not None:
            members = [str(one) for one in group.get("member") or () if one not in above]
            found = [self.ports(one, above | {name}) for one in members]
            if any(one is None for one in found):
                return None
            return tuple(sorted({span for one in found for span in one or ()}))
        row = self.state.table(SERVICE).get(name)
        if row is None:
            return EVERY_PORT if name == "ALL" else None
        return _service_ports(row)

    def service(self, policy: Row, port: int) -> Match:
        """Whether a policy is for the port."""
        names = [str(name) for name in policy.get("service") or ()]
        answers = [self.ports(name) for name in names]
        if any(one is not None and _covers(one, port) for one in answers):
            found = Match.YES
        else:
            found = Match.PERHAPS if any(one is None for one in answers) else Match.NO
        return Match(2 - found) if policy.get("service-negate") == "enable" else found

    def only_port(self, policy: Row, port: int) -> bool:
        """Whether a policy is for this TCP port and nothing else."""
        if policy.get("service-negate") == "enable":
            return False
        names = [str(name) for name in policy.get("service") or ()]
        return bool(names) and all(self.ports(name) == ((port, port),) and self._only_tcp(name) for name in names)

    def _only_tcp(self, name: str) -> bool:
        group = self.state.table(SERVICE_GROUP).get(name)
        if group is not None:
            return all(self._only_tcp(str(one)) for one in group.get("member") or () if one != name)
        row = self.state.table(SERVICE).get(name, {})
        return not any(str(row.get(field) or "").strip() for field in _OTHER_PORTS)

    # ------------------------------------------------------------ the policies in their order

    def concerned(self, target: Target) -> list[tuple[Key, Row, Match]]:
        """The policies that are for the target, in their order, with how sure that is."""
        found: list[tuple[Key, Row, Match]] = []
        outside = self._outside(target)
        for key, row in self.state.table(POLICY).items():
            if row.get("status", "enable") != "enable":
                continue
            if set(map(str, row.get("dstintf") or ())) <= outside:
                continue
            how = min(self.destination(row, target), self.service(row, target.port))
            if how is not Match.NO:
                found.append((key, row, how))
        return found

    def _outside(self, target: Target) -> frozenset[str]:
        """The interfaces that the target is not behind: those that policies naming it come from, and that none of them leads to."""
        come: set[str] = set()
        lead: set[str] = set()
        for row in self.state.table(POLICY).values():
            names = [
                str(name) for name in row.get("dstaddr" if target.version == 4 else "dstaddr6") or () if name != ALL
            ]
            if any(self._destined(name, row, target) is Match.YES for name in names):
                come |= set(map(str, row.get("srcintf") or ()))
                lead |= set(map(str, row.get("dstintf") or ()))
        if target.vip:
            come.add(str(self.state.table(VIP)[target.vip].get("extintf") or ANY))
        return frozenset(come - lead - {ANY})

    def admissions(self, target: Target) -> list[Admission]:
        """Who reaches the target, by the accept policies that let them through."""
        concerned = self.concerned(target)
        into = self._ways_in or _interfaces(concerned, "srcintf") | {_UNNAMED}
        # Which interface the server is behind is in the routes and not in the policies; each that one of them leads to is tried.
        outof = (_interfaces(concerned, "dstintf") - self._outside(target)) | {_UNNAMED}
        found: dict[Key, Sources] = {}
        for way_in, way_out in itertools.product(sorted(into), sorted(outof)):
            met = [one for one in concerned if _passes(one[1], way_in, way_out)]
            for one in self._fold(met, target):
                found[one.policy] = found.get(one.policy, NOBODY) | one.sources
        order = [key for key, _row, _how in concerned if key in found]
        return [Admission(key, found[key]) for key in order]

    def _fold(self, concerned: t.Iterable[tuple[Key, Row, Match]], target: Target) -> t.Iterator[Admission]:
        undecided = self._let_in(target)
        for key, row, how in concerned:
            sources = self.sources(row, target.version)
            met = Sources(sources.known & undecided, sources.opaque)
            certain = how is Match.YES and row.get("schedule", "always") == "always" and not _needs_login(row)
            if row.get("action") == "accept" and met:
                yield Admission(key, met)
            if certain:
                undecided -= sources.known
            if not undecided:
                return

    def _let_in(self, target: Target) -> RangeSet:
        """Whom the virtual IP itself lets in: it may have a filter of sources."""
        everybody = _everything(target.version)
        if not target.vip:
            return everybody
        texts = [str(one) for one in self.state.table(VIP)[target.vip].get("src-filter") or ()]
        try:
            return RangeSet.parse(texts) & everybody if texts else everybody
        except RangeError:
            return everybody

    def reached(self, target: Target) -> Sources:
        """Who reaches the target."""
        found = NOBODY
        for one in self.admissions(target):
            found |= one.sources
        return found

    def lookup(self, source: str, target: Target) -> Key | None:
        """The accept policy that lets this address through to the target; None where it is stopped."""
        address = parse_address(source)
        for one in self.admissions(target):
            if address in one.sources.known:
                return one.policy
        return None


def reaching(model: Model, target: Target) -> list[str]:
    """Who reaches a target, in sentences for the operator."""
    found = []
    for one in model.admissions(target):
        row = model.state.table(POLICY).get(one.policy, {})
        name = f" '{row['name']}'" if row.get("name") and isinstance(one.policy, int) else ""
        shown = f"policy {one.policy}{name}" if isinstance(one.policy, int) else f"policy '{one.policy}'"
        found.append(f"{words(one.sources)} → {target}, by {shown}")
    return found or [f"nobody → {target}"]


def exposure(before: t.Sequence[str], after: t.Sequence[str]) -> dict[str, list[str]]:
    """Who reaches what before and after the changes, and both in one list of sentences."""
    gone = [f"until now: {one}" for one in before if one not in after]
    return {"before": list(before), "after": list(after), "words": [*gone, *after]}


def words(sources: Sources) -> str:
    """Sources for sentences: everybody, or the first few of them."""
    if sources == NOBODY:
        return "nobody"
    parts = []
    for version in (4, 6):
        ranges = sources.known.v4 if version == 4 else sources.known.v6
        everybody = 1 << (32 if version == 4 else 128)
        if ranges.size * 2 >= everybody:
            nearly = "nearly " if ranges.size < everybody else ""
            parts.append(f"{nearly}everybody{'' if version == 4 else ' over IPv6'}")
        elif ranges:
            shown = [str(one) for one in ranges.intervals[:4]]
            more = len(ranges.intervals) - len(shown)
            parts.append(", ".join(shown) + (f" and {more} more ranges" if more else ""))
    return ", ".join([*parts, *sorted(map(str, sources.opaque))])


def _everything(version: int) -> RangeSet:
    return EVERYTHING.v4 if version == 4 else EVERYTHING.v6


def _address(name: str, row: Row, version: int) -> Sources:
    kind = str(row.get("type") or ("ipmask" if version == 4 else "ipprefix"))
    try:
        if kind in ("ipmask", "ipprefix"):
            found = subnet(row.get("subnet" if version == 4 else "ip6"))
            if found is not None and found.version == version:
                return Sources(RangeSet([found]))
        if kind == "iprange":
            return Sources(RangeSet.parse([f"{row.get('start-ip')}-{row.get('end-ip')}"]))
    except RangeError:
        pass
    return Sources(NOTHING, frozenset((Opaque(_KINDS.get(kind, kind), name),)))


def _interfaces(concerned: t.Iterable[tuple[Key, Row, Match]], field: str) -> set[str]:
    return {str(one) for _key, row, _how in concerned for one in row.get(field) or ()} - {ANY}


def _passes(row: Row, way_in: str, way_out: str) -> bool:
    """Whether a policy is for traffic between two interfaces."""
    into, outof = set(map(str, row.get("srcintf") or ())), set(map(str, row.get("dstintf") or ()))
    return bool({way_in, ANY} & into and {way_out, ANY} & outof)


def _needs_login(row: Row) -> bool:
    return any(row.get(field) for field in ("groups", "users", "fsso-groups"))


def _span(text: str) -> tuple[int, int]:
    first, _dash, last = text.strip().partition("-")
    return int(first), int(last or first)


def _forwarded(row: Row) -> Ports:
    """The ports behind a virtual IP that forwards ports."""
    text = str(row.get("mappedport") or row.get("extport") or "0")
    first, last = _span(text if text not in ("", "0") else str(row.get("extport") or "0"))
    if first == last:
        # Only the first port behind may be given; as many follow as there are in front.
        outer, outer_last = _span(str(row.get("extport") or "0"))
        last = first + outer_last - outer
    return ((first, last),)


def _service_ports(row: Row) -> Ports | None:
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
        return tuple(sorted({_span(part) for part in parts}))
    except ValueError:
        return None


def _covers(ports: Ports, port: int) -> bool:
    return any(first <= port <= last for first, last in ports)
