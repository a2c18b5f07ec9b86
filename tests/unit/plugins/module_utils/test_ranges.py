# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges and sets of addresses, with netaddr and plain sets of numbers as independent oracles."""

from __future__ import annotations

import copy
import pickle
import typing as t

import netaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    EVERYTHING_V4,
    EVERYTHING_V6,
    LOOPBACK,
    PRIVATE,
    Address,
    Interval,
    RangeError,
    RangeSet,
    parse_address,
    parse_endpoint,
    parse_range,
)
from ansible_collections.mailedge.lockdown.tests.support.random_ranges import (
    LAST,
    as_netaddr,
    blocks,
    wide,
    wide_intervals,
)

# Small worlds, so that ranges meet, touch and nest: at both ends of each family and in the middle
# of it.
BASES = {4: (0, 0xC6336400, LAST[4] - 63), 6: (0, 0x20010DB8 << 96, LAST[6] - 63)}


@st.composite
def _intervals(draw: st.DrawFn) -> Interval:
    version = draw(st.sampled_from((4, 6)))
    base = draw(st.sampled_from(BASES[version]))
    first, last = sorted((draw(st.integers(0, 63)), draw(st.integers(0, 63))))
    return Interval(version, base + first, base + last)


def _numbers(ranges: RangeSet) -> set[tuple[int, int]]:
    return {
        (interval.version, value)
        for interval in ranges.intervals
        for value in range(interval.first, interval.last + 1)
    }


small = st.lists(_intervals(), max_size=8)


