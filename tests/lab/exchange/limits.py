# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a receive connector refuses of those who may send: by size, number and time.

Source: Set-ReceiveConnector.md. The words of the replies are those of Exchange's NDR table as far
as it has them; nobody decides by them.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Stored

TOO_BIG = "552 5.3.4 Message size exceeds fixed maximum message size"
TOO_MANY_RECIPIENTS = "452 4.5.3 Too many recipients"
TOO_MANY_HOPS = "554 5.4.6 Hop count exceeded - possible mail loop"
TLS_FIRST = "451 5.7.3 Must issue a STARTTLS command first"
BUSY = "421 4.3.2 The maximum number of concurrent connections has exceeded a limit"
TOO_FAST = "421 4.4.2 Message submission rate for this client has exceeded the configured limit"
TIMED_OUT = "421 4.4.1 Connection timed out"
TOO_MANY_ERRORS = "421 4.7.0 Too many errors on this connection"
NO_DOMAIN = "501 5.0.0 Invalid domain address"
BARE_LINE_FEED = "550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal"


@dataclass(frozen=True)
class Mail:
    """A message and the connection that it comes by.

    `hops`: servers that it has passed; `connections`: at once from everywhere; `minute`: messages
    of this sender within one; `seconds`: how long the connection lasts, and `idle` the longest
    pause in it; `patience`: how long the sender waits for an answer to a doubtful command.
    """

    size: int = 1 << 10
    header: int = 1 << 10
    recipients: int = 1
    hops: int = 1
    connections: int = 1
    minute: int = 1
    seconds: float = 1
    idle: float = 0
    errors: int = 0
    patience: float = 600
    encrypted: bool = False
    has_domain: bool = True
    bare_line_feed: bool = False


def refusal(connector: Stored, mail: Mail) -> str:
    """The reply that ends it; empty where the message is taken."""
    values = connector.values

    def exceeds(parameter: str, amount: float) -> bool:
        limit = values[parameter]
        return not isinstance(limit, str) and amount > limit

    checks = (
        (TLS_FIRST, values["RequireTLS"] and not mail.encrypted),
        (NO_DOMAIN, values["RequireEHLODomain"] and not mail.has_domain),
        (BARE_LINE_FEED, values.get("BareLinefeedRejectionEnabled", False) and mail.bare_line_feed),
        (TOO_BIG, exceeds("MaxMessageSize", mail.size)),
        (TOO_BIG, exceeds("MaxHeaderSize", mail.header)),
        (TOO_MANY_RECIPIENTS, exceeds("MaxRecipientsPerMessage", mail.recipients)),
        (TOO_MANY_HOPS, exceeds("MaxHopCount", mail.hops)),
        (BUSY, exceeds("MaxInboundConnection", mail.connections)),
        (TOO_FAST, exceeds("MessageRateLimit", mail.minute)),
        (TOO_MANY_ERRORS, exceeds("MaxProtocolErrors", mail.errors)),
        (TIMED_OUT, exceeds("ConnectionTimeout", mail.seconds)),
        (TIMED_OUT, exceeds("ConnectionInactivityTimeout", mail.idle)),
        (TIMED_OUT, mail.errors > 0 and mail.patience < values["TarpitInterval"]),
    )
    return next((reply for reply, refused in checks if refused), "")


def size_of(argument: str | None) -> int:
    """The size that MAIL announces (RFC 1870); 0 where it announces none."""
    for word in (argument or "").upper().split():
        name, _equals, number = word.partition("=")
        if name == "SIZE" and number.isdecimal():
            return int(number)
    return 0


def announced(values: t.Mapping[str, t.Any], argument: str | None, recipients: int = 0) -> str:
    """What of that a session knows at MAIL and RCPT already."""
    size, most = values.get("MaxMessageSize"), values.get("MaxRecipientsPerMessage")
    if isinstance(size, int) and size_of(argument) > size:
        return TOO_BIG
    return TOO_MANY_RECIPIENTS if isinstance(most, int) and recipients > most else ""
