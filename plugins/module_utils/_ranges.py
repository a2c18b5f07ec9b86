# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network addresses, understood here and nowhere else: parsing, sets as numbers, texts for others.

Forms of a range (learn.microsoft.com, Set-ReceiveConnector.md, RemoteIPRanges): one address, `a-b`,
`a/prefix` with host bits allowed, an IPv6 address with a zone (`%11`), and `10.0.0.0(255.0.0.0)`,
which older consoles may have left (unverified).

Standard library only: a probe takes this to any host. No step takes longer than sorting does.
"""

from __future__ import annotations

import bisect
import ipaddress
import re
import socket
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges_spans import (
    Span,
    Spans,
    both,
    either,
    merged,
    without,
)

_BITS = {4: 32, 6: 128}
_LAST = {version: (1 << bits) - 1 for version, bits in _BITS.items()}
_PREFIXES = {
    version: {str(length): length for length in range(bits + 1)} for version, bits in _BITS.items()
}
_ZONE = re.compile(r"[0-9A-Za-z_.]+")
_ENDPOINT = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*)):([0-9]{1,5})")
_LONGEST_QUOTE = 80


class RangeError(ValueError):
    """A text that is no address, range or binding, or a set without the form asked for."""


def _quoted(text: object) -> str:
    shown = text if isinstance(text, str) else repr(text)
    return f"'{shown}'" if len(shown) <= _LONGEST_QUOTE else f"'{shown[: _LONGEST_QUOTE - 3]}...'"


class Address(t.NamedTuple):
    """One address: `version` is 4 or 6, `value` the address as a whole number, without a zone."""

    version: int
    value: int

    def __str__(self) -> str:
        return _text(self.version, self.value)


def _text(version: int, value: int) -> str:
    if version == 4:
        return socket.inet_ntop(socket.AF_INET, value.to_bytes(4, "big"))
    if value >> 32 == 0xFFFF:
        # Python 3.13 began to write these with dots; the text must not depend on the controller's
        # Python.
        return f"::ffff:{value >> 16 & 0xFFFF:x}:{value & 0xFFFF:x}"
    return str(ipaddress.IPv6Address(value))


def _check(version: int, first: int, last: int) -> None:
    if version not in _BITS:
        raise RangeError(f"{version!r} is not a version of IP: it must be 4 or 6.")
    if not 0 <= first <= last <= _LAST[version]:
        raise RangeError(f"The numbers {first} to {last} are no range of IPv{version} addresses.")


@dataclass(frozen=True, order=True)
class Interval:
    """The addresses of one family from `first` to `last`, both included; IPv4 sorts first.

    Raises RangeError for numbers outside the family.
    """

    version: int
    first: int
    last: int

    def __post_init__(self) -> None:
        _check(self.version, self.first, self.last)

    @property
    def size(self) -> int:
        """How many addresses."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        """The shortest text that Exchange takes: one address, a CIDR or `a-b`.

        A whole family is `a-b`: so Exchange prints it itself; whether it takes /0 is unverified.
        """
        start = _text(self.version, self.first)
        size = self.size
        if size == 1:
            return start
        if size & (size - 1) == 0 and self.first % size == 0 and size <= _LAST[self.version]:
            return f"{start}/{_BITS[self.version] - size.bit_length() + 1}"
        return f"{start}-{_text(self.version, self.last)}"


def _parse_address(text: str, whole: object) -> Address:
    """The address in `text`, which is part of `whole`.

    By inet_pton, which is as strict as `ipaddress` and takes a tenth of its time.
    """
    bare, percent, zone = text.strip().partition("%")
    try:
        if ":" in bare:
            if percent and not _ZONE.fullmatch(zone):
                raise ValueError(zone)
            # An IPv4-mapped address stays IPv6: Exchange keeps such a range with the IPv6 ones,
            # where no IPv4 sender meets it. Taking it for IPv4 would show a door that is not there;
            # refusing it would leave a server that has one unreadable.
            return Address(6, int.from_bytes(socket.inet_pton(socket.AF_INET6, bare), "big"))
        if percent:
            raise ValueError(zone)
        return Address(4, int.from_bytes(socket.inet_pton(socket.AF_INET, bare), "big"))
    except (OSError, ValueError):
        if text == whole:
            raise RangeError(f"{_quoted(whole)} is not an IP address.") from None
        raise RangeError(
            f"{_quoted(whole)} is not an address range: {_quoted(text.strip())} is not an IP "
            "address."
        ) from None


def _known_text(text: object, what: str) -> str:
    if not isinstance(text, str):
        raise RangeError(f"{_quoted(text)} is not {what}: it is not a text.")
    if not text.strip():
        raise RangeError(f"An empty text is not {what}.")
    return text.strip()


def parse_address(text: str) -> Address:
    """One address; a zone (`%11`) is left out, an IPv4-mapped IPv6 address stays IPv6.

    Raises RangeError.
    """
    stripped = _known_text(text, "an IP address")
    return _parse_address(stripped, stripped)


def netmask_length(address: Address) -> int | None:
    """The prefix length of an IPv4 netmask or its inverse; None where it is neither."""
    for value in (address.value, _LAST[4] ^ address.value):
        free = _LAST[4] ^ value
        if address.version == 4 and address.value and value >> 24 == 255 and not free & (free + 1):
            return 32 - free.bit_length()
    return None


def _prefixed(whole: str, address: Address, text: str) -> Interval:
    bits, length = _BITS[address.version], _PREFIXES[address.version].get(text)
    if length is None:
        _refuse_mask(whole, address, text)
        raise RangeError(
            f"{_quoted(whole)} has the prefix length {_quoted(text)}, which is not a number from 0 "
            f"to {bits}."
        )
    free = bits - length
    first = address.value >> free << free
    return Interval(address.version, first, first | (1 << free) - 1)


def _refuse_mask(whole: str, address: Address, text: str) -> None:
    """Tell how a mask behind an address is written here. Raises RangeError where `text` is one."""
    try:
        length = netmask_length(parse_address(text))
    except RangeError:
        return
    if address.version == 4 and length is not None:
        raise RangeError(
            f"{_quoted(whole)} is an address with a netmask. Write "
            f"{_prefixed(whole, address, str(length))}."
        )


def _masked(whole: str, address: Address, text: str) -> Interval:
    if address.version != 4:
        raise RangeError(f"{_quoted(whole)} has a netmask, which only IPv4 has.")
    mask = _parse_address(text, whole)
    free = _LAST[4] ^ mask.value
    if mask.version != 4 or free & (free + 1):
        raise RangeError(
            f"{_quoted(whole)} has the netmask {_quoted(text)}, which is not ones followed by "
            "zeros."
        )
    first = address.value & ~free
    return Interval(4, first, first | free)


def parse_range(text: str) -> Interval:
    """One range in any form that stands at the head of this file; host bits are dropped.

    Raises RangeError.
    """
    whole = _known_text(text, "an address range")
    if "/" in whole:
        start, _slash, prefix = whole.partition("/")
        return _prefixed(whole, _parse_address(start, whole), prefix.strip())
    if whole.endswith(")"):
        start, _bracket, mask = whole[:-1].partition("(")
        return _masked(whole, _parse_address(start, whole), mask.strip())
    if "-" in whole:
        start, _dash, end = whole.partition("-")
        first, last = _parse_address(start, whole), _parse_address(end, whole)
        if first.version != last.version:
            raise RangeError(
                f"{_quoted(whole)} mixes IPv4 and IPv6: a range lies within one of them."
            )
        if first.value > last.value:
            raise RangeError(f"{_quoted(whole)} is reversed: it ends before it begins.")
        return Interval(first.version, first.value, last.value)
    if " " in whole:
        start, _blank, mask = whole.partition(" ")
        _refuse_mask(whole, _parse_address(start, whole), mask)
    address = _parse_address(whole, whole)
    return Interval(address.version, address.value, address.value)


def _cidrs(version: int, spans: Spans, longest: int) -> t.Iterator[tuple[int, int]]:
    """(first, free bits) of the fewest blocks for the spans, at most `longest` free bits."""
    for begin, last in spans:
        first = begin
        while first <= last:
            aligned = (first & -first).bit_length() - 1 if first else _BITS[version]
            free = min(aligned, (last - first + 1).bit_length() - 1, longest)
            yield first, free
            first += 1 << free


class RangeSet:
    """A set of addresses of both families, never changed once made.

    Two sets are equal if they hold the same addresses, whatever ranges they were written as.
    `entries` keeps those ranges, because their sizes decide which connector a sender meets; what an
    operation returns has its `intervals` as `entries`.
    """

    __slots__ = ("_entries", "_intervals", "_spans")

    _spans: tuple[Spans, Spans]

    def __init__(self, intervals: t.Iterable[Interval] = ()) -> None:
        given = {
            (interval.version, interval.first, interval.last): interval for interval in intervals
        }
        ordered = sorted(given)
        self._entries: tuple[Interval, ...] | None = tuple(given[key] for key in ordered)
        self._intervals: tuple[Interval, ...] | None = None
        four = [(first, last) for version, first, last in ordered if version == 4]
        six = [(first, last) for version, first, last in ordered if version == 6]
        self._spans = (merged(four), merged(six))

    @classmethod
    def parse(cls, items: str | t.Iterable[str]) -> RangeSet:
        """The set of some texts of ranges, or of one text with commas between them.

        Raises RangeError.
        """
        texts = items.split(",") if isinstance(items, str) else items
        return cls(parse_range(text) for text in texts)

    @classmethod
    def of_spans(cls, version: int, spans: t.Iterable[Span]) -> RangeSet:
        """The set of (first, last) numbers of one family, sorted; for who has very many."""
        normalised = merged(spans)
        if normalised:
            _check(version, normalised[0][0], normalised[-1][1])
        return cls._of(normalised, ()) if version == 4 else cls._of((), normalised)

    @classmethod
    def _of(cls, four: Spans, six: Spans) -> RangeSet:
        """The set of spans that are normalised already."""
        made = cls.__new__(cls)
        made._spans = (four, six)
        made._entries = made._intervals = None
        return made

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """The fewest ranges that hold the same addresses: sorted, none touches another."""
        if self._intervals is None:
            four, six = self._spans
            self._intervals = tuple(
                [Interval(4, first, last) for first, last in four]
                + [Interval(6, first, last) for first, last in six]
            )
        return self._intervals

    @property
    def entries(self) -> tuple[Interval, ...]:
        """The ranges as given: sorted, no two the same, one may lie within another."""
        return self.intervals if self._entries is None else self._entries

    @property
    def v4(self) -> RangeSet:
        """The IPv4 part, with its entries."""
        return self._part(4)

    @property
    def v6(self) -> RangeSet:
        """The IPv6 part, with its entries."""
        return self._part(6)

    def _part(self, version: int) -> RangeSet:
        four, six = self._spans
        part = RangeSet._of(four, ()) if version == 4 else RangeSet._of((), six)
        if self._entries is not None:
            part._entries = tuple([entry for entry in self._entries if entry.version == version])
        return part

    @property
    def size(self) -> int:
        """How many addresses, of both families together."""
        return sum(last - first + 1 for spans in self._spans for first, last in spans)

    def __bool__(self) -> bool:
        return bool(self._spans[0] or self._spans[1])

    def __eq__(self, other: object) -> bool:
        return self._spans == other._spans if isinstance(other, RangeSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._spans)

    def __repr__(self) -> str:
        return f"RangeSet.parse({[str(entry) for entry in self.entries]!r})"

    def __contains__(self, item: Address | Interval | str) -> bool:
        """Whether a whole address or range lies within the set.

        Raises RangeError for a text that is neither.
        """
        if isinstance(item, Address):
            version, first, last = item.version, item.value, item.value
        else:
            interval = parse_range(item) if isinstance(item, str) else item
            version, first, last = interval.version, interval.first, interval.last
        spans = self._spans[0 if version == 4 else 1]
        at = bisect.bisect_right(spans, (first, _LAST[6])) - 1
        return at >= 0 and last <= spans[at][1]

    def __or__(self, other: RangeSet) -> RangeSet:
        if not isinstance(other, RangeSet):
            return NotImplemented
        (four, six), (other_four, other_six) = self._spans, other._spans
        return RangeSet._of(either(four, other_four), either(six, other_six))

    def __and__(self, other: RangeSet) -> RangeSet:
        if not isinstance(other, RangeSet):
            return NotImplemented
        return RangeSet._of(
            both(self._spans[0], other._spans[0]), both(self._spans[1], other._spans[1])
        )

    def __sub__(self, other: RangeSet) -> RangeSet:
        if not isinstance(other, RangeSet):
            return NotImplemented
        return RangeSet._of(
            without(self._spans[0], other._spans[0]), without(self._spans[1], other._spans[1])
        )

    def __le__(self, other: RangeSet) -> bool:
        """Whether every address is one of `other`."""
        return not self - other

    def isdisjoint(self, other: RangeSet) -> bool:
        """Whether no address is in both."""
        return not self & other

    def to_cidrs(self, longest: int = 0) -> list[str]:
        """The fewest CIDRs, IPv4 first, each with its prefix length, `longest` or longer."""
        return [
            f"{_text(version, first)}/{_BITS[version] - free}"
            for version, spans in zip((4, 6), self._spans)
            for first, free in _cidrs(version, spans, _BITS[version] - longest)
        ]

    def to_texts(self) -> list[str]:
        """One text for each interval, the shortest: an address, a CIDR or `a-b`."""
        return [str(interval) for interval in self.intervals]


@dataclass(frozen=True, order=True)
class Endpoint:
    """A local address and port that a connector listens on; `address` 0 means all of the family.

    Raises RangeError for numbers that are none.
    """

    version: int
    address: int
    port: int

    def __post_init__(self) -> None:
        _check(self.version, self.address, self.address)
        if not 1 <= self.port <= 65535:
            raise RangeError(f"{self.port} is not a port: it must be between 1 and 65535.")

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for all local addresses of its family."""
        return self.address == 0

    def __str__(self) -> str:
        text = _text(self.version, self.address)
        return f"{text}:{self.port}" if self.version == 4 else f"[{text}]:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """A binding as Exchange writes it: `0.0.0.0:25`, `[::]:25`, `192.0.2.1:25`; without the zone.

    Raises RangeError.
    """
    whole = _known_text(text, "a binding")
    parts = _ENDPOINT.fullmatch(whole)
    six, four, port = parts.groups() if parts else (None, None, "0")
    try:
        address = parse_address(six or four or "")
        if address.version == (6 if six else 4):
            return Endpoint(address.version, address.value, int(port))
    except RangeError:
        pass
    raise RangeError(
        f"{_quoted(whole)} is not a binding such as 192.0.2.1:25, 0.0.0.0:25 or [::]:25."
    )


EVERYTHING_V4 = RangeSet([Interval(4, 0, _LAST[4])])
EVERYTHING_V6 = RangeSet([Interval(6, 0, _LAST[6])])
EVERYTHING = EVERYTHING_V4 | EVERYTHING_V6
LOOPBACK = RangeSet.parse(["127.0.0.0/8", "::1"])
# RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291: no address of the internet is among these.
_PRIVATE_V4 = RangeSet.parse(
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"]
)
_PRIVATE_V6 = RangeSet.parse(["fc00::/7", "fe80::/10"])
PRIVATE = RangeSet([*LOOPBACK.intervals, *_PRIVATE_V4.intervals, *_PRIVATE_V6.intervals])
# Where no sender on the internet can be (IANA's special-purpose registries, RFC 6890): beside what
# is private, "this network", protocol assignments, the 6to4 relays (RFC 7526), multicast and what
# is reserved, and all of IPv6 that is no global unicast. Ranges for documentation and benchmarks
# are not among them, because examples, the lab and the tests are made of them.
NOT_INTERNET = RangeSet(
    [
        *PRIVATE.intervals,
        *RangeSet.parse(["0.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/3"]).intervals,
        *(EVERYTHING_V6 - RangeSet.parse(["2000::/3"])).intervals,
        *RangeSet.parse(["2001::/23", "2002::/16"]).intervals,
    ]
)
