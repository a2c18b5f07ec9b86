# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: E501
"""What mail servers answer, and what a careful person makes of it.

Exchange's and Exchange Online's decisive words are theirs, by the documents that the table of the probe names. All others
are of our own wording; their kinds are those of Microsoft's lists of non-delivery reports and of public field manuals of
what large providers answer.

A row: where the reply came (`mail/postfix` after a greeting that names Postfix, else after Exchange's), what it means for
delivery, relaying and spoofing, and the reply, its lines parted by ` | `.

    C  closed            O  open
    ?  cannot be told    +  cannot be told, and an allowed sender who is accepted at the same address would tell
"""

from __future__ import annotations

import typing as t

SENDER, RECIPIENT = "probe@watchtower.example", "postmaster@hafen.example"
RELAY, OWN = "relay-check@relay.watchtower.example", "office@hafen.example"


class Answer(t.NamedTuple):
    """One row."""

    stage: str
    product: str
    verdicts: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """For a message."""
        return f"{self.stage}/{self.product} {self.verdicts} {' | '.join(self.lines)}"


def answers() -> list[Answer]:
    """All rows."""
    rows = []
    for line in [*CORPUS.splitlines(), *LOOK_ALIKES]:
        if not line.strip() or line.startswith("#"):
            continue
        place, verdicts, reply = line.split(None, 2)
        stage, _slash, product = place.partition("/")
        lines = tuple(one.rstrip() for one in reply.split(" | "))
        rows.append(Answer(stage, product or "exchange", verdicts, lines))
    return rows


