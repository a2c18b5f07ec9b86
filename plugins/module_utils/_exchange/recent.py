# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who delivered lately, of the logs of one server: which log is believed, what it cannot tell, and
who each sender is to the site.

An address is shown only where the task asks for it; mail addresses and the names that senders give
themselves stay on the server. A message that went past the filter looks like any other, so that
nothing here says that somebody ought to be let in.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import mail_logs
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mail_logs import (
    LOGINS,
    MESSAGES,
    NAMED,
    PROTOCOL,
    REFUSED,
    SESSIONS,
    TRACKING,
    Bounds,
    Count,
    Log,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import answer_of
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.words import listed
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    LOOPBACK,
    PRIVATE,
    Address,
    RangeSet,
)

ITSELF, SERVERS, PROVIDER, HYBRID = "the server itself", "Exchange servers", "provider", "hybrid"
OWN, UNNAMED, LOGGED_IN = "own networks", "unnamed private addresses", "logged in"
OTHER, INTERNET = "another provider", "internet"

GROUPS = (PROVIDER, HYBRID, SERVERS, OWN, UNNAMED, ITSELF, LOGGED_IN, OTHER, INTERNET)
"""The groups of senders in a result, in this order. Nobody is in two of them."""

# One address that nearly all mail comes from, by many names: a load balancer or a translation of
# addresses before the server.
_MOST_OF = 0.9
_MANY_NAMES = 10
_ENOUGH = 20
# Tracking counts other servers' and users' mail as well, so that half of it says nothing yet.
_FEWER = 0.5


@dataclass(frozen=True)
class Asked:
    """What a task asks for: how much is read, from how many messages on a sender counts, whether
    addresses are shown, and the ranges of known providers by their names. `refusals`: who was
    refused is counted as well.
    """

    bounds: Bounds = field(default_factory=Bounds)
    messages: int = 1
    addresses: bool = False
    known: t.Mapping[str, RangeSet] = field(default_factory=dict)
    refusals: bool = False