class TestParse:
    @pytest.mark.parametrize(
        ("text", "first", "last"),
        [
            ("192.168.1.1", "192.168.1.1", "192.168.1.1"),
            (" 192.168.1.1 ", "192.168.1.1", "192.168.1.1"),
            ("192.168.1.1-192.168.1.254", "192.168.1.1", "192.168.1.254"),
            ("192.168.1.1 - 192.168.1.254", "192.168.1.1", "192.168.1.254"),
            ("192.168.1.1/24", "192.168.1.0", "192.168.1.255"),
            ("10.0.0.0(255.0.0.0)", "10.0.0.0", "10.255.255.255"),
            ("10.1.2.3(255.255.255.255)", "10.1.2.3", "10.1.2.3"),
            ("10.1.2.3(0.0.0.0)", "0.0.0.0", "255.255.255.255"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("203.0.113.7/32", "203.0.113.7", "203.0.113.7"),
            ("2001:0DB8::CD3/60", "2001:db8::", "2001:db8:0:f:ffff:ffff:ffff:ffff"),
            (
                "fe80::39bd:88f7:6969:d223%11",
                "fe80::39bd:88f7:6969:d223",
                "fe80::39bd:88f7:6969:d223",
            ),
            ("fe80::1%11/64", "fe80::", "fe80::ffff:ffff:ffff:ffff"),
            ("fe80::1%11-fe80::9%11", "fe80::1", "fe80::9"),
            (
                "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "::",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            ),
            ("2001:db8::198.51.100.1", "2001:db8::c633:6401", "2001:db8::c633:6401"),
        ],
    )
    def test_every_form_that_exchange_takes_is_understood(
        self, text: str, first: str, last: str
    ) -> None:
        low, high = netaddr.IPAddress(first), netaddr.IPAddress(last)
        assert parse_range(text) == Interval(low.version, int(low), int(high))

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("10.0.0.9-10.0.0.1", "reversed"),
            ("2001:db8::9-2001:db8::1", "reversed"),
            ("10.0.0.1-2001:db8::1", "mixes IPv4 and IPv6"),
            ("", "empty text"),
            ("   ", "empty text"),
            ("10.0.0.300", "'10.0.0.300' is not an IP address"),
            ("10.0.0", "not an IP address"),
            ("010.0.0.1", "not an IP address"),
            ("10.0.0.1-", "'' is not an IP address"),
            ("-10.0.0.1", "'' is not an IP address"),
            ("10.0.0.1-10.0.0.2-10.0.0.3", "not an address range"),
            ("10.0.0.1/33", "from 0 to 32"),
            ("2001:db8::/129", "from 0 to 128"),
            ("10.0.0.1/-1", "prefix length"),
            ("10.0.0.1/08", "prefix length"),
            ("10.0.0.1/", "prefix length"),
            ("10.0.0.1/255.0.0.0", "Write 10.0.0.0/8"),
            ("10.0.0.1/２４", "prefix length"),
            ("10.0.0.1/8/8", "prefix length"),
            ("10.0.0.0(255.0.255.0)", "ones followed by zeros"),
            ("10.0.0.0(0.0.0.255)", "ones followed by zeros"),
            ("10.0.0.0(2001:db8::)", "ones followed by zeros"),
            ("2001:db8::(255.0.0.0)", "only IPv4"),
            ("10.0.0.0)", "'' is not an IP address"),
            ("10.0.0.1%11", "not an IP address"),
            ("fe80::1%", "not an IP address"),
            ("fe80::1%1%2", "not an IP address"),
            ("mail.provider.example", "not an IP address"),
            ("*", "not an IP address"),
            ("٣.1.1.1", "not an IP address"),
        ],
    )
    def test_what_is_no_range_is_refused_in_a_sentence_that_names_it(
        self, text: str, says: str
    ) -> None:
        with pytest.raises(RangeError) as error:
            parse_range(text)
        assert says in str(error.value)
        assert str(error.value).endswith(".")
        assert text.strip() in str(error.value)

    @pytest.mark.parametrize("value", [None, 5, 3.5, True, ["10.0.0.1"], {"a": 1}, b"10.0.0.1"])
    def test_what_is_no_text_is_refused(self, value: t.Any) -> None:
        for parse in (parse_range, parse_address, parse_endpoint):
            with pytest.raises(RangeError, match="is not a text"):
                parse(value)

    def test_a_long_bad_text_is_cut_in_the_sentence(self) -> None:
        with pytest.raises(RangeError) as error:
            parse_range("x" * 5000)
        assert len(str(error.value)) < 200

    def test_an_ipv4_mapped_address_stays_ipv6(self) -> None:
        mapped = parse_range("::ffff:198.51.100.1")
        assert mapped == Interval(6, 0xFFFF_C633_6401, 0xFFFF_C633_6401)
        assert RangeSet([mapped]).isdisjoint(EVERYTHING_V4)
        assert str(mapped) == "::ffff:c633:6401"

    def test_one_address_is_no_range(self) -> None:
        assert parse_address("2001:db8::1%4") == Address(6, 0x20010DB8 << 96 | 1)
        assert str(parse_address("2001:DB8:0::1")) == "2001:db8::1"
        for text in ("10.0.0.0/8", "10.0.0.1-10.0.0.2", "", "[::1]"):
            with pytest.raises(RangeError):
                parse_address(text)

    def test_a_set_comes_from_a_list_or_from_one_text_with_commas(self) -> None:
        assert RangeSet.parse("198.51.100.0/24, 2001:db8::1") == RangeSet.parse(
            ["2001:db8::1", "198.51.100.0/24"]
        )
        assert RangeSet.parse(iter(["198.51.100.7"])) == RangeSet.parse("198.51.100.7")
        assert not RangeSet.parse([])
        with pytest.raises(RangeError, match="empty text"):
            RangeSet.parse("")
        with pytest.raises(RangeError, match="is not a text"):
            RangeSet.parse(["198.51.100.0/24", t.cast(str, None)])

    @given(_intervals() | wide_intervals())
    def test_the_text_of_a_range_reads_back_as_the_same_range(self, interval: Interval) -> None:
        assert parse_range(str(interval)) == interval

    @given(st.integers(0, LAST[6]))
    def test_the_text_of_an_address_is_the_one_netaddr_reads(self, value: int) -> None:
        for number in (value, value & 0xFFFF_FFFF_FFFF):
            assert int(netaddr.IPAddress(str(Address(6, number)), 6)) == number

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("198.51.100.7/32", "198.51.100.7"),
            ("198.51.100.0-198.51.100.255", "198.51.100.0/24"),
            ("198.51.100.7/24", "198.51.100.0/24"),
            ("198.51.100.1-198.51.100.2", "198.51.100.1-198.51.100.2"),
            ("198.51.100.3-198.51.100.6", "198.51.100.3-198.51.100.6"),
            ("2001:0DB8:0:0::0/32", "2001:db8::/32"),
            ("0.0.0.0/0", "0.0.0.0-255.255.255.255"),
            ("::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("0.0.0.0/1", "0.0.0.0/1"),
        ],
    )
    def test_a_range_is_shown_in_its_shortest_form(self, text: str, shown: str) -> None:
        assert str(parse_range(text)) == shown

    @pytest.mark.parametrize(
        "numbers", [(4, 5, 4), (4, -1, 4), (4, 0, 1 << 32), (6, 0, 1 << 128), (5, 0, 0)]
    )
    def test_numbers_of_no_family_make_no_range(self, numbers: tuple[int, int, int]) -> None:
        with pytest.raises(RangeError):
            Interval(*numbers)


