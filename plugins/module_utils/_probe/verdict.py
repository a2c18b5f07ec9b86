# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer means: closed, open or inconclusive.

Only an answer that says why it refuses is called closed, and only an accepted recipient open.
Everything that may have another reason is inconclusive: a false `closed` leaves a door open that
somebody believes to be shut. Which answers are known stands in table.py.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.replies import (
    CASES,
    CLOSED,
    DELIVERY,
    INCONCLUSIVE,
    OPEN,
    RELAY,
    SPOOF,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.session import Reply, Trouble
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.table import row_of

__all__ = ["CASES", "CLOSED", "DELIVERY", "INCONCLUSIVE", "OPEN", "RELAY", "SPOOF"]

STAGE_WORDS = {
    "connect": "the connection",
    "banner": "the greeting",
    "ehlo": "EHLO",
    "starttls": "STARTTLS",
    "mail": "MAIL FROM",
    "rcpt": "RCPT TO",
    "tls": "the TLS handshake",
    "request": "the request",
    "headers": "the headers of the answer",
    "body": "the body of the answer",
}


@dataclass(frozen=True)
class Judgement:
    """One verdict: its word, a stable id of the reason, and the reason as a sentence.

    `needs_control`: it is half of a proof, and the other half is a look from an allowed sender that
    is accepted at the same address. Without that, a server that is down would have looked the same;
    a verdict that is inconclusive becomes closed by it.
    """

    verdict: str
    reason: str
    sentence: str
    needs_control: bool = False


_TROUBLE_SENTENCES = {
    "timeout": "It took the connection, so that the port is not shut, but was silent afterwards.",
    "closed": (
        "It took the connection, so that the port is not shut. An overloaded server or a proxy "
        "does the same."
    ),
    "unasked": "The answers could not be told apart any more.",
    "malformed": "Whatever listens there is no {server}, or a broken one.",
    "too_long": "Whatever listens there is no {server}, or a broken one.",
    "tls": "Without TLS nothing more could be asked.",
    "local": "The server was not asked at all.",
}


def judge_reply(
    case: str, stage: str, reply: Reply, sender: str, recipient: str, product: str = ""
) -> Judgement:
    """What a reply means that ended a case, of CASES, at a stage, of STAGE_WORDS. Never fails.

    `product`: what the server shows itself as, '' where it does not say.
    """
    row = row_of(case, stage, reply, (sender, recipient), product)
    if row is None:
        return Judgement(INCONCLUSIVE, "unexpected", "That is no answer to what was asked.")
    sentence = row.sentence.format(sender=sender, recipient=recipient)
    return Judgement(row.verdict, row.reason, sentence, row.needs_control)


def judge_trouble(
    stage: str,
    trouble: Trouble,
    egress: bool | None,
    reached_before: bool = False,
    server: str = "mail server",
) -> Judgement:
    """What a conversation means that ended without a reply.

    `egress`: whether this host has reached another server on that port over the same family of
    addresses; None where there was no other server to ask. `reached_before`: whether it has reached
    this very address just before. `server`: what is sought there, in words.
    """
    if stage == "connect" and trouble.kind != "local":
        if egress:
            return Judgement(
                CLOSED,
                "no_connection",
                f"This host does reach another {server}.",
                needs_control=True,
            )
        if egress is None and reached_before:
            sentence = "It took a connection of this host just before."
            return Judgement(CLOSED, "no_connection", sentence, needs_control=True)
        if egress is None:
            why = (
                "Without control_host nobody knows whether this network lets anything out on that "
                "port."
            )
        elif reached_before:
            # What was true some minutes ago does not outweigh what is seen now.
            why = (
                "It took a connection of this host just before, but control_host cannot be reached "
                "now, so this network may let nothing out on that port any more."
            )
        else:
            why = (
                "control_host could not be reached either, so this network may let nothing out on "
                "that port."
            )
        return Judgement(INCONCLUSIVE, "egress_unproven", why)
    sentence = _TROUBLE_SENTENCES[trouble.kind].format(server=server)
    return Judgement(INCONCLUSIVE, f"trouble_{trouble.kind}", sentence)


def judge_again(first: Judgement) -> Judgement:
    """What a judgement before the envelope is worth, on a connection after one that was greeted.

    Then the door is not shut, whatever the second connection met: a limit on connections, more
    likely than a lock.
    """
    if first.verdict != CLOSED and not first.needs_control:
        return first
    sentence = (
        "A connection just before was greeted, so this is a limit on connections rather than a "
        "lock."
    )
    return Judgement(INCONCLUSIVE, "second_connection", sentence)


def together(verdicts: t.Iterable[str | None]) -> str:
    """One verdict for several: open if one is open, closed if all are closed.

    None is a question not asked.
    """
    known = [verdict for verdict in verdicts if verdict is not None]
    if OPEN in known:
        return OPEN
    return CLOSED if known and all(verdict == CLOSED for verdict in known) else INCONCLUSIVE
