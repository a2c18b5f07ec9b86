# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions on a connection that answers the agent's protocol from a script: what is sent, and
what becomes of errors.
"""

from __future__ import annotations

import json
import time
import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import Credential
from ansible_collections.mailedge.lockdown.tests.support.scripted_server import (
    LOCK,
    Connection,
    Server,
    run,
)

# The base class of an action, its options and its scrubbing are ansible-core's.
pytestmark = pytest.mark.core


@pytest.fixture
def server() -> Server:
    return Server()


def test_a_lock_costs_two_starts_and_the_next_run_one(server: Server) -> None:
    first = run(server, LOCK)
    assert first["changed"], first
    assert first["cost"]["powershell_starts"] == len(server.requests) == 2
    assert any(
        line.startswith("any internet address: anonymous mail accepted → refused")
        for line in first["exposure"]["words"]
    )
    second = run(server, LOCK)
    assert not second["changed"], second["plan"]
    assert second["cost"]["powershell_starts"] == 1
    assert len(server.requests) == 3


def test_check_mode_says_what_a_run_does_and_writes_nothing(server: Server) -> None:
    checked = run(server, LOCK, check=True)
    assert server.written == []
    done = run(server, LOCK)
    assert checked["plan"] == done["plan"]
    assert checked["diff"] == done["diff"]


def test_the_new_door_opens_before_the_wide_one_closes(server: Server) -> None:
    run(server, LOCK)
    assert server.written == [
        "New-ReceiveConnector",
        "New-ReceiveConnector",
        "Set-ReceiveConnector",
    ]


def test_the_write_carries_digest_and_mutex_and_saves_the_snapshot_first(server: Server) -> None:
    run(server, LOCK)
    request = server.requests[1]
    assert request["mutex"]["name"] == r"Global\mailedge.lockdown"
    order = [step["op"] if step["op"] != "call" else step["cmdlet"] for step in request["steps"]]
    assert order.index("digest") < order.index("write_file") < order.index("New-ReceiveConnector")
    # The send connectors are the organization's. Another server may be changing them at this
    # moment, which is nothing to this one.
    assert [step["id"] for step in request["steps"] if step["op"] == "digest"] == [
        "digest-receive_connector"
    ]
    text = next(step["text"] for step in request["steps"] if step["id"] == "snapshot")
    made = {"table": "receive_connector", "key": "Mail from filter", "options": None, "place": None}
    assert made in json.loads(text)["desired"]


@pytest.mark.parametrize("ahead", [-86_400.0, 0.0, 3_600.0])
def test_a_write_ends_when_its_task_has_given_up_by_the_clock_of_the_server(
    server: Server, ahead: float
) -> None:
    server.clock_ahead = ahead
    begun = time.time() + ahead
    run(server, {**LOCK, "time_limit": 100})
    read, write = server.requests
    assert "deadline" not in read
    assert begun + 98 < write["deadline"] <= time.time() + ahead + 100


def test_a_rollback_waits_for_a_write_that_was_given_up(server: Server) -> None:
    run(server, LOCK)
    assert server.requests[0]["mutex"] is None
    run(server, {"snapshot": "latest", "time_limit": 30})
    waiting = server.requests[2]["mutex"]
    assert waiting == {"name": r"Global\mailedge.lockdown", "seconds": 25}


def test_a_server_that_somebody_else_changed_is_left_alone(server: Server) -> None:
    server.changed_by_somebody = True
    result = run(server, LOCK)
    assert result["failed"]
    assert not result["changed"]
    assert result["error"]["class"] == "Mailedge.StateChanged"


def test_an_error_half_way_says_what_was_done_and_what_was_not(server: Server) -> None:
    server.fail["Set-ReceiveConnector"] = {
        "class": "ADTransientException",
        "id": "x",
        "message": "No domain controller.",
    }
    result = run(server, LOCK)
    assert result["failed"]
    assert result["changed"]
    assert len(result["done"]) == 2
    assert len(result["not_done"]) == 1
    assert result["snapshot"]["name"] in result["msg"]
    server.fail.clear()
    again = run(server, LOCK)
    assert again["changed"]
    assert not again.get("failed"), again
    assert not run(server, LOCK)["changed"]


def test_a_write_that_leaves_no_trace_is_a_failure(server: Server) -> None:
    server.ignore_writes = True
    result = run(server, LOCK)
    assert result["failed"]
    assert "not all of them can be seen on the server EX1" in result["msg"]


def test_a_connection_cut_while_writing_stays_a_connection_failure(server: Server) -> None:
    server.break_on_write = True
    with pytest.raises(AnsibleConnectionFailure, match="while changes were being written"):
        run(server, LOCK)


def test_nothing_is_written_while_exchange_setup_runs(server: Server) -> None:
    server.setup_running = True
    result = run(server, LOCK)
    assert result["failed"]
    assert server.written == []


def test_become_is_refused_before_anything_is_sent(server: Server) -> None:
    connection = Connection(server)
    connection.become = object()  # type: ignore[assignment]
    result = run(server, LOCK, connection=connection)
    assert result["failed"]
    assert "become" in result["msg"]
    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "clause"),
    [
        ({"provider_ranges": [], "inbound_lock": {}}, "names no range"),
        ({**LOCK, "provider_ranges": ["198.51.100.0/33"]}, "198.51.100.0/33"),
        ({**LOCK, "provider_ranges": ["198.51.100.9-198.51.100.1"]}, "198.51.100.9-198.51.100.1"),
        ({**LOCK, "provider_ranges": ["198.51.100.1-2001:db8::1"]}, "198.51.100.1-2001:db8::1"),
        ({**LOCK, "accept_risks": ["everything"]}, "no guard"),
        ({**LOCK, "exchange_password": "canary-1"}, "without exchange_username"),
        ({**LOCK, "no_such_option": 1}, "no_such_option"),
        ({"receive_connectors": [{"name": "x", "permission_groups": ["Everybody"]}]}, "Everybody"),
        (
            {"receive_connectors": [{"name": "x", "remote_ip_ranges": {"plus": ["10.0.0.1"]}}]},
            "plus",
        ),
        ({"receive_connectors": [{}]}, "name"),
        ({"snapshot": "latest", "inbound_lock": {}}, "mutually exclusive"),
        ({"snapshot": "../../etc/passwd"}, "not the name of a snapshot"),
    ],
)
def test_bad_input_never_reaches_the_server(
    server: Server, arguments: dict[str, t.Any], clause: str
) -> None:
    result = run(server, arguments)
    assert result["failed"]
    assert clause in result["msg"]
    assert server.requests == []
    assert "canary" not in json.dumps(result)


def test_the_whole_internet_as_provider_is_stopped_by_a_guard(server: Server) -> None:
    result = run(server, {**LOCK, "provider_ranges": ["0.0.0.0/0"]})
    assert result["failed"]
    assert "range_too_wide" in [guard["id"] for guard in result["guards"]]
    assert server.written == []


MISTAKES = [
    (["10.20.0.0-255.255.0.0"], "Write 10.20.0.0/16."),
    (["0.0.0.0/0"], "Name the networks alone."),
    (["10.20.0.0/1"], "Write 10.20.0.0/16"),
]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("option", "texts", "meant"),
    [
        *(
            (option, *mistake)
            for option in ("own_networks", "hybrid_ranges", "exchange_servers")
            for mistake in MISTAKES
        ),
        # Of a provider that is all of the internet the guard range_too_wide tells.
        ("provider_ranges", *MISTAKES[0]),
        ("provider_ranges", *MISTAKES[2]),
    ],
)
def test_most_of_the_internet_is_nobodys_network(
    server: Server, texts: list[str], meant: str, option: str, check: bool
) -> None:
    result = run(server, {**LOCK, option: [*LOCK.get(option, []), *texts]}, check=check)
    assert result["failed"]
    assert result["msg"].startswith(f"The option {option} cannot be used as given: ")
    assert meant in result["msg"]
    assert "state" not in result
    assert server.requests == []


def test_a_provider_that_is_the_internet_is_no_friend_even_where_it_is_accepted(
    server: Server,
) -> None:
    accepted = {
        "accept_risks": ["range_too_wide", "private_range"],
        "provider_ranges": ["0.0.0.0/0"],
    }
    run(server, {**LOCK, **accepted})
    assert run(server, {**LOCK, **accepted}, check=True)["state"] == "open"


def test_the_login_of_the_connection_opens_the_session_and_is_never_shown(server: Server) -> None:
    result = run(server, LOCK)
    assert server.requests[0]["shell"]["credential"] == Credential("LAB\\admin", "canary-login")
    assert "canary-login" not in json.dumps(result)


def test_a_login_is_not_sent_over_a_connection_in_clear_text(server: Server) -> None:
    run(server, LOCK, scheme="http", port=5985, transport=["basic"])
    assert server.requests[0]["shell"]["credential"] is None
    result = run(
        server,
        {**LOCK, "exchange_username": "LAB\\x", "exchange_password": "canary-2"},
        scheme="http",
        transport=["basic"],
    )
    assert result["failed"]
    assert "clear text" in result["msg"]
    assert "canary-2" not in json.dumps(result)


def test_the_password_of_a_described_connector_is_scrubbed_even_where_the_description_is_wrong(
    server: Server,
) -> None:
    login = {"username": "site", "password": "canary-3"}
    entry = {"name": "out", "authentication_credential": login, "port": "many"}
    result = run(server, {"send_connectors": [entry]})
    assert result["failed"]
    assert "canary-3" not in json.dumps(result)


INTERNET = "The internet may send without a login on port 25, through 'Default Frontend EX1'."


def test_the_state_says_how_the_server_stands_and_not_how_it_was_planned(server: Server) -> None:
    checked = run(server, LOCK, check=True)
    assert (checked["state"], checked["strangers"]) == ("open", {"before": [INTERNET], "after": []})
    done = run(server, LOCK)
    assert (done["state"], done["strangers"]) == ("in order", {"before": [INTERNET], "after": []})
    again = run(server, {**LOCK, "inbound_lock": {"protocol_logging_level": "None"}}, check=True)
    assert (again["state"], again["strangers"]) == ("drift", {"before": [], "after": []})
    # Without a lock and without a provider nobody has said who is a stranger.
    plain = run(server, {"receive_connectors": [{"name": "Default Frontend EX1"}]}, check=True)
    assert plain["state"] == "in order"
    assert "strangers" not in plain


def test_a_guard_that_stops_leaves_the_state_as_it_was_read(server: Server) -> None:
    result = run(server, {**LOCK, "own_networks": []})
    assert result["failed"]
    assert "own_networks_shut_out" in result["msg"]
    assert result["state"] == "open"
    assert server.written == []


def test_a_write_that_stopped_half_way_leaves_no_state(server: Server) -> None:
    server.fail["Set-ReceiveConnector"] = {"class": "X", "id": "x", "message": "No."}
    assert "state" not in run(server, LOCK)


def test_a_failed_result_is_short(server: Server) -> None:
    result = run(server, {**LOCK, "own_networks": []})
    assert not {"before", "after", "diff"} & set(result)
    assert set(result["exposure"]) == {"words"}


def test_all_ranges_that_are_none_are_told_at_once(server: Server) -> None:
    result = run(server, {**LOCK, "own_networks": ["10.0.0.0/33"], "hybrid_ranges": ["nonsense"]})
    assert "own_networks" in result["msg"]
    assert "hybrid_ranges" in result["msg"]
    assert server.requests == []


CANARY = "canary-Smart$Host'92\"-x"
OUT: dict[str, t.Any] = {"smart_hosts": ["out.filter.example"]}
LOGIN = {"username": "site@filter.example", "password": CANARY}
# Where a login may stand, rightly or wrongly.
PLACES: dict[str, dict[str, t.Any]] = {
    "outbound": {"outbound_lock": {**OUT, "authentication_credential": LOGIN}},
    "send connector": {"send_connectors": [{"name": "x", "authentication_credential": LOGIN}]},
    "receive connector": {
        "receive_connectors": [{"name": "x", "authentication_credential": LOGIN}]
    },
    "exchange": {"exchange_username": "lab", "exchange_password": CANARY},
    "misspelt password": {
        "send_connectors": [
            {"name": "x", "authentication_credential": {"username": "u", "pasword": CANARY}}
        ]
    },
    "misspelt credential": {"outbound_lock": {**OUT, "authentication_credental": LOGIN}},
    "misspelt option": {"exchange_pasword": CANARY},
    "text": {"outbound_lock": {**OUT, "authentication_credential": f"site:{CANARY}"}},
    "list": {"outbound_lock": {**OUT, "authentication_credential": ["site", CANARY]}},
    "too deep": {
        "outbound_lock": {
            **OUT,
            "authentication_credential": {"username": "u", "password": {"is": [CANARY]}},
        }
    },
    "beside": {"outbound_lock": {**OUT, "smart_host_password": CANARY}},
    "as username": {
        "outbound_lock": {
            **OUT,
            "authentication_credential": {"username": {"x": CANARY}, "password": CANARY},
        }
    },
}
# What else may be wrong, so that the check of the login never comes.
ERRORS: dict[str, dict[str, t.Any]] = {
    "none": {},
    "choice": {"inbound_lock": {"method": "nope"}},
    "unknown": {"inbound_locks": {}},
    "type": {"time_limit": "soon"},
    "range": {"own_networks": ["10.0.0.0/33"]},
    "guard": {"accept_risks": ["nonsense"]},
    "excluded": {"snapshot": "latest", "inbound_lock": {}},
    "no provider": {"provider_ranges": [], "inbound_lock": {}},
    "entry": {"send_connectors": "x"},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("error", ERRORS)
def test_no_secret_is_told_whatever_is_wrong(place: str, error: str, server: Server) -> None:
    for transport in ("ntlm", "basic"):
        options = {"scheme": "http", "transport": [transport]}
        result = run(server, {**LOCK, **PLACES[place], **ERRORS[error]}, check=True, **options)
        for text in (repr(result), json.dumps(result, default=str)):
            assert CANARY not in text
            assert repr(CANARY)[1:-1] not in text
            assert json.dumps(CANARY)[1:-1] not in text
            assert "canary-" not in text, text


def test_what_is_no_secret_is_not_scrubbed(server: Server) -> None:
    arguments = {
        **LOCK,
        "outbound_lock": {
            **OUT,
            "authentication_credential": LOGIN,
            "update_credential": "always",
            "require_tls": True,
        },
    }
    told = repr(run(server, {**arguments, "inbound_lock": {"method": "nope"}}))
    for text in ("site@filter.example", "always", "out.filter.example", "strip_anonymous"):
        assert text in told, told
