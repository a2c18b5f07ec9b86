# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mail-flow model: which receive connector a sender meets, and with what rights.

The rule (learn.microsoft.com, receive-connectors.md): among the enabled connectors that listen
where the sender comes in, the one with the most specific remote range that holds the sender's
address. Unverified, and taken as a socket behaves: a binding to the very local address beats the
one to all addresses, for all senders.

Exchange refuses two connectors with the same range on one binding, but a replication conflict
leaves such, and which of them answers is not known. Whoever gets in by one of them gets in.

Connectors are mappings of canonical values (_resource/kinds.py): `name`, `enabled`, `bindings`,
`remote_ip_ranges`, `permission_groups`, `auth_mechanism`, `require_tls`, `anonymous_relay`, and
those of rights.py. All are of one server.
"""

from __future__ import annotations

import heapq
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import accepted, rights
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.remember import remembered
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING_V4,
    EVERYTHING_V6,
    LOOPBACK,
    Address,
    Endpoint,
    RangeSet,
    parse_address,
)

Connector = t.Mapping[str, t.Any]

ANONYMOUS = rights.ANONYMOUS_GROUP
EXTERNAL = "ExternalAuthoritative"

_FAMILIES = {4: EVERYTHING_V4, 6: EVERYTHING_V6}
# Who a permission group is, for a sentence (receive-connectors.md, "Receive connector permission
# groups").
_SERVERS = "Exchange servers"
_WHO = {
    "ExchangeServers": _SERVERS,
    "ExchangeLegacyServers": _SERVERS,
    "Partners": "partners",
    "ExchangeUsers": "users",
}


def _and(names: t.Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


@dataclass(frozen=True)
class Answer:
    """What a sender meets.

    `connector`: its name, None where no connector hears the sender. `groups`: the permission groups
    that may send. `relay`: whether a sender that does not log in may send to any recipient.
    `require_tls`: only after STARTTLS. `external`: whoever is heard counts as an Exchange server
    (ExternalAuthoritative). `rivals`: other connectors with the very same claim; the answer is then
    what any of them allows, `connector` the most generous, and `doubtful` says that another of them
    refuses who does not log in.
    """

    connector: str | None
    groups: frozenset[str]
    relay: bool
    require_tls: bool
    external: bool
    rivals: frozenset[str] = frozenset()
    doubtful: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The connectors that may answer, sorted."""
        return tuple(sorted({*self.rivals, *([] if self.connector is None else [self.connector])}))

    @property
    def accepts_anonymous(self) -> bool:
        """Whether a sender that does not log in may send."""
        return ANONYMOUS in self.groups or self.external

    @property
    def refused(self) -> bool:
        """Whether a sender that does not log in is turned away: no connector, or 530 5.7.57 from
        the one it meets.
        """
        return not self.accepts_anonymous

    def words(self) -> str:
        """The answer for a sentence about a group of senders, without the connector's name."""
        if self.accepts_anonymous:
            text = (
                "trusted as an Exchange server without a login"
                if self.external
                else "anonymous mail accepted"
            )
            text += " over TLS only" if self.require_tls else ""
            text += (
                " by one of several connectors with the same claim, refused by another"
                if self.doubtful
                else ""
            )
            text += ", relayed to any recipient (open relay)" if self.relay else ""
            # Without a word on servers, which nearly every connector of setup is for as well.
            logins = [who for who in self._logins() if who != _SERVERS]
            return f"{text}, {_and(logins)} that log in too" if logins else text
        others = self._logins()
        if not others:
            return "refused"
        return f"refused, except for {_and(others)} that log in"

    def _logins(self) -> list[str]:
        """Who may log in, in the order of _WHO, each once; a group that a newer server may have
        goes by its own name.
        """
        known = dict.fromkeys(who for group, who in _WHO.items() if group in self.groups)
        return [*known, *sorted(self.groups - set(_WHO) - {ANONYMOUS})]


REFUSED = Answer(None, frozenset(), False, False, False)
"""What a sender meets whom no connector hears."""


@dataclass(frozen=True)
class Exposure:
    """Who meets `answer` at `listener`: `ranges`, of the listener's family and never empty."""

    listener: Endpoint
    ranges: RangeSet
    answer: Answer


