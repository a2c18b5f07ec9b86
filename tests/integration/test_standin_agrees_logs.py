# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs are summed up alike by the engine and the stand-in, and as who wrote them has counted."""

from __future__ import annotations

import datetime
import pathlib
import random
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import mail_logs
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.tests.integration.both_ways import SHELL, agree
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.support.engine import asking, needs_engine
from ansible_collections.mailedge.lockdown.tests.support.mail_logs import Written, writer

pytestmark = [needs_engine, pytest.mark.long]

HOUR = datetime.timedelta(hours=1)
DAY = 24 * HOUR
SINCE = "2026-11-16T00:00:00.000Z"
BEGIN = datetime.datetime(2026, 11, 16, 1, 0, tzinfo=datetime.timezone.utc)
SENDERS = ("203.0.113.5", "203.0.113.6", "198.51.100.9", "2001:db8:5::7", "10.20.0.9")
TORN = "2026-11-20T09:00:00.000Z,EX1\\Default Frontend EX1,08D1,4,192.0.2.25:25,203.0.113."


def request(**bounds: t.Any) -> dict[str, t.Any]:
    asked = mail_logs.Bounds(**{"since": SINCE, "seconds": 60, **bounds})
    return asking(mail_logs.read_steps("EX1", asked, refusals=True), SHELL)


