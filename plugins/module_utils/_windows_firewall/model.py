# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches a TCP port past Windows Firewall, with two bounds: whoever might, and who certainly
does.

Bypass goes before block, block before allow, allow before the default of the profile, whatever the
order of the rules (learn.microsoft.com, "Windows Firewall rules"). Loopback is not filtered. Which
program listens is not asked: a rule for a program or service is one more way in.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    LOOPBACK,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.state import (
    POLICY,
    Held,
    Profile,
    State,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.texts import (
    ALLOW,
    BLOCK,
    BYPASS,
    Rule,
)

NOBODY = RangeSet()
WORLD = EVERYTHING - LOOPBACK


@dataclass(frozen=True)
class Reach:
    """Senders that might reach a port, and those of them that certainly do."""

    possible: RangeSet
    certain: RangeSet


def possible(rule: Rule) -> RangeSet:
    """Whom the addresses of an allow rule might mean."""
    return WORLD if rule.loose or rule.unknown else rule.remote.possible & WORLD


def certain(rule: Rule, port: int) -> RangeSet:
    """Whom an allow rule certainly lets in on a port that it covers."""
    if not rule.certain or port not in rule.ports:
        return NOBODY
    return WORLD if rule.loose else rule.remote.certain & WORLD


def for_anybody(rule: Rule) -> bool:
    """Whether a rule may let in who has not been authenticated by IPsec."""
    return not rule.ipsec or bool(rule.unknown)


def ways_in(state: State, port: int, profile: Profile) -> t.Iterator[Held]:
    """The rules that may let somebody in on a port, authenticated or not."""
    for held in counting(state, profile):
        rule = held.rule
        if rule.action != BLOCK and rule.covers(port) and rule.in_profile(profile.bit):
            yield held


def counting(state: State, profile: Profile) -> t.Iterator[Held]:
    """The enabled inbound rules that count in a profile: without local ones where group policy says
    so (MS-GPFAS 2.2.2.5, AllowLocalPolicyMerge).
    """
    for held in state.rules.values():
        if held.rule.enabled and held.rule.inbound and (held.store == POLICY or profile.merges):
            yield held


def _stopped(rule: Rule, port: int) -> RangeSet:
    """Whom a block rule certainly stops, whatever listens."""
    bound = rule.program or rule.service or rule.remote_ports
    if bound or not rule.certain or port not in rule.ports:
        return NOBODY
    return rule.remote.certain


@functools.lru_cache(maxsize=4096)
def _union(sets: frozenset[RangeSet]) -> RangeSet:
    whole = NOBODY
    for ranges in sets:
        whole = whole | ranges
    return whole


def reach(state: State, port: int, profile: Profile, *, authenticated: bool = False) -> Reach:
    """Who reaches a port by one profile."""
    if not profile.enabled or profile.excluded:
        # On an interface that is left out no rule counts; it may be the one that matters.
        return Reach(WORLD, WORLD)
    if profile.blocks_all:
        return Reach(NOBODY, NOBODY)
    upper, lower, stopped, may_stop, past = set(), set(), set(), set(), set()
    # Of those who come through a tunnel, such as Teredo: no rule is known to be about them that
    # does not say so, whether it lets in or blocks (MS-FASP; unverified for blocks).
    tunnelled, stopped_tunnelled = set(), set()
    for held in counting(state, profile):
        rule = held.rule
        if not rule.covers(port) or not rule.in_profile(profile.bit):
            continue
        if rule.action == BLOCK:
            stopped.add(_stopped(rule, port))
            if rule.edge:
                stopped_tunnelled.add(_stopped(rule, port))
            may_stop.add(WORLD if rule.unknown or rule.loose else rule.remote.possible)
            continue
        if for_anybody(rule) or authenticated:
            upper.add(possible(rule))
            if rule.edge:
                tunnelled.add(possible(rule))
            if rule.action == BYPASS:
                past.add(possible(rule))
        if rule.action == ALLOW:
            lower.add(certain(rule, port))
    if profile.lets_in:
        upper.add(WORLD)
        tunnelled.add(WORLD)
        lower.add(WORLD)
    may = (_union(frozenset(upper)) - _union(frozenset(stopped))) | _union(frozenset(past))
    may = may | (_union(frozenset(tunnelled)) - _union(frozenset(stopped_tunnelled)))
    return Reach(may, _union(frozenset(lower)) - _union(frozenset(may_stop)))


def reach_of(state: State, port: int, *, authenticated: bool = False) -> Reach:
    """Who reaches a port by any profile that is active now; certainly by every one of them."""
    parts = [
        reach(state, port, state.profiles[bit], authenticated=authenticated)
        for bit in state.current
    ]
    upper = _union(frozenset(part.possible for part in parts))
    lower = parts[0].certain
    for part in parts[1:]:
        lower = lower & part.certain
    return Reach(upper, lower)


def senders_losing(before: State, after: State, port: int) -> RangeSet:
    """Who would no longer reach a port that might until now, or no longer for certain."""
    old, new = reach_of(before, port), reach_of(after, port)
    return (old.possible - new.possible) | (old.certain - new.certain)


def open_to(state: State, port: int) -> RangeSet:
    """Who certainly gets in by a profile that is active now."""
    return _union(
        frozenset(reach(state, port, state.profiles[bit]).certain for bit in state.current)
    )
