# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before a lock: who delivered lately and would be refused, judged by who wrote the logs."""

from __future__ import annotations

import datetime
import json
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.action.exchange_senders_info import (
    ActionModule as SendersInfo,
)
from ansible_collections.mailedge.lockdown.tests.integration.in_process import (
    COLLEAGUE,
    INBOUND,
    PROVIDER,
    SITE,
    STRANGER,
    Wire,
    accepts,
    do,
)
from ansible_collections.mailedge.lockdown.tests.integration.sending import Sender
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.lab import LabHost
from ansible_collections.mailedge.lockdown.tests.support.mail_logs import Writer, track, writer
from ansible_collections.mailedge.lockdown.tests.support.scripted_server import Connection, Task

HOUR = datetime.timedelta(hours=1)
ASKING: dict[str, t.Any] = {**INBOUND, "recent_senders": {}}


def log_of(host: ExchangeHost, days: int = 20) -> Writer:
    """A log that goes back far enough: the provider comes every six hours."""
    log = writer(host.logs)
    for count in range(days * 4):
        log.session(host.logs.now() - count * 6 * HOUR - HOUR, PROVIDER, door(host))
    return log


def door(host: ExchangeHost) -> str:
    """The connector that hears strangers before a lock."""
    connector = host.admission(STRANGER).connector
    assert connector is not None
    return connector.name


def verbose(host: ExchangeHost) -> None:
    """Let it log, as it does not on every version."""
    for connector in host.receive_connectors():
        if connector.name == door(host):
            identity = f"{host.name}\\{connector.name}"
            host.colleague(
                "Set-ReceiveConnector", {"Identity": identity, "ProtocolLoggingLevel": "Verbose"}
            )


def server(tmp_path: pathlib.Path, edition: str = "2019") -> ExchangeHost:
    host = defaults.site(edition, folder=tmp_path)
    verbose(host)
    return host


def guards(result: dict[str, t.Any]) -> dict[str, str]:
    return {guard["id"]: guard["severity"] for guard in result["guards"]}


def info(host: ExchangeHost, **options: t.Any) -> dict[str, t.Any]:
    wire = t.cast("t.Any", Wire(host))
    action = SendersInfo(
        task=Task({**SITE, **options}, False),
        connection=Connection(wire),
        play_context=None,
        loader=None,
        templar=None,
        shared_loader_obj=None,
    )
    result: dict[str, t.Any] = action.run(task_vars={})
    return result


@pytest.mark.parametrize("edition", ["2007", "2010", "2013", "2016", "2019", "se", "edge"])
def test_who_delivered_and_would_be_refused_stops_a_lock_with_their_number(
    edition: str, tmp_path: pathlib.Path
) -> None:
    host = server(tmp_path, edition)
    log = log_of(host)
    for count in range(7):
        log.session(host.logs.now() - count * HOUR, STRANGER, door(host), messages=2)
    log.session(host.logs.now() - 20 * 24 * HOUR, "203.0.113.99", door(host))
    log.save()
    wire = Wire(host)
    result = do(wire, ASKING)
    assert result["failed"]
    assert wire.starts == 1
    assert "This address delivered 14 messages in 14 days and would be refused: " in result["msg"]
    assert f"{STRANGER} (14 messages, the last on " in result["msg"]
    assert "203.0.113.99" not in result["msg"]
    assert "(guard recent_senders_refused)" in result["msg"]
    assert accepts(host, STRANGER)
    assert guards(result)["recent_senders_refused"] == "stop"
    assert "recent_senders_unknown" not in guards(result)

    accepted = {**ASKING, "accept_risks": ["recent_senders_refused"]}
    done = do(wire, accepted)
    assert not done.get("failed"), done["msg"]
    assert not accepts(host, STRANGER)
    assert wire.starts == 3
    # On a server that is locked nobody loses anything, whoever came before.
    again = do(Wire(host), ASKING)
    assert not again.get("failed"), again["msg"]
    assert again["changed"] is False
    assert again["state"] == "in order"


