# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at one address: up to three messages as far as their recipients, none of them sent.

connect, greeting, EHLO, STARTTLS and EHLO again, then for each question MAIL FROM, RCPT TO, RSET,
and at the end QUIT.
"""

from __future__ import annotations

import re
import time
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.machine import Machine
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import (
    FAMILIES,
    FAMILY_WORDS,
    Door,
    Egress,
    literal,
    local_address,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.session import (
    Reply,
    Session,
    Tls,
    Trouble,
    connect,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.table import LOGIN_REQUIRED
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import (
    DELIVERY,
    INCONCLUSIVE,
    RELAY,
    SPOOF,
    STAGE_WORDS,
    Judgement,
    judge_again,
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

# How Exchange greets after EHLO: `250-EX1.hafen.example Hello [198.51.100.7]`, with the address it
# sees (unverified).
_HELLO = re.compile(r"\bhello \[(?:IPv6:)?([0-9a-f:.]+)(?:%[^\]]*)?\]", re.IGNORECASE)
SMTP = "smtp"
ENVELOPE_STAGES = ("mail", "rcpt")
# Not understood (RFC 5321, 4.2.4): such a server may still know HELO.
_UNKNOWN_COMMAND = (500, 501, 502, 504)


CASE_WORDS = {
    DELIVERY: "to mail of strangers",
    RELAY: "as a relay",
    SPOOF: "to mail in the site's own name",
}


class NamedCase(t.NamedTuple):
    """One question: of which case it is, and the envelope that asks it."""

    name: str
    sender: str
    recipient: str


@dataclass(frozen=True)
class Question:
    """What is asked of every address, and how.

    Seconds are for one connection, and for one reply.
    """

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
    reached_before: RangeSet = field(default_factory=RangeSet)
    own_networks: RangeSet = field(default_factory=RangeSet)

    def names(self) -> tuple[str, ...]:
        """What is asked, in that order."""
        return tuple(case.name for case in self.cases())

    def cases(self) -> tuple[NamedCase, ...]:
        """The questions in the order in which they are asked."""
        asked = [NamedCase(DELIVERY, self.sender, self.recipient)]
        if self.relay_recipient is not None:
            asked.append(NamedCase(RELAY, self.sender, self.relay_recipient))
        if self.own_domain_sender is not None:
            asked.append(NamedCase(SPOOF, self.own_domain_sender, self.recipient))
        return tuple(asked)


@dataclass(frozen=True)
class Decision:
    """The answer to one question: where it was decided, what was said there, and what it means."""

    stage: str
    judgement: Judgement
    said: str
    reply: Reply | None = None
    seconds: float = 0.0

    @property
    def sentence(self) -> str:
        """What it means and why, as one or two sentences about "it", the server."""
        parts = [self.judgement.sentence, self.said]
        return " ".join(parts if self.reply else parts[::-1]).strip()

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
    decisions: dict[str, Decision] = field(default_factory=dict)
    transcript: list[str] = field(default_factory=list)
    source: str | None = None
    seen_as: str | None = None
    reachable: bool = False
    greeted: bool = False
    machine: Machine | None = None
    compared: bool = False
    connect_seconds: float | None = None
    banner: str | None = None
    extensions: tuple[str, ...] = ()
    tls: Tls | None = None
    tls_error: str | None = None
    source_allowed: bool = False
    protocol: str = SMTP
    # Of a look at a web: what each path must be, and what the server gives away.
    expects: t.Mapping[str, str | None] = field(default_factory=dict)
    web: dict[str, str | None] = field(default_factory=dict)

    def verdict_of(self, case: str) -> str | None:
        """The verdict of one case, None where it was not asked."""
        return self.decisions[case].judgement.verdict if case in self.decisions else None

    @property
    def verdict(self) -> str:
        """All cases together."""
        return together(self.verdict_of(case) for case in self.decisions)

    @property
    def address_hidden(self) -> bool:
        """Whether something in between shows the server a private address, not the sender's own."""
        return (
            self.seen_as is not None
            and parse_address(self.seen_as) in PRIVATE
            and parse_address(self.door.address) not in PRIVATE
        )


def _is_in(address: str | None, ranges: RangeSet) -> bool:
    if address is None:
        return False
    try:
        return parse_address(address) in ranges
    except RangeError:
        return False


def _nothing_sent(reason: str, sentence: str, stage: str = "source") -> Decision:
    return Decision(stage, Judgement(INCONCLUSIVE, reason, f"{sentence} Nothing was sent."), "")


