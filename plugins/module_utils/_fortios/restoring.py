# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollback has to know beside the entries of its snapshot.

That is whom policies let through, and whether what would be restored refers to what is not there.
"""

from __future__ import annotations

import dataclasses
import types
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import interfaces
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import (
    FortiOS,
    Key,
    Row,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import (
    Change,
    apply_all,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    ADDRESS,
    ADDRESS6,
    FEED,
    GROUP,
    GROUP6,
    NOUNS,
    POLICY,
    SERVICE,
    SERVICE_GROUP,
    VIP,
    VIP_GROUP,
    DeviceState,
    read,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action

# Whatever decides who gets through.
_TABLES = (POLICY, VIP, VIP_GROUP, ADDRESS, GROUP, ADDRESS6, GROUP6, SERVICE, SERVICE_GROUP, FEED)

_SOURCES, _MEMBERS = (
    (ADDRESS, GROUP, FEED),
    {"member": (ADDRESS, GROUP), "exclude-member": (ADDRESS, GROUP)},
)
_SERVICES = (SERVICE, SERVICE_GROUP)
# Table → field → the tables that it refers to. Virtual IPs for IPv6 are not read, so that a
# destination of IPv6 is left out.
_REFERENCES: t.Mapping[str, t.Mapping[str, t.Sequence[str]]] = types.MappingProxyType(
    {
        POLICY: {
            "srcaddr": _SOURCES,
            "dstaddr": (*_SOURCES, VIP, VIP_GROUP),
            "srcaddr6": (ADDRESS6, GROUP6, FEED),
            "service": _SERVICES,
        },
        GROUP: _MEMBERS,
        GROUP6: {"member": (ADDRESS6, GROUP6), "exclude-member": (ADDRESS6, GROUP6)},
        SERVICE_GROUP: {"member": _SERVICES},
    }
)
_INTERFACES = ("srcintf", "dstintf")


def is_wanted(changes: t.Iterable[Change]) -> bool:
    """Whether somebody could lose or gain a way by the changes, or they refer to something."""
    return any(
        change.table == POLICY
        or change.action == Action.MODIFY
        or (change.action == Action.CREATE and change.table in _REFERENCES)
        for change in changes
    )


def whole(client: FortiOS, state: DeviceState) -> DeviceState:
    """The state with all tables that decide who gets through: one request for each that was not
    read. Raises FortiOSError.
    """
    more = read(client, [path for path in _TABLES if path not in state.rows])
    return dataclasses.replace(state, rows={**state.rows, **more.rows})


def missing(client: FortiOS, before: DeviceState, steps: t.Sequence[Change]) -> list[str]:
    """What the steps would refer to that is not there, a phrase for each entry. `before` is whole.
    Raises FortiOSError.
    """
    after = apply_all(steps, before)
    missing_of: dict[tuple[str, Key], list[str]] = {}
    for step in steps:
        there = after.find(step.table, step.key)
        if there is None or step.action == Action.REMOVE:
            continue
        for field, tables in _REFERENCES.get(step.table, {}).items():
            for name in step.after.get(field) or ():
                if not any(name in after.table(path) for path in tables):
                    missing_of.setdefault((step.table, step.key), []).append(f"'{name}' ({field})")
    for key, names in _interfaces(client, before, steps).items():
        missing_of.setdefault((POLICY, key), []).extend(names)
    return [
        f"the {NOUNS[table]} '{key}' to {' and '.join(dict.fromkeys(names))}"
        for (table, key), names in missing_of.items()
    ]


def _interfaces(
    client: FortiOS, before: DeviceState, steps: t.Iterable[Change]
) -> dict[Key, list[str]]:
    """The interfaces that policies would name and that the device does not have. Those of its
    policies it has, so that there is seldom something to ask.
    """
    policies = before.table(POLICY).values()
    known = {"any", *(name for row in policies for name in _named(row))}
    doubtful = {
        step.key: names
        for step in steps
        if step.table == POLICY
        and (names := [name for name in _named(step.after) if name not in known])
    }
    if not doubtful:
        return {}
    there = interfaces.read(client, before.version)
    return {
        key: [f"the interface '{name}'" for name in gone]
        for key, names in doubtful.items()
        if (gone := [name for name in names if name not in there.names and name not in there.zones])
    }


def _named(row: t.Mapping[str, t.Any] | Row) -> list[str]:
    return [str(name) for field in _INTERFACES for name in row.get(field) or ()]