def test_a_sender_that_is_named_or_delivered_less_than_asked_stops_nothing(
    tmp_path: pathlib.Path,
) -> None:
    host = server(tmp_path)
    log = log_of(host)
    log.session(host.logs.now() - HOUR, COLLEAGUE, messages=40)
    log.session(host.logs.now() - HOUR, STRANGER, messages=3)
    log.session(host.logs.now() - HOUR, "203.0.113.70", messages=0)
    log.session(host.logs.now() - HOUR, "203.0.113.71", login="BIRKE\\anna", messages=9)
    log.session(host.logs.now() - HOUR, "127.0.0.1", messages=9)
    log.save()
    result = do(Wire(host), {**INBOUND, "recent_senders": {"messages": 4}})
    assert not result.get("failed"), result["msg"]
    assert result["changed"]
    assert result["state"] == "in order"
    assert result["recent_senders"]["silent"] == 1


def test_the_provider_in_whose_range_a_sender_is_is_named(tmp_path: pathlib.Path) -> None:
    host = server(tmp_path)
    log = log_of(host)
    # Of Exchange Online's published ranges.
    log.session(host.logs.now() - HOUR, "40.107.1.2", messages=2)
    log.save()
    result = do(Wire(host), ASKING)
    assert result["failed"]
    (sender,) = [
        row for row in result["recent_senders"]["senders"] if row["address"] == "40.107.1.2"
    ]
    assert sender["group"] == "another provider"
    assert f"in the range of {sender['provider']}" in result["msg"]
    hidden = do(Wire(host), {**INBOUND, "recent_senders": {"addresses": False}})
    assert hidden["failed"]
    assert "40.107.1.2" not in json.dumps(hidden)
    assert f"(the range of {sender['provider']})" in hidden["msg"]


@pytest.mark.parametrize("how", ["missing", "off", "denied"])
def test_where_nobody_can_say_who_delivers_a_lock_stops(how: str, tmp_path: pathlib.Path) -> None:
    host = server(tmp_path)
    if how == "denied":
        log_of(host).save()
        host.logs.denied.add(str(host.logs.frontend))
    if how == "off":
        host.logs.off.add("protocol")
    result = do(Wire(host), ASKING)
    assert result["failed"]
    assert guards(result)["recent_senders_unknown"] == "stop"
    assert "protocol log" in result["msg"]
    assert accepts(host, STRANGER)
    done = do(Wire(host), {**ASKING, "accept_risks": ["recent_senders_unknown"]})
    assert not done.get("failed"), done["msg"]
    assert done["state"] == "in order"


def test_a_log_that_does_not_go_back_far_enough_is_told_and_not_green(
    tmp_path: pathlib.Path,
) -> None:
    host = server(tmp_path)
    log_of(host, days=3).save()
    result = do(Wire(host), ASKING)
    assert not result.get("failed"), result["msg"]
    assert guards(result)["recent_senders_unknown"] == "warn"
    assert "The protocol log goes back to " in " ".join(result["warnings"])
    assert result["state"] == "unknown"
    # The next run finds nothing to lose.
    assert do(Wire(host), ASKING)["state"] == "in order"


def test_a_connector_that_logs_nothing_is_named(tmp_path: pathlib.Path) -> None:
    host = server(tmp_path)
    log_of(host).save()
    blind = {
        "Bindings": ["0.0.0.0:26"],
        "RemoteIPRanges": ["0.0.0.0-255.255.255.255"],
        "PermissionGroups": "AnonymousUsers",
        "TransportRole": "FrontendTransport",
        "AuthMechanism": "Tls",
    }
    defaults.add_receive(host, "Side door", blind)
    result = do(Wire(host), ASKING, check=True)
    assert result["recent_senders"]["blind"] == ["Side door"]
    assert "These receive connectors log nothing" in " ".join(result["warnings"])
    assert "'Side door'" in " ".join(result["warnings"])


