# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a domain publishes beside its records: DMARC, MTA-STS (RFC 8461), TLS-RPT (RFC 8460).

The policy of MTA-STS is fetched over HTTPS from the addresses that the same resolver gives, with
its certificate verified: who sends mail takes no other. No redirect is followed (RFC 8461, 3.3).
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.resolver import Resolver
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.spf import texts

_LARGEST = 64 * 1024  # RFC 8461, 3.2: "at least 64 kilobytes"
# RFC 8461, 3.2: about one year; sts-policy-mx is a name, or "*." and a name.
_OLDEST = 31557600
_AGE = re.compile(r"[0-9]{1,10}")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_MX = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_PATH = "/.well-known/mta-sts.txt"
MODES = ("enforce", "testing", "none")
ABSENT, PRESENT, BROKEN, UNKNOWN = "absent", "present", "broken", "unknown"


@dataclass(frozen=True)
class Policy:
    """A policy: whether it is there, its tags in small letters, and what is wrong, as a sentence's
    half. `at` is the name that has the record.
    """

    status: str
    at: str = ""
    tags: t.Mapping[str, str] = ()  # type: ignore[assignment]
    why: str = ""
    mx: tuple[str, ...] = ()


def _tags(text: str) -> dict[str, str] | None:
    """`a=b; c=d` as a dictionary; None for what is no such text, or says one thing twice."""
    tags: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = part.partition("=")
        key = name.strip().lower()
        if not equals or key in tags:
            return None
        tags[key] = value.strip()
    return tags


def _record(resolver: Resolver, name: str, version: str) -> Policy:
    """The one TXT record of a version at a name."""
    answer = resolver.ask(name, "TXT")
    if not answer.known:
        return Policy(UNKNOWN, name, {}, f"DNS does not answer for {name}: {answer.why}")
    records = [
        text for text in texts(answer) if text.replace(" ", "").lower().startswith(version.lower())
    ]
    if not records:
        return Policy(ABSENT, name, {})
    if len(records) > 1:
        return Policy(BROKEN, name, {}, f"{name} has {len(records)} records of this kind, not one")
    tags = _tags(records[0])
    if tags is None:
        return Policy(BROKEN, name, {}, f"the record of {name} cannot be read")
    return Policy(PRESENT, name, tags)


def dmarc(domain: str, resolver: Resolver) -> Policy:
    """The DMARC policy of a domain: its own, or that of the nearest domain above it.

    The walk stops above the last two labels, so that nobody's top-level domain is asked.
    """
    labels = domain.split(".")
    for first in range(max(1, len(labels) - 1)):
        policy = _record(resolver, f"_dmarc.{'.'.join(labels[first:])}", "v=DMARC1")
        if policy.status == ABSENT:
            continue
        if policy.status != PRESENT:
            return policy
        asked = policy.tags.get("p", "").lower()
        if first and policy.tags.get("sp"):
            asked = policy.tags["sp"].lower()
        if asked not in ("none", "quarantine", "reject"):
            return Policy(BROKEN, policy.at, policy.tags, f"{policy.at} says no policy that exists")
        return Policy(PRESENT, policy.at, {**policy.tags, "asked": asked})
    return Policy(ABSENT, f"_dmarc.{domain}", {})


def tls_rpt(domain: str, resolver: Resolver) -> Policy:
    """Where others report to that cannot send over TLS."""
    policy = _record(resolver, f"_smtp._tls.{domain}", "v=TLSRPTv1")
    if policy.status == PRESENT and not policy.tags.get("rua"):
        return Policy(
            BROKEN, policy.at, policy.tags, f"{policy.at} names nobody to report to (rua)"
        )
    return policy


def mta_sts(
    domain: str,
    resolver: Resolver,
    *,
    seconds: float = 10.0,
    ca_path: str | None = None,
    port: int = 443,
) -> Policy:
    """The MTA-STS policy of a domain: its record, and the text that it stands for."""
    record = _record(resolver, f"_mta-sts.{domain}", "v=STSv1")
    if record.status != PRESENT:
        return record
    if not re.fullmatch(r"[A-Za-z0-9]{1,32}", record.tags.get("id", "")):
        return Policy(BROKEN, record.at, record.tags, f"the record of {record.at} has no id")
    host = f"mta-sts.{domain}"
    addresses: list[str] = []
    for kind in ("A", "AAAA"):
        answer = resolver.ask(host, kind)
        if not answer.known:
            why = f"DNS does not answer for {host}: {answer.why}"
            return Policy(UNKNOWN, host, record.tags, why)
        addresses += [str(each.address) for each in answer.records]
    if not addresses:
        return Policy(BROKEN, host, record.tags, f"{host} has no address")
    if resolver.left <= 0:
        return Policy(UNKNOWN, host, record.tags, resolver.over)
    until = time.monotonic() + min(seconds, resolver.left)
    why = ""
    for address in addresses[:4]:
        try:
            text = _fetch(host, address, port, until, ca_path)
        except _Refused as refusal:
            return Policy(BROKEN, host, record.tags, str(refusal))
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            why = f"https://{host}{_PATH} cannot be fetched from {address}: {reason}"
            if isinstance(error, ssl.SSLCertVerificationError):
                return Policy(BROKEN, host, record.tags, why)
            continue
        return understood(host, text, record)
    return Policy(UNKNOWN, host, record.tags, why)


