# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Narrow connectors for those who would lose by a lock what they have today: the own networks, the
server itself, Exchange Online.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    _recipe_adopt,
    _recipe_copy,
    builtin_connectors,
    doors,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    ANONYMOUS,
    Answer,
    answer_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    apply_all,
    desired,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.remember import same
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import Endpoint, RangeSet

Connector = t.Mapping[str, t.Any]
Entry = dict[str, t.Any]

_NOBODY = RangeSet(())
# Read again by a later lock, to know what the connector stands for.
_COMMENT = "Keeps what '{}' gave these senders before it was locked."
_NARROWED = "Narrowed by a lock to the networks that the site names."
_PORT = 25
# What is kept of a closed connector for senders that are to meet what they meet today. Not fqdn:
# with ExchangeServer authentication it may only be the server's own name, which is also what it is
# where nothing is said (Set-ReceiveConnector.md).
KEPT = (
    "auth_mechanism",
    "require_tls",
    "max_message_size",
    "max_header_size",
    "max_hop_count",
    "max_local_hop_count",
    "max_recipients_per_message",
    "max_inbound_connection_per_source",
    "max_inbound_connection_percentage_per_source",
    "message_rate_limit",
    "connection_timeout",
    "connection_inactivity_timeout",
    "tarpit_interval",
    "protocol_logging_level",
)
KEPT_HYBRID = (*KEPT, "tls_certificate_name", "tls_domain_capabilities")


def after(state: State, entries: t.Iterable[Entry]) -> State:
    """The state after a wish."""
    return apply_all(plan(state, desired(receive=tuple(entries))), state)


def keepers(
    state: State,
    entries: t.Sequence[Entry],
    ports: t.Iterable[int],
    names: t.Sequence[str],
    group: RangeSet,
    kept: t.Sequence[str],
    *,
    whole: RangeSet = _NOBODY,
    keep_unnamed: bool = False,
    relaying: bool = True,
) -> list[Entry]:
    """Connectors for the part of `group` from which the wish `entries` would take the anonymous
    right on one of the ports, or a login from who is in `whole` and has that right. `names` are
    what they may be called, in this order.

    They give what the closed connector gives: permission groups (other Exchange servers live in
    those networks too), authentication, limits, and with `relaying` the right to relay where it is
    there today; without it, that is taken from those that are there already.

    One connector is enough where it takes nothing from anybody and gives nothing new at any local
    address; else there is one for each set of local addresses where the same senders lose. One that
    is there already gets its part added, and loses what is not in the group any more unless
    `keep_unnamed`.
    """
    held = ours(state.receive, names)
    before, goal = _before(state, held), after(state, entries)
    # Whoever is closed is closed on all its ports.
    ports = sorted({*ports, *doors.ports([*before.values(), *goal.receive.values()])})
    asleep = _asleep(before) if held else []
    losses = _losing(before, goal.receive, ports, group, whole, asleep)
    wish = _Wish(state, goal, names, held, group, kept, keep_unnamed, relaying)
    if not losses:
        return wish.entries([], beyond=False)
    rooms = _rooms(losses, {key: state.receive[key]["bindings"] for key in held})
    bound = {endpoint for loss in losses for endpoint in before[loss.source]["bindings"]}
    bound |= {endpoint for key in held[:1] for endpoint in state.receive[key]["bindings"]}
    added = wish.entries([losses], beyond=True)
    # The usual case, in which nobody else is heard by them: no state of a large server is made for
    # it.
    plain = (
        len(rooms) == 1
        and len({loss.source for loss in losses}) == 1
        and bound <= {loss.where for loss in losses}
    )
    if not plain and _harms(before, goal, after(state, [*entries, *added]), names, ports):
        added = wish.entries(rooms, beyond=False)
    return added


def ours(connectors: t.Mapping[str, Connector], names: t.Sequence[str]) -> list[str]:
    """The keys of the narrow connectors of earlier locks: the first name is a lock's own, the
    others are where their comment says so. That for which they stand may be gone since.
    """
    keys = [name.casefold() for name in names]
    return [
        key
        for number, key in enumerate(keys)
        if key in connectors and (number == 0 or _stands_for(connectors[key]) is not None)
    ]


