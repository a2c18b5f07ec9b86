# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of IPv4 addresses in forms that others take: lists of /24s, and regular expressions.

The expressions are such as ECMAScript, .NET and Python read alike; leading zeros do not match.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING_V4,
    RangeError,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges_spans import Span, Spans

# More than a /8 in pieces of a /24 is no list that anybody wanted.
_MOST_SLASH24S = 1 << 16


def to_slash24s(ranges: RangeSet) -> list[str]:
    """IPv4 CIDRs of /24 or narrower (New-InboundConnector.md, SenderIPAddresses).

    Nothing is widened. Raises RangeError for IPv6, which Exchange Online does not take there, and
    for more than a /8.
    """
    if ranges.v6:
        raise RangeError(
            f"'{ranges.v6.to_texts()[0]}' is IPv6, which has no form as a /24: take the IPv4 part "
            "alone."
        )
    if (
        sum((interval.last >> 8) - (interval.first >> 8) + 1 for interval in ranges.intervals)
        > _MOST_SLASH24S
    ):
        raise RangeError(
            f"'{ranges.to_texts()[0]}' and what goes with it are too wide for a list of /24s: more "
            "than a /8."
        )
    return ranges.to_cidrs(longest=24)


def to_regex(ranges: RangeSet) -> str:
    """An anchored regular expression for the dotted text of each address and nothing else.

    Raises RangeError for IPv6, which has many texts for one address, for all of IPv4, and for the
    empty set: the one would allow everybody, the other nobody.
    """
    if ranges.v6:
        raise RangeError(
            f"'{ranges.v6.to_texts()[0]}' is IPv6, which no regular expression can tell by its "
            "text."
        )
    if not ranges:
        raise RangeError("An empty set of addresses has no regular expression.")
    if ranges == EVERYTHING_V4:
        raise RangeError(
            f"'{ranges.to_texts()[0]}' is all of IPv4, for which a regular expression decides "
            "nothing."
        )
    return f"^{octets(tuple((interval.first, interval.last) for interval in ranges.intervals))}$"


def _one_of(patterns: list[str]) -> str:
    return patterns[0] if len(patterns) == 1 else f"(?:{'|'.join(patterns)})"


def _numbers(texts: t.Iterable[str]) -> str:
    """A pattern for a set of decimal numbers."""
    return _one_of(_alternatives(texts))


def _alternatives(texts: t.Iterable[str]) -> list[str]:
    """Patterns for a set of decimal numbers; those with the same last digits are written once."""
    lasts: dict[str, str] = {}
    for text in sorted(texts, key=lambda text: (len(text), text)):
        lasts[text[:-1]] = lasts.get(text[:-1], "") + text[-1]
    heads: dict[str, list[str]] = {}
    for head, digits in lasts.items():
        heads.setdefault(digits, []).append(head)
    return [_heads(same_end) + _digits(digits) for digits, same_end in heads.items()]


def _heads(heads: list[str]) -> str:
    """A pattern for the digits before the last, of which there may be none."""
    named = [head for head in heads if head]
    if not named:
        return ""
    if len(named) == len(heads):
        return _numbers(named)
    return f"(?:{'|'.join(_alternatives(named))})?"


def _digits(digits: str) -> str:
    """A pattern for one digit of a sorted set.

    Not \\d, which means more than ten digits to .NET.
    """
    if len(digits) == 1:
        return digits
    runs: list[str] = []
    for digit in digits:
        if runs and ord(runs[-1][-1]) + 1 == ord(digit):
            runs[-1] += digit
        else:
            runs.append(digit)
    return f"[{''.join(run if len(run) < 3 else f'{run[0]}-{run[-1]}' for run in runs)}]"


def octets(spans: Spans, count: int = 4) -> str:
    """A pattern, without anchors, for the numbers in `spans`, written as `count` octets with dots.

    `spans` is neither empty nor unsorted, and none of its pairs (first, last) touches another.
    """
    if count == 1:
        return _numbers(str(octet) for first, last in spans for octet in range(first, last + 1))
    unit = 1 << 8 * (count - 1)
    rests: dict[int, list[Span]] = {}
    for first, last in spans:
        for octet in range(first // unit, last // unit + 1):
            base = octet * unit
            rests.setdefault(octet, []).append(
                (max(first, base) - base, min(last, base + unit - 1) - base)
            )
    alike: dict[Spans, list[str]] = {}
    for octet, rest in rests.items():
        alike.setdefault(tuple(rest), []).append(str(octet))
    patterns = []
    for rest_spans, octets_alike in alike.items():
        if rest_spans == ((0, unit - 1),):
            any_octet = f"(?:\\.{_numbers(map(str, range(256)))})"
            patterns.append(
                _numbers(octets_alike) + any_octet + (f"{{{count - 1}}}" if count > 2 else "")
            )
        else:
            patterns.append(f"{_numbers(octets_alike)}\\.{octets(rest_spans, count - 1)}")
    return _one_of(patterns)
