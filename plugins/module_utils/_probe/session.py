# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One SMTP conversation on a socket, written down line by line, with limits for the other side.

Why not smtplib: it keeps no transcript but prints to standard error, where a module's answer would
be spoilt; its timeout is per read, so a server that sends a byte a minute holds it for ever; it
hides a reply behind the next one when a server talks out of turn; and it can send DATA. This client
knows the commands in SAFE_COMMANDS and no others.
"""

from __future__ import annotations

import contextlib
import errno
import re
import select
import socket
import ssl
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.certificate import (
    Certificate,
    read_certificate,
)

# A message would need DATA or BDAT, an account AUTH, a search for mailboxes VRFY or EXPN. None of
# them can be sent.
SAFE_COMMANDS = frozenset({"EHLO", "HELO", "STARTTLS", "MAIL", "RCPT", "RSET", "QUIT"})

# RFC 5321, 4.5.3.1.5: a reply line has 512 octets at most. Who sends more is read on, but not kept.
KEPT_LINE = 512
KEPT_LINES = 50
LONGEST_REPLY = 1 << 20
_CHUNK = 1 << 16

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
_SNI = re.compile(r"(?=.{1,253}\Z)(?=.*[A-Za-z])[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*")
_ARGUMENT = re.compile(r"[ -~]*")

_CONNECT_TROUBLE = {
    errno.ETIMEDOUT: "timeout",
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "refused",
    errno.ECONNABORTED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
}


class Trouble(Exception):
    """The conversation can't go on.

    `kind` says why, the message is the second half of a sentence about the server.

    Kinds: at the connection `timeout`, `refused`, `unreachable` (said by something on the way) and
    `local` (this host could not even try); afterwards `timeout`, `closed`, `unasked`, `malformed`,
    `too_long` and `tls`.
    """

    def __init__(self, kind: str, message: str, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.kind = kind
        self.seconds = seconds


@dataclass(frozen=True)
class Reply:
    """What the server answered: code, RFC 3463 status if any, text in one line, seconds.

    `whole`: whether `lines` are all of it.
    """

    code: int
    enhanced: str | None
    text: str
    lines: tuple[str, ...]
    seconds: float
    whole: bool = True

    @property
    def positive(self) -> bool:
        """Whether the code is one of success."""
        return 200 <= self.code < 300

    def words(self) -> str:
        """The answer as it is quoted in a sentence, such as `550 5.7.54 Unable to relay`."""
        return f"{self.code} {self.text}".strip()


@dataclass(frozen=True)
class Tls:
    """What was agreed on after STARTTLS."""

    version: str
    cipher: str
    certificate: Certificate | None


def readable(raw: bytes) -> str:
    """The text of some bytes from the network; what can't be printed is shown as an escape."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")
        for sign in text
    )


def _tls_context() -> ssl.SSLContext:
    # Mail servers encrypt for whoever asks, with certificates of their own and, up to Exchange
    # 2010, with TLS 1.0. Nothing secret is sent, so whatever the server speaks is good enough to
    # see it.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    # Named in the ssl module from Python 3.12 only; without it, servers that lack RFC 5746 are
    # refused.
    context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)
    # Where this fails, the library is not OpenSSL, and its own defaults have to do.
    with contextlib.suppress(ssl.SSLError):
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def connect(
    family: int, sockaddr: tuple[t.Any, ...], source: str | None, seconds: float
) -> tuple[socket.socket, float]:
    """A connection and how long it took. Raises Trouble."""
    begin = time.monotonic()
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise Trouble(
            "local", f"could not be tried from this host ({error.strerror or error})"
        ) from None
    try:
        if source is not None:
            sock.bind((source, 0))
        sock.settimeout(seconds)
    except OSError as error:
        sock.close()
        raise Trouble(
            "local", f"could not be tried from {source} ({error.strerror or error})"
        ) from None
    try:
        sock.connect(sockaddr)
    except OSError as error:
        sock.close()
        took = time.monotonic() - begin
        # socket.timeout carries no number, and is a TimeoutError only from Python 3.10 on.
        kind = (
            "timeout"
            if isinstance(error, socket.timeout)
            else _CONNECT_TROUBLE.get(error.errno or 0, "local")
        )
        if kind == "timeout":
            message = f"did not answer the connection within {took:.0f} seconds"
        elif kind == "refused":
            message = "refused the connection"
        elif kind == "unreachable":
            message = "was reported unreachable by a router or firewall on the way"
        else:
            message = f"could not be tried from this host ({error.strerror or error})"
        raise Trouble(kind, message, took) from None
    return sock, time.monotonic() - begin