# One remote range of one connector: (how many addresses, rank of the connector, first, last). The
# smallest of those that hold a sender are what it meets.
_Entry = tuple[int, int, int, int]


def answer_of(connector: Connector) -> Answer:
    """What a connector answers to those whom it hears."""
    held = rights.held(connector)
    # The groups are labels; whether a session without a login may submit is a right.
    others = frozenset(connector.get("permission_groups") or ()) - {ANONYMOUS}
    users_may_send = connector.get("users_may_send")
    if users_may_send is not None:
        others = others | {rights.USERS_GROUP} if users_may_send else others - {rights.USERS_GROUP}
    groups = others | {ANONYMOUS} if rights.SUBMIT in held else others
    external = EXTERNAL in (connector.get("auth_mechanism") or ())
    every_recipient = rights.ANY_RECIPIENT in held or connector.get(accepted.EVERY_RECIPIENT)
    relay = external or bool(rights.SUBMIT in held and every_recipient)
    return Answer(connector["name"], groups, relay, bool(connector.get("require_tls")), external)


def _joined(connectors: t.Sequence[Connector]) -> Answer:
    """What connectors with the very same claim answer: all that any of them allows."""
    single = [answer_of(connector) for connector in connectors]
    if len(single) == 1:
        return single[0]
    best = max(
        single,
        key=lambda answer: (
            answer.accepts_anonymous,
            answer.external,
            answer.relay,
            not answer.require_tls,
        ),
    )
    open_ones = [answer for answer in single if answer.accepts_anonymous]
    return Answer(
        best.connector,
        frozenset().union(*(answer.groups for answer in single)),
        any(answer.relay for answer in single),
        all(answer.require_tls for answer in open_ones or single),
        any(answer.external for answer in single),
        rivals=frozenset(str(answer.connector) for answer in single) - {str(best.connector)},
        doubtful=0 < len(open_ones) < len(single),
    )


def _bound(connectors: t.Iterable[Connector], port: int) -> dict[Endpoint, list[Connector]]:
    """The enabled connectors by the endpoint on `port` that they listen on; one whose `enabled` is
    not known counts.
    """
    bound: dict[Endpoint, list[Connector]] = {}
    for connector in sorted(
        connectors, key=lambda connector: (connector["name"].casefold(), connector["name"])
    ):
        if connector.get("enabled") is not False:
            for endpoint in connector.get("bindings") or ():
                if endpoint.port == port:
                    bound.setdefault(endpoint, []).append(connector)
    return bound


def _entries(connectors: t.Iterable[Connector], version: int) -> list[_Entry]:
    return [
        (entry.last - entry.first + 1, rank, entry.first, entry.last)
        for rank, connector in enumerate(connectors)
        for entry in (connector.get("remote_ip_ranges") or RangeSet()).entries
        if entry.version == version
    ]


def is_loopback(endpoint: Endpoint) -> bool:
    """Whether only the server itself can come to this endpoint."""
    return Address(endpoint.version, endpoint.address) in LOOPBACK


def listeners(connectors: t.Iterable[Connector], port: int = 25) -> tuple[Endpoint, ...]:
    """The endpoints on `port` that an enabled connector listens on, sorted."""
    return tuple(sorted(_bound(connectors, port)))


def match(
    connectors: t.Iterable[Connector],
    address: Address | str,
    port: int = 25,
    local: Address | None = None,
) -> Answer:
    """What the sender `address` meets that comes to the local address `local` on `port`.

    Without `local` the server itself comes to the address it comes from, and everybody else to a
    local address that no connector names; where no connector listens on all addresses, to all named
    ones but loopback at once, the most specific range among them. Raises RangeError for a text that
    is no address.
    """
    sender = parse_address(address) if isinstance(address, str) else address
    if local is None and sender in LOOPBACK:
        local = sender
    bound = {
        endpoint: listening
        for endpoint, listening in _bound(connectors, port).items()
        if endpoint.version == sender.version
    }
    heard: list[Connector] = []
    wildcard = Endpoint(sender.version, 0, port)
    if (
        local is not None
        and local.version == sender.version
        and Endpoint(local.version, local.value, port) in bound
    ):
        heard = bound[Endpoint(local.version, local.value, port)]
    elif wildcard in bound and (local is None or local.version == sender.version):
        heard = bound[wildcard]
    elif local is None:
        named = [
            connector
            for endpoint, listening in bound.items()
            if not is_loopback(endpoint)
            for connector in listening
        ]
        heard = sorted(
            named, key=lambda connector: (connector["name"].casefold(), connector["name"])
        )
    held = [
        entry for entry in _entries(heard, sender.version) if entry[2] <= sender.value <= entry[3]
    ]
    if not held:
        return REFUSED
    ranks = sorted({entry[1] for entry in held if entry[0] == min(held)[0]})
    return _joined([heard[rank] for rank in ranks])


