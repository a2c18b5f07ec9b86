# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fences: policies right before a wide one, which decide about one port before the wide one is
asked.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import groups
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Key, Row
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.services import (
    Match,
    Services,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    POLICY,
    SERVICE,
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired

LONGEST_NAME = 15
"""Of the name of a lock: what is made from it has to fit into the 35 characters of a policy's name
and the 79 of an address's.
"""

ENTRANCE, SERVICES, STOP = "in", "is", "stop"
INBOUND = (ENTRANCE, SERVICES, STOP)
"""The kinds of fences of a lock of the way in."""
EXIT, HELD = "out", "held"
OUTBOUND = (EXIT, HELD)
"""And those of a lock of the way out."""


def server(name: str) -> str:
    """The group of the addresses that a lock of the way in is for."""
    return f"{name}-server"


# What a fence takes over from the policy that it stands before, so that mail is inspected as it
# was.
_TAKEN_OVER = (
    "srcintf",
    "dstintf",
    "nat",
    "ippool",
    "poolname",
    "utm-status",
    "inspection-mode",
    "profile-type",
    "profile-group",
    "profile-protocol-options",
    "ips-sensor",
    "ips-voip-filter",
    "application-list",
    "dlp-sensor",
    "logtraffic",
    "traffic-shaper",
    "traffic-shaper-reverse",
)
# Which profiles there are differs by version; the device tells those that it has.
_PROFILE_END = "-profile"


def kinds_of_fences(state: DeviceState, name: str, kinds: t.Iterable[str]) -> dict[Key, set[str]]:
    """Which policies have fences of this lock, and of which kinds, told by their names."""
    policies = state.table(POLICY)
    parts: dict[Key, set[str]] = {}
    for row in policies.values():
        made = _made(row, name, kinds)
        if made and int(made[1]) in policies:
            parts.setdefault(int(made[1]), set()).add(made[2])
    return parts


def is_fence(row: Row, name: str, kinds: t.Iterable[str]) -> bool:
    """Whether a policy is a fence of the lock `name`, told by its name."""
    return bool(_made(row, name, kinds))


def _made(row: Row, name: str, kinds: t.Iterable[str]) -> re.Match[str] | None:
    pattern = rf"{re.escape(name)}-(\d+)-({'|'.join(kinds)})"
    return re.fullmatch(pattern, str(row.get("name") or "")) if groups.is_ours(row) else None


def fence(name: str, key: Key, kind: str, fields: t.Mapping[str, t.Any]) -> Desired[Key]:
    """A policy right before the policy `key`."""
    shared = {"action": "accept", "status": "enable", "schedule": "always"}
    comment = {"comments": groups.note(f"Stands before policy {key}")}
    return Desired(POLICY, f"{name}-{key}-{kind}", {**shared, **comment, **fields}, place=key)


def taken_over(row: Row) -> Row:
    """What an accepting fence has in common with the policy that it stands before."""
    return {
        field: value
        for field, value in row.items()
        if (field in _TAKEN_OVER or field.endswith(_PROFILE_END)) and value not in (None, "", [])
    }


def service(state: DeviceState, own: str, port: int) -> tuple[str, list[Desired[Key]]]:
    """A service of the device that is the port and nothing else, or `own` and the wish that makes
    it.

    Another lock's is not taken up: what a lock plans would depend on whether the other is written.
    """
    known = Services(state)
    # One for the port and an address or a host name alone would hold back nobody else.
    names = [
        str(name)
        for name, row in state.table(SERVICE).items()
        if (name == own or not groups.is_ours(row))
        and known.only({"service": [name]}, port)
        and known.matches({"service": [name]}, port) is Match.YES
    ]
    best = min(names, key=lambda name: (name != "SMTP", name)) if names else own
    if best != own:
        return best, []
    return own, [Desired(SERVICE, own, {"tcp-portrange": str(port), "comment": groups.note(None)})]
