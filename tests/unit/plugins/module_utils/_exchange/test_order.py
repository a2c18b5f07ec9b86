# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a plan: doors open before others close, and where that cannot be, nothing is
written.
"""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.order import (
    first_fault,
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
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import order as search
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    NoSafeOrder,
)
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites
from ansible_collections.mailedge.lockdown.tests.support import oracle

DEFAULT = f"Default Frontend {sites.NAME}"
CLOSE: dict[str, t.Any] = {"name": DEFAULT, "permission_groups": {"remove": ["AnonymousUsers"]}}
OPEN: dict[str, t.Any] = {
    "name": "Mail from filter",
    "bindings": ["0.0.0.0:25", "[::]:25"],
    "remote_ip_ranges": [sites.PROVIDER],
    "permission_groups": ["AnonymousUsers"],
}


def _ordered(
    state: State, wish: tuple[Desired[str], ...], networks: SiteNetworks | None = None
) -> tuple[Change, ...]:
    changes = plan(state, wish)
    steps = order(changes, state, networks or SiteNetworks())
    assert oracle.broken(state, steps, apply_all(changes, state)) is None
    return steps


def test_the_new_door_opens_before_the_old_one_closes_whatever_the_order_of_the_wish() -> None:
    wishes: list[list[dict[str, t.Any]]] = [[OPEN, CLOSE], [CLOSE, OPEN]]
    for entries in wishes:
        steps = _ordered(sites.modern(), desired(receive=tuple(entries)))
        assert [step.key for step in steps] == ["Mail from filter", DEFAULT]


def test_the_way_back_opens_the_old_door_first() -> None:
    locked = apply_all(plan(sites.modern(), desired(receive=[OPEN, CLOSE])), sites.modern())
    back = desired(
        receive=[
            {"name": "Mail from filter", "state": "absent"},
            {"name": DEFAULT, "permission_groups": {"add": ["AnonymousUsers"]}},
        ]
    )
    assert [step.key for step in _ordered(locked, back)] == [DEFAULT, "Mail from filter"]


def _two(first: list[str], second: list[str], **options: t.Any) -> State:
    groups = {"permission_groups": ["AnonymousUsers"], "bindings": ["0.0.0.0:25"]}
    return sites.site(
        Version.E2010,
        [
            sites.receive("A", remote_ip_ranges=first, **groups, **options),
            sites.receive("B", remote_ip_ranges=second, **groups),
        ],
    )


def test_a_range_leaves_one_connector_before_another_may_have_it() -> None:
    state = _two(["10.0.0.0/8", "192.0.2.0/25"], ["203.0.113.0/24"])
    wish = desired(
        receive=[
            {"name": "B", "remote_ip_ranges": {"add": ["192.0.2.0/25"]}, "permission_groups": []},
            {"name": "A", "remote_ip_ranges": {"remove": ["192.0.2.0/25"]}},
        ]
    )

    assert [step.key for step in _ordered(state, wish)] == ["A", "B"]


def test_ranges_are_changed_in_two_steps_where_whole_changes_would_conflict() -> None:
    # Each wants what the other has, and has something that it keeps.
    around = sites.receive(
        "Wide", bindings=["0.0.0.0:25"], remote_ip_ranges=["0.0.0.0-255.255.255.255"]
    )
    around["permission_groups"] = frozenset({"AnonymousUsers"})
    state = _two(["10.1.0.0/16", "10.9.0.0/16"], ["10.2.0.0/16", "10.8.0.0/16"])
    state = sites.site(Version.E2010, [*state.receive.values(), around])
    wish = desired(
        receive=[
            {"name": "A", "remote_ip_ranges": ["10.9.0.0/16", "10.2.0.0/16"]},
            {"name": "B", "remote_ip_ranges": ["10.8.0.0/16", "10.1.0.0/16"]},
        ]
    )

    steps = _ordered(state, wish)

    assert len(steps) == 3
    assert steps[0].after["remote_ip_ranges"] in (
        RangeSet.parse(["10.9.0.0/16"]),
        RangeSet.parse(["10.8.0.0/16"]),
    )


def test_neighbouring_ranges_are_swapped_by_way_of_one_that_holds_both() -> None:
    state = _two(["10.2.0.0/16"], ["10.3.0.0/16"])
    wish = desired(
        receive=[
            {"name": "A", "remote_ip_ranges": ["10.3.0.0/16"]},
            {"name": "B", "remote_ip_ranges": ["10.2.0.0/16"]},
        ]
    )

    steps = _ordered(state, wish)

    assert steps[0].after["remote_ip_ranges"] == RangeSet.parse(["10.2.0.0/15"])


def test_a_swap_that_nobody_can_make_without_shutting_somebody_out_is_refused_with_its_reason() -> (
    None
):
    state = _two(["10.1.0.0/16"], ["10.5.0.0/16"])
    wish = desired(
        receive=[
            {"name": "A", "remote_ip_ranges": ["10.5.0.0/16"], "comment": "swapped"},
            {"name": "B", "remote_ip_ranges": ["10.1.0.0/16"]},
        ]
    )
    with pytest.raises(NoSafeOrder) as caught:
        order(plan(state, wish), state, SiteNetworks())

    assert "Nothing was changed." in str(caught.value)
    assert "'A' and 'B' both hear 10.5.0.0/16" in str(caught.value)


def test_a_refusal_names_those_who_would_be_shut_out() -> None:
    # The provider's range stands on the old connector, so that the new one can only come when the
    # old one is gone.
    old: dict[str, t.Any] = {**OPEN, "name": "Old filter"}
    state = sites.site(
        Version.E2010,
        [sites.receive(**{option: value for option, value in old.items() if option != "bindings"})],
    )
    wish = desired(receive=[OPEN, {"name": "Old filter", "state": "absent"}])

    with pytest.raises(NoSafeOrder) as caught:
        order(plan(state, wish), state, SiteNetworks(provider=RangeSet.parse([sites.PROVIDER])))

    assert "shut out the provider (198.51.100.0/24) on port 25" in str(caught.value)


def test_a_refusal_names_the_address_that_nobody_has_listened_on_by_itself() -> None:
    # Whichever of the two comes first, the senders of the other are heard by nobody there.
    halves = [
        {**OPEN, "name": name, "bindings": ["10.20.1.11:25"], "remote_ip_ranges": [ranges]}
        for name, ranges in (("Filter", sites.PROVIDER), ("Printers", sites.LAN))
    ]
    named = SiteNetworks(
        provider=RangeSet.parse([sites.PROVIDER]), own_networks=RangeSet.parse([sites.LAN])
    )
    with pytest.raises(NoSafeOrder) as caught:
        order(plan(sites.modern(), desired(receive=halves)), sites.modern(), named)

    assert "would be the first connector on 10.20.1.11:25" in str(caught.value)


def test_a_stranger_is_never_let_in_on_the_way() -> None:
    # Widening first and taking the anonymous right second would open the server to the world in
    # between.
    state = _two(["10.0.0.0/8"], ["203.0.113.0/24"])
    wish = desired(
        receive=[
            {
                "name": "A",
                "remote_ip_ranges": ["0.0.0.0-255.255.255.255"],
                "permission_groups": ["ExchangeServers"],
            },
            {**OPEN, "bindings": ["0.0.0.0:25"], "remote_ip_ranges": ["10.0.0.0/8"]},
        ]
    )
    with pytest.raises(
        NoSafeOrder,
        match="Change the receive connector 'A'.* would for a time shut out any internet|'A'",
    ):
        order(plan(state, wish), state, SiteNetworks())


def test_the_right_to_relay_is_a_step_of_its_own() -> None:
    state = sites.modern(anonymous_relay=True)
    steps = _ordered(
        state,
        desired(
            receive=[
                {
                    "name": DEFAULT,
                    "anonymous_relay": False,
                    "permission_groups": {"remove": ["AnonymousUsers"]},
                }
            ]
        ),
    )

    assert [set(step.after) for step in steps] == [{"anonymous_relay"}, {"permission_groups"}]


def test_a_connector_that_relays_is_created_closed_where_those_behind_it_relay_today() -> None:
    state = sites.modern(anonymous_relay=True)
    relay = {**OPEN, "name": "Scanners", "remote_ip_ranges": [sites.LAN], "anonymous_relay": True}

    named = _ordered(state, desired(receive=[{**relay, "enabled": True}]))
    unnamed = _ordered(state, desired(receive=[relay]))
    fresh = _ordered(sites.modern(), desired(receive=[relay]))

    assert [dict(step.after).get("enabled") for step in named] == [False, True]
    assert [dict(step.after).get("enabled") for step in unnamed] == [False, True]
    assert [step.action for step in fresh] == ["create", "modify"]
    assert fresh[1].after == {"anonymous_relay": True}


def test_a_send_connector_is_created_disabled_and_the_old_one_goes_last() -> None:
    new = {
        "name": "Mail to filter",
        "address_spaces": ["*"],
        "smart_hosts": ["out.filter.example"],
        "enabled": True,
    }
    steps = _ordered(sites.modern(), desired(send=[{"name": "Internet", "enabled": False}, new]))

    assert [(step.action, step.key, step.after["enabled"]) for step in steps] == [
        ("create", "Mail to filter", False),
        ("modify", "Mail to filter", True),
        ("modify", "Internet", False),
    ]


def test_a_send_connector_of_which_enabled_is_not_named_is_created_in_one_step() -> None:
    # A run that was cut after a disabled creation could not be finished: nothing would say that it
    # is to be enabled.
    new = {"name": "Mail to filter", "address_spaces": ["*"], "smart_hosts": ["out.filter.example"]}

    (step,) = _ordered(sites.modern(), desired(send=[new]))

    assert step.action == "create"
    assert step.after.get("enabled") is not False


def test_mail_never_waits_and_never_takes_a_third_way() -> None:
    state = sites.site(
        Version.E2010,
        [],
        [
            sites.send("A"),
            sites.send(
                "B", address_spaces=["*.com", "*;9"], smart_hosts=["b.example"], enabled=False
            ),
        ],
    )
    wish = desired(
        send=[
            {"name": "A", "enabled": False},
            {"name": "B", "enabled": True, "address_spaces": ["*"]},
            {
                "name": "C",
                "enabled": True,
                "address_spaces": ["*.com"],
                "smart_hosts": ["c.example"],
            },
        ]
    )
    names = [step.key for step in _ordered(state, wish)]

    assert names[-1] == "A"
    assert names.index("B") < names.index("A")


def test_a_new_connector_goes_the_way_of_an_old_one_whatever_it_leaves_unsaid() -> None:
    idle = {"enabled": False, "comment": "idle", "protocol_logging_level": "Verbose"}
    state = sites.site(Version.E2019, [], [sites.send("Alpha", **idle), sites.send("Beta", **idle)])
    entries = [
        {"name": name, "enabled": True, "address_spaces": ["*"], "smart_hosts": []}
        for name in ("Gamma", "Alpha")
    ]
    steps = plan(state, desired(send=entries))

    # Mail had no way, and Alpha has it in the end. Until then Gamma, which says less about itself
    # and means the same, may take it.
    assert [step.key for step in steps] == ["Gamma", "Alpha"]
    assert first_fault(steps, state, SiteNetworks()) is None
    another = plan(state, desired(send=[{**entries[0], "port": 2525}, entries[1]]))
    assert "another way" in str(first_fault(another, state, SiteNetworks()))


def test_a_message_too_big_for_every_connector_of_today_does_not_hold_up_the_others() -> None:
    state = sites.site(Version.E2010, [], [sites.send("B")])
    wish = desired(
        send=[
            {"name": "D", "address_spaces": ["*"], "max_message_size": "unlimited"},
            {"name": "G", "address_spaces": ["*", "*.com"], "max_message_size": "unlimited"},
        ]
    )
    assert len(_ordered(state, wish)) == 2


def test_twelve_changes_that_hang_together_are_ordered_at_once() -> None:
    # A chain: each connector takes over what the next one has to give up first, so that only one
    # order is legal.
    count = 12
    old = [f"10.{number}.0.0/16" for number in range(count + 1)]
    connectors = [
        sites.receive(
            f"C{number:02}",
            remote_ip_ranges=[f"192.0.2.{number}", old[number]],
            bindings=["0.0.0.0:25"],
        )
        for number in range(count)
    ]
    state = sites.site(Version.E2010, connectors)
    wish = desired(
        receive=[
            {"name": f"C{number:02}", "remote_ip_ranges": [f"192.0.2.{number}", old[number + 1]]}
            for number in range(count)
        ]
    )
    begun = time.monotonic()
    steps = _ordered(state, wish)

    assert [step.key for step in steps] == [f"C{number:02}" for number in reversed(range(count))]
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("most", [200, pytest.param(None, marks=pytest.mark.long)])
def test_a_hopeless_plan_is_given_up_and_not_searched_for_ever(
    most: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if most:
        monkeypatch.setattr(search, "_MOST_STATES", most)
    connectors = [
        sites.receive(
            f"C{number:02}", remote_ip_ranges=[f"10.{number}.0.0/16"], bindings=["0.0.0.0:25"]
        )
        for number in (*range(13), 30)
    ]
    connectors[-1]["name"] = "C13"
    state = sites.site(Version.E2010, connectors)
    # Twelve changes that can stand anywhere, and two that want each other's only range.
    entries: list[dict[str, t.Any]] = [
        {"name": f"C{number:02}", "permission_groups": ["ExchangeUsers"]} for number in range(12)
    ]
    entries += [
        {"name": "C12", "remote_ip_ranges": ["10.30.0.0/16"]},
        {"name": "C13", "remote_ip_ranges": ["10.12.0.0/16"]},
    ]
    # Of this process, so that a busy machine changes nothing about it.
    begun = time.process_time()

    with pytest.raises(NoSafeOrder, match=f"given up after {most or 5000} half-way states"):
        order(plan(state, desired(receive=tuple(entries))), state, SiteNetworks())

    assert time.process_time() - begun < 20
