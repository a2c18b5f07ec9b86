# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots: what they hold, what they give back, and what they never hold."""

from __future__ import annotations

import datetime
import json
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.order import order
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    TABLES,
    SiteNetworks,
    apply_all,
    desired,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.recipes import (
    inbound_lock,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import snapshot
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    NoSnapshot,
    NoSuchSnapshot,
    SnapshotError,
)
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites

DEFAULT = f"Default Frontend {sites.NAME}"
LOGIN = {"username": "site@filter.example", "password": "canary-7f3a"}


def test_a_snapshot_holds_what_undoes_the_plan_and_no_more() -> None:
    state = sites.modern()
    changes = plan(
        state,
        desired(
            receive=[
                {
                    "name": "New",
                    "bindings": ["0.0.0.0:25"],
                    "remote_ip_ranges": [sites.PROVIDER],
                },
                {
                    "name": DEFAULT,
                    "permission_groups": {"remove": ["AnonymousUsers"]},
                    "banner": "220 x",
                },
            ]
        ),
    )

    made_options = TABLES["receive_connector"].plain(changes[0].after)
    assert made_options["remote_ip_ranges"] == [sites.PROVIDER]
    assert json.loads(sites.snapshot_text(changes)) == {
        "format": 2,
        "layer": "exchange",
        "origin": {"server": sites.NAME},
        "reason": "apply",
        "time": "2026-01-14T10:15:00.250Z",
        "run_id": "4f1c2a",
        "plan": [],
        "lost": [],
        "desired": [
            {"table": "receive_connector", "key": "New", "options": None, "place": None},
            {
                "table": "receive_connector",
                "key": DEFAULT,
                "options": {
                    "banner": "",
                    "permission_groups": [
                        "AnonymousUsers",
                        "ExchangeServers",
                        "ExchangeLegacyServers",
                    ],
                },
                "place": None,
            },
        ],
        "made": [
            {
                "table": "receive_connector",
                "key": "New",
                "options": made_options,
                "place": None,
            },
            {
                "table": "receive_connector",
                "key": DEFAULT,
                "options": {
                    "banner": "220 x",
                    "permission_groups": ["ExchangeServers", "ExchangeLegacyServers"],
                },
                "place": None,
            },
        ],
    }


def test_a_removed_connector_comes_back_whole() -> None:
    state = sites.modern(comment="by hand", anonymous_relay=True)
    changes = plan(
        state,
        desired(
            receive=[{"name": DEFAULT, "state": "absent"}],
            send=[{"name": "Internet", "state": "absent"}],
        ),
    )
    gone = apply_all(changes, state)

    back = apply_all(plan(gone, sites.saved(sites.snapshot_text(changes))), gone)

    old = state.receive[DEFAULT.casefold()]
    assert {option: back.receive[DEFAULT.casefold()][option] for option in old} == old
    old = state.send["internet"]
    assert {option: back.send["internet"][option] for option in old} == old


def test_the_steps_of_a_split_change_are_taken_together() -> None:
    state = sites.modern(anonymous_relay=True)
    options = {"provider_ranges": [sites.PROVIDER], "own_networks": [sites.LAN]}
    changes = plan(state, inbound_lock(state, options))
    steps = order(changes, state, SiteNetworks())
    assert len(steps) > len(changes)

    saved = sites.saved(sites.snapshot_text(steps))

    assert sorted(wish.key for wish in saved) == sorted(change.key for change in changes)
    locked = apply_all(steps, state)
    assert apply_all(plan(locked, saved), locked) == state


def test_what_others_changed_since_is_left_alone() -> None:
    state = sites.modern()
    changes = plan(
        state, desired(receive=[{"name": DEFAULT, "permission_groups": ["ExchangeServers"]}])
    )
    later = apply_all(
        plan(
            apply_all(changes, state),
            desired(receive=[{"name": DEFAULT, "banner": "220 colleague"}]),
        ),
        apply_all(changes, state),
    )

    back = apply_all(plan(later, sites.saved(sites.snapshot_text(changes))), later)

    assert back.receive[DEFAULT.casefold()] == {
        **state.receive[DEFAULT.casefold()],
        "banner": "220 colleague",
    }


