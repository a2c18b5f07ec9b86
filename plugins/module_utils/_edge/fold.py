# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole edge of a server: its stages folded outside in, into what a stranger gets at each door.

Two bounds travel inwards: who might get through all stages so far, and who certainly does. A stage
that nobody looked at lets everybody through as far as anybody knows, and nobody for certain. So
`refused` is said only where a stage that was looked at certainly stops everybody, and `taken` only
where every stage lets somebody through.
"""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import (
    ALL,
    DELIVER,
    INTERNET,
    PROVIDER,
    REACH,
    RELAY,
    SOME,
    STRANGERS,
    WEB,
    Part,
    Plain,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    RangeError,
    RangeSet,
    parse_address,
)

RELAYS, TAKEN, UNKNOWN, REFUSED = "relays", "taken", "unknown", "refused"
ANSWERS = (RELAYS, TAKEN, UNKNOWN, REFUSED)
"""What somebody gets, worst first."""

FIREWALL, WINDOWS_FIREWALL, EXCHANGE = "the firewall", "Windows Firewall", "Exchange"
IIS, TENANT = "IIS", "Exchange Online"
STAGES = (FIREWALL, WINDOWS_FIREWALL, EXCHANGE)
WEB_STAGES = (FIREWALL, WINDOWS_FIREWALL, IIS)
"""Outside in, as a sentence calls them; the last one answers."""

WHO = {STRANGERS: "a stranger", PROVIDER: "the provider"}
_NOBODY: Part = []


@dataclass(frozen=True)
class Seen:
    """A stage as a run knows it: what it told, or why nobody knows, as the end of a sentence."""

    name: str
    told: Plain | None
    why: str = "was not looked at"


@dataclass(frozen=True)
class Place:
    """A published door. `address` is empty where nothing in front of the server was looked at.

    `direct`: an address of the server that the internet could reach past what is in front. The
    tenant's door has the domain for its `name`, and no address.
    """

    address: str
    port: int
    inside: str
    port_inside: int
    name: str = ""
    direct: bool = False
    tenant: bool = False
    # That of the senders, where the tenant answers those of the other one otherwise.
    family: int = 0

    def at(self, ports: t.Sequence[int]) -> str:
        """The same door at several ports, in words."""
        if self.tenant:
            over = f", over IPv{self.family}," if self.family else ""
            return f"the tenant's own name for {self.name}{over}"
        where = self.address or "the server itself"
        named = f" ({self.name})" if self.name else ""
        return f"{where} port {', '.join(map(str, ports))}{named}"

    def __str__(self) -> str:
        return self.at([self.port])


@dataclass(frozen=True)
class Answer:
    """What a group gets at a door: one of ANSWERS.

    `might` and `certain` are the senders who could send mail there, and who certainly can. `by` is
    the stage that refuses everybody, `how` in what way. `unseen`: the stages of which nobody knows
    enough, each as a phrase; `passed`: whether all others let somebody through for certain. `path`:
    what is asked for at a web; empty where it is about mail.
    """

    place: Place
    group: str
    answer: str
    might: Part
    certain: Part
    by: str = ""
    how: str = ""
    unseen: tuple[str, ...] = ()
    passed: bool = False
    path: str = ""

    @property
    def of_mail(self) -> bool:
        """Whether it is about mail at a door of the site's own."""
        return not self.path and not self.place.tenant

    def sentence(self, ports: t.Sequence[int] = (), paths: t.Sequence[str] = ()) -> str:
        """One sentence, of all these ports, or paths, where they answer alike."""
        where = self.place.at(ports or [self.place.port])
        asked = _listed(paths or [self.path], " and ") if self.path else ""
        return f"{WHO[self.group]} at {where}{asked and ', ' + asked} gets: {self.words()}"

    def words(self) -> str:
        """What it is, as the end of a sentence."""
        if self.answer == REFUSED:
            return f"refused by {self.by}{f', {self.how}' if self.how else ''}"
        if self.answer == UNKNOWN:
            who = f", from {_shown(self.might)}" if _shown(self.might) else ""
            if self.passed:
                return f"{self._taken}{who}, unless refused by {_listed(self.unseen)}"
            return f"perhaps {self._taken}{who}: not known enough of {_listed(self.unseen)}"
        word = "taken, and relayed to any recipient" if self.answer == RELAYS else self._taken
        who = _shown(self.certain)
        return f"{word}{f', from {who}' if who else ''}{f', {self.how}' if self.how else ''}"

    @property
    def _taken(self) -> str:
        return "answered" if self.path else "taken"

    def holds_for(self, address: str) -> bool | None:
        """Whether one sender of the group can send mail there; None where it is not known."""
        if not _holds(self.might, address, otherwise=True):
            return False
        return True if _holds(self.certain, address, otherwise=False) else None