CORPUS = r"""
# ---------------------------------------------------------------- taken
rcpt OOO 250 2.1.5 Recipient OK
rcpt OOO 250 ok
rcpt OOO 250
rcpt OOO 251 2.1.5 will be forwarded to the new place
rcpt OOO 252 2.1.5 cannot say, but the message may come
rcpt OOO 250-2.1.5 one moment | 250 2.1.5 and yes
rcpt OOO 250 2.1.5 relaying denied by nobody, go ahead
rcpt OOO 250 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM
rcpt/postfix OOO 250 2.1.5 Ok

# ---------------------------------------------------------------- nobody may send without a login: Exchange at MAIL
mail CCC 530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM
mail CCC 530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM
mail CCC 550 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM
mail CCC 530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM [ex1.hafen.example]
mail CCC 530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM [EX1.hafen.example 2026-11-29T18:00:00.123Z 08DE1234]
mail CCC 530-5.7.57 Client was not authenticated to send | 530 5.7.57 anonymous mail during MAIL FROM
mail CCC 530 5.7.57 Client not authenticated to send mail.
mail CCC 530 5.7.57 Client not authenticated to send mail. [XX0.prod.outlook.com]
mail CCC 530 5.7.1 Client was not authenticated
mail CCC 550 5.7.1 Client was not authenticated
mail/none CCC 530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM
mail/none CCC 530 5.7.1 Client was not authenticated
# The same words, where they mean something else, or come from somebody else.
rcpt ??? 530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM
rcpt ??? 530 5.7.1 Client was not authenticated
rcpt ??? 530 5.7.57 Client not authenticated to send mail.
mail +++ 530 5.7.57 Client not authenticated to send mail. Error: 535 5.7.139 Authentication unsuccessful
rcpt ??? 550 5.7.1 Client was not authenticated
rcpt ??? 550 5.7.1 The client is not authenticated for this mailbox
ehlo ??? 530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM
banner ??? 530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM
banner ??? 554 5.7.1 Client was not authenticated
mail/postfix +++ 530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM
mail/postfix +++ 530 5.7.1 Client was not authenticated
mail ??? 430 4.7.57 Client was not authenticated to send anonymous mail during MAIL FROM
mail ??? 451 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM
mail ??? 550 5.7.57 No
mail +++ 530 5.7.57 No
mail ??? 550 2.7.57 Client was not authenticated to send anonymous mail during MAIL FROM
mail ??? 550 5.7.571 Client was not authenticated to send anonymous mail during MAIL FROM
mail ??? 550 5.1.8 Client was not authenticated to send anonymous mail during MAIL FROM
mail ??? 550 Client was not authenticated to send anonymous mail during MAIL FROM, says the book
mail ??? 550 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM, so we wait for a while
mail ??? 550 5.7.57 Our filter asked and heard: Client was not authenticated to send anonymous mail during MAIL FROM

# ---------------------------------------------------------------- callouts that quote Exchange
mail ??? 550 5.1.0 <probe@watchtower.example>: Sender address rejected: undeliverable address: host mx.watchtower.example[192.0.2.25] said: 530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM (in reply to MAIL FROM command)
rcpt/postfix ??? 550 5.1.1 <postmaster@hafen.example>: Recipient address rejected: undeliverable address: host 10.0.0.5[10.0.0.5] said: 530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM (in reply to MAIL FROM command)
rcpt/postfix ??? 450 4.1.1 <postmaster@hafen.example>: Recipient address rejected: unverified address: host 10.0.0.5[10.0.0.5] said: 530 5.7.57 Client was not authenticated (in reply to MAIL FROM command)
rcpt/postfix ??? 550 5.1.1 <relay-check@relay.watchtower.example>: Recipient address rejected: undeliverable address: host relay.watchtower.example[192.0.2.26] said: 554 5.7.1 Relay access denied (in reply to RCPT TO command)
mail ??? 550-Verification failed for <probe@watchtower.example> | 550-Called:   192.0.2.25 | 550-Sent:     MAIL FROM:<> | 550-Response: 530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM | 550 Sender verify failed
rcpt ??? 550-Callout verification failed: | 550 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM
rcpt ??? 550-Callout verification failed: | 550 550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain
mail ??? 550 5.7.1 Callback to your own server got 530 5.7.1 Client was not authenticated
mail ??? 554 5.7.1 The remote server answered 530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM
rcpt ??? 550 5.7.1 Remote host said: 550 5.7.51 TenantInboundAttribution; Rejecting
rcpt ??? 550 5.4.1 The next server refused with 550 5.7.64 TenantAttribution; Relay Access Denied
mail ??? 550 "530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM"

# ---------------------------------------------------------------- a login is wanted, in words of anybody
mail +++ 530 5.7.0 Authentication required
mail +++ 530 Authentication is required here
mail +++ 530 5.7.1 Please log in first
mail +++ 530 5.7.1 Authentication required to use this outgoing server
mail +++ 530 Access denied
mail +++ 530
mail/postfix +++ 530 5.7.0 Authenticate before you send
mail ??? 550 5.7.1 Authentication required
mail ??? 554 5.7.0 log in first
mail ??? 535 5.7.3 Authentication unsuccessful
mail ??? 503 5.5.1 AUTH comes first
rcpt ??? 530 5.7.0 Authentication required
rcpt ??? 530 SMTP authentication is required
rcpt ??? 550 5.7.1 Authenticated senders only
banner ??? 530 5.7.0 Authentication required
ehlo ??? 530 5.7.0 log in

# ---------------------------------------------------------------- this recipient takes mail only from who has logged in
rcpt ??? 550 5.7.12 This recipient takes no mail from outside the organization
rcpt ??? 550 5.7.133 Sender not authenticated for the group
rcpt ??? 550 5.7.134 Sender not authenticated for the mailbox
rcpt ??? 550 5.7.135 Sender not authenticated for the public folder
rcpt ??? 550 5.7.136 Sender not authenticated
rcpt ??? 550 5.7.12 Client was not authenticated
rcpt ??? 550 5.7.1 RESOLVER.RST.AuthRequired; authentication required
rcpt ??? 550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized
rcpt ??? 550 5.7.1 The sender was not authenticated
mail ??? 550 5.7.12 Client was not authenticated
mail ??? 550 5.7.133 sender not authenticated

# ---------------------------------------------------------------- what the domain of the sender says
mail ??? 550 5.7.26 This mail is not authenticated: neither SPF nor DKIM passes
rcpt ??? 550 5.7.26 <probe@watchtower.example>: the message is not authenticated, DMARC of the domain says reject
rcpt ??? 550 5.7.26 sender was not authenticated
rcpt ??? 550 5.7.1 Mail of watchtower.example that is not authenticated is refused by its DMARC policy
mail ??? 550 5.7.23 The SPF record of watchtower.example does not name 198.51.100.7
mail ??? 550-SPF says no: | 550 watchtower.example does not let 198.51.100.7 send
rcpt ??? 550 5.7.1 refused by the SPF policy of the sender's domain
rcpt ??? 554 5.7.5 The DMARC policy of the domain cannot be met
mail ??? 550 5.7.20 no passing DKIM signature
mail ??? 550 5.1.8 <probe@watchtower.example>: the sender's domain does not exist
mail ??? 550 5.7.27 the sender's domain has a null MX
mail ??? 553 5.1.8 no MX and no address for the sender's domain
mail ??? 501 5.1.7 bad syntax of the sender
mail ??? 550 5.5.2 a sender needs a full address

# ---------------------------------------------------------------- the name of this host
banner ??? 554 5.7.1 This address has no PTR record, go and get it
banner ??? 554-mx.hafen.example | 554 198.51.100.7 has no valid reverse name
mail ??? 550 5.7.25 the sending address has no reverse name
ehlo ??? 550 5.7.1 A HELO name needs to exist in DNS
ehlo ??? 501 5.5.4 bad domain name
rcpt ??? 450 4.7.25 Client host rejected: cannot find your hostname
rcpt ??? 504 5.5.2 <probe>: Helo command rejected: need a full name
rcpt ??? 550 5.7.1 Client host rejected: cannot find your reverse hostname
rcpt ??? 550 5.7.1 dynamic addresses are refused, use the relay of your provider

# ---------------------------------------------------------------- a bad name
banner ??? 554 5.7.1 198.51.100.7 is on our block list
banner ??? 554 5.7.1 You are on a DNSBL
banner ??? 521 5.7.1 blacklisted, go away
banner ??? 421 4.7.1 This address sent too much of what nobody wants
mail ??? 550 5.7.1 Service unavailable, Client host [198.51.100.7] blocked using zen.blocklist.example
rcpt ??? 550 5.7.1 198.51.100.7 is found in an RBL
rcpt ??? 550 5.7.1 Not for those whose network is on the block list (S0000)
rcpt ??? 550 5.7.606 Access denied, banned sending IP [198.51.100.7]
rcpt ??? 550 5.7.511 Access denied, banned sender [198.51.100.7]
rcpt ??? 550 5.7.513 Service unavailable, Client host blocked by the customer's list
rcpt ??? 550 5.7.1 this host is a known open relay
rcpt ??? 550 5.7.1 we take nothing from open relays such as yours
rcpt ??? 550 5.7.1 poor reputation of the sending address
rcpt ??? 554 5.7.1 Spam from this network is not taken
rcpt ??? 554 5.7.1 [BL99] no connections from a listed address, relaying is denied as well
rcpt ??? 550 5.7.1 banned: relay access denied

# ---------------------------------------------------------------- TLS first
mail ??? 530 5.7.0 Must issue a STARTTLS command first
mail ??? 530 5.7.1 TLS encryption is required
mail ??? 530 5.7.1 Encryption is required
mail ??? 530 5.7.10 Encryption needed for this
mail ??? 530 TLS required
mail ??? 530 Use of SSL/TLS is mandatory
mail ??? 530 5.7.0 Please use an encrypted connection
mail ??? 550 5.7.10 STARTTLS is required to send mail
mail ??? 451 5.7.3 Must issue a STARTTLS command first
mail ??? 451 5.7.3 STARTTLS is required to send mail
mail ??? 538 5.7.11 Encryption required for the requested authentication
rcpt ??? 530 5.7.1 TLS encryption is required
rcpt ??? 550 5.7.1 a secure connection (TLS) is needed, then relaying may be allowed
mail ??? 454 4.7.0 TLS is not available for the moment
mail ??? 530 5.7.1 TLS required | 530 5.7.1 Client was not authenticated

# ---------------------------------------------------------------- the greeting
banner +++ 421 4.3.2 Service not available
banner +++ 421 4.3.2 Service not available, closing transmission channel
banner/none +++ 421 4.3.2 Service not available
banner ??? 421 4.3.2 Service not available [XX1.mail.outlook.example]
banner ??? 421 4.3.2 Service not available for a while, come back later
banner ??? 421 4.3.2 Service not active
banner ??? 421 Service not available, closing transmission channel
banner ??? 421 4.3.2 System not accepting network messages
banner ??? 421 4.3.2 The maximum number of concurrent connections has exceeded a limit, closing transmission channel
banner ??? 421 4.3.2 The maximum number of concurrent connections per source has exceeded a limit, closing transmission channel
banner ??? 421 4.7.0 too many errors
banner ??? 421 4.4.2 mx.hafen.example timed out
banner ??? 421 4.3.1 Insufficient system resources
banner ??? 421 too busy
banner ??? 450 4.3.2 try later
banner ??? 554 5.3.2 No SMTP service here
banner ??? 554 Access denied
banner ??? 554 5.7.1 Service unavailable
banner ??? 521 this host takes no mail
banner ??? 554 Transaction failed
banner ??? 550 5.7.1 TenantInboundAttribution; Rejecting
banner ??? 554 5.7.1 Relay access denied
mail ??? 421 4.3.2 Service not available
rcpt ??? 421 4.3.2 Service not available
ehlo ??? 421 4.3.2 Service not available
rcpt ??? 421 4.3.2 Service not active

# ---------------------------------------------------------------- Exchange Online: who may deliver
rcpt CCC 550 5.7.51 TenantInboundAttribution; Rejecting
rcpt CCC 550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's recipient domain. The connector had either the RestrictDomainsToIPAddresses or RestrictDomainsToCertificate set
rcpt CCC 550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's recipient domain. The connector had either the RestrictDomainsToIPAddresses or RestrictDomainsToCertificate set [XX0.prod.protection.outlook.com 2026-11-29T18:00:00.000Z]
mail CCC 550 5.7.51 TenantInboundAttribution; Rejecting
rcpt ??? 550 5.7.51 No
rcpt ??? 550 5.7.51 you are number fifty-one, TenantInboundAttribution; Rejecting
rcpt ??? 451 5.7.51 TenantInboundAttribution; Rejecting
rcpt ??? 451 4.7.51 TenantInboundAttribution; Rejecting
rcpt ??? 550 5.7.1 TenantInboundAttribution; Rejecting
rcpt ??C 550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources
mail ??C 550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources [XX0.prod.protection.outlook.com]
rcpt ??? 550 5.7.68 no
rcpt ??? 550 5.7.510 Access denied, we take mail over IPv6 from signed senders only
rcpt ??? 550 5.7.750 the sender's tenant sends from too many new domains
rcpt ??? 550 5.7.708 traffic from this address is not taken
rcpt ??? 550 5.7.501 access denied, spam abuse detected
rcpt ??? 550 5.7.703 the recipient is on the tenant's list
rcpt ??? 550 5.7.230 the connecting server is out of date and blocked
rcpt ??? 451 4.7.500 Server busy, come again from 198.51.100.7 later (AS0000)
rcpt ??? 451 4.7.650 The mail server [198.51.100.7] is slowed down for its reputation
rcpt ??? 451 4.4.4 Mail received as unauthenticated, incoming to a recipient domain configured in a hosted tenant
mail ??? 450 4.7.230 the connecting server is out of date and slowed down

# ---------------------------------------------------------------- relaying is refused
rcpt ?C? 550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain
rcpt ?C? 550 5.7.54 SMTP; Unable to relay
rcpt ?C? 550 5.7.1 Unable to relay
rcpt ?C? 550 5.7.1 Unable to relay for relay-check@relay.watchtower.example
rcpt ?C? 550 5.7.64 TenantAttribution; Relay Access Denied SMTP
rcpt ?C? 550 5.7.64 TenantAttribution; Relay Access Denied
rcpt ?C? 550 5.7.64 TenantAttribution; Relay Access Denied [XX0.prod.protection.outlook.com]
rcpt ?C? 550 5.4.1 Relay Access Denied
rcpt ?C? 550 5.4.1 Relay Access Denied [XX0.prod.protection.outlook.com]
rcpt/postfix ?C? 554 5.7.1 <relay-check@relay.watchtower.example>: Relay access denied
rcpt/none ?C? 550 5.7.1 <relay-check@relay.watchtower.example>... Relaying denied
rcpt/none ?C? 550 5.7.1 <relay-check@relay.watchtower.example>... Relaying denied. Proper authentication required.
rcpt/none ?C? 550 relay not permitted
rcpt/none ?C? 550 relaying is not permitted
rcpt/none ?C? 550 Relaying is prohibited
rcpt/none ?C? 553 Relaying disallowed
rcpt/none ?C? 513 Relaying denied.
rcpt/none ?C? 550 5.7.1 We do not relay
rcpt/none ?C? 550 relaying denied for <relay-check@relay.watchtower.example>
rcpt/none ?C? 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)
rcpt/none ?C? 550 5.7.1 relaying to <relay-check@relay.watchtower.example> denied
rcpt/none ?C? 550-5.7.1 Relaying | 550 5.7.1 denied
# The word stands there, and it is no answer.
rcpt ??? 550 5.1.1 <relay-check@relay.watchtower.example>: User unknown
rcpt ??? 550 5.7.1 <relay-check@relay.watchtower.example>: Recipient address rejected: Access denied
rcpt ??? 554 5.7.1 <relay-check@relay.watchtower.example>: Recipient address rejected: policy
rcpt ??? 550 5.7.1 relay.watchtower.example takes no mail today
rcpt ??? 550 relay07.hafen.example says no
rcpt ??? 550 5.2.1 <postmaster@hafen.example>... Nobody of that name, relay=[198.51.100.7]
rcpt ??? 550 5.7.1 see https://relay.hafen.example/denied
rcpt ??? 550 5.7.1 [relay-3] Access denied
rcpt ??? 550 5.7.1 The relay of your provider has no reverse name
rcpt ??? 550 5.7.1 Relay database unavailable
rcpt ??? 550 5.7.1 relay
rcpt ??? 550 5.7.1 Relaying denied. IP name lookup failed [198.51.100.7]
rcpt ??? 550 5.7.1 Relaying denied until you have checked your mailbox
rcpt ??? 454 4.7.1 <relay-check@relay.watchtower.example>: Relay access denied
rcpt ??? 451 Open relay not allowed
rcpt ??? 451 4.7.1 relaying is slow today
rcpt ??? 550 5.7.1 Unable to relay for somebody@hafen.example
rcpt/postfix ??? 554 5.7.1 <somebody@hafen.example>: Relay access denied
rcpt/postfix ??? 553 5.7.1 <somebody@hafen.example>: Sender address rejected: not logged in
rcpt ??? 550 5.7.54 perhaps tomorrow
rcpt ??? 550 5.7.64 perhaps tomorrow
rcpt ??? 550 5.7.1 The mailbox is full and Relay access denied is another story
mail ??? 550 5.7.1 Unable to relay
mail ??? 550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain
ehlo ??? 550 5.7.1 Relaying denied

# ---------------------------------------------------------------- sending in the site's own name is refused
mail ??C 550 5.7.60 SMTP; Client does not have permissions to send as this sender
mail ??C 550 5.7.1 Client does not have permissions to send as this sender
mail ??C 550 5.7.60 Client does not have permissions to send as this sender [EX1.hafen.example]
mail ??C 554 5.1.0 Sender denied
mail ??C 550 5.1.0 Sender denied
mail/postfix ??C 553 5.7.1 <office@hafen.example>: Sender address rejected: not logged in
rcpt/postfix ??C 553 5.7.1 <office@hafen.example>: Sender address rejected: not logged in
mail/postfix ??? 553 5.7.1 <probe@watchtower.example>: Sender address rejected: not logged in
rcpt ??? 550 5.7.60 SMTP; Client does not have permissions to send as this sender
rcpt ??? 554 5.1.0 Sender denied
mail ??? 550 5.7.60 no
mail ??? 450 4.1.0 Sender denied for a while
mail ??? 550 5.1.0 Sender rejected by a rule
mail ??? 550 5.7.1 We think that this sender is forged
mail ??? 550 5.7.1 Anti-spoofing rule
mail/postfix ??? 450 4.7.1 <office@hafen.example>: Sender address rejected: not logged in
mail/postfix ??? 550 5.1.0 <office@hafen.example>: Sender address rejected: undeliverable address: not logged in

# ---------------------------------------------------------------- the recipient
rcpt ??? 550 5.1.1 User unknown
rcpt ??? 550 5.1.10 RESOLVER.ADR.RecipientNotFound; nobody of that name
rcpt ??? 550 5.4.1 Recipient address rejected: Access denied
rcpt ??? 550 5.4.1 All recipient addresses rejected : Access denied
rcpt ??? 550 5.1.1 Not our customer
rcpt ??? 550 No such user here
rcpt ??? 550 Mailbox unavailable
rcpt ??? 550 Requested action not taken: mailbox unavailable
rcpt ??? 554 delivery error: this user has no account here
rcpt ??? 550 5.2.1 The mailbox is switched off
rcpt ??? 550 5.2.1 The mailbox gets too much mail
rcpt ??? 552 5.2.2 Mailbox full
rcpt ??? 452 4.2.2 over quota
rcpt ??? 552 5.2.3 too large
rcpt ??? 550 5.7.1 Policy of the recipient
rcpt ??? 553 5.1.2 no valid address
rcpt ??? 501 5.1.3 Invalid address
rcpt ??? 550 5.1.4 Recipient address reserved by RFC 2606
rcpt ??? 550 5.1.5 Recipient address reserved by RFC 2606
mail ??? 550 5.1.4 reserved by RFC 2606
rcpt ??? 551 5.7.1 User not local
rcpt ??? 550 5.1.1 Adresse eines Empfängers ungültig

# ---------------------------------------------------------------- later, and for no reason
rcpt ??? 450 4.2.0 Greylisted, come back in five minutes
rcpt ??? 451 4.7.1 Greylisting in action
rcpt ??? 451 4.3.0 local error
rcpt ??? 452 4.3.1 Insufficient system resources
rcpt ??? 452 4.5.3 Too many recipients
rcpt ??? 422 The licence of this server has ended
mail ??? 452 4.3.1 Out of memory
mail ??? 421 4.7.0 rate limit
rcpt ??? 550 5.7.1 Access denied
rcpt ??? 554 5.7.1 Rejected
rcpt ??? 550 5.7.1 Client host rejected: Access denied
rcpt ??? 550 Blocked
rcpt ??? 550 5.0.0 Administrative prohibition
rcpt ??? 554 Email rejected for security reasons
rcpt ??? 550 5.7.1 virus found
rcpt ??? 554 5.6.0 malformed
rcpt ??? 550
mail ??? 550 5.7.1 Access denied
mail ??? 571 5.7.1 refused
mail ??? 500 5.3.3 Unrecognized command
mail ??? 502 5.5.1 not implemented
mail ??? 503 5.5.2 Send hello first
mail ??? 354 go on
rcpt ??? 354 go on
rcpt ??? 334 VXNlcm5hbWU6
ehlo ??? 550 5.7.1 Access denied
ehlo ??? 554 5.5.1 protocol error
"""