def wrong(options: t.Mapping[str, t.Any], time_limit: int) -> list[str]:
    """What is wrong with the options of a task that asks who delivered, in sentences."""
    most = {"days": 90, "megabytes": 2048, "seconds": max(1, time_limit // 4), "messages": 1 << 31}
    return [
        f"{name} is {options[name]}, and must be between 1 and {largest}"
        + (", a quarter of time_limit." if name == "seconds" else ".")
        for name, largest in most.items()
        if options.get(name) is not None and not 1 <= int(options[name]) <= largest
    ]


@dataclass(frozen=True)
class Sender:
    """One address: what it delivered, through which connectors, and who it is to the site.
    `provider` is the known one whose range it is in.
    """

    address: Address
    delivered: Count
    connectors: tuple[str, ...]
    group: str
    provider: str = ""

    def shown(self) -> dict[str, t.Any]:
        """As data, with the address."""
        return {
            "address": str(self.address),
            "group": self.group,
            **({"provider": self.provider} if self.provider else {}),
            "messages": self.delivered.count,
            "first": self.delivered.first,
            "last": self.delivered.last,
            "connectors": list(self.connectors),
        }


@dataclass(frozen=True)
class Recent:
    """Who delivered. `told` is False where nobody can say. `source` names the log the senders are
    of, and `unknown` says in sentences what it cannot tell. `blind` are connectors that log
    nothing; `silent` are addresses that came and delivered nothing.
    """

    logs: t.Mapping[str, Log]
    source: str
    senders: tuple[Sender, ...]
    unknown: tuple[str, ...]
    told: bool
    blind: tuple[str, ...] = ()
    silent: int = 0

    @property
    def messages(self) -> int:
        """All messages whose senders are known."""
        return sum(sender.delivered.count for sender in self.senders)


def of(answers: mail_logs.Answers, state: State, networks: SiteNetworks, asked: Asked) -> Recent:
    """Who delivered, of what the agent answered; `networks` are those on this server."""
    server = state.server
    logs = {
        step: mail_logs.understand(step, answers, server.version, edge=server.edge)
        for step in (PROTOCOL, TRACKING)
    }
    doors = _doors(state)
    blind = tuple(
        sorted(
            str(connector["name"])
            for connector in doors
            if connector.get("protocol_logging_level") != "Verbose"
        )
    )
    log, tracked = logs[PROTOCOL], logs[TRACKING]
    front_end = server.version >= Version.E2013 and not server.edge
    unknown: list[str] = []
    if not log.told or (len(blind) == len(doors) and not log.of(MESSAGES)):
        unknown += log.gaps if not log.told else ()
        if not tracked.told:
            return Recent(logs, "", (), (*unknown, *tracked.gaps), told=False, blind=blind)
        chosen = tracked
        if front_end:
            unknown.append(
                "Senders are those of message tracking, which is a weaker proof: the front end "
                "does not write it, and may stand in it in the place of a sender."
            )
    else:
        chosen = log
        if blind:
            unknown.append(
                f"These receive connectors log nothing, so that nobody knows who came by them: "
                f"{listed(repr(name) for name in blind)}. Set protocol_logging_level to Verbose, "
                "and wait some days."
            )
        unknown += _crossed(log, tracked)
    unknown += chosen.gaps
    senders, nobody = _senders(chosen, networks, asked, server.itself)
    if chosen is tracked and front_end:
        # The hub's senders are front ends, where the real one was not written down.
        hidden = [sender for sender in senders if sender.group in (ITSELF, SERVERS)]
        nobody += sum(sender.delivered.count for sender in hidden)
        senders = [sender for sender in senders if sender not in hidden]
    if nobody:
        unknown.append(f"{nobody} messages are of senders whose address the log does not tell.")
    told = bool(senders) or not nobody
    balanced = _one_for_all(chosen, senders)
    if balanced:
        told = False
        unknown.append(balanced)
    came = {sender for _connector, sender in chosen.of(SESSIONS)}
    silent = len(came - {sender for _connector, sender in chosen.of(MESSAGES)})
    return Recent(
        logs, chosen.name, tuple(senders), tuple(unknown), told=told, blind=blind, silent=silent
    )


def _doors(state: State) -> list[t.Mapping[str, t.Any]]:
    """The connectors in service by which somebody may send without a login."""
    return [
        connector
        for connector in state.receive.values()
        if connector.get("enabled") is not False
        and connector.get("transport_role") in (None, "FrontendTransport")
        and answer_of(connector).accepts_anonymous
    ]


def _crossed(log: Log, tracked: Log) -> list[str]:
    """A sentence where tracking knows of far more messages than the protocol log."""
    if not (log.whole and tracked.told and tracked.whole):
        return []
    logged, received = log.total(MESSAGES), tracked.total(MESSAGES)
    if received - logged < _ENOUGH or logged >= received * _FEWER:
        return []
    return [
        f"Message tracking has {received} messages that came by SMTP, and the protocol log "
        f"{logged}: it is cut, or a connector does not log."
    ]


def _senders(
    log: Log, networks: SiteNetworks, asked: Asked, itself: RangeSet
) -> tuple[list[Sender], int]:
    """The senders, who delivered most first, and how many messages are of nobody known."""
    delivered: dict[Address, Count] = {}
    connectors: dict[Address, set[str]] = {}
    nobody = 0
    for (connector, sender), count in log.of(MESSAGES).items():
        if isinstance(sender, str):
            nobody += count.count
            continue
        delivered[sender] = delivered[sender] + count if sender in delivered else count
        connectors.setdefault(sender, set()).add(connector)
    sessions, logins = _by_sender(log, SESSIONS), _by_sender(log, LOGINS)
    senders = []
    for address, count in delivered.items():
        # Where some sessions of an address did not log in, what they delivered counts.
        logged_in = 0 < sessions.get(address, 0) <= logins.get(address, 0)
        group, provider = _group(address, networks, asked.known, itself)
        group = LOGGED_IN if logged_in and group not in (ITSELF, SERVERS) else group
        names = tuple(sorted(connectors[address]))
        senders.append(Sender(address, count, names, group, provider))
    senders.sort(key=lambda sender: (-sender.delivered.count, sender.address))
    return senders, nobody + log.over.get(MESSAGES, 0)


def _by_sender(log: Log, rule: str) -> dict[Address | str, int]:
    counts: dict[Address | str, int] = {}
    for (_connector, sender), count in log.of(rule).items():
        counts[sender] = counts.get(sender, 0) + count.count
    return counts


def _group(
    address: Address, networks: SiteNetworks, known: t.Mapping[str, RangeSet], itself: RangeSet
) -> tuple[str, str]:
    provider = next((name for name, ranges in sorted(known.items()) if address in ranges), "")
    if address in LOOPBACK or address in itself:
        return ITSELF, ""
    for group, ranges in (
        (PROVIDER, networks.provider),
        (SERVERS, networks.exchange_servers),
        (HYBRID, networks.hybrid),
        (OWN, networks.own_networks),
        (UNNAMED, PRIVATE),
    ):
        if address in ranges:
            return group, provider
    return (OTHER, provider) if provider else (INTERNET, "")


def _one_for_all(log: Log, senders: t.Sequence[Sender]) -> str:
    """A sentence where all senders seem to share one private address; empty otherwise."""
    total = sum(sender.delivered.count for sender in senders)
    if total < _ENOUGH or senders[0].group not in (OWN, UNNAMED):
        return ""
    first = senders[0]
    names = sum(
        count.values
        for (_connector, sender), count in log.of(NAMED).items()
        if sender == first.address
    )
    if first.delivered.count < total * _MOST_OF or names < _MANY_NAMES:
        return ""
    return (
        f"Nearly all mail comes from one private address ({first.delivered.count} of {total} "
        "messages) by many names: a load balancer or a translation of addresses stands before the "
        "server, so that nobody can say who delivers. A lock to addresses would not work there."
    )


def refused(recent: Recent, losing: RangeSet, messages: int) -> list[Sender]:
    """The senders among `losing` who delivered at least so many messages without a login."""
    return [
        sender
        for sender in recent.senders
        if sender.address in losing
        and sender.group not in (ITSELF, LOGGED_IN)
        and sender.delivered.count >= messages
    ]


def sentence(senders: t.Sequence[Sender], asked: Asked) -> str:
    """What became of whom, for an operator."""
    count = len(senders)
    total = sum(sender.delivered.count for sender in senders)
    who = "This address" if count == 1 else f"These {count} addresses"
    days = asked.bounds.days
    told = (
        f"{who} delivered {total} {_plural(total, 'message')} in {days} {_plural(days, 'day')} "
        "and would be refused"
    )
    if asked.addresses:
        told += f": {listed(map(_words, senders))}."
    else:
        groups = dict.fromkeys(
            f"the range of {sender.provider}" if sender.provider else sender.group
            for sender in senders
        )
        told += f" ({listed(groups)})."
    return f"{told} A log does not tell who of them went past the filter."


def _words(sender: Sender) -> str:
    count = sender.delivered.count
    whose = f", in the range of {sender.provider}" if sender.provider else ""
    return (
        f"{sender.address} ({count} {_plural(count, 'message')}, the last on "
        f"{sender.delivered.last[:10]}{whose})"
    )


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


def shown(recent: Recent, asked: Asked) -> dict[str, t.Any]:
    """The whole as data, for a result."""
    groups = []
    for group in GROUPS:
        members = [sender for sender in recent.senders if sender.group == group]
        if members:
            groups.append(
                {
                    "group": group,
                    "addresses": len(members),
                    "messages": sum(sender.delivered.count for sender in members),
                    "first": min(sender.delivered.first for sender in members),
                    "last": max(sender.delivered.last for sender in members),
                    "providers": sorted({each.provider for each in members if each.provider}),
                }
            )
    return {
        "told": recent.told,
        "source": recent.source,
        "groups": groups,
        **({"senders": [each.shown() for each in recent.senders]} if asked.addresses else {}),
        "connectors": connectors(recent),
        "blind": list(recent.blind),
        "silent": recent.silent,
        "unknown": list(recent.unknown),
        "logs": [
            {
                "name": log.name,
                "since": log.since,
                "covered_from": log.covered_from,
                "last": log.last,
                "whole": log.whole,
                "messages": log.total(MESSAGES),
                **log.read,
            }
            for log in recent.logs.values()
        ],
    }


def connectors(recent: Recent) -> list[dict[str, t.Any]]:
    """What each connector took, of the log that is believed: {name, messages, first, last}, and
    sessions and refused replies as far as it has them.
    """
    log = next((log for log in recent.logs.values() if log.name == recent.source), None)
    rules = [rule for rule in (MESSAGES, SESSIONS, REFUSED) if log and rule in log.counts]
    counts: dict[str, dict[str, Count]] = {}
    for rule in rules:
        for (name, _sender), count in log.of(rule).items() if log else ():
            held = counts.setdefault(name, {})
            held[rule] = held[rule] + count if rule in held else count
    return [
        {
            "name": name,
            **{rule: held[rule].count if rule in held else 0 for rule in rules},
            "first": held[MESSAGES].first if MESSAGES in held else None,
            "last": held[MESSAGES].last if MESSAGES in held else None,
        }
        for name, held in sorted(counts.items())
    ]
