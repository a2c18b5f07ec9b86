# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server on a free port of loopback, over TLS or in clear, for one of the lab's services."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.refusals import Answer

Service = t.Callable[[str, str, t.Mapping[str, str], bytes], t.Optional[Answer]]


class WebServer(http.server.ThreadingHTTPServer):
    """Gives every request to a service: method, target, headers in small letters, body. Where that
    answers nothing, the connection ends. `now` is the date that answers carry, if they do.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        service: Service,
        context: ssl.SSLContext | None = None,
        now: t.Callable[[], str] | None = None,
    ) -> None:
        self.service, self._context, self.now = service, context, now
        super().__init__(("127.0.0.1", 0), _Handler)
        scheme = "https" if context else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        """Answer, in a thread of its own."""
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Answer no more, and give the port back."""
        self.shutdown()
        self.server_close()

    def finish_request(self, request: t.Any, client_address: t.Any) -> None:
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request.settimeout(60)
        if self._context is None:
            super().finish_request(request, client_address)
            return
        try:
            wrapped = self._context.wrap_socket(request, server_side=True)
        except OSError:
            return  # A client that does not trust the certificate goes away here.
        try:
            super().finish_request(wrapped, client_address)
        finally:
            wrapped.close()

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A client that went away is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WebServer
    wbufsize = -1

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        given = self.server.service(self.command, self.path, headers, body)
        if given is None:
            self.close_connection = True
            return
        self.send_response_only(given.status)
        if self.server.now is not None:
            self.send_header("Date", self.server.now())
        self.send_header("Content-Type", given.kind)
        self.send_header("Content-Length", str(len(given.body)))
        for name, value in given.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(given.body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - as the base has it

    def log_message(self, format: str, *args: t.Any) -> None:
        """The log is the service's; nothing goes to the terminal."""
