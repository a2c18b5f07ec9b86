# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connectors cannot stand side by side: one sweep over all finds what a look at each pair
does.
"""

from __future__ import annotations

import itertools
import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.conflicts import (
    between,
    conflicts,
    crossing,
    equal_claims,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import match
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    RangeSet,
    parse_endpoint,
)
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites
from ansible_collections.mailedge.lockdown.tests.support import oracle

_RANGES = [
    "10.0.0.0/8",
    "10.0.0.0-10.1.0.5",
    "10.1.0.0/16",
    "10.1.0.0/24",
    "10.1.255.0/24",
    "10.1.0.0-10.2.0.0",
    "::/0",
    "2001:db8::/32",
]
_BINDINGS = list(map(parse_endpoint, ("0.0.0.0:25", "10.1.0.1:25", "[::]:25", "0.0.0.0:2525")))


@st.composite
def _connector(draw: st.DrawFn) -> dict[str, t.Any]:
    ranges = draw(st.lists(st.sampled_from(_RANGES), max_size=3, unique=True))
    return {
        "bindings": draw(st.frozensets(st.sampled_from(_BINDINGS), max_size=3)),
        "remote_ip_ranges": RangeSet.parse(ranges),
        "transport_role": draw(st.sampled_from([None, "FrontendTransport", "HubTransport"])),
    }


@given(st.lists(_connector(), max_size=6))
def test_one_sweep_finds_the_conflicts_of_all_pairs(some: list[dict[str, t.Any]]) -> None:
    connectors = [{"name": f"C{number}", **connector} for number, connector in enumerate(some)]
    pairs = [
        between(connector, other) for connector, other in itertools.combinations(connectors, 2)
    ]
    assert conflicts(connectors) == [conflict for conflict in pairs if conflict is not None]


def _pair(*, roles: tuple[str, str] | None = None, **ranges: list[str]) -> list[dict[str, t.Any]]:
    bindings = frozenset(_BINDINGS[:1])
    return [
        {
            "name": name,
            "bindings": bindings,
            "remote_ip_ranges": RangeSet.parse(texts),
            "transport_role": roles[number] if roles else "FrontendTransport",
        }
        for number, (name, texts) in enumerate(ranges.items())
    ]


@given(_connector(), _connector())
def test_two_conflict_exactly_where_brute_force_says_so(
    connector_a: dict[str, t.Any], other: dict[str, t.Any]
) -> None:
    both = [
        {**connector, "name": name, "transport_role": connector["transport_role"] or "HubTransport"}
        for name, connector in (("Alpha", connector_a), ("Beta", other))
    ]
    conflict = between(*both)
    assert (conflict is not None) is bool(oracle.clashes(sites.site(Version.E2019, both)))
    if conflict is not None and conflict.kind == "range":
        for text, connector in zip(conflict.ranges, both):
            assert text in map(str, connector["remote_ip_ranges"].entries)


def test_a_conflict_says_what_both_hear_and_where() -> None:
    same = between(*_pair(Alpha=["10.1.0.0/16"], Beta=["10.1.0.0/16"]))
    assert same is not None
    assert same.sentence() == (
        "The receive connectors 'Alpha' and 'Beta' both hear 10.1.0.0/16 on 0.0.0.0:25, which "
        "Exchange refuses."
    )
    assert same.pair == ("range", ("alpha", "beta"))
    for first, other in (
        ("10.0.0.0-10.1.0.5", "10.1.0.0/16"),
        ("10.1.0.0/16", "10.0.0.0-10.1.0.5"),
    ):
        crossed = between(*_pair(Alpha=[first], Beta=[other]))
        assert crossed is not None
        assert crossed.sentence() == (
            f"The receive connectors 'Alpha' and 'Beta' overlap in part: {first} and {other} on "
            "0.0.0.0:25, which Exchange refuses."
        )
    roles = ("FrontendTransport", "HubTransport")
    mixed = between(*_pair(roles=roles, Alpha=["10.1.0.0/16"], Beta=["192.0.2.0/24"]))
    assert mixed is not None
    assert mixed.sentence() == (
        "The receive connectors 'Alpha' and 'Beta' belong to different transport roles and both "
        "listen on 0.0.0.0:25, which Exchange refuses."
    )
    assert mixed.pair == ("role", ("alpha", "beta"))


def test_a_range_inside_another_one_is_no_conflict_at_either_end() -> None:
    for inside in ("10.1.0.0/24", "10.1.7.0/24", "10.1.255.0/24"):
        for first, other in (("10.1.0.0/16", inside), (inside, "10.1.0.0/16")):
            assert conflicts(_pair(Alpha=[first], Beta=[other])) == []


def test_an_entry_of_the_other_family_crosses_nothing() -> None:
    low = RangeSet.parse(["0.0.0.5-0.0.0.9"]).entries
    assert crossing(low, RangeSet.parse(["::7-::20"]).entries) is None
    assert crossing(low, RangeSet.parse(["0.0.0.7-0.0.0.20"]).entries) is not None


@given(st.lists(_connector(), max_size=5), st.booleans())
def test_equal_claims_are_those_of_connectors_in_service(
    some: list[dict[str, t.Any]], enabled: bool
) -> None:
    connectors = [
        {**connector, "name": f"C{number}", "enabled": enabled or number > 0}
        for number, connector in enumerate(some)
    ]
    expected = {
        tuple(names)
        for where in _BINDINGS
        for entry in {held for claimant in some for held in claimant["remote_ip_ranges"].entries}
        if entry.version == where.version
        for names in [
            [
                connector["name"]
                for connector in connectors
                if connector["enabled"]
                and where in connector["bindings"]
                and entry in connector["remote_ip_ranges"].entries
            ]
        ]
        if len(names) > 1
    }
    claims = equal_claims(connectors)
    assert {names for _where, _range, names in claims} == expected
    for where, heard, names in claims:
        for claimant in connectors:
            if claimant["name"] in names:
                assert where in map(str, claimant["bindings"])
                assert heard in map(str, claimant["remote_ip_ranges"].entries)


def test_of_two_with_the_same_claim_the_most_generous_one_is_named() -> None:
    everybody = RangeSet.parse(["0.0.0.0/0"])
    closed = {"bindings": frozenset(_BINDINGS[:1]), "remote_ip_ranges": everybody}
    wide = {**closed, "permission_groups": frozenset({"AnonymousUsers"})}
    tls = {**wide, "require_tls": True}
    same = [{**tls, "name": "A"}, {**wide, "name": "B"}, {**tls, "name": "C"}]
    assert match(same, "203.0.113.9").connector == "B"
    relay = {**wide, "name": "D", "anonymous_relay": True}
    assert match([*same, relay], "203.0.113.9").connector == "D"
    assert match([*same, {**closed, "name": "A0"}], "203.0.113.9").connector == "B"