def _holds(senders: Part, address: str, *, otherwise: bool) -> bool:
    if senders == ALL:
        return True
    if senders == SOME:
        return otherwise
    return parse_address(address) in RangeSet.parse(senders)


def _listed(phrases: t.Sequence[str], last: str = " or ") -> str:
    return last.join(filter(None, [", ".join(phrases[:-1]), *phrases[-1:]]))


def _shown(senders: Part) -> str:
    if senders == ALL:
        return ""
    if senders == SOME:
        return "some"
    texts = list(senders)
    return ", ".join(texts[:4]) + (f" and {len(texts) - 4} more" if len(texts) > 4 else "")


def both_might(first: Part, other: Part) -> Part:
    """Who might be in both."""
    if not first or not other:
        return _NOBODY
    if ALL in (first, other):
        return other if first == ALL else first
    if SOME in (first, other):
        return other if first == SOME else first
    return (RangeSet.parse(first) & RangeSet.parse(other)).to_texts()


def both_certain(first: Part, other: Part, *, same: bool) -> Part:
    """Who certainly is in both. `same`: whether both mean the same group by ALL."""
    if not first or not other:
        return _NOBODY
    if isinstance(first, list) and isinstance(other, list):
        return (RangeSet.parse(first) & RangeSet.parse(other)).to_texts()
    if first == ALL and other == ALL:
        return ALL
    if same and ALL in (first, other):
        return other if first == ALL else first
    return _NOBODY


def places(stages: t.Sequence[Seen]) -> list[tuple[Place, int]]:
    """The published doors of a server, each with its family of IP, in order."""
    front, last = stages[0].told, stages[-1].told
    own = set((last or {}).get("addresses") or ())
    doors: dict[tuple[Place, int], None] = {}
    if front is None:
        for door in (last or {}).get("doors") or ():
            for family in door["families"]:
                for port in door["ports"]:
                    for at in door.get("at") or [""]:
                        doors[Place("", port, at, port), family] = None
        return sorted(doors, key=_ranked)
    for door in front["doors"]:
        inside = [address for address in door["leads_to"] if not own or address in own]
        if door["leads_to"] and not inside:
            continue
        for family in door["families"]:
            for port in door["ports"]:
                for address in inside or [""]:
                    behind = door.get("port_behind") or port
                    place = Place(door["at"][0], port, address, behind, door.get("name", ""))
                    doors[place, family] = None
    published = {place.address for place, _family in doors}
    for place, family in _direct(last, published):
        doors[place, family] = None
    return sorted(doors, key=_ranked)


def _direct(last: Plain | None, published: t.Collection[str]) -> t.Iterator[tuple[Place, int]]:
    """The doors at addresses of the server itself that the internet knows a way to, and of which
    what is in front tells nothing: IPv6 most of all, which nobody translates.
    """
    for text in (last or {}).get("addresses") or ():
        try:
            address = parse_address(text)
        except RangeError:
            continue
        if text in published or address not in INTERNET:
            continue
        for door in (last or {}).get("doors") or ():
            at = door.get("at") or [text]
            if address.version in door["families"] and text in at:
                for port in door["ports"]:
                    yield Place(text, port, text, port, direct=True), address.version


