# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What "only these addresses reach these ports" asks of the rules of a server.

A rule that lets in anybody else, or that lets in some of the named ones by a list of its own, gets
exactly the named addresses. What a rule has no room for goes into rules of ours beside it. A rule
that carries other ports as well gives up the locked ones to rules of ours. A rule whose addresses
do not count, or of which something is not understood, is disabled, and rules of ours stand in.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.model import (
    for_anybody,
    possible,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.state import (
    LOCAL,
    OURS,
    Held,
    State,
    file_of,
    has_no_text,
    identity,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.tables import (
    RULES,
    whole,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.texts import (
    BLOCK,
    Rule,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.values import (
    Addresses,
    in_rules,
    named_addresses,
)

KEEP, NARROW = "keep", "narrow"
DISABLE = "disable"
_PART = re.compile(r" \(([0-9]+)\)$")


@dataclass(frozen=True)
class Site:
    """Who may reach the ports: everybody that is named, in sets that can be written.

    `remote` are those that the ports are for. None for exchange_servers and domain_controllers:
    nobody has said. `ignore_programs` are the file names, without case, of programs that do not
    listen on the ports. `other_ports`: KEEP or NARROW; `method`: NARROW or DISABLE. `in_use` are
    the ports that the internet uses.
    """

    ports: tuple[int, ...]
    remote: RangeSet
    own_networks: RangeSet = field(default_factory=RangeSet)
    exchange_servers: RangeSet | None = None
    domain_controllers: RangeSet | None = None
    ignore_programs: frozenset[str] = frozenset()
    other_ports: str = KEEP
    method: str = NARROW
    in_use: frozenset[int] = frozenset()

    @property
    def named(self) -> RangeSet:
        """All of them together, without loopback."""
        sets = (self.remote, self.own_networks, self.exchange_servers, self.domain_controllers)
        whole_set = RangeSet()
        for ranges in sets:
            whole_set = whole_set | (ranges or RangeSet())
        return named_addresses(whole_set)


def ignoring(state: State, site: Site) -> State:
    """A state in which rules for programs that do not listen on the ports are no ways in; but for
    one that names a port by its number, which is made for whoever listens there.
    """
    rules = {
        name: dataclasses.replace(held, rule=dataclasses.replace(held.rule, elsewhere=True))
        if file_of(held.rule.program) in site.ignore_programs
        and (held.rule.ports.are_all or not covered(held.rule, site.ports))
        else held
        for name, held in state.rules.items()
    }
    return dataclasses.replace(state, rules=rules) if site.ignore_programs else state


def covered(rule: Rule, ports: t.Sequence[int]) -> tuple[int, ...]:
    """The locked ports that a rule carries by number."""
    return tuple(port for port in ports if rule.covers(port) and port in rule.ports)


def lock(state: State, site: Site) -> list[Desired[str]]:
    """What the rules shall be. Raises nothing: what it cannot lock the guards tell."""
    named = site.named
    groups: dict[str, list[Held]] = {}
    for held in state.rules.values():
        if held.ours and covered(held.rule, site.ports):
            groups.setdefault(_base(held.key), []).append(held)
    desired: list[Desired[str]] = []
    for held in state.rules.values():
        rule = held.rule
        ports = covered(rule, site.ports)
        counts = (
            held.store == LOCAL
            and held.row is not None
            and not held.ours
            and rule.enabled
            and rule.inbound
        )
        if not counts or not ports or rule.action == BLOCK or not for_anybody(rule):
            continue
        base = _base_of(held)
        if (
            possible(rule) <= named
            and rule.remote.known.isdisjoint(site.remote)
            and base not in groups
        ):
            # Somebody narrowed it already, to fewer than are named.
            continue
        desired += _locked(held, site, named, ports, groups.pop(base, []))
    for group in groups.values():
        desired += _alone(group, named)
    return desired


def _locked(
    held: Held, site: Site, named: RangeSet, ports: t.Sequence[int], group: t.Sequence[Held]
) -> t.Iterator[Desired[str]]:
    """A rule that is not ours, with those of ours that belong to it."""
    rule = held.rule
    doubtful = rule.loose or (bool(rule.unknown) and not has_no_text(rule))
    others = rule.ports.without(ports)
    splits = (
        bool(others.spans or others.words)
        and rule.protocol is not None
        and site.other_ports == KEEP
    )
    carried = rule.ports.texts() if rule.protocol is not None else _numbers(site)
    shares = [ours.rule.remote.known for ours in group]
    if splits:
        yield Desired(RULES, held.key, {"local_ports": list(others.texts())})
        yield from _ours(
            _base_of(held), rule, rule.ports.only(ports).texts(), in_rules(named, shares), group
        )
        return
    if not doubtful and site.method != DISABLE:
        first, *more = in_rules(named, [rule.remote.known, *shares])
        # A rule without addresses would be for everybody.
        if first:
            yield Desired(RULES, held.key, {"remote_addresses": list(Addresses(first).texts())})
            yield from _ours(_base_of(held), rule, carried, more, group)
            return
    yield Desired(RULES, held.key, {"enabled": False})
    yield from _ours(_base_of(held), rule, carried, in_rules(named, shares), group)


def _numbers(site: Site) -> list[str]:
    return [str(port) for port in sorted(set(site.ports))]


def _alone(group: t.Sequence[Held], named: RangeSet) -> t.Iterator[Desired[str]]:
    """Rules of ours whose base does not carry the port any more."""
    rule = group[0].rule
    parts = in_rules(named, [ours.rule.remote.known for ours in group])
    yield from _ours(_base(group[0].key), rule, rule.ports.texts(), parts, group)


def _ours(
    base: str,
    rule: Rule,
    ports: t.Sequence[str],
    parts: t.Sequence[RangeSet],
    group: t.Sequence[Held],
) -> t.Iterator[Desired[str]]:
    """Rules of ours with these parts: those that are there, changed, and more. None without
    addresses, which would let in everybody.
    """
    used = {ours.key for ours in group}
    numbers = itertools.count(1)
    for at, part in enumerate(parts):
        if at < len(group):
            key = group[at].key
        else:
            key = f"{OURS}{base} ({next(numbers)})"
            while key in used:
                key = f"{OURS}{base} ({next(numbers)})"
            used.add(key)
        if part:
            yield Desired(RULES, key, whole(rule, Addresses(part).texts(), ports))
        elif at < len(group):
            yield Desired(RULES, key, None)
    for spare in group[len(parts) :]:
        yield Desired(RULES, spare.key, None)


def _base_of(held: Held) -> str:
    """What rules of ours beside a rule are named after: its name, and a mark of its id, since twins
    have the same name.
    """
    mark = hashlib.sha1(identity(held.key).encode("utf-8"), usedforsecurity=False).hexdigest()[:6]
    return f"{held.rule.name[:100].strip()} {mark}"


def _base(key: str) -> str:
    return _PART.sub("", key.removeprefix(OURS))
