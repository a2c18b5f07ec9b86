# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks compute: why a task failed, what could not be proven, what was disproven."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.filter.disproof import disproof
from ansible_collections.mailedge.lockdown.plugins.filter.reason import reason
from ansible_collections.mailedge.lockdown.plugins.filter.unprovable import unprovable
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.looks import (
    at_names,
    to_take,
)
from ansible_collections.mailedge.lockdown.tests.support.looks import look


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"msg": " The door stands open. "}, "The door stands open."),
        (
            {
                "results": [
                    {"msg": "fine"},
                    {"failed": True, "msg": "One."},
                    {"failed": True, "msg": "Two."},
                ]
            },
            "One. Two.",
        ),
        (
            {
                "results": [{"failed": True, "msg": "One."}, {"failed": True, "msg": "One."}],
                "msg": "All items completed",
            },
            "One.",
        ),
        ({"results": [{"failed": True}], "msg": "All items completed"}, "All items completed"),
        ({}, "A task failed, and said nothing."),
        ({"msg": None}, "A task failed, and said nothing."),
        (None, "A task failed, and left no result."),
        ("text", "A task failed, and left no result."),
    ],
)
def test_a_reason_is_never_empty(result: t.Any, expected: str) -> None:
    assert reason(result) == expected


def test_what_was_not_expected_is_told_open_doors_first() -> None:
    looks = [
        look("the filter", "open", "closed"),
        look("nobody in particular", "any", "open"),
        look("a stranger", "closed", "open"),
        look("another stranger", "closed", "closed"),
    ]
    assert disproof({"results": looks}) == [
        "a stranger: 192.0.2.9:25 is open to mail of strangers: It is open.",
        "the filter: 192.0.2.9:25 is closed to mail of strangers: It is closed.",
    ]
    assert disproof({"results": looks[3:]}) == []
    point = {"looks": [{"name": "a stranger"}, {"name": "the filter", "expect": "open"}]}
    unreachable = {"unreachable": True, "msg": "No route.", "__mailedge_vantage": point}
    assert disproof({"results": [unreachable]}) == [
        "a stranger: No route.",
        "the filter: No route.",
    ]
    assert disproof({"results": [{"unreachable": True, "msg": "No route."}]}) == [
        "A look: No route."
    ]


def test_silence_before_a_change_can_prove_nothing_for_a_stranger() -> None:
    silent = look("a stranger", "closed", "inconclusive", "egress_unproven")
    [sentence] = unprovable({"results": [silent]})
    assert sentence.startswith("a stranger: 192.0.2.9:25 was not reached")
    # Who is to find an open door proves it by an answer.
    assert (
        unprovable({"results": [look("the filter", "open", "inconclusive", "egress_unproven")]})
        == []
    )
    assert unprovable({"results": [look("a stranger", "closed", "open")]}) == []
    [unreachable] = unprovable({"results": [{"msg": "No route."}]})
    assert unreachable.startswith("A look: No route.")


def test_what_a_look_reached_is_held_for_it_in_the_next_one_of_the_same_host() -> None:
    looks: list[dict[str, t.Any]] = [
        {"name": "a stranger", "expect": "closed", "targets": ["192.0.2.9"], "port": 25},
        {"name": "the filter", "expect": "open", "source_address": "198.51.100.9"},
    ]
    asked: list[dict[str, t.Any]] = [
        {"name": "a stranger", "targets": ["192.0.2.9"], "port": 25},
        {"name": "the filter", "source_address": "198.51.100.9"},
    ]
    assert to_take(looks, None) == to_take(looks, {"msg": "No route."}) == asked
    before = {"looks": [{"reachable_addresses": ["192.0.2.9"]}, {"reachable_addresses": []}]}
    assert to_take(looks, before) == [{**asked[0], "reached_before": ["192.0.2.9"]}, asked[1]]


