# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who looks at a site from where, and what must be found: from the description of the site."""

from __future__ import annotations

import types
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.publish import (
    SERVICES,
    services,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.parts import Values

Look = dict[str, t.Any]

CONTROLLER = "localhost"
_STRANGER: t.Mapping[str, t.Any] = types.MappingProxyType({"name": "a stranger on the internet"})
_AT_THE_WEB = "a stranger at the web"
# Of SMTP: said for all looks, and nothing that a look at a web could take.
_OF_SMTP = ("targets", "port", "control_host")
_FROM_WHERE = ("from", "source_address", "address_family", "allowed_ranges", "own_networks")


def unnamed(looks: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """A sentence for each of the site's looks that has no name that can be printed."""
    errors: list[str] = []
    for index, probe in enumerate(looks, 1):
        if not probe.get("name"):
            errors.append(
                f"Entry {index} of mailedge_probe_looks has no name: say in words who looks."
            )
        elif not probe["name"].isprintable():
            errors.append(
                f"Entry {index} of mailedge_probe_looks has a character in its name that cannot be "
                "printed."
            )
    return errors


def points_of(values: Values, playbook: str, *, by_names: bool) -> list[dict[str, t.Any]]:
    """The vantage points of a playbook: what an apply finds beside its targets undoes nothing, and
    a drift has read the firewall when it looks.
    """
    at_doors = playbook == "drift" and values["fortigate_enabled"]
    return vantage_points(values, by_names=by_names, beside=playbook == "apply", at_doors=at_doors)


def vantage_points(
    values: Values, *, by_names: bool = False, beside: bool = False, at_doors: bool = False
) -> list[dict[str, t.Any]]:
    """The hosts that look, each with its looks, and each look with everything that it needs.

    One task a host takes all its looks: {from, looks: [{name, expect, options of
    mail_edge_probe}]}. `by_names`: at the names that DNS has for the site as well. `beside`: in a
    look of their own where targets are named, which proves no change of a run. `at_doors`: at the
    doors of the firewall that no other look is at.
    """
    everybody = {
        "targets": values["probe_targets"],
        "port": values["probe_port"],
        "address_family": values["probe_address_family"],
        "control_host": values["probe_control_host"],
        "expect": values["probe_expect"],
    }
    hosts = values["probe_hosts"] or [CONTROLLER]
    points: dict[str, list[Look]] = {}
    described = [*(values["probe_looks"] or [_STRANGER])]
    left = _left(described, values["probe_expect"], counts=not beside) if by_names else []
    web = [*_web(values), *_derived_web(values, described, by_names=by_names, beside=beside)]
    doors = _doors(described, values["probe_expect"]) if at_doors else []
    for probe in [*described, *left, *doors, *web]:
        of_web = probe.get("protocol") == "https"
        look = {
            **{
                name: value
                for name, value in everybody.items()
                if value is not None and not (of_web and name in _OF_SMTP)
            },
            **probe,
        }
        # What DNS says comes to what is named; a look that names its own targets keeps to them.
        names = by_names and not of_web and ("targets" not in probe or probe in left)
        if values["own_networks"] and look["expect"] == "closed":
            look.setdefault("own_networks", values["own_networks"])
        if values["probe_expect"] == "any":
            look = _unjudged(look)
        named = look.pop("from", None)
        for host in [named] if named else hosts:
            several = not named and len(hosts) > 1
            name = f"{look.get('name')}, from {host}" if several else look.get("name")
            looks = points.setdefault(host, [])
            if names and beside and look.get("targets"):
                looks.append({**look, "name": name})
                extra = {"targets": [], "by_names": True, "beside": list(look["targets"])}
                looks.append({**look, "name": f"{name}, at the names in DNS", **extra})
            else:
                looks.append({**look, "name": name, **({"by_names": True} if names else {})})
    return [{"from": host, "looks": looks} for host, looks in points.items()]


def _left(described: t.Sequence[Look], expect: str, *, counts: bool) -> list[Look]:
    """The look of a stranger at the names in DNS, where each that is described keeps to its own
    targets: nobody would look at the other doors of the site. None where nothing is to be closed.

    `counts`: whether what it finds is as bad as what is found at the targets, see Sought.beside.
    """
    usual = "closed" if expect == "any" else expect
    strangers = [
        look
        for look in described
        if look.get("protocol") != "https" and look.get("expect", usual) == "closed"
    ]
    if not strangers or any("targets" not in look for look in strangers):
        return []
    # One that stands for another address looks from within.
    first = next((look for look in strangers if "stands_for" not in look), _STRANGER)
    return [
        {
            **{key: value for key, value in first.items() if key != "port"},
            "name": f"{first.get('name')}, at the names in DNS",
            "expect": "closed",
            "targets": [],
            "beside": [target for look in strangers for target in look["targets"]],
            "counts": counts,
        }
    ]


def _doors(described: t.Sequence[Look], expect: str) -> list[Look]:
    """The look of a stranger at what a firewall publishes, from where published addresses can be
    reached.
    """
    first = next(
        (
            look
            for look in described
            if look.get("protocol") != "https"
            and look.get("expect", expect) == "closed"
            and "stands_for" not in look
        ),
        None,
    )
    if first is None:
        return []
    name = f"{first.get('name')}, at the doors of the firewall"
    return [{**first, "name": name, "targets": [], "at_doors": True}]


def _unjudged(look: Look) -> Look:
    """The same look where nothing is to be found in particular: what it asks for stays."""
    paths = [*look.get("paths", ()), *look.get("closed_paths", ()), *look.get("open_paths", ())]
    rest = {key: value for key, value in look.items() if not key.endswith("paths")}
    return {**rest, **({"paths": paths} if paths else {}), "expect": "any"}


def _web(values: Values) -> list[Look]:
    """The look at the web of a site that names one. What is blocked must be refused; what is
    published is told, and measures the refusals.
    """
    return [_at_web(values, values["probe_web_targets"])] if values["probe_web_targets"] else []


def _derived_web(
    values: Values, described: t.Sequence[Look], *, by_names: bool, beside: bool
) -> list[Look]:
    """The look at the web by the names of the mail servers, from where strangers look: at what
    web_targets() makes of them. None where no look is a stranger's.
    """
    usual = "closed" if values["probe_expect"] == "any" else values["probe_expect"]
    strangers = [
        look
        for look in described
        if look.get("protocol") != "https" and look.get("expect", usual) != "open"
    ]
    named = values["probe_web_targets"]
    if not values["probe_web"] or not strangers or (named and not by_names):
        return []
    # One that stands for another address looks from within.
    first = next((look for look in strangers if "stands_for" not in look), strangers[0])
    where = {key: first[key] for key in _FROM_WHERE if first.get(key) is not None}
    look = {**_at_web(values, [] if named else values["probe_targets"]), **where}
    if named:
        look.update(name=f"{_AT_THE_WEB}, at the names in DNS", beside=list(named))
    # Nor does anybody reach published addresses where all look at something that stands for them.
    stands_in = all("stands_for" in stranger for stranger in strangers)
    return [{**look, "derived": True, "counts": not beside, "stands_in": stands_in}]


def _at_web(values: Values, targets: t.Sequence[str]) -> Look:
    look: Look = {
        "name": _AT_THE_WEB,
        "protocol": "https",
        "targets": list(targets),
        "port": values["probe_web_port"],
        "expect": "any",
    }
    if values["probe_web_control_host"]:
        look["control_host"] = values["probe_web_control_host"]
    if values["own_networks"]:
        look["own_networks"] = values["own_networks"]
    if values["iis_enabled"]:
        look.update(_paths(values))
    return look


def _paths(values: Values) -> dict[str, list[str]]:
    """The paths that the description blocks, and those that it leaves to strangers."""
    publish, blocks = values["exchange_publish"], values["iis_blocks"]
    published = services(publish) if publish or not blocks else frozenset(SERVICES)
    named = [block["path"] for block in blocks if block.get("state") != "absent"]
    closed = {SERVICES[service][0]: None for service in SERVICES if service not in published}
    closed.update(dict.fromkeys(named))
    known = {path.casefold() for path in closed}
    left = [
        SERVICES[service][0] for service in SERVICES if SERVICES[service][0].casefold() not in known
    ]
    return {"closed_paths": list(closed), "paths": left}
