# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would go wrong with the lock of a port, told before anything is written."""

from __future__ import annotations

import difflib
import types
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.guards import STOP, WARN, Guard
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.inbound import Lock, Wanted
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import Model, Sources, Target, words
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

# Internet services that anybody can become a customer of.
SHARED: t.Mapping[str, str] = types.MappingProxyType(
    {
        "Microsoft-Azure": "every customer of Microsoft Azure, also with a virtual machine of an hour ago",
        "Amazon-AWS": "every customer of Amazon Web Services",
        "Google-Google.Cloud": "every customer of Google Cloud",
        "Microsoft-Outlook": "every customer of Exchange Online",
    }
)


def speak(
    wanted: Wanted, lock: Lock, before: DeviceState, after: DeviceState, *, check_mode: bool
) -> t.Iterator[Guard]:
    """The guards on a lock."""
    yield from guards.about_ranges(wanted.ranges, what="ranges")
    yield from _about_sources(wanted, before, check_mode=check_mode)
    was, becomes = Model(before, wanted.interfaces), Model(after, wanted.interfaces)
    yield from _about_ways(wanted, lock, was, becomes)
    everywhere = Model(after)
    for target, one in lock.beyond(everywhere):
        yield Guard(
            "still_open",
            WARN,
            f"After the lock, {words(one.sources)} would still reach {target} by {_policy(after, one.policy)}.",
        )
    yield from _about_other_ways(wanted, lock, everywhere)


def _about_sources(wanted: Wanted, state: DeviceState, *, check_mode: bool) -> t.Iterator[Guard]:
    tables = (ADDRESS, GROUP, ADDRESS6, GROUP6)
    missing = [f"group '{name}'" for name in wanted.groups if not any(name in state.table(path) for path in tables)]
    missing += [f"feed '{name}'" for name in wanted.feeds if name not in state.table(FEED)]
    if missing:
        # An earlier task of the same run would have made it.
        severity = WARN if check_mode else STOP
        yield Guard("missing_source", severity, f"The device has no {' and no '.join(missing)}.")
    for name in wanted.feeds:
        entries = state.table(FEED_ENTRIES).get(name)
        if entries is not None and not entries["entries"]:
            yield Guard(
                "feed_empty", STOP, f"The feed '{name}' holds no ranges on the device, so that it lets nobody through."
            )
    known = state.table(INTERNET_SERVICE)
    for name in wanted.internet_services:
        row = known.get(name)
        if row is None:
            near = difflib.get_close_matches(name, map(str, known), n=3, cutoff=0.5)
            like = f" It has {' and '.join(near)}." if near else ""
            yield Guard("missing_source", STOP, f"The device has no internet service '{name}'.{like}")
            continue
        if row.get("direction") == "dst":
            yield Guard(
                "internet_service_destination",
                STOP,
                f"The internet service '{name}' holds addresses of destinations only, so that nobody would get through as its source.",
            )
        # Where the database was not downloaded, its services are there and hold nothing.
        counts = [row[field] for field in ("ip-range-number", "ip-number") if row.get(field) not in (None, "")]
        if counts and not any(int(count) for count in counts):
            yield Guard(
                "internet_service_empty",
                STOP,
                f"The internet service '{name}' holds no addresses on this device; its database may be the small one, or loaded on demand.",
            )
        if name in SHARED:
            yield Guard("shared_source", WARN, f"The internet service '{name}' lets {SHARED[name]} through.")


def _about_ways(wanted: Wanted, lock: Lock, was: Model, becomes: Model) -> t.Iterator[Guard]:
    own = wanted.own_networks
    for target in wanted.targets:
        # A provider without IPv6 is usual, and then nobody is to come by it; one without IPv4 is a mistake.
        if not lock.allowed(target.version):
            if was.admissions(target):
                severity = STOP if target.version == 4 else WARN
                yield Guard(
                    "no_source",
                    severity,
                    f"No source of IPv{target.version} is named, so that nobody would reach {target} any more.",
                )
        elif not was.admissions(target) and not becomes.admissions(target):
            yield Guard(
                "no_way_in", STOP, f"No policy lets anybody through to {target}, so that there is nothing to lock."
            )
    for target, missing in lock.lacking(becomes):
        ranges = missing.known - own
        if (ranges or missing.opaque) and becomes.admissions(target):
            yield Guard(
                "provider_shut_out",
                STOP,
                f"{words(Sources(ranges, missing.opaque))} would not get through to {target}{_by_whom(becomes, target)}.",
            )
        # Own networks that have no way through the firewall today need none; their mail goes past it.
        lost = missing.known & own & was.reached(target).known
        if lost:
            yield Guard("own_networks_shut_out", STOP, f"{words(Sources(lost))} would lose the way to {target}.")


def _by_whom(model: Model, target: Target) -> str:
    """The policies that refuse before anybody is let through."""
    refusing = [key for key, row, _how in model.concerned(target) if row.get("action") != "accept"]
    return f"; {_policy(model.state, refusing[0])} refuses some sources" if refusing else ""


def _about_other_ways(wanted: Wanted, lock: Lock, model: Model) -> t.Iterator[Guard]:
    """Other virtual IPs to the same server and port."""
    behind = [model.mapped(vip) for vip in wanted.vips]
    for name in model.state.table(VIP):
        other = str(name)
        if other in wanted.vips or not model.serves(other, wanted.port):
            continue
        if all(model.mapped(other).isdisjoint(one) for one in behind):
            continue
        for one in model.admissions(Target(wanted.port, vip=other)):
            others = one.sources.beyond(lock.allowed(4))
            if others:
                yield Guard(
                    "other_way_in",
                    WARN,
                    f"The virtual IP '{other}' leads to the same server and port, where {words(others)} would still get through by "
                    f"{_policy(model.state, one.policy)}. Name it in vips as well.",
                )
                break


def _policy(state: DeviceState, key: int | str) -> str:
    name = state.table(POLICY).get(key, {}).get("name")
    return f"policy {key} '{name}'" if name and name != key else f"policy {key}"