def test_a_run_that_undoes_itself_leaves_alone_what_was_changed_since() -> None:
    state = sites.modern()
    new = {"name": "New", "bindings": ["0.0.0.0:25"], "remote_ip_ranges": [sites.PROVIDER]}
    wish = desired(receive=[new, {"name": DEFAULT, "permission_groups": ["ExchangeServers"]}])
    changes = plan(state, wish)
    kept = snapshot.parse(sites.snapshot_text(changes), "exchange", TABLES)
    locked = apply_all(changes, state)

    assert TABLES.changed_since(locked, kept.desired, kept.made) == (kept.desired, ())
    for theirs, row in (
        ({"name": "New", "remote_ip_ranges": {"add": [sites.LAN]}}, 0),
        ({"name": DEFAULT, "permission_groups": {"add": ["ExchangeUsers"]}}, 1),
    ):
        later = apply_all(plan(locked, desired(receive=[theirs])), locked)
        undone, told = TABLES.changed_since(later, kept.desired, kept.made)
        assert undone == (kept.desired[1 - row],)
        assert len(told) == 1
        assert f"'{theirs['name']}' was changed after the run" in told[0]
    # What is as it was before the run is given back already.
    later = apply_all(plan(locked, desired(receive=[{"name": "New", "state": "absent"}])), locked)
    assert TABLES.changed_since(later, kept.desired, kept.made) == (kept.desired, ())
    # What the run did not change is no reason to leave anything.
    later = apply_all(
        plan(locked, desired(receive=[{"name": DEFAULT, "banner": "220 theirs"}])), locked
    )
    assert TABLES.changed_since(later, kept.desired, kept.made)[1] == ()


