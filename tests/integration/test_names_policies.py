# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DMARC, TLS-RPT and MTA-STS as they are read, the last from a web server with a certificate."""

from __future__ import annotations

import contextlib
import datetime
import pathlib
import socket
import ssl
import threading
import time
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns import identity, policies
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.judge import (
    Described,
    _dmarc,
    _mta_sts,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.names import Names, Wanted
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.resolver import Resolver
from ansible_collections.mailedge.lockdown.tests.lab.names import NameServer, Zones

DOMAIN = "hafen.example"
HOST = f"mta-sts.{DOMAIN}"
POLICY = "version: STSv1\r\nmode: enforce\r\nmx: *.filter.example\r\nmax_age: 604800\r\n"


@pytest.fixture
def dns() -> t.Iterator[NameServer]:
    zones = Zones(["example"])
    zones.add(DOMAIN, "MX", "10 mx1.filter.example.")
    zones.add(f"_mta-sts.{DOMAIN}", "TXT", '"v=STSv1; id=20260101"')
    zones.add(HOST, "A", "127.0.0.1")
    with NameServer(zones) as server:
        yield server


def resolver(dns: NameServer) -> Resolver:
    return Resolver("127.0.0.1", dns.port, seconds=0.5)


# ---------------------------------------------------------------- DMARC and TLS-RPT

DMARC = [
    ({}, "warning", "has no DMARC record"),
    ({f"_dmarc.{DOMAIN}": ["v=DMARC1; p=none"]}, "warning", "p=none"),
    ({f"_dmarc.{DOMAIN}": ["v=DMARC1; p=quarantine"]}, "ok", "quarantine"),
    ({f"_dmarc.{DOMAIN}": ["v=DMARC1;p=reject;"]}, "ok", "reject"),
    ({f"_dmarc.{DOMAIN}": ["v=DMARC1; p=rejct"]}, "warning", "no policy that exists"),
    ({f"_dmarc.{DOMAIN}": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, "warning", "2 records"),
    ({f"_dmarc.{DOMAIN}": ["something else"]}, "warning", "has no DMARC record"),
]


@pytest.mark.parametrize(("records", "severity", "words"), DMARC)
def test_dmarc_is_told(
    dns: NameServer, records: dict[str, list[str]], severity: str, words: str
) -> None:
    for name, texts in records.items():
        dns.zones.add(name, "TXT", *(f'"{text}"' for text in texts))
    (finding,) = _dmarc(DOMAIN, resolver(dns))
    assert (finding.severity, words in finding.sentence) == (severity, True), finding


def test_a_domain_below_another_has_the_policy_for_such(dns: NameServer) -> None:
    dns.zones.add(f"_dmarc.{DOMAIN}", "TXT", '"v=DMARC1; p=reject; sp=none"')
    assert policies.dmarc(f"branch.{DOMAIN}", resolver(dns)).tags["asked"] == "none"
    assert policies.dmarc(DOMAIN, resolver(dns)).tags["asked"] == "reject"
    assert ("_dmarc.example", "TXT") not in dns.asked


def test_tls_rpt_names_who_is_told(dns: NameServer) -> None:
    name = f"_smtp._tls.{DOMAIN}"
    assert policies.tls_rpt(DOMAIN, resolver(dns)).status == policies.ABSENT
    dns.zones.add(name, "TXT", '"v=TLSRPTv1"')
    assert policies.tls_rpt(DOMAIN, resolver(dns)).status == policies.BROKEN
    dns.zones.records[name, "TXT"] = ['"v=TLSRPTv1; rua=mailto:tls@hafen.example"']
    assert policies.tls_rpt(DOMAIN, resolver(dns)).status == policies.PRESENT


# ---------------------------------------------------------------- MTA-STS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A key with a certificate for the policy host, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("policy") / "host.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextlib.contextmanager
def policy_host(certificate: pathlib.Path, answer: bytes, *, drip: float = 0) -> t.Iterator[int]:
    """A web server over TLS that says `answer` to everybody, all of it or a byte at a time."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    ended = threading.Event()

    def talk(plain: socket.socket) -> None:
        with contextlib.suppress(OSError), tls.wrap_socket(plain, server_side=True) as sock:
            sock.recv(4096)
            if not drip:
                sock.sendall(answer)
                return
            while not ended.wait(drip):
                sock.sendall(b"x")

    def serve() -> None:
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                talk(listening.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        ended.set()
        thread.join(5)


def http(text: str, status: str = "200 OK") -> bytes:
    body = text.encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def found_of(dns: NameServer, certificate: pathlib.Path, port: int) -> tuple[str, str]:
    asks = resolver(dns)
    names = Names(asks, Wanted((DOMAIN,)))
    names.mx[DOMAIN] = asks.ask(DOMAIN, "MX")
    described = Described(ca_path=str(certificate), https_port=port)
    (finding,) = _mta_sts(DOMAIN, names, described, asks)
    return finding.severity, finding.sentence


POLICIES = [
    (http(POLICY), "ok", "covers its MX hosts"),
    (http(POLICY.replace("*.filter", "*.old")), "critical", "leaves out the MX host mx1"),
    (http(POLICY.replace("*.filter.example", "filter.example")), "critical", "leaves out"),
    (http(POLICY.replace("*.filter", "*")), "critical", "leaves out"),
    (http(POLICY.replace("enforce", "testing")), "note", "protects nothing"),
    (http(POLICY.replace("enforce", "testing").replace("*.f", "*.g")), "warning", "leaves out"),
    (http(POLICY.replace("enforce", "none")), "note", "mode none"),
    (http(POLICY.replace("enforce", "strict")), "warning", "no mode that exists"),
    (http(POLICY.replace("version: STSv1", "version: 2")), "warning", "does not begin"),
    (http(POLICY.replace("mx: *.filter.example\r\n", "")), "warning", "names no MX host"),
    (http("<html>"), "warning", "does not begin"),
    (http("", "404 Not Found"), "warning", "HTTP 404"),
    (http(POLICY, "301 Moved\r\nLocation: https://elsewhere.example/"), "warning", "HTTP 301"),
    (http("x" * 70000), "warning", "longer than"),
    (b"220 mail.hafen.example ESMTP\r\n", "unknown", "cannot be fetched"),
    (b"", "unknown", "cannot be fetched"),
    (http(POLICY)[:-3], "unknown", "ended too soon"),
]


@pytest.mark.parametrize(("answer", "severity", "words"), POLICIES)
def test_a_policy_is_held_against_the_mx_hosts(
    dns: NameServer, certificate: pathlib.Path, answer: bytes, severity: str, words: str
) -> None:
    with policy_host(certificate, answer) as port:
        told = found_of(dns, certificate, port)
    assert (told[0], words in told[1]) == (severity, True), told


def test_a_certificate_that_nobody_trusts_makes_the_policy_count_for_nothing(
    dns: NameServer, certificate: pathlib.Path
) -> None:
    with policy_host(certificate, http(POLICY)) as port:
        policy = policies.mta_sts(DOMAIN, resolver(dns), port=port)
    assert policy.status == policies.BROKEN


def test_a_policy_host_that_drips_or_is_gone_is_unknown_and_soon(
    dns: NameServer, certificate: pathlib.Path
) -> None:
    begun = time.monotonic()
    with policy_host(certificate, b"", drip=0.05) as port:
        policy = policies.mta_sts(
            DOMAIN, resolver(dns), seconds=1, ca_path=str(certificate), port=port
        )
    assert policy.status == policies.UNKNOWN
    assert time.monotonic() - begun < 6
    gone = policies.mta_sts(DOMAIN, resolver(dns), seconds=1, port=port)
    assert gone.status == policies.UNKNOWN
    dns.faults[HOST] = "SERVFAIL"
    assert policies.mta_sts(DOMAIN, resolver(dns), seconds=1).status == policies.UNKNOWN


# ---------------------------------------------------------------- greeting, PTR, certificate


def test_greeting_ptr_and_certificate_name_one_host() -> None:
    pointers = {"203.0.113.25": {"hosts": [f"mail.{DOMAIN}"], "back": [f"mail.{DOMAIN}"]}}

    def told(banner: str, *names: str) -> list[str]:
        tls = {"names": list(names)} if names else None
        seen = {"address": "203.0.113.25", "banner": banner, "tls": tls}
        return [each.severity for each in identity.findings(pointers, [seen])]

    assert told(f"mail.{DOMAIN} ESMTP", f"*.{DOMAIN}") == ["ok"]
    assert told(f"MAIL.{DOMAIN}. ESMTP", f"mail.{DOMAIN}") == ["ok"]
    assert told("EX1.hafen.local ESMTP", f"mail.{DOMAIN}") == ["note"]
    assert told(f"mail.{DOMAIN} ESMTP", "EX1") == ["note"]
    assert told(f"mail.{DOMAIN} ESMTP", "*.example") == ["note"]
    assert told("EX1 ESMTP") == []
    assert told("") == []
