# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks of one run held against each other, as plays register them: when an allowed sender makes a
refusal a proof.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.control import (
    unproven_silence,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.looks import taken
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.proof import (
    judge_look,
    looks_as_lines,
)
from ansible_collections.mailedge.lockdown.tests.support.looks import look

Registered = dict[str, t.Any]


def stranger(reason: str = "no_connector", stage: str = "banner", **about: t.Any) -> Registered:
    """Somebody who was refused in words that do not decide it."""
    return look(
        "a stranger", "closed", "inconclusive", reason, stage=stage, needs_control=True, **about
    )


def allowed(verdict: str = "open", expect: str = "open", **about: t.Any) -> Registered:
    """Somebody whom the lock lets in, from another address."""
    return look("the filter", expect, verdict, source=about.pop("source", "198.51.100.7"), **about)


def states(*hosts: Registered) -> list[str]:
    return [judge_look(one.result, one.expect)[0] for one in taken({"results": list(hosts)})]


@pytest.mark.parametrize("order", [1, -1])
def test_an_allowed_sender_that_is_accepted_makes_it_a_proof(order: int) -> None:
    hosts = [stranger(), allowed()][::order]
    assert states(*hosts) == ["in order", "in order"]
    [shut] = [one for one in taken({"results": hosts}) if one.name == "a stranger"]
    assert (shut.result["verdict"], shut.result["delivery"]) == ("closed", "closed")
    address = shut.result["addresses"][0]
    assert (address["verdict"], address["delivery"], address["cases"]["delivery"]["reason"]) == (
        "closed",
        "closed",
        "no_connector",
    )
    assert shut.result["sentences"] == [
        (
            "192.0.2.9:25 is closed. It is inconclusive. An allowed sender (the filter) is "
            "accepted at the same address in this run, so that it is this host that is refused."
        )
    ]
    [line] = looks_as_lines(None, shut.result, shut.name, shut.expect)
    assert line == "a stranger at 192.0.2.9:25: closed"


@pytest.mark.parametrize(
    "other",
    [
        None,
        allowed("closed"),
        allowed("inconclusive", needs_control=True),
        allowed(expect="any"),
        allowed(expect="closed"),
        allowed(peer="192.0.2.9:26"),
        allowed(peer="192.0.2.10:25"),
        # One host that is taken once and refused once has met a limit.
        allowed(source="192.0.2.7"),
        {
            "unreachable": True,
            "msg": "No route.",
            "__mailedge_vantage": {"looks": [{"name": "x", "expect": "open"}]},
        },
    ],
)
def test_nothing_else_does(other: Registered | None) -> None:
    hosts = [stranger(), *([other] if other else [])]
    assert states(*hosts)[0] == "unknown"


def test_a_half_proof_that_nobody_completes_stays_one_in_the_report() -> None:
    [alone] = taken({"results": [stranger()]})
    assert alone.result["verdict"] == "inconclusive"
    [line] = looks_as_lines(None, alone.result, alone.name, alone.expect)
    assert line.startswith("a stranger at 192.0.2.9:25: inconclusive.")


@pytest.mark.parametrize(
    "reason", ["refused", "quoted", "recipient_restricted", "try_later", "interceptor", "accepted"]
)
def test_what_is_no_half_of_a_proof_is_completed_by_nobody(reason: str) -> None:
    shut = look("a stranger", "closed", "inconclusive", reason)
    assert states(shut, allowed())[0] == "unknown"


@pytest.mark.parametrize(("compared", "state"), [(True, "in order"), (False, "unknown")])
def test_a_login_that_is_wanted_has_to_be_wanted_by_the_server_itself(
    compared: bool, state: str
) -> None:
    """Else something on the way of the stranger wants it, and the server would have let him in."""
    shut = stranger("login_required", "mail", compared_with_control=compared)
    assert states(shut, allowed())[0] == state


def test_an_open_door_stays_open_whoever_else_is_let_in() -> None:
    wide = look("a stranger", "closed", "open")
    assert states(wide, allowed()) == ["open", "in order"]


# ---------------------------------------------------------------- silence


def silent(**about: t.Any) -> Registered:
    """Somebody whose connection nobody took, from a network that lets him out."""
    about = {"reachable": False, "needs_control": True, **about}
    return look("a stranger", "closed", "closed", "no_connection", stage="connect", **about)


def test_silence_alone_is_closed_and_no_proof_of_a_lock() -> None:
    [alone] = taken({"results": [silent()]})
    assert judge_look(alone.result, alone.expect)[0] == "in order"
    assert unproven_silence(alone.result) == [
        (
            "192.0.2.9:25 answered nobody in this run, so that a lock there looks like a server "
            "that is down, or like a wrong address. To tell them apart, add a look from an address "
            "that is let in, with expect: open."
        )
    ]


def test_silence_is_a_proof_where_an_allowed_sender_is_accepted_or_the_server_answered_before() -> (
    None
):
    [shut, _open] = taken({"results": [silent(), allowed()]})
    assert unproven_silence(shut.result) == []
    assert shut.result["addresses"][0]["needs_positive_control"] is False
    assert shut.result["sentences"][0].endswith("so that it is this host that is refused.")
    [alone] = taken({"results": [silent()]})
    [before] = taken({"results": [look("a stranger", "closed", "open")]})
    assert unproven_silence(alone.result, before.result) == []
    # Another address that answered, and silence before, tell nothing.
    [elsewhere] = taken({"results": [look("a stranger", "closed", "open", peer="192.0.2.10:25")]})
    assert unproven_silence(alone.result, elsewhere.result) != []
    assert unproven_silence(alone.result, alone.result) != []
    assert unproven_silence({"msg": "No route."}) == []


@pytest.mark.parametrize(
    "other", [allowed("closed"), allowed(peer="192.0.2.10:25"), allowed(source="192.0.2.7")]
)
def test_nobody_else_makes_silence_a_proof(other: Registered) -> None:
    assert unproven_silence(taken({"results": [silent(), other]})[0].result) != []


def test_a_refusal_in_words_is_no_silence() -> None:
    refused = look("a stranger", "closed", "closed", "not_authenticated", stage="mail")
    assert unproven_silence(taken({"results": [refused]})[0].result) == []
