# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's Admin API by itself: the shapes and refusals of facts exchange_online §1.5 and §1.6, as
proof_and_cloud §3.2 corrects them.
"""

from __future__ import annotations

import datetime
import email.utils
import http.client
import time
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.api import (
    COMPRESSED,
    EXPIRED_LINK,
    MORE_RESULTS,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.authority import (
    MANAGE_AS_APP,
    MANAGE_AS_APP_V2,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import ExchangeOnline
from ansible_collections.mailedge.lockdown.tests.support.exchange_online import (
    Answer,
    Request,
    ask,
    invoke,
    token_of,
)

CONNECTOR = {"Name": "filter", "SenderDomains": ["*"], "ConnectorType": "Partner"}
Do = t.Callable[..., Answer]


@pytest.fixture
def online() -> t.Iterator[ExchangeOnline]:
    with ExchangeOnline() as running:
        yield running


@pytest.fixture
def do(online: ExchangeOnline) -> Do:
    token = token_of(online, online.writer)

    def call(cmdlet: str, parameters: dict[str, t.Any] | None = None, **more: str) -> Answer:
        return ask(online, invoke(online, cmdlet, parameters, **more), token=token)

    return call


def test_a_complete_answer_has_empty_warnings_and_no_next_link(do: Do) -> None:
    document = do("Get-AcceptedDomain").document
    assert document["@adminapi.warnings"] == []
    assert document["adminapi.warnings@odata.type"] == "#Collection(String)"
    assert "@odata.nextLink" not in document
    assert document["@odata.context"].startswith("https://127.0.0.1:")
    names = [row["DomainName"] for row in document["value"]]
    assert names == ["hafen-lab.onmicrosoft.com", "hafen-lab.mail.onmicrosoft.com", "hafen.example"]


def test_nothing_there_is_an_empty_list(do: Do) -> None:
    assert do("Get-InboundConnector").rows == []


def test_select_gives_only_what_was_asked_for(do: Do) -> None:
    (row,) = do("Get-OrganizationConfig", select="RejectDirectSend,Name").rows
    assert row == {"RejectDirectSend": False, "Name": "hafen-lab.onmicrosoft.com"}


def test_properties_have_their_types_beside_them(do: Do) -> None:
    do("New-InboundConnector", CONNECTOR)
    (row,) = do("Get-InboundConnector").rows
    assert row["SenderDomains@odata.type"] == "#Collection(String)"
    assert row["WhenChanged@data.type"] == "System.DateTime"


def test_a_long_answer_is_cut_and_says_so(online: ExchangeOnline, do: Do) -> None:
    """proof_and_cloud §3.2: the link is answered 400 however it is replayed; rows that came are
    right, and not all.
    """
    for number in range(5):
        do("New-InboundConnector", {**CONNECTOR, "Name": f"c{number}"})
    assert len(do("Get-InboundConnector").rows) == 5
    online.api.page = 3
    document = do("Get-InboundConnector").document
    assert len(document["value"]) == 3
    assert document["@adminapi.warnings"] == [MORE_RESULTS]
    path = document["@odata.nextLink"].removeprefix(online.api_url)
    request = invoke(online, "Get-InboundConnector")
    request.path = path
    refused = ask(online, request)
    assert refused.error[1] == EXPIRED_LINK
    assert len(do("Get-InboundConnector", {"ResultSize": "Unlimited"}).rows) == 5
    assert len(do("Get-InboundConnector", {"ResultSize": 2}).rows) == 2
    cut = do("Get-InboundConnector", {"ResultSize": "Unlimited"}, Prefer="odata.maxpagesize=2")
    assert len(cut.rows) == 2
    assert "@odata.nextLink" in cut.document


def test_a_next_link_may_work(online: ExchangeOnline, do: Do) -> None:
    """CIPP posts the same body to it (facts §1.5)."""
    for number in range(5):
        do("New-InboundConnector", {**CONNECTOR, "Name": f"c{number}"})
    online.api.page, online.api.links_work = 2, True
    document = do("Get-InboundConnector").document
    names = [row["Name"] for row in document["value"]]
    while "@odata.nextLink" in document:
        request = invoke(online, "Get-InboundConnector")
        request.path = document["@odata.nextLink"].removeprefix(online.api_url)
        document = ask(online, request).document
        names += [row["Name"] for row in document["value"]]
    assert names == [f"c{number}" for number in range(5)]


def test_an_error_says_what_it_is_two_levels_down(online: ExchangeOnline, do: Do) -> None:
    refused = do("Set-InboundConnector", {"Identity": "nobody"})
    error = refused.document["error"]
    assert (refused.status, error["message"]) == (400, "Invalid Operation")
    inner = error["innererror"]["internalexception"]
    assert inner["type"].endswith(".ManagementObjectNotFoundException")
    assert "'nobody' couldn't be found" in inner["message"]
    _number, kind, text = error["details"][0]["message"].split("|")
    assert (kind, text) == (inner["type"], inner["message"])
    online.api.inner = "internalException"
    again = do("Set-InboundConnector", {"Identity": "nobody"}).document["error"]
    assert set(again["innererror"]) == {"message", "type", "stacktrace", "internalException"}


def test_what_is_no_call_of_a_cmdlet_is_refused(online: ExchangeOnline) -> None:
    token = token_of(online, online.writer)

    def status(**changed: t.Any) -> int:
        request = invoke(online, "Get-InboundConnector")
        for name, value in changed.items():
            setattr(request, name, value)
        return ask(online, request, token=token).status

    path = f"/adminapi/beta/{online.tenant.id}"
    plain = invoke(online, "Get-InboundConnector").headers
    assert status() == 200
    assert status(method="GET") == 405
    assert status(path=f"{path}/InvokeNothing") == 404
    assert status(path="/ews/exchange.asmx") == 404
    assert status(path="/adminapi/beta/11111111-2222-3333-4444-555555555555/InvokeCommand") == 401
    assert status(document={"CmdletName": "Get-InboundConnector"}) == 400
    assert status(document=[1]) == 400
    assert status(headers={**plain, "Content-Type": "text/plain"}) == 415
    assert status(headers={**plain, "X-AnchorMailbox": "APP:somebody@else.example"}) == 400


def test_the_module_file_tells_what_an_app_may_do(online: ExchangeOnline) -> None:
    """Facts §1.5: the cheap pre-flight."""
    path = f"/adminapi/v1.0/{online.tenant.id}/EXOModuleFile?Version=3.9.0"
    request = Request("GET", path, headers={"CommandName": "*"})

    def cmdlets(app: t.Any) -> set[str]:
        (row,) = ask(online, request, app=app).rows
        return set(row["exportedCmdlets"].split(","))

    assert {"New-InboundConnector", "Set-OrganizationConfig"} <= cmdlets(online.writer)
    assert all(name.startswith("Get-") for name in cmdlets(online.reader))
    assert ask(online, Request("GET", path)).status == 400


def test_the_documented_api_reads_two_things(online: ExchangeOnline) -> None:
    """Facts §1.6: POST alone, AcceptedDomain and OrganizationConfig, ManageAsAppV2."""

    def v2(endpoint: str, cmdlet: str, method: str = "POST", **parameters: t.Any) -> Answer:
        request = invoke(online, cmdlet, parameters)
        request.method, request.path = method, f"/adminapi/v2.0/{online.tenant.id}/{endpoint}"
        return ask(online, request)

    assert len(v2("AcceptedDomain", "Get-AcceptedDomain").rows) == 3
    assert len(v2("AcceptedDomain", "Get-AcceptedDomain", ResultSize="Unlimited").rows) == 3
    (settings,) = v2("OrganizationConfig", "Get-OrganizationConfig").rows
    assert settings["Name"] == online.tenant.initial
    assert "RejectDirectSend" not in settings, "those of MailTips alone"
    assert v2("OrganizationConfig", "Get-OrganizationConfig", Identity="x").status == 400
    assert v2("OrganizationConfig", "Set-OrganizationConfig").status == 404
    assert v2("InboundConnector", "Get-InboundConnector").status == 404
    assert v2("AcceptedDomain", "Get-AcceptedDomain", "GET").status == 405
    online.writer.app_roles = {MANAGE_AS_APP}
    assert v2("AcceptedDomain", "Get-AcceptedDomain").status == 401
    online.writer.app_roles = {MANAGE_AS_APP_V2}
    assert v2("AcceptedDomain", "Get-AcceptedDomain").status == 200
    assert ask(online, invoke(online, "Get-AcceptedDomain")).status == 401


def batch(
    online: ExchangeOnline, calls: list[tuple[str, dict[str, t.Any]]], **headers: str
) -> Answer:
    parts = []
    for number, (cmdlet, parameters) in enumerate(calls):
        invocation = invoke(online, cmdlet, parameters)
        parts.append(
            {
                "id": str(number),
                "method": "POST",
                "url": f"{online.api_url}{invocation.path}",
                "headers": invocation.headers,
                "body": invocation.document,
            }
        )
    request = invoke(online, "batch")
    request.headers.update(headers)
    request.path, request.document = (
        f"/adminapi/beta/{online.tenant.id}/$batch",
        {"requests": parts},
    )
    return ask(online, request)


def test_a_batch_is_one_request(online: ExchangeOnline) -> None:
    """Facts §1.5: ten at most, and they go on after an error where they are told to."""
    calls: list[tuple[str, dict[str, t.Any]]] = [
        ("Get-InboundConnector", {}),
        ("Set-InboundConnector", {"Identity": "nobody"}),
        ("Get-OrganizationConfig", {}),
    ]
    online.reset_counters()
    answer = batch(online, calls, Prefer="odata.continue-on-error").document["responses"]
    assert [(response["id"], response["status"]) for response in answer] == [
        ("0", 200),
        ("1", 400),
        ("2", 200),
    ]
    assert answer[2]["body"]["value"][0]["RejectDirectSend"] is False
    assert online.requests == 1
    assert online.writes == 1
    ended = batch(online, calls).document["responses"]
    assert [response["status"] for response in ended] == [200, 400]
    assert batch(online, [("Get-InboundConnector", {})] * 11).status == 400
    online.arm(forbidden={"Get-TransportRule"})
    (response,) = batch(online, [("Get-TransportRule", {})]).document["responses"]
    assert (response["status"], set(response["body"])) == (403, {"\0"})


def test_a_batch_goes_wrong_on_demand(online: ExchangeOnline) -> None:
    calls: list[tuple[str, dict[str, t.Any]]] = [("Get-InboundConnector", {})] * 4
    online.arm(parts={0: 401, 1: 429, 2: 503}, retry_after=3, shuffled=True)
    answers = batch(online, calls, Prefer="odata.continue-on-error").document["responses"]
    assert [(response["id"], response["status"]) for response in answers] == [
        ("3", 200),
        ("2", 503),
        ("1", 429),
        ("0", 401),
    ]
    assert answers[2]["headers"]["Retry-After"] == "3"
    online.arm(no_batch=404)
    assert batch(online, calls).status == 404
    assert ask(online, invoke(online, "Get-InboundConnector")).status == 200


def test_an_answer_with_status_200_may_hold_errors(online: ExchangeOnline, do: Do) -> None:
    """Microsoft's module shows `@adminapi.errors` as what they are."""
    online.arm(errors={"New-InboundConnector": ["The write did not reach the directory."]})
    answer = do("New-InboundConnector", CONNECTOR)
    assert answer.rows == []
    assert answer.document["@adminapi.errors"] == ["The write did not reach the directory."]
    assert do("Get-InboundConnector").rows == []


