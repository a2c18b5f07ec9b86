# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site as it is: what of the provider's mail is taken already as it is wished, whatever the
connector is called, and how the rest is cut so that Exchange takes it beside what is there.

Guides of providers tell customers to make a narrow connector by hand, or to narrow the default one
to the provider and the own networks. Such a connector is adopted: it stays as it is.
"""

from __future__ import annotations

import bisect
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    builtin_connectors,
    doors,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.conflicts import crossing
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import answer_of
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.remember import same
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import Server
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Endpoint,
    Interval,
    RangeSet,
)

Connector = t.Mapping[str, t.Any]


def is_adoptable(connector: Connector, described: t.Mapping[str, t.Any], server: Server) -> bool:
    """Whether the connector hears some of the internet only, takes its mail without a login and
    lets nobody relay.

    `described` are the options that the site has named for the provider's connector: one that
    differs in any of them is not what is wished.
    """
    answer = answer_of(connector)
    return (
        answer.accepts_anonymous
        and not answer.relay
        and not builtin_connectors.hears_internet(connector)
        and builtin_connectors.inner_reason(connector, server) is None
        and all(_is(connector, option, value) for option, value in described.items())
    )


def _is(connector: Connector, option: str, value: t.Any) -> bool:
    prop = RECEIVE.properties[option]
    held = connector[option] if option in connector else prop.parse("")
    return bool(prop.resolve(held, value) == held)


def pending(
    connectors: t.Mapping[str, Connector],
    provider: RangeSet,
    where: t.Iterable[Endpoint],
    adoptable: t.Collection[str],
) -> dict[Endpoint, RangeSet]:
    """Local endpoint → the part of the provider's ranges that no adoptable connector (by key)
    answers there.
    """
    left_over: dict[Endpoint, RangeSet] = {}
    listening = same(connectors.values())
    for endpoint in sorted(where):
        view = doors.view_of(listening, endpoint.port)
        adopted = RangeSet(
            Interval(endpoint.version, first, last)
            for first, last, answer in view.at(endpoint)
            if answer.names and all(name.casefold() in adoptable for name in answer.names)
        )
        family = provider.v4 if endpoint.version == 4 else provider.v6
        left_over[endpoint] = family - adopted
    return left_over


def beside(wanted: RangeSet, part: RangeSet, others: t.Iterable[Connector]) -> RangeSet:
    """The entries of `wanted` that `part` is made of, whole where Exchange takes them beside the
    entries of `others`, which share a binding; else in pieces that lie inside or around those.

    A piece that another connector has as well is halved: the narrower claim answers
    (receive-connectors.md). What is one address cannot be, and stays as it is for the guard
    range_conflict.
    """
    there = sorted(
        {
            entry
            for connector in others
            for entry in (connector.get("remote_ip_ranges") or RangeSet()).entries
        }
    )
    whole = part == wanted
    concerned = [(entry, [entry] if whole else _shared(entry, part)) for entry in wanted.entries]
    if crossing(wanted.entries, there) is None:
        return RangeSet(entry for entry, shared in concerned if shared)
    pieces: list[Interval] = []
    for entry, shared in concerned:
        near = [present for present in there if _overlap(present, entry)]
        if all(_nested(entry, other) for other in near):
            pieces += [entry] if shared else []
        else:
            pieces += [piece for interval in shared for piece in _fitted(interval, near)]
    return RangeSet(pieces)


def _shared(entry: Interval, part: RangeSet) -> list[Interval]:
    """What of an entry is in a set, without a look at all of the set."""
    intervals = part.intervals
    start = max(bisect.bisect_right(intervals, entry) - 1, 0)
    merged: list[Interval] = []
    for at in range(start, len(intervals)):
        interval = intervals[at]
        if (interval.version, interval.first) > (entry.version, entry.last):
            break
        if _overlap(interval, entry):
            merged.append(
                Interval(
                    entry.version, max(interval.first, entry.first), min(interval.last, entry.last)
                )
            )
    return merged


def _overlap(entry: Interval, other: Interval) -> bool:
    return (
        entry.version == other.version and entry.first <= other.last and other.first <= entry.last
    )


def _nested(entry: Interval, other: Interval) -> bool:
    """Whether one of two that overlap lies inside the other and is smaller."""
    inside = (entry.first <= other.first and other.last <= entry.last) or (
        other.first <= entry.first and entry.last <= other.last
    )
    return inside and entry != other


def _fitted(wanted: Interval, there: t.Sequence[Interval]) -> list[Interval]:
    near = [entry for entry in there if _overlap(entry, wanted) and not _nested(wanted, entry)]
    if not near or wanted.size == 1:
        return [wanted]
    cut = _border(wanted, near[0])
    return [
        piece
        for first, last in ((wanted.first, cut - 1), (cut, wanted.last))
        for piece in _fitted(Interval(wanted.version, first, last), there)
    ]


def _border(wanted: Interval, other: Interval) -> int:
    """Where `wanted` is cut: at the border of one that it crosses, in the middle of its equal."""
    if other == wanted:
        return wanted.first + wanted.size // 2
    return other.first if wanted.first < other.first else other.last + 1
