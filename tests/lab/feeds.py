# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where providers tell their ranges, on loopback: a web server whose answers a test sets, and a DNS
server with the records that it names.
"""

from __future__ import annotations

import http.server
import socket
import threading
import time
import typing as t
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


@dataclass
class Answer:
    """What the web server says. `cut` bytes are left out at the end, though the length that it
    names counts them.
    """

    body: bytes | str
    status: int = 200
    kind: str = "text/plain"
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    seconds: float = 0.0


class Web:
    """A web server on a free port, as a context manager; a path without an answer gives 404.
    `asked` are the paths, with their queries; `posted` what was sent.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.posted: list[bytes] = []
        server: t.Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
        server.daemon_threads = True
        server.web = self
        self._server = server

    def __enter__(self) -> Web:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"


class _Pages(http.server.BaseHTTPRequestHandler):
    server: t.Any

    def log_message(self, format: str, *args: t.Any) -> None:
        """Nothing is logged."""

    def do_POST(self) -> None:
        self.server.web.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.do_GET()

    def do_GET(self) -> None:
        web: Web = self.server.web
        web.asked.append(self.path)
        answer = web.answers.get(self.path.partition("?")[0], Answer("nothing here", 404))
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        time.sleep(answer.seconds)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) - answer.cut])


class Dns:
    """A DNS server on a free UDP port, as a context manager.

    `records`: (name, type) → texts of records. A name without any gives NXDOMAIN, one with others
    an empty answer; one in `broken` gives SERVFAIL, one in `silent` no answer at all.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.broken: set[str] = set()
        self.silent: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.02)
        self._ending = threading.Event()

    @property
    def resolver(self) -> str:
        """How provider_ranges_lock is told of it."""
        return f"127.0.0.1#{self._socket.getsockname()[1]}"

    def __enter__(self) -> Dns:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ending.set()
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while not self._ending.is_set():
            try:
                data, peer = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            answer = self._answer(dns.message.from_wire(data))
            if answer is not None:
                self._socket.sendto(answer.to_wire(), peer)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), question.rdtype.name
        self.asked.append((name, kind))
        if name in self.silent:
            return None
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if name in self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif not any(known == name for known, _kind in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif (name, kind) in self.records:
            answer.answer.append(
                dns.rrset.from_text_list(question.name, 60, "IN", kind, self.records[name, kind])
            )
        return answer
