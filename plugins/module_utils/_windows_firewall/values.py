# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote addresses and ports of a firewall rule: texts of COM and of the registry as values that
compare by meaning.

Sources: INetFwRule (learn.microsoft.com, netfw.h), MS-FASP 2.2.36 to 2.2.38.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    EVERYTHING_V4,
    EVERYTHING_V6,
    LOOPBACK,
    Interval,
    RangeError,
    RangeSet,
    parse_range,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

ANY = "*"
MOST_IN_A_LIST = 1000
"""How many entries each of the four lists of a rule takes: subnets and ranges of both families
(MS-FASP 2.2.36).
"""

# What stands for addresses that the server alone knows (MS-FASP 2.2.37, FW_ADDRESS_KEYWORD).
_KEYWORDS = {
    word.casefold(): word
    for word in (
        *(
            "LocalSubnet",
            "LocalSubnet4",
            "LocalSubnet6",
            "DefaultGateway",
            "DHCP",
            "DNS",
            "WINS",
            "Internet",
        ),
        *("Intranet", "RmtIntranet", "IntranetRemoteAccess", "PlayToDevice", "CaptivePortal"),
    )
}
# COM and the registry have two words for one.
KEYWORDS: t.Mapping[str, str] = {**_KEYWORDS, "ply2renders": "PlayToDevice"}

Span = tuple[int, int]
LAST_PORT = 65535
# Of the keywords of ports these have a known place at all; others may be anywhere.
_PLACES: t.Mapping[str, Span] = {
    "rpc": (1024, LAST_PORT),
    "rpc-epmap": (135, 135),
    "iphttps": (443, 443),
}
# COM has one word for what the registry holds as two (from memory, unverified).
_PORT_WORDS = dict.fromkeys(("iphttpsin", "iphttpsout", "iptlsin", "iptlsout"), "IPHTTPS")
_MASKED = re.compile(r"([0-9.]+)/([0-9]+(?:\.[0-9]+){3})")
_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


@dataclass(frozen=True)
class Addresses:
    """The remote addresses of a rule.

    `known` are its ranges, `words` its keywords and whatever else is not understood: each stands
    for addresses that nobody knows here.
    """

    known: RangeSet
    words: frozenset[str] = frozenset()

    @property
    def possible(self) -> RangeSet:
        """Whoever may be meant, and nobody else."""
        return EVERYTHING if self.words else self.known

    @property
    def certain(self) -> RangeSet:
        """Whoever is meant, whatever the keywords stand for."""
        return self.known

    def texts(self) -> tuple[str, ...]:
        """The canonical form: keywords, then the fewest ranges; `*` for all."""
        if self.known == EVERYTHING:
            return (ANY,)
        return (*sorted(self.words, key=str.casefold), *self.known.to_texts())


ANYBODY = Addresses(EVERYTHING)


def read_addresses(value: t.Any) -> Addresses:
    """The addresses in a text or list as the server holds it; nothing at all stands for all."""
    texts = value.split(",") if isinstance(value, str) else value or ()
    items = [str(text).strip() for text in texts if str(text).strip()]
    if not items or ANY in items:
        return ANYBODY
    intervals: list[Interval] = []
    words: set[str] = set()
    for item in items:
        if item.casefold() in KEYWORDS:
            words.add(KEYWORDS[item.casefold()])
            continue
        try:
            # The server gives networks back with their masks.
            intervals.append(parse_range(_MASKED.sub(r"\1(\2)", item)))
        except RangeError:
            words.add(item)
    return Addresses(RangeSet(intervals), frozenset(words))


def write_addresses(texts: t.Iterable[str]) -> str:
    """The text that the server takes: `*` alone, or entries with commas between them."""
    return ",".join(texts)


def counted(ranges: RangeSet) -> dict[str, int]:
    """How many entries each of a rule's lists would have."""
    counts = dict.fromkeys(("4/", "4-", "6/", "6-"), 0)
    for interval in ranges.intervals:
        counts[_list_of(interval)] += 1
    return counts


def _list_of(interval: Interval) -> str:
    # One address alone is a subnet with all bits set.
    return f"{interval.version}{'-' if '-' in str(interval) else '/'}"


def fits(ranges: RangeSet) -> bool:
    """Whether one rule can hold them all."""
    return max(counted(ranges).values()) <= MOST_IN_A_LIST


