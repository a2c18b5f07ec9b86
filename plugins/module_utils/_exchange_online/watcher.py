# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Microsoft's own monitor has noticed in a tenant: a second watcher, which only detects.

Its source is the Tenant Configuration Management API of Microsoft Graph (documentation of 2026):
monitors that administrators have made run each six hours, 30 a tenant at most, on 800 resources a
day in all. It never ran on a real tenant.
"""

from __future__ import annotations

import json
import typing as t
import urllib.parse
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import errors
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.client import (
    ExchangeOnline,
    Row,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.errors import (
    ExchangeOnlineError,
    Refused,
    Unreadable,
    plain,
)

GRAPH = "https://graph.microsoft.com"
_BASE = "/v1.0/admin/configurationManagement/"
_DRIFTS = (
    "configurationDrifts",
    {
        "$filter": "status eq 'active'",
        # What has drifted is told only where it is asked for.
        "$select": "id,monitorId,resourceType,baselineResourceDisplayName,firstReportedDateTime,"
        "status,resourceInstanceIdentifier,driftedProperties",
    },
)
_MONITORS = ("configurationMonitors", {"$select": "id,displayName,status"})
_OURS = "microsoft.exchange."
_MOST_PAGES = 20
_LONGEST = 120


@dataclass(frozen=True)
class Watch:
    """What the second watcher tells. `monitors` are the names of those that run; `drifts` what they
    have noticed of Exchange and is not mended, `elsewhere` how much of other services. `unknown`:
    why nothing is known, as a sentence.
    """

    monitors: tuple[str, ...] = ()
    drifts: tuple[Row, ...] = ()
    elsewhere: int = 0
    unknown: str = ""
    sentences: tuple[str, ...] = field(default=())

    def as_result(self) -> dict[str, t.Any]:
        """The same for a module's result."""
        return {
            "monitors": list(self.monitors),
            "drifts": [_plain_drift(drift) for drift in self.drifts],
            "elsewhere": self.elsewhere,
            "unknown": self.unknown,
            "sentences": list(self.sentences),
        }


def watch(graph: ExchangeOnline) -> Watch:
    """What the monitors of the tenant have noticed; never fails. `graph` asks Microsoft Graph."""
    try:
        monitors = [
            str(row.get("displayName") or row.get("id"))
            for row in _rows(graph, *_MONITORS)
            if str(row.get("status") or "active").lower() == "active"
        ]
        drifts = _rows(graph, *_DRIFTS)
    except ExchangeOnlineError as error:
        why = f"What Microsoft's monitor has noticed is not known. {error}"
        return Watch(unknown=why, sentences=(why,))
    ours = [drift for drift in drifts if _kind(drift).lower().startswith(_OURS)]
    elsewhere = len(drifts) - len(ours)
    sentences = [_sentence(drift) for drift in ours]
    if not monitors:
        sentences.append(
            "No monitor of Microsoft's runs in the tenant, so that it notices nothing."
        )
    elif not ours:
        sentences.append(
            f"Microsoft's monitor ({_some(monitors)}) has noticed nothing of Exchange that is not "
            "mended. Whether it looks at connectors and rules is said by its baseline alone."
        )
    if elsewhere:
        sentences.append(f"It has noticed {elsewhere} drifts of other services.")
    return Watch(tuple(monitors), tuple(ours), elsewhere, "", tuple(sentences))


def _rows(graph: ExchangeOnline, what: str, query: t.Mapping[str, str]) -> list[Row]:
    """All rows, page by page. Raises ExchangeOnlineError."""
    path = f"{_BASE}{what}?{urllib.parse.urlencode(query, safe='$,')}"
    rows: list[Row] = []
    for _page in range(_MOST_PAGES):
        response = graph.fetch(path)
        if response.status_code in (401, 403):
            raise Refused(
                f"Microsoft Graph does not let this app read {what} ({response.status_code}). It "
                "needs the application permission ConfigurationMonitoring.Read.All there.",
                status=response.status_code,
            )
        if response.status_code != 200:
            said = errors.told(response.text)[1]
            raise Refused(
                f"Microsoft Graph refused {what} ({response.status_code}"
                f"{f': {said}' if said else ''}).",
                status=response.status_code,
            )
        try:
            document = json.loads(response.text)
            value = document["value"]
        except (ValueError, KeyError, TypeError):
            value, document = None, {}
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise Unreadable(f"Microsoft Graph answered {what} with something that is no list.")
        rows += value
        link = document.get("@odata.nextLink")
        if not link:
            return rows
        path = graph.path_of(link)
        if not path:
            break
    raise Unreadable(f"Microsoft Graph gave a part of {what} only.")


def _kind(drift: Row) -> str:
    return str(drift.get("resourceType") or "")


def _named(drift: Row) -> str:
    identifier = drift.get("resourceInstanceIdentifier")
    values = identifier.values() if isinstance(identifier, dict) else ()
    named = [str(value) for value in values if isinstance(value, str) and not value.startswith("#")]
    return plain(", ".join(named) or drift.get("baselineResourceDisplayName") or "no name")


def _properties(drift: Row) -> list[Row]:
    properties = drift.get("driftedProperties")
    return [each for each in properties if isinstance(each, dict)] if properties else []


def _plain_drift(drift: Row) -> dict[str, t.Any]:
    return {
        "resource_type": _kind(drift),
        "name": _named(drift),
        "since": str(drift.get("firstReportedDateTime") or ""),
        "properties": [
            {
                "name": str(each.get("propertyName") or ""),
                "wanted": each.get("desiredValue"),
                "current": each.get("currentValue"),
            }
            for each in _properties(drift)
        ],
    }


def _sentence(drift: Row) -> str:
    told = [
        f"{plain(each.get('propertyName'))} is {_text(each.get('currentValue'))}, wanted is "
        f"{_text(each.get('desiredValue'))}"
        for each in _properties(drift)
    ]
    return (
        f"Microsoft's monitor has noticed since {plain(drift.get('firstReportedDateTime'))} that "
        f"{_kind(drift)[len(_OURS) :]} '{_named(drift)}' is not as its baseline has it"
        + (f": {'; '.join(told)}." if told else ".")
    )


def _text(value: t.Any) -> str:
    text = plain(value if isinstance(value, str) else json.dumps(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _some(names: t.Sequence[str]) -> str:
    more = len(names) - 3
    return ", ".join(map(plain, names[:3])) + (f" and {more} more" if more > 0 else "")
