# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of Exchange Online's cmdlets over REST, as Microsoft's own PowerShell module calls them.

InvokeCommand is not documented and not supported by Microsoft for others. What is asked for here,
headers, batches and shapes of answers, is what public clients send and get. The documented Admin
API (preview, adminapi/v2.0) has neither connectors nor rules, and of the organization's settings
those of MailTips alone: Microsoft says that its answer is cut to these when the preview ends. So
accepted domains are all that a lock could read by it.
"""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import json
import re
import types
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import errors
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.errors import (
    ExchangeOnlineError,
    Refused,
    Unclear,
    Unreachable,
    Unreadable,
    plain,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.tokens import (
    Tokens,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.web import (
    Response,
    Web,
)

Row = t.Mapping[str, t.Any]
_ANCHOR = "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@"
_PAGE = 1000
_MOST_PAGES = 50
_MOST_IN_BATCH = 10
_SECONDS_IN_TEXT = re.compile(r"([0-9]{1,5}) seconds?\W*$")
# With the first a service has not begun with a request; with the second it may have.
_BUSY, _AWAY = 429, 503
DOCUMENTED: t.Mapping[str, str] = types.MappingProxyType({"Get-AcceptedDomain": "AcceptedDomain"})
"""Cmdlet → its endpoint in the documented Admin API, of those that a lock reads."""
PATIENCE = 120.0
"""How long a run waits in all, in seconds, where the service is busy."""


@dataclass(frozen=True)
class Call:
    """One cmdlet with its parameters."""

    cmdlet: str
    parameters: t.Mapping[str, t.Any] = field(default_factory=dict, repr=False)

    def body(self) -> dict[str, t.Any]:
        """What InvokeCommand takes."""
        return {"CmdletInput": {"CmdletName": self.cmdlet, "Parameters": dict(self.parameters)}}


@dataclass(frozen=True)
class Answer:
    """The objects that a cmdlet gave, all of them, and what it warned of."""

    rows: tuple[Row, ...] = ()
    warnings: tuple[str, ...] = ()


class ExchangeOnline:
    """One tenant. `clock` is what the service's clock said last; None where it does not tell.
    `documented`: what the documented Admin API has is read by it.
    """

    def __init__(
        self, tenant: str, api: str, tokens: Tokens, web: Web, *, documented: bool = False
    ) -> None:
        self.tenant, self._api, self._tokens, self._web = tenant, api.rstrip("/"), tokens, web
        self._documented = DOCUMENTED if documented else {}
        self.clock: datetime.datetime | None = None
        self._patience = PATIENCE

    @property
    def requests(self) -> int:
        """How many requests were sent, those for the token among them."""
        return self._web.requests

    @property
    def where(self) -> str:
        """The tenant, for the beginning of a sentence."""
        return f"Exchange Online (tenant {self.tenant})"

    def __enter__(self) -> ExchangeOnline:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._web.close()

    # ------------------------------------------------------------ what can be asked

    def read(self, calls: t.Sequence[Call]) -> list[Answer | ExchangeOnlineError]:
        """What each of the calls gives, or why it gives nothing; one request for ten of them.

        Raises ExchangeOnlineError where none of them could be asked.
        """
        batched = [call for call in calls if call.cmdlet not in self._documented]
        answers: dict[str, Answer | ExchangeOnlineError] = {}
        for first in range(0, len(batched), _MOST_IN_BATCH):
            some = batched[first : first + _MOST_IN_BATCH]
            answers.update(zip((call.cmdlet for call in some), self._batch(some)))
        for call in calls:
            if call.cmdlet in self._documented:
                answers[call.cmdlet] = self._by_documentation(call)
        return [answers[call.cmdlet] for call in calls]

    def _by_documentation(self, call: Call) -> Answer | ExchangeOnlineError:
        path = f"/adminapi/v2.0/{self.tenant}/{self._documented[call.cmdlet]}"
        try:
            response = self._post(path, call.body(), call.cmdlet, again=True)
            if response.status_code in (401, 403):
                return errors.not_documented_for(call.cmdlet, self.where, response.status_code)
            return self._answer(call, response.status_code, response.text)
        except Unreachable:
            raise
        except ExchangeOnlineError as error:
            return error

    def write(self, call: Call) -> Answer:
        """Run a cmdlet that changes something; never twice. Raises ExchangeOnlineError.

        It is asked for one property alone of what it gives: some settings come compressed, which
        ends in an error after the change was made (CIPP).
        """
        path = f"{self._path('InvokeCommand')}?$select=Name"
        response = self._post(path, call.body(), call.cmdlet, again=False)
        return self._answer(call, response.status_code, response.text, whole=False)

    def fetch(self, path: str) -> Response:
        """One GET, repeated where the service is busy or wants a new token. Raises
        ExchangeOnlineError.
        """
        return self._send("GET", path, None, {"Accept": "application/json"}, again=True)

    def path_of(self, link: t.Any) -> str:
        """What of a link to more is behind this service's address; empty where it leads away."""
        start = f"{self._api}/"
        return link[len(self._api) :] if isinstance(link, str) and link.startswith(start) else ""

    def cmdlets(self) -> frozenset[str] | None:
        """The names of the cmdlets that this app may run, in lower case; None where the service
        does not tell. Raises ExchangeOnlineError.
        """
        path = f"/adminapi/v1.0/{self.tenant}/EXOModuleFile?Version=3.7.1"
        response = self._send("GET", path, None, {"CommandName": "*"}, again=True)
        if response.status_code in (401, 403):
            raise errors.refused("any cmdlet", self.where, response.status_code, response.text)
        names: list[str] = []
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            value = json.loads(response.text)["value"]
            for row in value if isinstance(value, list) else [value]:
                exported = row["exportedCmdlets"]
                names += exported.split(",") if isinstance(exported, str) else map(str, exported)
        return frozenset(name.strip().lower() for name in names if name.strip()) or None

    # ------------------------------------------------------------ several reads in one request

    def _batch(self, calls: t.Sequence[Call]) -> list[Answer | ExchangeOnlineError]:
        requests = [
            {
                "id": str(number),
                "method": "POST",
                "url": self._path("InvokeCommand"),
                "headers": {**self._headers(call.cmdlet), "Content-Type": "application/json"},
                "body": call.body(),
            }
            for number, call in enumerate(calls)
        ]
        response = self._post(self._path("$batch"), {"requests": requests}, "", again=True)
        if response.status_code in (400, 404, 405, 415, 501):
            # A service that knows no batch of these is asked one by one.
            return [self._single(call) for call in calls]
        if response.status_code != 200:
            raise self._failure("what is read", response.status_code, response.text)
        given = self._in_batch(response.text)
        answers: list[Answer | ExchangeOnlineError] = []
        for number, call in enumerate(calls):
            status, text = given.get(str(number), (0, ""))
            if status in (0, 401, _BUSY) or status >= 500:
                answers.append(self._single(call))
                continue
            try:
                answers.append(self._answer(call, status, text))
            except ExchangeOnlineError as error:
                answers.append(error)
        return answers

    def _in_batch(self, text: str) -> dict[str, tuple[int, str]]:
        """Id → status and body, as a text."""
        try:
            responses = json.loads(text)["responses"]
            return {
                str(response["id"]): (
                    int(response["status"]),
                    response["body"]
                    if isinstance(response["body"], str)
                    else json.dumps(response["body"]),
                )
                for response in responses
                if "body" in response
            }
        except (ValueError, KeyError, TypeError):
            raise Unreadable(
                f"{self.where} answered several questions with something that is no answer to "
                f"them: {plain(text)[:200] or 'nothing'}."
            ) from None

    def _single(self, call: Call) -> Answer | ExchangeOnlineError:
        try:
            response = self._post(self._path("InvokeCommand"), call.body(), call.cmdlet, again=True)
            return self._answer(call, response.status_code, response.text)
        except Unreachable:
            raise
        except ExchangeOnlineError as error:
            return error

    # ------------------------------------------------------------ one answer

    def _answer(self, call: Call, status: int, text: str, *, whole: bool = True) -> Answer:
        """The objects of an answer. `whole`: what is missing is an error."""
        rows: list[Row] = []
        pages: set[str] = set()
        while True:
            if not 200 <= status < 300:
                if pages:
                    raise Unreadable(
                        f"{self.where} gave a part of {call.cmdlet} only: the next page was "
                        f"refused ({status}). What is missing is not known."
                    )
                raise self._failure(call.cmdlet, status, text)
            document = self._document(call, text)
            self._complain(call, status, document)
            value = document.get("value")
            if value is None:
                # A cmdlet that gives nothing answers without a body, or with warnings alone.
                value = []
            if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
                raise Unreadable(
                    f"{self.where} answered {call.cmdlet} with something that is no list of "
                    "objects."
                )
            rows += value
            link = document.get("@odata.nextLink")
            if not link or not whole:
                # What a page with a link warns of is that there is more, which is fetched.
                warnings = _texts(document.get("@adminapi.warnings"))
                return Answer(tuple(rows), tuple(warnings))
            if not self._is_ours(link) or link in pages or len(pages) >= _MOST_PAGES:
                raise Unreadable(
                    f"{self.where} gave a part of {call.cmdlet} only, and no way to the rest. "
                    "What is missing is not known."
                )
            pages.add(link)
            response = self._post(link[len(self._api) :], call.body(), call.cmdlet, again=True)
            status, text = response.status_code, response.text

    def _complain(self, call: Call, status: int, document: t.Mapping[str, t.Any]) -> None:
        """Raise for an answer that says well and means something else, as Microsoft's own module
        knows them: with errors beside its rows, or with a question in place of what was asked.
        """
        wrong = _texts(document.get("@adminapi.errors"))
        if wrong:
            raise Unclear(f"{self.where} had an error with {call.cmdlet}: {' '.join(wrong)}")
        if document.get("error"):
            raise errors.refused(call.cmdlet, self.where, status, json.dumps(dict(document)))
        asked = document.get("@adminapi.confirmationmessage")
        if asked:
            raise Refused(
                f"{self.where} did nothing for {call.cmdlet}, and asks: {plain(asked)}",
                status=status,
            )

    def _is_ours(self, link: t.Any) -> bool:
        """The token goes nowhere else, whatever an answer says."""
        return isinstance(link, str) and link.startswith(f"{self._api}/adminapi/")

    def _document(self, call: Call, text: str) -> t.Mapping[str, t.Any]:
        if not text.strip():
            return {}
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise Unreadable(
                f"{self.where} answered {call.cmdlet} with something that is not JSON: "
                f"{plain(text)[:200]}."
            )
        return document

    def _failure(self, what: str, status: int, text: str) -> ExchangeOnlineError:
        if 300 <= status < 400:
            return Unreadable(
                f"{self.where} sends {what} elsewhere ({status}), which is not followed. Is "
                "mailedge_exchange_online_cloud, or the option cloud, the right one?"
            )
        if status >= 500:
            said = errors.told(text)[1]
            return Unclear(
                f"{self.where} had an error of its own with {what} ({status})"
                f"{f': {said}' if said else ''}".rstrip(".")
                + "."
            )
        return errors.refused(what, self.where, status, text)

    # ------------------------------------------------------------ one request

    def _path(self, endpoint: str) -> str:
        return f"/adminapi/beta/{self.tenant}/{endpoint}"

    def _headers(self, cmdlet: str) -> dict[str, str]:
        named = {"X-CmdletName": cmdlet} if cmdlet else {}
        return {
            "Accept": "application/json",
            "X-AnchorMailbox": f"{_ANCHOR}{self.tenant}",
            "X-ResponseFormat": "json",
            "Prefer": f"odata.maxpagesize={_PAGE}" + ("" if cmdlet else ";odata.continue-on-error"),
            **named,
        }

    def _post(self, path: str, body: t.Any, cmdlet: str, *, again: bool) -> Response:
        return self._send("POST", path, body, self._headers(cmdlet), again=again)

    def _send(
        self, method: str, path: str, body: t.Any, headers: t.Mapping[str, str], *, again: bool
    ) -> Response:
        """One request, repeated where the service has certainly not begun with it: while it is
        busy, once with a new token. `again`: also where it may have, since nothing is changed.
        """
        data = None
        given = dict(headers)
        if body is not None:
            data = json.dumps(body).encode()
            given["Content-Type"] = "application/json; charset=utf-8"
        renewed, tries = False, 2 if again else 0
        token = self._tokens.token()
        while True:
            try:
                response = self._web.send(
                    method, f"{self._api}{path}", data=data, headers=given, bearer=token
                )
            except Unreachable:
                if not tries:
                    raise
                tries -= 1
                if not self._wait(1.0):
                    raise
                continue
            self.clock = _date(response.headers.get("Date")) or self.clock
            status = response.status_code
            if status == 401 and not renewed:
                renewed, token = True, self._tokens.token(new=True)
                continue
            if status == _BUSY and self._wait(_pause(response)):
                continue
            if status >= 500 and tries:
                tries -= 1
                if self._wait(_pause(response) if status == _AWAY else 2.0):
                    continue
            return response

    def _wait(self, seconds: float) -> bool:
        """Wait, unless that would be longer than this run waits in all."""
        if seconds > self._patience:
            return False
        self._patience -= seconds
        self._web.sleep(seconds)
        return True


def _pause(response: Response) -> float:
    """How long a busy service asks to wait, in seconds: in a header, or at the end of its text."""
    asked = str(response.headers.get("Retry-After") or "").strip()
    if asked.isdigit():
        return max(1.0, float(asked))
    moment, now = _date(asked), _date(response.headers.get("Date"))
    if moment and now:
        return max(1.0, (moment - now).total_seconds())
    in_text = _SECONDS_IN_TEXT.search(errors.told(response.text)[1])
    return max(1.0, float(in_text[1])) if in_text else 5.0


def _texts(value: t.Any) -> list[str]:
    if isinstance(value, str):
        value = [value]
    return [plain(text) for text in value] if isinstance(value, list) else []


def _date(header: str | None) -> datetime.datetime | None:
    """The time of an HTTP date, whole seconds in UTC; None for what is none."""
    try:
        moment = email.utils.parsedate_to_datetime(header or "")
    except (TypeError, ValueError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)
