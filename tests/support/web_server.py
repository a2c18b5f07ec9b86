# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server on loopback that answers by a script, well or badly, and remembers what it heard."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import ssl
import threading
import typing as t

from ansible_collections.mailedge.lockdown.tests.support.smtp_server import Answer

LOGIN = (
    "HTTP/1.1 302 Found\r\nServer: Microsoft-IIS/10.0\r\nX-FEServer: EX1\r\n"
    "Location: /owa/auth/logon.aspx?url=x\r\nContent-Length: 0\r\n\r\n"
)
FORBIDDEN = "HTTP/1.1 403 Forbidden\r\nServer: Microsoft-IIS/10.0\r\nContent-Length: 0\r\n\r\n"


class WebServer:
    """Answers by the path of a request; '' is for any other, `hello` comes before TLS.

    `most`: how many connections it has had at once.
    """

    def __init__(
        self,
        tls: pathlib.Path,
        answers: t.Mapping[str, Answer] | None = None,
        hello: t.Callable[[socket.socket], None] | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._answers = {"": LOGIN, **(answers or {})}
        self._hello = hello
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(tls)
        self.requests: list[str] = []
        self.connections = self.now = self.most = 0
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server((address, port))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Take no more connections, end those there are; fail if more came than questions."""
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        methods = {request.split(" ")[0] for request in self.requests}
        assert methods <= {"HEAD", "GET"}, f"The probe sent {sorted(methods)}."
        assert "authorization" not in "".join(self.requests).lower()

    def _accept(self) -> None:
        while True:
            try:
                sock, _peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            self.now += 1
            self.most = max(self.most, self.now)
            self._sockets.append(sock)
        with contextlib.suppress(OSError):
            if self._hello:
                self._hello(sock)
            sock = self._context.wrap_socket(sock, server_side=True)
            self._sockets.append(sock)
            self._talk(sock)
        sock.close()
        with self._lock:
            self.now -= 1

    def _talk(self, sock: socket.socket) -> None:
        heard = b""
        while True:
            while b"\r\n\r\n" not in heard:
                arrived = sock.recv(4096)
                if not arrived:
                    return
                heard += arrived
            request, _blank, heard = heard.partition(b"\r\n\r\n")
            self.requests.append(request.decode("latin-1"))
            path = self.requests[-1].split(" ")[1]
            key = max((key for key in self._answers if path.startswith(key)), key=len)
            answer = self._answers[key]
            if callable(answer):
                answer(sock)
                return
            sock.sendall(answer.encode() if isinstance(answer, str) else answer)
