# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to the port that could lead to the server and that this collection does not read."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import virtual
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import ALL
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Key, Row
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import Model, is_deny
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.services import covers
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    ADDRESS6,
    ELSEWHERE,
    GROUP6,
    NOUNS,
    POLICY,
    POLICY6,
    VIP,
    VIP_GROUP,
)

_ANY = "any"
_TRANSLATING = {"nat64": "from IPv6 to IPv4", "nat46": "from IPv4 to IPv6"}


def ways(model: Model, port: int, interfaces: t.Collection[str], *, six: bool) -> t.Iterator[str]:
    """One sentence for each. `six`: whether there is a target of IPv6, so that its addresses were
    read.
    """
    state = model.state
    named: set[str] = set()
    for key, row in state.table(POLICY).items():
        if (
            is_deny(row)
            or row.get("status", "enable") != "enable"
            or not _comes_from(row, interfaces)
        ):
            continue
        for name in map(str, row.get("dstaddr") or ()):
            named.update(map(str, state.table(VIP_GROUP).get(name, {}).get("member") or [name]))
        if not model.services.matches(row, port):
            continue
        title = str(row.get("name") or "")
        shown = f"Policy {key}{f' {title!r}' if title and title != key else ''}"
        for field, how in _TRANSLATING.items():
            if row.get(field) == "enable":
                yield f"{shown} translates {how} ({field}); where it leads to is not read."
        others = [str(name) for name in row.get("dstaddr6") or () if name not in (ALL, "none")]
        if six:
            others = [
                name
                for name in others
                if not any(name in state.table(path) for path in (ADDRESS6, GROUP6))
            ]
            if others:
                yield (
                    f"{shown} leads to '{others[0]}' over IPv6, which may be a virtual IP; those "
                    "of IPv6 are not read."
                )
        elif others and row.get("nat64") != "enable":
            yield (
                f"{shown} leads to '{others[0]}' over IPv6, and no IPv6 address of the server is "
                "named. Name it in addresses if the server has one."
            )
    for path, key, row in _elsewhere(model, port):
        names = [str(name) for name in row.get("dstaddr") or () if name not in (ALL, "none")]
        if _comes_from(row, interfaces) and (path != POLICY6 or names):
            to = f" to '{names[0]}'" if names else ""
            yield (
                f"{_titled(path, key, row)} lets the port through{to}; where that leads to is not "
                "read, since this FortiOS has such policies in a table of their own. Narrow it by "
                "hand if it leads to the server."
            )
    for vip, row in state.table(VIP).items():
        kind = virtual.untold(row)
        if kind and str(vip) in named and covers(virtual.ports(row), port):
            yield f"The virtual IP '{vip}' is {kind}; it may lead to the server."


def zones(targets: t.Sequence[str]) -> str:
    """The sentence about targets that could be reached within a zone, where zones are not known."""
    return (
        f"The device does not tell its zones, so that it is not known who reaches "
        f"{' and '.join(targets)} without any policy (intrazone allow). Let the API user read "
        "network settings (netgrp)."
    )


def ways_out(model: Model, port: int, interfaces: t.Collection[str]) -> t.Iterator[str]:
    """One sentence for each policy of a table of its own that lets the port out."""
    for path, key, row in _elsewhere(model, port):
        if {*interfaces, _ANY} & set(map(str, row.get("dstintf") or ())):
            yield (
                f"{_titled(path, key, row)} lets port {port} out; from whom is not read, since "
                "this FortiOS has such policies in a table of their own. Narrow it by hand."
            )


def _elsewhere(model: Model, port: int) -> t.Iterator[tuple[str, Key, Row]]:
    """The policies in force of tables of their own that let the port through."""
    for path in ELSEWHERE:
        for key, row in model.state.table(path).items():
            in_force = not is_deny(row) and row.get("status", "enable") == "enable"
            if in_force and model.services.matches(row, port):
                yield path, key, row


def _titled(path: str, key: Key, row: Row) -> str:
    title = row.get("name")
    return f"The {NOUNS[path]} {key}{f' {title!r}' if title else ''}"


def _comes_from(row: Row, interfaces: t.Collection[str]) -> bool:
    return not interfaces or bool({*interfaces, _ANY} & set(map(str, row.get("srcintf") or ())))
