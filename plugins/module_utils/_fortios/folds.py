# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the policies have not decided about yet, on one way through the device."""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import (
    NOBODY,
    NOTHING,
    Opaque,
    Sources,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet


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
