# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots: what they hold, what they give back, and what they never hold."""

from __future__ import annotations

import datetime
import json
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import snapshot
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.order import order
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    Change,
    Promises,
    Wish,
    apply_all,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.recipes import inbound_lock
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.words import plan_words
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.tests.unit import _connectors as sites

DEFAULT = f"Default Frontend {sites.NAME}"
TIME = datetime.datetime(2026, 1, 14, 11, 15, 0, 250_999, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
LOGIN = {"username": "site@filter.example", "password": "canary-7f3a"}


def _text(changes: t.Sequence[Change], state: State, reason: str = "apply") -> str:
    return snapshot.make(changes, state, reason=reason, time=TIME, run_id="4f1c2a")


def _plain(changes: t.Sequence[Change], state: State) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(_text(changes, state)))


def test_a_snapshot_holds_the_wish_that_undoes_the_plan_and_no_more() -> None:
    state = sites.modern()
    changes = plan(
        state,
        Wish(
            receive=[
                {
                    "name": "New",
                    "bindings": ["0.0.0.0:25"],
                    "remote_ip_ranges": [sites.PROVIDER],
                },
                {"name": DEFAULT, "permission_groups": {"remove": ["AnonymousUsers"]}, "banner": "220 x"},
            ]
        ),
    )
    made = _plain(changes, state)

    assert made["receive_connectors"] == [
        {"name": "New", "state": "absent"},
        {
            "name": DEFAULT,
            "state": "present",
            "banner": "",
            "permission_groups": ["AnonymousUsers", "ExchangeServers", "ExchangeLegacyServers"],
        },
    ]
    assert made["send_connectors"] == []
    assert made["meta"] == {
        "format": 1,
        "reason": "apply",
        "time": "2026-01-14T10:15:00Z",
        "server": sites.NAME,
        "run_id": "4f1c2a",
        "words": plan_words(changes),
        "lost": [],
    }


def test_a_removed_connector_comes_back_whole() -> None:
    state = sites.modern(comment="by hand", anonymous_relay=True)
    changes = plan(
        state, Wish(receive=[{"name": DEFAULT, "state": "absent"}], send=[{"name": "Internet", "state": "absent"}])
    )
    gone = apply_all(changes, state)

    back = apply_all(plan(gone, snapshot.parse(_text(changes, state)).wish), gone)

    old = state.receive[DEFAULT.casefold()]
    assert {option: back.receive[DEFAULT.casefold()][option] for option in old} == old
    old = state.send["internet"]
    assert {option: back.send["internet"][option] for option in old} == old


def test_the_steps_of_a_split_change_are_taken_together() -> None:
    state = sites.modern(anonymous_relay=True)
    options = {"provider_ranges": [sites.PROVIDER], "own_networks": [sites.LAN]}
    changes = plan(state, inbound_lock(state, options))
    steps = order(changes, state, Promises())
    assert len(steps) > len(changes)

    found = snapshot.parse(_text(steps, state)).wish

    assert sorted(one["name"] for one in found.receive) == sorted(change.key for change in changes)
    locked = apply_all(steps, state)
    assert apply_all(plan(locked, found), locked) == state


def test_what_others_changed_since_is_left_alone() -> None:
    state = sites.modern()
    changes = plan(state, Wish(receive=[{"name": DEFAULT, "permission_groups": ["ExchangeServers"]}]))
    later = apply_all(
        plan(apply_all(changes, state), Wish(receive=[{"name": DEFAULT, "banner": "220 colleague"}])),
        apply_all(changes, state),
    )

    back = apply_all(plan(later, snapshot.parse(_text(changes, state)).wish), later)

    assert back.receive[DEFAULT.casefold()] == {**state.receive[DEFAULT.casefold()], "banner": "220 colleague"}


def _with_login() -> tuple[State, Wish]:
    wish = Wish(
        send=[
            {
                "name": "Out",
                "address_spaces": ["*"],
                "smart_hosts": ["out.filter.example"],
                "smart_host_auth_mechanism": "BasicAuth",
                "authentication_credential": LOGIN,
            }
        ]
    )
    return apply_all(plan(sites.modern(), wish), sites.modern()), wish


def test_no_password_is_ever_in_a_snapshot() -> None:
    state, wish = _with_login()
    creation = plan(sites.modern(), wish)
    again = plan(state, Wish(send=[{**wish.send[0], "update_credential": "always"}]))
    removal = plan(state, Wish(send=[{"name": "Out", "state": "absent"}]))

    for changes, start in ((creation, sites.modern()), (again, state), (removal, state)):
        assert LOGIN["password"] not in _text(changes, start)


def test_a_login_that_cannot_come_back_is_told_and_the_connector_comes_back_disabled() -> None:
    state, _wish = _with_login()
    removal = plan(state, Wish(send=[{"name": "Out", "state": "absent"}]))
    found = snapshot.parse(_text(removal, state))
    gone = apply_all(removal, state)

    back = apply_all(plan(gone, found.wish), gone).send["out"]

    assert "'site@filter.example'" in found.lost[0]
    assert (back["enabled"], back["smart_host_auth_mechanism"]) == (False, "None")
    assert back["smart_hosts"] == state.send["out"]["smart_hosts"]


def test_a_login_that_was_not_there_is_taken_away_again() -> None:
    state = sites.site(Version.E2016, [], [sites.send("Out", smart_hosts=["out.filter.example"])])
    login = {"smart_host_auth_mechanism": "BasicAuth", "authentication_credential": LOGIN}
    changes = plan(state, Wish(send=[{"name": "Out", **login}]))
    after = apply_all(changes, state)

    assert apply_all(plan(after, snapshot.parse(_text(changes, state)).wish), after) == state


def test_names_sort_by_time_and_are_known_again() -> None:
    name = snapshot.file_name(TIME, "4f1c2a", "rollback")

    assert name == "20260114T101500.250Z-4f1c2a-rollback.json"
    assert snapshot.is_name(name)
    assert not snapshot.is_name("../secrets.json")
    assert name < snapshot.file_name(TIME + datetime.timedelta(seconds=1), "000000", "apply")


def test_what_is_read_back_says_what_it_is() -> None:
    found = snapshot.parse(_text(plan(sites.modern(), Wish()), sites.modern(), "rollback"))

    assert (found.reason, found.server, found.time, found.run_id) == (
        "rollback",
        sites.NAME,
        "2026-01-14T10:15:00Z",
        "4f1c2a",
    )
    assert not found.wish


def test_a_snapshot_is_plain_ascii_whatever_it_holds() -> None:
    state = sites.modern(comment="größer – \u201claut\u201d")
    changes = plan(state, Wish(receive=[{"name": DEFAULT, "comment": "still"}]))

    text = _text(changes, state)

    assert text.isascii()
    assert snapshot.parse(text).wish.receive[0]["comment"] == "größer – \u201claut\u201d"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"meta": {"format": 1}}', "cannot be read"),
        ('{"meta": {"format": 2}}', "format 2"),
        (
            '{"meta": {"format": 1, "reason": "apply", "time": "", "server": "", "run_id": ""}, "send_connectors": [1]}',
            "no list of connectors",
        ),
    ],
)
def test_what_is_no_snapshot_is_refused(text: str, says: str) -> None:
    with pytest.raises(PlanError, match=says) as caught:
        snapshot.parse(text)
    assert "Nothing was changed." in str(caught.value)


def test_a_snapshot_for_no_reason_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="not for 'fun'"):
        _text((), sites.modern(), "fun")
