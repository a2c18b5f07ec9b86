# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer means: closed, open or inconclusive.

A table, read from the top; the first row that fits decides.

Only an answer that says why it refuses is called closed, and only an accepted recipient open.
Everything that may have another reason is inconclusive: a false `closed` leaves a door open that
somebody believes to be shut.

Codes of Exchange and Exchange Online: learn.microsoft.com,
non-delivery-reports-in-exchange-online.md and Set-OrganizationConfig.md (RejectDirectSend). What no
document shows is marked unverified. RFC 5321 and RFC 4954 have the codes, RFC 3463 the status
codes.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.session import Reply, Trouble

CLOSED, OPEN, INCONCLUSIVE = "closed", "open", "inconclusive"

# The three questions, and where in the conversation an answer may come.
DELIVERY, RELAY, SPOOF = "delivery", "relay", "spoof"
CASES = (DELIVERY, RELAY, SPOOF)
_ANY_CASE = frozenset(CASES)
_BANNER, _TLS, _MAIL, _RCPT = frozenset({"banner"}), frozenset({"starttls"}), frozenset({"mail"}), frozenset({"rcpt"})
_ENVELOPE = _MAIL | _RCPT
_ANYWHERE = frozenset({"banner", "ehlo", "starttls", "mail", "rcpt"})

STAGE_WORDS = {
    "connect": "the connection",
    "banner": "the greeting",
    "ehlo": "EHLO",
    "starttls": "STARTTLS",
    "mail": "MAIL FROM",
    "rcpt": "RCPT TO",
}


@dataclass(frozen=True)
class Judgement:
    """One verdict: its word, a stable id of the reason, and the reason as a sentence.

    `needs_control`: a server that is down or busy would have looked the same, so the proof is only
    whole together with a look from an allowed sender that finds it open.
    """

    verdict: str
    reason: str
    sentence: str
    needs_control: bool = False


@dataclass(frozen=True)
class _Row:
    """One row: the cases and stages it is for, and what code, status and text must match."""

    verdict: str
    reason: str
    sentence: str
    cases: frozenset[str] = _ANY_CASE
    stages: frozenset[str] = _ENVELOPE
    code: str = ""
    enhanced: str = ""
    text: str = ""
    needs_control: bool = False

    def fits(self, case: str, stage: str, reply: Reply) -> bool:
        return (
            case in self.cases
            and stage in self.stages
            and re.match(self.code, str(reply.code)) is not None
            and (not self.enhanced or re.fullmatch(self.enhanced, reply.enhanced or "") is not None)
            and re.search(self.text, reply.text, re.IGNORECASE) is not None
        )


_LISTED = r"block ?list|black ?list|\brbl\b|\bdnsbl\b|blocked using|spamhaus|\bbanned\b"
_LISTED_SENTENCE = "It refuses this host's own address as one with a bad name, which says nothing about other senders."