def _ranked(item: tuple[Place, int]) -> tuple[t.Any, ...]:
    place, family = item
    return (family, place.port_inside != 25, place.port, place.address, place.name)


def answers(stages: t.Sequence[Seen], groups: t.Sequence[str] = (STRANGERS,)) -> list[Answer]:
    """What each group gets at each published door of a server; `stages` are in the order of STAGES.

    A door behind which nobody listens is left out where everything says so.
    """
    told: list[Answer] = []
    for place, family in places(stages):
        # The connectors do not answer there.
        if place.port_inside == WEB or not _listens(stages[-1].told, place, family):
            continue
        for group in groups:
            answer = _answer(stages, place, family, group)
            if answer not in told:
                told.append(answer)
    return told


def web_answers(stages: t.Sequence[Seen]) -> list[Answer]:
    """What a stranger gets at the web of a server, path by path; `stages` as in WEB_STAGES. Nothing
    where IIS was not looked at, of which then nobody knows a path.
    """
    last = stages[-1].told
    doors = (last or {}).get("doors") or ()
    paths = {right for door in doors for right in door if right[:1] == "/"}
    ports = {WEB, *(port for door in doors for port in door["ports"])}
    told: list[Answer] = []
    for place, family in places(stages) if paths else ():
        if place.port_inside not in ports:
            continue
        door = (last and _door(last, family, place.port_inside, place.inside)) or {}
        then, shut = door.get("then", ""), not any(map(door.get, paths))
        for path in sorted(paths):
            way = _way(stages, place, family, STRANGERS, path)
            answer = dataclasses.replace(_answer_of(place, STRANGERS, way, None), path=path)
            if answer.answer == TAKEN or (shut and answer.by == stages[-1].name):
                answer = dataclasses.replace(answer, how=then)
            if answer not in told:
                told.append(answer)
    return told


def tenant_answers(tenant: Seen) -> list[Answer]:
    """What a stranger gets by the tenant's own names, one for each domain, past the filter."""
    told: list[Answer] = []
    doors = (tenant.told or {}).get("doors") or ()
    for name in dict.fromkeys(door["name"] for door in doors):
        place = Place("", 25, "", 25, name, tenant=True)
        of_name = [door for door in doors if door["name"] == name]
        by_family = {
            family: _at_tenant(tenant, place, family, door.get("then", ""))
            for door in of_name
            for family in door["families"]
        }
        if len(set(map(str, by_family.values()))) == 1:
            told.append(next(iter(by_family.values())))
            continue
        told += [
            dataclasses.replace(answer, place=dataclasses.replace(place, family=family))
            for family, answer in sorted(by_family.items())
        ]
    return told


def _at_tenant(tenant: Seen, place: Place, family: int, then: str) -> Answer:
    way = _way([tenant], place, family, STRANGERS, DELIVER)
    answer = _answer_of(place, STRANGERS, way, None)
    return dataclasses.replace(answer, how=then) if answer.answer == TAKEN else answer


def _listens(last: Plain | None, place: Place, family: int) -> bool:
    if last is None or not last.get("complete"):
        return True
    return _door(last, family, place.port_inside, place.inside) is not None


@dataclass
class _Way:
    """How far the senders of a group get on the way to a right; see Answer."""

    might: Part = ALL
    certain: Part = ALL
    by: str = ""
    how: str = ""
    unseen: tuple[str, ...] = ()
    # Who certainly passes the stages that were looked at.
    seen: Part = ALL


def _answer(stages: t.Sequence[Seen], place: Place, family: int, group: str) -> Answer:
    deliver = _way(stages, place, family, group, DELIVER)
    return _answer_of(place, group, deliver, _way(stages, place, family, group, RELAY))


