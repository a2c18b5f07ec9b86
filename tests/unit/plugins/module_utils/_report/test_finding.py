# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a result says, as findings: each has an identity that no count and no language changes."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.finding import (
    Note,
    identity,
    notes,
)

OPENED: dict[str, t.Any] = {
    "state": "open",
    "strangers": {
        "before": ["The internet may send without a login on port 25, through 'Default EX1'."],
        "after": [],
    },
}
DIFFERENT: dict[str, t.Any] = {
    "state": "drift",
    "plan": ["Change the receive connector 'MX': remote_ip_ranges 192.0.2.0/24 → 192.0.2.1."],
    "differences": [
        {
            "table": "receive_connectors",
            "noun": "receive connector",
            "object": "MX",
            "action": "modify",
            "properties": ["banner", "remote_ip_ranges"],
        },
        {
            "table": "receive_connectors",
            "noun": "receive connector",
            "object": "Mail from filter",
            "action": "create",
            "properties": [],
        },
    ],
}


def keys(result: t.Mapping[str, t.Any], playbook: str = "drift") -> list[tuple[str, str, str]]:
    return [note.key for note in notes(result, playbook, str(result.get("state") or "unknown"))]


def test_a_stranger_is_known_by_the_door_and_not_by_its_addresses() -> None:
    assert keys(OPENED) == [("strangers", "Default EX1", "port 25")]
    fewer = {
        **OPENED,
        "strangers": {"before": [f"192.0.2.0/24 {OPENED['strangers']['before'][0]}"]},
    }
    assert keys(fewer) == keys(OPENED)
    relay = "The internet may relay to any recipient on port 25, through 'Default EX1'."
    assert keys({**OPENED, "strangers": {"before": [relay]}}) == [
        ("relay", "Default EX1", "port 25")
    ]


def test_what_was_written_is_no_finding_any_more() -> None:
    closed = {**OPENED, "state": "in order", "snapshot": {"name": "x"}}
    assert notes(closed, "apply", "in order") == ()
    left = "The internet may send without a login on port 587, through 'Client EX1'."
    open_still = {**OPENED, "snapshot": {"name": "x"}, "strangers": {"before": [], "after": [left]}}
    assert keys(open_still, "apply") == [("strangers", "Client EX1", "port 587")]


def test_every_option_that_differs_is_a_finding_and_says_what_a_run_would_do() -> None:
    told = notes(DIFFERENT, "drift", "drift")
    assert [note.key for note in told] == [
        ("differs", "MX", "receive_connectors.banner"),
        ("differs", "MX", "receive_connectors.remote_ip_ranges"),
        ("missing", "Mail from filter", "receive_connectors"),
    ]
    assert told[1].words == ("The receive connector 'MX': remote_ip_ranges is not as described.")
    assert told[1].remedy == f"A run would: {DIFFERENT['plan'][0]}"
    assert told[2].words == "The receive connector 'Mail from filter' is not there."
    assert told[2].remedy == ""
    assert {note.state for note in told} == {"drift"}
    # What a rollback changes is not something that differs from the description.
    assert notes({**DIFFERENT, "state": "restored"}, "rollback", "restored") == ()


def test_findings_about_the_same_are_one_with_what_both_say() -> None:
    guards = [
        {"id": "own_networks", "severity": "warn", "sentence": "10.0.0.0/8 could not send."},
        {"id": "own_networks", "severity": "stop", "sentence": "10.1.0.0/16 could not log in."},
    ]
    [note] = notes({"state": "drift", "failed": True, "guards": guards}, "drift", "drift")
    assert (note.words, note.severity, note.state) == (
        "10.0.0.0/8 could not send. 10.1.0.0/16 could not log in.",
        "critical",
        "drift",
    )


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"unreachable": True, "msg": "No answer."}, ("no_answer", "unknown", "warning")),
        ({"failed": True, "msg": "It broke."}, ("failed", "unknown", "warning")),
        ({"failed": True}, ("failed", "unknown", "warning")),
        ({}, ("is_unknown", "unknown", "warning")),
        ({"state": "drift"}, ("is_drift", "drift", "warning")),
        ({"state": "open"}, ("is_open", "open", "critical")),
    ],
)
def test_a_layer_that_is_not_in_order_has_a_finding_that_says_so(
    result: dict[str, t.Any], expected: tuple[str, str, str]
) -> None:
    [note] = notes(result, "drift", str(result.get("state") or "unknown"))
    assert (note.what, note.state, note.severity) == expected
    assert note.words.endswith(".")


def test_who_had_to_wait_is_told_beside_what_is_known_of_the_layer() -> None:
    waiting = {**OPENED, "failed": True, "held_back": True, "msg": "It had to wait."}
    assert keys(waiting) == [("held_back", "", ""), ("strangers", "Default EX1", "port 25")]


def test_the_findings_of_posture_and_names_keep_their_ids() -> None:
    def about(severity: str, accepted: bool = False, **more: str) -> Note:
        each = {
            "id": "spf",
            "severity": severity,
            "sentence": "SPF is wide.",
            "remedy": "Narrow it.",
        }
        [note, *_rest] = notes(
            {"state": "in order", "findings": [{**each, **more, "accepted": accepted}]},
            "drift",
            "in order",
        )
        return note

    note = about("critical", about="birke.example")
    assert (note.key, note.state, note.severity, note.remedy) == (
        ("spf", "birke.example", ""),
        "drift",
        "critical",
        "Narrow it.",
    )
    assert (about("unknown").state, about("unknown").severity) == ("unknown", "warning")
    assert (about("note").state, about("note").severity) == ("", "info")
    accepted = about("critical", accepted=True)
    assert (accepted.state, accepted.severity, accepted.accepted) == ("", "info", True)


def test_the_parts_of_an_id_cannot_run_into_each_other() -> None:
    names = ["a", "b/c", "100%", "x*y", "tab\there", "über", "line\u2028end", "", "a b"]
    plain = identity(*names)
    assert plain == "a/b%2Fc/100%25/x%2Ay/tab%09here/über/line%2028end//a b"
    assert plain.count("/") == len(names) - 1
    assert identity("a/b", "c") != identity("a", "b/c")
    assert identity("a%2Fb") != identity("a/b")
