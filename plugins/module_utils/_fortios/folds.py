# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the policies have not decided about yet, on one way through the device."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import (
    NOBODY,
    NOTHING,
    Opaque,
    Sources,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet

# How a policy names every interface.
_ANY = "any"


class Fold:
    """The policies that stand on one way, met one after the other."""

    def __init__(self, everybody: RangeSet) -> None:
        self._undecided, self._decided = everybody, frozenset[Opaque]()
        self._sure = everybody  # Those whom no policy so far could have stopped.

    def lets_in(self, sources: Sources, *, certain: bool) -> Sources:
        """Whom an accept policy lets through. `certain`: whether it matches for sure."""
        if not self._undecided:
            return NOBODY
        return Sources(
            sources.known & self._undecided,
            sources.opaque - self._decided,
            sources.certain & self._sure & self._undecided if certain else NOTHING,
        )

    def meet(self, sources: Sources, *, deny: bool, certain: bool) -> None:
        """Go past a policy."""
        if deny:
            self._sure = NOTHING if sources.opaque else self._sure - sources.known
        if certain:
            self._undecided -= sources.certain
            self._decided |= sources.whole

    def shut(self) -> None:
        """Go past a deny for everybody."""
        self._undecided = NOTHING


def by_name(ways: t.Iterable[frozenset[str]]) -> dict[str, set[frozenset[str]]]:
    """The ways through a device by the names of their interfaces, each under all of its names."""
    named: dict[str, set[frozenset[str]]] = {_ANY: set()}
    for way in ways:
        for name in {*way, _ANY}:
            named.setdefault(name, set()).add(way)
    return named


def named_ways(
    named: frozenset[str], ways: t.Mapping[str, t.AbstractSet[frozenset[str]]]
) -> t.AbstractSet[frozenset[str]]:
    """The ways that a policy is for, which names these interfaces."""
    sets = [ways[name] for name in ([_ANY] if _ANY in named else named) if name in ways]
    return sets[0] if len(sets) == 1 else {way for ways_of_name in sets for way in ways_of_name}
