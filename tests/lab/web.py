# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port of loopback that plays port 443 of a server: its IIS decides, as it is configured, and
Exchange answers what gets through.

It answers as Exchange does to somebody who is not logged in, and no further: a redirection to the
form of Outlook on the web, a demand for a login on the other virtual directories; nobody can log
in. The statuses and X-FEServer, which 2010 and earlier do not send, are those that exposure
scanners go by (righel/ms-exchange-version-nse); where a redirection leads to is unverified, and IIS
is called 10.0 on every Windows. A sub-status, such as the 6 of 403.6, is never sent.
"""

from __future__ import annotations

import dataclasses
import functools
import http.client
import http.server
import socket
import ssl
import threading
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import Generation
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.wsman.certificate import Certificate


@dataclasses.dataclass(frozen=True)
class Request:
    """One request as it came: from which address, and its headers by their names in lower case."""

    client: str
    method: str
    target: str
    headers: t.Mapping[str, str]


class WebFrontEnd:
    """Port 443 of one host, on a free port of `address`. `guard` puts a firewall before the socket;
    it is called again by `refresh`. `plays` says which address a loopback address plays, and `at`
    which address and port of the server this one plays.
    `requests`: all that have come.
    """

    def __init__(
        self,
        exchange: ExchangeHost,
        address: str,
        certificate: Certificate,
        plays: t.Callable[[str], str],
        guard: t.Callable[[socket.socket], None] | None = None,
        at: tuple[str, int] = ("", 443),
    ) -> None:
        self._certificate = certificate
        self._guard = guard
        self.requests: list[Request] = []
        # Bound, and not listening yet: the firewall is there first, so that nobody slips through.
        self._server = _Server(
            (address, 0),
            functools.partial(
                _Pages, exchange=exchange, plays=plays, requests=self.requests, at=at
            ),
            bind_and_activate=False,
        )
        self._server.tls = certificate.context
        self._server.server_bind()
        self.address, self.port = address, int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="lab-web", daemon=True
        )
        self.refresh()

    def start(self) -> None:
        """Listen."""
        self._server.server_activate()
        self._thread.start()

    def refresh(self) -> None:
        """Hear whom the firewall lets through, and nobody else."""
        if self._guard:
            self._guard(self._server.socket)

    def browse(
        self, source: str, path: str = "/owa/", seconds: float = 10, method: str = "GET"
    ) -> http.client.HTTPResponse:
        """The answer that somebody at a loopback address gets. Raises TimeoutError where the
        firewall drops the connection.
        """
        context = ssl.create_default_context(cafile=str(self._certificate.path))
        context.check_hostname = False
        connection = http.client.HTTPSConnection(
            self.address, self.port, context=context, source_address=(source, 0), timeout=seconds
        )
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        return answer

    def close(self) -> None:
        """Stop."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    tls: ssl.SSLContext

    def get_request(self) -> tuple[socket.socket, t.Any]:
        """Accept a connection; the handshake of TLS is left to the thread that serves it."""
        connection, peer = super().get_request()
        connection.settimeout(30)
        return self.tls.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        ), peer

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A connection that broke is the client's affair."""


class _Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-IIS/10.0"
    sys_version = ""

    def __init__(
        self,
        *arguments: t.Any,
        exchange: ExchangeHost,
        plays: t.Callable[[str], str],
        requests: list[Request],
        at: tuple[str, int],
    ) -> None:
        self._requests, self._at = requests, at
        self._exchange = exchange
        self._plays = plays
        super().__init__(*arguments)

    def log_message(self, format: str, *args: t.Any) -> None:
        """Nothing is logged."""

    def do_GET(self) -> None:
        """What somebody gets who is not logged in."""
        # What a request holds besides is not read.
        self.close_connection = self.close_connection or self.command not in ("GET", "HEAD")
        headers = {name: ", ".join(self.headers.get_all(name, [])) for name in self.headers}
        self._requests.append(
            Request(
                str(self.client_address[0]),
                self.command,
                self.requestline.split(" ")[1],
                {name.lower(): value for name, value in headers.items()},
            )
        )
        answer = self._exchange.windows.iis.request(
            # As it was sent: the handler takes slashes away.
            self.requestline.split(" ")[1],
            self._plays(str(self.client_address[0])),
            host=headers.get("Host", ""),
            method=self.command,
            headers=headers,
            at=self._at[0],
            port=self._at[1],
        )
        self.server_version = "Microsoft-HTTPAPI/2.0" if answer.kernel else "Microsoft-IIS/10.0"
        if answer.aborted:
            self.close_connection = True
            return
        self.send_response(answer.status)
        location = answer.location
        if answer.directory and location.startswith("/"):
            location = f"https://{self._exchange.fqdn}{location}"
        if location:
            self.send_header("Location", location)
        if answer.status == 401 and answer.passed:
            for method in ("Negotiate", "NTLM"):
                self.send_header("WWW-Authenticate", method)
        if answer.passed and self._exchange.edition.generation >= Generation.E2013:
            self.send_header("X-FEServer", self._exchange.name)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def __getattr__(self, name: str) -> t.Any:
        """Every other method too: IIS decides about it."""
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)
