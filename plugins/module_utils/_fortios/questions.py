# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packets some policies could treat differently, and who gets through with them.

A question is one destination, port and pair of interfaces; its answer is exact in each of a few
possible worlds: what the tables do not tell holds for accepts, for denies, for both or for neither.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import conditions, virtual
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import (
    NOTHING,
    Opaque,
    Sources,
    everything,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Key, Row
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.interfaces import ANY
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import (
    Model,
    Target,
    is_deny,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.services import (
    Match,
    covers,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    POLICY,
    VIP,
    VIP_GROUP,
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import Interval, RangeSet

_OTHER = ""  # An interface that no policy names.
# Of one policy. More would be asked only where it is for any interface, or for all addresses of a
# device with very many.
_MOST_ADDRESSES = 16
_MOST_VIPS = 32
_MOST_PAIRS = 64
_USUAL_PORTS = (25, 443)


class Question(t.NamedTuple):
    """One destination and port, from one interface to another."""

    target: Target
    way_in: str
    way_out: str


@dataclass(frozen=True)
class Rights:
    """Who gets through: addresses, and those behind names whose addresses the tables do not
    tell.
    """

    ranges: RangeSet = NOTHING
    names: frozenset[Opaque] = frozenset()

    def __and__(self, other: Rights) -> Rights:
        return Rights(self.ranges & other.ranges, self.names & other.names)

    def __or__(self, other: Rights) -> Rights:
        return Rights(self.ranges | other.ranges, self.names | other.names)

    def __sub__(self, other: Rights) -> Rights:
        return Rights(self.ranges - other.ranges, self.names - other.names)

    def __bool__(self) -> bool:
        return bool(self.ranges or self.names)


class _Meeting(t.NamedTuple):
    """How a policy meets a target."""

    deny: bool
    certain: bool
    sources: Sources
    into: frozenset[str]
    outof: frozenset[str]

    @property
    def is_exact(self) -> bool:
        return (
            self.certain
            and self.sources.known == self.sources.certain
            and self.sources.opaque == self.sources.whole
        )


# Whether what is not known holds for accepts, and for denies.
_WORLDS = ((True, False), (False, True), (True, True), (False, False))


def _meeting(model: Model, row: Row, target: Target) -> _Meeting | None:
    if row.get("status", "enable") != "enable":
        return None
    how = min(model.destination(row, target), model.services.matches(row, target.port))
    if how is Match.NO:
        return None
    certain = how is Match.YES and not conditions.of_policy(row)
    into, outof = (frozenset(map(str, row.get(field) or ())) for field in ("srcintf", "dstintf"))
    return _Meeting(is_deny(row), certain, model.names.sources(row, target.version), into, outof)


class _Meetings:
    """How all the forms of the policies meet one target."""

    def __init__(self, model: Model, target: Target) -> None:
        self._model, self._target = model, target
        self._of_row: dict[int, _Meeting] = {}
        self._into: dict[str, set[Key]] = {}
        self._outof: dict[str, set[Key]] = {}
        self._looked_at = 0

    def look_at(self, forms: t.Sequence[tuple[Key, Row]]) -> None:
        """Look at those forms of policies that came since."""
        for key, row in forms[self._looked_at :]:
            meeting = _meeting(self._model, row, self._target)
            if meeting is not None:
                self._of_row[id(row)] = meeting
                for sides, names in ((self._into, meeting.into), (self._outof, meeting.outof)):
                    for name in names:
                        sides.setdefault(name, set()).add(key)
        self._looked_at = len(forms)

    def all_of(self, policies: t.Mapping[Key, Row]) -> list[_Meeting]:
        """Those of these policies that meet it, in their order."""
        return [self._of_row[id(row)] for row in policies.values() if id(row) in self._of_row]

    def between(self, policies: t.Mapping[Key, Row], way_in: str, way_out: str) -> list[_Meeting]:
        """Those of them that are for a pair of interfaces, in their order.

        Of thousands they are a few, as a rule, and this is asked at every step.
        """
        keys = _for(self._into, way_in) & _for(self._outof, way_out)
        held = (self._of_row.get(id(policies[key])) for key in filter(keys.__contains__, policies))
        # In another form the same policy may be for another pair.
        return [
            meeting
            for meeting in held
            if meeting is not None
            and {way_in, ANY} & meeting.into
            and {way_out, ANY} & meeting.outof
        ]


def _for(sides: t.Mapping[str, set[Key]], interface: str) -> set[Key]:
    return sides.get(interface, set()) | sides.get(ANY, set())


class Views:
    """Answers about two states and those on the way between them: each form of a policy is looked
    at once.
    """

    def __init__(self, states: t.Sequence[DeviceState]) -> None:
        self.states = states
        self._models: dict[tuple[int, ...], tuple[DeviceState, Model]] = {}
        self._met: dict[tuple[int, Target], _Meetings] = {}
        # They are held here, so that no other row gets the number of one.
        self._forms: list[tuple[Key, Row]] = []
        self._known: set[int] = set()
        self._alike: dict[tuple[Target, str], tuple[str, ...]] = {}
        for state in states:
            for key, row in state.table(POLICY).items():
                self.note(key, row)

    def note(self, key: Key, row: Row) -> None:
        """Take in a form that a policy has in a state that is asked about later."""
        if id(row) not in self._known:
            self._known.add(id(row))
            self._forms.append((key, row))

    def model(self, state: DeviceState) -> Model:
        """A model of all but the policies."""
        # The rows of a state are never changed in place, so that the same table is the same rows.
        identity = tuple(id(rows) for path, rows in state.rows.items() if path != POLICY)
        if identity not in self._models:
            self._models[identity] = (state, Model(state))
        return self._models[identity][1]

    def _meetings(self, state: DeviceState, target: Target) -> _Meetings:
        model = self.model(state)
        known = (id(model), target)
        if known not in self._met:
            self._met[known] = _Meetings(model, target)
        self._met[known].look_at(self._forms)
        return self._met[known]

    def meetings_of(self, state: DeviceState, question: Question) -> list[_Meeting]:
        """The policies that are asked, in their order."""
        meetings = self._meetings(state, question.target)
        return meetings.between(state.table(POLICY), question.way_in, question.way_out)

    def apart(self, target: Target, field: str) -> tuple[str, ...]:
        """One interface of each kind that the policies of the states tell apart."""
        if (target, field) not in self._alike:
            sides: dict[str, list[int]] = {}
            every = (
                self._meetings(state, target).all_of(state.table(POLICY)) for state in self.states
            )
            for at, meeting in enumerate(itertools.chain.from_iterable(every)):
                for name in (meeting.into if field == "srcintf" else meeting.outof) - {ANY}:
                    sides.setdefault(name, []).append(at)
            alike: dict[tuple[int, ...], str] = {}
            for name in sorted(sides):
                alike.setdefault(tuple(sides[name]), name)
            self._alike[target, field] = tuple(alike.values())
        return self._alike[target, field]


def names_of(meetings: t.Iterable[_Meeting]) -> frozenset[Opaque]:
    """The names of policies whose addresses are not known."""
    return frozenset(name for meeting in meetings for name in meeting.sources.opaque)


def rights(meetings: t.Sequence[_Meeting], version: int, names: frozenset[Opaque]) -> list[Rights]:
    """Who gets through the policies that are asked, in each of the possible worlds."""
    if all(meeting.is_exact for meeting in meetings):
        return [_fold(meetings, version, names, _WORLDS[0])] * len(_WORLDS)
    return [_fold(meetings, version, names, world) for world in _WORLDS]


def _fold(
    meetings: t.Iterable[_Meeting], version: int, names: frozenset[Opaque], world: tuple[bool, bool]
) -> Rights:
    """The first policy that matches decides."""
    everybody = everything(version)
    undecided, unnamed = everybody, names
    passing: list[RangeSet] = []
    named: set[Opaque] = set()
    for meeting in meetings:
        holds = world[1] if meeting.deny else world[0]
        ranges = (
            meeting.sources.known
            if holds
            else meeting.sources.certain
            if meeting.certain
            else NOTHING
        )
        held = (
            meeting.sources.opaque
            if holds
            else meeting.sources.whole
            if meeting.certain
            else frozenset()
        )
        if everybody <= ranges:
            held = names
        if not meeting.deny:
            passing.append(ranges & undecided)
            named |= held & unnamed
        undecided, unnamed = undecided - ranges, unnamed - held
        if not undecided:
            break
    return Rights(
        RangeSet(interval for part in passing for interval in part.intervals), frozenset(named)
    )


# ------------------------------------------------------------ what is asked


def questions(views: Views, rows: t.Sequence[Row]) -> tuple[Question, ...]:
    """What has to be asked about the forms that a policy has in the states."""
    asked: dict[Question, None] = {}
    model = views.model(views.states[-1])
    for target in _targets(views, rows):
        if all(model.destination(row, target) is Match.NO for row in rows):
            continue
        pairs = itertools.product(
            *(_interfaces(views, rows, target, field) for field in ("srcintf", "dstintf"))
        )
        for way_in, way_out in itertools.islice(pairs, _MOST_PAIRS):
            asked[Question(target, way_in, way_out)] = None
    return tuple(asked)


def _interfaces(views: Views, rows: t.Sequence[Row], target: Target, field: str) -> list[str]:
    """The interfaces of a policy; where it is for any, one of each kind that policies tell
    apart.
    """
    named = {str(interface) for row in rows for interface in row.get(field) or ()}
    if ANY not in named:
        return sorted(named)
    return [
        *sorted(named - {ANY}),
        *(name for name in views.apart(target, field) if name not in named),
        _OTHER,
    ]


def _targets(views: Views, rows: t.Sequence[Row]) -> t.Iterator[Target]:
    state = views.states[-1]
    vips = state.table(VIP)
    names = [str(name) for row in rows for name in row.get("dstaddr") or ()]
    inside = [
        str(vip)
        for name in names
        for vip in state.table(VIP_GROUP).get(name, {}).get("member") or [name]
        if vip in vips
    ]
    if any(name not in vips and name not in state.table(VIP_GROUP) for name in names):
        inside += list(map(str, vips))
    ports = _ports(views.model(state), rows)
    for vip in list(dict.fromkeys(inside))[:_MOST_VIPS]:
        row = vips[vip]
        behind = virtual.ports(row)
        served = [port for port in ports if covers(behind, port)]
        for port in served or [first for first, _last in behind[:1]]:
            yield Target(port, vip=vip)
    for version in (4, 6):
        for address in _addresses(views, rows, version):
            for port in ports:
                yield Target(port, address=address)


def _ports(model: Model, rows: t.Sequence[Row]) -> list[int]:
    """One port of each kind that the services of a policy tell apart."""
    edges = set(_USUAL_PORTS)
    for row in rows:
        for name in row.get("service") or ():
            for first, last in model.services.ports(str(name)) or ():
                edges.update((first, last, first - 1, last + 1))
    apart: dict[tuple[Match, ...], int] = {}
    for port in (*_USUAL_PORTS, *sorted(edges - set(_USUAL_PORTS))):
        if 1 <= port <= 65535:
            apart.setdefault(tuple(model.services.matches(row, port) for row in rows), port)
    return [port for kinds, port in apart.items() if any(kinds)]


def _addresses(views: Views, rows: t.Sequence[Row], version: int) -> t.Iterator[Interval]:
    """One address of each kind that the destinations of policies tell apart; those of the policy
    itself first.
    """
    mine: RangeSet = NOTHING
    for state in views.states:
        model = views.model(state)
        for row in rows:
            held = model.names.destinations(row, version)
            vips = (*state.table(VIP), *state.table(VIP_GROUP))
            mine |= (
                everything(version)
                if any(source.name not in vips for source in held.opaque)
                else held.known
            )
    if not mine:
        return
    starts: dict[int, None] = {}
    model = views.model(views.states[-1])
    for row in itertools.chain(rows, views.states[-1].table(POLICY).values()):
        if len(starts) >= _MOST_ADDRESSES:
            break
        if row.get("status", "enable") == "enable":
            for interval in model.names.destinations(row, version).known.intervals:
                starts.setdefault(interval.first)
                starts.setdefault(interval.last + 1)
    for start in itertools.islice(starts, _MOST_ADDRESSES):
        if start < 1 << (32 if version == 4 else 128):
            address = Interval(version, start, start)
            if not mine.isdisjoint(RangeSet([address])):
                yield address
