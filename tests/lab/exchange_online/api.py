# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Admin API of the lab's Exchange Online: InvokeCommand, $batch, EXOModuleFile, and the
documented v2.0.

Known from: CIPP and Python clients (facts exchange_online §1.5: the URL, the body, `$select`,
`X-AnchorMailbox`, warnings, batches of ten with `continue-on-error`, EXOModuleFile with
`exportedCmdlets`), Microsoft's Admin API preview (§1.6: endpoints, POST alone, permission
ManageAsAppV2), Microsoft's own module (an answer
with status 200 may have `@adminapi.errors`; `@adminapi.confirmationmessage` where nothing was done
yet), graph2otel (proof_and_cloud §3.2: 401 without any grant, 403 in NUL bytes without a
role, `Prefer: odata.maxpagesize`, a nextLink that cannot be followed). Unverified, and stricter
than any report: a request without `X-AnchorMailbox` of this tenant is refused, a batch of more than
ten is refused, a batch without `continue-on-error` ends at its first failure.
"""

from __future__ import annotations

import dataclasses
import datetime
import email.utils
import json
import re
import threading
import time
import typing as t
import urllib.parse
import uuid
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online import refusals, tokens
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.authority import (
    MANAGE_AS_APP,
    MANAGE_AS_APP_V2,
    App,
    Authority,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.cmdlets import (
    CMDLETS,
    Outcome,
    allowed,
    call,
    spelled,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.objects import Row, shown
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.refusals import (
    INVALID_OPERATION,
    Answer,
    CmdletError,
    Refused,
    answered,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.tenant import Tenant

Headers = t.Mapping[str, str]

ANCHOR = "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}"
MOST_IN_A_BATCH = 10
EXPIRED_LINK = "Expired or Invalid pagination request. Default Expiry time is 00:30:00"
MORE_RESULTS = (
    "There are more results available than are currently displayed. To view them, increase the "
    "value for the ResultSize parameter."
)
COMPRESSED = "The archive entry was compressed using an unsupported compression method."
DOCUMENTED = {
    "AcceptedDomain": ("Get-AcceptedDomain", {"Identity", "ResultSize"}),
    "OrganizationConfig": ("Get-OrganizationConfig", set[str]()),
}
# What Microsoft documents of an answer of OrganizationConfig; that its preview shows all is not to
# be built on. Of AcceptedDomain, unverified, what EWS knew.
SHOWN = {
    "AcceptedDomain": "Name,Identity,Id,Guid,DomainName,DomainType,Default,InitialDomain",
    "OrganizationConfig": "Name,Identity,Id,Guid,MailTipsAllTipsEnabled,"
    "MailTipsExternalRecipientsTipsEnabled,MailTipsLargeAudienceThreshold",
}
_PATH = re.compile(r"/adminapi/(beta|v1\.0|v2\.0)/([^/]+)/([^/?]+)", re.IGNORECASE)
_PAGE = re.compile(r"odata\.maxpagesize\s*=\s*(\d+)", re.IGNORECASE)


@dataclass
class Faults:
    """What goes wrong, until `arm` is called again. Counted in requests to the Admin API, from the
    moment of arming: the first has the number 1. A request that is thrown back for being one too
    many, or for its token, counts as well.
    """

    cut_before: int = 0
    """The request with this number never arrives; its connection ends."""
    cut_after: int = 0
    """The request with this number is carried out; its answer never comes."""
    unreachable_after: int = 0
    """After so many requests nobody is answered any more."""
    slow: float = 0.0
    """Each request takes so many seconds."""
    throttle: int = 0
    """So many requests are answered 429."""
    retry_after: int = 1
    """The seconds that 429 asks to wait."""
    retry_header: bool = True
    """Whether 429 says so in `Retry-After` too, or in words alone."""
    retry_date: bool = False
    """Whether `Retry-After` is a date, as HTTP allows (unverified that it is ever one)."""
    unauthorized: int = 0
    """So many requests are answered 401, whatever their token."""
    unavailable: int = 0
    """So many requests are answered 503, with a page."""
    fail: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Cmdlet → class and words of the error it ends with, each time."""
    forbidden: set[str] = field(default_factory=set)
    """Cmdlets that are answered 403, whoever calls."""
    warn: dict[str, list[str]] = field(default_factory=dict)
    """Cmdlet → warnings that it gives beside its rows."""
    errors: dict[str, list[str]] = field(default_factory=dict)
    """Cmdlet → what went wrong in it, told beside its rows in an answer with status 200
    (`@adminapi.errors`, which Microsoft's module shows as errors); it changes nothing then.
    """
    instead: tuple[int, str] | None = None
    """Status and page that something on the way answers to all requests."""
    colleague: dict[int, t.Callable[[], None]] = field(default_factory=dict)
    """Number of a request → what somebody else does right before it."""
    parts: dict[int, int] = field(default_factory=dict)
    """Number of a request within a batch, from 0 → status that it is answered with."""
    shuffled: bool = False
    """A batch is answered in another order."""
    no_batch: int = 0
    """A batch is answered with this status."""
    compressed: bool = False
    """Set-OrganizationConfig without `$select` is carried out, and ends with an error about a
    compressed property all the same (CIPP; unverified in which form).
    """
    seen: int = 0