def in_rules(ranges: RangeSet, held: t.Sequence[RangeSet]) -> list[RangeSet]:
    """`ranges` shared out among rules, each of which takes them.

    `held` is what rules have by now: each keeps what it has of them as far as it can, so that
    nobody who is named loses anything while one rule is changed after the other. As many rules
    more as it takes; a rule may end up with nothing.
    """
    shares: list[RangeSet] = []
    rest = ranges
    for share in held:
        kept = share & rest
        shares.append(kept if fits(kept) else RangeSet())
        rest = rest - shares[-1]
    pending = list(rest.intervals)
    for at in range(len(shares)):
        pending = _filled(shares, at, pending)
    while pending:
        shares.append(RangeSet())
        pending = _filled(shares, len(shares) - 1, pending)
    return shares


def _filled(shares: list[RangeSet], at: int, pending: list[Interval]) -> list[Interval]:
    """Give the rule at `at` what it has room for; what is left over."""
    counts = counted(shares[at])
    taken: list[Interval] = []
    rest: list[Interval] = []
    for interval in pending:
        place = _list_of(interval)
        if counts[place] < MOST_IN_A_LIST:
            counts[place] += 1
            taken.append(interval)
        else:
            rest.append(interval)
    joined = shares[at] | RangeSet(taken)
    if not fits(joined):
        # Ranges that touch became one, which may belong into another list.
        return pending
    shares[at] = joined
    return rest


def named_addresses(ranges: RangeSet) -> RangeSet:
    """What can be written: loopback is not filtered, and ::1 in a rule is an error."""
    return ranges - LOOPBACK


def is_family(ranges: RangeSet) -> bool:
    """Whether a whole family is in them, for which a rule has no text: a prefix of 0 is refused."""
    return ranges >= EVERYTHING_V4 or ranges >= EVERYTHING_V6


@dataclass(frozen=True)
class Ports:
    """The local ports of a rule: `spans` of numbers, sorted, none touching another; keywords."""

    spans: tuple[Span, ...]
    words: frozenset[str] = frozenset()

    def __contains__(self, port: int) -> bool:
        return any(first <= port <= last for first, last in self.spans)

    def within(self, other: Ports) -> bool:
        """Whether every port of these is one of the others too."""
        return self.words <= other.words and all(
            any(start <= first and last <= end for start, end in other.spans)
            for first, last in self.spans
        )

    def may_hold(self, port: int) -> bool:
        """Whether a keyword may stand for this port."""
        places = (_PLACES.get(word.casefold(), (0, LAST_PORT)) for word in self.words)
        return any(first <= port <= last for first, last in places)

    def without(self, ports: t.Collection[int]) -> Ports:
        """The same without some ports; port 0 goes with them where all were meant."""
        spans: list[Span] = []
        for first, last in self.spans:
            start = max(first, 1)
            for port in sorted(port for port in set(ports) if start <= port <= last):
                if port > start:
                    spans.append((start, port - 1))
                start = port + 1
            if start <= last:
                spans.append((start, last))
        return Ports(tuple(spans), self.words)

    def only(self, ports: t.Collection[int]) -> Ports:
        """Those of `ports` that are numbers of this rule."""
        return Ports(_merged((port, port) for port in ports if port in self))

    @property
    def are_all(self) -> bool:
        """Whether every port is meant."""
        return (0, LAST_PORT) in self.spans

    def texts(self) -> tuple[str, ...]:
        """The canonical form; `*` for all."""
        if self.are_all:
            return (ANY,)
        numbers = (str(first) if first == last else f"{first}-{last}" for first, last in self.spans)
        return (*sorted(self.words, key=str.casefold), *numbers)


ALL_PORTS = Ports(((0, LAST_PORT),))


def _merged(spans: t.Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def read_ports(value: t.Any) -> Ports:
    """The ports in a text or list as the server holds it; nothing at all stands for all."""
    texts = value.split(",") if isinstance(value, str) else value or ()
    items = [str(text).strip() for text in texts if str(text).strip()]
    if not items or ANY in items:
        return ALL_PORTS
    spans: list[Span] = []
    words: set[str] = set()
    for item in items:
        match = _PORT.fullmatch(item)
        first = int(match[1]) if match else -1
        last = int(match[2] or first) if match else -1
        if 0 <= first <= last <= LAST_PORT:
            spans.append((first, last))
        else:
            words.add(_PORT_WORDS.get(item.casefold(), item))
    return Ports(_merged(spans), frozenset(words))


def parse_enabled(value: t.Any) -> bool:
    """Raises PlanError for what is neither."""
    if isinstance(value, bool):
        return value
    raise PlanError(f"'{value}' is neither true nor false. Nothing was changed.")
