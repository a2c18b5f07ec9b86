# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: what differs by meaning becomes a change, and nothing else does."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import words
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    SiteNetworks,
    apply,
    apply_all,
    desired,
    fold,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.words import (
    change_sentence,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites

DEFAULT = f"Default Frontend {sites.NAME}"
NARROW = {
    "name": "Scanners",
    "remote_ip_ranges": ["10.20.5.0/24"],
    "bindings": ["0.0.0.0:25"],
    "permission_groups": ["AnonymousUsers"],
}


def _receive(*entries: t.Mapping[str, t.Any]) -> tuple[Desired[str], ...]:
    return desired(receive=entries)


def _send(*entries: t.Mapping[str, t.Any]) -> tuple[Desired[str], ...]:
    return desired(send=entries)


@pytest.mark.parametrize(
    "same",
    [
        {"remote_ip_ranges": ["::/0", "0.0.0.0/0"]},
        {"remote_ip_ranges": ["0.0.0.0/1", "128.0.0.0-255.255.255.255", "::/0"]},
        {"bindings": ["[::]:25", "0.0.0.0:25"]},
        {
            "permission_groups": [
                "exchangelegacyservers",
                "AnonymousUsers",
                "ExchangeServers",
                "Custom",
            ]
        },
        {"permission_groups": {"add": ["AnonymousUsers"]}},
        {"permission_groups": {"remove": ["Partners"]}},
        {"banner": ""},
        {"max_inbound_connection_per_source": 20},
        {"enabled": None},
        {"state": "present"},
    ],
)
def test_what_means_the_same_is_no_change(same: dict[str, t.Any]) -> None:
    assert plan(sites.modern(), _receive({"name": DEFAULT.upper(), **same})) == ()


def test_only_the_named_options_that_differ_are_in_a_change() -> None:
    (change,) = plan(
        sites.modern(), _receive({"name": DEFAULT, "banner": "220 mail ready", "enabled": True})
    )

    assert (change.action, dict(change.before), dict(change.after)) == (
        "modify",
        {"banner": None},
        {"banner": "220 mail ready"},
    )


def test_an_option_that_was_not_read_counts_as_unset() -> None:
    state = sites.modern()
    del state.receive[DEFAULT.casefold()]["banner"]  # type: ignore[attr-defined]

    assert plan(state, _receive({"name": DEFAULT, "banner": ""})) == ()
    (change,) = plan(state, _receive({"name": DEFAULT, "banner": "220 mail ready"}))
    assert change.before == {"banner": None}


def test_absent_removes_what_is_there_and_nothing_else() -> None:
    state = sites.modern()

    (change,) = plan(
        state,
        _receive({"name": DEFAULT, "state": "absent"}, {"name": "Never there", "state": "absent"}),
    )

    assert change.action == "remove"
    assert change.before == state.receive[DEFAULT.casefold()]
    assert DEFAULT.casefold() not in apply(change, state).receive


def test_a_new_receive_connector_says_outright_who_meets_it() -> None:
    (change,) = plan(sites.modern(), _receive({**NARROW, "permission_groups": None}))

    assert change.action == "create"
    assert change.after["permission_groups"] == frozenset()
    assert change.after["auth_mechanism"] == frozenset({"Tls"})
    assert change.after["transport_role"] == "FrontendTransport"
    assert apply(change, sites.modern()).receive[change.key.casefold()]["enabled"] is True
    assert change.after["anonymous_relay"] is False


@pytest.mark.parametrize("state", [sites.older(), sites.edge()])
def test_a_new_receive_connector_has_no_transport_role_where_there_is_none(state: t.Any) -> None:
    (change,) = plan(state, _receive(NARROW))

    assert "transport_role" not in change.after


def test_a_new_connector_takes_groups_and_authentication_from_a_usage_that_is_not_kept() -> None:
    state = sites.older()
    entry = {
        "name": "Sites",
        "usage": "Internal",
        "remote_ip_ranges": ["10.30.0.0/16"],
        "bindings": ["0.0.0.0:26"],
    }

    (change,) = plan(state, _receive(entry))
    after = apply(change, state)

    assert change.after["permission_groups"] == frozenset(
        {"ExchangeServers", "ExchangeLegacyServers"}
    )
    assert change.after["usage"] == "Internal"
    assert "usage" not in after.receive["sites"]
    assert plan(after, _receive(entry)) == ()


def test_an_edge_server_gives_no_new_connector_to_legacy_servers() -> None:
    entry = {
        "name": "Sites",
        "usage": "Internal",
        "remote_ip_ranges": ["10.30.0.0/16"],
        "bindings": ["0.0.0.0:26"],
    }

    (change,) = plan(sites.edge(), _receive(entry))

    assert change.after["permission_groups"] == frozenset({"ExchangeServers"})


def test_a_new_receive_connector_without_ranges_is_refused_with_what_is_missing() -> None:
    with pytest.raises(
        PlanError,
        match="no receive connector 'Scaners' yet, and a new one needs bindings and remote_ip",
    ):
        plan(sites.modern(), _receive({"name": "Scaners", "banner": "220 x"}))


def test_a_new_send_connector_has_a_source_and_a_way() -> None:
    (change,) = plan(
        sites.modern(),
        _send({"name": "Out", "address_spaces": ["*"], "smart_hosts": ["out.filter.example"]}),
    )

    assert change.after["source_transport_servers"] == frozenset({"ex1"})
    assert change.after["dns_routing_enabled"] is False
    with pytest.raises(PlanError, match="needs address_spaces"):
        plan(sites.modern(), _send({"name": "Out", "smart_hosts": ["out.filter.example"]}))


def test_smart_hosts_and_dns_routing_change_together_both_ways() -> None:
    state = sites.modern()
    there = plan(state, _send({"name": "Internet", "smart_hosts": ["out.filter.example"]}))
    back = plan(apply_all(there, state), _send({"name": "Internet", "smart_hosts": []}))

    assert there[0].after == {
        "smart_hosts": frozenset({"out.filter.example"}),
        "dns_routing_enabled": False,
    }
    assert back[0].after == {"smart_hosts": frozenset(), "dns_routing_enabled": True}
    assert apply_all(back, apply_all(there, state)) == state


LOGIN = {"username": "site@filter.example", "password": "hunter2"}
WITH_LOGIN: dict[str, t.Any] = {
    "name": "Out",
    "address_spaces": ["*"],
    "smart_hosts": ["out.filter.example"],
    "smart_host_auth_mechanism": "BasicAuth",
    "authentication_credential": LOGIN,
}


def _with_login() -> State:
    state = sites.modern()
    return apply_all(plan(state, _send(WITH_LOGIN)), state)


def test_a_login_is_written_once_and_again_only_for_another_user_or_on_demand() -> None:
    state = _with_login()
    other = {"username": "other@filter.example", "password": "hunter2"}

    assert plan(state, _send(WITH_LOGIN)) == ()
    assert len(plan(state, _send({**WITH_LOGIN, "authentication_credential": other}))) == 1
    assert len(plan(state, _send({**WITH_LOGIN, "update_credential": "always"}))) == 1


def test_a_password_stands_neither_in_a_change_nor_in_the_state_after_it() -> None:
    state = _with_login()
    (change,) = plan(sites.modern(), _send(WITH_LOGIN))
    (again,) = plan(state, _send({**WITH_LOGIN, "update_credential": "always"}))

    for held in (change, again, *_send(WITH_LOGIN)):
        assert "hunter2" not in repr(held)
    for held in (change, again):
        assert "hunter2" not in f"{change_sentence(held)} {dict(held.after)!r}"
    assert state.send["out"]["authentication_credential"].password is None
    assert "hunter2" not in str(words.before_after(sites.modern(), state, [change]))


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(PlanError) as caught:
        plan(
            sites.modern(),
            desired(
                receive=[
                    {"name": DEFAULT, "auth_mechanism": ["BasicAuthRequireTLS"]},
                    {"name": "Odd", "colour": "blue"},
                ],
                send=[{"name": "Internet", "require_tls": True, "ignore_starttls": True}],
            ),
        )
    assert "BasicAuthRequireTLS" in str(caught.value)
    assert "colour" in str(caught.value)
    assert "require_tls and ignore_starttls" in str(caught.value)


def test_what_was_wrong_before_is_not_held_against_a_change() -> None:
    state = sites.modern(auth_mechanism=["Integrated"], require_tls=True)

    (change,) = plan(state, _receive({"name": DEFAULT, "comment": "seen"}))

    assert change.after == {"comment": "seen"}


def test_an_option_that_the_version_lacks_is_named() -> None:
    with pytest.raises(PlanError, match="tls_certificate_name .* Exchange 2013 and later"):
        plan(
            sites.older(),
            _receive(
                {"name": f"Default {sites.NAME}", "tls_certificate_name": "<I>CN=ca<S>CN=mail"}
            ),
        )


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ([{"name": "A", "state": "absent"}, {"name": "a"}], "described twice"),
        ([{"name": " "}], "without a name"),
        ([{"banner": "220 x"}], "without a name"),
        ([{"name": DEFAULT, "state": "gone"}], "the state 'gone'"),
        ([{"name": DEFAULT, "remote_ip_ranges": ["10.0.0.9-10.0.0.1"]}], "10.0.0.9-10.0.0.1"),
        ([{"name": DEFAULT, "permission_groups": ["Everybody"]}], "Everybody"),
    ],
)
def test_a_wish_that_cannot_be_understood_is_refused(
    entries: list[dict[str, t.Any]], text: str
) -> None:
    with pytest.raises(PlanError, match=text):
        plan(sites.modern(), _receive(*entries))


