# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs that know who delivered: which are read, on which version, and what they can tell.

The receive protocol log of whoever answers port 25, and message tracking. Sources: recorded samples
of 2010 and 15.x; protocol-logging.md and message-tracking.md for folders, limits and columns. On
2013 and later the log of the hub transport service is never counted: the senders in it are front
ends. Unverified: the folder of 2007, the form of IPv6 endpoints, and that `authenticated` marks
every session that logged in.
"""

from __future__ import annotations

import datetime
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Address,
    RangeError,
    parse_address,
)

Step = dict[str, t.Any]
Answers = t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]]

FRONTEND, SERVICE, SERVER = "log_frontend", "log_service", "log_server"
PROTOCOL, TRACKING = "log_protocol", "log_tracking"
NAMES: t.Mapping[str, str] = {PROTOCOL: "protocol log", TRACKING: "message tracking log"}

MESSAGES, SESSIONS, LOGINS, NAMED = "messages", "sessions", "logins", "names"
REFUSED, SHUT_OUT = "refused", "shut_out"

MOST_VALUES = 20
"""Of the names that a sender gives itself no more are told apart; they never leave the server."""

_MOST = 2000
_NOTHING_READ = "Not even its newest was read"
_LIMIT = "{}: the limit of {} for the {} was reached."
_CMDLETS = {
    FRONTEND: "Get-FrontendTransportService",
    SERVICE: "Get-TransportService",
    SERVER: "Get-TransportServer",
}
_RECEIVE_LOG, _TRACKING_LOG = "ReceiveProtocolLogPath", "MessageTrackingLogPath"
_EVENT, _DATA, _CONTEXT = "event", "data", "context"


def _rule(name: str, needles: t.Sequence[str], *where: tuple[str, str, str]) -> Step:
    return {
        "name": name,
        "needles": list(needles),
        "where": [{"field": field, "how": how, "text": text} for field, how, text in where],
    }


# The reply to a message that was taken. Those to parts of one (BDAT) begin alike (unverified).
_TAKEN = _rule(
    MESSAGES,
    ["Queued mail for delivery"],
    (_EVENT, "is", ">"),
    (_DATA, "starts", "250 2.6.0 <"),
    (_DATA, "has", "Queued mail for delivery"),
)
_CONNECTED = _rule(SESSIONS, [",+,"], (_EVENT, "is", "+"))
_LOGGED_IN = _rule(LOGINS, ["uthenticated"], (_EVENT, "is", "*"), (_CONTEXT, "is", "authenticated"))
_GREETED = [
    {**_rule(NAMED, [f",<,{verb} "], (_EVENT, "is", "<")), "distinct": _DATA}
    for verb in ("EHLO", "HELO")
]
_REFUSALS = [
    _rule(REFUSED, [f",>,{digit}", f',>,"{digit}'], (_EVENT, "is", ">"), (_DATA, "starts", digit))
    for digit in ("4", "5")
]
# Who may not send at all: no right, no TLS, or no connector. The second is what 2007 and 2010 say
# (unverified).
_NOT_HEARD = [
    _rule(SHUT_OUT, [reply], (_EVENT, "is", ">"), (_DATA, "starts", reply))
    for reply in ("530 5.7.57", "530 5.7.1 ", "421 4.3.2", "451 5.7.3")
]
_RECEIVED = _rule(
    MESSAGES,
    [",SMTP,RECEIVE,"],
    ("source", "is", "SMTP"),
    ("event-id", "is", "RECEIVE"),
)


@dataclass(frozen=True)
class Bounds:
    """How much of each log is read: back to `since` (as ``2026-01-14T10:15:00.000Z``), or so many
    days; the newest `megabytes` at most, and no longer than `seconds`.
    """

    days: int = 14
    since: str = ""
    megabytes: int = 256
    seconds: int = 30

    def options(self) -> Step:
        """As the agent takes them."""
        return {
            "days": self.days,
            "since": self.since,
            "bytes": self.megabytes << 20,
            "seconds": self.seconds,
            "most": _MOST,
            "most_values": MOST_VALUES,
        }


_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,7})?Z")


def moment(text: str) -> str:
    """A time in UTC as the logs have it. Raises ValueError, with a sentence."""
    match = _MOMENT.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        datetime.datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        raise ValueError(f"'{text}' is not a time in UTC such as 2026-01-14T10:15:00Z.") from None
    return f"{match[1]}{((match[2] or '.') + '000')[:4]}Z"


def read_steps(host_name: t.Any, bounds: Bounds, *, refusals: bool = False) -> list[Step]:
    """The steps that find the logs and sum them up. None of them can stop a request. `refusals`
    counts who was refused as well.
    """
    steps: list[Step] = []
    for step, cmdlet in _CMDLETS.items():
        select = ["Name", _RECEIVE_LOG]
        if step != FRONTEND:
            select += ["MessageTrackingLogEnabled", _TRACKING_LOG]
        call = {"op": "call", "id": step, "cmdlet": cmdlet, "select": select, "optional": True}
        steps.append({**call, "parameters": {"Identity": host_name}})
    summed = {"op": "log_summary", "optional": True, "time": "date-time", **bounds.options()}
    connector = {"fields": ["connector-id"]}
    steps.append(
        {
            **summed,
            "id": PROTOCOL,
            "folder": [{"step": step, "property": _RECEIVE_LOG} for step in _CMDLETS],
            "prefix": "RECV",
            "key": [connector, {"fields": ["remote-endpoint"], "until_last": ":"}],
            "rules": [
                _TAKEN,
                _CONNECTED,
                _LOGGED_IN,
                *_GREETED,
                *([*_REFUSALS, *_NOT_HEARD] if refusals else []),
            ],
        }
    )
    steps.append(
        {
            **summed,
            "id": TRACKING,
            "folder": [{"step": step, "property": _TRACKING_LOG} for step in (SERVICE, SERVER)],
            "prefix": "MSGTRK",
            "key": [connector, {"fields": ["original-client-ip", "client-ip"]}],
            "rules": [_RECEIVED],
        }
    )
    return steps


@dataclass(frozen=True)
class Count:
    """How often, first and last (as the log has its times); `values` how many names there were."""

    count: int
    first: str
    last: str
    values: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(
            self.count + other.count,
            min(self.first, other.first),
            max(self.last, other.last),
            max(self.values, other.values),
        )


@dataclass(frozen=True)
class Log:
    """One log as it was read. `counts`: rule → (connector, sender) → how often; a sender is an
    Address, or a text that is none. `over`: lines of further senders, by rule. `gaps` are sentences
    about what it cannot tell; `told` is False where it tells nothing at all.
    """

    name: str
    counts: t.Mapping[str, t.Mapping[tuple[str, Address | str], Count]]
    over: t.Mapping[str, int]
    since: str
    covered_from: str
    last: str
    read: t.Mapping[str, int]
    gaps: tuple[str, ...]
    told: bool
    # Whether it reaches back as far as it was asked to, without a hole.
    whole: bool

    def of(self, rule: str) -> t.Mapping[tuple[str, Address | str], Count]:
        """The counts of a rule."""
        return self.counts.get(rule, {})

    def total(self, rule: str) -> int:
        """All of them, those of further senders too."""
        return sum(count.count for count in self.of(rule).values()) + self.over.get(rule, 0)


def understand(step: str, answers: Answers, version: Version, *, edge: bool) -> Log:
    """A log of the agent's answers; `step` is PROTOCOL or TRACKING."""
    rows = answers.get(step) or ()
    name = NAMES[step]
    if not rows:
        return _nothing(name, f"The {name} could not be summed up.")
    row = rows[0]
    if not row.get("from"):
        return _nothing(name, f"The server did not tell where its {name} lies.", row)
    if step == PROTOCOL and row["from"] != FRONTEND and version >= Version.E2013 and not edge:
        # What the transport service behind the front end logs has front ends as its senders.
        return _nothing(
            name, f"The server did not tell where its front end transport keeps its {name}.", row
        )
    if not row.get("folder"):
        return _nothing(name, f"The server keeps no {name}.", row)
    if row.get("error"):
        return _nothing(name, f"The folder of the {name} could not be read: {row['error']}.", row)
    if not row.get("read") and not row.get("bytes"):
        if row.get("stopped"):
            return _nothing(name, _LIMIT.format(_NOTHING_READ, "time", name), row)
        return _nothing(name, f"The {name} holds nothing of that time.", row, _unread(name, row))
    counts: dict[str, dict[tuple[str, Address | str], Count]] = {}
    over: dict[str, int] = {}
    for rule in row["rules"]:
        held = counts.setdefault(rule["name"], {})
        over[rule["name"]] = over.get(rule["name"], 0) + int(rule["over"])
        for (connector, sender), count, first, last, values in rule["rows"]:
            key = (_connector(connector), _sender(sender))
            counted = Count(int(count), str(first), str(last), int(values))
            held[key] = held[key] + counted if key in held else counted
    whole, gaps = _span(name, row)
    if row.get("unreadable"):
        gaps.append(f"{row['unreadable']} lines of the {name} could not be read.")
    if over.get(MESSAGES):
        gaps.append(
            f"{over[MESSAGES]} messages of the {name} are of more senders than are told apart."
        )
    return Log(
        name=name,
        counts=counts,
        over=over,
        since=str(row["since"]),
        covered_from=str(row.get("covered_from") or ""),
        last=str(row.get("last") or ""),
        read=_amount(row),
        gaps=tuple(gaps),
        told=True,
        whole=whole,
    )


