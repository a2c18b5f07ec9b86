# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How ranges and endpoints are written: the texts that Exchange, a firewall and a reader get."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    EVERYTHING_V4,
    LOOPBACK,
    Address,
    Endpoint,
    Interval,
    RangeError,
    RangeSet,
    parse_endpoint,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges_forms import (
    to_regex,
    to_slash24s,
)
from ansible_collections.mailedge.lockdown.tests.support.random_ranges import (
    LAST,
    as_netaddr,
    blocks,
    wide,
    wide_intervals,
)


class TestTexts:
    @given(wide)
    def test_cidrs_are_the_fewest(self, some: list[Interval]) -> None:
        ranges = RangeSet(some)
        cidrs = ranges.to_cidrs()
        assert RangeSet.parse(cidrs) == ranges
        assert blocks(cidrs) == blocks(as_netaddr(some).iter_cidrs())

    def test_cidrs_have_a_prefix_length_each(self) -> None:
        assert EVERYTHING.to_cidrs() == ["0.0.0.0/0", "::/0"]
        assert RangeSet.parse("198.51.100.1-198.51.100.2, ::1").to_cidrs() == [
            "198.51.100.1/32",
            "198.51.100.2/32",
            "::1/128",
        ]

    def test_wide_ranges_are_cut_to_slash24s_and_narrow_ones_stay(self) -> None:
        ranges = RangeSet.parse(["198.51.100.0/22", "192.0.2.0/25", "203.0.113.7"])
        assert to_slash24s(ranges) == [
            "192.0.2.0/25",
            "198.51.100.0/24",
            "198.51.101.0/24",
            "198.51.102.0/24",
            "198.51.103.0/24",
            "203.0.113.7/32",
        ]

    @given(st.integers(0, LAST[4] - 5000), st.integers(0, 5000))
    def test_slash24s_hold_the_same_addresses(self, first: int, more: int) -> None:
        ranges = RangeSet([Interval(4, first, first + more)])
        pieces = to_slash24s(ranges)
        assert RangeSet.parse(pieces) == ranges
        assert all(24 <= int(piece.split("/")[1]) <= 32 for piece in pieces)

    def test_slash24s_refuse_what_has_none(self) -> None:
        with pytest.raises(RangeError, match="'2001:db8::/32' is IPv6"):
            to_slash24s(RangeSet.parse(["198.51.100.0/24", "2001:db8::/32"]))
        with pytest.raises(RangeError, match="too wide"):
            to_slash24s(RangeSet.parse("10.0.0.0/7"))
        assert len(to_slash24s(RangeSet.parse("10.0.0.0/8"))) == 65536

    @given(
        st.lists(wide_intervals(4), min_size=1, max_size=6),
        st.lists(st.integers(0, LAST[4]), max_size=20),
    )
    def test_a_regex_matches_exactly_the_addresses_of_the_set(
        self, some: list[Interval], asked: list[int]
    ) -> None:
        ranges = RangeSet(some)
        if ranges == EVERYTHING_V4:
            return
        regex = re.compile(to_regex(ranges))
        borders = {
            edge + step
            for interval in some
            for edge in (interval.first, interval.last)
            for step in (-257, -1, 0, 1, 256)
        }
        for value in borders | set(asked):
            if 0 <= value <= LAST[4]:
                address = Address(4, value)
                assert bool(regex.search(str(address))) == (address in ranges)

    def test_a_regex_of_every_possible_octet_range_is_right(self) -> None:
        for first in range(0, 256, 3):
            for last in range(first, 256, 3):
                regex = re.compile(
                    to_regex(RangeSet([Interval(4, 0xC6336400 + first, 0xC6336400 + last)]))
                )
                matched = [octet for octet in range(256) if regex.search(f"198.51.100.{octet}")]
                assert matched == list(range(first, last + 1))

    @pytest.mark.parametrize(
        "text",
        [
            "x198.51.100.7",
            "198.51.100.7x",
            "198.51.100.07",
            "198.51.100.1000",
            "198a51b100c7",
            "198.51.100.",
            "",
        ],
    )
    def test_a_regex_matches_no_other_text(self, text: str) -> None:
        assert not re.search(to_regex(RangeSet.parse("198.51.100.0/24")), text)

    def test_a_regex_is_short_and_without_classes_that_depend_on_the_engine(self) -> None:
        regex = to_regex(
            RangeSet.parse(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.1"])
        )
        assert len(regex) < 220
        assert re.fullmatch(r"[0-9\[\]\-.|?:(){}^$\\]+", regex)
        assert "\\d" not in regex

    def test_a_regex_is_refused_where_it_would_allow_all_or_none(self) -> None:
        for ranges, says in (
            (RangeSet(), "empty"),
            (EVERYTHING_V4, "all of IPv4"),
            (LOOPBACK, "is IPv6"),
        ):
            with pytest.raises(RangeError, match=says):
                to_regex(ranges)


class TestEndpoints:
    @pytest.mark.parametrize(
        ("text", "endpoint", "shown"),
        [
            ("0.0.0.0:25", Endpoint(4, 0, 25), "0.0.0.0:25"),
            ("[::]:25", Endpoint(6, 0, 25), "[::]:25"),
            ("192.0.2.1:587", Endpoint(4, 0xC0000201, 587), "192.0.2.1:587"),
            ("[2001:DB8:0::1]:2525", Endpoint(6, 0x20010DB8 << 96 | 1, 2525), "[2001:db8::1]:2525"),
            ("[fe80::1%11]:25", Endpoint(6, 0xFE80 << 112 | 1, 25), "[fe80::1]:25"),
        ],
    )
    def test_bindings_read_and_show_as_exchange_writes_them(
        self, text: str, endpoint: Endpoint, shown: str
    ) -> None:
        assert parse_endpoint(text) == endpoint
        assert str(endpoint) == shown
        assert parse_endpoint(shown) == endpoint

    @pytest.mark.parametrize(
        "text",
        [
            "192.0.2.1",
            ":25",
            "192.0.2.1:",
            "192.0.2.1:0",
            "192.0.2.1:65536",
            "192.0.2.1:smtp",
            "192.0.2.1:-25",
            "192.0.2.0/24:25",
            ":::25",
            "::1:25",
            "[]:25",
            "[192.0.2.1]:25",
            "2001:db8::1:25",
            "mail.example:25",
        ],
    )
    def test_what_is_no_binding_is_refused_by_name(self, text: str) -> None:
        with pytest.raises(RangeError) as error:
            parse_endpoint(text)
        assert f"'{text}' is not a binding" in str(error.value)

    def test_the_wildcard_is_the_address_zero_of_either_family(self) -> None:
        assert [
            parse_endpoint(text).is_wildcard for text in ("0.0.0.0:25", "[::]:25", "[::1]:25")
        ] == [
            True,
            True,
            False,
        ]

    def test_numbers_of_no_family_make_no_endpoint(self) -> None:
        for numbers in ((4, 1 << 32, 25), (5, 0, 25), (4, 0, 0), (6, 0, 70000)):
            with pytest.raises(RangeError):
                Endpoint(*numbers)