def protocol(answer: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", answer["steps"][mail_logs.PROTOCOL]["objects"][0])


def messages(row: t.Mapping[str, t.Any]) -> dict[tuple[str, str], int]:
    """What the agent has counted, by name and sender as the log has them."""
    (rule,) = [rule for rule in row["rules"] if rule["name"] == mail_logs.MESSAGES]
    counted = {}
    for values in rule["rows"]:
        (key,) = [value for value in values if isinstance(value, list)]
        counts = [value for value in values if isinstance(value, int)]
        names = sorted(key, key=lambda text: "\\" not in text)
        sender = names[1].strip("[]")
        counted[names[0].partition("\\")[2], sender] = max(counts)
    return counted


def some(host: ExchangeHost, sessions: int = 60) -> Written:
    """Sessions of four days at random, some of them at once and over the end of a file."""
    chance = random.Random(3)
    log = writer(host.logs)
    for _number in range(sessions):
        begins = BEGIN + chance.random() * 4 * DAY
        connector = chance.choice(["Default Frontend EX1", "Relay, of the LAN"])
        log.session(
            begins,
            chance.choice(SENDERS),
            connector,
            messages=chance.choice([0, 1, 1, 3]),
            spread=chance.choice([0.1, 200.0]),
            helo=f"host{chance.randint(1, 30)}.example",
            login=chance.choice(["", "", "BIRKE\\anna"]),
        )
    log.session(
        BEGIN, "203.0.113.77", refused="530 5.7.57 Client was not authenticated to send, sorry"
    )
    return log.save(torn=TORN)


@pytest.mark.parametrize("edition", ["2007", "2010", "2013", "2016", "se", "edge"])
def test_messages_are_counted_as_who_wrote_the_log_has_counted_them(
    edition: str, tmp_path: pathlib.Path
) -> None:
    written: list[Written] = []

    def prepare(host: ExchangeHost) -> None:
        written.append(some(host))

    shell = SHELL if edition not in ("2007", "edge") else {**SHELL, "credential": None}
    asked = {**request(), "shell": shell}
    answer, *_hosts = agree(edition, asked, tmp_path, prepare)
    row = protocol(answer)
    assert row["error"] is None
    assert row["unread"] == []
    assert messages(row) == dict(written[0].messages)
    assert row["bytes"] == written[0].size


def test_what_is_older_than_asked_is_not_counted(tmp_path: pathlib.Path) -> None:
    def prepare(host: ExchangeHost) -> None:
        log = writer(host.logs)
        log.session(BEGIN - 3 * DAY, "203.0.113.1")
        log.session(BEGIN - 2 * HOUR, "203.0.113.2")
        log.session(BEGIN, "203.0.113.3")
        log.save()

    answer, *_hosts = agree("2019", request(), tmp_path, prepare)
    row = protocol(answer)
    assert messages(row) == {("Default Frontend EX1", "203.0.113.3"): 1}
    assert (row["oldest"], row["files"]) == ("20261113", 2)


def test_names_of_files_are_taken_in_any_case_with_and_without_an_hour_and_no_others(
    tmp_path: pathlib.Path,
) -> None:
    def prepare(host: ExchangeHost) -> None:
        for count, name in enumerate(
            (
                "RECV20261116-1.LOG",
                "recv20261117-12.log",
                "Recv2026111805-1.Log",
                "SEND20261118-1.LOG",
            )
        ):
            log = writer(host.logs, count)
            log.session(BEGIN + count * DAY, f"203.0.113.{count}")
            log.save(name=lambda _at, name=name: name)  # type: ignore[misc]
        (host.logs.frontend / "RECV2026111-1.LOG").write_text("no log")

    answer, *_hosts = agree("2019", request(), tmp_path, prepare)
    assert {sender for _connector, sender in messages(protocol(answer))} == {
        "203.0.113.0",
        "203.0.113.1",
        "203.0.113.2",
    }


def test_the_newest_bytes_are_read_and_the_rest_is_told(tmp_path: pathlib.Path) -> None:
    def prepare(host: ExchangeHost) -> None:
        log = writer(host.logs)
        for count in range(3000):
            log.session(BEGIN + count * HOUR / 30, f"203.0.113.{count % 200}")
        log.save()

    answer, *_hosts = agree("2019", request(megabytes=1), tmp_path, prepare)
    row = protocol(answer)
    assert row["bytes"] == 1 << 20
    assert row["stopped"] == "bytes"
    assert row["left"] > 0
    assert row["covered_from"] > SINCE


def test_the_time_that_is_over_ends_the_reading_and_is_told(tmp_path: pathlib.Path) -> None:
    def prepare(host: ExchangeHost) -> None:
        log = writer(host.logs)
        for count in range(3):
            log.session(BEGIN + count * HOUR, f"203.0.113.{count}")
        log.save()

    # No time at all is over on every machine, and before the first file.
    answer, *_hosts = agree("2019", request(seconds=0), tmp_path, prepare)
    row = protocol(answer)
    assert (row["stopped"], row["files"], row["left"], row["lines"]) == ("seconds", 3, 3, 0)
    rows = {step: given["objects"] for step, given in answer["steps"].items()}
    log = mail_logs.understand(mail_logs.PROTOCOL, rows, Version.E2019, edge=False)
    assert log.told is False
    assert log.read["files_left"] == 3
    assert log.gaps == (
        "Not even its newest was read: the limit of time for the protocol log was reached.",
    )


def test_a_file_that_may_not_be_opened_or_is_no_log_is_named(tmp_path: pathlib.Path) -> None:
    def prepare(host: ExchangeHost) -> None:
        log = writer(host.logs)
        for hour in range(3):
            log.session(BEGIN + hour * HOUR, f"203.0.113.{hour}")
        log.save()
        host.logs.denied.add(str(host.logs.frontend / "RECV2026111602-1.LOG"))
        (host.logs.frontend / "RECV2026111603-1.LOG").write_bytes(b"#Software: another\r\nx" * 9)

    answer, *_hosts = agree("2019", request(), tmp_path, prepare)
    row = protocol(answer)
    assert {(file["name"], file["error"]) for file in row["unread"]} == {
        ("RECV2026111602-1.LOG", "UnauthorizedAccessException"),
        ("RECV2026111603-1.LOG", "Mailedge.NoHeader"),
    }
    assert row["read"] == 1


@pytest.mark.parametrize("how", ["missing", "denied", "off"])
def test_a_folder_that_cannot_be_read_is_an_answer(how: str, tmp_path: pathlib.Path) -> None:
    def prepare(host: ExchangeHost) -> None:
        if how == "denied":
            some(host, 1)
            host.logs.denied.add(str(host.logs.frontend))
        if how == "off":
            host.logs.off.add("protocol")

    answer, *_hosts = agree("2019", request(), tmp_path, prepare)
    row = protocol(answer)
    expected = {
        "missing": "DirectoryNotFoundException",
        "denied": "UnauthorizedAccessException",
        "off": None,
    }
    assert row["error"] == expected[how]
    assert row["lines"] == 0
    assert row["rules"]
