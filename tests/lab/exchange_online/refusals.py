# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's Exchange Online says no with: statuses, bodies, classes of errors.

Known from: a client that was measured on a tenant in July 2026 (rknightion/graph2otel:
`error.message` is always "Invalid Operation", the text stands in
`innererror.internalexception.message`, nearly every failure of a cmdlet is 400, the body of 403 is
a run of NUL bytes), scripts that quote `Ex6F9304|class|text` (the form of `details[].message`), and
CIPP (which reads `internalException`). The words of each error are where it is raised; those of 401
and 429 are unverified.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

JSON = "application/json; charset=utf-8"
_TASKS = "Microsoft.Exchange.Configuration.Tasks."
_BINDING = "System.Management.Automation."

NOT_FOUND = f"{_TASKS}ManagementObjectNotFoundException"
INVALID = "Microsoft.Exchange.Data.DataValidationException"
INVALID_OPERATION = f"{_TASKS}TaskInvalidOperationException"
EXISTS = "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException"
BINDING = f"{_BINDING}ParameterBindingException"
TRANSFORMATION = f"{_BINDING}ParameterBindingArgumentTransformationException"
RULES = "Microsoft.Exchange.MessagingPolicies.Rules.Tasks."


class Answer(t.NamedTuple):
    """Of an HTTP server: status, type of content, body, more headers."""

    status: int
    body: bytes
    kind: str = JSON
    headers: t.Mapping[str, str] = {}


class Refused(Exception):
    """Raised where a request does not get as far as a cmdlet."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class CmdletError(Exception):
    """What a cmdlet ends with. `kind`: the class, as .NET names it."""

    def __init__(self, kind: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.kind, self.message, self.status = kind, message, status


def answered(status: int, document: t.Any, **headers: str) -> Answer:
    """A JSON document as an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(document).encode(), JSON, named)


def of_cmdlet(error: CmdletError, inner: str) -> dict[str, t.Any]:
    """The body for an error of a cmdlet. `inner`: how the innermost exception is called."""
    number = hashlib.sha256(error.kind.encode()).hexdigest()[:6].upper()
    return {
        "error": {
            "code": "BadRequest",
            "message": "Invalid Operation",
            "details": [
                {
                    "code": "Context",
                    "target": "",
                    "message": f"Ex{number}|{error.kind}|{error.message}",
                }
            ],
            "innererror": {
                "message": "Invalid Operation",
                "type": "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
                "stacktrace": "",
                inner: {"message": error.message, "type": error.kind, "stacktrace": ""},
            },
        }
    }


def malformed(text: str) -> Answer:
    """A request that OData does not understand; words unverified."""
    return answered(400, {"error": {"code": "BadRequest", "message": text}})


def no_route() -> Answer:
    """An address that there is not; unverified what stands in the body."""
    return answered(404, {"error": {"code": "NotFound", "message": "Resource not found."}})


def unauthorized(why: str) -> Answer:
    """A token that is none, of somebody else, or too old. The body is empty; what stands in the
    header is unverified.
    """
    challenge = f'Bearer client_id="00000002-0000-0ff1-ce00-000000000000", error="{why}"'
    return Answer(401, b"", "text/plain", {"WWW-Authenticate": challenge})


def forbidden() -> Answer:
    """A cmdlet that the app has no role for, or that there is not: NUL bytes, called JSON."""
    return Answer(403, bytes(512), JSON)


def throttled(seconds: int, after: str) -> Answer:
    """Too many requests. The last words of the message are a number and "seconds"; some answers
    have no `Retry-After` (none was seen by those who measured), which is `after`.
    """
    text = f"The request was throttled. Retry after {seconds} seconds"
    more = {"Retry_After": after} if after else {}
    return answered(429, {"error": {"code": "TooManyRequests", "message": text}}, **more)
