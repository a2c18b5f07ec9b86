# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of windows_firewall_rules, and what they mean."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._host_options import (
    RUN_OPTIONS,
    TIME_LIMIT,
    WRITE_OPTIONS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError, RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.recipe import (
    DISABLE,
    KEEP,
    NARROW,
    Site,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.state import (
    file_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.values import (
    LAST_PORT,
    is_family,
    named_addresses,
)


def _texts(**more: t.Any) -> dict[str, t.Any]:
    return {"type": "list", "elements": "str", **more}


MODULE: dict[str, t.Any] = {
    "argument_spec": {
        "ports": {"type": "list", "elements": "int"},
        "remote_addresses": _texts(),
        "own_networks": _texts(default=[]),
        # Without defaults: not said is another thing than none.
        "exchange_servers": _texts(),
        "domain_controllers": _texts(),
        "ignore_programs": _texts(default=[]),
        "ports_in_use": {"type": "list", "elements": "int", "default": []},
        "method": {"type": "str", "choices": [NARROW, DISABLE], "default": NARROW},
        "other_ports": {"type": "str", "choices": [KEEP, NARROW], "default": KEEP},
        **WRITE_OPTIONS,
        **RUN_OPTIONS,
        **TIME_LIMIT,
    },
    "mutually_exclusive": [("snapshot", "ports"), ("snapshot", "remote_addresses")],
    "required_one_of": [("ports", "snapshot")],
    "required_together": [("ports", "remote_addresses")],
}

_SETS = ("remote_addresses", "own_networks", "exchange_servers", "domain_controllers")


def check(params: t.Mapping[str, t.Any]) -> list[str]:
    """What else is wrong with options that fit the spec, one sentence each."""
    problems: list[str] = []
    for option in ("ports", "ports_in_use"):
        ports = params.get(option)
        if ports is None:
            continue
        # Python takes a yes of YAML for the number 1.
        wrong = [
            str(port) for port in ports if isinstance(port, bool) or not 1 <= port <= LAST_PORT
        ]
        if wrong or (option == "ports" and not ports):
            problems.append(
                f"The option {option} must list TCP ports from 1 to {LAST_PORT}, "
                f"not {', '.join(wrong) or 'nothing'}."
            )
    odd = [
        name
        for name in params.get("ignore_programs") or []
        if file_of(str(name)) in ("", "system", "svchost.exe")
    ]
    if odd:
        problems.append(
            f"The option ignore_programs names {', '.join(map(repr, odd))}, "
            "which runs many services. Name single programs."
        )
    return [problem for problem in problems if problem]


def site(params: t.Mapping[str, t.Any]) -> Site | None:
    """Who may reach which ports by the options; None where they ask for a snapshot. Raises
    PlanError.
    """
    if not params.get("ports"):
        return None
    sets: dict[str, RangeSet | None] = {}
    problems: list[str] = []
    for option in _SETS:
        texts = params.get(option)
        try:
            sets[option] = None if texts is None else _ranges_guards.friends(texts)
        except RangeError as error:
            problems.append(f"The option {option} cannot be used as given: {error}")
    remote = sets.get("remote_addresses") or RangeSet()
    if not problems and not named_addresses(remote):
        problems.append(
            "The option remote_addresses names nobody whom a firewall could let in. "
            "A rule without addresses would let in everybody. "
            "Name the addresses that are to reach the ports; loopback always does."
        )
    if any(is_family(ranges) for ranges in sets.values() if ranges):
        problems.append("A list that names everybody locks nothing.")
    if problems:
        raise PlanError(" ".join(problems))
    return Site(
        ports=tuple(sorted(set(params["ports"]))),
        remote=remote,
        own_networks=sets["own_networks"] or RangeSet(),
        exchange_servers=sets["exchange_servers"],
        domain_controllers=sets["domain_controllers"],
        ignore_programs=frozenset(
            file_of(str(name)) for name in params.get("ignore_programs") or []
        ),
        other_ports=str(params["other_ports"]),
        method=str(params["method"]),
        in_use=frozenset(params.get("ports_in_use") or ()),
    )
