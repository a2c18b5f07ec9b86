# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Exchange Online refuses, and why it cannot be asked, as sentences for the operator."""

from __future__ import annotations

import json
import re
import typing as t

_CONTROL = re.compile(r"[\x00-\x1f\x7f\s]+")
# A detail of an error is "|Microsoft.Exchange...|text" (a client measured 2026-07).
_TYPED = re.compile(r"^\|(?P<kind>[^|]*)\|(?P<text>.*)$", re.DOTALL)
_TYPE_IN_TEXT = re.compile(r"(?:Microsoft\.)?(?:[A-Za-z0-9_]+\.)+(?P<kind>[A-Za-z0-9_]+Exception)")
_LONGEST = 600
_RESTRICTED = re.compile(r"inbound connector.*(restrict|not (?:allowed|available|permitted))", re.I)


class ExchangeOnlineError(Exception):
    """Exchange Online could not be asked, or said no. The message is for the operator."""


class NotInstalled(ExchangeOnlineError):
    """A library is missing on the host that runs the module."""


class TokenRefused(ExchangeOnlineError):
    """There is no token, or one that is not for this tenant. Nothing was sent to the tenant."""


class Unreachable(ExchangeOnlineError):
    """No answer came. `sent`: the request may have arrived."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Refused(ExchangeOnlineError):
    """An answer that says that nothing was done. `status` is that of HTTP, `kind` the class of the
    error over there, as far as it is told; empty otherwise.
    """

    def __init__(self, message: str, *, status: int, kind: str = "") -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


class Unclear(ExchangeOnlineError):
    """An answer of which nobody can tell whether something was done, such as a 500."""


class Unreadable(ExchangeOnlineError):
    """An answer that cannot be understood, or is not the whole one."""


def plain(text: object) -> str:
    """A text of another side on one line, without what cannot be printed, and not too long."""
    line = _CONTROL.sub(" ", str(text)).strip()
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def told(body: str) -> tuple[str, str]:
    """The class of the error in a body, and its text; empty where it has none.

    `error.message` is "Invalid Operation" on every error of a cmdlet: its text is in `innererror`,
    `internalexception` in one spelling or the other, or in `details`, and `message` is the last.
    """
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return "", ""
    if not isinstance(error, dict):
        return "", plain(error) if isinstance(error, str) else ""
    texts = [*_details(error), _inner(error), error.get("message")]
    text = next(
        (candidate for candidate in texts if isinstance(candidate, str) and candidate.strip()), ""
    )
    typed = _TYPED.match(text)
    if typed:
        return typed["kind"].rpartition(".")[2], plain(typed["text"])
    named = _TYPE_IN_TEXT.search(" ".join(filter(None, (_kind(error), text))))
    return (named["kind"] if named else ""), plain(text)


def _details(error: t.Mapping[str, t.Any]) -> t.Iterator[t.Any]:
    details = error.get("details")
    for detail in details if isinstance(details, list) else [details]:
        if isinstance(detail, dict):
            yield detail.get("message")


def _internal(error: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    inner = error.get("innererror")
    for name in ("internalexception", "internalException"):
        if isinstance(inner, dict) and isinstance(inner.get(name), dict):
            return t.cast("t.Mapping[str, t.Any]", inner[name])
    return {}


def _inner(error: t.Mapping[str, t.Any]) -> t.Any:
    return _internal(error).get("message")


def _kind(error: t.Mapping[str, t.Any]) -> str:
    kind = _internal(error).get("type")
    return kind if isinstance(kind, str) else ""


# What ends in this was carried out (CIPP).
_AFTER_ALL = "unsupported compression method"


def not_documented_for(cmdlet: str, where: str, status: int) -> ExchangeOnlineError:
    """The error for an app that the documented Admin API does not hear."""
    return Refused(
        f"{where} does not let this app run {cmdlet} by the documented Admin API ({status}). Give "
        "it the app role Exchange.ManageAsAppV2 beside Exchange.ManageAsApp, and a role in the "
        "tenant, or set documented_api to false.",
        status=status,
    )


def refused(cmdlet: str, where: str, status: int, body: str) -> ExchangeOnlineError:
    """The error for an answer that refuses a cmdlet, with what to do where that is known."""
    kind, text = told(body)
    said = f": {text}" if text else ""
    if _AFTER_ALL in text:
        return Unclear(f"{where} could not show what became of {cmdlet} ({status}){said}")
    if status == 403:
        return Refused(
            f"{where} does not let this app run {cmdlet} (403){said}. Give it the app role "
            "Exchange.ManageAsApp and a role in the tenant: Exchange Administrator, or a role "
            "group of its own, to change something; Global Reader or Security Reader to read.",
            status=status,
            kind=kind,
        )
    if status == 401:
        return Refused(
            f"{where} accepts no token of this app (401), also a new one{said}. The app has "
            "neither the app role Exchange.ManageAsApp nor a role in the tenant, or is another "
            "tenant's.",
            status=status,
            kind=kind,
        )
    if status == 429:
        return Refused(
            f"{where} is busy with too many requests (429), and was so for as long as this run "
            "waits. Run it again later.",
            status=status,
            kind=kind,
        )
    more = ""
    if _RESTRICTED.search(text):
        more = (
            " Some tenants, such as E5 developer and trial ones, may have no inbound connectors: "
            "ask Microsoft's support, or lock this tenant by a transport rule."
        )
    return Refused(
        f"{where} refused {cmdlet} ({status}{f', {kind}' if kind else ''})"
        f"{said or ' and does not say why'}.{more}".replace("..", "."),
        status=status,
        kind=kind,
    )
