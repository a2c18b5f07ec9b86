# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which send connector carries a message, in Exchange's order of selection."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.routing import (
    messages,
    protected_reason,
    route,
)
from ansible_collections.mailedge.lockdown.tests.support.connectors import send


@pytest.mark.parametrize(
    ("domain", "chosen"),
    [
        ("partner.example", "Exact"),
        ("sub.partner.example", "Wildcard"),
        ("deep.sub.partner.example", "Wildcard"),
        ("notpartner.example", "Rest"),
        ("example", "Rest"),
        ("PARTNER.example", "Exact"),
    ],
)
def test_the_closest_space_wins_whatever_its_cost(domain: str, chosen: str) -> None:
    connectors = [
        send("Rest", address_spaces=["*;1"]),
        send("Wildcard", address_spaces=["*.partner.example;50"]),
        send("Exact", address_spaces=["partner.example;100"]),
    ]
    assert route(connectors, domain) == chosen


def test_a_wildcard_is_the_domain_and_all_below_it() -> None:
    connectors = [send("Rest"), send("Wildcard", address_spaces=["*.partner.example"])]

    assert route(connectors, "partner.example") == "Wildcard"


def test_then_the_cost_then_the_nearer_server_then_the_name() -> None:
    connectors = [
        send("b"),
        send("C"),
        send("A", source_transport_servers=["EX9"]),
        send("0", address_spaces=["*;2"]),
    ]

    assert route(connectors, "x.example") == "A"
    assert route(connectors, "x.example", server="EX1") == "b"


def test_disabled_too_small_and_other_types_are_passed_over() -> None:
    connectors = [
        send("A", enabled=False),
        send("B", max_message_size="1MB"),
        send("C", address_spaces=["FAX:*;1"], smart_hosts=["fax.birke.example"]),
        send("D", max_message_size="unlimited", address_spaces=["*;9"]),
    ]
    assert route(connectors, "x.example", size=1 << 20) == "B"
    assert route(connectors, "x.example", size=(1 << 20) + 1) == "D"
    assert route(connectors, "*", type="fax") == "C"


def test_mail_that_nobody_carries_waits() -> None:
    assert route([send("A", address_spaces=["a.example"])], "b.example") is None
    assert route([send("EdgeSync", address_spaces=["--"])], "b.example") is None


def test_every_class_of_messages_is_asked() -> None:
    connectors: list[t.Any] = [
        send("A", address_spaces=["*", "*.other.example", "b.example"], max_message_size="1MB"),
    ]
    asked = messages(connectors)

    assert {mail.domain for mail in asked} >= {"other.example", "b.example"}
    # A domain that no connector names, and one below the wildcard, whatever the names are.
    assert any(mail.domain.endswith(".other.example") for mail in asked)
    assert any("example" not in mail.domain for mail in asked)
    assert {mail.size for mail in asked} == {0, 1 << 20, (1 << 20) + 1}
    assert {mail.server for mail in asked} == {None, "ex1"}


def test_the_administrators_own_connectors_are_not_protected() -> None:
    assert protected_reason(send("Internet")) is None
    assert protected_reason(send("outbound TO office 365")) is not None