_TABLE = (
    # What is accepted.
    _Row(OPEN, "accepted", "It accepts mail from {sender} for {recipient}.", frozenset({DELIVERY}), _RCPT, code="2"),
    _Row(
        OPEN,
        "relay_accepted",
        "It accepts mail for {recipient}, which is outside: it looks like an open relay.",
        frozenset({RELAY}),
        _RCPT,
        code="2",
    ),
    _Row(
        OPEN,
        "spoof_accepted",
        "It accepts mail that claims to come from {sender}, an address of the site itself.",
        frozenset({SPOOF}),
        _RCPT,
        code="2",
    ),
    # Why this host, or these addresses, are refused whatever the lock is.
    _Row(INCONCLUSIVE, "listed", _LISTED_SENTENCE, stages=_ANYWHERE, code="[45]", text=_LISTED),
    # 5.7.511 and 5.7.513 are documented, 5.7.606 to 5.7.649 unverified.
    _Row(
        INCONCLUSIVE,
        "listed",
        _LISTED_SENTENCE,
        stages=_ANYWHERE,
        code="5",
        enhanced=r"5\.7\.(511|513|60[6-9]|6[1-4][0-9])",
    ),
    _Row(
        INCONCLUSIVE,
        "no_ipv6",
        "It does not take mail over IPv6 like this, which says nothing about IPv4.",
        stages=_ANYWHERE,
        enhanced=r"5\.7\.510",
    ),
    # Set-ReceiveConnector.md: RejectReservedTopLevelRecipientDomains,
    # RejectReservedSecondLevelRecipientDomains.
    _Row(
        INCONCLUSIVE,
        "reserved_domain",
        "It refuses domains that are reserved for examples (RFC 2606). Name real addresses of your own.",
        enhanced=r"5\.1\.[45]",
    ),
    # The greeting. Unverified: that this is what Exchange says where no connector hears the sender.
    _Row(
        INCONCLUSIVE,
        "inactive",
        "Its transport service is not active, so nothing can be said about its connectors.",
        stages=_ANYWHERE,
        code="421",
        text="service not active",
    ),
    _Row(
        CLOSED,
        "no_connector",
        "No receive connector hears this host.",
        stages=_BANNER,
        code="421",
        enhanced=r"4\.3\.2",
        text="service not available",
        needs_control=True,
    ),
    # Who has not logged in may not send. The code 530 is unverified for Exchange, 5.7.57 is
    # documented.
    _Row(
        INCONCLUSIVE,
        "tls_required",
        "It only listens after STARTTLS, which did not come about.",
        code="[45]",
        text="starttls",
    ),
    _Row(CLOSED, "anonymous_refused", "Senders that do not log in are refused.", code="5", enhanced=r"5\.7\.57"),
    _Row(CLOSED, "anonymous_refused", "Senders that do not log in are refused.", code="530"),
    _Row(CLOSED, "anonymous_refused", "Senders that do not log in are refused.", code="5", text="not authenticated"),
    # Exchange Online.
    _Row(
        CLOSED, "partner_connector", "A partner connector lets only its own senders in.", code="5", enhanced=r"5\.7\.51"
    ),
    _Row(
        CLOSED,
        "direct_send_rejected",
        "Exchange Online refuses mail in the site's own name (RejectDirectSend), which says nothing about other senders.",
        frozenset({SPOOF}),
        code="5",
        enhanced=r"5\.7\.68",
    ),
    _Row(
        INCONCLUSIVE,
        "sender_is_own",
        "{sender} counts as an address of the site itself. Name a sender outside.",
        frozenset({DELIVERY, RELAY}),
        enhanced=r"5\.7\.68",
    ),
    _Row(
        INCONCLUSIVE,
        "recipient_unknown",
        "{recipient} is unknown there. Name a mailbox that exists.",
        stages=_RCPT,
        enhanced=r"5\.1\.1|5\.1\.10|5\.4\.1",
    ),
    # Relay. 5.7.64 is documented for Exchange Online, 5.7.54 of Exchange 2013 and later is
    # unverified.
    *(
        _Row(verdict, reason, sentence, cases, _RCPT, code="5", enhanced=enhanced, text=text)
        for verdict, reason, sentence, cases in (
            (CLOSED, "relay_refused", "It does not relay to {recipient}.", frozenset({RELAY})),
            (
                INCONCLUSIVE,
                "domain_not_accepted",
                "It does not take mail for the domain of {recipient}. Name a recipient at the site.",
                frozenset({DELIVERY, SPOOF}),
            ),
        )
        for enhanced, text in ((r"5\.7\.(54|64)", ""), ("", r"\brelay"))
    ),
    # 5.7.60 and its text are unverified.
    *(
        _Row(verdict, reason, sentence, cases, code="5", enhanced=enhanced, text=text)
        for verdict, reason, sentence, cases in (
            (CLOSED, "spoof_refused", "It does not let a stranger send as {sender}.", frozenset({SPOOF})),
            (
                INCONCLUSIVE,
                "sender_is_own",
                "{sender} counts as an address of the site itself. Name a sender outside.",
                frozenset({DELIVERY, RELAY}),
            ),
        )
        for enhanced, text in ((r"5\.7\.60", ""), ("", "send as this sender"))
    ),
    # What is left.
    _Row(
        INCONCLUSIVE,
        "try_later",
        "That is a refusal for now (busy, throttled or greylisted), never a lock. Look again later.",
        stages=_ANYWHERE,
        code="4",
    ),
    _Row(
        INCONCLUSIVE,
        "tls_unavailable",
        "STARTTLS is required here, and it refuses it.",
        stages=_TLS,
        code="5",
    ),
    _Row(
        INCONCLUSIVE,
        "refused",
        "It refuses without saying whether it refuses every stranger, so that this is no proof of a lock.",
        stages=_ANYWHERE,
        code="5",
    ),
)

