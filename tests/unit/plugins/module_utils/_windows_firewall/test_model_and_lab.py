# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The product's model against the lab's packets: what the one calls shut, no packet of the other
passes.
"""

from __future__ import annotations

import copy
import typing as t

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall import (
    model,
    recipe,
    tables,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.texts import (
    PROFILES,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall import store
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.packets import admits
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.rules import install
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import Firewall, Rule
from ansible_collections.mailedge.lockdown.tests.support.random_windows_firewalls import (
    PORTS,
    SOURCES,
    firewalls,
    host_of,
    packets,
    read,
    write,
)

SITE = recipe.Site(
    ports=(25,),
    remote=RangeSet.parse(["198.51.100.0/24", "2001:db8:100::/48"]),
    own_networks=RangeSet.parse(["10.20.0.0/16"]),
)


def passing(
    firewall: Firewall,
    port: int,
    profile: int,
    *,
    authenticated: bool = False,
    of: t.Collection[str] = SOURCES,
) -> set[str]:
    """The senders of whom some packet comes in."""
    return {
        source
        for source in of
        if any(
            admits(firewall, packet)
            for packet in packets(source, port, profile)
            if packet.authenticated <= authenticated
        )
    }


EVERY_PROFILE = st.sampled_from(tuple(PROFILES))


@settings(max_examples=10 * settings().max_examples)
@given(firewalls(), st.sampled_from(PORTS), EVERY_PROFILE, st.booleans())
def test_what_the_model_calls_shut_no_packet_passes(
    firewall: Firewall, port: int, bit: int, authenticated: bool
) -> None:
    state = read(host_of(firewall))
    possible = model.reach(state, port, state.profiles[bit], authenticated=authenticated).possible
    shut = {source for source in SOURCES if source not in possible}
    assert shut & passing(firewall, port, bit, authenticated=authenticated, of=shut) == set()


@settings(max_examples=10 * settings().max_examples)
@given(firewalls(), st.sampled_from(PORTS), EVERY_PROFILE)
def test_whom_the_model_lets_in_for_certain_some_packet_passes(
    firewall: Firewall, port: int, bit: int
) -> None:
    state = read(host_of(firewall))
    reach = model.reach(state, port, state.profiles[bit])
    certain = {source for source in SOURCES if source in reach.certain}
    assert certain - passing(firewall, port, bit, of=certain) == set()


def planned(state: State, site: recipe.Site = SITE) -> tuple[tables.Change, ...]:
    return tables.order(tables.TABLES.plan(state, recipe.lock(state, site)))


@settings(max_examples=3 * settings().max_examples)
@given(
    firewalls(),
    st.sampled_from((recipe.NARROW, recipe.DISABLE)),
    st.sampled_from((recipe.KEEP, recipe.NARROW)),
)
def test_what_was_planned_is_what_is_read_back(
    firewall: Firewall, method: str, other_ports: str
) -> None:
    host, start = host_of(firewall), shown(firewall)
    before = read(host)
    site = recipe.Site(
        SITE.ports, SITE.remote, SITE.own_networks, method=method, other_ports=other_ports
    )
    changes = planned(before, site)
    for _step in write(host, changes, before):
        pass
    after = read(host)
    wished = tables.TABLES.apply_all(changes, before)
    for port in PORTS:
        for bit in PROFILES:
            told = model.reach(wished, port, wished.profiles[bit])
            assert told == model.reach(after, port, after.profiles[bit])
    assert planned(after, site) == ()
    back = tables.TABLES.plan(after, tables.TABLES.way_back(changes)[0])
    for _step in write(host, tables.order(back), after):
        pass
    assert shown(firewall) == start


def shown(firewall: Firewall) -> list[list[str]]:
    """The rules by what they mean: identical twins are the same, so are lists in another order."""
    return sorted(sorted(rule.text().split("|")) for rule in firewall.rules)


@settings(max_examples=3 * settings().max_examples)
@given(firewalls(plain=True), st.sampled_from((recipe.NARROW, recipe.DISABLE)))
def test_after_the_lock_no_stranger_passes_and_on_the_way_nobody_loses_or_gains(
    firewall: Firewall, method: str
) -> None:
    """By whatever program, service, interface or profile.

    Rules for whom IPsec has authenticated stay.
    """
    start = {bit: passing(copy.deepcopy(firewall), 25, bit) for bit in PROFILES}
    others = {bit: passing(firewall, 587, bit) for bit in PROFILES}
    host = host_of(firewall)
    state = read(host)
    changes = planned(state, recipe.Site(SITE.ports, SITE.remote, SITE.own_networks, method=method))
    ways: list[dict[int, set[str]]] = [start]
    for _step in write(host, changes, state):
        ways.append({bit: passing(firewall, 25, bit) for bit in PROFILES})
    named = {source for source in SOURCES if source in SITE.named}
    goal = ways[-1]
    for bit in PROFILES:
        assert goal[bit] <= named
        assert start[bit] & named <= goal[bit]
        for at in ways:
            assert start[bit] & goal[bit] <= at[bit] <= start[bit] | goal[bit]
    if all(held.rule.protocol is not None for held in state.rules.values()):
        assert {bit: passing(firewall, 587, bit) for bit in PROFILES} == others


def test_many_addresses_are_shared_out_among_rules_and_nobody_named_loses() -> None:
    firewall = Firewall()
    install(firewall, "E2016")
    host = host_of(firewall)
    many = [f"198.51.{third}.{last}" for third in range(100, 110) for last in range(0, 256, 2)][
        :1100
    ]
    site = recipe.Site((25,), RangeSet.parse(many), other_ports=recipe.NARROW)
    before = read(host)
    changes = planned(before, site)
    assert sum(change.action == "create" for change in changes) == 3
    for _step in write(host, changes, before):
        pass
    state = read(host)
    assert planned(state, site) == ()
    assert model.reach_of(state, 25).certain == site.named
    fewer = recipe.Site(
        (25,),
        RangeSet.parse(many[:-50]) | RangeSet.parse(["203.0.113.4"]),
        other_ports=recipe.NARROW,
    )
    changes = planned(state, fewer)
    kept = site.named & fewer.named
    for _step in write(host, changes, state):
        assert kept <= model.reach_of(read(host), 25).certain
    assert model.reach_of(read(host), 25).certain == fewer.named


def test_a_block_rule_that_says_nothing_of_tunnels_may_leave_one_open() -> None:
    firewall = Firewall()
    block: dict[str, t.Any] = {"action": store.BLOCK, "ports": [(25, 25)], "enabled": True}
    firewall.rules = [Rule(name="blocked", **block)]
    state = read(host_of(firewall))
    shut = model.reach(state, 25, state.profiles[1])
    assert shut.possible == RangeSet()
    # Where the profile lets everybody in, whoever comes through a tunnel may be one of them.
    firewall.settings[1].inbound = store.ALLOW
    state = read(host_of(firewall))
    reach = model.reach(state, 25, state.profiles[1])
    assert "2001:db8:bad::1" in reach.possible
    assert reach.certain == RangeSet()
    assert passing(firewall, 25, 1)
    # One that speaks of tunnels stops them too.
    firewall.rules = [Rule(name="blocked", edge=True, **block)]
    state = read(host_of(firewall))
    assert model.reach(state, 25, state.profiles[1]).possible == RangeSet()
    assert not passing(firewall, 25, 1)