def test_answers_carry_the_date_of_the_service(online: ExchangeOnline, do: Do) -> None:
    def date(text: str) -> datetime.datetime:
        return email.utils.parsedate_to_datetime(text)

    now = datetime.datetime.now(datetime.timezone.utc)
    assert abs(date(do("Get-InboundConnector").headers["Date"]) - now).total_seconds() < 5
    online.api.clock_ahead = 7200
    refused_at = date(do("Get-InboundConnector").headers["Date"])
    assert 7190 < (refused_at - now).total_seconds() < 7210
    online.arm(throttle=1, retry_after=9, retry_date=True)
    refused = do("Get-InboundConnector")
    waits = date(refused.headers["Retry-After"]) - date(refused.headers["Date"])
    assert 8 <= waits.total_seconds() <= 9


def test_requests_are_throttled_on_demand(online: ExchangeOnline, do: Do) -> None:
    """Facts §1.5: a header, and the same number as the last word but one; §3.2: or no header."""
    online.arm(throttle=2, retry_after=7)
    refused = do("Get-InboundConnector")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "7")
    assert refused.document["error"]["message"].split()[-2:] == ["7", "seconds"]
    online.arm(throttle=1, retry_after=7, retry_header=False)
    refused = do("Get-InboundConnector")
    assert refused.status == 429
    assert "Retry-After" not in refused.headers
    assert do("Get-InboundConnector").status == 200


