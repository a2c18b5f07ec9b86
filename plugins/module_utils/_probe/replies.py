# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A row of the table of replies: what it is for, and when it fits a reply."""

from __future__ import annotations

import functools
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.session import Reply

CLOSED, OPEN, INCONCLUSIVE = "closed", "open", "inconclusive"

# The three questions, and below where in the conversation an answer may come.
DELIVERY, RELAY, SPOOF = "delivery", "relay", "spoof"
CASES = (DELIVERY, RELAY, SPOOF)
ANY_CASE = frozenset(CASES)
BANNER, TLS, MAIL, RCPT = (frozenset({stage}) for stage in ("banner", "starttls", "mail", "rcpt"))
ENVELOPE = MAIL | RCPT
ANYWHERE = ENVELOPE | BANNER | TLS | frozenset({"ehlo"})

EXCHANGE, ONLINE, POSTFIX = "Exchange", "Exchange Online", "Postfix"
ANY = "any server"
# Words that only these say, so that they decide only where nothing shows another product.
_OWN_WORDS = frozenset({EXCHANGE, ONLINE})


@dataclass(frozen=True)
class Row:
    """One row: the cases and stages it is for, and what code, status and words must match.

    `words` is a part of what the reply says, or all of it where it is `whole`. `needs_control`: it
    is a refusal of this very host only if an allowed sender is accepted at the same address.
    """

    verdict: str
    reason: str
    sentence: str
    product: str
    source: str
    stages: frozenset[str] = ENVELOPE
    cases: frozenset[str] = ANY_CASE
    code: str = "5"
    enhanced: str = ""
    words: str = ""
    whole: bool = False
    needs_control: bool = False

    def fits(self, case: str, stage: str, reply: Reply, said: str, shown: str) -> bool:
        """Whether it is the row of a reply.

        `said`: its wording. `shown`: the product that the server shows itself as, '' for none.
        """
        if (
            case not in self.cases
            or stage not in self.stages
            or not re.match(self.code, str(reply.code))
        ):
            return False
        if self.enhanced and not re.fullmatch(self.enhanced, reply.enhanced or "", re.ASCII):
            return False
        if self.whole and self.product in _OWN_WORDS and shown not in ("", EXCHANGE):
            return False
        if self.whole:
            return reply.whole and re.fullmatch(self.words, said, _LIKE) is not None
        return re.search(self.words, _without_names(said), _LIKE) is not None


# No letters of other alphabets, some of which are "the same" to Python where case is not asked for.
_LIKE = re.IGNORECASE | re.ASCII
_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?= |\Z)")
# What stands for an address of the envelope in what a server says.
ADDRESS = "<>"
# What a server repeats of the envelope or names of hosts is none of its own words.
_WHO = re.compile(r"<[^<>]*>|\S+@\S+|\[[^\[\]]*\]")
# So much of it is looked through for parts of sentences.
_READ = 2000


def wording(reply: Reply, names: t.Iterable[str]) -> str:
    """What a reply says in its own words: without its status, in one line.

    The addresses that it was told stand as ADDRESS, so that no other counts for them.
    """
    parts = (_STATUS.sub("", line.strip(), count=1).strip() for line in reply.lines)
    said = " ".join(part for part in parts if part)
    for name in names:
        said = re.sub(f"<{re.escape(name)}>|{re.escape(name)}", ADDRESS, said, flags=_LIKE)
    return said


@functools.lru_cache(maxsize=16)
def _without_names(said: str) -> str:
    return _WHO.sub(" ", said[:_READ])
