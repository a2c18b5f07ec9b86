# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges that a site names, its provider's and its own: what looks like a mistake.


One place for every layer. Whoever is named is a friend, so that a slip of the pen would let in the
internet.
"""

from __future__ import annotations

import functools
import types
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    NOT_INTERNET,
    PRIVATE,
    Address,
    Interval,
    RangeError,
    RangeSet,
    netmask_length,
    parse_address,
    parse_range,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    Finding,
)

GUARDS: t.Mapping[str, str] = types.MappingProxyType(
    {
        "range_too_wide": (
            "A range is wider than a /10 (IPv4) or a /24 (IPv6), or all of them together than a /8 "
            "or a /20. Nobody who is named has so many addresses of the internet, so that it locks "
            "next to nothing."
        ),
        "private_range": "A range holds addresses that nobody on the internet sends from.",
    }
)

# The widest in the catalogue are a /14 and a /32; the widest that a registry gave to one cloud are
# a /10 and a /24.
_WIDEST = {4: 1 << (32 - 10), 6: 1 << (128 - 24)}
_MOST = {4: 1 << (32 - 8), 6: 1 << (128 - 20)}
_BITS = {4: 32, 6: 128}
_INTERNET = EVERYTHING - NOT_INTERNET
# What one group of a written address has in bits, and from where on a host with its prefix length
# is an ordinary way to write a network of the internet: 198.51.100.7/24, 2001:db8::7/48.
# ::ffff:0:0/96, the IPv4-mapped addresses (RFC 4291, 2.5.5.2).
_MAPPED, _LAST_V4 = 0xFFFF, (1 << 32) - 1
_GROUP = {4: 8, 6: 16}
_INTERFACE = {4: 24, 6: 48}
_HOST_PART = {4: 0xFF, 6: (1 << 64) - 1}


def named(texts: str | t.Iterable[str]) -> RangeSet:
    """The set of the ranges that somebody wrote down by hand.

    Raises RangeError with all that looks like a mistake: a netmask where an end, a prefix length or
    an address was meant, and a network far above its prefix length. What a server or a device has
    is read by RangeSet.parse(), because it is so whatever was meant.
    """
    intervals: list[Interval] = []
    problems: list[str] = []
    previous = ""
    for text in texts.split(",") if isinstance(texts, str) else texts:
        try:
            interval = parse_range(text)
        except RangeError as error:
            problems.append(str(error))
            continue
        problems += _mistakes(text.strip(), interval, previous)
        intervals.append(interval)
        previous = text.strip()
    if problems:
        raise RangeError(" ".join(problems))
    return RangeSet(intervals)


def friends(texts: str | t.Iterable[str]) -> RangeSet:
    """The same for networks of the site itself, of its other servers or of Exchange Online.

    These are bounded: raises RangeError also where they hold a sizeable part of the internet.
    """
    ranges = named(texts)
    much = _sizeable(ranges)
    if much:
        raise RangeError(
            f"{much.intervals[0]} and what stands beside it are {much.size} addresses of the "
            "internet, whose senders would all be taken for the site's own. Name the networks "
            "alone."
        )
    return ranges


def believed(ranges: RangeSet) -> RangeSet:
    """The named ranges whose senders are no strangers.

    All of them, or of a sizeable part of the internet only what is private.
    """
    return ranges - _INTERNET if _sizeable(ranges) else ranges


@functools.lru_cache(maxsize=64)
def _sizeable(ranges: RangeSet) -> RangeSet:
    """The addresses of the internet in `ranges` where they are more than anybody has; else none."""
    public = ranges & _INTERNET
    much = [
        family
        for family, most in ((public.v4, _MOST[4]), (public.v6, _MOST[6]))
        if family.size > most
    ]
    return much[0] if much else RangeSet()


def _mistakes(text: str, interval: Interval, previous: str) -> t.Iterator[str]:
    if interval.version == 6 and interval.first >> 32 == interval.last >> 32 == _MAPPED:
        plain = Interval(4, interval.first & _LAST_V4, interval.last & _LAST_V4)
        yield (
            f"'{text}' is an IPv4 address written as IPv6. Who sends from there comes over IPv4, "
            f"and would not be recognized. Write {plain}."
        )
        return
    if "/" in text or text.endswith(")"):
        yield from _above_its_prefix(text, interval)
    elif "-" in text:
        length = (
            netmask_length(Address(interval.version, interval.last)) if interval.first else None
        )
        if length is not None and interval.last >> 24 == 255:
            whole = _network(Address(4, interval.first), length)
            yield (
                f"'{text}' ends with a netmask, so that it would be most of the internet. Write "
                f"{whole}."
            )
    else:
        address = Address(interval.version, interval.first)
        length = netmask_length(address)
        if length is not None:
            yield f"'{text}' is a netmask and no address of anybody.{_joined(previous, length)}"


def _joined(previous: str, length: int) -> str:
    try:
        before = parse_address(previous)
    except RangeError:
        return " Write a network with its prefix length, such as 192.0.2.0/24."
    return (
        f" Write {_network(before, length)} for '{previous} {_mask(length)}'."
        if before.version == 4
        else ""
    )


def _mask(length: int) -> Address:
    return Address(4, (1 << 32) - (1 << 32 - length))


def _network(address: Address, length: int) -> Interval:
    return parse_range(f"{address}/{length}")


def _above_its_prefix(text: str, interval: Interval) -> t.Iterator[str]:
    """Told where the address says more than its prefix length lets stand, by a group of digits."""
    address = parse_address(text.partition("/")[0].partition("(")[0])
    version, group = address.version, _GROUP[address.version]
    length = _BITS[version] - interval.size.bit_length() + 1
    if address.value == interval.first:
        return
    is_host = bool(address.value & _HOST_PART[version])
    if is_host:
        # An adapter's address with its prefix length; in a private network that may be a wide one.
        if length >= _INTERFACE[version] or (length >= group and address in PRIVATE):
            return
        meant = _BITS[version]
    else:
        zeros = (address.value & -address.value).bit_length() - 1
        meant = _BITS[version] - zeros // group * group
    if meant - length >= group:
        yield (
            f"'{text}' has the prefix length {length}, which is all of {interval}. Write "
            f"{_network(address, meant)}, or {interval} if that is meant."
        )


def check_friends(ranges: RangeSet, what: str) -> t.Iterator[Finding]:
    """What is wrong with ranges of the site itself, which may be private as it likes."""
    wide = [
        interval
        for interval in (ranges & _INTERNET).intervals
        if interval.size > _WIDEST[interval.version]
    ]
    if wide or _sizeable(ranges):
        shown = wide[0] if wide else _sizeable(ranges).intervals[0]
        yield Finding(
            "range_too_wide",
            STOP,
            f"{what} holds {shown}, which is more of the internet than any site has.",
        )


def check(ranges: RangeSet, what: str) -> t.Iterator[Finding]:
    """What is wrong with a provider's ranges.

    `what` says in words what holds them, for the beginning of a sentence.
    """
    wide = [interval for interval in ranges.intervals if interval.size > _WIDEST[interval.version]]
    if wide:
        yield Finding(
            "range_too_wide",
            STOP,
            f"{what} holds {wide[0]}, which is wider than any provider's range.",
        )
    for family, most in ((ranges.v4, _MOST[4]), (ranges.v6, _MOST[6])):
        if family.size > most and not wide:
            yield Finding(
                "range_too_wide",
                STOP,
                f"{what} holds more addresses in all than any provider has: {family.size}.",
            )
    nobody = ranges & NOT_INTERNET
    if nobody:
        yield Finding(
            "private_range",
            STOP,
            f"{what} holds {nobody.intervals[0]}, from where nobody on the internet sends.",
        )
