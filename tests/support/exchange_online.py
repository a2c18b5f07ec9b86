# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's Exchange Online, asked without the product: the real msal for tokens, http.client for
requests.
"""

from __future__ import annotations

import http.client
import json
import ssl
import typing as t
from dataclasses import dataclass, field

import msal
import requests

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.api import ANCHOR
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.authority import App
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import ExchangeOnline

Document = dict[str, t.Any]


@dataclass
class Request:
    """One request to the Admin API, but for who asks."""

    method: str
    path: str
    document: t.Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Document:
        """The JSON of it."""
        return t.cast("Document", json.loads(self.body))

    @property
    def rows(self) -> list[Document]:
        """The rows of a cmdlet."""
        assert self.status == 200, self.body
        return t.cast("list[Document]", self.document["value"])

    @property
    def error(self) -> tuple[str, str]:
        """Class and words of a cmdlet's error."""
        assert self.status == 400, self.body
        inner = self.document["error"]["innererror"]["internalexception"]
        return inner["type"].rpartition(".")[2], inner["message"]


class Session(requests.Session):
    """Trusts the lab whatever REQUESTS_CA_BUNDLE says, which is stronger than `Session.verify`."""

    def __init__(self, verify: t.Any) -> None:
        super().__init__()
        self._trusts = verify

    def request(self, *arguments: t.Any, **keywords: t.Any) -> requests.Response:
        return super().request(*arguments, **{"timeout": 10, **keywords, "verify": self._trusts})


def log_in(
    online: ExchangeOnline,
    app: App,
    credential: t.Any,
    *,
    tenant: str = "",
    scope: str = "",
    verify: t.Any = None,
) -> Document:
    """What msal gives: a token, or what was wrong."""
    with Session(str(online.ca_path) if verify is None else verify) as session:
        client = msal.ConfidentialClientApplication(
            app.client_id,
            client_credential=credential,
            authority=f"{online.login_url}/{tenant or online.tenant.id}",
            instance_discovery=False,
            http_client=session,
        )
        given = client.acquire_token_for_client([scope or f"{online.audience}/.default"])
    return t.cast("Document", given)


def token_of(online: ExchangeOnline, app: App) -> str:
    """A token by the app's secret."""
    return str(log_in(online, app, app.secret)["access_token"])


def invoke(
    online: ExchangeOnline,
    cmdlet: str,
    parameters: Document | None = None,
    *,
    select: str = "",
    **headers: str,
) -> Request:
    """A call of a cmdlet, as facts §1.5 have it."""
    return Request(
        "POST",
        f"/adminapi/beta/{online.tenant.id}/InvokeCommand"
        + (f"?$select={select}" if select else ""),
        {"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters or {}}},
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-AnchorMailbox": f"APP:{ANCHOR}@{online.tenant.id}",
            "X-CmdletName": cmdlet,
            **headers,
        },
    )


def ask(
    online: ExchangeOnline, request: Request, *, app: App | None = None, token: str | None = None
) -> Answer:
    """One request, by the writer where nobody else is named."""
    bearer = token_of(online, app or online.writer) if token is None else token
    context = ssl.create_default_context(cafile=str(online.ca_path))
    port = int(online.api_url.rpartition(":")[2])
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    try:
        content = None if request.document is None else json.dumps(request.document)
        headers = {"Authorization": f"Bearer {bearer}", **request.headers}
        connection.request(request.method, request.path, content, headers)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.headers.items()), answer.read())
    finally:
        connection.close()
