# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the provider's mail comes in after a change, of the logs of one server since a time."""

from __future__ import annotations

import dataclasses
import enum
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import doors, mail_logs
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mail_logs import (
    MESSAGES,
    PROTOCOL,
    SESSIONS,
    SHUT_OUT,
    TRACKING,
    Log,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.words import listed
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import Address, RangeSet

# So many addresses are named in a sentence; the result has them all.
_MOST = 5


class Verdict(str, enum.Enum):
    """What became of the provider's mail."""

    DELIVERED = "delivered"
    PARTLY = "partly"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Seen:
    """What the logs tell of the provider since a time: how many `messages`, `sessions`, and replies
    to who may not send at all (`shut_out`). `refused` are the addresses that got such a reply and
    delivered nothing; `unknown` are sentences about what the logs cannot tell, and `missed` says
    why the last look could not be taken.
    """

    messages: int = 0
    sessions: int = 0
    shut_out: int = 0
    refused: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    missed: str = ""

    @property
    def verdict(self) -> Verdict:
        """A message that came is a proof for the address that it came from, and none for another
        one that was refused. Refusals alone are a proof against the change; they may pass by
        themselves, so that they are to be seen twice.
        """
        if self.messages:
            return Verdict.PARTLY if self.refused else Verdict.DELIVERED
        return Verdict.REFUSED if self.shut_out and not self.missed else Verdict.UNKNOWN

    def without_a_look(self, why: str) -> Seen:
        """The same when a look could not be taken, for a reason in words."""
        return dataclasses.replace(self, missed=why)


def seen(answers: mail_logs.Answers, state: State, provider: RangeSet) -> Seen:
    """What the agent's answers tell of the provider."""
    server = state.server
    log, tracked = (
        mail_logs.understand(step, answers, server.version, edge=server.edge)
        for step in (PROTOCOL, TRACKING)
    )
    unknown = (*log.gaps, *blind(state, provider))
    delivered = _senders(log, MESSAGES, provider) | _senders(tracked, MESSAGES, provider)
    refused = _senders(log, SHUT_OUT, provider) - delivered
    return Seen(
        # Of the same messages, so that they are not added up.
        max(_of(log, MESSAGES, provider), _of(tracked, MESSAGES, provider)),
        _of(log, SESSIONS, provider),
        _of(log, SHUT_OUT, provider),
        tuple(map(str, sorted(refused))),
        unknown,
    )


def _senders(log: Log, rule: str, senders: RangeSet) -> set[Address]:
    return {
        sender
        for _connector, sender in log.of(rule)
        if not isinstance(sender, str) and sender in senders
    }


def _of(log: Log, rule: str, senders: RangeSet) -> int:
    return sum(
        count.count
        for (_connector, sender), count in log.of(rule).items()
        if not isinstance(sender, str) and sender in senders
    )


def blind(state: State, provider: RangeSet) -> list[str]:
    """A sentence where a connector that the provider meets on port 25 logs nothing."""
    connectors_met = {
        name
        for answer in doors.answers_of(tuple(state.receive.values()), provider)
        for name in answer.names
    }
    silent = sorted(
        name
        for name in connectors_met
        if state.receive[name.casefold()].get("protocol_logging_level") != "Verbose"
    )
    if not silent:
        return []
    return [
        f"The provider meets {listed(repr(name) for name in silent)}, of which no protocol is "
        "logged: set protocol_logging_level to Verbose to see its sessions."
    ]


def words(seen_mail: Seen, since: str, minutes: int) -> str:
    """The verdict as a sentence."""
    if seen_mail.verdict is Verdict.DELIVERED:
        return f"The provider delivered {seen_mail.messages} of its messages since {since}."
    if seen_mail.verdict is Verdict.PARTLY:
        count = len(seen_mail.refused)
        who = listed([*seen_mail.refused[:_MOST], *([f"{count - _MOST} more"] * (count > _MOST))])
        return (
            f"The provider is shut out in part: since {since} it delivered {seen_mail.messages} "
            f"messages, but {who} {'was' if count == 1 else 'were'} told not to send, and "
            "delivered nothing. See which receive connector hears "
            f"{'this address' if count == 1 else 'these addresses'}."
        )
    if seen_mail.verdict is Verdict.REFUSED:
        return (
            f"The provider is shut out: since {since} it came {seen_mail.sessions} times, was "
            f"refused {seen_mail.shut_out} times as somebody who may not send, and delivered "
            "nothing."
        )
    waited = "1 minute was" if minutes == 1 else f"{minutes} minutes were"
    came = (
        f"It came {seen_mail.sessions} times and delivered no message."
        if seen_mail.sessions
        else "Nothing of it was seen."
    )
    return " ".join(
        [
            f"Whether the provider's mail comes in is unknown: {waited} waited since "
            f"{since}. {came}",
            *([f"The last look could not be taken: {seen_mail.missed}"] * bool(seen_mail.missed)),
            *seen_mail.unknown,
        ]
    )


def facts(seen_mail: Seen) -> dict[str, t.Any]:
    """As data, for a result."""
    return {
        "verdict": seen_mail.verdict.value,
        "messages": seen_mail.messages,
        "sessions": seen_mail.sessions,
        "shut_out": seen_mail.shut_out,
        "refused": list(seen_mail.refused),
        "unknown": list(seen_mail.unknown),
    }
