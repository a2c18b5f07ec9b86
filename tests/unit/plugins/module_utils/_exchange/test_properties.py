# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of the plan over random sites and random wishes, judged by an independent brute-force
reading of the rules.
"""

from __future__ import annotations

import itertools
import typing as t

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import guards, recipes
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import match
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.order import (
    first_fault,
    is_staged,
    order,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    Change,
    SiteNetworks,
    apply_all,
    desired,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    NoSafeOrder,
    PlanError,
)
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites
from ansible_collections.mailedge.lockdown.tests.support import oracle

# Ranges that touch, nest and cross.
RANGES = [
    "0.0.0.0-255.255.255.255",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.1.0/24",
    "10.1.1.128-10.1.2.127",
    "10.2.0.0/16",
    "198.51.100.0/24",
    "198.51.100.7",
    "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db8::/32",
    "2001:db8:1::/48",
]
BINDINGS = ["0.0.0.0:25", "[::]:25", "10.20.1.11:25", "0.0.0.0:587"]
GROUPS = ["AnonymousUsers", "ExchangeUsers", "ExchangeServers"]
SPACES = ["*", "*.com", "*.a.example", "a.example", "sub.a.example", "b.example", "*;5"]

_receive_options = st.fixed_dictionaries(
    {
        "enabled": st.booleans(),
        "bindings": st.lists(st.sampled_from(BINDINGS), min_size=1, max_size=3, unique=True),
        "remote_ip_ranges": st.lists(st.sampled_from(RANGES), min_size=1, max_size=4, unique=True),
        "permission_groups": st.lists(st.sampled_from(GROUPS), max_size=3, unique=True),
        "anonymous_relay": st.booleans(),
        "require_tls": st.booleans(),
        "comment": st.sampled_from(["", "seen"]),
    }
)
_send_options = st.fixed_dictionaries(
    {
        "enabled": st.booleans(),
        "address_spaces": st.lists(st.sampled_from(SPACES), min_size=1, max_size=3, unique=True),
        "smart_hosts": st.lists(
            st.sampled_from(["out.filter.example", "old.filter.example"]), max_size=2, unique=True
        ),
        "port": st.sampled_from([25, 2525]),
        "comment": st.sampled_from(["", "seen"]),
    }
)
_NAMES = ["Alpha", "Beta", "Gamma", "Delta"]


@st.composite
def _sites(draw: st.DrawFn) -> State:
    """A site without conflicts, since no server has any."""
    connectors = [
        sites.receive(name, **draw(_receive_options))
        for name in draw(st.sets(st.sampled_from(_NAMES)))
    ]
    sends = []
    for name in draw(st.sets(st.sampled_from(_NAMES), max_size=3)):
        options = draw(_send_options)
        sends.append(sites.send(name, **options))
    kept: list[t.Any] = []
    for connector in connectors:
        if not oracle.clashes(sites.site(Version.E2010, [*kept, connector])):
            kept.append(connector)
    return sites.site(Version.E2010, kept, sends)


def _entries(
    options: st.SearchStrategy[dict[str, t.Any]],
) -> st.SearchStrategy[list[dict[str, t.Any]]]:
    """Up to three described connectors: whole, in part, or absent."""

    @st.composite
    def entry(draw: st.DrawFn) -> dict[str, t.Any]:
        name = draw(st.sampled_from(_NAMES))
        kind = draw(st.sampled_from(["whole", "whole", "part", "absent"]))
        if kind == "absent":
            return {"name": name, "state": "absent"}
        drawn = draw(options)
        if kind == "part":
            named = draw(st.sets(st.sampled_from(sorted(drawn))))
            drawn = {option: value for option, value in drawn.items() if option in named}
        return {"name": name, **drawn}

    return st.lists(entry(), max_size=3, unique_by=lambda made: str(made["name"]))


_wishes = st.builds(desired, receive=_entries(_receive_options), send=_entries(_send_options))
# Fifty, or what HYPOTHESIS_PROFILE says.
_EXAMPLES = settings().max_examples
_thorough = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def _planned(state: State, wish: tuple[Desired[str], ...]) -> tuple[Change, ...]:
    try:
        return plan(state, wish)
    except PlanError:
        # A part of a connector that is not there, or one without smart hosts and DNS: nothing that
        # can be planned.
        assume(False)
        raise


@_thorough
@given(_sites(), _wishes)
def test_after_a_plan_nothing_is_left_to_do(state: State, wish: tuple[Desired[str], ...]) -> None:
    changes = _planned(state, wish)

    assert plan(apply_all(changes, state), wish) == ()


@_thorough
@given(_sites(), _wishes)
def test_the_inverse_gives_back_the_start(state: State, wish: tuple[Desired[str], ...]) -> None:
    changes = _planned(state, wish)

    back = [change.invert() for change in reversed(changes)]

    assert apply_all(back, apply_all(changes, state)) == state
    assert [change.invert() for change in back] == [
        Change(change.table, change.action, change.key, change.before, change.after)
        for change in reversed(changes)
    ]


@_thorough
@given(_sites(), _wishes, st.integers(0, 9))
def test_the_snapshot_gives_back_the_start_wherever_the_run_was_cut(
    state: State, wish: tuple[Desired[str], ...], cut: int
) -> None:
    changes = _planned(state, wish)
    text = sites.snapshot_text(changes)
    reached = apply_all(changes[:cut], state)

    restored = apply_all(plan(reached, sites.saved(text)), reached)

    assert {key: _seen(connector) for key, connector in restored.receive.items()} == {
        key: _seen(connector) for key, connector in state.receive.items()
    }
    assert {key: _seen(connector) for key, connector in restored.send.items()} == {
        key: _seen(connector) for key, connector in state.send.items()
    }


def _seen(connector: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {
        option: value for option, value in connector.items() if value not in (None, frozenset())
    }


@_thorough
@given(_sites(), _wishes)
def test_no_step_breaks_a_promise(state: State, wish: tuple[Desired[str], ...]) -> None:
    changes = _planned(state, wish)
    goal = apply_all(changes, state)
    try:
        steps = order(changes, state, SiteNetworks())
    except NoSafeOrder:
        event("refused")
        # The refusal must be true at least of whole changes: no order of them may be safe.
        for permutation in itertools.permutations(changes):
            if all(_whole(change) for change in changes):
                assert oracle.broken(state, permutation, goal) is not None
        return
    event(f"{len(steps)} steps for {len(changes)} changes")
    assert oracle.broken(state, steps, goal) is None


# One door and few senders: here nearly every change has to do with every other.
_crowded_options = st.fixed_dictionaries(
    {
        "enabled": st.sampled_from([True, True, True, False]),
        "bindings": st.just(["0.0.0.0:25"]),
        "permission_groups": st.lists(st.sampled_from(GROUPS[:2]), max_size=2, unique=True),
        "require_tls": st.sampled_from([False, False, True]),
    }
)
_crowded_sends = st.fixed_dictionaries(
    {
        "enabled": st.booleans(),
        "address_spaces": st.lists(st.sampled_from(SPACES), min_size=1, max_size=2, unique=True),
        "smart_hosts": st.lists(
            st.sampled_from(["out.filter.example", "old.filter.example"]), max_size=1
        ),
    }
)


# Each one's ranges lie within the one's before, so that nothing conflicts and everything covers
# something.
_NESTED = {
    "Alpha": ["0.0.0.0-255.255.255.255"],
    "Beta": ["10.0.0.0/8", "198.51.100.0/24"],
    "Gamma": ["10.1.0.0/16", "192.0.2.0/24"],
    "Delta": ["10.1.1.0/24", "198.51.100.7"],
}


@st.composite
def _crowds(draw: st.DrawFn) -> tuple[State, tuple[Desired[str], ...]]:
    """A site and a wish that changes several connectors of one side at once."""
    nested = draw(st.booleans())

    def options(name: str) -> dict[str, t.Any]:
        pool = _NESTED[name] if nested else RANGES[:6]
        return {
            **draw(_crowded_options),
            "remote_ip_ranges": draw(
                st.lists(st.sampled_from(pool), min_size=1, max_size=2, unique=True)
            ),
        }

    connectors: list[t.Any] = []
    for name in _NAMES[:3]:
        connector = sites.receive(name, **options(name))
        if not oracle.clashes(sites.site(Version.E2010, [*connectors, connector])):
            connectors.append(connector)
    sends = [sites.send(name, **draw(_crowded_sends)) for name in _NAMES[:2]]
    side = draw(st.sampled_from(["receive", "send"]))
    entries = [
        {"name": name, **(options(name) if side == "receive" else draw(_crowded_sends))}
        for name in draw(st.lists(st.sampled_from(_NAMES), min_size=2, max_size=3, unique=True))
    ]
    wish = desired(receive=tuple(entries)) if side == "receive" else desired(send=tuple(entries))
    return sites.site(Version.E2010, connectors, sends), wish


@settings(_thorough, max_examples=4 * _EXAMPLES)
@given(_crowds(), st.randoms(use_true_random=False))
def test_a_sequence_is_called_safe_exactly_if_brute_force_finds_no_fault(
    crowd: tuple[State, tuple[Desired[str], ...]], random: t.Any
) -> None:
    state, wish = crowd
    changes = list(_planned(state, wish))
    random.shuffle(changes)
    fault = oracle.broken(state, changes, apply_all(changes, state))
    event(
        "safe"
        if fault is None
        else fault.split(" ")[0] + ("conflict" if "conflict" in fault else "door or way")
    )

    assert (first_fault(changes, state, SiteNetworks()) is None) is (fault is None)


@settings(_thorough, max_examples=2 * _EXAMPLES)
@given(_crowds())
def test_an_order_is_found_in_a_crowd_wherever_whole_changes_have_one(
    crowd: tuple[State, tuple[Desired[str], ...]],
) -> None:
    state, wish = crowd
    changes = _planned(state, wish)
    goal = apply_all(changes, state)
    safe = any(
        oracle.broken(state, permutation, goal) is None
        for permutation in itertools.permutations(changes)
    )
    try:
        steps = order(changes, state, SiteNetworks())
    except NoSafeOrder:
        assert not safe
        return
    assert oracle.broken(state, steps, goal) is None


def _whole(change: Change) -> bool:
    """Whether a change is one call on the server, so that it may stand as one step."""
    relay = "anonymous_relay" in change.after
    return not is_staged(change) and not (
        relay and (change.action == "create" or len(change.after) > 1)
    )


@_thorough
@given(
    st.sampled_from(["modern", "older", "small_business", "edge"]),
    st.lists(
        st.sampled_from(["198.51.100.0/24", "203.0.113.0/25", "2001:db8:100::/48"]),
        min_size=1,
        unique=True,
    ),
    st.lists(st.sampled_from([sites.LAN, "192.168.40.0/24", "10.20.1.0/24"]), unique=True),
    st.lists(st.sampled_from([sites.LAN, "192.168.0.0/16", "172.16.0.0/12"]), unique=True),
    st.sampled_from(["auto", "strip_anonymous", "disable", "narrow"]),
    st.booleans(),
)
def test_every_lock_opens_before_it_closes_and_is_done_after_one_run(
    kind: str, provider: list[str], own: list[str], later: list[str], method: str, relay: bool
) -> None:
    state: State = getattr(sites, kind)()
    if kind == "modern" and relay:
        state = sites.modern(anonymous_relay=True)
    options: dict[str, t.Any] = {"provider_ranges": provider, "own_networks": own, "method": method}
    if method == "narrow" and not own:
        options["exchange_servers"] = ["10.20.1.12"]
    wish = recipes.inbound_lock(state, options)
    changes = plan(state, wish)
    goal = apply_all(changes, state)

    assert oracle.broken(state, order(changes, state, SiteNetworks()), goal) is None
    assert plan(goal, recipes.inbound_lock(goal, options)) == ()
    # Whoever of the networks that are named later could send before the first lock can do so after
    # the second.
    if f"{recipes.INBOUND_NAME} (own networks)".casefold() in goal.receive:
        more = {**options, "own_networks": [*own, *later]}
        again = plan(goal, recipes.inbound_lock(goal, more))
        wider = apply_all(again, goal)
        assert oracle.broken(goal, order(again, goal, SiteNetworks()), wider) is None
        assert plan(wider, recipes.inbound_lock(wider, more)) == ()
        for network in later:
            sender = network.split("/")[0].replace(".0.0", ".7.7")
            could = [
                match(site.receive.values(), sender).accepts_anonymous for site in (state, wider)
            ]
            assert could in ([True, True], [False, False])
    back = plan(goal, sites.saved(sites.snapshot_text(changes)))
    assert oracle.broken(goal, order(back, goal, SiteNetworks()), state) is None


@_thorough
@given(_sites(), _wishes)
def test_guards_speak_of_any_plan_without_a_fault_and_say_nothing_new_of_none(
    state: State, wish: tuple[Desired[str], ...]
) -> None:
    changes = _planned(state, wish)

    findings = list(guards.findings(state, apply_all(changes, state), SiteNetworks(), changes))

    assert {finding.id for finding in findings} <= set(guards.GUARDS)
    assert [
        finding
        for finding in guards.findings(state, state, SiteNetworks(), ())
        if finding.severity == "stop"
    ] == []