def test_folding_lets_the_later_wish_win_option_by_option() -> None:
    first = _receive({"name": "A", "enabled": True, "banner": "220 one"}, {"name": "B"})
    later = _receive({"name": "a", "banner": "220 two", "comment": None}, {"name": "C"})

    folded = fold(first, later)

    assert [row.key for row in folded] == ["a", "B", "C"]
    assert folded[0].options == {"enabled": True, "banner": "220 two"}


def test_folding_takes_nothing_over_from_or_into_a_removal() -> None:
    gone, there = (
        _receive({"name": "A", "state": "absent"}),
        _receive({"name": "A", "state": "present", "banner": "220 x"}),
    )

    assert [row.options for row in fold(there, gone)] == [None]
    assert [row.options for row in fold(gone, there)] == [{"banner": "220 x"}]
    with pytest.raises(PlanError, match="twice"):
        fold(_receive({"name": "A"}, {"name": "A"}))


def test_a_change_reads_as_one_sentence() -> None:
    state = sites.modern()
    wish = desired(
        receive=[
            NARROW,
            {"name": DEFAULT, "permission_groups": {"remove": ["AnonymousUsers"]}},
            {"name": f"Client Frontend {sites.NAME}", "enabled": False},
        ],
        send=[{"name": "Internet", "state": "absent"}],
    )
    assert words.plan_words(plan(state, wish)) == [
        "Create the receive connector 'Scanners' for 10.20.5.0/24 on 0.0.0.0:25.",
        (
            "Change the receive connector 'Default Frontend EX1': "
            "permission_groups loses AnonymousUsers."
        ),
        "Disable the receive connector 'Client Frontend EX1' and keep it.",
        "Remove the send connector 'Internet'.",
    ]