class Asker(t.Protocol):
    """What a look is from: the address named for it, and the ranges it must not be in."""

    @property
    def source(self) -> str | None:
        """The address of this host to look from; None where none is named."""

    @property
    def allowed(self) -> RangeSet:
        """Whom the lock lets in."""

    @property
    def own_networks(self) -> RangeSet:
        """The site's own networks."""

    def names(self) -> tuple[str, ...]:
        """What is asked."""


def no_stranger(look: Look, question: Asker) -> Decision | None:
    """Why this host's view is not that of a stranger; None where it is. Nothing is sent then."""
    if question.source is not None and look.source is None:
        sentence = f"{question.source} is no {FAMILY_WORDS[look.door.family]} address to look from."
        return _nothing_sent("no_source_address", sentence)
    if _is_in(look.source, question.allowed):
        look.source_allowed = True
        return _nothing_sent(
            "source_allowed",
            f"This host looks from {look.source}, which is in allowed_ranges, so it is no "
            "stranger.",
        )
    if _is_in(look.source, question.own_networks):
        return _nothing_sent(
            "source_inside",
            f"This host looks from {look.source}, which is in the site's own networks, so it is no "
            "stranger. Look from outside.",
        )
    return None


class _Visit:
    """The look while it is going on. `_stage` is where it is, of STAGE_WORDS."""

    def __init__(self, door: Door, question: Question, egress: Egress) -> None:
        self.look = Look(door)
        self._question = question
        self._egress = egress
        self._session: Session | None = None
        self._stage = "connect"
        self._plain = question.starttls == "never"

    def all_cases(self) -> Look:
        """Ask everything."""
        look, question = self.look, self._question
        look.source = local_address(look.door, question.source)
        refusal = no_stranger(look, question)
        if refusal is not None:
            return self._same_for_all(refusal)
        for case in question.cases():
            look.decisions[case.name] = decision = self._decision(case)
            if case.name == DELIVERY and decision.stage not in ENVELOPE_STAGES:
                # What happens before an envelope happens to every envelope.
                self._same_for_all(decision)
                break
        if self._session is not None:
            self._session.quit()
        self._compare()
        if _is_in(look.seen_as, question.allowed):
            look.source_allowed = True
            sentence = (
                f"The server sees this host as {look.seen_as}, which is in allowed_ranges, so it "
                "is no stranger."
            )
            self._take_back("source_allowed", sentence)
        return look

    def _same_for_all(self, decision: Decision) -> Look:
        self.look.decisions = {case.name: decision for case in self._question.cases()}
        return self.look

    def _take_back(self, reason: str, sentence: str) -> None:
        """No verdict stands, whatever was answered."""
        judgement = Judgement(INCONCLUSIVE, reason, sentence)
        for case, decision in self.look.decisions.items():
            self.look.decisions[case] = replace(decision, judgement=judgement)

    def _compare(self) -> None:
        """Hold what answered against the control host, wherever something was made of an answer."""
        look = self.look
        judgements = [decision.judgement for decision in look.decisions.values()]
        if look.machine is None or not any(
            judgement.verdict != INCONCLUSIVE or judgement.needs_control for judgement in judgements
        ):
            return
        elsewhere = self._egress.elsewhere(look.door)
        if elsewhere is None:
            return
        likeness = look.machine.likeness(elsewhere)
        doubtful = [
            decision.reply
            for decision in look.decisions.values()
            if decision.judgement.reason == LOGIN_REQUIRED and decision.reply
        ]
        if doubtful and not likeness:
            # What anything on the way may say is asked of the control host as well.
            elsewhere = self._egress.elsewhere(look.door, self._question.sender) or Machine()
            likeness = replace(look.machine, mail=doubtful[0].words()).likeness(elsewhere)
        look.compared = not likeness and bool(elsewhere.mail or not doubtful)
        if likeness:
            self._take_back(
                "interceptor",
                f"It and control_host are one machine: {likeness}. Something on the way answers "
                "for both (an SMTP proxy of a provider, a VPN or a virus scanner), or control_host "
                "is not a server elsewhere.",
            )

    def _decision(self, case: NamedCase) -> Decision:
        """Ask one question, on a new connection if there is none any more."""
        try:
            reply = self._ask(case)
            where = (
                "The greeting"
                if self._stage == "banner"
                else f"The answer to {STAGE_WORDS[self._stage]}"
            )
            said = f"{where} was: {reply.words()}"
            product = self.look.machine.product if self.look.machine else ""
            judgement = judge_reply(
                case.name, self._stage, reply, case.sender, case.recipient, product
            )
            decision = Decision(self._stage, judgement, said, reply, reply.seconds)
        except Trouble as trouble:
            egress = True if self.look.greeted else None
            if self._stage == "connect" and egress is None:
                egress = self._egress.proven(self.look.door.family)
            said = (
                f"It {trouble}."
                if self._stage == "connect"
                else f"At {STAGE_WORDS[self._stage]} it {trouble}."
            )
            before = _is_in(self.look.door.address, self._question.reached_before)
            judgement = judge_trouble(self._stage, trouble, egress, before)
            decision = Decision(self._stage, judgement, said, None, trouble.seconds)
        if self._stage not in ENVELOPE_STAGES and self.look.greeted:
            return replace(decision, judgement=judge_again(decision.judgement))
        return decision

    def _ask(self, case: NamedCase) -> Reply:
        """The reply that answers a question, whatever stage it came at. Raises Trouble."""
        session = self._session
        if session is None or not session.open:
            session, refusal = self._begin()
            if refusal is not None:
                return refusal
        self._stage = "mail"
        reply = session.command("MAIL", f"FROM:<{case.sender}>")
        if reply.positive:
            self._stage = "rcpt"
            reply = session.command("RCPT", f"TO:<{case.recipient}>")
        try:
            reset = session.command("RSET")
        except Trouble as trouble:
            # The question is answered; the next one begins with a new connection.
            session.close()
            if trouble.kind == "unasked":
                raise
            return reply
        if reply.positive and not reset.positive:
            # It never refuses RSET (RFC 5321, 4.1.1.5); that may be the answer to the question.
            session.close()
            raise Trouble("unasked", f"refused RSET: {reset.words()}", reset.seconds)
        return reply

    def _begin(self) -> tuple[Session, Reply | None]:
        """A conversation up to the envelope, with the reply if one ended it before.

        Raises Trouble.
        """
        session = self._connect()
        self._stage = "banner"
        reply = session.banner()
        self.look.banner = reply.text
        greeting = reply
        if self.look.machine is None:
            self.look.machine = Machine.shown(greeting)
        if reply.code != 220:
            return session, reply
        self.look.greeted = True
        self._stage = "ehlo"
        reply = self._hello(session)
        if not self.look.machine.hello:
            # The first one, in clear, as the control host is asked.
            self.look.machine = Machine.shown(greeting, reply)
        if reply.code != 250:
            return session, reply
        if self._plain:
            return session, None
        self._stage = "starttls"
        try:
            return session, self._secure(session)
        except Trouble as trouble:
            if (
                trouble.kind != "tls"
                or self._question.starttls == "require"
                or self.look.tls is not None
            ):
                raise
            # Like a sender who would rather deliver in clear than not at all.
            self.look.tls_error = str(trouble)
            self._plain = True
            self.look.transcript.append("* once more without TLS")
            return self._begin()

    def _connect(self) -> Session:
        look, question, door = self.look, self._question, self.look.door
        self._stage = "connect"
        look.transcript.append(
            f"* connecting to {door.peer}" + (f" from {look.source}" if look.source else "")
        )
        try:
            sock, seconds = connect(
                FAMILIES[door.family], door.sockaddr, question.source, question.connect_seconds
            )
        except Trouble as trouble:
            look.transcript.append(f"* {trouble}")
            raise
        look.reachable = True
        look.connect_seconds = round(seconds, 3)
        look.source = str(sock.getsockname()[0]).partition("%")[0]
        look.transcript.append(f"* connected after {seconds:.3f} seconds")
        self._session = Session(sock, question.reply_seconds, look.transcript)
        return self._session

    def _hello(self, session: Session) -> Reply:
        name = self._question.helo_name or literal(str(self.look.source))
        reply = session.command("EHLO", name)
        if reply.code in _UNKNOWN_COMMAND:
            reply = session.command("HELO", name)
        if reply.code == 250:
            self.look.extensions = tuple(line.strip() for line in reply.lines[1:])
            hello = _HELLO.search(reply.lines[0])
            try:
                self.look.seen_as = str(parse_address(hello.group(1))) if hello else None
            except RangeError:
                self.look.seen_as = None
        return reply

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


def nowhere(target: str, port: int, question: Asker, what: str, protocol: str = SMTP) -> Look:
    """What is found for a target that has no address."""
    look = Look(Door("", port, "", (target,), ()), protocol=protocol)
    decision = _nothing_sent("no_address", f"It {what}.", "resolve")
    look.decisions = dict.fromkeys(question.names(), decision)
    return look