_TROUBLE_SENTENCES = {
    "timeout": "It took the connection, so that the port is not shut, but was silent afterwards.",
    "closed": "It took the connection, so that the port is not shut. An overloaded server or a proxy does the same.",
    "unasked": "The answers could not be told apart any more.",
    "malformed": "Whatever listens there is not a mail server, or a broken one.",
    "too_long": "Whatever listens there is not a mail server, or a broken one.",
    "tls": "Without TLS nothing more could be asked.",
    "local": "The server was not asked at all.",
}


def judge_reply(case: str, stage: str, reply: Reply, sender: str, recipient: str) -> Judgement:
    """What a reply means that ended a case, of CASES, at a stage, of STAGE_WORDS. Never fails."""
    for row in _TABLE:
        if row.fits(case, stage, reply):
            sentence = row.sentence.format(sender=sender, recipient=recipient)
            return Judgement(row.verdict, row.reason, sentence, row.needs_control)
    return Judgement(INCONCLUSIVE, "unexpected", "That is no answer to what was asked.")


def judge_trouble(stage: str, trouble: Trouble, egress: bool | None, reached_before: bool = False) -> Judgement:
    """What a conversation means that ended without a reply.

    `egress`: whether this host has reached another server on that port over the same family of
    addresses; None where there was no other server to ask. `reached_before`: whether it has reached
    this very address just before.
    """
    if stage == "connect" and trouble.kind != "local":
        if egress:
            return Judgement(CLOSED, "no_connection", "This host does reach another mail server.", needs_control=True)
        if egress is None and reached_before:
            sentence = "It took a connection of this host just before."
            return Judgement(CLOSED, "no_connection", sentence, needs_control=True)
        if egress is None:
            why = "Without control_host nobody knows whether this network lets anything out on that port."
        elif reached_before:
            # What was true some minutes ago does not outweigh what is seen now.
            why = (
                "It took a connection of this host just before, but control_host cannot be reached "
                "now, so this network may let nothing out on that port any more."
            )
        else:
            why = "control_host could not be reached either, so this network may let nothing out on that port."
        return Judgement(INCONCLUSIVE, "egress_unproven", why)
    return Judgement(INCONCLUSIVE, f"trouble_{trouble.kind}", _TROUBLE_SENTENCES[trouble.kind])


def judge_again(first: Judgement) -> Judgement:
    """What a judgement before the envelope is worth, on a connection after one that was greeted.

    Then the door is not shut, whatever the second connection met: a limit on connections, more
    likely than a lock.
    """
    if first.verdict != CLOSED:
        return first
    sentence = "A connection just before was greeted, so this is a limit on connections rather than a lock."
    return Judgement(INCONCLUSIVE, "second_connection", sentence)


def together(verdicts: t.Iterable[str | None]) -> str:
    """One verdict for several: open if one is open, closed if all are closed.

    None is a question not asked.
    """
    known = [verdict for verdict in verdicts if verdict is not None]
    if OPEN in known:
        return OPEN
    return CLOSED if known and all(verdict == CLOSED for verdict in known) else INCONCLUSIVE
