# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Public addresses replaced by others, so that whatever held before holds after it.

Blocks of addresses change places with others of their size, so that a network stays a network, and
what overlapped or held another one does so still. What is wide, such as everything but one network,
stays as it is, and no block crosses its bounds. Private addresses and the providers' stay.
"""

from __future__ import annotations

import ipaddress
import random
import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    NOT_INTERNET,
    PRIVATE,
    Interval,
    RangeSet,
)

Span = tuple[int, int, int]
"""Version, first and last address as numbers."""

# The narrowest prefix that is still wide, by version.
_WIDE = {4: 15, 6: 31}
_BITS = {4: 32, 6: 128}
_ROOM = {4: (0x0100_0000, 0xDFFF_FFFF), 6: (0x2001 << 112, (0x3FFF << 112) | ((1 << 112) - 1))}
_TRIES = 2000

_V4 = r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)"
_V6 = r"(?<![\w:.])[0-9A-Fa-f:]*:[0-9A-Fa-f:]+(?![\w:.])"
_ADDRESS = re.compile(rf"(?:{_V4})|(?:{_V6})")
_TEXT = re.compile(
    rf"(?P<first>{_V4}|{_V6})"
    rf"(?:(?P<dash>\s*-\s*)(?P<last>{_V4}|{_V6})|/(?P<length>\d{{1,3}})(?![\d.])"
    rf"|(?P<gap>[ /(])(?P<mask>{_V4}))?"
)


def spans_in(text: str) -> t.Iterator[Span]:
    """What networks, ranges and addresses a text names."""
    for match in _TEXT.finditer(text):
        first, last = _number(match["first"]), _number(match["last"] or match["first"])
        if first is None or last is None or first[0] != last[0]:
            continue
        bits, length = _BITS[first[0]], match["length"]
        if match["mask"]:
            length = _length(match["mask"])
        if length is not None and match["last"] is None and int(length) <= bits:
            size = 1 << (bits - int(length))
            start = first[1] & ~(size - 1)
            yield first[0], start, start + size - 1
        elif first[1] <= last[1]:
            yield first[0], first[1], last[1]


def _number(text: str) -> tuple[int, int] | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return address.version, int(address)


def _length(mask: str) -> str | None:
    try:
        return str(ipaddress.ip_network(f"0.0.0.0/{mask}").prefixlen)
    except ValueError:
        return None


def _block(span: Span) -> Span:
    """The smallest network that holds a span."""
    version, first, last = span
    size = 1 << (first ^ last).bit_length()
    start = first & ~(size - 1)
    return version, start, start + size - 1


class Addresses:
    """What becomes of each public address in these texts. `stays` are ranges that nobody needs to
    hide, beside those of private networks.
    """

    def __init__(
        self, texts: t.Iterable[str], stays: RangeSet, chance: random.Random | None = None
    ) -> None:
        self._chance = chance or random.SystemRandom()
        self._stays = [
            (interval.version, interval.first, interval.last)
            for interval in (PRIVATE | NOT_INTERNET | stays).intervals
        ]
        spans = {span for text in texts for span in spans_in(text)}
        blocks = {_block(span) for span in spans}
        self._wide = [
            span
            for span in spans
            if _is_wide(_block(span)) or any(_overlap(_block(span), held) for held in self._stays)
        ]
        narrow = [
            block
            for block in blocks
            if not _is_wide(block) and not any(_overlap(block, held) for held in self._stays)
        ]
        # The largest first, so that what lies within one goes with it.
        self._moved: list[tuple[Span, int]] = []
        self.untouched: list[str] = []
        for block in sorted(narrow, key=lambda block: (block[1] - block[2], block)):
            if not any(_within(block, held) for held, _start in self._moved):
                target = self._target(block)
                if target is None:
                    self.untouched.append(_shown(block))
                else:
                    self._moved.append((block, target))

    def _target(self, block: Span) -> int | None:
        """Where there is room for a block, in the same part of all that is wide; None for none."""
        version, first, last = block
        size, (low, high) = last - first + 1, _ROOM[version]
        if any(_overlap(block, wide) and not _within(block, wide) for wide in self._wide):
            return None
        around = [wide for wide in self._wide if _within(block, wide)]
        low = max([low, *(wide[1] for wide in around)])
        high = min([high, *(wide[2] for wide in around)])
        for _try in range(_TRIES):
            start = self._chance.randint(low, high) & ~(size - 1)
            there = (version, start, start + size - 1)
            if start < low or there[2] > high:
                continue
            taken = [*(held for held, _start in self._moved), *self._targets(), *self._stays]
            fits = all(_within(there, wide) == (wide in around) for wide in self._wide)
            fits = fits and not any(
                _overlap(there, wide) for wide in self._wide if wide not in around
            )
            if fits and not _overlap(there, block) and not any(_overlap(there, x) for x in taken):
                return start
        return None

    def _targets(self) -> list[Span]:
        return [(held[0], start, start + held[2] - held[1]) for held, start in self._moved]

    def address(self, text: str) -> str:
        """What an address becomes."""
        number = _number(text)
        if number is None:
            return text
        version, value = number
        for held, start in self._moved:
            if held[0] == version and held[1] <= value <= held[2]:
                make = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
                return str(make(start + value - held[1]))
        return text

    def text(self, text: str) -> str:
        """A text with its addresses replaced."""
        return _ADDRESS.sub(lambda match: self.address(match[0]), text)

    def table(self) -> dict[str, str]:
        """Network → what became of it."""
        return {
            _shown(held): _shown((held[0], start, start + held[2] - held[1]))
            for held, start in self._moved
        }


def _is_wide(block: Span) -> bool:
    length = _BITS[block[0]] - (block[2] - block[1] + 1).bit_length() + 1
    return length <= _WIDE[block[0]]


def _overlap(first: Span, second: Span) -> bool:
    return first[0] == second[0] and first[1] <= second[2] and second[1] <= first[2]


def _within(inner: Span, outer: Span) -> bool:
    return inner[0] == outer[0] and outer[1] <= inner[1] and inner[2] <= outer[2]


def _shown(span: Span) -> str:
    return str(Interval(*span))