def _closest(held: list[_Entry], first: int) -> tuple[int, ...]:
    """The connectors whose smallest ranges hold the address `first`, by rank; ranges that end
    before it leave the heap.
    """
    equal: list[_Entry] = []
    while held and (held[0][3] < first or not equal or held[0][0] == equal[0][0]):
        entry = heapq.heappop(held)
        if entry[3] >= first:
            equal.append(entry)
    for entry in equal:
        heapq.heappush(held, entry)
    return tuple(sorted({entry[1] for entry in equal}))


def _fold(connectors: t.Sequence[Connector], version: int) -> dict[Answer, RangeSet]:
    """The whole family by what its addresses meet at one listener with these connectors.

    A sweep over where ranges begin and end; the heap has those that hold the current address, the
    most specific on top.
    """
    entries = sorted(_entries(connectors, version), key=lambda entry: entry[2])
    whole = _FAMILIES[version].intervals[0]
    borders = sorted(
        {
            0,
            *(entry[2] for entry in entries),
            *(entry[3] + 1 for entry in entries if entry[3] < whole.last),
        }
    )
    pieces: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    held: list[_Entry] = []
    at = 0
    for position, first in enumerate(borders):
        while at < len(entries) and entries[at][2] == first:
            heapq.heappush(held, entries[at])
            at += 1
        ranks = _closest(held, first)
        last = borders[position + 1] - 1 if position + 1 < len(borders) else whole.last
        pieces.setdefault(ranks, []).append((first, last))
    folded: dict[Answer, RangeSet] = {}
    for ranks, senders in pieces.items():
        answer = _joined([connectors[rank] for rank in ranks]) if ranks else REFUSED
        # As a set, pieces that were cut only because another range begins or ends there are one
        # again.
        folded[answer] = folded.get(answer, RangeSet()) | RangeSet.of_spans(version, senders)
    return folded


@remembered
def exposure(connectors: t.Iterable[Connector], port: int = 25) -> tuple[Exposure, ...]:
    """What every address of a listener's family meets there, without a gap: sorted by listener and
    by first address.

    A family without a listener on `port` does not appear: nobody can come to it.
    """
    exposures: list[Exposure] = []
    for endpoint, bound in sorted(_bound(connectors, port).items()):
        folded = _fold(bound, endpoint.version)
        exposures.extend(
            Exposure(endpoint, ranges, answer)
            for answer, ranges in sorted(folded.items(), key=lambda item: item[1].intervals[0])
        )
    return tuple(exposures)


def answers(
    connectors: t.Iterable[Connector], ranges: RangeSet, port: int = 25
) -> dict[Answer, RangeSet]:
    """What the senders in `ranges` meet, over all listeners they can come to: answer → those who
    meet it at any.

    A listener on a loopback address counts for loopback senders only. Where listeners answer
    differently, a sender stands with each of the answers. Who can come to no listener meets
    REFUSED.
    """
    by_answer: dict[Answer, RangeSet] = {}
    reaching = RangeSet()
    for exposed in exposure(connectors, port):
        part = ranges & exposed.ranges
        if is_loopback(exposed.listener):
            part = part & LOOPBACK
        if part:
            by_answer[exposed.answer] = by_answer.get(exposed.answer, RangeSet()) | part
            reaching = reaching | part
    if ranges - reaching:
        by_answer[REFUSED] = by_answer.get(REFUSED, RangeSet()) | (ranges - reaching)
    return by_answer