class TestSets:
    def test_sets_are_equal_by_their_addresses_and_keep_what_was_written(self) -> None:
        ranges = RangeSet.parse(["10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/16"])
        other = RangeSet.parse(["10.128.0.0-10.255.255.255", "10.0.0.0/9"])
        assert ranges == other
        assert hash(ranges) == hash(other)
        assert ranges != RangeSet.parse("10.0.0.0/9")
        assert ranges != "10.0.0.0/8"
        assert [str(entry) for entry in ranges.entries] == ["10.0.0.0/8", "10.1.0.0/16"]
        assert [str(entry) for entry in ranges.intervals] == ["10.0.0.0/8"]
        assert (ranges - RangeSet()).entries == ranges.intervals

    def test_ranges_that_touch_become_one_but_never_across_the_families(self) -> None:
        assert RangeSet.parse("192.0.2.1, 192.0.2.2").to_texts() == ["192.0.2.1-192.0.2.2"]
        assert RangeSet([Interval(4, 5, LAST[4]), Interval(6, 0, 3)]).intervals == (
            Interval(4, 5, LAST[4]),
            Interval(6, 0, 3),
        )

    @given(small, small)
    def test_the_algebra_is_that_of_plain_sets(
        self, some: list[Interval], others: list[Interval]
    ) -> None:
        ranges, other = RangeSet(some), RangeSet(others)
        ours, theirs = _numbers(ranges), _numbers(other)
        assert _numbers(ranges | other) == ours | theirs
        assert _numbers(ranges & other) == ours & theirs
        assert _numbers(ranges - other) == ours - theirs
        assert (ranges <= other) == (ours <= theirs)
        assert ranges.isdisjoint(other) == ours.isdisjoint(theirs)
        assert (ranges == other) == (ours == theirs)
        assert bool(ranges) == bool(ours)
        assert ranges.size == len(ours)
        assert (ranges.v4 | ranges.v6) == ranges
        assert _numbers(ranges.v4) == {number for number in ours if number[0] == 4}

    @given(wide, wide)
    def test_the_algebra_is_that_of_netaddr(
        self, some: list[Interval], others: list[Interval]
    ) -> None:
        ranges, other = RangeSet(some), RangeSet(others)
        ours, theirs = as_netaddr(some), as_netaddr(others)
        for mine, peers in (
            (ranges | other, ours | theirs),
            (ranges & other, ours & theirs),
            (ranges - other, ours - theirs),
        ):
            assert blocks(mine.to_cidrs()) == blocks(peers.iter_cidrs())
            assert mine.size == peers.size

    @given(small | wide, small | wide)
    def test_every_result_is_normalised(self, some: list[Interval], others: list[Interval]) -> None:
        ranges, other = RangeSet(some), RangeSet(others)
        for result in (ranges, ranges | other, ranges & other, ranges - other):
            for before, after in zip(result.intervals, result.intervals[1:]):
                assert before.version < after.version or before.last + 1 < after.first
            assert RangeSet(result.intervals) == result
            assert RangeSet(result.intervals).intervals == result.intervals

    @given(small, _intervals())
    def test_contains_asks_for_the_whole_range(self, some: list[Interval], asked: Interval) -> None:
        ranges = RangeSet(some)
        numbers = {(asked.version, value) for value in range(asked.first, asked.last + 1)}
        assert (asked in ranges) == (numbers <= _numbers(ranges))
        assert (str(asked) in ranges) == (asked in ranges)
        assert (Address(asked.version, asked.first) in ranges) == (
            (asked.version, asked.first) in _numbers(ranges)
        )

    def test_contains_tells_the_families_apart(self) -> None:
        assert "0.0.0.1" in RangeSet([Interval(4, 1, 1)])
        assert "::1" not in RangeSet([Interval(4, 1, 1)])
        with pytest.raises(RangeError):
            assert "nonsense" in EVERYTHING

    def test_a_set_survives_being_copied_and_pickled(self) -> None:
        ranges = RangeSet.parse(["198.51.100.0/24", "198.51.100.7", "2001:db8::/48"])
        for twin in (copy.deepcopy(ranges), pickle.loads(pickle.dumps(ranges))):
            assert twin == ranges
            assert twin.entries == ranges.entries

    def test_the_representation_is_the_code_that_makes_the_set(self) -> None:
        ranges = RangeSet.parse(["198.51.100.0/24", "2001:db8::1"])
        assert eval(repr(ranges)) == ranges

    def test_what_is_no_set_is_no_operand(self) -> None:
        for operation in ("__or__", "__and__", "__sub__"):
            assert getattr(EVERYTHING, operation)("198.51.100.0/24") is NotImplemented

    def test_the_well_known_sets(self) -> None:
        assert EVERYTHING.size == (1 << 32) + (1 << 128)
        assert EVERYTHING_V4 | EVERYTHING_V6 == EVERYTHING
        assert LOOPBACK <= PRIVATE <= EVERYTHING
        for text in (
            "10.9.8.7",
            "172.31.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "::1",
            "fd00::1",
        ):
            assert text in PRIVATE
        for text in (
            "172.32.0.1",
            "100.128.0.1",
            "11.0.0.1",
            "::2",
            "2a00::1",
            "fec0::1",
            "198.51.100.1",
        ):
            assert text not in PRIVATE
        assert "fe80::1%3" in PRIVATE