_WORDS = "lient was not authenticated to send anonymous mail during MAIL FROM"
# Letters of other alphabets, of which some are the same to a pattern that does not ask for case; blanks and signs of direction.
LOOK_ALIKES = (
    f"mail ??? 550 5.7.57 \N{ROMAN NUMERAL ONE HUNDRED}{_WORDS}",
    f"mail ??? 550 5.7.57 C{_WORDS.replace('s', chr(0x17F))}",
    f"mail ??? 550 5.7.57 C{_WORDS.replace(' ', chr(0xA0))}",
    f"mail ??? 550 5.7.57\N{ZERO WIDTH SPACE} C{_WORDS}",
    f"mail ??? 550 \N{FULLWIDTH DIGIT FIVE}.7.57 C{_WORDS}",
    f"mail ??? 550 5.7.57 C{_WORDS}\N{RIGHT-TO-LEFT OVERRIDE}",
    "rcpt ??? 550 5.4.1 R\N{CYRILLIC SMALL LETTER IE}lay Access Denied",
    "rcpt ??? 550 5.7.1 Unable to relay\N{RIGHT-TO-LEFT OVERRIDE}",
    "rcpt ??? 550 5.4.1 Relay Access Den\N{LATIN SMALL LETTER DOTLESS I}ed",
    "banner ??? 421 4.3.2 Service not availab\0le",
)
