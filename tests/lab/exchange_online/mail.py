# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# aiosmtpd finds commands by the names of methods.
# ruff: noqa: N802
"""Port 25 of the lab's Exchange Online: what `*.mail.protection.outlook.com` says to whom.

Whose tenant it is, is decided by the recipient (attribution.py). Known from: facts exchange_online
§3.3 (the texts), a support article with a whole refusal (`[server time number]` behind it), and the
greeting and MAIL answers of Exchange. SIZE and SMTPUTF8 are from memory. A certificate that the
lab's sender authority did not sign ends the handshake; the real one is more patient, and does not
believe it either: unverified.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import pathlib
import ssl
import threading
import typing as t
from dataclasses import dataclass, field

from aiosmtpd.smtp import syntax
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.mailedge.lockdown.tests.lab.clock import Clock
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.attribution import (
    ACCEPTED,
    Hop,
    answer,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.tenant import Tenant
from ansible_collections.mailedge.lockdown.tests.lab.smtp import Remembering, address_of
from ansible_collections.mailedge.lockdown.tests.lab.wsman.certificate import make_certificate

SERVER = "LAB01FT001.mail.protection.outlook.com"


@dataclass
class Conversation:
    """One connection: whom the sender played, what it said, what it heard."""

    sender: str
    commands: list[str] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    hop: Hop | None = None


class SenderAuthority:
    """Signs certificates for servers that deliver mail; the lab's Exchange Online believes it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab sender authority")])
        own = self._certificate(self._name, self._key.public_key(), authority=True)
        self.path = folder / "sender-authority.pem"
        self.path.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def _certificate(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *,
        authority: bool = False,
        names: t.Sequence[str] = (),
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
        )
        if names:
            others = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(others, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def certificate(self, subject: str, *names: str) -> tuple[str, str]:
        """The files of a certificate for a server, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        certificate = self._certificate(name, key.public_key(), names=names)
        stem = subject.replace("*", "any")
        path, key_path = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_path.touch(mode=0o600)
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return str(path), str(key_path)


class MailFront:
    """Port 25 on 127.0.0.1 for senders of IPv4, and a port of ::1 for each sender of IPv6.

    `sources`: loopback address → the address that it plays; `otherwise`: what all others play.
    `ipv6`: name → address; `ipv6_ports`: name → port, empty on a machine without IPv6.
    """

    def __init__(
        self,
        tenants: list[Tenant],
        folder: pathlib.Path,
        clock: Clock,
        sources: t.Mapping[str, str],
        otherwise: str,
        ipv6: t.Mapping[str, str],
    ) -> None:
        self.tenants, self.clock = tenants, clock
        self.sources, self.otherwise, self._ipv6 = sources, otherwise, ipv6
        self.conversations: list[Conversation] = []
        self.authority = SenderAuthority(folder)
        own = folder / "mail"
        own.mkdir()
        made = make_certificate("mail.protection.outlook.com", own)
        self.ca_path = made.path
        self.context = made.context
        self.context.load_verify_locations(self.authority.path)
        self.context.verify_mode = ssl.CERT_OPTIONAL
        self.port = 0
        self.ipv6_ports: dict[str, int] = {}
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.AbstractServer] = []
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(30)

    async def _open(self) -> None:
        self.port = await self._listen("127.0.0.1", self._plays)
        # A machine without IPv6 has a lab without it.
        with contextlib.suppress(OSError):
            for name, address in self._ipv6.items():
                self.ipv6_ports[name] = await self._listen("::1", self._always(address))

    def _plays(self, peer: str) -> str:
        return self.sources.get(peer, self.otherwise)

    @staticmethod
    def _always(address: str) -> t.Callable[[str], str]:
        return lambda peer: address

    async def _listen(self, address: str, plays: t.Callable[[str], str]) -> int:
        server = await self._loop.create_server(
            lambda: _Session(self, plays, self._loop), address, 0
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop."""
        asyncio.run_coroutine_threadsafe(self._drain(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _drain(self) -> None:
        for server in self._servers:
            server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Session(Remembering):
    """One connection. The state machine and TLS are aiosmtpd's."""

    def __init__(
        self, front: MailFront, plays: t.Callable[[str], str], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._front, self._plays = front, plays
        self._talk: Conversation | None = None
        self._hop = Hop("192.0.2.1")
        self._from: str | None = None
        super().__init__(
            object(), tls_context=front.context, data_size_limit=None, timeout=300, loop=loop
        )

    def connection_made(self, transport: t.Any) -> None:
        """A sender is here, or has begun to encrypt."""
        if self._talk is None:
            played = self._plays(transport.get_extra_info("peername")[0])
            self._hop = Hop(str(ipaddress.ip_address(played)))
            self._talk = self.talk = Conversation(self._hop.address)
            self._front.conversations.append(self._talk)
            date = self._front.clock.now().strftime("%a, %d %b %Y %H:%M:%S +0000")
            self.hostname = SERVER
            self.__ident__ = f"Microsoft ESMTP MAIL Service ready at {date}"
        else:
            shown = transport.get_extra_info("peercert") or {}
            subject = [value for part in shown.get("subject", ()) for _key, value in part]
            names = tuple(value for _kind, value in shown.get("subjectAltName", ()))
            self._hop = Hop(self._hop.address, True, subject[-1] if subject else "", names)
        self._talk.hop = self._hop
        super().connection_made(transport)

    async def smtp_EHLO(self, hostname: str) -> None:
        """What it offers."""
        self.heard("EHLO", hostname)
        self._from = None
        assert self.session is not None
        self.session.extended_smtp = True
        self.session.host_name = hostname or ""
        lines = [f"{SERVER} Hello [{self._hop.address}]", "SIZE 157286400", "PIPELINING", "DSN"]
        lines += ["ENHANCEDSTATUSCODES", *([] if self._tls_protocol else ["STARTTLS"])]
        lines += ["8BITMIME", "BINARYMIME", "CHUNKING"]
        for line in lines:
            await self.push(f"250-{line}")
        await self.push("250 SMTPUTF8")

    async def smtp_HELO(self, hostname: str) -> None:
        """The old greeting."""
        self.heard("HELO", hostname)
        self._from = None
        assert self.session is not None
        self.session.extended_smtp = False
        self.session.host_name = hostname or ""
        await self.push(f"250 {SERVER} Hello [{self._hop.address}]")

    @syntax("STARTTLS", when="tls_context")
    async def smtp_STARTTLS(self, arg: str) -> None:
        """Encrypt, once."""
        self.heard("STARTTLS", arg)
        if self._tls_protocol:
            await self.push("503 5.5.2 Only one STARTTLS command can be issued per session")
        elif arg:
            await self.push("501 5.5.4 Unrecognized parameter")
        else:
            await super().smtp_STARTTLS(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:
        """Any sender will do, until a recipient is named."""
        self.heard("MAIL", arg)
        assert self.session is not None
        if self.session.host_name is None:
            await self.push("503 5.5.2 Send hello first")
        elif self._from is not None:
            await self.push("503 5.5.2 Sender already specified")
        elif not (arg or "").upper().startswith("FROM:"):
            await self.push("501 5.5.4 Invalid arguments")
        else:
            self._from = address_of(arg)
            await self.push("250 2.1.0 Sender OK")

    async def smtp_RCPT(self, arg: str | None) -> None:
        """The tenant of the recipient decides."""
        self.heard("RCPT", arg)
        if self._from is None:
            await self.push("503 5.5.2 Need mail command")
        elif not (arg or "").upper().startswith("TO:") or "@" not in address_of(arg):
            await self.push("501 5.1.3 Invalid address")
        else:
            said = answer(self._front.tenants, self._hop, self._from, address_of(arg))
            if said != ACCEPTED:
                moment = self._front.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
                said = f"{said} [{SERVER} {moment}Z 08DE0000000000A1]"
            await self.push(said)

    async def smtp_RSET(self, arg: str | None) -> None:
        """Begin again."""
        self.heard("RSET", arg)
        self._from = None
        await self.push("250 2.0.0 Resetting")

    async def smtp_AUTH(self, arg: str | None) -> None:
        """Nobody logs in here."""
        self.heard("AUTH", arg)
        await self.push("504 5.7.4 Unrecognized authentication type")