def _with_login() -> tuple[State, tuple[Desired[str], ...]]:
    wish = desired(
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
    again = plan(
        state,
        desired(
            send=[
                {"name": "Out", "authentication_credential": LOGIN, "update_credential": "always"}
            ]
        ),
    )
    removal = plan(state, desired(send=[{"name": "Out", "state": "absent"}]))

    for changes in (creation, again, removal):
        assert LOGIN["password"] not in sites.snapshot_text(changes)


def test_a_login_that_cannot_come_back_is_told_and_the_connector_comes_back_disabled() -> None:
    state, _wish = _with_login()
    removal = plan(state, desired(send=[{"name": "Out", "state": "absent"}]))
    saved = snapshot.parse(sites.snapshot_text(removal), "exchange", TABLES)
    gone = apply_all(removal, state)

    back = apply_all(plan(gone, saved.desired), gone).send["out"]

    assert "'site@filter.example'" in saved.not_restorable[0]
    assert (back["enabled"], back["smart_host_auth_mechanism"]) == (False, "None")
    assert back["smart_hosts"] == state.send["out"]["smart_hosts"]


def test_a_login_that_was_not_there_is_taken_away_again() -> None:
    state = sites.site(Version.E2016, [], [sites.send("Out", smart_hosts=["out.filter.example"])])
    login = {"smart_host_auth_mechanism": "BasicAuth", "authentication_credential": LOGIN}
    changes = plan(state, desired(send=[{"name": "Out", **login}]))
    after = apply_all(changes, state)

    assert apply_all(plan(after, sites.saved(sites.snapshot_text(changes))), after) == state


def test_names_sort_by_time_and_are_known_again() -> None:
    name = snapshot.file_name(sites.TIME, "4f1c2a", "rollback")

    assert name == "20260114T101500.250Z-4f1c2a-rollback.json"
    assert snapshot.is_name(name)
    assert not snapshot.is_name("../secrets.json")
    assert name < snapshot.file_name(sites.TIME + datetime.timedelta(seconds=1), "000000", "apply")


def test_what_is_read_back_says_what_it_is() -> None:
    saved = snapshot.parse(sites.snapshot_text((), "rollback"), "exchange", TABLES)

    assert (saved.reason, saved.origin, saved.time, saved.run_id) == (
        "rollback",
        {"server": sites.NAME},
        "2026-01-14T10:15:00.250Z",
        "4f1c2a",
    )
    assert not saved.desired


def test_a_snapshot_is_plain_ascii_whatever_it_holds() -> None:
    state = sites.modern(comment="größer – \u201claut\u201d")
    changes = plan(state, desired(receive=[{"name": DEFAULT, "comment": "still"}]))

    text = sites.snapshot_text(changes)

    assert text.isascii()
    assert sites.saved(text)[0].options == {"comment": "größer – \u201claut\u201d"}


ROW = {"table": "send_connector", "key": "Out", "options": None, "place": None}
WHOLE: dict[str, t.Any] = json.loads(sites.snapshot_text(()))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a snapshot"),
        ("[]", "not a snapshot"),
        ("{}", "not a snapshot"),
        ("[" * 100_000, "not a snapshot"),
        (json.dumps(WHOLE)[:-20], "not a snapshot"),
        ('{"meta": {"format": 1}}', "format 1"),
        (json.dumps({**WHOLE, "format": 3}), "format 3"),
        (json.dumps({**WHOLE, "layer": "fortigate"}), "of the layer fortigate"),
        (json.dumps({**WHOLE, "desired": [1]}), "not a snapshot"),
        (json.dumps({**WHOLE, "desired": [{**ROW, "table": "mailbox"}]}), "not a snapshot"),
        (json.dumps({**WHOLE, "desired": [{**ROW, "key": True}]}), "not a snapshot"),
        (json.dumps({**WHOLE, "desired": [{**ROW, "options": "enabled"}]}), "not a snapshot"),
    ],
)
def test_what_is_no_snapshot_is_refused(text: str, says: str) -> None:
    with pytest.raises(SnapshotError, match=says):
        snapshot.parse(text, "exchange", TABLES)


def test_a_run_that_made_nothing_does_not_hide_the_one_before_it() -> None:
    state = sites.modern()
    changes = plan(state, desired(receive=[{"name": DEFAULT, "banner": "220 x"}]))
    refused, locked = (f"20260114T10150{second}.000Z-4f1c2a-apply.json" for second in (1, 0))
    held = [
        snapshot.Held(refused, sites.snapshot_text(())),
        snapshot.Held(locked, sites.snapshot_text(changes)),
    ]

    def restored(wanted: str) -> tuple[str, tuple[str, ...]]:
        choice = snapshot.choose(
            held, wanted, layer="exchange", tables=TABLES, foreign=lambda _: "", where="here"
        )
        return choice.restored, choice.further

    assert restored(snapshot.LATEST) == (locked, ())
    assert restored(refused) == (refused, (locked,)), "a name is a name"
    assert restored(snapshot.ORIGINAL) == (snapshot.ORIGINAL, ())


def test_where_no_run_has_changed_a_layer_it_is_said() -> None:
    """Whoever gives several layers back passes over that one."""
    other = json.dumps({**WHOLE, "layer": "windows_tls"})
    held = [snapshot.Held("20260114T101500.000Z-4f1c2a-apply.json", other)]

    def choose(wanted: str) -> t.Any:
        return snapshot.choose(
            held, wanted, layer="exchange", tables=TABLES, foreign=lambda _: "", where="here"
        )

    with pytest.raises(NoSnapshot, match="There is no snapshot of a change here"):
        choose(snapshot.LATEST)
    with pytest.raises(NoSuchSnapshot, match="There is no snapshot named"):
        choose("20260114T101501.000Z-4f1c2a-apply.json")
    with pytest.raises(SnapshotError, match="It is of the layer windows_tls") as error:
        choose(held[0].name)
    assert not isinstance(error.value, NoSuchSnapshot), "it is there"
