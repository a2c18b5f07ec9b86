# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock on sites with several local addresses and connectors made by hand, which hear the
provider in part, at some addresses, or without taking its mail.
"""

from __future__ import annotations

import dataclasses
import typing as t

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import recipes
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import match
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.order import order
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    SiteNetworks,
    apply_all,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    parse_address,
    parse_endpoint,
)
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites
from ansible_collections.mailedge.lockdown.tests.support import guarded, oracle

SECOND_ADDRESS = "10.20.2.11"
OPTIONS: dict[str, t.Any] = {
    "provider_ranges": [sites.PROVIDER, "203.0.113.0/25"],
    "own_networks": [sites.LAN],
}


def _with(state: State, *by_hand: t.Mapping[str, t.Any]) -> State:
    """A server with two addresses of IPv4, and connectors beside those of setup."""
    addresses = (*state.server.addresses, parse_address(SECOND_ADDRESS))
    return dataclasses.replace(
        state,
        server=dataclasses.replace(state.server, addresses=addresses),
        receive={
            **state.receive,
            **{connector["name"].casefold(): connector for connector in by_hand},
        },
    )


def _by_hand(
    name: str, where: t.Sequence[str], hears: t.Sequence[str], **options: t.Any
) -> dict[str, t.Any]:
    given = {"permission_groups": ["AnonymousUsers"], **options}
    return sites.receive(name, bindings=list(where), remote_ip_ranges=list(hears), **given)


def test_what_the_lock_binds_does_not_depend_on_what_it_made_itself() -> None:
    """Its pieces answer in place of the adopted connector, which hears as much at one address
    only.
    """
    by_hand = _by_hand("By hand", [f"{sites.LAN_ADDRESS}:25"], [sites.PROVIDER])
    state = _with(sites.older(), by_hand)

    after = apply_all(plan(state, recipes.inbound_lock(state, OPTIONS)), state)

    made = after.receive[recipes.INBOUND_NAME.casefold()]
    assert made["bindings"] == {
        parse_endpoint("0.0.0.0:25"),
        parse_endpoint(f"{sites.LAN_ADDRESS}:25"),
    }
    assert plan(after, recipes.inbound_lock(after, OPTIONS)) == ()


def test_a_part_of_the_provider_that_one_address_refuses_is_told_with_who_refuses_it() -> None:
    """It is accepted at the other address, so that nothing of it is refused everywhere."""
    refusing = _by_hand(
        "Phones",
        ["0.0.0.0:25", "[::]:25"],
        ["198.51.100.0/26"],
        permission_groups=["ExchangeUsers"],
    )
    taking = _by_hand("By hand", [f"{sites.LAN_ADDRESS}:25"], [sites.PROVIDER])
    state = _with(sites.older(), refusing, taking)
    changes = plan(state, recipes.inbound_lock(state, OPTIONS))

    findings = guarded.findings_of(state, _networks(state), changes)

    [told] = [finding for finding in findings if finding.id == "provider_shut_out"]
    assert told.severity == "warn"
    assert (
        "198.51.100.0/26 would not be accepted on 0.0.0.0:25, "
        "where 198.51.100.64-198.51.100.255 and 203.0.113.0/25 would."
    ) in told.sentence
    assert "They are heard by 'Phones', without the right to send" in told.sentence


def test_a_range_that_is_no_longer_the_provider_s_moves_to_exchange_online_step_by_step() -> None:
    """Exchange has no two connectors with the same range, not even while one takes it over."""
    state = _with(sites.older())
    both = {**OPTIONS, "hybrid_ranges": ["203.0.113.0/25"]}
    locked = apply_all(plan(state, recipes.inbound_lock(state, both)), state)
    moved = {**both, "provider_ranges": [sites.PROVIDER]}

    changes = plan(locked, recipes.inbound_lock(locked, moved))

    goal = apply_all(changes, locked)
    assert oracle.broken(locked, order(changes, locked, SiteNetworks()), goal) is None
    assert (
        match(goal.receive.values(), "203.0.113.1").connector == f"{recipes.INBOUND_NAME} (hybrid)"
    )
    assert plan(goal, recipes.inbound_lock(goal, moved)) == ()


def test_a_port_that_is_closed_with_the_connector_is_told_with_what_keeps_it_open() -> None:
    both_ports = ["0.0.0.0:25", "0.0.0.0:2525"]
    state = _with(sites.site(Version.E2010, [_by_hand("Wide", both_ports, sites.EVERYBODY)]))

    [told] = _shut_out(state, OPTIONS)
    assert (
        "no longer be accepted on port 2525. If it comes in by 0.0.0.0:2525, "
        "name that in the bindings of"
    ) in told
    assert _shut_out(state, {**OPTIONS, "bindings": both_ports}) == []


def _shut_out(state: State, options: dict[str, t.Any]) -> list[str]:
    findings = guarded.findings_of(
        state, _networks(state), plan(state, recipes.inbound_lock(state, options))
    )
    return [finding.sentence for finding in findings if finding.id == "provider_shut_out"]


_BINDINGS = [
    ["0.0.0.0:25"],
    ["[::]:25"],
    [f"{sites.LAN_ADDRESS}:25"],
    [f"{SECOND_ADDRESS}:25"],
    ["127.0.0.1:25"],
]
_RANGES = [
    sites.PROVIDER,
    "198.51.100.0/25",
    "198.51.100.64-198.51.100.190",
    "203.0.113.0/24",
    "10.20.1.0/24",
]


@st.composite
def _sites_with_connectors_by_hand(draw: st.DrawFn) -> State:
    state = draw(
        st.sampled_from(
            [sites.older(), sites.small_business(), sites.edge(), sites.site(Version.E2010, [])]
        )
    )
    for name in ("Alpha", "Beta"):
        fresh = _by_hand(
            name,
            draw(st.sampled_from(_BINDINGS)),
            draw(st.lists(st.sampled_from(_RANGES), min_size=1, max_size=2, unique=True)),
            permission_groups=draw(st.sampled_from([["AnonymousUsers"], ["ExchangeUsers"]])),
            enabled=draw(st.sampled_from([True, True, True, False])),
        )
        if not oracle.clashes(_with(state, fresh)):
            state = _with(state, fresh)
    return state


# A third of what other properties try: each site is asked at every border of every range.
_EXAMPLES = max(settings().max_examples // 3, 10)


@settings(
    max_examples=_EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(_sites_with_connectors_by_hand())
def test_a_lock_is_done_after_one_run_and_the_provider_keeps_every_address(state: State) -> None:
    wish = recipes.inbound_lock(state, OPTIONS)
    changes = plan(state, wish)
    goal = apply_all(changes, state)
    stopped = guarded.severities(state, _networks(state), wish)
    assume("stop" not in stopped.values())

    assert plan(goal, recipes.inbound_lock(goal, OPTIONS)) == ()
    senders, places = oracle.places([state, goal])
    provider = _networks(state).provider
    for version, sender in senders:
        for family, local, port in places:
            if family != version or not any(
                i.version == version and i.first <= sender <= i.last for i in provider.intervals
            ):
                continue
            could, can = (
                "AnonymousUsers" in oracle.rights(site, version, sender, local, port)
                for site in (state, goal)
            )
            assert can or not could, (version, sender, local, port)


def _networks(state: State) -> SiteNetworks:
    named = guarded.networks_of(
        provider=OPTIONS["provider_ranges"], own_networks=OPTIONS["own_networks"], inbound_lock=True
    )
    return named.on(state.server)
