# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's FortiGate from what a real one answered, and what of it the lab has no field for."""

from __future__ import annotations

import copy
import ipaddress
import re
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.fortigate import schema
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.answers import shown
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import (
    POLICY,
    Config,
    Device,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.internet_services import (
    SERVICES,
    InternetService,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.routing import PolicyRoute
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.schema import Refused
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.system import device_table
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.compare import differences
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.file import (
    FirewallReading,
    NoReading,
    Row,
)

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_ANYWHERE = ("0.0.0.0/0", "::/0")
# Of the answer, not of what it is about.
_BOOKKEEPING = re.compile(r"q_|css-class$|uuid|policyid$|obj-id$")
# What a field holds that nobody has set, whatever its kind.
_NOTHING: tuple[t.Any, ...] = (
    "",
    "0",
    0,
    "disable",
    "none",
    "0.0.0.0",
    "::",
    "0.0.0.0 0.0.0.0",
    "::/0",
    None,
    [],
    {},
)
_NAMED = 3
_FIRST_SERVICE = 9_000_000


def device_of(reading: FirewallReading, serial: str) -> tuple[Device, list[str]]:
    """The device, and what of it could not be carried. Raises NoReading."""
    if not _VERSION.fullmatch(reading.version):
        raise NoReading(f"The firewall's version, {reading.version!r}, is no version of FortiOS.")
    unknown = _unknown_services(reading)
    device = Device(
        version=f"v{reading.version}",
        serial=serial,
        vdoms=(reading.vdom,),
        services={**SERVICES, **unknown},
        future=_unknown_conditions(reading),
    )
    told = [
        f"the internet service '{name}' has no address in the lab, so that nobody is one of it."
        for name in unknown
    ]
    _system(device, reading)
    _routes(device, reading)
    config = device.configs[reading.vdom]
    for path in reading.tables:
        table = schema.TABLES.get(path)
        if table is None or table.frozen or not isinstance(reading.tables[path], list):
            continue
        try:
            table = config.table(path)
        except Refused:
            continue
        config.rows[path] = {}
        for row in reading.table(path):
            _put(config, path, table, row, told)
    for policy in config.all(POLICY).values():
        for group in policy.get("groups") or ():
            if group not in device.user_groups:
                device.user_groups.append(str(group))
    for name, entries in reading.entries.items():
        config.entries[name] = [
            str(entry.get("entry", entry) if isinstance(entry, dict) else entry)
            for entry in (entries if isinstance(entries, list) else ())
        ]
    told += answers_otherwise(device, reading)
    return device, told


def _unknown_services(reading: FirewallReading) -> dict[str, InternetService]:
    """Internet services that policies name, and the lab has no addresses of."""
    names = {
        name
        for row in reading.table(POLICY)
        for field in ("internet-service-name", "internet-service-src-name")
        for name in _plain(row.get(field) or [])
    }
    new = sorted(str(name) for name in names if name not in SERVICES)
    return {
        name: InternetService(_FIRST_SERVICE + number, "both", ())
        for number, name in enumerate(new)
    }


def _unknown_conditions(reading: FirewallReading) -> tuple[str, ...]:
    """Fields of policies that the lab's schema has not, and that somebody has set: each may be a
    condition, and counts as one that nobody knows.
    """
    known = schema.TABLES[POLICY].fields
    return tuple(
        sorted(
            {
                name
                for row in reading.table(POLICY)
                for name, value in row.items()
                if name not in known
                and not _BOOKKEEPING.match(name)
                and isinstance(value, str)
                and value not in _NOTHING
            }
        )
    )


# ------------------------------------------------------------ tables


def _plain(value: t.Any) -> t.Any:
    """A value without the bookkeeping: of a list of references the names."""
    if isinstance(value, list):
        if all(isinstance(item, dict) and "name" in item for item in value):
            return [str(item["name"]) for item in value]
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if not name.startswith("q_")}
    return value


def _put(config: Config, path: str, table: schema.Table, row: Row, told: list[str]) -> None:
    key: t.Any = row.get(table.key)
    if table.key != "name":
        if not isinstance(key, int):
            told.append(f"{path}: an entry without its number is not in the lab.")
            return
    elif not isinstance(key, str) or not key:
        told.append(f"{path}: an entry without its name is not in the lab.")
        return
    version = config.device.version
    held: Row = {table.key: key}
    for name, field in table.fields.items():
        if not field.here(version):
            continue
        held[name] = copy.copy(field.default)
        if name not in row:
            continue
        value = _plain(row[name])
        if field.refers and isinstance(value, list):
            # Not as a write is judged: what a device holds, it holds.
            held[name] = [str(item) for item in value]
            continue
        try:
            held[name] = field.take(value)
        except (Refused, ValueError, TypeError, KeyError):
            told.append(f"{path} '{key}': the lab does not take {name} as it is there.")
    config.all(path)[key] = held


# ------------------------------------------------------------ interfaces, zones, routes


def _objects(row: Row, name: str) -> list[Row]:
    held = row.get(name)
    return [item for item in held if isinstance(item, dict)] if isinstance(held, list) else []


def _system(device: Device, reading: FirewallReading) -> None:
    device.interfaces = [
        str(row["name"]) for row in reading.table("system/interface") if row.get("name")
    ]
    for row in reading.table("system/zone"):
        name = str(row.get("name"))
        device.zones[name] = [
            str(part.get("interface-name")) for part in _objects(row, "interface")
        ]
        if row.get("intrazone") == "allow":
            device.intrazone.add(name)
    old = device.version < (6, 4, 0)
    sdwan = reading.setting("system/virtual-wan-link" if old else "system/sdwan")
    if sdwan.get("status") == "enable":
        for part in _objects(sdwan, "zone") or [{"name": "virtual-wan-link"}]:
            device.sdwan[str(part.get("name"))] = []
        for part in _objects(sdwan, "members"):
            zone = str(part.get("zone") or "virtual-wan-link")
            device.sdwan.setdefault(zone, []).append(str(part.get("interface")))
    settings, saves = reading.setting("system/settings"), reading.setting("system/global")
    manager = reading.setting("system/central-management")
    modes = device.modes
    modes.ngfw = str(settings.get("ngfw-mode") or modes.ngfw)
    modes.central_nat = settings.get("central-nat") == "enable"
    modes.consolidated = settings.get("consolidated-firewall-mode") == "enable"
    modes.saves = str(saves.get("cfg-save") or modes.saves)
    revert = saves.get("cfg-revert-timeout")
    modes.revert_after = revert if isinstance(revert, int) else modes.revert_after
    if manager.get("type") not in (None, "", "none"):
        modes.manager = str(manager.get("fmg") or manager["type"]).strip('"')
    modes.manager_mode = str(manager.get("mode") or modes.manager_mode)
    modes.cluster = str(reading.setting("system/ha").get("mode") or modes.cluster)


def _network(text: t.Any) -> str:
    """``address mask`` or a prefix, as the network of that; '' for none."""
    try:
        network = ipaddress.ip_network(str(text or "").replace(" ", "/"), strict=False)
    except ValueError:
        return ""
    nowhere = int(network.network_address) == 0 and network.prefixlen in (0, 32)
    return "" if nowhere else str(network)


def _routes(device: Device, reading: FirewallReading) -> None:
    routing = device.routing
    routing.connected, routing.static, routing.policies = [], [], []
    for row in reading.table("system/interface"):
        told = row.get("ipv6")
        six: Row = told if isinstance(told, dict) else {}
        texts = [row.get("ip"), *(part.get("ip") for part in _objects(row, "secondaryip"))]
        texts += [six.get("ip6-address")]
        texts += [part.get("prefix") for part in _objects(six, "ip6-extra-addr")]
        networks = [_network(text) for text in texts]
        routing.connected += [(network, str(row["name"])) for network in networks if network]
        if row.get("status") == "down":
            routing.down.add(str(row["name"]))
    for path in ("router/static", "router/static6"):
        for row in reading.table(path):
            anywhere = _ANYWHERE[path.endswith("6")]
            network = _network(row.get("dst")) or anywhere
            sdwan = [str(part["name"]) for part in _objects(row, "sdwan-zone") if part.get("name")]
            leaves = str(row.get("device") or "")
            if not leaves and sdwan:
                members = [name for zone in sdwan for name in device.sdwan.get(zone, ())]
                leaves = members[0] if members else ""
            if leaves and row.get("status") != "disable":
                routing.static.append((network, leaves))
    for path in ("router/policy", "router/policy6"):
        for row in reading.table(path):
            for came in _objects(row, "input-device"):
                for part in _objects(row, "dst"):
                    text = part.get("subnet") or part.get("addr6")
                    network = _network(text) or (_ANYWHERE[path.endswith("6")] if text else "")
                    leaves, on = str(row.get("output-device") or ""), row.get("status")
                    if network and leaves:
                        routing.policies.append(
                            PolicyRoute(str(came.get("name")), network, leaves, on != "disable")
                        )
    _others(device, reading)
    outside = [name for network, name in routing.static if network in _ANYWHERE]
    routing.outside = outside[0] if outside else next(iter(device.interfaces), "")


def _others(device: Device, reading: FirewallReading) -> None:
    """What leads somewhere, and was not configured: by a protocol, or by DHCP."""
    for path in ("router/ipv4", "router/ipv6"):
        rows = reading.monitors.get(path)
        for row in rows if isinstance(rows, list) else ():
            text, name = str(row.get("ip_mask") or ""), str(row.get("interface") or "")
            network = text if text in _ANYWHERE else _network(text)
            known = {route[0] for route in device.routing.in_force()}
            if network and name and network not in known:
                device.routing.static.append((network, name))


# ------------------------------------------------------------ what it answers otherwise


def answers_otherwise(device: Device, reading: FirewallReading) -> list[str]:
    """A sentence for everything that the device answers otherwise than the real one."""
    told: list[str] = []
    config = device.configs[reading.vdom]
    for path, wanted in reading.tables.items():
        held = _answered(device, config, path)
        if held is None:
            if wanted:
                told.append(f"{path}: the lab has no such table.")
        elif isinstance(wanted, dict):
            told += _rows(path, [wanted], [held], key="")
        elif isinstance(wanted, list):
            table = schema.TABLES.get(path)
            own_key = "seq-num" if path.startswith("router/") else "name"
            told += _rows(path, wanted, held, key=table.key if table else own_key)
    for path, wanted in reading.monitors.items():
        if path in ("router/ipv4", "router/ipv6") and isinstance(wanted, list):
            routes = device.routing.listed(int(path[-1]))
            told += differences(path, _only_routes(wanted), _only_routes(routes))
    return told


def _answered(device: Device, config: Config, path: str) -> t.Any:
    known = device_table(device, path)
    if known is not None:
        return known
    try:
        table = config.table(path)
    except Refused:
        return None
    return [shown(table, row) for row in config.all(path).values()]


def _only_routes(rows: t.Iterable[t.Any]) -> list[Row]:
    return [
        {name: row.get(name) for name in ("ip_mask", "interface")}
        for row in rows
        if isinstance(row, dict)
    ]


def _rows(path: str, wanted: list[Row], held: list[Row], *, key: str) -> list[str]:
    """By entry where the lab has another value, by field where it has none."""
    told: list[str] = []
    unknown: dict[str, list[str]] = {}
    own = {str(row.get(key)): row for row in held} if key else {"": held[0]}
    seen = set()
    for row in wanted:
        name = str(row.get(key)) if key else ""
        label = f"{path} '{name}'" if key else path
        twin = own.get(name)
        seen.add(name)
        if twin is None:
            told.append(f"{label} is not in the lab.")
            continue
        for field, value in row.items():
            if _BOOKKEEPING.match(field):
                continue
            if field not in twin:
                if value not in _NOTHING:
                    unknown.setdefault(field, []).append(name)
            elif _comparable(value) != _comparable(twin[field]):
                told.append(
                    f"{label}: {field} is {_comparable(value)!r} there and "
                    f"{_comparable(twin[field])!r} in the lab."
                )
    told += [f"{path} '{name}' is in the lab alone." for name in own if name not in seen]
    for field, names in unknown.items():
        shown_names = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
        told.append(
            f"{path}: the lab has no field '{field}', which {len(names)} set ({shown_names})."
        )
    return told


def _comparable(value: t.Any) -> t.Any:
    plain = _plain(value)
    if isinstance(plain, (list, tuple)):
        if all(isinstance(item, str) for item in plain):
            return sorted(plain)
        return [_comparable(item) for item in plain]
    if plain in _NOTHING and not isinstance(plain, (list, dict)):
        return "" if plain is None else str(plain)
    return plain if isinstance(plain, dict) else str(plain)
