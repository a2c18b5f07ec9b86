# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at one address: as far as the recipient of a message, for up to three messages, none of which is ever sent.

connect, greeting, EHLO, STARTTLS and EHLO again, then for each question MAIL FROM, RCPT TO, RSET, and at the end QUIT.
"""

from __future__ import annotations

import re
import socket
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import (
    FAMILIES,
    FAMILY_WORDS,
    Door,
    Egress,
    local_address,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.session import (
    Reply,
    Session,
    Tls,
    Trouble,
    connect,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import (
    DELIVERY,
    INCONCLUSIVE,
    RELAY,
    SPOOF,
    STAGE_WORDS,
    Judgement,
    judge_reply,
    judge_trouble,
    together,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    PRIVATE,
    RangeError,
    RangeSet,
    parse_address,
)

# How Exchange greets after EHLO: `250-EX1.hafen.example Hello [198.51.100.7]`. The address is the one it sees.
_HELLO = re.compile(r"\bhello \[(?:IPv6:)?([0-9a-f:.]+)(?:%[^\]]*)?\]", re.IGNORECASE)
# Not understood (RFC 5321, 4.2.4): such a server may still know HELO.
_UNKNOWN_COMMAND = (500, 501, 502, 504)


class NamedCase(t.NamedTuple):
    """One question: of which case it is, and the envelope that asks it."""

    name: str
    sender: str
    recipient: str


@dataclass(frozen=True)
class Question:
    """What is asked of every address, and how. Seconds are for one connection, and for one reply."""

    sender: str
    recipient: str
    relay_recipient: str | None = None
    own_domain_sender: str | None = None
    helo_name: str | None = None
    source: str | None = None
    starttls: str = "if_offered"
    connect_seconds: float = 20.0
    reply_seconds: float = 40.0
    allowed: RangeSet = field(default_factory=RangeSet)

    def cases(self) -> tuple[NamedCase, ...]:
        """The questions in the order in which they are asked."""
        asked = [NamedCase(DELIVERY, self.sender, self.recipient)]
        if self.relay_recipient is not None:
            asked.append(NamedCase(RELAY, self.sender, self.relay_recipient))
        if self.own_domain_sender is not None:
            asked.append(NamedCase(SPOOF, self.own_domain_sender, self.recipient))
        return tuple(asked)


@dataclass(frozen=True)
class Finding:
    """The answer to one question: the stage it was decided at, what was said there, and what it means."""

    stage: str
    judgement: Judgement
    said: str
    reply: Reply | None = None
    seconds: float = 0.0

    @property
    def sentence(self) -> str:
        """What it means and why, as one or two sentences about "it", the server."""
        return f"{self.judgement.sentence} {self.said}".strip()

    def result(self) -> dict[str, t.Any]:
        """Plain data for the module's result."""
        return {
            "verdict": self.judgement.verdict,
            "reason": self.judgement.reason,
            "needs_positive_control": self.judgement.needs_control,
            "stage": self.stage,
            "code": self.reply.code if self.reply else None,
            "enhanced_status": self.reply.enhanced if self.reply else None,
            "text": self.reply.text if self.reply else None,
            "seconds": round(self.seconds, 3),
            "sentence": self.sentence,
        }


@dataclass
class Look:
    """What was found at one address."""

    door: Door
    findings: dict[str, Finding] = field(default_factory=dict)
    transcript: list[str] = field(default_factory=list)
    source: str | None = None
    seen_as: str | None = None
    reachable: bool = False
    connect_seconds: float | None = None
    banner: str | None = None
    extensions: tuple[str, ...] = ()
    tls: Tls | None = None
    tls_error: str | None = None
    source_allowed: bool = False

    def verdict_of(self, case: str) -> str | None:
        """The verdict of one case, None where it was not asked."""
        return self.findings[case].judgement.verdict if case in self.findings else None

    @property
    def verdict(self) -> str:
        """All cases together."""
        return together(self.verdict_of(case) for case in self.findings)

    @property
    def address_hidden(self) -> bool:
        """Whether something in between shows the server a private address instead of the sender's own."""
        return (
            self.seen_as is not None
            and parse_address(self.seen_as) in PRIVATE
            and parse_address(self.door.address) not in PRIVATE
        )

    def sentences(self) -> list[str]:
        """What was found, in plain words."""
        lines = [
            f"{self.door.words} {what[case]}: {finding.judgement.verdict}. {finding.sentence}"
            for what in (
                {DELIVERY: "for mail of strangers", RELAY: "as a relay", SPOOF: "for mail in the site's own name"},
            )
            for case, finding in self.findings.items()
        ]
        if self.address_hidden:
            lines.append(
                f"{self.door.words} sees this host as {self.seen_as}, a private address. If a load balancer or firewall "
                "hides the senders like this, no remote IP range of a receive connector can tell them apart."
            )
        return lines