def _answer_of(place: Place, group: str, deliver: _Way, relay: _Way | None) -> Answer:
    relay = relay or _refused("", "")
    might = _either(deliver.might, relay.might)
    for answer, certain in ((RELAYS, relay.certain), (TAKEN, deliver.certain)):
        if certain:
            return Answer(place, group, answer, might, certain)
    if might:
        unseen = tuple(dict.fromkeys((*deliver.unseen, *relay.unseen)))
        passed = bool(deliver.seen or relay.seen)
        return Answer(place, group, UNKNOWN, might, _NOBODY, unseen=unseen, passed=passed)
    return Answer(place, group, REFUSED, _NOBODY, _NOBODY, by=deliver.by, how=deliver.how)


def _way(stages: t.Sequence[Seen], place: Place, family: int, group: str, right: str) -> _Way:
    way = _Way()
    meanings: set[str] = set()
    for seen in stages:
        last = seen is stages[-1]
        door = (
            None
            if seen.told is None
            else _met(seen.told, place, family, front=seen is stages[0] and not last)
        )
        if seen.told is None or door is None or group not in seen.told["means"]:
            if seen.told is not None and last and seen.told.get("complete") and door is None:
                return _refused(seen.name, "because nobody listens there")
            way.certain = _NOBODY
            why = seen.why if seen.told is None else "does not tell of it"
            way.unseen = (*way.unseen, f"{seen.name} (which {why})")
            continue
        might, certain = door.get(right if last else REACH, {}).get(group, (_NOBODY, _NOBODY))
        meanings.add(seen.told["means"][group])
        way.certain = both_certain(way.certain, certain, same=len(meanings) == 1)
        way.seen = both_certain(way.seen, certain, same=len(meanings) == 1)
        way.might = both_might(way.might, might)
        if not way.might:
            return _refused(seen.name, "" if last else "without an answer")
        if not certain:
            way.unseen = (*way.unseen, f"{seen.name} (which might let them through)")
    return way


def _refused(by: str, how: str) -> _Way:
    return _Way(_NOBODY, _NOBODY, by, how, seen=_NOBODY)


def _met(told: Plain, place: Place, family: int, *, front: bool) -> Plain | None:
    """The door of a stage that a sender comes to; None where it has none, or tells of none."""
    if place.tenant:
        of_domain = [door for door in told["doors"] if door["name"] == place.name]
        return next((door for door in of_domain if family in door["families"]), None)
    if not front:
        return _door(told, family, place.port_inside, place.inside)
    for door in told["doors"]:
        behind = door.get("port_behind") or place.port
        if (
            family in door["families"]
            and place.port in door["ports"]
            and place.address in door["at"]
            and (behind, door.get("name", "")) == (place.port_inside, place.name)
        ):
            return t.cast(Plain, door)
    return None


def _door(told: Plain, family: int, port: int, address: str) -> Plain | None:
    """The door at an address of the server, else the one at all its addresses. Where nobody knows
    the address, it may be any of them.
    """
    fitting = [
        door for door in told["doors"] if family in door["families"] and port in door["ports"]
    ]
    named = [door for door in fitting if address and address in (door.get("at") or ())]
    everywhere = [door for door in fitting if not door.get("at")]
    if not address and len(fitting) > len(everywhere):
        return _one_of(fitting)
    return next(iter([*named, *everywhere]), None)


def _one_of(doors: t.Sequence[Plain]) -> Plain:
    """What is known of a door that is one of several: who might get further, nobody for sure."""
    merged: dict[str, t.Any] = {}
    for door in doors:
        for right, whose in door.items():
            if not isinstance(whose, dict):
                continue
            held = merged.setdefault(right, {})
            for group, (might, _certain) in whose.items():
                before = held.get(group, (_NOBODY, _NOBODY))[0]
                held[group] = (_either(before, might), _NOBODY)
    return merged


def _either(first: Part, other: Part) -> Part:
    """Who might be in one of them."""
    if not first or not other:
        return first or other
    for word in (ALL, SOME):
        if word in (first, other):
            return word
    return (RangeSet.parse(first) | RangeSet.parse(other)).to_texts()