def test_names_of_dns_are_targets_and_beside_named_ones_only_what_leads_elsewhere() -> None:
    dns = {
        "targets": ["mail.birke.example", "owa.birke.example", "old.birke.example"],
        "target_addresses": {
            "mail.birke.example": ["203.0.113.25"],
            "owa.birke.example": ["203.0.113.25"],
            "old.birke.example": ["203.0.113.77"],
        },
    }
    first = {"name": "a stranger", "targets": ["mail.birke.example"]}
    at_name = {"name": "names", "targets": [], "by_names": True, "beside": first["targets"]}
    (point,) = at_names([{"from": "localhost", "looks": [first, at_name]}], dns)
    assert point["looks"] == [first, {**at_name, "targets": ["old.birke.example"]}]
    by_address = {**at_name, "beside": ["203.0.113.25", "203.0.113.77"]}
    assert at_names([{"from": "localhost", "looks": [first, by_address]}], dns)[0]["looks"] == [
        first
    ]
    alone = {"name": "a stranger", "targets": [], "by_names": True}
    (point,) = at_names([{"from": "localhost", "looks": [alone]}], dns)
    assert point["looks"][0]["targets"] == dns["targets"]
    # Without an answer the look stays, and finds nothing to look at.
    assert at_names([{"from": "localhost", "looks": [alone]}], None)[0]["looks"] == [alone]


def test_a_look_that_is_to_find_an_open_door_does_not_take_the_tenant_for_the_server() -> None:
    """The tenant would answer, and one open address is enough."""
    tenant = "birke-example.mail.protection.outlook.com"
    dns = {
        "targets": ["mail.birke.example", tenant, "mx0.birke.example"],
        "target_addresses": {
            "mail.birke.example": ["203.0.113.25"],
            tenant: ["198.51.100.10", "198.51.100.11"],
            # Another name for it.
            "mx0.birke.example": ["198.51.100.11"],
        },
    }
    look_open = {"name": "the filter", "expect": "open", "by_names": True}
    stranger = {"name": "a stranger", "expect": "closed", "by_names": True}
    (point,) = at_names([{"from": "localhost", "looks": [look_open, stranger]}], dns)
    assert point["looks"][0]["targets"] == ["mail.birke.example"]
    assert point["looks"][1]["targets"] == dns["targets"]
    # What the site names itself stays.
    named = {**look_open, "targets": [tenant]}
    (point,) = at_names([{"from": "localhost", "looks": [named]}], dns)
    assert point["looks"][0]["targets"] == [tenant, "mail.birke.example"]


def test_a_door_beside_those_that_the_site_names_undoes_nothing() -> None:
    beside = look("a stranger, at the names in DNS", "closed", "open")
    beside["__mailedge_vantage"]["looks"][0]["beside"] = ["mail.birke.example"]
    assert disproof({"results": [beside]}) == []
    beside["__mailedge_vantage"]["looks"][0]["counts"] = True
    assert disproof({"results": [beside]}), "nothing was changed that could be undone"
    silent = look("a stranger, at the names in DNS", "closed", "inconclusive", "egress_unproven")
    silent["__mailedge_vantage"]["looks"][0]["beside"] = ["mail.birke.example"]
    assert unprovable({"results": [silent]}, "narrow") == []


def test_a_server_that_is_down_is_not_called_closed_where_nothing_was_changed() -> None:
    """It is as silent as a lock."""
    silent = look(
        "a stranger",
        "closed",
        "closed",
        "no_connection",
        stage="connect",
        needs_control=True,
        reachable=False,
    )
    [sentence] = disproof({"results": [silent]})
    assert "192.0.2.9:25 answered nobody in this run" in sentence
    let_in = look("us", "open", "open", source="192.0.2.8")
    assert disproof({"results": [silent, let_in]}) == []
    # A change is not undone for it: who was silent before it is so by something else.
    assert disproof({"results": [silent]}, of_change=True) == []


def test_a_lock_that_narrows_needs_a_look_of_who_is_let_in() -> None:
    stranger = look("a stranger", "closed", "open")
    assert unprovable({"results": [stranger]}, "strip_anonymous") == []
    [sentence] = unprovable({"results": [stranger]}, "narrow")
    assert sentence.startswith(
        "a stranger: 192.0.2.9:25 will answer a stranger as a server does that is down"
    )
    let_in = look("the filter", "open", "open", source="198.51.100.7")
    assert unprovable({"results": [stranger, let_in]}, "narrow") == []
    for other in (
        look("the filter", "open", "open"),
        look("the filter", "open", "closed", source="198.51.100.7"),
        look("the filter", "any", "open", source="198.51.100.7"),
        look("the filter", "open", "open", source="198.51.100.7", peer="192.0.2.9:26"),
    ):
        assert len(unprovable({"results": [stranger, other]}, "narrow")) == 1


def test_a_proxy_on_the_way_will_answer_afterwards_as_well() -> None:
    [sentence] = unprovable(
        {"results": [look("a stranger", "closed", "inconclusive", "interceptor")]}
    )
    assert "cannot be proven closed from there" in sentence