def _is_in(address: str | None, ranges: RangeSet) -> bool:
    if address is None:
        return False
    try:
        return parse_address(address) in ranges
    except RangeError:
        return False


class _Visit:
    """The look while it is going on."""

    def __init__(self, door: Door, question: Question, egress: Egress) -> None:
        self.look = Look(door)
        self._question = question
        self._egress = egress
        self._session: Session | None = None
        self._plain = question.starttls == "never"

    def all_cases(self) -> Look:
        """Ask everything."""
        look, question = self.look, self._question
        look.source = local_address(look.door, question.source)
        if question.source is not None and look.source is None:
            words = FAMILY_WORDS[look.door.family]
            return self._same_for_all(
                "source",
                Judgement(INCONCLUSIVE, "no_source_address", f"{question.source} is no {words} address to look from."),
            )
        if _is_in(look.source, question.allowed):
            look.source_allowed = True
            return self._same_for_all("source", self._allowed_source(str(look.source)))
        for case in question.cases():
            look.findings[case.name] = finding = self._case(case)
            if finding.stage not in ("mail", "rcpt", "rset") and case.name == DELIVERY:
                # What happens before an envelope happens to every envelope.
                return self._same_for_all(finding.stage, finding.judgement, finding)
        if self._session is not None:
            self._session.quit()
        return self._distrust_allowed()

    def _allowed_source(self, address: str) -> Judgement:
        sentence = f"This host looks from {address}, which is in allowed_ranges, so it is no stranger and sees no lock."
        return Judgement(INCONCLUSIVE, "source_allowed", sentence)

    def _same_for_all(self, stage: str, judgement: Judgement, like: Finding | None = None) -> Look:
        finding = like or Finding(stage, judgement, "Nothing was sent.")
        self.look.findings = {case.name: finding for case in self._question.cases()}
        if self._session is not None:
            self._session.quit()
        return self.look

    def _distrust_allowed(self) -> Look:
        """Take back every verdict if the server itself says that it sees an allowed sender."""
        look = self.look
        if _is_in(look.seen_as, self._question.allowed):
            look.source_allowed = True
            judgement = Judgement(
                INCONCLUSIVE,
                "source_allowed",
                f"The server sees this host as {look.seen_as}, which is in allowed_ranges, so it is no stranger.",
            )
            for case, finding in look.findings.items():
                look.findings[case] = Finding(finding.stage, judgement, finding.said, finding.reply, finding.seconds)
        return look

    def _case(self, case: NamedCase) -> Finding:
        """Ask one question, on a new connection if there is none any more."""
        stage = "connect"
        try:
            if self._session is None or not self._session.open:
                for stage, reply in self._greeting():
                    if reply is not None:
                        return self._refused(case, stage, reply)
            session = t.cast(Session, self._session)
            for stage, verb, argument in (
                ("mail", "MAIL", f"FROM:<{case.sender}>"),
                ("rcpt", "RCPT", f"TO:<{case.recipient}>"),
            ):
                reply = session.command(verb, argument)
                if stage == "rcpt" or not reply.positive:
                    finding = self._refused(case, stage, reply)
                    break
        except Trouble as trouble:
            return self._troubled(stage, trouble)
        try:
            session.command("RSET")
        except Trouble:
            # The question is answered; the next one begins with a new connection.
            pass
        return finding

    def _refused(self, case: NamedCase, stage: str, reply: Reply) -> Finding:
        said = f"The answer to {STAGE_WORDS[stage]} was: {reply.words()}"
        if stage == "banner":
            said = f"The greeting was: {reply.words()}"
        judgement = judge_reply(case.name, stage, reply, case.sender, case.recipient)
        return Finding(stage, judgement, said, reply, reply.seconds)

    def _troubled(self, stage: str, trouble: Trouble) -> Finding:
        egress = self._egress.proven(self.look.door.family) if stage == "connect" else None
        where = "" if stage == "connect" else f"At {STAGE_WORDS[stage]} "
        said = f"{where}it {trouble}."
        return Finding(stage, judge_trouble(stage, trouble, egress), said[0].upper() + said[1:], None, trouble.seconds)

    def _greeting(self) -> t.Iterator[tuple[str, Reply | None]]:
        """Everything up to the envelope: each stage as it begins, with the reply if that ends the look."""
        look, question, door = self.look, self._question, self.look.door
        yield "connect", None
        look.transcript.append(f"* connecting to {door.peer}" + (f" from {look.source}" if look.source else ""))
        try:
            sock, seconds = connect(FAMILIES[door.family], door.sockaddr, question.source, question.connect_seconds)
        except Trouble as trouble:
            look.transcript.append(f"* {trouble}")
            raise
        look.reachable = True
        look.connect_seconds = round(seconds, 3)
        look.source = str(sock.getsockname()[0]).partition("%")[0]
        look.transcript.append(f"* connected after {seconds:.3f} seconds")
        self._session = session = Session(sock, question.reply_seconds, look.transcript)
        yield "banner", None
        reply = session.banner()
        look.banner = reply.text
        if reply.code != 220:
            yield "banner", reply
        yield "ehlo", None
        reply = self._hello(session)
        if reply.code != 250:
            yield "ehlo", reply
        if self._plain:
            return
        yield "starttls", None
        try:
            refusal = self._secure(session)
        except Trouble as trouble:
            if trouble.kind != "tls" or question.starttls == "require" or look.tls is not None:
                raise
            # Like a sender who would rather deliver in clear than not at all.
            look.tls_error = str(trouble)
            self._plain = True
            look.transcript.append("* once more without TLS")
            yield from self._greeting()
            return
        if refusal is not None:
            yield "starttls", refusal

    def _hello(self, session: Session) -> Reply:
        name = self._question.helo_name or self._literal()
        reply = session.command("EHLO", name)
        if reply.code in _UNKNOWN_COMMAND:
            reply = session.command("HELO", name)
        if reply.code == 250:
            self.look.extensions = tuple(line.strip() for line in reply.lines[1:])
            found = _HELLO.search(reply.lines[0])
            try:
                self.look.seen_as = str(parse_address(found.group(1))) if found else None
            except RangeError:
                self.look.seen_as = None
        return reply

    def _literal(self) -> str:
        """The name of a host that has none: its address (RFC 5321, 4.1.3)."""
        return f"[IPv6:{self.look.source}]" if self.look.door.family == "ipv6" else f"[{self.look.source}]"

    def _secure(self, session: Session) -> Reply | None:
        """STARTTLS as the question wants it; the reply if that ends the look. Raises Trouble."""
        look, question = self.look, self._question
        offered = any(line.split(" ")[0].upper() == "STARTTLS" for line in look.extensions)
        if not offered and question.starttls == "if_offered":
            return None
        names = [name for name in look.door.names if name != look.door.address]
        reply, tls = session.starttls(names[0] if names else None)
        if tls is None:
            look.tls_error = reply.words()
            return reply if question.starttls == "require" else None
        look.tls = tls
        reply = self._hello(session)
        return None if reply.code == 250 else reply


def look_at(door: Door, question: Question, egress: Egress) -> Look:
    """Look at one address. Never fails for anything that the other side does."""
    begin = time.monotonic()
    visit = _Visit(door, question, egress)
    look = visit.all_cases()
    look.transcript.append(f"* finished after {time.monotonic() - begin:.3f} seconds")
    return look


def nowhere(target: str, port: int, question: Question, what: str) -> Look:
    """What is found for a target that has no address."""
    look = Look(Door("", port, "", (target,), ()))
    judgement = Judgement(INCONCLUSIVE, "no_address", f"{target} {what}.")
    finding = Finding("resolve", judgement, "Nothing was sent.")
    look.findings = {case.name: finding for case in question.cases()}
    return look


def is_local(address: str) -> bool:
    """Whether this host can look from an address."""
    family = FAMILIES[f"ipv{parse_address(address).version}"]
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((address, 0))
    except OSError:
        return False
    return True
