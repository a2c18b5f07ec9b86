# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states, severities and stages of a report as a page shows them: a word and a sign each, never
a colour alone.
"""

from __future__ import annotations

import datetime
import types
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._html import (
    Html,
    element,
    together,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    ACCEPTED,
    LISTED,
    NOT_JUDGED,
    NOT_LOOKED_AT,
    NOT_MANAGED,
    RESTORED,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    DRIFT,
    IN_ORDER,
    OPEN,
    UNKNOWN,
)

Plain = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Look:
    """How a state is shown: `style` is its class and the name of its sign, `counted` is a sentence
    about some sites, `heading` stands over them.
    """

    style: str
    heading: str
    counted: tuple[str, str]


# Worst first.
_LOOKS: t.Mapping[str, Look] = types.MappingProxyType(
    {
        OPEN: Look("open", "Open to strangers", ("is open to strangers", "are open to strangers")),
        UNKNOWN: Look("unknown", "Not known", ("could not be judged", "could not be judged")),
        DRIFT: Look(
            "drift",
            "Not as described",
            ("differs from its description", "differ from their descriptions"),
        ),
        ACCEPTED: Look(
            "accepted",
            "Accepted until a day",
            ("has a difference that is accepted", "have differences that are accepted"),
        ),
        NOT_LOOKED_AT: Look("none", "Not looked at", ("was not looked at", "were not looked at")),
        RESTORED: Look("order", "Restored", ("is restored", "are restored")),
        LISTED: Look("order", "Listed", ("is listed", "are listed")),
        IN_ORDER: Look("order", "In order", ("is in order", "are in order")),
        NOT_JUDGED: Look("none", "Not judged", ("was not judged", "were not judged")),
        NOT_MANAGED: Look("none", "Not managed", ("is not managed", "are not managed")),
    }
)
WORST_FIRST = tuple(_LOOKS)
FINE = (IN_ORDER, RESTORED, LISTED)
ALARMING = (OPEN, UNKNOWN, DRIFT)


def known(state: t.Any) -> str:
    """A state that this page knows. Whatever else a report says is unknown, never in order."""
    return str(state) if state in _LOOKS else UNKNOWN


def look(state: str) -> Look:
    """How a state is shown."""
    return _LOOKS[known(state)]


def rank(state: str) -> int:
    """The place of a state, worst first."""
    return WORST_FIRST.index(known(state))


def worst(states: t.Iterable[str]) -> str:
    """The worst of some states; not managed where there is none."""
    return min((known(state) for state in states), key=rank, default=NOT_MANAGED)


def sign(style: str) -> Html:
    """The sign of a state or severity; a word always stands beside it."""
    use = element("use", href=f"#s-{style}")
    return element("svg", use, class_=f"sign {style}", viewBox="0 0 16 16", aria_hidden="true")


def badge(state: str, *, check_mode: bool = False) -> Html:
    """A state as a sign and its word."""
    word = f"would be {state}" if check_mode and state == RESTORED else known(state)
    style = look(state).style
    return element("span", sign(style), word, class_=f"badge {style}")


_SEVERITIES = {"critical": "open", "warning": "drift", "info": "note"}
SEVERITIES = tuple(_SEVERITIES)


def severity_rank(severity: t.Any) -> int:
    """The place of a severity; what is not known stands first."""
    return SEVERITIES.index(severity) if severity in _SEVERITIES else 0


def severity_badge(finding: Plain) -> Html:
    """The severity of a finding as a sign and a word; for what is accepted, that."""
    if accepted(finding):
        return element("span", sign("accepted"), "accepted", class_="badge accepted")
    severity = str(finding.get("severity") or "critical")
    style = _SEVERITIES.get(severity, "open")
    return element("span", sign(style), severity, class_=f"badge {style}")


def accepted(finding: Plain) -> bool:
    """Whether the site has accepted a finding."""
    return bool(finding.get("accepted_until") or finding.get("accepted_reason"))


def count(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def moment(text: t.Any) -> datetime.datetime | None:
    """A timestamp or a day; None for anything else. A day, and a time without a zone, is UTC."""
    written = str(text or "")
    try:
        # Python 3.9 and 3.10 do not read the Z.
        parsed = datetime.datetime.fromisoformat(written.replace("Z", "+00:00"))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.timezone.utc)


_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def day(text: t.Any, *, weekday: bool = False) -> Html:
    """A day in words, whatever the locale; a text that is no time stays as it is."""
    parsed = moment(text)
    if parsed is None:
        return together(str(text or ""))
    words = f"{parsed.day} {_MONTHS[parsed.month - 1]} {parsed.year}"
    named = f"{_DAYS[parsed.weekday()]} {words}" if weekday else words
    return element("time", named, datetime=parsed.date().isoformat())


def clock(text: t.Any) -> Html:
    """A day and a time of day, with its offset from UTC."""
    parsed = moment(text)
    if parsed is None:
        return together(str(text or ""))
    zone = parsed.strftime("%z")
    named = "UTC" if zone == "+0000" else f"UTC{zone[:3]}:{zone[3:5]}"
    return together(day(text, weekday=True), f", {parsed:%H:%M} {named}")
