# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would go wrong with the lock of a port, told before anything is written."""

from __future__ import annotations

import difflib
import types
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import unread
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import Sources
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.inbound import (
    InboundRecipe,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.inbound_options import (
    InboundOptions,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import (
    Model,
    Target,
    is_deny,
    model_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.sentences import words
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    ADDRESS,
    ADDRESS6,
    FEED,
    FEED_ENTRIES,
    GROUP,
    GROUP6,
    INTERNET_SERVICE,
    POLICY,
    VIP,
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import Interval, RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    WARN,
    Finding,
)

# Internet services that anybody can become a customer of.
SHARED: t.Mapping[str, str] = types.MappingProxyType(
    {
        "Microsoft-Azure": (
            "every customer of Microsoft Azure, also with a virtual machine of an hour ago"
        ),
        "Amazon-AWS": "every customer of Amazon Web Services",
        "Google-Google.Cloud": "every customer of Google Cloud",
        "Microsoft-Outlook": "every customer of Exchange Online",
    }
)


def speak(
    wanted: InboundOptions,
    lock: InboundRecipe,
    before: DeviceState,
    after: DeviceState,
    *,
    check_mode: bool,
) -> t.Iterator[Finding]:
    """The guards on a lock."""
    yield from _ranges_guards.check(wanted.ranges, "The option ranges")
    yield from _ranges_guards.check_friends(wanted.own_networks, "The option own_networks")
    yield from _about_sources(wanted, before, check_mode=check_mode)
    was, becomes = model_of(before, wanted.interfaces), model_of(after, wanted.interfaces)
    yield from _about_ways(wanted, lock, was, becomes)
    yield from _translated(wanted, becomes)
    yield from _about_zones(wanted, was, becomes)
    for way in unread.ways(becomes, wanted.port, wanted.interfaces, six=6 in wanted.versions):
        yield Finding("unread_way", WARN, way)
    for opening in openings(wanted, lock, after):
        if opening.other_vip:
            yield Finding(
                "other_way_in",
                WARN,
                f"{opening.words('would still reach')} Name it in vips as well.",
            )
        else:
            yield Finding(
                "still_open", WARN, f"After the lock, {opening.clause('would still reach')}."
            )


def about_places(wanted: InboundOptions, state: DeviceState) -> t.Iterator[Finding]:
    """The guard on servers of which the device does not tell where they are, where that would
    matter.
    """
    model = model_of(state, wanted.interfaces)
    for target in wanted.targets:
        if model.is_open(target):
            yield Finding(
                "server_not_found",
                WARN,
                f"The device does not tell behind which interface {target} is, so that every "
                "policy for it counts as one that leads there. "
                "An API user that may read network settings and routes (netgrp) leaves the others "
                "alone.",
            )


@dataclass(frozen=True)
class Opening:
    """Others than the allowed who reach a target, by one policy. `other_vip`: the virtual IP that
    leads there too, and is not locked.
    """

    target: Target
    sources: Sources
    policy: str
    other_vip: str = ""

    def clause(self, reach: str = "can reach") -> str:
        """Without a beginning and an end; `reach` is the verb of it."""
        where = f"the same server as {self.target}" if self.other_vip else str(self.target)
        by = (
            f"through the virtual IP '{self.other_vip}', by {self.policy}"
            if self.other_vip
            else f"by {self.policy}"
        )
        who = words(self.sources).replace("nearly everybody", "everybody else")
        return f"{who} {reach} {where} {by}"

    def words(self, reach: str = "can reach") -> str:
        """One sentence."""
        text = self.clause(reach)
        return f"{text[0].upper()}{text[1:]}."


def openings(wanted: InboundOptions, lock: InboundRecipe, state: DeviceState) -> list[Opening]:
    """Who gets through that nobody has named, from whatever interface: the guards and the result of
    the module come from here.
    """
    model = model_of(state)
    openings_of_lock = [
        Opening(target, admission.sources, _policy(state, admission.policy))
        for target, admission in lock.beyond(model)
    ]
    return [*openings_of_lock, *_by_other_ways(wanted, lock, model)]


def _about_sources(
    wanted: InboundOptions, state: DeviceState, *, check_mode: bool
) -> t.Iterator[Finding]:
    tables = (ADDRESS, GROUP, ADDRESS6, GROUP6)
    missing = [
        f"group '{name}'"
        for name in wanted.groups
        if not any(name in state.table(path) for path in tables)
    ]
    missing += [f"feed '{name}'" for name in wanted.feeds if name not in state.table(FEED)]
    if missing:
        # An earlier task of the same run would have made it.
        severity = WARN if check_mode else STOP
        yield Finding("missing_source", severity, f"The device has no {' and no '.join(missing)}.")
    for name in wanted.feeds:
        entries = state.table(FEED_ENTRIES).get(name)
        if entries is not None and not entries["entries"]:
            yield Finding(
                "feed_empty",
                STOP,
                f"The feed '{name}' holds no ranges on the device, so that it lets nobody through.",
            )
    known = state.table(INTERNET_SERVICE)
    for name in wanted.internet_services:
        row = known.get(name)
        if row is None:
            near = difflib.get_close_matches(name, map(str, known), n=3, cutoff=0.5)
            like = f" It has {' and '.join(near)}." if near else ""
            yield Finding(
                "missing_source", STOP, f"The device has no internet service '{name}'.{like}"
            )
            continue
        if row.get("direction") == "dst":
            yield Finding(
                "internet_service_destination",
                STOP,
                f"The internet service '{name}' holds addresses of destinations only, so that "
                "nobody would get through as its source.",
            )
        # Where the database was not downloaded, its services are there and hold nothing.
        counts = [
            row[field]
            for field in ("ip-range-number", "ip-number")
            if row.get(field) not in (None, "")
        ]
        if counts and all(str(count) == "0" for count in counts):
            yield Finding(
                "internet_service_empty",
                STOP,
                f"The internet service '{name}' holds no addresses on this device; its database "
                "may be the small one, or loaded on demand.",
            )
        if name in SHARED:
            yield Finding(
                "shared_source", WARN, f"The internet service '{name}' lets {SHARED[name]} through."
            )


def _about_ways(
    wanted: InboundOptions, lock: InboundRecipe, was: Model, becomes: Model
) -> t.Iterator[Finding]:
    own = wanted.own_networks
    shut = [
        target
        for target in wanted.targets
        if not (was.admissions(target) or becomes.admissions(target) or was.free_zones(target))
    ]
    if len(shut) == len(wanted.targets) and all(lock.allowed(target.version) for target in shut):
        # No risk that could be accepted: whoever named something else by mistake would be told that
        # all is shut.
        raise PlanError(
            f"No policy lets anybody through to {' or '.join(map(str, shut))}{_from(wanted)}, so "
            "that there is nothing to lock. Nothing was changed. Name the virtual IP, port and "
            "interfaces that policies name, or leave the firewall out of the site's description."
        )
    for target in wanted.targets:
        # A provider without IPv6 is usual, and then nobody is to come by it; one without IPv4 is a
        # mistake.
        if not lock.allowed(target.version):
            if was.admissions(target):
                severity = STOP if target.version == 4 else WARN
                yield Finding(
                    "no_source",
                    severity,
                    f"No source of IPv{target.version} is named, so that nobody would reach "
                    f"{target} any more.",
                )
        elif target in shut:
            yield Finding(
                "no_way_in", WARN, f"No policy lets anybody through to {target}{_from(wanted)}."
            )
    for target, missing in lock.lacking(becomes):
        ranges = missing.known - own
        if (ranges or missing.opaque) and becomes.admissions(target):
            yield Finding(
                "provider_shut_out",
                STOP,
                f"{words(Sources(ranges, missing.opaque))} would not get through to "
                f"{target}{_by_whom(becomes, target)}.",
            )
        # Own networks that have no way through the firewall today need none; their mail goes past
        # it.
        losing = missing.known & own & was.reached(target).known
        if losing:
            yield Finding(
                "own_networks_shut_out",
                STOP,
                f"{words(Sources(losing))} would lose the way to {target}.",
            )


def _about_zones(wanted: InboundOptions, was: Model, becomes: Model) -> t.Iterator[Finding]:
    """Who reaches a server without any policy, so that no policy stops him."""
    for zone in dict.fromkeys(zone for target in wanted.targets for zone in was.free_zones(target)):
        known = was.state.ways.interfaces
        members = sorted(known.zones[zone]) if known else []
        yield Finding(
            "intrazone",
            WARN,
            f"Between the members of the zone '{zone}' ({', '.join(members)}) traffic passes "
            "without any policy (intrazone allow), so that no lock stops it.",
        )
    unread_of = [str(target) for target in wanted.targets if becomes.zones_unread(target)]
    if unread_of:
        yield Finding("unread_way", WARN, unread.zones(unread_of))


def _translated(wanted: InboundOptions, model: Model) -> t.Iterator[Finding]:
    """Policies for the mail behind which every sender looks alike."""
    seen = dict.fromkeys(
        admission.policy for target in wanted.targets for admission in model.admissions(target)
    )
    for key in seen:
        if model.state.table(POLICY).get(key, {}).get("nat") == "enable":
            yield Finding(
                "source_translated",
                WARN,
                f"P{_policy(model.state, key)[1:]} has nat enabled: Exchange sees the firewall's "
                "own address in the place of the sender's, so that the ranges of its receive "
                "connectors decide nothing, or shut everybody out. Switch nat off there, and for a "
                "policy of this collection at the one behind it.",
            )


def _from(wanted: InboundOptions) -> str:
    return f" from {' or '.join(wanted.interfaces)}" if wanted.interfaces else ""


def _by_whom(model: Model, target: Target) -> str:
    """The policies that refuse before anybody is let through."""
    refusing = [concerned.key for concerned in model.concerned(target) if is_deny(concerned.row)]
    return f"; {_policy(model.state, refusing[0])} refuses some sources" if refusing else ""


def _by_other_ways(
    wanted: InboundOptions, lock: InboundRecipe, model: Model
) -> t.Iterator[Opening]:
    """Other virtual IPs to the same server and port."""
    behind = {
        target: model.mapped(target.vip)
        if target.vip
        else RangeSet([t.cast(Interval, target.address)])
        for target in wanted.targets
        if target.version == 4
    }
    for name in model.state.table(VIP):
        other = str(name)
        if other in wanted.vips or not model.serves(other, wanted.port):
            continue
        target = next(
            (
                wanted_target
                for wanted_target, held in behind.items()
                if not model.mapped(other).isdisjoint(held)
            ),
            None,
        )
        if target is None:
            continue
        for admission in model.admissions(Target(wanted.port, vip=other)):
            others = admission.sources.beyond(lock.allowed(4))
            if others:
                yield Opening(target, others, _policy(model.state, admission.policy), other)


def _policy(state: DeviceState, key: int | str) -> str:
    name = state.table(POLICY).get(key, {}).get("name")
    return f"policy {key} '{name}'" if name and name != key else f"policy {key}"
