# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# aiosmtpd finds commands by the names of methods.
# ruff: noqa: N802
"""Port 25 as a sender sees it: the rights on a host's live connectors answer, in Exchange's words.

A sender is whom its loopback address plays. Known from receive-connectors.md: the banner, 530
5.7.57 (enhanced code and words), one connection after another per source, the tarpit. Unverified,
from what people report: 421 4.3.2 where no connector hears the sender, the words after 451 5.7.3,
550 5.7.1 and 550 5.7.54, and all other texts. Which right each sender needs is in
receive-connectors.md ("Receive connector permissions"). That 4.3.2 is also what a server says whose
component is inactive, and 5.7.12 what one says for a recipient that takes only authenticated
senders, is in non-delivery-reports-in-exchange-online.md; their exact words are unverified.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import typing as t
import uuid
from dataclasses import dataclass, field

from aiosmtpd.smtp import SMTP, Envelope, syntax

from ansible_collections.mailedge.lockdown.tests.lab.clock import Clock
from ansible_collections.mailedge.lockdown.tests.lab.exchange import limits
from ansible_collections.mailedge.lockdown.tests.lab.exchange.transport import Admission
from ansible_collections.mailedge.lockdown.tests.lab.windows.transport_logs import endpoint

NO_CONNECTOR = "421 4.3.2 Service not available"
TOO_MANY = (
    "421 4.3.2 The maximum number of concurrent connections has exceeded a limit, closing "
    "transmission channel"
)
NOT_ANONYMOUS = "530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM"
NOT_THIS_SENDER = "550 5.7.1 Client does not have permissions to send as this sender"
MEMBERS_ONLY = (
    "550 5.7.12 Recipient is configured to reject mail of senders that are not authenticated"
)
TLS_FIRST = "451 5.7.3 Must issue a STARTTLS command first"
_RESERVED_TOP = (".test", ".example", ".invalid", ".localhost")
_RESERVED_SECOND = ("example.com", "example.net", "example.org")


_numbers = itertools.count(1)


@dataclass
class Conversation:
    """One connection: who the sender played, what it said, what it heard."""

    sender: str
    connector: str | None
    commands: list[str] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    tls: bool = False


@dataclass
class Mailbox:
    """What the front end needs to know of the server behind it.

    `accepts` says for which domains it takes mail, `admission` what a sender may do at this moment,
    `listens` whether senders of a family (4, 6) find anything. `relay_refusal` is that of its
    version. `service` is what ails the transport service, such as "not active", whoever comes;
    `members_only` are recipients that take mail only from who has logged in.
    """

    fqdn: str
    accepts: t.Callable[[str], bool]
    admission: t.Callable[[str], Admission]
    listens: t.Callable[[int], bool]
    relay_refusal: str = "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain"
    tls: ssl.SSLContext | None = None
    clock: Clock = field(default_factory=Clock)
    # Real servers wait TarpitInterval seconds before a 5xx to senders that did not log in; here,
    # these.
    tarpit: float = 0.0
    service: str = ""
    members_only: set[str] = field(default_factory=set)
    # Whether a message that is sent is taken; whatever is heard, a test sees it.
    takes_mail: bool = False
    # Writes a line of the receive protocol log, and one of message tracking.
    log: t.Callable[[t.Sequence[str]], None] = lambda _fields: None
    track: t.Callable[[t.Mapping[str, str]], None] = lambda _fields: None
    conversations: list[Conversation] = field(default_factory=list)


def address_of(path: str | None) -> str:
    """The address in ``FROM:<a@b> SIZE=1``, without what stands around it."""
    return (path or "").partition("<")[2].partition(">")[0]


class WholeReplies(SMTP):
    """Sends a reply of several lines in one write, as real servers do.

    Some clients (nmap's smtp scripts) read only once.
    """

    _begun = ""

    async def push(self, status: t.Any) -> None:
        """Send a line, or keep it until the last one of its reply."""
        text = status if isinstance(status, str) else bytes(status).decode("ascii", "replace")
        if text[3:4] == "-":
            self._begun += f"{text}\r\n"
            return
        whole, self._begun = self._begun + text, ""
        await super().push(whole)


class Heard(t.Protocol):
    """What is remembered of a connection."""

    commands: list[str]
    replies: list[str]


class Remembering(WholeReplies):
    """Remembers what was said and heard, and answers what is alike wherever Exchange listens."""

    talk: Heard | None = None

    async def push(self, status: t.Any) -> None:
        """Say something, and remember it."""
        text = status if isinstance(status, str) else bytes(status).decode("ascii", "replace")
        assert self.talk is not None
        self.talk.replies.append(text)
        await super().push(text)

    def heard(self, command: str, argument: str | None) -> None:
        """Remember a command."""
        assert self.talk is not None
        self.talk.commands.append(f"{command} {argument}" if argument else command)

    async def smtp_NOOP(self, arg: str | None) -> None:
        """Nothing."""
        self.heard("NOOP", arg)
        await self.push("250 2.0.0 OK")

    async def smtp_VRFY(self, arg: str | None) -> None:
        """Exchange tells nobody."""
        self.heard("VRFY", arg)
        await self.push("252 2.1.5 Cannot VRFY user")

    async def smtp_EXPN(self, arg: str | None) -> None:
        """Exchange has no lists to tell."""
        self.heard("EXPN", arg)
        await self.push("500 5.3.3 Unrecognized command")

    async def smtp_DATA(self, arg: str | None) -> None:
        """A message. It is heard, so that a test sees that somebody sends one, and refused: the lab
        has no queue.
        """
        self.heard("DATA", arg)
        await self.push("452 4.3.1 Insufficient system resources")

    async def smtp_BDAT(self, arg: str | None) -> None:
        """A message in pieces, as above."""
        self.heard("BDAT", arg)
        await self.push("452 4.3.1 Insufficient system resources")

    async def smtp_QUIT(self, arg: str | None) -> None:
        """The end."""
        self.heard("QUIT", arg)
        await self.push("221 2.0.0 Service closing transmission channel")
        self.transport.close()


class Session(Remembering):
    """One connection. The state machine and TLS are aiosmtpd's, the answers Exchange's."""

    def __init__(
        self, mailbox: Mailbox, plays: t.Callable[[str], str], counts: dict[str, int], **more: t.Any
    ) -> None:
        self._mailbox = mailbox
        self._plays = plays
        self._counts = counts
        self._talk: Conversation | None = None
        self._admission = Admission()
        self._mail = False
        self._recipients = 0
        self._number = f"08D{next(_numbers):013X}"
        self._lines = 0
        super().__init__(self, tls_context=mailbox.tls, data_size_limit=None, timeout=300, **more)

    def connection_made(self, transport: t.Any) -> None:
        """A sender is here, or has begun to encrypt."""
        if self._talk is None:
            sender = self._plays(transport.get_extra_info("peername")[0])
            self._admission = self._mailbox.admission(sender)
            connector = self._admission.connector
            self._talk = Conversation(sender, connector.name if connector else None)
            self.talk = self._talk
            self._mailbox.conversations.append(self._talk)
            self._counts[sender] = self._counts.get(sender, 0) + 1
            self._port = int(transport.get_extra_info("peername")[1])
            self._log("+", "")
            self.hostname, self.__ident__ = self._banner()
            if "Tls" not in self._values.get("AuthMechanism", ()):
                self.tls_context = None
        else:
            self._talk.tls = True
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """The sender is gone."""
        if self._talk:
            self._counts[self._talk.sender] -= 1
            self._log("-", "", "Remote")
        super().connection_lost(error)

    def _log(self, event: str, data: str, context: str = "") -> None:
        """A line of the protocol log, where the connector writes one: without a connector there is
        none (unverified).
        """
        connector, sender = self._admission.connector, self._talk.sender if self._talk else ""
        if connector is None or self._values.get("ProtocolLoggingLevel") != "Verbose":
            return
        local = endpoint("192.0.2.25" if ":" not in sender else "2001:db8::25", 25)
        named = [f"{connector.server}\\{connector.name}", self._number, str(self._lines)]
        remote = endpoint(sender, self._port)
        self._mailbox.log([*named, local, remote, event, data, context])
        self._lines += 1

    def heard(self, command: str, argument: str | None) -> None:
        """Remember a command, and log it."""
        super().heard(command, argument)
        self._log("<", f"{command} {argument}" if argument else command)

    @property
    def _values(self) -> t.Mapping[str, t.Any]:
        """The properties of the connector that was met; none where there was none."""
        return self._admission.connector.values if self._admission.connector else {}

    @property
    def _fqdn(self) -> str:
        return str(self._values.get("Fqdn") or self._mailbox.fqdn)

    def _banner(self) -> tuple[str, str]:
        own = self._values.get("Banner")
        if own:
            first, _space, rest = str(own).removeprefix("220").strip().partition(" ")
            return first, rest
        date = self._mailbox.clock.now().strftime("%a, %d %b %Y %H:%M:%S +0000")
        return self._fqdn, f"Microsoft ESMTP MAIL Service ready at {date}"

    async def _handle_client(self) -> None:
        assert self._talk is not None
        most = self._values.get("MaxInboundConnectionPerSource")
        refusal = None
        if self._mailbox.service:
            refusal = f"421 4.3.2 Service {self._mailbox.service}"
        elif self._admission.connector is None:
            refusal = NO_CONNECTOR
        elif isinstance(most, int) and self._counts[self._talk.sender] > most:
            refusal = TOO_MANY
        if refusal:
            await self.push(refusal)
            self.transport.close()
            return
        await super()._handle_client()

    async def push(self, status: t.Any) -> None:
        """Say something. A refusal for good comes late where the tarpit is on."""
        text = status if isinstance(status, str) else bytes(status).decode("ascii", "replace")
        if text.startswith("5") and self._mailbox.tarpit:
            await asyncio.sleep(self._mailbox.tarpit)
        for line in text.split("\r\n"):
            self._log(">", line)
        await super().push(text)

    async def smtp_EHLO(self, hostname: str) -> None:
        """What the connector offers."""
        self.heard("EHLO", hostname)
        self._mail = False
        assert self.session is not None
        self.session.extended_smtp = True
        self.session.host_name = hostname or ""
        assert self._talk is not None
        lines = [f"{self._fqdn} Hello [{self._talk.sender}]"]
        size = self._values.get("MaxMessageSize")
        lines.append(f"SIZE {size}" if size else "SIZE")
        lines += ["PIPELINING", "DSN", "ENHANCEDSTATUSCODES"]
        mechanisms = self._values.get("AuthMechanism", ())
        if self.tls_context and not self._tls_protocol:
            lines.append("STARTTLS")
        if "ExchangeServer" in mechanisms:
            lines.append("X-ANONYMOUSTLS")
        if "Integrated" in mechanisms:
            lines.append("AUTH NTLM")
        lines += ["8BITMIME", "BINARYMIME", "CHUNKING"]
        for line in lines[:-1]:
            await self.push(f"250-{line}")
        await self.push(f"250 {lines[-1]}")

    async def smtp_HELO(self, hostname: str) -> None:
        """The old greeting."""
        self.heard("HELO", hostname)
        self._mail = False
        assert self.session is not None
        self.session.extended_smtp = False
        self.session.host_name = hostname or ""
        assert self._talk is not None
        await self.push(f"250 {self._fqdn} Hello [{self._talk.sender}]")

    @syntax("STARTTLS", when="tls_context")
    async def smtp_STARTTLS(self, arg: str) -> None:
        """Encrypt, where the connector can."""
        self.heard("STARTTLS", arg)
        if self.tls_context and self._tls_protocol:
            await self.push("503 5.5.2 Only one STARTTLS command can be issued per session")
        elif self.tls_context and not arg:
            await super().smtp_STARTTLS(arg)
        else:
            await self.push("500 5.3.3 Unrecognized command")

    async def smtp_MAIL(self, arg: str | None) -> None:
        """May this sender send at all?"""
        self.heard("MAIL", arg)
        assert self.session is not None
        if self.session.host_name is None:
            await self.push("503 5.5.2 Send hello first")
        elif self._mail:
            await self.push("503 5.5.2 Sender already specified")
        elif not (arg or "").upper().startswith("FROM:"):
            await self.push("501 5.5.4 Invalid arguments")
        elif self._admission.tls_first and not self._tls_protocol:
            await self.push(TLS_FIRST)
        elif not self._admission.submit:
            await self.push(NOT_ANONYMOUS)
        elif not self._may_be(address_of(arg)):
            await self.push(NOT_THIS_SENDER)
        elif limits.announced(self._values, arg):
            await self.push(limits.announced(self._values, arg))
        else:
            self._mail, self._recipients = True, 0
            self.envelope = Envelope()
            await self.push("250 2.1.0 Sender OK")

    def _may_be(self, sender: str) -> bool:
        """Whether the session may send from this address. The empty one, of a bounce, is
        nobody's.
        """
        own = self._mailbox.accepts(sender.rpartition("@")[2])
        return not sender or (
            self._admission.own_domain_sender if own else self._admission.any_sender
        )

    async def smtp_RCPT(self, arg: str | None) -> None:
        """May it send to this recipient?"""
        self.heard("RCPT", arg)
        if not self._mail:
            await self.push("503 5.5.2 Need mail command")
        elif not (arg or "").upper().startswith("TO:") or "@" not in address_of(arg):
            await self.push("501 5.1.3 Invalid address")
        else:
            await self.push(self._judge(address_of(arg)))

    def _judge(self, recipient: str) -> str:
        domain = recipient.rpartition("@")[2].casefold()
        rejects = self._values.get
        if rejects("RejectReservedTopLevelRecipientDomains") and f".{domain}".endswith(
            _RESERVED_TOP
        ):
            return "550 5.1.4 Recipient address reserved by RFC 2606"
        if rejects("RejectReservedSecondLevelRecipientDomains") and domain in _RESERVED_SECOND:
            return "550 5.1.5 Recipient address reserved by RFC 2606"
        if recipient.casefold() in self._mailbox.members_only:
            return MEMBERS_ONLY
        if self._mailbox.accepts(domain) or self._admission.any_recipient:
            self._recipients += 1
            if self.envelope is not None:
                self.envelope.rcpt_tos.append(recipient)
            return (
                limits.announced(self._values, None, self._recipients) or "250 2.1.5 Recipient OK"
            )
        return self._mailbox.relay_refusal

    async def smtp_DATA(self, arg: str | None) -> None:
        """A message, where the server takes any."""
        if not self._mailbox.takes_mail or not self._mail:
            await super().smtp_DATA(arg)
            return
        self.heard("DATA", arg)
        await SMTP.smtp_DATA(self, arg or "")
        self._mail = False

    async def handle_DATA(self, _server: t.Any, _session: t.Any, _envelope: t.Any) -> str:
        """Put it into the queue that the lab has not; the reply is that of a recorded session."""
        identity = f"<{uuid.uuid4().hex}@sender.example>"
        connector = self._admission.connector
        assert connector is not None
        assert self._talk is not None
        self._mailbox.track(
            {
                "client-ip": self._talk.sender,
                "connector-id": f"{connector.server}\\{connector.name}",
                "source": "SMTP",
                "event-id": "RECEIVE",
                "message-id": identity,
            }
        )
        return (
            f"250 2.6.0 {identity} [InternalId=7, Hostname={self._mailbox.fqdn}] Queued mail for "
            "delivery"
        )

    async def smtp_RSET(self, arg: str | None) -> None:
        """Begin again."""
        self.heard("RSET", arg)
        self._mail = False
        await self.push("250 2.0.0 Resetting")

    async def smtp_AUTH(self, arg: str | None) -> None:
        """Nobody has an account here."""
        self.heard("AUTH", arg)
        await self.push("535 5.7.3 Authentication unsuccessful")