def test_requests_are_cut_on_demand(online: ExchangeOnline, do: Do) -> None:
    online.arm(cut_before=2)
    assert do("Get-InboundConnector").status == 200
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        do("New-InboundConnector", CONNECTOR)
    assert do("Get-InboundConnector").rows == []
    online.arm(cut_after=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        do("New-InboundConnector", CONNECTOR)
    assert [row["Name"] for row in do("Get-InboundConnector").rows] == ["filter"]
    online.arm(unreachable_after=1)
    do("Get-InboundConnector")
    for _time in range(2):
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            do("Get-InboundConnector")


def test_other_things_go_wrong_on_demand(online: ExchangeOnline, do: Do) -> None:
    online.arm(unauthorized=1)
    assert [do("Get-InboundConnector").status for _time in range(2)] == [401, 200]
    online.arm(unavailable=1)
    assert [do("Get-InboundConnector").status for _time in range(2)] == [503, 200]
    online.arm(instead=(200, "<html>Log in to the guest network</html>"))
    assert do("Get-InboundConnector").body.startswith(b"<html>")
    online.arm(slow=0.2)
    start = time.monotonic()
    do("Get-InboundConnector")
    assert time.monotonic() - start >= 0.2
    online.arm(fail={"Get-InboundConnector": ("Lab.Exception", "No.")})
    assert do("Get-InboundConnector").error == ("Exception", "No.")
    assert do("Get-TransportRule").status == 200
    online.arm(warn={"Set-OrganizationConfig": ["Mind the gap."]})
    document = do("Set-OrganizationConfig", {"RejectDirectSend": True}).document
    assert document["@adminapi.warnings"] == ["Mind the gap."]
    assert "value" not in document
    online.arm(colleague={2: lambda: online.tenant.rows("InboundConnector").clear()})
    do("New-InboundConnector", CONNECTOR)
    assert do("Get-InboundConnector").rows == []


def test_a_write_may_end_with_an_error_and_be_done(online: ExchangeOnline, do: Do) -> None:
    """CIPP: Set-OrganizationConfig without `$select` is carried out and fails to be answered."""
    online.arm(compressed=True)
    refused = do("Set-OrganizationConfig", {"RejectDirectSend": True})
    assert refused.error[1] == COMPRESSED
    assert online.tenant.organization["RejectDirectSend"] is True
    done = do("Set-OrganizationConfig", {"RejectDirectSend": False}, select="Identity")
    assert done.status == 200
    assert online.tenant.organization["RejectDirectSend"] is False


def test_a_write_may_be_lost(online: ExchangeOnline, do: Do) -> None:
    online.tenant.ignores_writes = True
    assert do("New-InboundConnector", CONNECTOR).status == 200
    assert do("Get-InboundConnector").rows == []


def test_requests_and_calls_are_counted(online: ExchangeOnline, do: Do) -> None:
    online.reset_counters()
    do("Get-InboundConnector")
    do("New-InboundConnector", CONNECTOR)
    do("New-InboundConnector", CONNECTOR)
    do("Get-Nothing")
    assert (online.requests, online.logins, online.writes) == (4, 0, 2)
    assert online.api.calls == {"Get-InboundConnector": 1, "New-InboundConnector": 2}
    assert [(line[2], line[3]) for line in online.api.log] == [
        (("Get-InboundConnector",), 200),
        (("New-InboundConnector",), 200),
        (("New-InboundConnector",), 400),
        (("Get-Nothing",), 403),
    ]
