# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a server shows itself: as which product, and whether two of them are the same machine.

An SMTP proxy on the way (of a provider, a VPN, a virus scanner, a firewall) answers for whatever
address is asked. It is known by that: the control host and the target show the same machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.replies import EXCHANGE
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.session import Reply

# How it greets (receive-connectors.md, "Banner"), and what it alone offers (unverified).
_EXCHANGE_GREETING = re.compile(r"Microsoft ESMTP MAIL Service", re.IGNORECASE)
_EXCHANGE_OFFERS = frozenset({"X-ANONYMOUSTLS", "X-EXPS", "X-LINK2STATE", "XEXCH50"})
_OTHER_PRODUCT = re.compile(
    r"\b(postfix|exim|sendmail|qmail|opensmtpd|haraka|hmailserver|mdaemon|courier|zimbra|kerio|icewarp|axigen|"
    r"communigate|fortimail|mailenable|powermta|proofpoint|mimecast|barracuda)\b",
    re.IGNORECASE,
)
# A name that is one of a kind has a domain.
_NAME = re.compile(r"(?=.{4,253}\Z)(?:[A-Za-z0-9_-]{1,63}\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]")
_NO_NAME = frozenset({"localhost.localdomain", "localhost.local"})


@dataclass(frozen=True)
class Machine:
    """A greeting, the lines of the answer to EHLO, and a refusal of MAIL FROM.

    Each is empty where there was none, or where it was not asked for.
    """

    greeting: str = ""
    hello: tuple[str, ...] = ()
    mail: str = ""

    @classmethod
    def shown(
        cls, greeting: Reply, hello: Reply | None = None, mail: Reply | None = None
    ) -> Machine:
        """The one that gave these replies. A refused EHLO shows nothing."""
        lines = hello.lines if hello is not None and hello.code == 250 else ()
        return cls(greeting.words(), lines, mail.words() if mail is not None else "")

    @property
    def product(self) -> str:
        """What it is, '' where it does not say."""
        said = self.greeting.partition(" ")[2].partition(" ")[2]
        other = _OTHER_PRODUCT.search(said)
        offers = {line.split(" ")[0].upper() for line in self.hello[1:]}
        if _EXCHANGE_GREETING.search(said) or (other is None and offers & _EXCHANGE_OFFERS):
            return EXCHANGE
        return other.group(1).capitalize() if other else ""

    @property
    def greets_as(self) -> str:
        """The name in the greeting, '' where there is none that is one of a kind."""
        return name_in(self.greeting.partition(" ")[2])

    @property
    def answers_as(self) -> str:
        """The name in the answer to EHLO, '' where there is none that is one of a kind."""
        return name_in(self.hello[0]) if self.hello else ""

    def likeness(self, other: Machine) -> str:
        """What shows that both are one machine, as the end of a sentence; '' where they are two.

        Where neither has a name, only what both say can be compared, numbers (of the day, of a
        message) left out.
        """
        pairs = ((self.greets_as, other.greets_as), (self.answers_as, other.answers_as))
        for words, (mine, theirs) in zip(("greet as", "answer EHLO as"), pairs):
            if mine and mine == theirs:
                return f"both {words} {mine}"
        # Some proxies hand on the greeting of whomever is called, and ask for a login afterwards.
        if self.mail and _numberless(self.mail) == _numberless(other.mail):
            return "both answer MAIL FROM in the same words"
        if not self.greeting or any(mine and theirs for mine, theirs in pairs):
            return ""
        return "both answer in the same words" if self._words() == other._words() else ""

    def _words(self) -> tuple[str, ...]:
        return tuple(_numberless(line) for line in (self.greeting, *sorted(self.hello)))


def _numberless(text: str) -> str:
    return re.sub(r"[0-9]+", "0", text)


def name_in(text: str) -> str:
    """The host name that a greeting, or an answer to EHLO, begins with; '' where there is none."""
    name = text.strip().split(" ")[0].rstrip(".").lower()
    return name if _NAME.fullmatch(name) and name not in _NO_NAME else ""