def test_one_private_address_for_all_by_many_names_tells_nothing(tmp_path: pathlib.Path) -> None:
    host = server(tmp_path)
    log = writer(host.logs)
    for count in range(90):
        log.session(
            host.logs.now() - count * 4 * HOUR, "10.20.0.1", helo=f"mx{count % 30}.sender.example"
        )
    log.save()
    result = do(Wire(host), ASKING)
    assert result["failed"]
    assert "a load balancer" in result["msg"]
    assert guards(result)["recent_senders_unknown"] == "stop"


def test_2013_without_a_protocol_log_asks_message_tracking_and_calls_it_weaker(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2013", folder=tmp_path)
    now = host.logs.now()
    rows = [(now - count * 6 * HOUR, PROVIDER, "127.0.0.1") for count in range(70)]
    rows += [(now - HOUR, STRANGER, "127.0.0.1"), (now - 2 * HOUR, "", "127.0.0.1")]
    track(host.logs, [*rows, (now - HOUR, "", "203.0.113.40")])
    result = do(Wire(host), ASKING)
    assert result["failed"]
    assert result["recent_senders"]["source"] == "message tracking log"
    told = " ".join(result["warnings"])
    assert "a weaker proof" in told
    assert "1 messages are of senders whose address the log does not tell" in told
    assert "These 2 addresses delivered 2 messages in 14 days" in result["msg"]


def test_the_log_of_the_hub_is_never_counted(tmp_path: pathlib.Path) -> None:
    host = server(tmp_path)
    host.hidden.add("Get-FrontendTransportService")
    log = Writer(host.logs.hub, host.name)
    log.session(host.logs.now() - HOUR, STRANGER, "Default EX1", messages=5)
    log.save()
    told = info(host, addresses=True)
    assert told["told"] is False
    assert told["senders"] == []
    assert "where its front end transport keeps its protocol log" in " ".join(told["unknown"])


def test_a_gap_between_protocol_log_and_message_tracking_is_told(tmp_path: pathlib.Path) -> None:
    host = server(tmp_path)
    log_of(host).save()
    now = host.logs.now()
    track(host.logs, [(now - count * HOUR, PROVIDER, "127.0.0.1") for count in range(350)])
    told = info(host)
    assert told["told"] is True
    assert "Message tracking has " in " ".join(told["unknown"])


def test_no_address_leaves_the_result_unless_asked(tmp_path: pathlib.Path) -> None:
    host = server(tmp_path)
    log = log_of(host)
    log.session(host.logs.now() - HOUR, STRANGER, messages=2)
    written = log.save()
    told = info(host)
    text = json.dumps(told)
    assert STRANGER not in text
    assert "sender.example" not in text
    by_group = {group["group"]: group["messages"] for group in told["groups"]}
    assert by_group["internet"] == 2
    assert sum(by_group.values()) < sum(written.messages.values())
    shown = info(host, addresses=True, days=30)
    assert {row["address"]: row["messages"] for row in shown["senders"]} == {
        sender: count for (_connector, sender), count in written.messages.items()
    }
    assert "sender.example" not in json.dumps(shown)


@pytest.mark.parametrize(
    "wrong", [{"days": 0}, {"days": 91}, {"megabytes": 0}, {"seconds": 76}, {"messages": 0}]
)
def test_bounds_that_make_no_sense_are_refused_before_anything_is_sent(
    wrong: dict[str, int], tmp_path: pathlib.Path
) -> None:
    wire = Wire(server(tmp_path))
    result = do(wire, {**INBOUND, "recent_senders": wrong})
    assert result["failed"]
    assert "must be between 1 and" in result["msg"]
    assert wire.starts == 0


def test_a_delivery_at_the_lab_s_port_25_stands_in_its_log(host: LabHost) -> None:
    host.exchange.sessions.accounts = None
    host.mailbox.takes_mail = True
    assert Sender(host, "provider").deliver() == "250"
    assert Sender(host, "internet").deliver("a@elsewhere.example").startswith("{")
    told = info(host.exchange, addresses=True)
    played = host.place.players(4)
    assert {(row["address"], row["messages"]) for row in told["senders"]} == {
        (played["provider"], 1)
    }
    assert told["silent"] == 1
    assert told["logs"][1]["messages"] == 1
