# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook is to do at a host, layer by layer, and who does what the site has once."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    DESCRIBED,
    ELSEWHERE,
    LEFT_OUT,
    MANAGED,
    NOT_LOOKED_AT,
    NOT_MANAGED,
    OFFLINE,
    Part,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host_layers import (
    HOST_LAYERS,
    HOST_PARTS,
    HYBRID,
    POSTURE,
)

NOTHING_HANDED_ON = (
    "mailedge_snapshots names nothing of this host: the run that was to hand it on has changed "
    "nothing here, or was cut before it could tell. Look with the playbook snapshots whether it "
    "has made a snapshot, and roll back by its name."
)
"""A run that is killed hands nothing on, and what an earlier one has handed on stays."""

# The way back, and what there is to go back to.
BACK = ("rollback", "snapshots")
TENANT = "exchange online"
DNS = "dns"
OF_THE_SITE = {"fortigate": "fortigate", TENANT: "exchange_online"}
"""What a site has once and keeps snapshots of beside it, by its variables' prefix."""
WAYS_IN = ("client_secret", "certificate", "managed_identity")
"""The ways to log in to a tenant, by the ends of their variables."""
BELONGS = "belongs to the whole site and is managed through"

Values = dict[str, t.Any]


@dataclass(frozen=True)
class Surroundings:
    """What a description needs beside variables: host, hosts of its site, who was selected."""

    host: str
    playbook: str
    site_hosts: tuple[str, ...] = ()
    selected: tuple[str, ...] = ()


def parts_of(values: Values, around: Surroundings) -> dict[str, Part]:
    """What the playbook is to do at this host, layer by layer."""
    if around.playbook == "refresh_ranges":
        return {"ranges": _refresh_part(values, around)}
    if around.playbook == "publish_ranges":
        return {"published ranges": _owned("The list", values["site_owner"], around)}
    if around.playbook == "probe":
        return {**_asked_tenant(values, around), **_outside_parts(values, around)}
    if around.playbook in ("discover", "selftest"):
        firewall = {"fortigate": _owned("The firewall", values["fortigate_owner"], around)}
        return {"exchange": Part(MANAGED), **(firewall if values["fortigate_host"] else {})}
    parts = {
        **_exchange_parts(values, around),
        **_host_parts(values, around),
        **_fortigate_parts(values, around),
        **_tenant_parts(values, around),
    }
    if around.playbook == OFFLINE:
        parts = {name: _offline(name, part, values) for name, part in parts.items()}
        parts["outside"] = Part(NOT_LOOKED_AT, "Nobody looks from outside for an offline report.")
    elif around.playbook not in BACK:
        parts |= _outside_parts(values, around)
    others = [
        host for host in values["site_hosts"] or around.site_hosts if host not in around.selected
    ]
    return {**parts, **{host: Part(NOT_LOOKED_AT, "It was not selected.") for host in others}}


def _offline(name: str, part: Part, values: Values) -> Part:
    """A part as far as dumps tell of it."""
    if name.startswith("fortigate") and not values["fortigate_backup"]:
        if part.how != MANAGED:
            return part
        return Part(LEFT_OUT, "mailedge_fortigate_backup names no backup of it.")
    if part.how == MANAGED and name not in HOST_PARTS and not name.startswith("fortigate"):
        return Part(LEFT_OUT, "It has to be asked itself, which an offline report does not.")
    return part


def needs_ranges(playbook: str, parts: t.Mapping[str, Part]) -> bool:
    """Whether the addresses of the provider have to be known."""
    asks_tenant = playbook == "probe" and TENANT in parts and parts[TENANT].how == MANAGED
    return asks_tenant or playbook in (*DESCRIBED, "publish_ranges")


def _outside_parts(values: Values, around: Surroundings) -> dict[str, Part]:
    """Names belong to the whole site: one of its hosts asks for them, and looks at them."""
    wanted = around.playbook == "probe"
    asks = values["domains"] and (wanted or (values["probe_sender"] and values["probe_recipient"]))
    if asks:
        names = _owned("DNS", values["site_owner"], around)
        return {DNS: names, "outside": Part(MANAGED) if values["probe_targets"] else names}
    if wanted or values["probe_targets"]:
        return {"outside": Part(MANAGED)}
    lacking = (
        "mailedge_domains is set without mailedge_probe_sender and mailedge_probe_recipient."
        if values["domains"]
        else "mailedge_probe_targets is not set, nor is mailedge_domains."
    )
    return {"outside": Part(NOT_LOOKED_AT, lacking)}


def _owned(what: str, owner: str, around: Surroundings) -> Part:
    """Something of the whole site, which one of its hosts does."""
    if owner == around.host:
        return Part(MANAGED)
    if owner in around.selected:
        return Part(ELSEWHERE, f"{what} {BELONGS} {owner}.")
    return Part(LEFT_OUT, f"{what} {BELONGS} {owner}, which was not selected.")


def _refresh_part(values: Values, around: Surroundings) -> Part:
    if not values["provider"]:
        return Part(NOT_MANAGED, "mailedge_provider is not set.")
    if not values["ranges_lock"]:
        return Part(NOT_MANAGED, "mailedge_ranges_lock is not set.")
    return _owned("The lock file", values["site_owner"], around)


