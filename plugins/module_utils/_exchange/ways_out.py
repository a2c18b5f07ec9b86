# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outgoing mail that leaves past the connector that is meant to carry it, or that a change leaves
to nobody, and servers that a change takes their own way out from.

The guards send_leak, mail_stranded and source_servers_lost, and the result of every module, come
from here.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import routing
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.words import listed

Connectors = t.Mapping[str, routing.Connector]


@dataclass(frozen=True)
class Passage:
    """Mail that another connector carries, or would: one rival of the claim.

    `generic`: to the internet at large, by an address space of the rival that says so. `bigger`: of
    more than so many bytes; 0 where it is mail of any size.
    """

    name: str
    rival: str
    domains: frozenset[str]
    generic: bool
    bigger: int

    def words(self, verb: str) -> str:
        """One sentence; `verb` is ``goes`` or ``would go``."""
        what = f"Mail of more than {self.bigger >> 10} KB" if self.bigger else "Mail"
        to = (
            "to the internet, or parts of it,"
            if self.generic
            else f"to {listed(sorted(self.domains))}"
        )
        return (
            f"{what} {to} {verb} through the send connector '{self.rival}' and not through "
            f"'{self.name}'."
        )


def past(connectors: Connectors, claim: routing.Claim) -> list[Passage]:
    """The rivals of a claim, by name, as the connectors stand; `connectors` is by casefolded name.

    Mail that nobody carries waits, and passes nobody.
    """
    taken: dict[tuple[str, bool], set[tuple[str, int]]] = {}
    # As if the claim were there: its spaces are asked about where it is not.
    asked = routing.messages(
        [*connectors.values(), {"name": claim.name, "address_spaces": claim.spaces}]
    )
    chooser = routing.Chooser(connectors.values())
    for message in asked:
        if not any(
            space.type == message.type
            and routing.specificity(space.space, message.domain) is not None
            for space in claim.spaces
        ):
            continue
        chosen = chooser.carriers(message)
        if chosen and chosen[0].casefold() != claim.name.casefold():
            generic = any(
                space.type == message.type and routing.is_generic(space.space)
                for space in connectors[chosen[0].casefold()].get("address_spaces") or ()
            )
            taken.setdefault((chosen[0], generic), set()).add((message.domain, message.size))
    ways = []
    for (rival, generic), mail in sorted(taken.items()):
        smallest = min(size for _domain, size in mail)
        domains = frozenset(domain for domain, _size in mail)
        ways.append(Passage(claim.name, rival, domains, generic, smallest and smallest - 1))
    return ways


def idle(connectors: Connectors, claim: routing.Claim) -> list[tuple[str, str]]:
    """(space, name) of connectors that are in service for a space of the claim, and carry none of
    its mail as long as its own one is there.
    """
    unused = set()
    chooser = routing.Chooser(connectors.values())
    for message in routing.messages(connectors.values()):
        chosen = chooser.carriers(message) if not message.size else []
        if not chosen or chosen[0].casefold() != claim.name.casefold():
            continue
        for other in chosen[1:]:
            held = {
                (space.type, space.space)
                for space in connectors[other.casefold()].get("address_spaces") or ()
            }
            unused |= {
                (space.space, other) for space in claim.spaces if (space.type, space.space) in held
            }
    return sorted(unused)


def sentences(connectors: Connectors, claim: routing.Claim | None) -> list[str] | None:
    """What leaves past the lock, in words: through connectors for the internet at large.

    One for a partner's domain is the administrator's own decision, of which the guard tells. None
    where the task locks no way out.
    """
    if claim is None:
        return None
    return [way.words("goes") for way in past(connectors, claim) if way.generic]


def what_to_do(connector: routing.Connector, claim: routing.Claim) -> str:
    """How the mail of a rival comes back to the lock, for the end of a message; empty where the
    lock does that itself.
    """
    reason = routing.protected_reason(connector)
    if reason is None:
        return ""
    cost = max((space.cost for space in claim.spaces), default=1)
    if routing.is_hybrid(connector):
        return (
            f" It is not touched here, because {reason}. Take such address spaces from it by "
            "running the wizard again without centralized mail transport, or give them a cost "
            f"above {cost} with Set-SendConnector; the wizard may put them back (unverified)."
        )
    return (
        f" It is not touched here, because {reason}. Change it where the edge subscription was "
        f"made, on a Hub or Mailbox server, or give the spaces of '{claim.name}' a lower cost than "
        "its own."
    )


def bereft(before: Connectors, after: Connectors) -> dict[str, frozenset[str]]:
    """Connector → the servers that send mail through another one of their own today, and would have
    to hand it to a source server of this one.
    """
    bereft_of: dict[str, set[str]] = {}
    sides = [routing.Chooser(connectors.values()) for connectors in (before, after)]
    for message in routing.messages([*before.values(), *after.values()]):
        if message.server is None or message.size:
            continue
        was, shall = (side.carriers(message) for side in sides)
        if not was or not shall or was[0].casefold() == shall[0].casefold():
            continue
        if message.server in _sources(before, was[0]) and message.server not in _sources(
            after, shall[0]
        ):
            bereft_of.setdefault(shall[0], set()).add(message.server)
    return {name: frozenset(servers) for name, servers in bereft_of.items()}


class Stranded(t.NamedTuple):
    """Mail to address spaces of a connector that carries it today, and that nobody would carry.

    `bigger`: of more than so many bytes; 0 where it is mail of any size.
    """

    name: str
    spaces: tuple[str, ...]
    bigger: int


def stranded(before: Connectors, after: Connectors) -> list[Stranded]:
    """Mail that would wait in the Unreachable queue, by the connector that carries it today."""
    sides = [routing.Chooser(connectors.values()) for connectors in (before, after)]
    smallest: dict[tuple[str, str], int] = {}
    for message in routing.messages([*before.values(), *after.values()]):
        was, shall = (side.carriers(message) for side in sides)
        if shall or not was:
            continue
        held = before[was[0].casefold()].get("address_spaces") or ()
        fits = [
            (routing.specificity(space.space, message.domain), str(space))
            for space in held
            if space.type == message.type
        ]
        space = max((fit, text) for fit, text in fits if fit is not None)[1]
        smallest[was[0], space] = min(message.size, smallest.get((was[0], space), message.size))
    stranded_at: dict[tuple[str, int], list[str]] = {}
    for (name, space), size in sorted(smallest.items()):
        stranded_at.setdefault((name, size and size - 1), []).append(space)
    return [Stranded(name, tuple(spaces), bigger) for (name, bigger), spaces in stranded_at.items()]


def _sources(connectors: Connectors, name: str) -> t.Collection[str]:
    return connectors[name.casefold()].get("source_transport_servers") or ()
