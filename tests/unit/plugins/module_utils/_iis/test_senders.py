# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom an expression matches: Python's own engine says of single addresses what the automaton says
of all.
"""

from __future__ import annotations

import random
import re

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.senders import (
    EVERYBODY,
    matched,
    six_pattern,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Address,
    Interval,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges_forms import to_regex

LAST = (1 << 32) - 1


def networks(dice: random.Random) -> RangeSet:
    intervals = []
    for _count in range(dice.randrange(1, 12)):
        first = dice.randrange(LAST)
        width = dice.choice([1, 2, 7, 256, 300, 1 << 12, 1 << 16, (1 << 20) + 17, 1 << 24])
        intervals.append(Interval(4, first, min(LAST, first + width - 1)))
    return RangeSet(intervals)


def near(ranges: RangeSet, dice: random.Random) -> int:
    interval = dice.choice(ranges.intervals)
    edge = dice.choice(
        [interval.first, interval.last, dice.randrange(interval.first, interval.last + 1)]
    )
    return max(0, min(LAST, edge + dice.choice([-256, -1, 0, 0, 1, 256])))


def test_expressions_and_intervals_agree_on_a_hundred_thousand_addresses() -> None:
    dice = random.Random(20)
    for _list in range(20):
        ranges = networks(dice)
        pattern = to_regex(ranges)
        # Read back from its text, the expression is the networks that it was made of.
        assert matched(pattern) == (ranges, ranges)
        expression = re.compile(pattern)
        for _address in range(5_000):
            value = near(ranges, dice) if dice.random() < 0.7 else dice.randrange(LAST + 1)
            address = Address(4, value)
            assert bool(expression.search(str(address))) == (address in ranges), (
                f"{address} and {pattern}"
            )


FOREIGN = [
    r"^10\.",
    r"^(?:10\.\d{1,3}\.\d{1,3}\.\d{1,3}|127\.\d{1,3}\.\d{1,3}\.\d{1,3})$",
    r"192\.168\.[0-3]\.\d+$",
    r"^172\.(1[6-9]|2[0-9]|3[01])\.",
    r"^(10|192)\.(20|168)\..*$",
    r"^[^1]",
    r"^1\d?\.2+\.[0-9]{3}\.(?:7|8)*1$",
    r"^\w+\.2\.0?5\.",
    r"$",
]


@pytest.mark.parametrize("pattern", FOREIGN)
def test_what_others_write_is_read_as_pythons_engine_reads_it(pattern: str) -> None:
    dice = random.Random(pattern)
    held = matched(pattern)
    assert held.certain.v4 == held.at_most.v4
    expression = re.compile(pattern, re.ASCII)
    for _address in range(3_000):
        octets = [
            dice.choice([10, 20, 127, 172, 16, 192, 168, 203, 1, 2, 5, 22, dice.randrange(256)])
            for _octet in "four"
        ]
        text = ".".join(map(str, octets))
        assert bool(expression.search(text)) == (text in held.certain), text


@pytest.mark.parametrize(
    "pattern",
    [
        r"^(?!10\.)",
        r"(10)\1",
        r"^10\.{",
        r"(?i)10",
        r"\p{Nd}",
        "(",
        "203",
        r"\.5$",
        "[1",
        r"^1{70}",
        "*",
    ],
)
def test_what_is_not_understood_may_match_anybody_and_nobody_for_certain(pattern: str) -> None:
    assert matched(pattern) == (RangeSet(), EVERYBODY)


def test_single_ipv6_addresses_are_known_and_others_are_not_guessed() -> None:
    itself = RangeSet.parse(["::1", "fe80::1"])
    assert matched(six_pattern(["::1", "fe80::1"])) == (itself, itself)
    assert re.search(six_pattern(["fe80::1"]), "fe80::1%14")
    assert not re.search(six_pattern(["fe80::1"]), "fe80::12")
    some = matched("^(?:::1|fe80:.*)$")
    assert (some.certain, some.at_most.v6) == (RangeSet.parse(["::1"]), EVERYBODY.v6)
    # Found anywhere, it may also be the end of an IPv6 text.
    assert matched(r"10\.0\.0\.1$").at_most.v6 == EVERYBODY.v6
    assert not matched(r"^10\.0\.0\.1$").at_most.v6