class _Wish:
    """What is asked of narrow connectors, on one state."""

    def __init__(
        self,
        state: State,
        goal: State,
        names: t.Sequence[str],
        held: t.Sequence[str],
        group: RangeSet,
        kept: t.Sequence[str],
        keep_unnamed: bool,
        relaying: bool,
    ) -> None:
        self.state, self.goal, self.names, self.held = state, goal, names, held
        self.group, self.kept, self.relaying = group, kept, relaying
        self.leaving = {
            key
            for key in held
            if not keep_unnamed and state.receive[key]["remote_ip_ranges"] - group
        }

    def entries(self, rooms: t.Sequence[t.Sequence[_Loss]], *, beyond: bool) -> list[Entry]:
        """One entry for each room, and for who is not named any more. `beyond`: the one room is
        bound wherever the connectors listen that it stands for.
        """
        free = iter(name for name in self.names if name.casefold() not in self.state.receive)
        entries: dict[str, Entry] = {}
        for room in rooms:
            fitting = [
                key for key in self.held if key not in entries and (beyond or self._fits(key, room))
            ]
            if fitting:
                entries[fitting[0]] = self._wider(self.state.receive[fitting[0]], room)
                continue
            name = next(free, None)
            if name is not None:
                entries[name.casefold()] = self._new(name, room, beyond=beyond)
        for key in self.held:
            there = self.state.receive[key]
            if key in self.leaving and key not in entries:
                entries[key] = _without(there, self.group)
            taken = {} if self.relaying else _recipe_copy.relay_taken(there)
            if taken and entries.get(key, {}).get("state") != "absent":
                entries[key] = {"name": there["name"], **entries.get(key, {}), **taken}
        return list(entries.values())

    def _fits(self, key: str, room: t.Sequence[_Loss]) -> bool:
        """Whether what a room loses can be added to a connector without being heard elsewhere."""
        where = {loss.where for loss in room}
        versions = {endpoint.version for endpoint in where}
        return all(
            endpoint in where
            for endpoint in self.state.receive[key]["bindings"]
            if endpoint.version in versions
        )

    def _ranges(
        self, name: str, room: t.Sequence[_Loss], bindings: frozenset[Endpoint]
    ) -> list[str]:
        part = RangeSet(interval for loss in room for interval in loss.senders.intervals)
        # Also beside what is there until the last step: a range may move here from another
        # connector.
        others = [
            connector
            for side in (self.state, self.goal)
            for connector in sharing(side.receive, bindings, name)
        ]
        return [str(entry) for entry in _recipe_adopt.beside(self.group, part, others).entries]

    def _wider(self, there: Connector, room: t.Sequence[_Loss]) -> Entry:
        fresh = frozenset(loss.where for loss in room) - there["bindings"]
        ranges = self._ranges(there["name"], room, there["bindings"] | fresh)
        leaving = there["name"].casefold() in self.leaving
        entry: Entry = {
            "name": there["name"],
            "enabled": True,
            "permission_groups": {"add": [] if _recipe_copy.lets_send(there) else [ANONYMOUS]},
            "remote_ip_ranges": [*staying(there, self.group), *ranges]
            if leaving
            else {"add": ranges},
        }
        added = [str(endpoint) for endpoint in sorted(fresh)]
        return {**entry, "bindings": {"add": added}} if fresh else entry

    def _new(self, name: str, room: t.Sequence[_Loss], *, beyond: bool) -> Entry:
        sources = {loss.source: self.state.receive[loss.source] for loss in room}
        bindings = frozenset(loss.where for loss in room)
        if beyond:
            bindings |= frozenset(
                endpoint for source in sources.values() for endpoint in source["bindings"]
            )
        # Of several, that of port 25 is the model for the rest; who may log in at any of them may
        # do so here.
        sizes = {
            key: RangeSet(
                interval
                for loss in room
                if loss.source == key
                for interval in loss.senders.intervals
            ).size
            for key in sources
        }
        source = sources[max(sources, key=lambda key: (*_as_model(sources[key]), sizes[key], key))]
        groups = frozenset().union(*(_recipe_copy.groups(source) for source in sources.values()))
        if not _recipe_copy.lets_send({**source, "permission_groups": groups}):
            groups |= {ANONYMOUS}
        return {
            "name": name,
            "state": "present",
            "enabled": True,
            "bindings": [str(endpoint) for endpoint in sorted(bindings)],
            "remote_ip_ranges": self._ranges(name, room, bindings),
            "permission_groups": RECEIVE.properties["permission_groups"].kind.show(groups),
            "comment": _COMMENT.format(source["name"]),
            **_recipe_copy.as_it_is(source, groups, self.kept, relaying=self.relaying),
        }