class AdminApi:
    """Answers requests, from a tenant and an authority. `log` has one line for each request:
    method, path, cmdlets, status. `calls` counts cmdlets, batched ones too.
    """

    def __init__(self, tenant: Tenant, authority: Authority) -> None:
        self.tenant, self.authority = tenant, authority
        self.url = ""
        self.faults = Faults()
        self.page = 1000
        self.links_work = False
        self.inner = "internalexception"
        self.numbers_as_text = False
        self.clock_ahead = 0.0
        self.requests = 0
        self.calls: dict[str, int] = {}
        self.log: list[tuple[str, str, tuple[str, ...], int]] = []
        self._named: list[str] = []
        self._links: dict[str, tuple[list[Row], int]] = {}
        self._lock = threading.Lock()

    @property
    def writes(self) -> int:
        """How many cmdlets that change something were called."""
        return sum(number for name, number in self.calls.items() if not name.startswith("Get-"))

    def reset_counters(self) -> None:
        """Count from here."""
        self.requests, self.calls, self.log = 0, {}, []

    def answer(self, method: str, target: str, headers: Headers, body: bytes) -> Answer | None:
        """One request; None: the connection ends without an answer."""
        with self._lock:
            faults = self.faults
            faults.seen += 1
            self.requests += 1
            number, self._named = faults.seen, []
            if number in faults.colleague:
                faults.colleague[number]()
            if faults.cut_before == number or 0 < faults.unreachable_after < number:
                self.log.append((method, target, (), 0))
                return None
            if faults.slow:
                time.sleep(faults.slow)
            given = self._on_the_way(faults)
            if given is None:
                try:
                    given = self._answer(method, target, headers, body)
                except Refused as refused:
                    given = refused.answer
            self.log.append((method, target, tuple(self._named), given.status))
            return None if faults.cut_after == number else given

    def _on_the_way(self, faults: Faults) -> Answer | None:
        if faults.instead:
            return Answer(faults.instead[0], faults.instead[1].encode(), "text/html")
        if faults.unavailable:
            faults.unavailable -= 1
            return Answer(503, b"<html><body>Service Unavailable</body></html>", "text/html")
        if faults.throttle:
            faults.throttle -= 1
            return self._throttled(faults)
        if faults.unauthorized:
            faults.unauthorized -= 1
            return refusals.unauthorized("invalid_token")
        return None

    def now(self) -> str:
        """The date of an answer, by the service's clock."""
        moment = self.tenant.clock.now() + datetime.timedelta(seconds=self.clock_ahead)
        return email.utils.format_datetime(moment, usegmt=True)

    def _throttled(self, faults: Faults) -> Answer:
        after = ""
        if faults.retry_header:
            after = str(faults.retry_after)
        if faults.retry_date:
            moment = email.utils.parsedate_to_datetime(self.now())
            moment += datetime.timedelta(seconds=faults.retry_after)
            after = email.utils.format_datetime(moment, usegmt=True)
        return refusals.throttled(faults.retry_after, after)

    # ------------------------------------------------------------ who, and what

    def _app(self, headers: Headers, tenant: str) -> tuple[App, set[str]]:
        """Who asks, and what the token says that it was consented. Raises Refused."""
        scheme, _blank, token = headers.get("authorization", "").partition(" ")
        if scheme.casefold() != "bearer" or not token:
            raise Refused(refusals.unauthorized("invalid_token"))
        try:
            app, claims = self.authority.holder(token)
        except tokens.BadToken as error:
            raise Refused(refusals.unauthorized(str(error))) from None
        if app is None or claims["tid"] != self.tenant.id or tenant.casefold() != self.tenant.id:
            raise Refused(refusals.unauthorized("invalid_tenant"))
        roles = set(claims.get("roles", ()))
        if not roles & {MANAGE_AS_APP, MANAGE_AS_APP_V2}:
            raise Refused(refusals.unauthorized("invalid_token"))
        return app, roles

    def _answer(self, method: str, target: str, headers: Headers, body: bytes) -> Answer:
        url = urllib.parse.urlsplit(target)
        path = _PATH.fullmatch(url.path)
        query = urllib.parse.parse_qs(url.query)
        if path is None:
            raise Refused(refusals.no_route())
        version, tenant, what = path[1].casefold(), path[2], path[3]
        app, roles = self._app(headers, tenant)
        if version == "v2.0":
            return self._documented(method, what, headers, body, app, roles)
        if MANAGE_AS_APP not in roles:
            raise Refused(refusals.unauthorized("invalid_token"))
        if (method, what.casefold()) == ("GET", "exomodulefile"):
            if headers.get("commandname") != "*" or "Version" not in query:
                raise Refused(refusals.malformed("CommandName and Version are required."))
            return answered(200, {"value": [{"exportedCmdlets": ",".join(allowed(app))}]})
        if method != "POST":
            raise Refused(answered(405, {"error": {"code": "MethodNotAllowed", "message": ""}}))
        self._anchor(headers)
        if what.casefold() == "$batch":
            return self._batch(headers, _document(headers, body), app)
        if what.casefold() == "invokecommand":
            return self._invoke(headers, query, _document(headers, body), app)
        raise Refused(refusals.no_route())

    def _anchor(self, headers: Headers) -> None:
        anchor = headers.get("x-anchormailbox", "")
        names = {self.tenant.id, self.tenant.initial}
        if anchor.casefold() not in {f"APP:{ANCHOR}@{name}".casefold() for name in names}:
            raise Refused(refusals.malformed("X-AnchorMailbox is not one of this organization."))

    def _documented(
        self, method: str, what: str, headers: Headers, body: bytes, app: App, roles: set[str]
    ) -> Answer:
        """The Admin API that Microsoft documents."""
        if MANAGE_AS_APP_V2 not in roles:
            raise Refused(refusals.unauthorized("invalid_token"))
        if method != "POST":
            raise Refused(answered(405, {"error": {"code": "MethodNotAllowed", "message": ""}}))
        document = _document(headers, body)
        given = _cmdlet_input(document)
        cmdlet, parameters = DOCUMENTED.get(what, ("", set()))
        if cmdlet != given["CmdletName"]:
            raise Refused(refusals.no_route())
        if not set(given["Parameters"]) <= parameters:
            raise Refused(refusals.malformed("A parameter is not available in this endpoint."))
        return self._invoke(headers, {"$select": [SHOWN[what]]}, document, app)

    # ------------------------------------------------------------ cmdlets

    def _invoke(
        self, headers: Headers, query: t.Mapping[str, list[str]], document: t.Any, app: App
    ) -> Answer:
        given = _cmdlet_input(document)
        if "$skiptoken" in query:
            return self._next(query["$skiptoken"][0])
        name = spelled(given.get("CmdletName"))
        faults = self.faults
        self._named.append(name or str(given.get("CmdletName")))
        if name is None or name not in allowed(app) or name in faults.forbidden:
            return refusals.forbidden()
        self.calls[name] = self.calls.get(name, 0) + 1
        select = [field for part in query.get("$select", ()) for field in part.split(",") if field]
        try:
            if name in faults.fail:
                raise CmdletError(*faults.fail[name])
            if name in faults.errors:
                return answered(200, self._envelope([], faults.errors[name]))
            outcome = call(self.tenant, name, given.get("Parameters"))
            if faults.compressed and name == "Set-OrganizationConfig" and not select:
                raise CmdletError("System.IO.InvalidDataException", COMPRESSED)
        except CmdletError as error:
            return answered(error.status, refusals.of_cmdlet(error, self.inner))
        rows = [shown(row, select) for row in outcome.rows]
        if self.numbers_as_text:
            rows = [{key: _as_text(value) for key, value in row.items()} for row in rows]
        outcome = outcome._replace(
            rows=rows, warnings=[*outcome.warnings, *faults.warn.get(name, [])]
        )
        return self._rows(outcome, headers, name)

    def _envelope(self, warnings: list[str], errors: t.Sequence[str] = ()) -> dict[str, t.Any]:
        """What stands around rows."""
        envelope: dict[str, t.Any] = {
            "@odata.context": f"{self.url}/adminapi/beta/{self.tenant.id}/$metadata"
            "#Collection(Exchange.GenericHashTable)",
            "adminapi.warnings@odata.type": "#Collection(String)",
            "@adminapi.warnings": warnings,
        }
        if errors:
            envelope["adminapi.errors@odata.type"] = "#Collection(String)"
            envelope["@adminapi.errors"] = list(errors)
            envelope["value"] = []
        return envelope

    def _rows(self, outcome: Outcome, headers: Headers, name: str) -> Answer:
        rows, warnings, size = outcome.rows, outcome.warnings, outcome.size
        asked = _PAGE.search(headers.get("prefer", ""))
        page = min(self.page, int(asked[1])) if asked else self.page
        if size.isdigit():
            page = min(page, int(size))
        elif size and not asked:
            page = len(rows)
        answer = self._envelope(warnings)
        if outcome.confirmation:
            answer["@adminapi.confirmationmessage"] = outcome.confirmation
        if len(rows) > page > 0:
            warnings.append(MORE_RESULTS)
            answer["@odata.nextLink"] = self._link(rows[page:], page)
        # A cmdlet that only has something to say gives no rows at all.
        if rows or not warnings or CMDLETS[name].writes is False:
            answer["value"] = rows[:page] if page else rows
        return answered(200, answer)

    def _link(self, rest: list[Row], page: int) -> str:
        token = uuid.uuid4().hex
        self._links[token] = (rest, page)
        return f"{self.url}/adminapi/beta/{self.tenant.id}/InvokeCommand?%24skiptoken={token}"

    def _next(self, token: str) -> Answer:
        rest, page = self._links.pop(token, ([], 0))
        if not self.links_work or not page:
            error = CmdletError(INVALID_OPERATION, EXPIRED_LINK)
            return answered(400, refusals.of_cmdlet(error, self.inner))
        answer: dict[str, t.Any] = {"@adminapi.warnings": [], "value": rest[:page]}
        if len(rest) > page:
            answer["@odata.nextLink"] = self._link(rest[page:], page)
        return answered(200, answer)

    def _batch(self, headers: Headers, document: t.Any, app: App) -> Answer:
        if self.faults.no_batch:
            raise Refused(answered(self.faults.no_batch, {"error": {"code": "NotSupported"}}))
        parts = document.get("requests")
        if not isinstance(parts, list) or not 0 < len(parts) <= MOST_IN_A_BATCH:
            raise Refused(refusals.malformed(f"A batch has 1 to {MOST_IN_A_BATCH} requests."))
        goes_on = "continue-on-error" in headers.get("prefer", "").casefold()
        responses = []
        for number, part in enumerate(parts):
            given = self._part(number, part, app)
            kind = {"Content-Type": given.kind, **given.headers}
            try:
                content = json.loads(given.body)
            except ValueError:
                content = given.body.decode()
            responses.append(
                {"id": part["id"], "status": given.status, "headers": kind, "body": content}
            )
            if given.status >= 400 and not goes_on:
                break
        if self.faults.shuffled:
            responses.reverse()
        return answered(200, {"responses": responses})

    def _part(self, number: int, part: t.Any, app: App) -> Answer:
        if not isinstance(part, dict) or not {"id", "method", "url"} <= set(part):
            raise Refused(refusals.malformed("A request of a batch has id, method and url."))
        url = urllib.parse.urlsplit(str(part["url"]))
        path = _PATH.fullmatch(url.path)
        headers = {
            str(name).casefold(): str(text) for name, text in part.get("headers", {}).items()
        }
        if (
            path is None
            or path[2].casefold() != self.tenant.id
            or path[3].casefold() != "invokecommand"
            or part["method"] != "POST"
        ):
            return refusals.no_route()
        if number in self.faults.parts:
            return self._broken(self.faults.parts[number])
        try:
            self._anchor(headers)
            query = urllib.parse.parse_qs(url.query)
            return self._invoke(headers, query, part.get("body"), app)
        except Refused as refused:
            return refused.answer

    def _broken(self, status: int) -> Answer:
        """What a part of a batch is answered with that goes wrong by itself."""
        if status == 401:
            return refusals.unauthorized("invalid_token")
        if status == 403:
            return refusals.forbidden()
        if status == 429:
            return self._throttled(self.faults)
        return Answer(status, b"<html><body>Service Unavailable</body></html>", "text/html")


def _document(headers: Headers, body: bytes) -> t.Any:
    if not headers.get("content-type", "").casefold().startswith("application/json"):
        raise Refused(answered(415, {"error": {"code": "UnsupportedMediaType", "message": ""}}))
    try:
        document = json.loads(body)
    except ValueError:
        raise Refused(refusals.malformed("The request body is not JSON.")) from None
    if not isinstance(document, dict):
        raise Refused(refusals.malformed("The request body is not an object."))
    return document


def _cmdlet_input(document: t.Any) -> dict[str, t.Any]:
    given = document.get("CmdletInput") if isinstance(document, dict) else None
    if not isinstance(given, dict) or not isinstance(given.get("CmdletName"), str):
        raise Refused(refusals.malformed("CmdletInput with a CmdletName is required."))
    if not isinstance(given.get("Parameters", {}), dict):
        raise Refused(refusals.malformed("Parameters is not an object."))
    return {"Parameters": {}, **given}


def _as_text(value: t.Any) -> t.Any:
    """A number as text; flags are no numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def armed(**faults: t.Any) -> Faults:
    """Faults by name; a wrong name is an error."""
    return dataclasses.replace(Faults(), **faults)
