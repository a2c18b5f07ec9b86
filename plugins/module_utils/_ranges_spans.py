# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of whole numbers as spans: sorted pairs of a first and a last number, none touches another.

The arithmetic under the sets of addresses, which knows no address.
"""

from __future__ import annotations

import typing as t

Span = tuple[int, int]
Spans = tuple[Span, ...]


def merged(spans: t.Iterable[Span]) -> Spans:
    """Sorted spans of one family, with what overlaps or touches made one."""
    runs: list[Span] = []
    begin, end = -1, -2
    for first, last in spans:
        if first > end + 1:
            if end >= 0:
                runs.append((begin, end))
            begin, end = first, last
        elif last > end:
            end = last
    if end >= 0:
        runs.append((begin, end))
    return tuple(runs)


def either(ours: Spans, theirs: Spans) -> Spans:
    """What lies in one or both; normalised in, normalised out."""
    if not ours or not theirs:
        return ours or theirs
    # Sorting two sorted runs is one merge.
    return merged(sorted(ours + theirs))


def both(ours: Spans, theirs: Spans) -> Spans:
    """What lies in both; normalised in, normalised out."""
    if not ours or not theirs:
        return ()
    shared: list[Span] = []
    at = other = 0
    while at < len(ours) and other < len(theirs):
        first, last = max(ours[at][0], theirs[other][0]), min(ours[at][1], theirs[other][1])
        if first <= last:
            shared.append((first, last))
        if ours[at][1] < theirs[other][1]:
            at += 1
        else:
            other += 1
    return tuple(shared)


def without(ours: Spans, theirs: Spans) -> Spans:
    """What lies in the first only; normalised in, normalised out."""
    if not ours or not theirs:
        return ours
    remaining: list[Span] = []
    at = 0
    for first, last in ours:
        while at < len(theirs) and theirs[at][1] < first:
            at += 1
        begin, look = first, at
        while look < len(theirs) and theirs[look][0] <= last:
            if begin < theirs[look][0]:
                remaining.append((begin, theirs[look][0] - 1))
            begin = theirs[look][1] + 1
            look += 1
        if begin <= last:
            remaining.append((begin, last))
        # The last one looked at may reach into the next of ours.
        at = max(at, look - 1)
    return tuple(remaining)
