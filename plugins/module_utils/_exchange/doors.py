# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doors of a server side by side: what every sender meets at every local address in two or more
states.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    ANONYMOUS,
    REFUSED,
    Answer,
    answer_of,
    exposure,
    is_loopback,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.remember import remembered
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    EVERYTHING_V4,
    EVERYTHING_V6,
    LOOPBACK,
    PRIVATE,
    Address,
    Endpoint,
    Interval,
    RangeSet,
)

Connector = t.Mapping[str, t.Any]
Right = str

_PUBLIC = EVERYTHING - PRIVATE
_ends = {4: EVERYTHING_V4.intervals[0].last, 6: EVERYTHING_V6.intervals[0].last}


def rights(answer: Answer) -> frozenset[Right]:
    """All that an answer allows, so that less is a subset: the groups, each also without TLS where
    that is allowed, and relay.
    """
    held = set(answer.groups)
    if answer.external:
        # Externally secured: whoever is heard counts as an Exchange server (receive-connectors.md).
        held |= {ANONYMOUS, "relay", "external"}
    if answer.relay:
        held.add("relay")
    if not answer.require_tls:
        held |= {f"{right} without TLS" for right in held}
    return frozenset(held)


def accepts_anonymous(answer: Answer) -> bool:
    """Whether a sender that does not log in may send."""
    return answer.accepts_anonymous


def surely_accepts_anonymous(answer: Answer) -> bool:
    """Whether it may send whichever of several connectors with the same claim answers."""
    return answer.accepts_anonymous and not answer.doubtful


def openers(
    answer: Answer, connectors: t.Mapping[str, Connector], right: t.Callable[[Answer], bool]
) -> list[str]:
    """The names of those of the answering connectors that allow `right` by themselves; `connectors`
    is by casefolded name.
    """
    return [name for name in answer.names if right(answer_of(connectors[name.casefold()]))]


def ports(connectors: t.Iterable[Connector]) -> set[int]:
    """The ports that the connectors listen on, enabled or not."""
    return {
        endpoint.port for connector in connectors for endpoint in connector.get("bindings") or ()
    }


def public(without: RangeSet) -> RangeSet:
    """The internet: every address that is neither private nor in `without`."""
    return _PUBLIC - without


class View:
    """What one set of connectors answers on one port, by local endpoint."""

    def __init__(self, connectors: t.Iterable[Connector], port: int) -> None:
        self._answers: dict[Endpoint, list[tuple[int, int, Answer]]] = {}
        for exposed in exposure(connectors, port):
            pieces = self._answers.setdefault(exposed.listener, [])
            pieces.extend(
                (interval.first, interval.last, exposed.answer)
                for interval in exposed.ranges.intervals
                if interval.version == exposed.listener.version
            )
        for pieces in self._answers.values():
            pieces.sort(key=lambda piece: piece[0])

    @property
    def endpoints(self) -> frozenset[Endpoint]:
        """Where it listens."""
        return frozenset(self._answers)

    def at(self, endpoint: Endpoint) -> list[tuple[int, int, Answer]]:
        """(first, last, answer) for the senders that come to `endpoint`, sorted; gaps are closed
        doors.

        Who comes to a local address without a listener of its own meets the one that listens on all
        addresses.
        """
        answers = self._answers.get(endpoint)
        if answers is None:
            answers = self._answers.get(Endpoint(endpoint.version, 0, endpoint.port), [])
        return answers


@remembered
def view_of(connectors: t.Iterable[Connector], port: int) -> View:
    """The view of these connectors; the same one for the same connectors."""
    return View(connectors, port)


def walk(
    views: t.Sequence[View], endpoint: Endpoint, within: Interval | None = None
) -> t.Iterator[tuple[int, int, tuple[Answer, ...]]]:
    """(first, last, one answer per view) over all senders of the endpoint's family, or those
    `within`, in order and without a gap.
    """
    begin, end = (within.first, within.last) if within else (0, _ends[endpoint.version])
    pieces = [
        [piece for piece in view.at(endpoint) if piece[0] <= end and begin <= piece[1]]
        for view in views
    ]
    starts = {begin}
    for of_view in pieces:
        for first, last, _answer in of_view:
            starts.add(max(first, begin))
            starts.add(last + 1)
    ordered = sorted(start for start in starts if start <= end)
    positions = [0] * len(views)
    for index, first in enumerate(ordered):
        last = ordered[index + 1] - 1 if index + 1 < len(ordered) else end
        answers = []
        for number, of_view in enumerate(pieces):
            while positions[number] < len(of_view) and of_view[positions[number]][1] < first:
                positions[number] += 1
            position = positions[number]
            heard = position < len(of_view) and of_view[position][0] <= first
            answers.append(of_view[position][2] if heard else REFUSED)
        yield first, last, tuple(answers)


