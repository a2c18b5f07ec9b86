# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks as a play takes and registers them: a loop over the hosts that look, several looks each."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.proof import standing_for
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.control import (
    Sought,
    settled,
    silence_doubted,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.in_force import awaited
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import (
    LOOK_OPTIONS,
    PORTS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.published import (
    Place,
    mail_at,
    web_at,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import HTTPS
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import OPEN
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.web_names import (
    of_exchange,
    web_targets,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._tenant_names import is_tenant

# The variable of the loop: {from: a host of the inventory, looks: [{name, expect, options of
# mail_edge_probe}]}.
VANTAGE = "__mailedge_vantage"
EXPECTED = "closed"

Plain = t.Mapping[str, t.Any]


def taken(registered: Plain | None, in_force_by: str = "") -> list[Sought]:
    """Every look of the loop, in its order, each held against those from allowed senders.

    Where a host could not look at all, what its task said stands for each of its looks.
    `in_force_by`: until when a change of the site's tenant may not be in force; empty where none
    is awaited.
    """
    looks = [
        look._replace(result=awaited(look.result, in_force_by))
        for item in (registered or {}).get("results") or []
        for look in _of_host(item)
    ]
    return [look._replace(result=result) for look, result in zip(looks, settled(looks))]


def weighed(
    now: t.Sequence[Sought], before: t.Sequence[Sought]
) -> tuple[list[Sought], list[Sought]]:
    """The looks of a run, and those before its change, as far as they are a proof together.

    Silence is one only where something in the run shows that somebody is there. A look that is to
    find an open door needs no proof of a lock.
    """
    results, earlier = ([look.result for look in looks] for looks in (now, before))

    def doubted(look: Sought) -> Sought:
        if look.expect == OPEN:
            return look
        return look._replace(result=silence_doubted(look.result, results, earlier))

    return [doubted(look) for look in now], [doubted(look) for look in before]


def _of_host(item: Plain) -> t.Iterator[Sought]:
    results = item.get("looks") or []
    for index, look in enumerate((item.get(VANTAGE) or {}).get("looks") or [{}]):
        result: Plain = (
            results[index]
            if index < len(results)
            else {name: item.get(name) for name in ("msg", "skipped")}
        )
        derived = bool(look.get("derived"))
        yield Sought(
            str(look.get("name") or "A look"),
            str(look.get("expect") or EXPECTED),
            of_exchange(result) if derived and result.get("addresses") else result,
            bool(derived or look.get("beside")) and not look.get("counts"),
            derived,
        )


def to_take(looks: t.Iterable[Plain], before: Plain | None) -> list[dict[str, t.Any]]:
    """The option `looks` of mail_edge_probe.

    `before`: what the same host found when it looked before.
    """
    earlier = (before or {}).get("looks") or []
    asked = []
    for index, look in enumerate(looks):
        # What answered in the look before proves that this host gets out, as a control host does.
        reached = earlier[index].get("reachable_addresses") if index < len(earlier) else None
        asked.append(
            {
                "name": look["name"],
                **{option: look[option] for option in LOOK_OPTIONS if look.get(option) is not None},
                **({"reached_before": reached} if reached else {}),
            }
        )
    return asked


def at_names(
    points: t.Iterable[Plain], dns: Plain | None, front: Plain | None = None
) -> list[dict[str, t.Any]]:
    """Hosts that look, each with its looks: those that go `by_names` at the names that DNS has too.

    `dns` is the result of mail_edge_names. A look `beside` the named targets leaves out what leads
    to those, and is not taken where nothing else is left. One that is to find an open door leaves
    out the tenant's, of which one would be enough for it: its answer says nothing of the server.
    One at the web that is `derived` has web_targets(), and is not taken where there are none;
    `front` is what the firewall tells of its doors, to which one that `stands_in` has no way; one
    `at_doors` is at those that lead to port 25 and that no other look is at, a look for each port.
    """
    names = list((dns or {}).get("targets") or ())
    addresses = (dns or {}).get("target_addresses") or {}
    cloud = {address for name in names if is_tenant(name) for address in addresses.get(name) or ()}

    def leads_to(name: str) -> t.Collection[str]:
        return addresses.get(name) or [name]

    told = []
    for point in points:
        looks = []
        for look in point["looks"]:
            if look.get("derived"):
                published = [] if look.get("stands_in") else web_at(front)
                at_web = web_targets(look["targets"], dns, look.get("beside") or (), published)
                looks += [{**look, "targets": at_web}] if at_web else []
                continue
            if not look.get("by_names"):
                looks.append(look)
                continue
            beside = {str(target).lower().rstrip(".") for target in look.get("beside") or ()}
            known = beside.union(*(addresses.get(name) or () for name in beside))
            opens = look.get("expect") == OPEN
            more = [
                name
                for name in names
                if name not in beside
                and not known.issuperset(leads_to(name))
                and not (opens and (is_tenant(name) or cloud.issuperset(leads_to(name))))
            ]
            if more or not beside:
                targets = [*(look.get("targets") or ()), *more]
                looks.append({**look, "targets": list(dict.fromkeys(targets))})
        told.append({**point, "looks": looks})
    seen = {place for point in told for look in point["looks"] for place in _at(look, leads_to)}
    left: dict[int, list[str]] = {}
    for address, port in mail_at(front):
        if (address, port) not in seen:
            left.setdefault(port, []).append(address)
    return [
        {**point, "looks": [each for look in point["looks"] for each in _at_doors(look, left)]}
        for point in told
    ]


def _at(look: Plain, leads_to: t.Callable[[str], t.Collection[str]]) -> t.Iterator[Place]:
    """The published addresses and ports that a stranger's look is about."""
    if look.get("protocol") == HTTPS or look.get("expect", EXPECTED) == OPEN:
        return
    for target in look.get("targets") or ():
        for address in leads_to(target):
            port = int(look.get("port") or PORTS["smtp"])
            yield standing_for(str(look.get("stands_for") or ""), address, port)


def _at_doors(look: Plain, left: t.Mapping[int, t.Sequence[str]]) -> list[dict[str, t.Any]]:
    if not look.get("at_doors"):
        return [dict(look)]
    return [{**look, "targets": list(left[port]), "port": port} for port in sorted(left)]
