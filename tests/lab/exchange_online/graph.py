# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft's own drift monitor of the lab's tenant, as Graph shows it: monitors and drifts.

Known from Microsoft's documentation of the Tenant Configuration Management APIs (2026): paths, the
permission ConfigurationMonitoring.Read.All, that `driftedProperties` comes only where `$select`
names it, statuses `active` and `fixed`, 30 monitors a tenant that run each six hours. It reads
alone here, as it only detects. Unverified: the words of refusals, the size of a page.
"""

from __future__ import annotations

import re
import threading
import typing as t
import urllib.parse
import uuid

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online import tokens
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.authority import (
    GRAPH,
    Authority,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.refusals import (
    Answer,
    answered,
)

READ_MONITORS = "ConfigurationMonitoring.Read.All"
MOST_MONITORS = 30
Row = dict[str, t.Any]

_PATH = re.compile(
    r"/(?:v1\.0|beta)/admin/configurationManagement/(configurationDrifts|configurationMonitors)"
)
_FILTER = re.compile(r"status eq '(active|fixed)'")
_ON_REQUEST = {"driftedProperties", "resourceInstanceIdentifier"}


class Graph:
    """Answers who asks for drifts. `monitors` and `drifts` are what it shows; `page` is how many at
    a time; `throttle`: so many requests are answered 429; `instead`: what all are answered.
    """

    def __init__(self, tenant: str, authority: Authority) -> None:
        self.tenant, self.authority = tenant, authority
        self.url = ""
        self.monitors: list[Row] = []
        self.drifts: list[Row] = []
        self.page = 100
        self.throttle = 0
        self.instead = ""
        self.requests = 0
        self._lock = threading.Lock()

    def monitor(self, name: str, **values: t.Any) -> Row:
        """A monitor that an administrator has made."""
        assert len(self.monitors) < MOST_MONITORS, "a tenant has 30 at most"
        row = {
            "id": str(uuid.uuid4()),
            "displayName": name,
            "status": "active",
            "mode": "monitorOnly",
            "monitorRunFrequencyInHours": 6,
            **values,
        }
        self.monitors.append(row)
        return row

    def drift(
        self, monitor: Row, kind: str, name: str, *properties: tuple[str, t.Any, t.Any]
    ) -> Row:
        """What a monitor has noticed: (property, wanted, what it is)."""
        row = {
            "id": str(uuid.uuid4()),
            "monitorId": monitor["id"],
            "tenantId": self.tenant,
            "resourceType": f"microsoft.exchange.{kind}",
            "baselineResourceDisplayName": name,
            "firstReportedDateTime": "2026-01-14T06:00:57.4830642Z",
            "status": "active",
            "resourceInstanceIdentifier": {"Identity": name},
            "driftedProperties": [
                {"propertyName": title, "desiredValue": wanted, "currentValue": value}
                for title, wanted, value in properties
            ],
        }
        self.drifts.append(row)
        return row

    def answer(
        self, method: str, target: str, headers: t.Mapping[str, str], body: bytes
    ) -> Answer | None:
        """One request."""
        with self._lock:
            self.requests += 1
            if self.instead:
                return Answer(200, self.instead.encode())
            if self.throttle:
                self.throttle -= 1
                return answered(429, {"error": {"code": "TooManyRequests"}}, Retry_After="7")
            url = urllib.parse.urlsplit(target)
            refusal = self._refused(headers)
            if refusal:
                return refusal
            path = _PATH.fullmatch(url.path)
            if path is None:
                return _error(404, "ResourceNotFound", "Resource not found for the segment.")
            if method != "GET":
                return _error(405, "MethodNotAllowed", "This is for reading.")
            return self._rows(path[1], url.path, urllib.parse.parse_qs(url.query))

    def _refused(self, headers: t.Mapping[str, str]) -> Answer | None:
        scheme, _blank, token = headers.get("authorization", "").partition(" ")
        try:
            if scheme != "Bearer":
                raise tokens.BadToken("missing")
            app, claims = self.authority.holder(token, GRAPH)
        except tokens.BadToken:
            return _error(401, "InvalidAuthenticationToken", "Access token validation failure.")
        if app is None or claims["tid"] != self.tenant:
            return _error(401, "InvalidAuthenticationToken", "Access token validation failure.")
        if READ_MONITORS not in claims.get("roles", ()):
            return _error(403, "Forbidden", "Insufficient privileges to complete the operation.")
        return None

    def _rows(self, what: str, path: str, query: t.Mapping[str, list[str]]) -> Answer:
        rows = self.drifts if what == "configurationDrifts" else self.monitors
        if "$filter" in query:
            wanted = _FILTER.fullmatch(query["$filter"][0])
            if wanted is None:
                return _error(400, "BadRequest", "Invalid filter clause.")
            rows = [row for row in rows if row["status"] == wanted[1]]
        select = {name for name in ",".join(query.get("$select", [])).split(",") if name}
        start = int(query.get("$skiptoken", ["0"])[0])
        document: Row = {
            "@odata.context": f"{GRAPH}/v1.0/$metadata#admin/configurationManagement/{what}",
            "value": [_shown(row, select) for row in rows[start : start + self.page]],
        }
        if start + self.page < len(rows):
            more = {name: values[0] for name, values in query.items()}
            more["$skiptoken"] = str(start + self.page)
            document["@odata.nextLink"] = f"{self.url}{path}?{urllib.parse.urlencode(more)}"
        return answered(200, document)


def _shown(row: Row, select: set[str]) -> Row:
    if select:
        return {name: value for name, value in row.items() if name in select or name == "id"}
    return {name: value for name, value in row.items() if name not in _ON_REQUEST}


def _error(status: int, code: str, text: str) -> Answer:
    return answered(status, {"error": {"code": code, "message": text, "innerError": {}}})
