# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks of one run held against each other, as plays register them: when an allowed sender makes a
refusal a proof.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.looks import taken, weighed
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
    return [judge_look(look.result, look.expect)[0] for look in taken({"results": list(hosts)})]


@pytest.mark.parametrize("order", [1, -1])
def test_an_allowed_sender_that_is_accepted_makes_it_a_proof(order: int) -> None:
    hosts = [stranger(), allowed()][::order]
    assert states(*hosts) == ["in order", "in order"]
    [shut] = [look for look in taken({"results": hosts}) if look.name == "a stranger"]
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


def weighed_states(*hosts: Registered, before: t.Sequence[Registered] = ()) -> list[str]:
    now, _then = weighed(taken({"results": list(hosts)}), taken({"results": list(before)}))
    return [judge_look(look.result, look.expect)[0] for look in now]


def test_silence_alone_is_no_proof_of_a_lock() -> None:
    [[alone], _before] = weighed(taken({"results": [silent()]}), [])
    state, sentences = judge_look(alone.result, alone.expect)
    assert state == "unknown"
    assert (
        "But 192.0.2.9:25 answered nobody in this run: a server that is down, or an address "
        "that is not the site's, is as silent as a lock. To tell them apart, add a look at "
        "another port of that address which answers everybody, such as port: 443 with "
        "expect: any, or one from an address that is let in, with expect: open."
    ) in sentences[0]
    [line] = looks_as_lines(None, alone.result, alone.name, alone.expect)
    assert line.startswith("a stranger at 192.0.2.9:25: inconclusive.")
    # A look that is to find an open door says so whatever the silence is worth.
    assert weighed_states({**silent(), **_sought("open")}) == ["drift"]
    assert weighed_states({"unreachable": True, "msg": "No route.", **_sought("closed")}) == [
        "unknown"
    ]


def _sought(expect: str) -> Registered:
    return {"__mailedge_vantage": {"looks": [{"name": "a look", "expect": expect}]}}


def test_silence_is_a_proof_where_an_allowed_sender_is_accepted_or_the_server_answered_before() -> (
    None
):
    [shut, _open] = taken({"results": [silent(), allowed()]})
    assert shut.result["addresses"][0]["needs_positive_control"] is False
    assert shut.result["sentences"][0].endswith("so that it is this host that is refused.")
    assert weighed_states(silent(), allowed()) == ["in order", "in order"]
    assert weighed_states(silent(), before=[look("a stranger", "closed", "open")]) == ["in order"]
    # Another address that answered, and silence before, tell nothing.
    elsewhere = look("a stranger", "closed", "open", address="192.0.2.10", peer="192.0.2.10:25")
    assert weighed_states(silent(), before=[elsewhere]) == ["unknown"]
    assert weighed_states(silent(), before=[silent()]) == ["unknown"]


@pytest.mark.parametrize(
    ("other", "state"),
    [
        # Its web server, looked at by the same host; and somebody whom the server answers.
        (look("the web", "any", "inconclusive", reachable=True, peer="192.0.2.9:443"), "in order"),
        (look("another", "any", "closed", source="192.0.2.8"), "in order"),
        (look("the web", "any", "closed", reachable=False, peer="192.0.2.9:443"), "unknown"),
        (
            look("another", "any", "open", address="192.0.2.10", peer="192.0.2.10:443"),
            "unknown",
        ),
        # One host that is taken once and not taken once has met a limit.
        (look("again", "any", "open"), "unknown"),
        # What stands on the way of another host answers for every address.
        (
            look("another", "any", "inconclusive", "interceptor", reachable=True, source="::7"),
            "unknown",
        ),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_silence_is_a_proof_where_anything_shows_that_somebody_is_there(
    other: Registered, state: str, order: int
) -> None:
    assert weighed_states(*[silent(), other][::order])[::order][0] == state


def test_a_refusal_in_words_is_no_silence() -> None:
    refused = look("a stranger", "closed", "closed", "not_authenticated", stage="mail")
    assert weighed_states(refused) == ["in order"]
