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

import itertools
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import conditions
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import (
    ALL,
    NOBODY,
    NOTHING,
    Names,
    Opaque,
    Sources,
    everything,
    negation,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Key, Row
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.services import (
    Match,
    Services,
    covers,
    forwarded,
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

ANY = "any"
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
class Admission:
    """An accept policy and those whom it lets through to a target."""

    policy: Key
    sources: Sources


@dataclass(frozen=True)
class Passage:
    """The policy that lets somebody through. `certain`: whether the tables tell so; else it only
    could.
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

    # ------------------------------------------------------------ destination and service

    def destination(self, policy: Row, target: Target) -> Match:
        """Whether a policy is for the target."""
        field, six = "dstaddr", "" if target.version == 4 else "6"
        if policy.get(f"internet-service{six}") == "enable":
            # Somewhere on the internet, and not the own server, unless it is one that the site has
            # made, or all but the named ones.
            own = policy.get(f"internet-service{six}-custom") or policy.get(f"internet-service{six}-custom-group")
            negated = policy.get(f"internet-service{six}-negate") == "enable"
            return Match.PERHAPS if own or negated else Match.NO
        names = [str(name) for name in policy.get(f"{field}{six}") or ()]
        if not names:
            return Match.NO
        found = max(self._destined(name, policy, target) for name in names)
        negated = negation(policy, field, target.version)
        if negated is None:
            return Match.PERHAPS
        if negated and target.vip and is_deny(policy):
            # Whether a deny on all but some addresses meets what a virtual IP has translated is
            # unverified; without match-vip it does not.
            return Match.PERHAPS if found is not Match.YES and self._matches_vips(policy) else Match.NO
        return Match(2 - found) if negated else found

    def _destined(self, name: str, policy: Row, target: Target) -> Match:
        if target.vip:
            group = self.state.table(VIP_GROUP).get(name)
            if name == target.vip or (group is not None and target.vip in map(str, group.get("member") or ())):
                return Match.YES
            if is_deny(policy) and not self._matches_vips(policy):
                return Match.NO
            if name == ALL:
                return Match.YES if everything(4) <= self.names.named(ALL, 4).certain else Match.PERHAPS
            if name in self.state.table(VIP) or group is not None:
                return Match.NO
            # Whether an address object matches what a virtual IP has translated to it is
            # unverified; it counts as open.
            found = self.names.named(name, 4)
            behind = self.mapped(target.vip)
            return Match.PERHAPS if found.opaque or not found.known.isdisjoint(behind) else Match.NO
        found = self.names.named(name, target.version)
        wanted = RangeSet(() if target.address is None else (target.address,))
        if wanted <= found.certain:
            return Match.YES
        return Match.PERHAPS if found.opaque or not found.known.isdisjoint(wanted) else Match.NO

    def _matches_vips(self, policy: Row) -> bool:
        # Every version tells it; its default is not documented alike everywhere.
        return bool(policy.get("match-vip") == "enable")

    def mapped(self, vip: str) -> RangeSet:
        """The addresses of the servers behind a virtual IP; nothing where it has none that can be
        read.
        """
        try:
            return RangeSet.parse([str(one) for one in self.state.table(VIP)[vip].get("mappedip") or ()])
        except (RangeError, KeyError):
            return NOTHING

    def translating(self, policy: Row, target: Target) -> list[str]:
        """The virtual IPs by which a policy leads to an address, and what could be one of IPv6,
        whose table is not read.
        """
        if target.address is None:
            return []
        if target.version == 6:
            names = [str(name) for name in policy.get("dstaddr6") or ()]
            return [name for name in names if Opaque("source", name) in self.names.named(name, 6).opaque]
        names = [str(name) for name in policy.get("dstaddr") or ()]
        inside = [
            str(vip) for name in names for vip in self.state.table(VIP_GROUP).get(name, {}).get("member") or [name]
        ]
        server = RangeSet([target.address])
        return [
            vip
            for vip in inside
            if vip in self.state.table(VIP)
            and self.serves(vip, target.port)
            and not self.mapped(vip).isdisjoint(server)
        ]

    def serves(self, vip: str, port: int) -> bool:
        """Whether a virtual IP leads to this port of its server."""
        row = self.state.table(VIP)[vip]
        return row.get("portforward") != "enable" or covers(forwarded(row), port)

    def only(self, vip: str, port: int) -> bool:
        """Whether a virtual IP leads to this port and to no other."""
        row = self.state.table(VIP)[vip]
        return row.get("portforward") == "enable" and forwarded(row) == ((port, port),)

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
            how = min(self.destination(row, target), self.services.matches(row, target.port))
            if how is not Match.NO:
                found.append((key, row, how))
        return found

    def _outside(self, target: Target) -> frozenset[str]:
        """The interfaces that the target is not behind: those that policies naming it come from,
        and that none of them leads to.

        Only policies in force that let through tell that. Where they contradict each other, or lead
        to any interface, they do not; what remains is the interface of the virtual IP itself.
        """
        come: set[str] = set()
        lead: set[str] = set()
        field = "dstaddr" if target.version == 4 else "dstaddr6"
        for row in self.state.table(POLICY).values():
            if is_deny(row) or row.get("status", "enable") != "enable":
                continue
            names = [str(name) for name in row.get(field) or () if name != ALL]
            if any(self._destined(name, row, target) is Match.YES for name in names):
                come |= set(map(str, row.get("srcintf") or ()))
                lead |= set(map(str, row.get("dstintf") or ()))
        front = {str(self.state.table(VIP)[target.vip].get("extintf") or ANY)} if target.vip else set()
        if ANY in lead or come & lead:
            come = set()
        return frozenset((come | front) - lead - {ANY})

    def admissions(self, target: Target) -> list[Admission]:
        """Who reaches the target, by the accept policies that let them through."""
        concerned = self.concerned(target)
        into = self._ways_in or _interfaces(concerned, "srcintf") | {_UNNAMED}
        # Which interface the server is behind is in the routes and not in the policies; each that
        # one of them leads to is tried.
        outof = (_interfaces(concerned, "dstintf") - self._outside(target)) | {_UNNAMED}
        found: dict[Key, Sources] = {}
        for way_in, way_out in itertools.product(sorted(into), sorted(outof)):
            met = [one for one in concerned if _passes(one[1], way_in, way_out)]
            for one in self._fold(met, target):
                found[one.policy] = found.get(one.policy, NOBODY) | one.sources
        order = [key for key, _row, _how in concerned if key in found]
        return [Admission(key, found[key]) for key in order]

    def _fold(self, concerned: t.Iterable[tuple[Key, Row, Match]], target: Target) -> t.Iterator[Admission]:
        undecided, decided = self._let_in(target), frozenset[Opaque]()
        sure = undecided  # Those whom no policy so far could have stopped.
        for key, row, how in concerned:
            sources = self.names.sources(row, target.version)
            certain = how is Match.YES and not conditions.of_policy(row)
            met = Sources(
                sources.known & undecided,
                sources.opaque - decided,
                sources.certain & sure & undecided if certain else NOTHING,
            )
            if not is_deny(row) and met:
                yield Admission(key, met)
            if is_deny(row):
                sure = NOTHING if sources.opaque else sure - sources.known
            if certain:
                undecided, decided = undecided - sources.certain, decided | sources.whole
            if not undecided:
                return

    def _let_in(self, target: Target) -> RangeSet:
        """Whom the virtual IP itself lets in: it may have a filter of sources."""
        everybody = everything(target.version)
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
        return Passage(unknown[0], certain=False) if unknown else None


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


def is_deny(policy: Row) -> bool:
    """Whether a policy stops what matches it; an action that is not known lets through."""
    return str(policy.get("action") or "deny") == "deny"


def _interfaces(concerned: t.Iterable[tuple[Key, Row, Match]], field: str) -> set[str]:
    return {str(one) for _key, row, _how in concerned for one in row.get(field) or ()} - {ANY}


def _passes(row: Row, way_in: str, way_out: str) -> bool:
    """Whether a policy is for traffic between two interfaces."""
    into, outof = set(map(str, row.get("srcintf") or ())), set(map(str, row.get("dstintf") or ()))
    return bool({way_in, ANY} & into and {way_out, ANY} & outof)
