# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reply that is recognised: where it comes, whose words it is in, what it means, who says so.

Read from the top; the first row that fits decides. A row that says `closed` wants the whole of a
reply: its stage, its status, and all of its words. Words that stand inside others are quoted (by a
callout that asked another server, by a proxy) and decide nothing.

`whole` rows come first, so that no part of a sentence outweighs the sentence.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.replies import (
    ADDRESS,
    ANY,
    ANY_CASE,
    ANYWHERE,
    BANNER,
    CLOSED,
    DELIVERY,
    EXCHANGE,
    INCONCLUSIVE,
    MAIL,
    ONLINE,
    OPEN,
    POSTFIX,
    RCPT,
    RELAY,
    SPOOF,
    TLS,
    Row,
    wording,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.session import Reply

_NDR = "learn.microsoft.com, non-delivery-reports-in-exchange-online.md"
_TELNET = "learn.microsoft.com, use-telnet-to-test-smtp-communication (Exchange 2007 to 2013)"
_CONNECTORS = "learn.microsoft.com, Set-ReceiveConnector.md and receive-connectors.md"
_DIRECT_SEND = "learn.microsoft.com, Set-OrganizationConfig.md (RejectDirectSend)"
_REPORTED = "unverified: what administrators report"
_RFC = "RFC 5321, RFC 3463, RFC 4954 and RFC 7372"
_POSTFIX = "postfix.org, postconf(5): reject_unauthenticated_sender_login_mismatch"
_FIELD = "public collections of replies, such as ActiveCampaign/smtp-field-manual"


# Since Exchange 2013, some replies begin with the protocol and end with the name of the server that
# they come from.
_BY = r"(?:smtp; )?"
_FROM = r"(?: \[[a-z0-9.-]+(?: [0-9tz:.-]+)?(?: [0-9a-f]+)?\])?"
# Whom a server refuses, as it begins a reply: Postfix `<a@b>: `, Sendmail `<a@b>... `.
_ADDRESSEE = rf"(?:{ADDRESS}(?::|\.\.\.) ?)?"


def _both(
    closed_for: str, sentence: str, reason: str, otherwise: tuple[str, str], **facts: t.Any
) -> t.Iterator[Row]:
    """An answer to one question, and what it says about the other two, which it does not decide."""
    yield Row(CLOSED, reason, sentence, cases=frozenset({closed_for}), whole=True, **facts)
    yield Row(INCONCLUSIVE, *otherwise, cases=ANY_CASE - {closed_for}, whole=True, **facts)


_NOT_ANONYMOUS = "Senders that do not log in are refused."
_NO_RELAY = "It does not relay to {recipient}."
_FOREIGN = (
    "domain_not_accepted",
    "It does not take mail for the domain of {recipient}. Name a recipient at the site.",
)
_NO_SPOOF = "It does not let a stranger send as {sender}."
_OWN = ("sender_is_own", "{sender} counts as an address of the site itself. Name a sender outside.")
_LISTED = (
    "It refuses this host's own address as one with a bad name, which says nothing about other "
    "senders."
)
_UNKNOWN = "{recipient} is unknown there. Name a mailbox that exists."
LOGIN_REQUIRED = "login_required"
# Said where a refusal is half of a proof; what completes it says so in its place.
CONTROL = (
    "Only an allowed sender that is accepted at the same address in the same run shows that this "
    "host is refused for what it is."
)

_ACCEPTED = (
    Row(
        OPEN,
        "accepted",
        "It accepts mail from {sender} for {recipient}.",
        ANY,
        _RFC,
        RCPT,
        frozenset({DELIVERY}),
        code="2",
    ),
    Row(
        OPEN,
        "relay_accepted",
        "It accepts mail for {recipient}, which is outside: it looks like an open relay.",
        ANY,
        _RFC,
        RCPT,
        frozenset({RELAY}),
        code="2",
    ),
    Row(
        OPEN,
        "spoof_accepted",
        "It accepts mail that claims to come from {sender}, an address of the site itself.",
        ANY,
        _RFC,
        RCPT,
        frozenset({SPOOF}),
        code="2",
    ),
)

# Who has not logged in may not send. At RCPT the same words may be about this recipient alone.
_LOCKED = (
    # The document has the status and the words, reports have the code 530.
    Row(
        CLOSED,
        "anonymous_refused",
        _NOT_ANONYMOUS,
        EXCHANGE,
        _NDR,
        MAIL,
        code="530|550",
        enhanced=r"5\.7\.57",
        words=rf"{_BY}client was not authenticated to send anonymous mail during mail from\.?"
        rf"{_FROM}",
        whole=True,
    ),
    Row(
        CLOSED,
        "anonymous_refused",
        _NOT_ANONYMOUS,
        ONLINE,
        _REPORTED,
        MAIL,
        code="530|550",
        enhanced=r"5\.7\.57",
        words=rf"{_BY}client not authenticated to send mail\.?{_FROM}",
        whole=True,
    ),
    Row(
        CLOSED,
        "anonymous_refused",
        _NOT_ANONYMOUS,
        EXCHANGE,
        _TELNET,
        MAIL,
        code="530|550",
        enhanced=r"5\.7\.1",
        words=rf"{_BY}client was not authenticated\.?{_FROM}",
        whole=True,
    ),
    Row(
        CLOSED,
        "partner_connector",
        "A partner connector lets only its own senders in.",
        ONLINE,
        _NDR,
        code="550",
        enhanced=r"5\.7\.51",
        # The long sentence is the document's, "Rejecting" is reported.
        words=r"tenantinboundattribution; (?:rejecting|there is a partner connector configured "
        r"that matched the message's recipient domain\. the connector had either the "
        r"restrictdomainstoipaddresses or restrictdomainstocertificate set)\.?"
        rf"{_FROM}",
        whole=True,
    ),
    *_both(
        SPOOF,
        "Exchange Online refuses mail in the site's own name (RejectDirectSend), which says "
        "nothing about other senders.",
        "direct_send_rejected",
        _OWN,
        product=ONLINE,
        source=_DIRECT_SEND,
        code="550",
        enhanced=r"5\.7\.68",
        words=r"tenantinboundattribution; direct send not allowed for this organization from "
        rf"unauthorized sources\.?{_FROM}",
    ),
)

_RELAYING = (
    *_both(
        RELAY,
        _NO_RELAY,
        "relay_refused",
        _FOREIGN,
        product=EXCHANGE,
        source=f"5.7.54, Exchange 2013 and later: {_REPORTED}",
        stages=RCPT,
        enhanced=r"5\.7\.54",
        words=rf"{_BY}unable to relay(?: recipient in non-accepted domain)?\.?{_FROM}",
    ),
    *_both(
        RELAY,
        _NO_RELAY,
        "relay_refused",
        _FOREIGN,
        product=EXCHANGE,
        source=f"{_NDR} (5.7.1); in these words of Exchange 2003 to 2010 {_REPORTED}",
        stages=RCPT,
        enhanced=r"5\.7\.1",
        words=rf"{_BY}unable to relay(?: for {ADDRESS})?\.?{_FROM}",
    ),
    *_both(
        RELAY,
        _NO_RELAY,
        "relay_refused",
        _FOREIGN,
        product=ONLINE,
        source=_NDR,
        stages=RCPT,
        enhanced=r"5\.7\.64|5\.4\.1",
        words=rf"(?:tenantattribution; )?relay access denied(?: smtp)?\.?{_FROM}",
    ),
    # Postfix: Relay access denied. Sendmail: Relaying denied. Exim: relay not permitted.
    *_both(
        RELAY,
        _NO_RELAY,
        "relay_refused",
        _FOREIGN,
        product=ANY,
        source=f"the products' own defaults; {_FIELD}",
        stages=RCPT,
        words=rf"{_ADDRESSEE}relay(?:ing)?(?: access)?(?: is)?(?: to {ADDRESS})?"
        rf" (?:denied|disallowed|prohibited|not permitted)(?: for {ADDRESS}"
        r"|\. proper authentication required)?\.?",
    ),
    *_both(
        RELAY,
        _NO_RELAY,
        "relay_refused",
        _FOREIGN,
        product=ANY,
        source=f"the products' own defaults (qmail); {_FIELD}",
        stages=RCPT,
        words=r"we do not relay\.?"
        r"|sorry, that domain isn't in my list of allowed rcpthosts(?: \(#5\.7\.1\))?\.?",
    ),
)

_SPOOFING = (
    *_both(
        SPOOF,
        _NO_SPOOF,
        "spoof_refused",
        _OWN,
        product=EXCHANGE,
        source=_REPORTED,
        stages=MAIL,
        code="550",
        enhanced=r"5\.7\.60|5\.7\.1",
        words=rf"{_BY}client does not have permissions to send as this sender\.?{_FROM}",
    ),
    # Exchange's sender filter.
    *_both(
        SPOOF,
        _NO_SPOOF,
        "spoof_refused",
        ("sender_refused", "It refuses {sender}, whoever sends in that name. Name another sender."),
        product=EXCHANGE,
        source=_REPORTED,
        stages=MAIL,
        enhanced=r"5\.1\.0",
        words=rf"{_BY}sender denied\.?{_FROM}",
    ),
    *_both(
        SPOOF,
        _NO_SPOOF,
        "spoof_refused",
        _OWN,
        product=POSTFIX,
        source=_POSTFIX,
        code="553",
        enhanced=r"5\.7\.1",
        words=rf"{_ADDRESSEE}sender address rejected: not logged in\.?",
    ),
)

# Why this host, or these addresses, are refused whatever the lock is. Parts of sentences.
_OTHER_REASONS = (
    Row(
        INCONCLUSIVE,
        "quoted",
        "It repeats what another server has said to it, which says nothing about its own door.",
        ANY,
        _FIELD,
        ANYWHERE,
        code="[45]",
        words=r"\bsaid:|in reply to |\bcall-?(?:out|back)\b|verify failed|verification failed"
        r"|undeliverable address|unverified address|\bresponse:"
        r"|(?:remote|next|another) (?:server|host)",
    ),
    Row(
        INCONCLUSIVE,
        "listed",
        _LISTED,
        ANY,
        _FIELD,
        ANYWHERE,
        code="[45]",
        words=r"block ?-?list|black ?-?list|\brbl\b|\bdnsbl\b|blocked using|spamhaus|\bbanned\b"
        r"|reputation|open relays?\b(?! not)",
    ),
    # 5.7.511 and 5.7.513 are documented, 5.7.606 to 5.7.649 unverified.
    Row(
        INCONCLUSIVE,
        "listed",
        _LISTED,
        ONLINE,
        _NDR,
        ANYWHERE,
        enhanced=r"5\.7\.(?:511|513|60[6-9]|6[1-4][0-9])",
    ),
    Row(
        INCONCLUSIVE,
        "no_ipv6",
        "It does not take mail over IPv6 like this, which says nothing about IPv4.",
        ONLINE,
        _NDR,
        ANYWHERE,
        enhanced=r"5\.7\.510",
    ),
    Row(
        INCONCLUSIVE,
        "reserved_domain",
        "It refuses domains that are reserved for examples (RFC 2606). Name real addresses of your "
        "own.",
        EXCHANGE,
        f"{_CONNECTORS}: RejectReservedTopLevelRecipientDomains, "
        "RejectReservedSecondLevelRecipientDomains",
        enhanced=r"5\.1\.[45]",
    ),
    Row(
        INCONCLUSIVE,
        "tls_required",
        "It only listens after STARTTLS, which did not come about.",
        ANY,
        _RFC,
        code="[45]",
        words=r"starttls|\b(?:tls|ssl)\b|\bencrypt",
    ),
    Row(
        INCONCLUSIVE,
        "sender_policy",
        "It refuses the sender for what its own domain says (SPF, DKIM, DMARC, no such domain). "
        "Name a sender that this host may send for.",
        ANY,
        _RFC,
        enhanced=r"5\.7\.2[0-4679]|5\.1\.[78]",
    ),
    Row(
        INCONCLUSIVE,
        "sender_policy",
        "It refuses the sender for what its own domain says (SPF, DKIM, DMARC, no such domain). "
        "Name a sender that this host may send for.",
        ANY,
        _FIELD,
        words=r"\b(?:spf|dkim|dmarc)\b",
    ),
    Row(
        INCONCLUSIVE,
        "no_name",
        "It refuses this host for its name (reverse DNS, helo_name), which says nothing about "
        "other senders.",
        ANY,
        _FIELD,
        ANYWHERE,
        words=r"\bptr\b|reverse (?:dns|(?:host)?name)|\bhelo\b|name lookup failed|cannot find your",
    ),
    Row(
        INCONCLUSIVE,
        "recipient_restricted",
        "That may be about {recipient} alone, which takes mail only from senders that have logged "
        "in. Name a recipient that everybody may write to.",
        EXCHANGE,
        _NDR,
        enhanced=r"5\.7\.(?:12|13[3-6])",
    ),
    Row(
        INCONCLUSIVE,
        "recipient_restricted",
        "That may be about {recipient} alone, which takes mail only from senders that have logged "
        "in. Name a recipient that everybody may write to.",
        ANY,
        _NDR,
        RCPT,
        words=r"authenticat|resolver\.rst\.",
    ),
    Row(
        INCONCLUSIVE,
        "recipient_unknown",
        _UNKNOWN,
        ANY,
        _NDR,
        RCPT,
        enhanced=r"5\.1\.1|5\.1\.10|5\.4\.1",
    ),
    Row(
        INCONCLUSIVE,
        "recipient_unknown",
        _UNKNOWN,
        ANY,
        _FIELD,
        RCPT,
        words=r"user unknown|unknown user|no such (?:user|mailbox)|mailbox unavailable"
        r"|no account here",
    ),
)

# Refusals that may be the lock, and may as well be something else.
_DOUBTFUL = (
    # "Service not active" is how Microsoft explains 4.3.2, besides agents, and a Hub connector on
    # port 25.
    Row(
        INCONCLUSIVE,
        "inactive",
        "Its transport service is not active, so nothing can be said about its connectors.",
        EXCHANGE,
        _NDR,
        ANYWHERE,
        code="421",
        words="service not active",
    ),
    # Unverified: that this is what Exchange says where no connector hears the sender.
    Row(
        INCONCLUSIVE,
        "no_connector",
        "No receive connector hears this host, or the service is not available for the moment. "
        f"{CONTROL}",
        EXCHANGE,
        f"{_NDR}; for want of a connector {_REPORTED}",
        BANNER,
        code="421",
        enhanced=r"4\.3\.2",
        words=r"service not available(?:, closing transmission channel)?\.?",
        whole=True,
        needs_control=True,
    ),
    Row(
        INCONCLUSIVE,
        LOGIN_REQUIRED,
        "A login is wanted, in words that anything on the way may say as well, which control_host "
        f"would show. {CONTROL}",
        ANY,
        f"{_RFC}; {_FIELD}",
        MAIL,
        code="530",
        needs_control=True,
    ),
    Row(
        INCONCLUSIVE,
        "try_later",
        "That is a refusal for now (busy, throttled or greylisted), never a lock. Look again "
        "later.",
        ANY,
        _RFC,
        ANYWHERE,
        code="4",
    ),
    Row(
        INCONCLUSIVE,
        "tls_unavailable",
        "STARTTLS is required here, and it refuses it.",
        ANY,
        _RFC,
        TLS,
    ),
    Row(
        INCONCLUSIVE,
        "refused",
        "It refuses without saying whether it refuses every stranger, so that this is no proof of "
        "a lock.",
        ANY,
        _RFC,
        ANYWHERE,
    ),
)

TABLE = (*_ACCEPTED, *_LOCKED, *_RELAYING, *_SPOOFING, *_OTHER_REASONS, *_DOUBTFUL)


def row_of(case: str, stage: str, reply: Reply, names: t.Sequence[str], shown: str) -> Row | None:
    """The row of a reply; None where there is none.

    `names`: the addresses of the envelope. `shown`: the product that the server shows itself as, ''
    for none.
    """
    said = wording(reply, names)
    return next((row for row in TABLE if row.fits(case, stage, reply, said, shown)), None)
