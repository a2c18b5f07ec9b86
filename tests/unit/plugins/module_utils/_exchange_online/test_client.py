# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer is taken for: refused, not known, or not the whole."""

from __future__ import annotations

import json
import types
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import client
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.client import (
    Answer,
    Call,
    ExchangeOnline,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.errors import (
    ExchangeOnlineError,
    Refused,
    Unclear,
    Unreachable,
    Unreadable,
    told,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.web import Response

TENANT = "8f0f9b9e-0c2a-4a55-9d4b-6d1f8f1f2f10"
API = "https://outlook.cloud.example"


class Played:
    """The web, which gives answers from a list; the last one again and again."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers = list(answers)
        self.requests = 0
        self.sent: list[tuple[str, t.Any]] = []
        self.slept: list[float] = []

    def send(self, method: str, url: str, **more: t.Any) -> Response:
        self.requests += 1
        self.sent.append((url, more))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def asked(*answers: Response | Exception) -> tuple[ExchangeOnline, Played]:
    web = Played(*answers)
    tokens = types.SimpleNamespace(token=lambda **_new: "a-token")
    return ExchangeOnline(TENANT, API, t.cast("t.Any", tokens), t.cast("t.Any", web)), web


def gave(document: t.Any, status: int = 200, **headers: str) -> Response:
    text = document if isinstance(document, str) else json.dumps(document)
    return Response(status, headers, text)


WRITE = Call("Set-InboundConnector", {"Identity": "x"})


# ---------------------------------------------------------------- the words of an error


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        ({"message": "Invalid Operation", "details": [{"message": "|A.B.CException|No."}]},
         "CException", "No."),
        ({"message": "Invalid Operation", "innererror": {"internalexception": {
            "message": "Gone.", "type": "A.GoneException"}}}, "GoneException", "Gone."),
        ({"message": "Invalid Operation", "innererror": {"internalException": {"message": "Ex"}}},
         "", "Ex"),
        ({"message": "Only this"}, "", "Only this"),
        ("a text", "", "a text"),
        (None, "", ""),
    ],
)  # fmt: skip
def test_the_words_of_an_error_are_found_wherever_they_are(
    error: t.Any, kind: str, text: str
) -> None:
    assert told(json.dumps({"error": error})) == (kind, text)


def test_a_body_of_null_bytes_has_no_words() -> None:
    assert told("\0" * 200) == ("", "")


# ---------------------------------------------------------------- writes


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_write_that_may_have_been_made_is_not_repeated(status: int) -> None:
    online, web = asked(gave("", status))
    with pytest.raises(Unclear):
        online.write(WRITE)
    assert web.requests == 1


def test_a_write_without_an_answer_is_not_repeated() -> None:
    online, web = asked(Unreachable("gone", sent=True))
    with pytest.raises(Unreachable):
        online.write(WRITE)
    assert web.requests == 1


def test_a_write_that_was_turned_away_is_repeated() -> None:
    online, web = asked(gave("", 429, **{"Retry-After": "9"}), gave({"value": []}))
    assert online.write(WRITE) == Answer()
    assert web.slept == [9.0]


def test_all_waiting_together_has_an_end() -> None:
    online, web = asked(gave("", 429, **{"Retry-After": "50"}))
    with pytest.raises(Refused):
        online.write(WRITE)
    with pytest.raises(Refused):
        online.write(WRITE)
    assert sum(web.slept) <= client.PATIENCE


def test_the_end_of_a_text_says_how_long_to_wait() -> None:
    busy = gave({"error": {"message": "Too many requests. Try again in 12 seconds"}}, 429)
    online, web = asked(busy, gave({"value": []}))
    online.write(WRITE)
    assert web.slept == [12.0]


# ---------------------------------------------------------------- reads


def only(online: ExchangeOnline) -> Answer | ExchangeOnlineError:
    (answer,) = online.read([Call("Get-InboundConnector")])
    return answer


def batched(document: t.Any, status: int = 200) -> Response:
    return gave({"responses": [{"id": "0", "status": status, "body": document}]})


def test_a_service_without_batches_is_asked_one_by_one() -> None:
    online, web = asked(gave("", 404), gave({"value": [{"Name": "x"}]}))
    assert only(online) == Answer(({"Name": "x"},))
    assert [url.rpartition("/")[2] for url, _more in web.sent] == ["$batch", "InvokeCommand"]


def test_what_is_missing_from_a_batch_is_asked_again() -> None:
    online, _web = asked(gave({"responses": []}), gave({"value": [{"Name": "x"}]}))
    assert only(online) == Answer(({"Name": "x"},))


@pytest.mark.parametrize(
    "link", ["https://elsewhere.example/adminapi/beta/x", f"{API}.evil.example/adminapi/x", 7]
)
def test_a_link_that_leads_elsewhere_is_not_followed(link: t.Any) -> None:
    online, web = asked(batched({"value": [], "@odata.nextLink": link}))
    assert isinstance(only(online), Unreadable)
    assert web.requests == 1


def test_a_link_that_leads_in_a_circle_ends() -> None:
    link = f"{API}/adminapi/beta/{TENANT}/InvokeCommand?$skiptoken=1"
    page = {"value": [], "@odata.nextLink": link}
    online, web = asked(batched(page), gave(page))
    assert isinstance(only(online), Unreadable)
    assert web.requests == 2


@pytest.mark.parametrize("document", [["x"], {"value": {"a": 1}}, {"value": ["x"]}, "no JSON"])
def test_what_is_no_answer_is_not_taken_for_an_empty_one(document: t.Any) -> None:
    online, _web = asked(batched(document))
    assert isinstance(only(online), Unreadable)


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"value": [], "@adminapi.errors": ["It went wrong."]}, Unclear),
        ({"error": {"message": "It went wrong."}}, Refused),
        ({"value": [], "@adminapi.confirmationmessage": "Are you sure?"}, Refused),
    ],
)
def test_an_answer_that_says_well_and_has_done_nothing_is_an_error(
    document: t.Any, kind: type[Exception]
) -> None:
    online, _web = asked(gave(document))
    with pytest.raises(kind):
        online.write(WRITE)
    online, _web = asked(batched(document))
    assert isinstance(only(online), kind)


def test_a_redirection_is_not_followed() -> None:
    online, web = asked(gave("", 302, Location="https://elsewhere.example"))
    with pytest.raises(Unreadable, match="not followed"):
        only(online)
    assert web.requests == 1


def test_the_token_is_no_header_that_a_log_would_show() -> None:
    online, web = asked(batched({"value": []}))
    only(online)
    ((_url, more),) = web.sent
    assert "a-token" not in str(more["headers"]) + str(more["data"])
    assert more["bearer"] == "a-token"


def test_what_may_be_run_is_not_known_from_a_page() -> None:
    assert asked(gave("<html>"))[0].cmdlets() is None
    told_names = asked(gave({"value": [{"exportedCmdlets": "A-B,c-D"}]}))[0].cmdlets()
    assert sorted(told_names or ()) == ["a-b", "c-d"]
