# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the lab: they happen where and when they are wanted, to the real engine as to the
stand-in.
"""

from __future__ import annotations

import datetime
import threading
import time

import pytest
import requests
import winrm

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import (
    BOOTSTRAP_SCRIPT,
    encode_request,
)
from ansible_collections.mailedge.lockdown.tests.integration.agent_calls import (
    ENGINES,
    LONG_ENGINES,
    ask,
    comment_of,
    writing,
)
from ansible_collections.mailedge.lockdown.tests.integration.sending import change
from ansible_collections.mailedge.lockdown.tests.lab.control import LabClient, LabError
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost
from ansible_collections.mailedge.lockdown.tests.lab.site import Site

# What a broken connection is to a client: before its reply, or in the middle of it.
BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.mark.parametrize("pwsh", LONG_ENGINES)
def test_a_dying_powershell_leaves_what_it_had_done(pwsh: str) -> None:
    with Lab([Site("birke", ("2016",))], pwsh=pwsh) as lab:
        host, client = lab.hosts["birke-ex1"], lab.client()
        deaths = [("before", 1, "start"), ("during", 1, "one"), ("after", 2, "two")]
        if not pwsh:
            # The moments are the lab's; what is special about the real engine is how it dies.
            deaths += [("after", 1, "one"), ("before", 2, "one")]
        for moment, nth, left in deaths:
            change(client, "Default Frontend EX1", Comment="start")
            client.fault("birke-ex1", kind="die", at="call:write", moment=moment, nth=nth)
            assert ask(host, writing("EX1", "one", "two")) == (1, None)
            assert comment_of(host) == left, (moment, nth)
            assert client.faults("birke-ex1")[0]["fired"] == 1
            client.clear_faults("birke-ex1")
        assert ask(host, writing("EX1", "three"))[1] is not None
        assert comment_of(host) == "three"


@pytest.mark.parametrize("kind", ["cut", "crash"])
def test_a_host_that_is_gone_comes_back_when_the_clock_says_so(
    host: LabHost, client: LabClient, kind: str
) -> None:
    client.fault("birke-ex1", kind=kind, at="call:write", moment="before", seconds=1000)
    with pytest.raises(BROKEN):
        ask(host, writing("EX1", "one", "two"))
    with pytest.raises(requests.ConnectionError):
        ask(host)
    client.clock(advance=1000)
    assert ask(host)[1] is not None
    # After a cut the server goes on by itself, after a power failure it does not.
    assert comment_of(host) == ("two" if kind == "cut" else "")


@pytest.mark.parametrize("operation", ["Create", "Command", "Send", "Receive"])
@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_a_cut_at_an_operation_of_winrm_reaches_the_client(
    host: LabHost, client: LabClient, operation: str, moment: str
) -> None:
    client.fault("birke-ex1", kind="cut", at=f"http:{operation}", moment=moment, seconds=0)
    with pytest.raises(BROKEN):
        ask(host)
    assert ask(host)[1] is not None


def test_winrm_can_answer_with_a_fault(host: LabHost, client: LabClient) -> None:
    client.fault("birke-ex1", kind="winrm", at="http:Command", message="Out of order.")
    with pytest.raises(winrm.exceptions.WSManFaultError, match="Out of order"):
        ask(host)


def test_logins_are_refused_until_the_fault_is_cleared(host: LabHost, client: LabClient) -> None:
    client.fault("birke-ex1", kind="refuse_login", times=0)
    for _again in range(2):
        with pytest.raises(winrm.exceptions.InvalidCredentialsError):
            ask(host)
    client.clear_faults("birke-ex1")
    assert ask(host)[1] is not None


@pytest.mark.parametrize("pwsh", ENGINES)
def test_a_cmdlet_fails_with_the_class_that_is_wanted(pwsh: str) -> None:
    with Lab([Site("birke", ("2016",))], pwsh=pwsh) as lab:
        lab.client().fault(
            "birke-ex1",
            kind="error",
            at="call:Set-ReceiveConnector",
            nth=2,
            error="ADOperationException",
        )
        answer = ask(lab.hosts["birke-ex1"], writing("EX1", "one", "two"))[1]
        assert answer is not None
        assert (answer["stopped"], answer["error"]["class"]) == ("write-2", "ADOperationException")
        assert answer["error"]["id"].endswith(",Set-ReceiveConnector")
        assert comment_of(lab.hosts["birke-ex1"]) == "one"


@pytest.mark.parametrize("pwsh", ENGINES)
def test_a_hanging_cmdlet_meets_the_limit_of_its_step_and_does_nothing_afterwards(
    pwsh: str,
) -> None:
    with Lab([Site("birke", ("2016",))], pwsh=pwsh) as lab:
        host = lab.hosts["birke-ex1"]
        lab.client().fault("birke-ex1", kind="hang", at="call:write", seconds=600)
        request = writing("EX1", "one")
        request["steps"][0]["seconds"] = 1
        answer = ask(host, request)[1]
        assert answer is not None
        assert answer["error"]["class"] == "Mailedge.TimedOut"
        lab.client().clear_faults("birke-ex1")
        time.sleep(0.3)
        assert comment_of(host) == ""


@pytest.mark.parametrize("pwsh", LONG_ENGINES)
def test_after_its_deadline_a_request_writes_nothing_more_and_still_reads(pwsh: str) -> None:
    with Lab([Site("birke", ("2016",))], pwsh=pwsh) as lab:
        host = lab.hosts["birke-ex1"]
        # The second write takes until the time is over, as on a server whose directory is slow.
        # A real engine takes seconds to start where others keep the cores busy.
        limit = 25 if pwsh else 7
        lab.client().fault("birke-ex1", kind="hang", at="call:write", nth=2, seconds=limit + 1)
        request = writing("EX1", "one", "two", "three")
        read = {"op": "call", "id": "again", "cmdlet": "Get-ReceiveConnector", "always": True}
        request["steps"].append({**read, "parameters": {}, "select": ["Name", "Comment"]})
        answer = ask(host, {**request, "deadline": time.time() + limit})[1]
        assert answer is not None
        assert (answer["stopped"], answer["error"]["class"]) == ("write-3", "Mailedge.TooLate")
        assert comment_of(host) == "two"
        assert answer["steps"]["again"]["ok"]
        writes = lab.client().counters("birke-ex1")["writes"]
        answer = ask(host, {**writing("EX1", "four"), "deadline": time.time() - 1})[1]
        assert answer is not None
        assert answer["error"]["class"] == "Mailedge.TooLate"
        assert lab.client().counters("birke-ex1")["writes"] == writes


def test_a_cancelled_powershell_does_nothing_more(host: LabHost, client: LabClient) -> None:
    client.fault("birke-ex1", kind="hang", at="call:write", nth=2, seconds=600)
    cancelled = threading.Event()
    threading.Timer(0.5, cancelled.set).start()
    request = encode_request(writing("EX1", "one", "two", "three"))
    assert host.machine.run(BOOTSTRAP_SCRIPT, request, True, cancelled) == (1, b"", b"")
    client.clear_faults("birke-ex1")
    time.sleep(0.3)
    assert comment_of(host) == "one"


def test_a_colleague_works_at_the_server_at_the_same_time(host: LabHost, client: LabClient) -> None:
    theirs = {"Identity": "EX1\\Default Frontend EX1", "Comment": "theirs"}
    client.fault(
        "birke-ex1",
        kind="change",
        at="call:Get-SendConnector",
        cmdlet="Set-ReceiveConnector",
        parameters=theirs,
    )
    writes = client.counters("birke-ex1")["writes"]
    assert ask(host)[1] is not None
    assert comment_of(host) == "theirs"
    assert client.counters("birke-ex1")["writes"] == writes


def test_a_slow_shell_takes_its_time(host: LabHost, client: LabClient) -> None:
    client.latency("birke-ex1", shell=0.3, powershell=0.2)
    started = time.monotonic()
    assert ask(host)[1] is not None
    assert time.monotonic() - started >= 0.5


@pytest.mark.parametrize("pwsh", LONG_ENGINES)
def test_the_time_of_an_answer_is_the_time_at_which_it_was_given(pwsh: str) -> None:
    """A deadline is reckoned from it: by the time at which the agent began, a slow shell would take
    its part of the next call.
    """
    with Lab([Site("birke", ("2016",))], pwsh=pwsh) as lab:
        lab.client().latency("birke-ex1", shell=2.0)
        began = datetime.datetime.now(datetime.timezone.utc)
        answer = ask(lab.hosts["birke-ex1"])[1]
        assert answer is not None
        told = datetime.datetime.strptime(answer["host"]["time_utc"], "%Y-%m-%dT%H:%M:%S.%fZ")
        given = told.replace(tzinfo=datetime.timezone.utc)
        assert began + datetime.timedelta(seconds=2) <= given
        assert given <= datetime.datetime.now(datetime.timezone.utc)


def test_a_fault_that_makes_no_sense_is_refused(client: LabClient) -> None:
    for about in (
        {"kind": "rust"},
        {"kind": "cut", "moment": "later"},
        {"kind": "cut", "at": "moon"},
        {"kind": "cut", "nth": 0},
        {"kind": "winrm", "at": "call:*"},
        {"kind": "change"},
        {"kind": "cut", "colour": "red"},
    ):
        with pytest.raises(LabError):
            client.fault("birke-ex1", **about)
    with pytest.raises(LabError, match="no host 'elsewhere'"):
        client.fault("elsewhere", kind="cut")