def _rooms(
    losses: t.Iterable[_Loss], held: t.Mapping[str, frozenset[Endpoint]]
) -> list[list[_Loss]]:
    """The losses by local addresses, those together where the same senders lose, of all that can
    come there, and where the same ones of the connectors listen that are there already (`held` has
    their bindings).
    """
    places: dict[Endpoint, list[_Loss]] = {}
    for loss in losses:
        places.setdefault(loss.where, []).append(loss)
    parts = {
        where: RangeSet(interval for loss in at for interval in loss.senders.intervals)
        for where, at in places.items()
    }
    rooms: list[list[Endpoint]] = []
    for where in sorted(places):
        for room in rooms:
            if all(
                _alike(where, other, parts) and _served(where, held) == _served(other, held)
                for other in room
            ):
                room.append(where)
                break
        else:
            rooms.append([where])
    return [[loss for where in room for loss in places[where]] for room in rooms]


def _alike(where: Endpoint, other: Endpoint, parts: t.Mapping[Endpoint, RangeSet]) -> bool:
    # Of those who can come to one of two local addresses only, it does not matter that the other
    # one hears them too.
    coming = [doors.coming_to(endpoint, (where, other)) for endpoint in (where, other)]
    return where.version != other.version or parts[where] & coming[1] == parts[other] & coming[0]


def _served(where: Endpoint, held: t.Mapping[str, frozenset[Endpoint]]) -> set[str]:
    return {key for key, bindings in held.items() if where in bindings}


def _harms(
    before: t.Mapping[str, Connector],
    goal: State,
    result: State,
    names: t.Sequence[str],
    ports: t.Iterable[int],
) -> bool:
    """Whether the connectors called so take from somebody what he has before and would have without
    them, or give what he has in neither.
    """
    keys = [name.casefold() for name in names if name.casefold() in result.receive]
    own = {result.receive[key]["name"] for key in keys}
    bindings = frozenset().union(*(result.receive[key]["bindings"] for key in keys))
    for port in ports:
        states = (before, goal.receive, result.receive)
        views = [doors.view_of(connectors.values(), port) for connectors in states]
        listening = doors.endpoints(views)
        for endpoint in {endpoint for endpoint in bindings if endpoint.port == port}:
            coming = doors.coming_to(endpoint, listening)
            for first, last, (then, now, with_them) in doors.walk(views, endpoint):
                if not own & set(with_them.names):
                    continue
                old, without, given = (doors.rights(answer) for answer in (then, now, with_them))
                if (
                    not old & without <= given <= old | without
                    and RangeSet.of_spans(endpoint.version, [(first, last)]) & coming
                ):
                    return True
    return False


def _as_model(connector: Connector) -> tuple[bool, bool]:
    # Of two with the same claim nobody knows which one the senders met: the one that trusts them
    # less.
    return _PORT in doors.ports([connector]), "ExternalAuthoritative" not in (
        connector.get("auth_mechanism") or ()
    )


def sharing(
    connectors: t.Mapping[str, Connector], bindings: frozenset[Endpoint], name: str
) -> list[Connector]:
    """The other connectors on one of the bindings, in service or not."""
    return [
        connector
        for key, connector in connectors.items()
        if key != name.casefold() and (connector.get("bindings") or frozenset()) & bindings
    ]


def _stands_for(connector: Connector) -> str | None:
    """The name of the connector that the narrow one of an earlier lock stands for, by its comment;
    None where it is none.
    """
    head, tail = _COMMENT.split("{}")
    comment = str(connector.get("comment") or "")
    source = comment[len(head) : -len(tail)]
    return source if comment == _COMMENT.format(source) else None


def _source_of(connectors: t.Mapping[str, Connector], name: str) -> Connector | None:
    """The same connector, where it is still there."""
    source = _stands_for(connectors.get(name.casefold(), {}))
    return None if source is None else connectors.get(source.casefold())


def narrowed_comment(connector: Connector) -> str:
    """The comment of a connector that a lock narrows: told by it from one that somebody has
    narrowed by hand.
    """
    comment = str(connector.get("comment") or "")
    return comment if comment.endswith(_NARROWED) else f"{comment} {_NARROWED}".strip()