def _amount(row: t.Mapping[str, t.Any]) -> dict[str, int]:
    return {
        "files": int(row.get("read") or 0),
        "files_left": int(row.get("left") or 0) + len(row.get("unread") or ()),
        "bytes": int(row.get("bytes") or 0),
        "lines": int(row.get("lines") or 0),
    }


def _nothing(
    name: str, why: str, row: t.Mapping[str, t.Any] | None = None, more: t.Sequence[str] = ()
) -> Log:
    row = row or {}
    since = str(row.get("since") or "")
    return Log(name, {}, {}, since, "", "", _amount(row), (why, *more), told=False, whole=False)


def _unread(name: str, row: t.Mapping[str, t.Any]) -> list[str]:
    unread = row.get("unread") or ()
    if not unread:
        return []
    which = ", ".join(f"{file['name']} ({file['error']})" for file in unread[:3])
    more = f" and {len(unread) - 3} more" if len(unread) > 3 else ""
    return [f"Files of the {name} could not be read: {which}{more}."]


def _span(name: str, row: t.Mapping[str, t.Any]) -> tuple[bool, list[str]]:
    """Whether the log was read as far back as was asked for, and what is missing."""
    gaps = _unread(name, row)
    since, covered = str(row["since"]), str(row.get("covered_from") or "")
    # Nobody need have come on the first day.
    day = datetime.date.fromisoformat(since[:10]) + datetime.timedelta(days=1)
    reaches = bool(covered) and covered <= f"{day.isoformat()}{since[10:]}"
    older = str(row.get("oldest") or "9") < since[:10].replace("-", "")
    if row.get("stopped") and not (covered and covered <= since):
        limit = "size" if row["stopped"] == "bytes" else "time"
        back = f"It was read back to {covered} only" if covered else _NOTHING_READ
        gaps.append(_LIMIT.format(back, limit, name))
    elif not reaches and not older:
        gaps.append(f"The {name} goes back to {covered or 'nothing'} only, and not to {since}.")
    return not gaps, gaps


def _connector(text: str) -> str:
    """``SERVER\\Name`` as a name."""
    return str(text).partition("\\")[2] or str(text)


def _sender(text: str) -> Address | str:
    """An address; what is none is kept as it is."""
    plain = str(text).strip().strip("[]").partition("%")[0]
    try:
        return parse_address(plain)
    except RangeError:
        return str(text)
