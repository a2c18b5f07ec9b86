# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A million lines of a server's logs are summed up by the agent itself, in a process whose time and
memory are measured, and no address leaves the result unless asked.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import threading
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.action.exchange_senders_info import (
    ActionModule as SendersInfo,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _codec as codec
from ansible_collections.mailedge.lockdown.tests.integration.in_process import SITE
from ansible_collections.mailedge.lockdown.tests.lab import standin
from ansible_collections.mailedge.lockdown.tests.lab.exchange.defaults import site
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.support.engine import (
    asking,
    call,
    needs_engine,
    start_engine,
)
from ansible_collections.mailedge.lockdown.tests.support.mail_logs import Written, writer
from ansible_collections.mailedge.lockdown.tests.support.scripted_server import Connection, Task

pytestmark = [needs_engine, pytest.mark.long]

HOUR = datetime.timedelta(hours=1)
HOURS, SESSIONS = 240, 280
# The line of a sender in the first hour; each hour has other ones.
PATTERN = "2001:db8:ffff:"
MOST_SENDERS = 2000
# Windows Server 2008 R2 leaves 150 MB to a whole shell. What PowerShell itself takes differs by
# version, so that what the logs add to it is measured.
MEGABYTES = 90
SECONDS = 45


class Measured:
    """The stand-in answers, but for the logs, which the agent itself sums up in a PowerShell of its
    own: without the proxies of the lab, which slow down what they have no part in. Measures that
    one's processor time in seconds, and its most memory in MB.
    """

    def __init__(self, host: ExchangeHost) -> None:
        self.host = host
        self.seconds, self.megabytes = 0.0, 0

    def __call__(self, stdin: bytes) -> tuple[int, bytes, bytes]:
        request = codec.decode_request(stdin)
        steps = [step for step in request["steps"] if step["op"] == "log_summary"]
        others = [step for step in request["steps"] if step not in steps]
        given = codec.decode_answer(
            standin.answer(self.host, codec.encode_request({**request, "steps": others}))
        )
        given["steps"].update(self._summed(steps))
        return 0, codec.encode_answer(given), b""

    def _summed(self, steps: list[dict[str, t.Any]]) -> dict[str, t.Any]:
        told = [("log_frontend", "FrontendTransportService"), ("log_service", "TransportService")]
        prelude, calls = "", []
        for step, noun in told:
            row = self.host.logs.row(noun)
            paths = [name for name in row if name.endswith("LogPath")]
            values = "; ".join(f"{name}='{row[name]}'" for name in paths)
            prelude += f"function Get-{noun} {{ New-Object PSObject -Property @{{{values}}} }}\n"
            calls.append(call(step, f"Get-{noun}", {}, *paths, optional=True))
        over = threading.Event()
        process = start_engine(prelude)
        looking = threading.Thread(target=self._look, args=(process.pid, over))
        looking.start()
        stdout, stderr = process.communicate(
            codec.encode_request(asking([*calls, *steps])), timeout=280
        )
        over.set()
        looking.join()
        answer = codec.decode_answer(stdout)
        assert answer["ok"], (answer["error"], stderr)
        return {step["id"]: answer["steps"][step["id"]] for step in steps}

    def _look(self, process: int, over: threading.Event) -> None:
        folder = pathlib.Path("/proc", str(process))
        while not over.wait(0.1):
            try:
                status = folder.joinpath("status").read_text("ascii")
                times = folder.joinpath("stat").read_text("ascii").rpartition(")")[2].split()
            except OSError:
                return
            for line in status.splitlines():
                if line.startswith("VmHWM:"):
                    self.megabytes = int(line.split()[1]) >> 10
            # utime and stime, in hundredths of a second; proc(5).
            self.seconds = max(self.seconds, (int(times[11]) + int(times[12])) / 100)


def senders(host: ExchangeHost, **options: t.Any) -> tuple[dict[str, t.Any], Measured]:
    """What exchange_senders_info tells, by the agent in a process of its own."""
    wire = Measured(host)
    action = SendersInfo(
        task=Task({**SITE, **options}, False),
        connection=Connection(t.cast("t.Any", wire)),
        play_context=None,
        loader=None,
        templar=None,
        shared_loader_obj=None,
    )
    result: dict[str, t.Any] = action.run(task_vars={})
    assert not result.get("failed"), result["msg"]
    return result, wire


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[ExchangeHost, Written]:
    """A server with files of 240 hours. The first is written line by line, the others after it, so
    that nothing holds them all.
    """
    host = site("2019", folder=tmp_path_factory.mktemp("server"))
    first = (host.logs.now() - (HOURS + 1) * HOUR).replace(minute=0, second=0, microsecond=0)
    log = writer(host.logs)
    for count in range(SESSIONS):
        begins = first + HOUR * 0.99 * count / SESSIONS
        log.session(begins, f"{PATTERN}:{count:x}", messages=count % 3, spread=0.01)
    hour = log.save()
    template = next(host.logs.frontend.iterdir()).read_bytes()
    whole = Written(lines=hour.lines * HOURS, size=0)
    for number in range(HOURS):
        at = first + number * HOUR
        text = template.replace(f"{first:%Y-%m-%dT%H:}".encode(), f"{at:%Y-%m-%dT%H:}".encode())
        text = text.replace(PATTERN.encode(), f"2001:db8:{number + 1:x}:".encode())
        (host.logs.frontend / f"RECV{at:%Y%m%d%H}-1.LOG").write_bytes(text)
        whole.size += len(text)
        for (connector, sender), messages in hour.messages.items():
            own = sender.replace(PATTERN, f"2001:db8:{number + 1:x}:")
            whole.messages[connector, own] = messages
    return host, whole


def protocol(result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return next(log for log in result["logs"] if log["name"] == "protocol log")


def test_a_million_lines_are_summed_up_within_the_limits_and_name_nobody(
    written: tuple[ExchangeHost, Written],
) -> None:
    host, log = written
    assert log.lines > 1_000_000
    little, small = senders(host, megabytes=1)
    result, whole = senders(host, megabytes=2048, seconds=240, time_limit=1200)
    told = protocol(result)
    assert (told["files"], told["files_left"]) == (HOURS, 0)
    assert told["bytes"] == log.size
    assert told["messages"] == sum(log.messages.values())
    by_group = {group["group"]: group["addresses"] for group in result["groups"]}
    assert by_group == {"internet": MOST_SENDERS}
    counted = sum(group["messages"] for group in result["groups"])
    over = told["messages"] - counted
    assert f"{over} messages of the protocol log are of more senders than are told apart." in (
        " ".join(result["unknown"])
    )
    assert "2001:db8" not in json.dumps(result)
    assert "sender.example" not in json.dumps(result)
    assert whole.seconds < SECONDS
    assert whole.megabytes - small.megabytes < MEGABYTES
    # What was read of it is told where that is less.
    told = protocol(little)
    assert told["bytes"] == 1 << 20
    assert told["files_left"] == HOURS - told["files"] > 0
    assert "the limit of size for the protocol log was reached" in " ".join(little["unknown"])


def test_the_limit_of_seconds_ends_the_reading_within_a_file_and_is_told(
    written: tuple[ExchangeHost, Written],
) -> None:
    host, log = written
    result, _measured = senders(host, megabytes=2048, seconds=1, addresses=True)
    told = protocol(result)
    assert 0 < told["lines"] < log.lines
    assert told["files"] + told["files_left"] == HOURS
    assert "the limit of time for the protocol log was reached" in " ".join(result["unknown"])
    counts = {sender["address"]: sender["messages"] for sender in result["senders"]}
    assert counts
    for address, messages in counts.items():
        # Of the session at which the time was over, a part.
        assert 0 < messages <= log.messages["Default Frontend EX1", address]
