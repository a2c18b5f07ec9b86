# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges that no provider delivers from: one pair of guards for every layer."""

from __future__ import annotations

import types
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import NOT_INTERNET, RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import STOP, Finding

GUARDS: t.Mapping[str, str] = types.MappingProxyType(
    {
        "range_too_wide": "A range is wider than a /10 (IPv4) or a /24 (IPv6), or all of them together than a /8 or a /20. No provider "
        "has so many addresses, so that it locks next to nothing.",
        "private_range": "A range holds addresses that nobody on the internet sends from.",
    }
)

# The widest in the catalogue are a /14 and a /32; the widest that a registry gave to one cloud are
# a /10 and a /24.
_WIDEST = {4: 1 << (32 - 10), 6: 1 << (128 - 24)}
_MOST = {4: 1 << (32 - 8), 6: 1 << (128 - 20)}


def check(ranges: RangeSet, what: str) -> t.Iterator[Finding]:
    """What is wrong with a provider's ranges.

    `what` says in words what holds them, for the beginning of a sentence.
    """
    wide = [one for one in ranges.intervals if one.size > _WIDEST[one.version]]
    if wide:
        yield Finding("range_too_wide", STOP, f"{what} holds {wide[0]}, which is wider than any provider's range.")
    for family, most in ((ranges.v4, _MOST[4]), (ranges.v6, _MOST[6])):
        if family.size > most and not wide:
            yield Finding(
                "range_too_wide", STOP, f"{what} holds more addresses in all than any provider has: {family.size}."
            )
    nobody = ranges & NOT_INTERNET
    if nobody:
        yield Finding(
            "private_range", STOP, f"{what} holds {nobody.intervals[0]}, from where nobody on the internet sends."
        )