@pytest.mark.parametrize(
    ("hosts", "way"), [(["out.filter.example"], "out.filter.example"), ([], "DNS")]
)
def test_a_new_send_connector_reads_by_the_way_that_its_mail_takes(
    hosts: list[str], way: str
) -> None:
    (change,) = plan(
        sites.modern(), _send({"name": "Out", "address_spaces": ["*"], "smart_hosts": hosts})
    )

    assert f" through {way}" in change_sentence(change)


def test_a_long_list_is_cut_in_a_sentence() -> None:
    ranges = [f"10.20.{number}.0/25" for number in range(40)]
    (change,) = plan(sites.modern(), _receive({**NARROW, "remote_ip_ranges": ranges}))

    assert "10.20.4.0/25 and 35 more on 0.0.0.0:25" in change_sentence(change)


def test_the_exposure_says_what_changes_for_whom() -> None:
    state = sites.modern()
    after = apply_all(
        plan(
            state,
            _receive(
                NARROW, {"name": DEFAULT, "permission_groups": {"remove": ["AnonymousUsers"]}}
            ),
        ),
        state,
    )
    told = words.exposure(state, after, SiteNetworks(own_networks=RangeSet.parse([sites.LAN])))

    assert told["words"] == [
        "own networks: anonymous mail accepted → refused, except for Exchange servers that log in",
        "own networks, 10.20.5.0/24: anonymous mail accepted",
        (
            "private addresses that nobody has named: anonymous mail accepted → refused, "
            "except for Exchange servers that log in"
        ),
        (
            "the server itself: anonymous mail accepted → refused, "
            "except for Exchange servers that log in"
        ),
        (
            "any internet address: anonymous mail accepted → refused, "
            "except for Exchange servers that log in"
        ),
    ]
    assert told["before"]["any internet address"] == "anonymous mail accepted"
    assert told["after"]["own networks"]["anonymous mail accepted"] == ["10.20.5.0/24"]


def test_ipv6_is_told_apart_only_where_it_differs_and_left_out_where_nobody_can_come() -> None:
    state = sites.modern()
    after = apply_all(plan(state, _receive({"name": DEFAULT, "bindings": ["0.0.0.0:25"]})), state)
    older = sites.older(Version.E2007RTM)

    told = words.exposure_words(state, after, SiteNetworks())
    assert [line for line in told if line.startswith("any ")] == [
        "any internet address: anonymous mail accepted",
        "any IPv6 internet address: anonymous mail accepted → refused",
    ]
    assert "the server itself, ::1: anonymous mail accepted → refused" in told
    assert words.exposure_words(older, older, SiteNetworks()) == [
        f"{who}: anonymous mail accepted, users that log in too"
        for who in (
            "private addresses that nobody has named",
            "the server itself",
            "any internet address",
        )
    ]


def test_before_and_after_hold_the_changed_options_as_input_data() -> None:
    state = sites.modern()
    changes = plan(
        state, _receive(NARROW, {"name": DEFAULT, "permission_groups": ["ExchangeServers"]})
    )

    shown = words.before_after(state, apply_all(changes, state), changes)

    assert shown["before"] == {
        "receive_connectors": {
            DEFAULT: {
                "permission_groups": ["AnonymousUsers", "ExchangeServers", "ExchangeLegacyServers"]
            }
        }
    }
    assert shown["after"]["receive_connectors"][DEFAULT] == {
        "permission_groups": ["ExchangeServers"]
    }
    assert shown["after"]["receive_connectors"]["Scanners"]["remote_ip_ranges"] == ["10.20.5.0/24"]
