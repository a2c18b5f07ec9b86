# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Until when what a run has changed in a tenant may not be in force, from what its tasks
registered.
"""

from __future__ import annotations

import typing as t

LOCKED = "__mailedge_result_exchange_online"
WAITED = "__mailedge_tenant_in_force"
UNDONE = "__mailedge_undone_tenant"

Plain = t.Mapping[str, t.Any]


def in_force_by(result: Plain | None) -> str:
    """What a task on a tenant tells; empty where nothing is awaited."""
    tenant = (result or {}).get("tenant")
    return str(tenant.get("in_force_by") or "") if isinstance(tenant, t.Mapping) else ""


def _has_told(result: t.Any) -> bool:
    return isinstance(result, t.Mapping) and isinstance(result.get("tenant"), t.Mapping)


def _told(variables: Plain, *names: str) -> str | None:
    for name in names:
        if _has_told(variables.get(name)):
            return in_force_by(variables[name])
    return None


def awaited_by(variables: Plain, by_others: str = "") -> str:
    """Until when it is awaited, for the looks of the host with these variables; empty where nothing
    is. What the host has registered itself is the newest: it looks when it has waited. `by_others`
    is what another host of the site tells, which looks for itself.
    """
    until = _told(variables, UNDONE, WAITED, LOCKED)
    return by_others if until is None else until


def of_sites(of_hosts: t.Mapping[str, Plain], about: t.Callable[[Plain], Plain]) -> dict[str, str]:
    """Site → until when a change of its tenant was awaited when its hosts looked, as the host tells
    that has asked the tenant. `about` gives the description of a host.
    """
    sites = {}
    for variables in of_hosts.values():
        until, described = _told(variables, UNDONE, LOCKED), about(variables).get("described")
        if until and described:
            sites[str(described["site"])] = until
    return sites
