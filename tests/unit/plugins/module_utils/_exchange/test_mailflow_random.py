# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets what answer, on random connectors: the model against the rule read by brute force."""

from __future__ import annotations

import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    answers,
    exposure,
    listeners,
    match,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING_V4,
    EVERYTHING_V6,
    LOOPBACK,
    Address,
    Endpoint,
    Interval,
    RangeSet,
    parse_address,
)
from ansible_collections.mailedge.lockdown.tests.support.mailflow import BOTH, Connector, connector

GROUPS = ("AnonymousUsers", "ExchangeUsers", "ExchangeServers", "ExchangeLegacyServers", "Partners")

BASE = {4: parse_address("198.51.100.0").value, 6: parse_address("2001:db8::").value}
LOCALS = ("192.0.2.1", "2001:db8:25::1")
ENDPOINTS = (*BOTH, "192.0.2.1:25", "[2001:db8:25::1]:25", "127.0.0.1:25", "0.0.0.0:587")


@st.composite
def _range(draw: st.DrawFn) -> Interval:
    version = draw(st.sampled_from((4, 6)))
    if draw(st.integers(0, 5)) == 0:
        return (EVERYTHING_V4 if version == 4 else EVERYTHING_V6).intervals[0]
    first, last = sorted((draw(st.integers(0, 15)), draw(st.integers(0, 15))))
    return Interval(version, BASE[version] + first, BASE[version] + last)


@st.composite
def _connectors(draw: st.DrawFn) -> list[Connector]:
    """Connectors as they may be wished: ranges overlap in part or are the same, which Exchange
    would refuse.
    """
    return [
        connector(
            f"Connector {number}",
            RangeSet(draw(st.lists(_range(), max_size=4))),
            draw(st.sets(st.sampled_from(GROUPS))),
            draw(st.sets(st.sampled_from(ENDPOINTS), min_size=1)),
            enabled=draw(st.booleans()) or draw(st.booleans()),
            anonymous_relay=draw(st.booleans()),
            require_tls=draw(st.booleans()),
            auth_mechanism=draw(
                st.sampled_from((frozenset({"Tls"}), frozenset({"Tls", "ExternalAuthoritative"})))
            ),
        )
        for number in range(draw(st.integers(0, 5)))
    ]


senders = st.one_of(
    st.builds(
        lambda version, step: Address(version, BASE[version] + step),
        st.sampled_from((4, 6)),
        st.integers(-2, 18),
    ),
    st.builds(lambda value: Address(4, value), st.integers(0, (1 << 32) - 1)),
    st.builds(lambda value: Address(6, value), st.integers(0, (1 << 128) - 1)),
)


def brute_force(
    connectors: t.Iterable[Connector], sender: Address, endpoint: Endpoint
) -> tuple[str, ...]:
    """The rule word by word, at one listener: of all ranges that hold the sender, those with the
    fewest addresses.
    """
    held: set[tuple[int, str]] = set()
    for listed in connectors:
        if (
            not listed["enabled"]
            or endpoint not in listed["bindings"]
            or endpoint.version != sender.version
        ):
            continue
        for entry in listed["remote_ip_ranges"].entries:
            if entry.version == sender.version and entry.first <= sender.value <= entry.last:
                held.add((entry.last - entry.first, listed["name"]))
    return tuple(sorted({name for size, name in held if size == min(held)[0]}))


@given(_connectors(), senders, st.sampled_from(LOCALS))
def test_match_is_the_brute_force_reading_of_the_rule(
    some: list[Connector], sender: Address, here: str
) -> None:
    came_to = parse_address(
        here if sender.version == (6 if ":" in here else 4) else LOCALS[sender.version == 6]
    )
    named, wildcard = Endpoint(came_to.version, came_to.value, 25), Endpoint(came_to.version, 0, 25)
    taken = any(connector["enabled"] and named in connector["bindings"] for connector in some)
    expected = brute_force(some, sender, named if taken else wildcard)
    answer = match(some, sender, 25, came_to)
    assert answer.names == expected
    chosen = [connector for connector in some if connector["name"] in expected]
    # Whoever gets in by one of several connectors with the same claim gets in.
    external = [
        connector for connector in chosen if "ExternalAuthoritative" in connector["auth_mechanism"]
    ]
    anonymous = [
        connector for connector in chosen if "AnonymousUsers" in connector["permission_groups"]
    ]
    assert answer.groups == frozenset().union(
        *(connector["permission_groups"] for connector in chosen)
    )
    assert answer.external is bool(external)
    assert answer.relay is bool(
        external or [connector for connector in anonymous if connector["anonymous_relay"]]
    )
    open_ones = [
        connector for connector in chosen if connector in external or connector in anonymous
    ]
    assert answer.accepts_anonymous is bool(open_ones)
    assert answer.doubtful is (0 < len(open_ones) < len(chosen))
    if open_ones:
        assert answer.connector in [connector["name"] for connector in open_ones]
        assert answer.require_tls is all(connector["require_tls"] for connector in open_ones)


@given(_connectors(), st.lists(senders, min_size=1, max_size=12))
def test_exposure_says_of_every_sender_what_match_says(
    some: list[Connector], asked: list[Address]
) -> None:
    shares = exposure(some)
    assert tuple(dict.fromkeys(share.listener for share in shares)) == listeners(some)
    for endpoint in listeners(some):
        for sender in asked:
            if sender.version == endpoint.version:
                (held,) = (
                    share.answer
                    for share in shares
                    if share.listener == endpoint and sender in share.ranges
                )
                assert held.names == brute_force(some, sender, endpoint)
                assert held == match(some, sender, 25, Address(endpoint.version, endpoint.address))


@given(_connectors())
def test_exposure_covers_the_whole_family_of_each_listener_once(some: list[Connector]) -> None:
    for endpoint in listeners(some):
        parts = [share.ranges for share in exposure(some) if share.listener == endpoint]
        whole = EVERYTHING_V4 if endpoint.version == 4 else EVERYTHING_V6
        assert all(parts)
        assert sum(part.size for part in parts) == whole.size
        union = RangeSet()
        for part in parts:
            union = union | part
        assert union == whole


@given(_connectors(), st.lists(_range(), max_size=3).map(RangeSet))
def test_answers_are_the_exposure_cut_to_the_senders(
    some: list[Connector], asked: RangeSet
) -> None:
    shares = answers(some, asked)
    covered = RangeSet()
    for answer, ranges in shares.items():
        assert ranges
        assert ranges <= asked
        covered = covered | ranges
        sender = Address(ranges.intervals[0].version, ranges.intervals[0].first)
        reachable = [endpoint for endpoint in listeners(some) if endpoint.version == sender.version]
        names = {
            brute_force(some, sender, endpoint)
            for endpoint in reachable
            if sender in LOOPBACK or Address(endpoint.version, endpoint.address) not in LOOPBACK
        }
        assert answer.names in (names or {()})
    assert covered == asked