def coming_to(endpoint: Endpoint, listening: t.Collection[Endpoint]) -> RangeSet:
    """Who can come to a local endpoint, of all that are listened on: from a loopback address one
    comes to a loopback address, and from elsewhere to none.
    """
    if is_loopback(endpoint):
        return LOOPBACK
    if not endpoint.is_wildcard or any(
        is_loopback(listener)
        and (listener.version, listener.port) == (endpoint.version, endpoint.port)
        for listener in listening
    ):
        return EVERYTHING - LOOPBACK
    return EVERYTHING


def endpoints(views: t.Iterable[View]) -> list[Endpoint]:
    """Every local endpoint of any of the views, sorted."""
    return sorted({endpoint for view in views for endpoint in view.endpoints})


def where(
    views: t.Sequence[View],
    wanted: t.Callable[[tuple[Answer, ...]], bool],
    *,
    with_loopback: bool = False,
) -> RangeSet:
    """The senders for whom `wanted` holds at any local endpoint, given one answer per view."""
    senders = RangeSet(())
    for endpoint in endpoints(views):
        if is_loopback(endpoint) and not with_loopback:
            continue
        spans = [(first, last) for first, last, answers in walk(views, endpoint) if wanted(answers)]
        senders = senders | RangeSet.of_spans(endpoint.version, spans)
    return senders


def senders_losing(
    before: t.Iterable[Connector],
    after: t.Iterable[Connector],
    right: t.Callable[[Answer], bool],
    port: int,
) -> RangeSet:
    """The senders who have `right` before at some local endpoint and no longer after at that same
    one.
    """
    views = (view_of(before, port), view_of(after, port))
    return where(views, lambda answers: right(answers[0]) and not right(answers[1]))


_LOCAL = {version: Address(version, last) for version, last in ((4, 0x7F000001), (6, 1))}


def answers_by_server(
    connectors: t.Sequence[t.Iterable[Connector]], itself: RangeSet, port: int
) -> list[tuple[RangeSet, tuple[Answer, ...]]]:
    """What the server itself meets in each of some states: (senders, one answer a state).

    `itself` are its own addresses, one an entry. From there, and from its loopback addresses, it
    comes to the address that it sends from.
    """
    views = [view_of(state, port) for state in connectors]
    places = [(senders, _LOCAL[senders.version]) for senders in LOOPBACK.intervals]
    places += [(senders, Address(senders.version, senders.first)) for senders in itself.entries]
    return [
        (RangeSet.of_spans(local.version, [(first, last)]), answers)
        for senders, local in places
        for first, last, answers in walk(views, Endpoint(local.version, local.value, port), senders)
    ]


@remembered
def holding(
    connectors: t.Iterable[Connector], right: t.Callable[[Answer], bool], port: int = 25
) -> RangeSet:
    """The senders who have `right` at some local endpoint that others than the server itself can
    reach.
    """
    return where((view_of(connectors, port),), lambda answers: right(answers[0]))


def _generosity(answer: Answer) -> tuple[t.Any, ...]:
    return (
        accepts_anonymous(answer),
        answer.external,
        answer.relay,
        not answer.require_tls,
        len(answer.groups),
        sorted(answer.groups),
        answer.connector or "",
    )


def answers_of(
    connectors: t.Iterable[Connector], group: RangeSet, port: int = 25
) -> dict[Answer, RangeSet]:
    """What the senders of a group meet: each sender once, with the most generous answer of all
    local endpoints.
    """
    result: dict[Answer, RangeSet] = {}
    rest = group
    for answer, senders in _by_answer(connectors, port):
        part = rest & senders
        if part:
            result[answer] = part
            rest = rest - part
    if rest:
        result[REFUSED] = result.get(REFUSED, RangeSet(())) | rest
    return result


@remembered
def _by_answer(connectors: t.Iterable[Connector], port: int) -> tuple[tuple[Answer, RangeSet], ...]:
    """Who meets each answer at any local endpoint, the most generous answer first."""
    views = (view_of(connectors, port),)
    senders: dict[Answer, RangeSet] = {}
    for endpoint in endpoints(views):
        if is_loopback(endpoint):
            continue
        spans: dict[Answer, list[tuple[int, int]]] = {}
        for first, last, (answer,) in walk(views, endpoint):
            spans.setdefault(answer, []).append((first, last))
        for answer, parts in spans.items():
            senders[answer] = senders.get(answer, RangeSet(())) | RangeSet.of_spans(
                endpoint.version, parts
            )
    ranked = sorted(senders, key=_generosity, reverse=True)
    return tuple((answer, senders[answer]) for answer in ranked)