def encrypted(
    sock: socket.socket, server_name: str | None, seconds: float
) -> tuple[ssl.SSLSocket, Tls]:
    """The same connection after a TLS handshake of so many seconds at most.

    `server_name` is sent as SNI where TLS can carry it. Raises OSError or ValueError.
    """
    deadline = time.monotonic() + seconds
    # Exchange chooses its certificate without a name; one that TLS can't carry would end the
    # connection.
    name = server_name if server_name and _SNI.fullmatch(server_name) else None
    secured = _tls_context().wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
    try:
        _handshake(secured, deadline, seconds)
    except (OSError, ValueError):
        # Whoever holds the socket that it was made of can no longer close it.
        secured.close()
        raise
    cipher = secured.cipher()
    return secured, Tls(
        secured.version() or "unknown",
        cipher[0] if cipher else "unknown",
        read_certificate(secured.getpeercert(binary_form=True)),
    )


def _handshake(secured: ssl.SSLSocket, deadline: float, seconds: float) -> None:
    secured.settimeout(0)
    while True:
        try:
            secured.do_handshake()
            return
        except ssl.SSLWantReadError:
            waiting: tuple[list[t.Any], list[t.Any]] = ([secured], [])
        except ssl.SSLWantWriteError:
            waiting = ([], [secured])
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not any(select.select(*waiting, [], remaining)):
            raise OSError(f"no end within {seconds:.0f} seconds")