def is_narrowed(connector: Connector) -> bool:
    """Whether a lock has narrowed a connector, and it is narrow still."""
    return (
        str(connector.get("comment") or "").endswith(_NARROWED)
        and answer_of(connector).accepts_anonymous
        and not builtin_connectors.hears_internet(connector)
    )


def unnamed(
    connectors: t.Mapping[str, Connector], key: str, group: RangeSet, names: t.Iterable[str] = ()
) -> RangeSet:
    """What a connector that an earlier lock has made or narrowed hears beyond a group; nothing
    where it is none. One that is called by one of `names` is a lock's own.
    """
    connector = connectors[key]
    made = key in {name.casefold() for name in names} or _stands_for(connector) is not None
    if not made and not is_narrowed(connector):
        return _NOBODY
    heard: RangeSet = connector["remote_ip_ranges"]
    return heard - group


def staying(there: Connector, group: RangeSet) -> list[str]:
    """The ranges of a connector as far as they are in the group; whole ones as they are written."""
    return [
        str(interval)
        for entry in there["remote_ip_ranges"].entries
        for interval in ([entry] if entry in group else (RangeSet([entry]) & group).intervals)
    ]


def _without(there: Connector, group: RangeSet) -> Entry:
    ranges = staying(there, group)
    # Exchange has no connector without a range.
    return {
        "name": there["name"],
        **({"remote_ip_ranges": ranges} if ranges else {"state": "absent"}),
    }


def _before(state: State, held: t.Iterable[str]) -> t.Mapping[str, Connector]:
    """The receive connectors as they are; where narrow ones of an earlier lock are there (by key),
    as before that lock.

    That is without the narrow ones, and with those that they stand for open. So networks that are
    named since get what they had then, as after a change of Exchange Online's ranges, and a narrow
    one that somebody has taken out of service is missed.
    """
    receive = dict(state.receive)
    for key in held:
        source = _source_of(state.receive, key)
        if source is not None:
            groups = source["permission_groups"] | {ANONYMOUS}
            receive[source["name"].casefold()] = {
                **source,
                "enabled": True,
                "permission_groups": groups,
            }
            del receive[key]
    return receive


def _asleep(connectors: t.Mapping[str, Connector]) -> list[Endpoint]:
    """Where connectors out of service would listen.

    An earlier lock may have disabled them. One on a loopback address is replaced there by none, so
    that nobody knows whether the server met it or the one on all addresses before that lock; what
    the narrow connectors give the server is then left as it is.
    """
    return [
        endpoint
        for connector in connectors.values()
        if connector.get("enabled") is False
        for endpoint in connector.get("bindings") or ()
    ]


@dataclass(frozen=True)
class _Loss:
    """`senders` come to `where` and may send there by the connector `source` (a key) before."""

    source: str
    where: Endpoint
    senders: RangeSet


def _losing(
    old: t.Mapping[str, Connector],
    new: t.Mapping[str, Connector],
    ports: t.Iterable[int],
    group: RangeSet,
    whole: RangeSet,
    asleep: t.Collection[Endpoint],
) -> list[_Loss]:
    """Where and by which connectors a group may send anonymously before and no longer after; those
    in `whole` also where they only could log in as somebody else too. `asleep`: where somebody may
    have listened before, beside those who do.
    """
    losses: list[_Loss] = []
    sides = (same(old.values()), same(new.values()))
    for port in ports:
        views = [doors.view_of(side, port) for side in sides]
        listening = doors.endpoints(views)
        for endpoint in listening:
            coming = doors.coming_to(endpoint, [*listening, *asleep])
            spans: dict[tuple[Answer, bool], list[tuple[int, int]]] = {}
            for first, last, (then, now) in doors.walk(views, endpoint):
                keeps = doors.accepts_anonymous(now)
                if doors.accepts_anonymous(then) and not (keeps and then.groups <= now.groups):
                    spans.setdefault((then, keeps), []).append((first, last))
            losing: dict[tuple[str, bool], RangeSet] = {}
            for (then, only_logins), parts in spans.items():
                senders = RangeSet.of_spans(endpoint.version, parts)
                for name in doors.openers(then, old, doors.accepts_anonymous):
                    key = (name.casefold(), only_logins)
                    losing[key] = losing.get(key, RangeSet(())) | senders
            for (source, only_logins), heard in losing.items():
                part = heard & coming & (whole if only_logins else group)
                if part:
                    losses.append(_Loss(source, endpoint, part))
    return losses