class _Refused(Exception):
    """The web server answers, and not with a policy."""


class _Connection(http.client.HTTPSConnection):
    """HTTPS to an address, with the name in the certificate's place."""

    def __init__(self, host: str, address: str, port: int, until: float, tls: ssl.SSLContext):
        super().__init__(host, port, timeout=_left(until), context=tls)
        self._address, self._tls, self._end = address, tls, until

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), _left(self._end))
        try:
            plain.settimeout(_left(self._end))
            self.sock = self._tls.wrap_socket(
                plain, server_hostname=self.host, do_handshake_on_connect=False
            )
        except BaseException:
            plain.close()
            raise
        self.sock.do_handshake()

    def cut(self) -> None:
        """End the connection from another thread: a host that drips keeps every single read."""
        if self.sock is not None:
            with contextlib.suppress(OSError):
                # Not that of SSLSocket, which would go on in clear.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


def _left(until: float) -> float:
    """The seconds that are left. Raises OSError where none are."""
    left = until - time.monotonic()
    if left <= 0:
        raise OSError("it took too long")
    return left


def _fetch(host: str, address: str, port: int, until: float, ca_path: str | None) -> str:
    """The policy's text. Raises _Refused, OSError, HTTPException or ValueError."""
    tls = ssl.create_default_context(cafile=ca_path)
    connection = _Connection(host, address, port, until, tls)
    watch = threading.Timer(_left(until), connection.cut)
    watch.daemon = True
    watch.start()
    try:
        connection.request("GET", _PATH, headers={"User-Agent": "mailedge.lockdown"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise _Refused(f"https://{host}{_PATH} answers with HTTP {answer.status}")
        data = b""
        while len(data) <= _LARGEST:
            connection.sock.settimeout(_left(until))
            piece = answer.read1(4096)
            if not piece:
                break
            data += piece
        if len(data) <= _LARGEST and (answer.length or _left(until) <= 0):
            raise OSError("it ended too soon")
    finally:
        watch.cancel()
        connection.close()
    if len(data) > _LARGEST:
        raise _Refused(f"https://{host}{_PATH} is longer than {_LARGEST} bytes")
    return data.decode("utf-8")


def understood(host: str, text: str, record: Policy) -> Policy:
    """The text of a policy of MTA-STS; `record` is that of DNS, which stands for it."""
    pairs = [line.partition(":") for line in text.splitlines() if line.strip()]
    fields = {name.strip().lower(): value.strip() for name, _colon, value in reversed(pairs)}
    mx = tuple(
        value.strip().lower().rstrip(".")
        for name, _colon, value in pairs
        if name.strip().lower() == "mx"
    )
    tags = {**record.tags, **fields}
    wrong = ""
    if fields.get("version") != "STSv1":
        wrong = "does not begin as a policy does (version: STSv1)"
    elif fields.get("mode") not in MODES:
        wrong = "has no mode that exists"
    elif not _AGE.fullmatch(fields.get("max_age", "")) or int(fields["max_age"]) > _OLDEST:
        wrong = f"does not say how long it holds (max_age, {_OLDEST} seconds at most)"
    elif not all(_MX.fullmatch(pattern) for pattern in mx):
        wrong = "has an MX host that is neither a name nor *. and a name"
    elif not mx and fields["mode"] != "none":
        wrong = "names no MX host"
    status = BROKEN if wrong else PRESENT
    return Policy(status, host, tags, f"the policy of {host} {wrong}" if wrong else "", mx)


def covers(pattern: str, host: str) -> bool:
    """Whether an `mx` of a policy fits a host: itself, or `*.` for exactly one label."""
    if pattern.startswith("*."):
        return host.partition(".")[2] == pattern[2:] and "." in host
    return host == pattern