class Session:
    """A conversation over a connected socket.

    Every method raises Trouble, after which nothing more can be said.

    `seconds` is how long the server may take for one whole reply, however it cuts it. `transcript`
    is appended to: `C: ` what was sent, `S: ` what came, `* ` what happened.
    """

    def __init__(self, sock: socket.socket, seconds: float, transcript: list[str]) -> None:
        self._sock = sock
        self._seconds = seconds
        self._transcript = transcript
        self._buffer = bytearray()
        self.open = True

    def banner(self) -> Reply:
        """The greeting."""
        return self._reply()

    def command(self, verb: str, argument: str = "") -> Reply:
        """Send one command and give its reply.

        Raises ValueError for a command that is not safe, or two in one.
        """
        if verb not in SAFE_COMMANDS:
            raise ValueError(f"The probe does not send {verb!r}.")
        line = f"{verb} {argument}".rstrip()
        if not _ARGUMENT.fullmatch(line):
            raise ValueError(f"{line!r} is not one line of printable ASCII.")
        self._must_be_silent()
        self._transcript.append(f"C: {line}")
        try:
            self._sock.settimeout(self._seconds)
            self._sock.sendall(line.encode("ascii") + b"\r\n")
        except OSError as error:
            raise self._lost(error, time.monotonic()) from None
        return self._reply()

    def starttls(self, server_name: str | None) -> tuple[Reply, Tls | None]:
        """Ask for TLS and begin it if the server agrees; `server_name` is sent as SNI."""
        reply = self.command("STARTTLS")
        if reply.code != 220:
            return reply, None
        # What came in clear together with the agreement must not be taken for part of the encrypted
        # conversation.
        self._must_be_silent(look=False)
        begin = time.monotonic()
        try:
            self._sock, tls = encrypted(self._sock, server_name, self._seconds)
        except (OSError, ValueError) as error:
            self.close()
            message = (
                "agreed to STARTTLS, but the TLS handshake failed "
                f"({getattr(error, 'reason', None) or error})"
            )
            self._transcript.append(f"* {message}")
            raise Trouble("tls", message, time.monotonic() - begin) from None
        self._transcript.append(f"* {tls.version}, {tls.cipher}")
        return reply, tls

    def quit(self) -> None:
        """Say good-bye, whatever comes back."""
        if self.open:
            with contextlib.suppress(Trouble):
                self.command("QUIT")
        self.close()

    def close(self) -> None:
        """Let the connection go. May be called twice."""
        self.open = False
        self._sock.close()

    def _must_be_silent(self, look: bool = True) -> None:
        """Raise Trouble if the server spoke unasked, since replies would be mixed up."""
        begin = time.monotonic()
        if look and not self._buffer:
            try:
                self._sock.settimeout(0)
                arrived = self._sock.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError as error:
                raise self._lost(error, begin) from None
            if not arrived:
                raise self._closed(begin)
            self._buffer += arrived
        if self._buffer:
            # A good-bye may come at any time (RFC 5321, 3.8).
            kind = "closed" if self._buffer.startswith(b"421") else "unasked"
            raise Trouble(kind, f"spoke without being asked: {self._half_said()[:KEPT_LINE]}")

    def _reply(self) -> Reply:
        """Read one reply, of as many lines as it has."""
        begin = time.monotonic()
        deadline = begin + self._seconds
        kept: list[str] = []
        count = read = 0
        code = b""
        while True:
            raw = self._line(begin, deadline, LONGEST_REPLY - read)
            read += len(raw) + 2
            status_line = _LINE.fullmatch(raw)
            count += 1
            last = status_line is None or status_line.group(2) != b"-"
            if count <= KEPT_LINES or last:
                if count > KEPT_LINES + 1:
                    self._transcript.append(f"* {count - KEPT_LINES - 1} lines left out")
                shown = readable(raw[:KEPT_LINE]) + (
                    f" ... ({len(raw)} bytes)" if len(raw) > KEPT_LINE else ""
                )
                self._transcript.append(f"S: {shown}")
                kept.append(shown[4:])
            # RFC 5321, 4.2.1: the code is the same on all lines; else there are two answers.
            if status_line is None or (code and status_line.group(1) != code):
                self.close()
                raise Trouble(
                    "malformed",
                    f"answered with something that is not SMTP: {readable(raw[:80])}",
                    time.monotonic() - begin,
                )
            code = status_line.group(1)
            if last:
                whole = count == len(kept)
                return _made_reply(int(code), tuple(kept), time.monotonic() - begin, whole)

    def _line(self, begin: float, deadline: float, most: int) -> bytes:
        """One line without its end."""
        looked = 0
        while True:
            end = self._buffer.find(b"\n", looked)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                if len(line) <= most:
                    return line[:-1] if line.endswith(b"\r") else line
            looked = len(self._buffer)
            if end >= 0 or looked > most:
                self.close()
                raise Trouble(
                    "too_long",
                    f"did not come to an end within {LONGEST_REPLY} bytes",
                    time.monotonic() - begin,
                )
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise self._lost(socket.timeout(), begin)
            try:
                self._sock.settimeout(remaining)
                arrived = self._sock.recv(_CHUNK)
            except OSError as error:
                raise self._lost(error, begin) from None
            if not arrived:
                raise self._closed(begin)
            self._buffer += arrived

    def _half_said(self) -> str:
        """What has come in and is no whole reply; ends the conversation."""
        self.close()
        said = " ".join(
            readable(line) for line in bytes(self._buffer[:KEPT_LINE]).split(b"\r\n")
        ).strip()
        if said:
            self._transcript.append(f"S: {said}")
        return said

    def _lost(self, error: OSError, begin: float) -> Trouble:
        took = time.monotonic() - begin
        self._half_said()
        if isinstance(error, socket.timeout):
            trouble = Trouble(
                "timeout", f"did not finish its answer within {self._seconds:.0f} seconds", took
            )
        elif isinstance(error, ssl.SSLError):
            trouble = Trouble("tls", f"broke the TLS connection ({error.reason or error})", took)
        else:
            trouble = Trouble("closed", f"broke the connection ({error.strerror or error})", took)
        self._transcript.append(f"* {trouble}")
        return trouble

    def _closed(self, begin: float) -> Trouble:
        self._half_said()
        self._transcript.append("* closed the connection")
        return Trouble(
            "closed", "closed the connection instead of answering", time.monotonic() - begin
        )


def _made_reply(code: int, lines: tuple[str, ...], seconds: float, whole: bool) -> Reply:
    text = " ".join(line.strip() for line in lines).strip()
    # The last line decides; a server that wraps its sentence gives the status on each line, or only
    # on the first.
    enhanced = _ENHANCED.match(lines[-1].strip()) or _ENHANCED.match(text)
    return Reply(
        code, enhanced.group(1) if enhanced else None, text[:KEPT_LINE], lines, seconds, whole
    )
