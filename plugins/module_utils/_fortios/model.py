# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches a port through a FortiGate: its policies, read in their order, from the tables alone.

What the tables do not tell (the addresses of an FQDN or a country, a schedule, a login) is counted
as open where it lets somebody through and as no protection where it stops somebody, so that the
answer is never smaller than the truth.

A virtual IP is applied before the policies: they see the port behind it, and a deny whose
destination is `all` does not stop what a virtual IP has let in, unless it says match-vip
(Fortinet's knowledge base; the default of match-vip changed after 7.2.3).
"""

from __future__ import annotations

import functools
import itertools
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import conditions, virtual
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import (
    ALL,
    NOBODY,
    Names,
    Opaque,
    Sources,
    everything,
    is_untold,
    negation,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Key, Row
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.folds import (
    Fold,
    by_name,
    named_ways,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.interfaces import (
    ANY,
    ZONES_ALONE_SINCE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.services import (
    Match,
    Services,
    covers,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    POLICY,
    VIP,
    VIP_GROUP,
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Interval,
    RangeError,
    RangeSet,
    parse_address,
)

_UNNAMED = ""  # An interface that no policy names; those for any interface are for it as well.


@dataclass(frozen=True)
class Target:
    """What is reached: a virtual IP by its name, or an address. `port` is the one of the server
    behind the virtual IP.
    """

    port: int
    vip: str = ""
    address: Interval | None = None

    @property
    def version(self) -> int:
        """Of IP."""
        return 4 if self.address is None else self.address.version

    def __str__(self) -> str:
        return f"port {self.port} of {f'the virtual IP {self.vip!r}' if self.vip else self.address}"


@dataclass(frozen=True)
class Concerned:
    """A policy that is for a target, with how sure that is, and the interfaces that it names."""

    key: Key
    row: Row
    how: Match
    into: frozenset[str]
    out: frozenset[str]


@dataclass(frozen=True)
class Admission:
    """An accept policy and those whom it lets through to a target."""

    policy: Key
    sources: Sources


@dataclass(frozen=True)
class Passage:
    """The policy that lets somebody through, 0 where it takes none. `certain`: whether the tables
    tell so; else it only could.
    """

    policy: Key
    certain: bool


class Model:
    """Answers about one state of the device. `ways_in`: the interfaces that somebody may come from;
    empty: all of them.
    """

    def __init__(self, state: DeviceState, ways_in: t.Collection[str] = ()) -> None:
        self.state, self._ways_in = state, frozenset(ways_in)
        self.names, self.services = Names(state), Services(state)
        self._concerned: dict[Target, list[Concerned]] = {}
        self._sources: dict[tuple[Key, int], Sources] = {}
        self._admissions: dict[Target, list[Admission]] = {}
        self._matches: dict[tuple[str, bool, Target], Match] = {}
        self._servers: dict[str, RangeSet] = {}
        self._always: dict[Key, bool] = {}
        self._open: dict[Target, bool] = {}

    # ------------------------------------------------------------ destination and service

    def destination(self, policy: Row, target: Target) -> Match:
        """Whether a policy is for the target."""
        field, six = "dstaddr", "" if target.version == 4 else "6"
        if policy.get(f"internet-service{six}") == "enable":
            # Somewhere on the internet, and not the own server, unless it is one that the site has
            # made, or all but the named ones.
            kinds = ("custom", "custom-group")
            own = any(policy.get(f"internet-service{six}-{kind}") for kind in kinds)
            negated = policy.get(f"internet-service{six}-negate") == "enable"
            return Match.PERHAPS if own or negated else Match.NO
        names = [str(name) for name in policy.get(f"{field}{six}") or ()]
        if not names:
            # By a field that is not known here, where nothing is named at all.
            return Match.PERHAPS if is_untold(policy, "dstaddr") else Match.NO
        match = max(self._destined(name, policy, target) for name in names)
        negated = negation(policy, field, target.version)
        if negated is None:
            return Match.PERHAPS
        if negated and target.vip and is_deny(policy):
            # Whether a deny on all but some addresses meets what a virtual IP has translated is
            # unverified, with match-vip and without.
            return Match.NO if match is Match.YES else Match.PERHAPS
        return Match(2 - match) if negated else match

    def _destined(self, name: str, policy: Row, target: Target) -> Match:
        # A deny without match-vip does not meet what a virtual IP has translated.
        translated = not is_deny(policy) or self._matches_vips(policy)
        known = (name, translated, target)
        if known not in self._matches:
            self._matches[known] = self._is_destined(name, target, translated=translated)
        return self._matches[known]

    def _is_destined(self, name: str, target: Target, *, translated: bool) -> Match:
        if target.vip:
            group = self.state.table(VIP_GROUP).get(name)
            if name == target.vip or (
                group is not None and target.vip in map(str, group.get("member") or ())
            ):
                return Match.YES
            if not translated:
                return Match.NO
            if name == ALL:
                return (
                    Match.YES
                    if everything(4) <= self.names.named(ALL, 4).certain
                    else Match.PERHAPS
                )
            if name in self.state.table(VIP) or group is not None:
                return Match.NO
            # Whether an address object matches what a virtual IP has translated to it is
            # unverified; it counts as open.
            held = self.names.named(name, 4)
            behind = self.mapped(target.vip)
            return Match.PERHAPS if held.opaque or not held.known.isdisjoint(behind) else Match.NO
        if target.version == 4 and (name in self.state.table(VIP) or self._is_vip_group(name)):
            # What comes by a virtual IP is another target.
            return Match.PERHAPS if self._translating(name, target) else Match.NO
        held = self.names.named(name, target.version)
        wanted = RangeSet(() if target.address is None else (target.address,))
        if wanted <= held.certain:
            return Match.YES
        return Match.PERHAPS if held.opaque or not held.known.isdisjoint(wanted) else Match.NO

    def _matches_vips(self, policy: Row) -> bool:
        # Every version tells it; its default is not documented alike everywhere.
        return bool(policy.get("match-vip") == "enable")

    def mapped(self, vip: str) -> RangeSet:
        """The addresses of the servers behind a virtual IP; nothing where it has none that can be
        read.
        """
        if vip not in self._servers:
            self._servers[vip] = virtual.servers(self.state.table(VIP).get(vip, {}))
        return self._servers[vip]

    def translating(self, policy: Row, target: Target) -> list[str]:
        """The virtual IPs by which a policy leads to an address, and what could be one of IPv6,
        whose table is not read.
        """
        if target.address is None:
            return []
        if target.version == 6:
            names = [str(name) for name in policy.get("dstaddr6") or ()]
            return [
                name for name in names if Opaque("source", name) in self.names.named(name, 6).opaque
            ]
        names = [str(name) for name in policy.get("dstaddr") or ()]
        leading = [vip for name in names for vip in self._translating(name, target)]
        return [vip for vip in leading if self.mapped(vip)]

    def _is_vip_group(self, name: str) -> bool:
        return name in self.state.table(VIP_GROUP)

    def _translating(self, name: str, target: Target) -> list[str]:
        """The virtual IPs of a name that lead, or may lead, to an address."""
        inside = map(str, self.state.table(VIP_GROUP).get(name, {}).get("member") or [name])
        server = self.servers(target)
        return [
            vip
            for vip in inside
            if vip in self.state.table(VIP)
            and self.serves(vip, target.port)
            and not (self.mapped(vip) and self.mapped(vip).isdisjoint(server))
        ]

    def serves(self, vip: str, port: int) -> bool:
        """Whether a virtual IP leads to this port of its server."""
        return covers(virtual.ports(self.state.table(VIP)[vip]), port)

    def only(self, vip: str, port: int) -> bool:
        """Whether a virtual IP leads to this port and to no other."""
        return virtual.is_for_one_port(self.state.table(VIP)[vip], port)

    # ------------------------------------------------------------ the policies in their order

    def concerned(self, target: Target) -> list[Concerned]:
        """The policies that are for the target, in their order."""
        if target not in self._concerned:
            self._concerned[target] = list(self._find(target))
        return self._concerned[target]

    def _find(self, target: Target) -> t.Iterator[Concerned]:
        front, behind = self._front(target), self._behind(target)
        for key, row in self.state.table(POLICY).items():
            if row.get("status", "enable") != "enable":
                continue
            into, out = _named(row, "srcintf"), _named(row, "dstintf")
            # Where the server is not, only the device tells; what other policies are for does not.
            if behind is not None and not any(_is_for(out, names) for names in behind):
                continue
            if front is not None and not _is_for(into, front) and not self._names_it(row, target):
                continue
            how = min(self.destination(row, target), self.services.matches(row, target.port))
            if how is not Match.NO:
                yield Concerned(key, row, how, into, out)

    def _entrance(self, target: Target) -> str:
        """The interface of the virtual IP; `any` where it is for any, or there is none."""
        return str(self._vip(target).get("extintf") or ANY)

    def _vip(self, target: Target) -> Row:
        """The virtual IP of a target; empty where it has none, or it is gone since it was named."""
        return self.state.table(VIP).get(target.vip, {})

    def _front(self, target: Target) -> frozenset[str] | None:
        """What policies may call the interface of the virtual IP, which translates nothing that
        comes from another one (Fortinet's knowledge base on hairpin NAT, ta-p/195448, asks for a
        policy from there); None where it is for any, or its zones are not known.
        """
        name = self._entrance(target)
        if name == ANY:
            return None
        # Since then a policy that names an interface tells that it is in no zone.
        alone = self.state.ways.interfaces is None and self.state.version >= ZONES_ALONE_SINCE
        if alone and name in self._interfaces_named:
            return frozenset({name})
        return self.state.ways.names(name)

    @functools.cached_property
    def _interfaces_named(self) -> frozenset[str]:
        return frozenset(
            str(name)
            for row in self.state.table(POLICY).values()
            for field in ("srcintf", "dstintf")
            for name in row.get(field) or ()
        )

    def _behind(self, target: Target) -> tuple[frozenset[str], ...] | None:
        """What policies may call the interfaces that the target may be behind; None where the
        device does not tell.
        """
        return self.state.ways.to(self.servers(target))

    def servers(self, target: Target) -> RangeSet:
        """The addresses of a target; nothing where they cannot be read."""
        if target.vip:
            return self.mapped(target.vip)
        return RangeSet(() if target.address is None else (target.address,))

    def is_open(self, target: Target) -> bool:
        """Whether the policies leave it open where the target is, or which of them its virtual IP
        meets, so that the device has to be asked for it.
        """
        if target not in self._open:
            self._open[target] = self._behind(target) is None and self._is_open(target)
        return self._open[target]

    def zones_unread(self, target: Target) -> bool:
        """Whether it would take the device's zones to know who reaches it without any policy."""
        return self.state.ways.interfaces is None and self._front(target) is None

    def is_unsettled(self, target: Target) -> bool:
        """Whether the device has to be asked about the target, for its policies or its zones."""
        if self._behind(target) is not None:
            return False
        return self.is_open(target) or self.zones_unread(target) or bool(self.free_zones(target))

    def free_zones(self, target: Target) -> list[str]:
        """The zones whose members reach the target without any policy (intrazone allow): the server
        may be behind one of them, and what comes from there meets its virtual IP.
        """
        known, behind = self.state.ways.interfaces, self._behind(target)
        if known is None:
            return []
        entrance = self._entrance(target)
        free = []
        for zone in sorted(known.intrazone):
            names = {zone, *known.zones[zone]}
            meets = entrance in names or (entrance == ANY and len(known.zones[zone]) > 1)
            holds = behind is None or any(zone in called for called in behind)
            if meets and holds and not (self._ways_in and self._ways_in.isdisjoint(names)):
                free.append(zone)
        return free

    def _is_open(self, target: Target) -> bool:
        concerned = self.concerned(target)
        fixed = self._entrance(target) == ANY or self._front(target) is not None
        into = set() if fixed else _all_of(policy.into for policy in concerned)
        # One that leads back to where it comes from hardly tells where the server is.
        back = any(policy.out <= policy.into - {ANY} for policy in concerned)
        return back or len(_all_of(policy.out for policy in concerned)) > 1 or len(into) > 1

    def _leads_there(self, concerned: Concerned, target: Target) -> bool:
        """Whether a policy certainly leads to where the target is."""
        behind = self._behind(target)
        if behind is None:
            return ANY in concerned.out or not self.is_open(target)
        return all(_is_for(concerned.out, names) for names in behind)

    def _names_it(self, row: Row, target: Target) -> bool:
        """Whether a policy names the target, and not all addresses."""
        names = row.get("dstaddr" if target.version == 4 else "dstaddr6") or ()
        return any(
            name != ALL and self._destined(str(name), row, target) is Match.YES for name in names
        )

    def walk(self, target: Target) -> t.Iterator[tuple[Concerned, list[Fold]]]:
        """The policies that are for the target in their order, each with the ways that it stands
        on; whoever walks goes past each of them.
        """
        concerned = self.concerned(target)
        return zip(concerned, self._folds(concerned, target))

    def go_past(self, concerned: Concerned, folds: t.Iterable[Fold], target: Target) -> None:
        """Go past a policy, on these ways."""
        sources, certain = self.sources(concerned, target), self.is_certain(concerned)
        for fold in folds:
            fold.meet(sources, deny=is_deny(concerned.row), certain=certain)

    def _folds(self, concerned: t.Sequence[Concerned], target: Target) -> list[list[Fold]]:
        """For each policy the ways that it stands on; those with the same policies are one."""
        behind = self._behind(target)
        into = {
            frozenset({name})
            for name in self._ways_in or _all_of(policy.into for policy in concerned) | {_UNNAMED}
        }
        # Where the device does not tell which interface the server is behind, each that a policy
        # leads to is tried: whoever gets in on one of them could get in.
        if behind is None:
            names = _all_of(policy.out for policy in concerned) | {_UNNAMED}
            behind = tuple(frozenset({name}) for name in names)
        ways_in, ways_out = by_name(into), by_name(behind)
        standing: dict[tuple[frozenset[str], frozenset[str]], list[int]] = {}
        for index, policy in enumerate(concerned):
            for way in itertools.product(
                named_ways(policy.into, ways_in), named_ways(policy.out, ways_out)
            ):
                standing.setdefault(way, []).append(index)
        folds: list[list[Fold]] = [[] for _one in concerned]
        for indices in set(map(tuple, standing.values())):
            fold = Fold(self._let_in(target))
            for index in indices:
                folds[index].append(fold)
        return folds

    def sources(self, concerned: Concerned, target: Target) -> Sources:
        """From whom a policy takes traffic."""
        known = (concerned.key, target.version)
        if known not in self._sources:
            self._sources[known] = self.names.sources(concerned.row, target.version)
        return self._sources[known]

    def is_certain(self, concerned: Concerned) -> bool:
        """Whether a policy matches for sure what its sources send."""
        if concerned.key not in self._always:
            self._always[concerned.key] = not conditions.of_policy(concerned.row)
        return concerned.how is Match.YES and self._always[concerned.key]

    def lets_in(self, concerned: Concerned, folds: t.Iterable[Fold], target: Target) -> Sources:
        """Whom a policy lets through on these ways."""
        sources_let_in = NOBODY
        if not is_deny(concerned.row):
            sources = self.sources(concerned, target)
            certain = self.is_certain(concerned) and self._leads_there(concerned, target)
            for fold in folds:
                sources_let_in |= fold.lets_in(sources, certain=certain)
        return sources_let_in

    def admissions(self, target: Target) -> list[Admission]:
        """Who reaches the target, by the accept policies that let them through."""
        if target not in self._admissions:
            self._admissions[target] = []
            for concerned, folds in self.walk(target):
                let_in = self.lets_in(concerned, folds, target)
                if let_in:
                    self._admissions[target].append(Admission(concerned.key, let_in))
                self.go_past(concerned, folds, target)
        return self._admissions[target]

    def _let_in(self, target: Target) -> RangeSet:
        """Whom the virtual IP itself lets in: it may have a filter of sources."""
        everybody = everything(target.version)
        texts = [str(text) for text in self._vip(target).get("src-filter") or ()]
        try:
            return RangeSet.parse(texts) & everybody if texts else everybody
        except RangeError:
            return everybody

    def reached(self, target: Target) -> Sources:
        """Who reaches the target."""
        everybody = NOBODY
        for admission in self.admissions(target):
            everybody |= admission.sources
        return everybody

    def lookup(self, source: str, target: Target) -> Passage | None:
        """How this address could get through to the target; None where it is certainly stopped."""
        address = parse_address(source)
        admissions = self.admissions(target)
        for admission in admissions:
            if address in admission.sources.certain:
                return Passage(admission.policy, certain=True)
        # Not by the first that could let it through, where another one names its address.
        for admission in admissions:
            if address in admission.sources.known:
                return Passage(admission.policy, certain=False)
        unknown = [admission.policy for admission in admissions if admission.sources.opaque]
        if not unknown and self.free_zones(target):
            return Passage(0, certain=False)
        return Passage(unknown[0], certain=False) if unknown else None


def model_of(state: DeviceState, ways_in: t.Collection[str] = ()) -> Model:
    """The model of a state, which is made once."""
    known = (Model, frozenset(ways_in))
    if known not in state.memory:
        state.memory[known] = Model(state, ways_in)
    return t.cast(Model, state.memory[known])


def is_deny(policy: Row) -> bool:
    """Whether a policy stops what matches it; an action that is not known lets through."""
    return str(policy.get("action") or "deny") == "deny"


def _named(row: Row, field: str) -> frozenset[str]:
    return frozenset(map(str, row.get(field) or ()))


def _all_of(named: t.Iterable[frozenset[str]]) -> set[str]:
    return {name for names in named for name in names} - {ANY}


def _is_for(named: frozenset[str], interface: frozenset[str]) -> bool:
    """Whether a policy is for an interface, which has several names."""
    return ANY in named or not named.isdisjoint(interface)