def _exchange_parts(values: Values, around: Surroundings) -> dict[str, Part]:
    if not values["exchange_enabled"]:
        return {"exchange": Part(NOT_MANAGED, "mailedge_exchange_enabled is false.")}
    if around.playbook == "snapshots":
        return {"exchange": Part(MANAGED)}
    if around.playbook == "rollback":
        return {"exchange": _rolled_back("exchange", values)}
    inbound, outbound = (
        values["exchange_inbound_enabled"],
        values["exchange_outbound_enabled"] or values["exchange_send_connectors"],
    )
    parts: dict[str, Part] = {}
    if outbound:
        out = _owned("The way out", values["exchange_outbound_owner"], around)
        if out.how == LEFT_OUT:
            parts["exchange way out"] = out
    if not inbound:
        parts["exchange way in"] = Part(NOT_MANAGED, "mailedge_exchange_inbound_enabled is false.")
    if (
        inbound
        or values["exchange_receive_connectors"]
        or (outbound and values["exchange_outbound_owner"] == around.host)
    ):
        return {"exchange": Part(MANAGED), **parts}
    return parts


def _fortigate_parts(values: Values, around: Surroundings) -> dict[str, Part]:
    if not values["fortigate_enabled"]:
        return {"fortigate": Part(NOT_MANAGED)}
    part = _owned("The firewall", values["fortigate_owner"], around)
    if around.playbook == "rollback":
        back = _rolled_back("fortigate", values)
        return {"fortigate": part if back.how == MANAGED else back}
    if part.how != MANAGED or around.playbook == "snapshots":
        return {"fortigate": part}
    parts = {}
    if values["fortigate_feed"]:
        parts["fortigate feed"] = part
    if values["fortigate_inbound_enabled"]:
        parts["fortigate way in"] = part
    if values["fortigate_outbound_enabled"]:
        parts["fortigate way out"] = part
    return parts


def _tenant_parts(values: Values, around: Surroundings) -> dict[str, Part]:
    """The tenant of Exchange Online. A site that names none has none, as far as anybody knows."""
    if not values["exchange_online_enabled"]:
        named = "exchange_online_snapshot" in named_snapshots(values)
        if around.playbook == "rollback" and named:
            return {TENANT: _not_managed("exchange_online", values, around)}
        return {TENANT: Part(NOT_MANAGED)} if values["exchange_online_tenant_id"] else {}
    part = _owned("The tenant", values["exchange_online_owner"], around)
    if around.playbook == "rollback":
        back = _rolled_back("exchange_online", values)
        return {TENANT: part if back.how == MANAGED else back}
    return {TENANT: part}


def _asked_tenant(values: Values, around: Surroundings) -> dict[str, Part]:
    """The tenant where a site is looked at: who only looks may be without a login to it."""
    if not any(values[f"exchange_online_{way}"] for way in WAYS_IN):
        if not values["exchange_online_enabled"]:
            return _tenant_parts(values, around)
        ways = ", ".join(f"mailedge_exchange_online_{way}" for way in WAYS_IN)
        return {TENANT: Part(NOT_LOOKED_AT, f"None of {ways} is set, so that nobody could ask it.")}
    return _tenant_parts(values, around)


def _host_parts(values: Values, around: Surroundings) -> dict[str, Part]:
    """The layers of the server beside its connectors."""
    parts: dict[str, Part] = {}
    for layer in HOST_LAYERS[1:]:
        if not values[f"{layer.prefix}_enabled"]:
            parts[layer.name] = _not_managed(layer.prefix, values, around)
        elif around.playbook == "rollback":
            parts[layer.name] = _rolled_back(layer.prefix, values)
        else:
            parts[layer.name] = Part(MANAGED)
    if around.playbook not in BACK:
        # Nothing of them is written, so that there is no way back.
        kind = values["hybrid"].get("kind") or "none"
        parts[HYBRID] = Part(MANAGED if kind != "none" else NOT_MANAGED)
        parts[POSTURE] = Part(MANAGED if values["windows_posture_enabled"] else NOT_MANAGED)
    return parts


def _not_managed(prefix: str, values: Values, around: Surroundings) -> Part:
    """A layer that the site does not have, or has no longer."""
    if around.playbook == "rollback" and f"{prefix}_snapshot" in named_snapshots(values):
        return Part(
            LEFT_OUT,
            f"mailedge_{prefix}_snapshot is named, and the layer is not managed at "
            f"{around.host}: set mailedge_{prefix}_enabled to true for this run.",
        )
    return Part(NOT_MANAGED)


def named_snapshots(values: Values) -> list[str]:
    """The variables that name a snapshot to give back, without the collection's prefix."""
    layers = [*(layer.prefix for layer in HOST_LAYERS), *OF_THE_SITE.values()]
    return [f"{layer}_snapshot" for layer in layers if values[f"{layer}_snapshot"] is not None]


def _rolled_back(prefix: str, values: Values) -> Part:
    """What a rollback does with a layer."""
    named = named_snapshots(values)
    if values["snapshots"] and not named:
        # Done elsewhere, as far as a verdict goes: it is neither in order nor unknown.
        return Part(ELSEWHERE, NOTHING_HANDED_ON)
    if named and f"{prefix}_snapshot" not in named:
        variables = " and ".join(f"mailedge_{name}" for name in named)
        return Part(NOT_MANAGED, f"Only {variables} is named.")
    return Part(MANAGED)
