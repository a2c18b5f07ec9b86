# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail server on loopback that answers by a script, well or badly, and remembers every command
that it was sent.
"""

from __future__ import annotations

import contextlib
import datetime
import pathlib
import socket
import ssl
import threading
import time
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# What the probe may say. A server that hears anything else fails the test that uses it.
HARMLESS = {"EHLO", "HELO", "STARTTLS", "MAIL", "RCPT", "RSET", "QUIT"}

OPEN_EXCHANGE = {
    "banner": "220 EX1.hafen.example Microsoft ESMTP MAIL Service ready",
    "EHLO": (
        "250-EX1.hafen.example Hello [{peer}]\r\n250-SIZE 37748736\r\n250-PIPELINING\r\n250 "
        "CHUNKING"
    ),
    "HELO": "250 EX1.hafen.example Hello [{peer}]",
    "MAIL": "250 2.1.0 Sender OK",
    "RCPT": "250 2.1.5 Recipient OK",
    "RSET": "250 2.0.0 Resetting",
    "QUIT": "221 2.0.0 Service closing transmission channel",
    "STARTTLS": "220 2.0.0 SMTP server ready",
}

Answer = t.Union[str, bytes, t.Callable[[socket.socket], None]]


def hang_up(sock: socket.socket) -> None:
    """An answer: none, and the connection is closed."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def stay_silent(sock: socket.socket) -> None:
    """An answer: none, until the other side gives up."""
    with contextlib.suppress(OSError):
        sock.recv(1)


def drip(sock: socket.socket) -> None:
    """An answer: a byte now and then, and never an end."""
    with contextlib.suppress(OSError):
        while True:
            sock.sendall(b"2")
            time.sleep(0.02)


def flood(sock: socket.socket) -> None:
    """An answer: lines without end."""
    with contextlib.suppress(OSError):
        while True:
            sock.sendall(b"250-more of the same\r\n" * 100)


def by_source(answers: t.Mapping[str, str], otherwise: str = OPEN_EXCHANGE["banner"]) -> Answer:
    """An answer that depends on who asks: the address that a connection comes from."""

    def say(sock: socket.socket) -> None:
        text = answers.get(sock.getpeername()[0], otherwise)
        sock.sendall(f"{text}\r\n".encode())
        if text.startswith("421"):
            hang_up(sock)

    return say


class Server:
    """Answers by the longest key of `answers` that a command begins with; what is not in there is
    an open Exchange.

    `tls`: certificate and key in one file, used after an answer of 220 to STARTTLS.
    """

    def __init__(
        self, address: str, port: int, answers: t.Mapping[str, Answer], tls: pathlib.Path | None
    ) -> None:
        self.answers = {**OPEN_EXCHANGE, **answers}
        self.commands: list[str] = []
        self.connections = 0
        self.sockets: list[socket.socket] = []
        self._tls = tls
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, port))
        self._listener.listen(8)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def verbs(self) -> list[str]:
        """The commands without their arguments."""
        return [command.split(" ")[0].upper() for command in self.commands]

    def leave(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def stop(self) -> None:
        """Take no more connections, and end those there are."""
        self.leave()
        for sock in self.sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, peer = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self.sockets.append(sock)
            threading.Thread(target=self._serve, args=(sock, peer[0]), daemon=True).start()

    def _serve(self, sock: socket.socket, peer: str) -> None:
        with contextlib.suppress(OSError):
            self._answer(sock, "banner", peer)
            lines = sock.makefile("rb")
            while True:
                line = lines.readline()
                if not line:
                    break
                command = line.decode("latin-1").rstrip("\r\n")
                self.commands.append(command)
                said = self._answer(sock, command, peer)
                if command == "STARTTLS" and said.startswith(b"220") and self._tls is not None:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(self._tls)
                    sock = context.wrap_socket(sock, server_side=True)
                    self.sockets.append(sock)
                    lines = sock.makefile("rb")
                elif command == "QUIT" or said.startswith(b"421"):
                    break
        sock.close()

    def _answer(self, sock: socket.socket, command: str, peer: str) -> bytes:
        fitting = [key for key in self.answers if command.startswith(key)]
        answer = (
            self.answers[max(fitting, key=len)] if fitting else "500 5.3.3 Unrecognized command"
        )
        if callable(answer):
            answer(sock)
            return b""
        raw = (
            answer.replace("{peer}", peer).encode() + b"\r\n" if isinstance(answer, str) else answer
        )
        sock.sendall(raw)
        return raw


class Street:
    """The servers of one test."""

    def __init__(self) -> None:
        self.servers: list[Server] = []

    def server(
        self,
        answers: t.Mapping[str, Answer] | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
        tls: pathlib.Path | None = None,
    ) -> Server:
        """A new one, on a free port where none is given."""
        self.servers.append(Server(address, port, answers or {}, tls))
        return self.servers[-1]

    def close(self) -> None:
        """Stop them all, and fail if one was told more than it should."""
        for server in self.servers:
            server.stop()
        heard = {verb for server in self.servers for verb in server.verbs}
        assert heard <= HARMLESS, f"The probe sent {sorted(heard - HARMLESS)}."


def certificate(folder: pathlib.Path) -> pathlib.Path:
    """A certificate that nobody else has signed, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Hafen Größe"),
            x509.NameAttribute(NameOID.COMMON_NAME, "mail.hafen.example"),
        ]
    )
    begin = datetime.datetime(2026, 1, 31, 12, 0, 0, tzinfo=datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begin)
        .not_valid_after(datetime.datetime(2051, 1, 31, 12, 0, 0, tzinfo=datetime.timezone.utc))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("mail.hafen.example"), x509.DNSName("owa.hafen.example")]
            ),
            False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path
