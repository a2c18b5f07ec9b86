# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WinRM's listener on loopback: HTTP or HTTPS, logins, message encryption, and hooks where things
can go wrong on purpose.

Disconnected shells, Kerberos, CredSSP, certificate logins and quotas other than the number of
shells are missing.
"""

from __future__ import annotations

import contextlib
import http.server
import pathlib
import socket
import struct
import threading
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.wsman import soap
from ansible_collections.mailedge.lockdown.tests.lab.wsman.auth import Accounts, BadMessage, Login
from ansible_collections.mailedge.lockdown.tests.lab.wsman.certificate import Certificate
from ansible_collections.mailedge.lockdown.tests.lab.wsman.service import MAX_ENVELOPE_KB, Service

_SOAP = "application/soap+xml;charset=UTF-8"
# Base64 of an encrypted envelope of the size allowed is no longer than this.
_MOST_BYTES = 2 * 1024 * MAX_ENVELOPE_KB


class Cut(Exception):
    """Raised by a hook: the connection ends here with a reset. `half`: after half of the reply."""

    def __init__(self, half: bool = False) -> None:
        super().__init__("the connection was cut on purpose")
        self.half = half


class Hooks:
    """What a listener asks on the way. This one lets everything pass."""

    def login_allowed(self) -> bool:
        """Whether right credentials count as right."""
        return True

    def before(self, operation: str) -> None:
        """Called with the WS-Management operation before it is done. May raise Cut or Fault, or
        take its time.
        """

    def after(self, operation: str) -> None:
        """Called when it was done, before the reply is sent. May raise Cut or Fault, or take its
        time.
        """


class Listener(http.server.ThreadingHTTPServer):
    """One port of WinRM on 127.0.0.1, with TLS where a certificate is given. Starts at once;
    `close` ends it.

    `allow_unencrypted` is WinRM's setting of this name: without it http takes encrypted messages
    only.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        service: Service,
        accounts: Accounts,
        certificate: Certificate | None = None,
        allow_unencrypted: bool = False,
        hooks: Hooks | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service
        self.accounts = accounts
        self.certificate = certificate
        self.allow_unencrypted = allow_unencrypted
        self.hooks = hooks or Hooks()
        # While this is true the host cannot be reached: connections are reset as soon as they are
        # made.
        self.is_down: t.Callable[[], bool] = lambda: False
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.02,), name="lab-wsman", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that was free."""
        return int(self.server_address[1])

    def close(self) -> None:
        """Stop listening and end what is connected."""
        self.shutdown()
        self.server_close()
        self.cut_all()
        self._thread.join(5)

    def cut_all(self) -> None:
        """End what is connected, wherever it stands."""
        for connection in list(self._open):
            _break(connection)

    def get_request(self) -> tuple[socket.socket, t.Any]:
        """Accept a connection; the handshake of TLS is left to the thread that serves it."""
        connection, address = super().get_request()
        if self.is_down():
            _break(connection)
            connection.close()
            raise ConnectionResetError("the host is down on purpose")
        connection.settimeout(120)
        if self.certificate:
            connection = self.certificate.context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: t.Any) -> None:
        """Called when a connection is done with."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A connection that broke is the client's affair."""


def _break(connection: socket.socket) -> None:
    """End a connection as a crash does: with a reset, not in good order. The thread that serves it
    closes it.
    """
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        # A plain socket's: that of TLS would say goodbye first.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""
    disable_nagle_algorithm = True
    server: Listener

    def setup(self) -> None:
        super().setup()
        certificate = self.server.certificate
        self._login = Login(self.server.accounts, certificate.bindings if certificate else None)

    def handle(self) -> None:
        try:
            super().handle()
        except Cut:
            self.close_connection = True
            _break(self.request)
        except (OSError, ValueError):
            # The client is gone, or was cut off.
            self.close_connection = True

    def log_message(self, format: str, *args: t.Any) -> None:
        """Nothing is logged; the lab counts instead."""

    def do_POST(self) -> None:
        """One request of WS-Management, or one step of a login."""
        if self.headers.get("Transfer-Encoding"):
            return self._reply(411)
        length = int(self.headers.get("Content-Length") or 0)
        if length > _MOST_BYTES:
            self.close_connection = True
            return self._reply(413)
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return None
        if self.path.split("?")[0].rstrip("/").lower() != "/wsman":
            return self._reply(404)
        accepted = self._login.accept(self.headers.get("Authorization"))
        if accepted and not self.server.hooks.login_allowed():
            accepted = False
            self._login.refuse()
        if not accepted:
            return self._reply(401)
        if not body:
            return self._reply(200)
        try:
            message, protocol = self._login.open_message(
                self.headers.get("Content-Type") or "", body
            )
        except BadMessage:
            return self._reply(400)
        if len(message) > 1024 * self.server.service.max_envelope_kb:
            # WinRM says no more than that
            # (github.com/ansible-collections/ansible.windows/issues/391,
            # github.com/masterzen/winrm/issues/156).
            self.close_connection = True
            return self._reply(413)
        if protocol is None and not (self.server.certificate or self.server.allow_unencrypted):
            # Without any words (github.com/diyan/pywinrm/issues/208).
            return self._reply(500)
        return self._serve(message, protocol)

    def _serve(self, message: bytes, protocol: str | None) -> None:
        server, relates_to, operation = self.server, "", ""
        cut: Cut | None = None
        try:
            request = soap.read_request(message)
            relates_to, operation = request.message_id, request.operation
            server.hooks.before(operation)
            status, answer = 200, server.service.handle(request, server.accounts.username)
            try:
                server.hooks.after(operation)
            except Cut as reason:
                if not reason.half:
                    raise
                cut = reason
        except soap.Fault as fault:
            status, answer = 500, soap.fault_reply(fault, relates_to, server.service.machine)
        content_type = _SOAP
        if protocol:
            content_type, answer = self._login.seal_message(protocol, answer)
        self._reply(status, answer, content_type, cut)

    def _reply(
        self, status: int, body: bytes = b"", content_type: str = _SOAP, cut: Cut | None = None
    ) -> None:
        self.send_response(status)
        for name, value in self._login.challenges:
            self.send_header(name, value)
        if self.close_connection:
            # RFC 9112, section 9.6: else a client sends its next request into the closing
            # connection.
            self.send_header("Connection", "close")
        if body:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.wfile.flush()
        if cut:
            raise cut


def start(
    service: Service,
    username: str,
    password: str,
    folder: pathlib.Path,
    certificate: Certificate | None = None,
    **settings: t.Any,
) -> Listener:
    """A listener with an account of its own, whose files go to `folder`; `settings` are
    Listener's.
    """
    return Listener(service, Accounts(username, password, folder), certificate, **settings)
