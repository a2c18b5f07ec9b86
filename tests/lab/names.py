# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A DNS server on loopback, over UDP and TCP, that resolves from zones as a real one does: aliases
followed, wildcards as RFC 4592 has them, NXDOMAIN apart from an empty answer, both with an SOA.

And it fails as real ones do: no answer, SERVFAIL, REFUSED, answers that are cut, a server that only
points elsewhere, aliases in a circle, an answer to another question.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
import typing as t

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

_SOA = "ns.{0} hostmaster.{0} 1 3600 600 86400 60"
_LONGEST_CHAIN = 16


class Zones:
    """Records of zones: `(name, kind) → texts`, the names in small letters without a dot at the
    end. A name that begins with `*.` is a wildcard.
    """

    def __init__(self, origins: t.Iterable[str] = ()) -> None:
        self.origins: list[str] = list(origins)
        self.records: dict[tuple[str, str], list[str]] = {}

    def add(self, name: str, kind: str, *texts: str) -> None:
        """Add records of one kind to a name."""
        self.records.setdefault((name, kind), []).extend(texts)

    def origin(self, name: str) -> str:
        """The zone that a name is in; empty where it is in none."""
        inside = [zone for zone in self.origins if name == zone or name.endswith(f".{zone}")]
        return max(inside, key=len, default="")

    def exists(self, name: str) -> bool:
        """Whether there is such a node, also one with only others below it (RFC 4592, 2.2.2)."""
        return any(owner == name or owner.endswith(f".{name}") for owner, _kind in self.records)

    def at(self, name: str, kind: str) -> tuple[bool, list[str]]:
        """Whether the name is there, and its records of a kind."""
        if self.exists(name):
            return True, self.records.get((name, kind), [])
        # The closest encloser is the longest ancestor that exists; only its wildcard counts.
        above = name
        while above:
            above = above.partition(".")[2]
            if above and self.exists(above):
                star = f"*.{above}"
                if any(owner == star for owner, _kind in self.records):
                    return True, self.records.get((star, kind), [])
                return False, []
        return False, []


class NameServer:
    """The server, as a context manager, on one port of 127.0.0.1 for UDP and TCP.

    `faults`: name → `silent`, `SERVFAIL`, `REFUSED`, `cut` (over UDP, whole over TCP), `cut for
    good` (no TCP either), `lame`, `other question`, `garbage`. `*` is for every name. Everything
    that was asked is in `asked`.
    """

    def __init__(self, zones: Zones) -> None:
        self.zones = zones
        self.faults: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        # Whether only the first alias is told, as a server does that has not the zone it leads to.
        self.first_alias_only = False
        self._running: list[socketserver.BaseServer] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        address: t.Any = self._running[0].server_address
        return int(address[1])

    def __enter__(self) -> NameServer:
        for _try in range(20):
            udp: t.Any = socketserver.ThreadingUDPServer(("127.0.0.1", 0), _Datagram)
            try:
                tcp: t.Any = _Tcp(udp.server_address, _Stream)
            except OSError:
                udp.server_close()
                continue
            break
        for server in (udp, tcp):
            server.names, server.daemon_threads = self, True
            self._running.append(server)
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        for server in self._running:
            server.shutdown()
            server.server_close()

    def answer(self, data: bytes, *, by_tcp: bool) -> bytes | None:
        """What is sent for a query; None for nothing."""
        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return None
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        fault = self.faults.get(name, self.faults.get("*", ""))
        if fault == "silent" or (fault == "cut for good" and by_tcp):
            return None
        if fault == "garbage":
            return data[:2] + b"\x81\x80\xff"
        answer = dns.message.make_response(query, recursion_available=True)
        if fault in ("SERVFAIL", "REFUSED"):
            answer.set_rcode(dns.rcode.from_text(fault))
        elif fault == "lame":
            answer.flags &= ~dns.flags.RA
            answer.authority.append(_rrset("example", "NS", ["ns.elsewhere.example."]))
        elif fault.startswith("cut") and not by_tcp:
            answer.flags |= dns.flags.TC
        elif fault == "other question":
            other = dns.message.make_response(dns.message.make_query("other.example", kind))
            other.id = query.id
            return other.to_wire()
        else:
            self._resolve(answer, name, kind)
        return answer.to_wire()

    def _resolve(self, answer: dns.message.Message, name: str, kind: str) -> None:
        passed = [name]
        while True:
            there, records = self.zones.at(name, kind)
            onward = [] if records else self.zones.at(name, "CNAME")[1]
            if records:
                answer.answer.append(_rrset(name, kind, records))
                return
            if not onward or kind == "CNAME":
                if not there:
                    answer.set_rcode(dns.rcode.NXDOMAIN)
                origin = self.zones.origin(name)
                if origin:
                    answer.authority.append(_rrset(origin, "SOA", [_SOA.format(f"{origin}.")]))
                return
            answer.answer.append(_rrset(name, "CNAME", onward))
            if self.first_alias_only:
                return
            name = onward[0].rstrip(".").lower()
            if name in passed or len(passed) > _LONGEST_CHAIN:
                # A resolver that notices says SERVFAIL; one that does not tells the circle.
                return
            passed.append(name)


def _rrset(name: str, kind: str, texts: t.Sequence[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(f"{name}.", 60, "IN", kind, texts)


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


class _Datagram(socketserver.BaseRequestHandler):
    server: t.Any

    def handle(self) -> None:
        data, sock = self.request
        answer = self.server.names.answer(data, by_tcp=False)
        if answer is not None:
            sock.sendto(answer, self.client_address)


class _Stream(socketserver.BaseRequestHandler):
    server: t.Any

    def handle(self) -> None:
        self.request.settimeout(2)
        with contextlib.suppress(OSError, struct.error):
            (length,) = struct.unpack("!H", self.request.recv(2, socket.MSG_WAITALL))
            data = self.request.recv(length, socket.MSG_WAITALL)
            answer = self.server.names.answer(data, by_tcp=True)
            if answer is not None:
                self.request.sendall(struct.pack("!H", len(answer)) + answer)
