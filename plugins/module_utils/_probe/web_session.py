# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS requests one after the other on one connection, with limits for the other side.

Why not http.client: its timeout is per read, so that a server which sends a byte a minute holds it
for ever, and it can send anything. This client sends HEAD and GET, without a body, without a login
and without a cookie.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
import types
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.session import (
    Tls,
    Trouble,
    encrypted,
    readable,
)

SAFE_METHODS = frozenset({"HEAD", "GET"})
# RFC 9112, 3: a target has no blank. What a description names is one; nothing else is sent.
_TARGET = re.compile(r"/[!-~]*")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: (.*))?", re.DOTALL)
LONGEST_HEADERS = 1 << 16
# So much of a page is read: enough to see whose it is.
KEPT_BODY = 1 << 15
_KEPT_LINE = 512
_CHUNK = 1 << 14
# It may say that it will go on (RFC 9110, 15.2) so many times.
_MOST_INTERIM = 5
_NO_BODY = frozenset({204, 304})


@dataclass(frozen=True)
class Answer:
    """Status, words after it, headers by their names in lower case, and the begin of the body."""

    status: int
    reason: str
    headers: t.Mapping[str, str]
    body: str
    seconds: float

    def header(self, name: str) -> str:
        """The value of a header, '' where there is none."""
        return self.headers.get(name.lower(), "")

    def words(self) -> str:
        """How it is quoted in a sentence, such as `403 Forbidden`."""
        return f"{self.status} {self.reason}".strip()


class WebSession:
    """Requests over a connected socket. Every method raises Trouble.

    `seconds` is how long the other side may take for one answer, however it cuts it. `stage` is
    where it is: `tls`, `request`, `headers` or `body`.
    """

    def __init__(
        self, sock: socket.socket, host: str, seconds: float, transcript: list[str]
    ) -> None:
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} cannot be sent as the name of a host.")
        self._sock = sock
        self._host = host
        self._seconds = seconds
        self._transcript = transcript
        self._buffer = bytearray()
        self._deadline = 0.0
        self._begin = 0.0
        self.stage = "tls"
        self.open = True

    def secure(self, server_name: str | None) -> Tls:
        """The TLS handshake. Nothing of the certificate is verified."""
        self.stage = "tls"
        begin = time.monotonic()
        try:
            self._sock, tls = encrypted(self._sock, server_name, self._seconds)
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", None) or error
            words = f"did not get through the TLS handshake ({why})"
            raise self._over("tls", words, begin) from None
        self._transcript.append(f"* {tls.version}, {tls.cipher}")
        return tls

    def ask(self, method: str, target: str) -> Answer:
        """One request without a login, and its answer.

        Raises ValueError for a method or a target that is not sent.
        """
        if method not in SAFE_METHODS:
            raise ValueError(f"The probe does not send {method!r}.")
        if not _TARGET.fullmatch(target):
            raise ValueError(f"{target!r} is no path that can be asked for.")
        self.stage = "request"
        self._begin = time.monotonic()
        self._deadline = self._begin + self._seconds
        self._transcript.append(f"C: {method} {target}")
        request = f"{method} {target} HTTP/1.1\r\nHost: {self._host}\r\nUser-Agent: mailedge\r\n"
        try:
            self._sock.settimeout(self._seconds)
            self._sock.sendall(f"{request}Accept: */*\r\n\r\n".encode("ascii"))
        except OSError as error:
            raise self._lost(error) from None
        self.stage = "headers"
        for _interim in range(_MOST_INTERIM + 1):
            status, reason, headers = self._head()
            if status >= 200:
                break
        else:
            raise self._over("malformed", "announced an answer again and again", self._begin)
        body = ""
        if method == "GET" and status not in _NO_BODY:
            self.stage = "body"
            body = self._body(headers)
        self._transcript.append(f"S: {status} {reason}"[:_KEPT_LINE])
        self._transcript += [f"S: {name}: {value}"[:_KEPT_LINE] for name, value in headers.items()]
        # With a body that was not read to its end, the next answer would be looked for in it.
        keeps = "close" not in headers.get("connection", "").lower()
        if method != "HEAD" or not keeps:
            self.close()
        took = time.monotonic() - self._begin
        return Answer(status, reason, types.MappingProxyType(headers), body, took)

    def close(self) -> None:
        """Let the connection go. May be called twice."""
        self.open = False
        with contextlib.suppress(OSError):
            self._sock.close()

    def _head(self) -> tuple[int, str, dict[str, str]]:
        while b"\r\n\r\n" not in self._buffer and b"\n\n" not in self._buffer:
            if len(self._buffer) > LONGEST_HEADERS:
                raise self._over(
                    "too_long", f"sent more than {LONGEST_HEADERS} bytes of headers", self._begin
                )
            if not self._more():
                words = "closed the connection instead of answering"
                raise self._over("closed", words, self._begin)
        raw = bytes(self._buffer).replace(b"\r\n", b"\n")
        head, _blank, rest = raw.partition(b"\n\n")
        if len(head) > LONGEST_HEADERS:
            raise self._over(
                "too_long", f"sent more than {LONGEST_HEADERS} bytes of headers", self._begin
            )
        # The body as it came is never needed, only its words.
        self._buffer = bytearray(rest)
        first, *lines = head.split(b"\n")
        line = _STATUS.fullmatch(first)
        if line is None:
            raise self._over(
                "malformed",
                f"answered with something that is not HTTP: {readable(first[:80])}",
                self._begin,
            )
        headers: dict[str, str] = {}
        for text in lines:
            name, colon, value = text.partition(b":")
            if colon:
                key = readable(name.strip()[:_KEPT_LINE]).lower()
                said = readable(value.strip()[:_KEPT_LINE])
                headers[key] = f"{headers[key]}, {said}"[:_KEPT_LINE] if key in headers else said
        return int(line.group(1)), readable((line.group(2) or b"").strip()[:80]), headers

    def _body(self, headers: t.Mapping[str, str]) -> str:
        """The begin of a page. Chunks are not put together: whose it is can be seen without."""
        length = headers.get("content-length", "")
        wanted = min(int(length), KEPT_BODY) if re.fullmatch(r"[0-9]{1,9}", length) else KEPT_BODY
        chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        while len(self._buffer) < wanted:
            if chunked and b"0\n\n" in bytes(self._buffer[-16:]).replace(b"\r\n", b"\n"):
                break
            if not self._more():
                break
        return readable(bytes(self._buffer[:wanted]))

    def _more(self) -> bool:
        """Read on; False where the other side has closed."""
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise self._lost(socket.timeout())
        try:
            self._sock.settimeout(remaining)
            arrived = self._sock.recv(_CHUNK)
        except ssl.SSLEOFError:
            return False
        except OSError as error:
            raise self._lost(error) from None
        self._buffer += arrived
        return bool(arrived)

    def _lost(self, error: OSError) -> Trouble:
        if isinstance(error, socket.timeout):
            words = f"did not finish its answer within {self._seconds:.0f} seconds"
            return self._over("timeout", words, self._begin)
        if isinstance(error, ssl.SSLError):
            words = f"broke the TLS connection ({error.reason or error})"
            return self._over("tls", words, self._begin)
        words = f"broke the connection ({error.strerror or error})"
        return self._over("closed", words, self._begin)

    def _over(self, kind: str, words: str, begin: float) -> Trouble:
        self.close()
        self._transcript.append(f"* {words}")
        return Trouble(kind, words, time.monotonic() - begin)
