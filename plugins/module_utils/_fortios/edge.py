# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A FortiGate as the first stage of the whole edge: which addresses and ports it publishes, where
they lead to, and who gets through.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import (
    INTERNET,
    PORTS,
    REACH,
    STRANGERS,
    Door,
    Groups,
    Plain,
    stage,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import unread, virtual
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import Sources
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Row
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.inbound_options import (
    InboundOptions,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import (
    Model,
    Target,
    model_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    VIP,
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Address,
    RangeError,
    RangeSet,
)

_MOST = 256
"""So many doors are told of one device; one address that is published whole has five."""

_FEW = 32
"""So many addresses of one virtual IP are told one by one."""


def of(state: DeviceState, wanted: InboundOptions, allowed: t.Mapping[int, Sources]) -> Plain:
    """Every virtual IP that leads to a port of mail or of the web, and the named addresses.

    `allowed`: version of IP → who may get through, as the lock means it.
    """
    model = model_of(state, wanted.interfaces)
    named = wanted.ranges | wanted.own_networks
    for sources in allowed.values():
        named = named | sources.known
    groups = Groups(named, named - wanted.own_networks)
    ports = sorted({*PORTS, wanted.port})
    told = [
        door
        for name, row in state.table(VIP).items()
        for door in _of_vip(model, name, row, ports, allowed)
    ]
    told += [
        _door(model, Target(port, address=address), str(address), port, (str(address),), allowed)
        for address in wanted.addresses
        for port in ports
    ]
    ways = list(unread.ways(model, wanted.port, wanted.interfaces, six=6 in wanted.versions))
    kept, left_out = _first(told, wanted, groups)
    return stage("firewall", groups, kept, unread=ways, left_out=left_out)


def _first(
    doors: t.Sequence[Door], wanted: InboundOptions, groups: Groups
) -> tuple[t.Sequence[Door], str]:
    """As many doors as are told: of what is locked first, then those that lead to the same servers,
    or nobody knows where. And a sentence where one is left out that is not shut to strangers.
    """
    if len(doors) <= _MOST:
        return doors, ""
    servers = {
        inside
        for door in doors
        if not door.name or door.name in wanted.vips
        for inside in door.leads_to
    }

    def rank(door: Door) -> tuple[bool, ...]:
        mine = not door.name or door.name in wanted.vips
        there = mine or not door.leads_to or not servers.isdisjoint(door.leads_to)
        shut = not door.untold and not door.rights[REACH][0] & groups.of(STRANGERS, door.families)
        # What leads to another server, and lets no stranger through, nobody has to know.
        return (not there and shut, not there, not mine, door.port_behind != wanted.port)

    ranked = sorted(((rank(door), door) for door in doors), key=lambda each: each[0])
    kept = [door for _rank, door in ranked[:_MOST]]
    left = sum(not at[0] for at, _door in ranked[_MOST:])
    words = (
        f"The firewall has {left} more doors than the {_MOST} that are told, so that nobody knows "
        "what a stranger gets there."
    )
    return kept, words if left else ""


def _of_vip(
    model: Model,
    name: t.Any,
    row: Row,
    ports: t.Sequence[int],
    allowed: t.Mapping[int, Sources],
) -> t.Iterator[Door]:
    held = pairs(row, model.mapped(str(name)))
    for port in ports:
        if model.serves(str(name), port):
            door = _door(
                model,
                Target(port, vip=str(name)),
                "",
                virtual.in_front(row, port),
                (),
                allowed,
                str(name),
            )
            for outside, behind in held:
                yield replace(door, at=(outside,), leads_to=behind)


def _door(
    model: Model,
    target: Target,
    outside: str,
    port: int,
    behind: t.Sequence[str],
    allowed: t.Mapping[int, Sources],
    name: str = "",
) -> Door:
    reached = model.reached(target)
    might, certain = reached.known, reached.certain
    # A name that the lock is for may hold whom it will; any other one may hold a stranger.
    mine = allowed.get(target.version, Sources()).opaque
    untold = bool(reached.opaque - mine)
    if model.free_zones(target):
        might = INTERNET
    return Door(
        (target.version,),
        (port,),
        {REACH: (might, certain)},
        (outside,),
        tuple(behind),
        target.port,
        name,
        untold=untold,
    )


def pairs(row: Row, mapped: RangeSet) -> list[tuple[str, tuple[str, ...]]]:
    """Each address in front, with those behind it: a range in front is mapped one by one to a range
    of the same size. What is too wide to tell leads nobody knows where.
    """
    text = str(row.get("extip") or "")
    behind = _each(mapped)
    try:
        outside = _each(RangeSet.parse([text]))
    except RangeError:
        return [(text, behind)]
    if not outside:
        return [(text, ())]
    if len(outside) > 1 and len(outside) == len(behind) and not virtual.is_balancer(row):
        return [(front, (inside,)) for front, inside in zip(outside, behind)]
    return [(front, behind) for front in outside]


def _each(ranges: RangeSet) -> tuple[str, ...]:
    """The addresses one by one; none where they are too many."""
    if ranges.size > _FEW:
        return ()
    return tuple(
        str(Address(span.version, number))
        for span in ranges.intervals
        for number in range(span.first, span.last + 1)
    )
