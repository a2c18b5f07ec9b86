# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a FortiGate's configuration (`config firewall policy`, `edit 1`, `set …`, `next`,
`end`) into the lab's device, and out of it.

Known from: public configurations and the vendor's CLI reference. What goes into the device is
checked by it as what comes over its API; what the lab does not model is an error, so that nothing
that decides about packets is left out without a word.
"""

from __future__ import annotations

import ipaddress
import shlex
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.tests.lab.fortigate import schema
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import POLICY, Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.routing import PolicyRoute

TABLES = (
    *("firewall/address", "firewall/address6", "firewall/addrgrp", "firewall/addrgrp6"),
    *(
        "firewall.service/custom",
        "firewall.service/group",
        "firewall/vip",
        "firewall/vip6",
        "firewall/vipgrp",
    ),
    POLICY,
)
"""In an order in which what is referred to comes first."""

# They name, colour, inspect or watch, and decide about no packet.
_NO_MATTER = frozenset(
    {
        *(
            "uuid",
            "color",
            "associated-interface",
            "allow-routing",
            "visibility",
            "category",
            "logtraffic-start",
        ),
        *(
            "global-label",
            "ldb-method",
            "server-type",
            "monitor",
            "persistence",
            "ssl-mode",
            "ssl-certificate",
        ),
    }
)
_NO_MATTER_TO_ROUTES = frozenset(
    {
        *(
            "alias",
            "description",
            "role",
            "allowaccess",
            "type",
            "mode",
            "vdom",
            "interface",
            "vlanid",
            "snmp-index",
        ),
        *("priority", "gateway", "distance", "weight", "comment", "cost"),
    }
)


@dataclass
class Section:
    """One `config` or one `edit`: what is set, and what is in it by its path or its key."""

    values: dict[str, list[str]] = field(default_factory=dict)
    inside: dict[str, Section] = field(default_factory=dict)


def parse(text: str) -> Section:
    """The whole text as one section. Raises ValueError for what is no configuration."""
    whole = Section()
    open_sections: list[tuple[str, Section]] = [("", whole)]
    for number, line in enumerate(_lines(text), 1):
        words = shlex.split(line)
        kind, here = open_sections[-1]
        verb, named = words[0], words[1:]
        if verb == "config" and named:
            open_sections.append(("config", here.inside.setdefault("/".join(named), Section())))
        elif verb == "edit" and named and kind == "config":
            # A table may hold several that have no number yet.
            key = named[0] if named[0] != "0" else f"0 {len(here.inside)}"
            open_sections.append(("edit", here.inside.setdefault(key, Section())))
        elif verb in ("set", "append") and named and kind:
            before = here.values.get(named[0], []) if verb == "append" else []
            here.values[named[0]] = [*before, *named[1:]]
        elif verb == "unset" and named and kind:
            here.values.pop(named[0], None)
        elif (verb, kind) in (("next", "edit"), ("end", "config")):
            open_sections.pop()
        else:
            raise ValueError(f"line {number}: {line!r} has no place here")
    if len(open_sections) > 1:
        raise ValueError("the text ends inside a section")
    return whole


def _lines(text: str) -> t.Iterator[str]:
    """The lines that say something; a text in quotes may go over several of them."""
    held = ""
    for line in text.splitlines():
        held = f"{held}\n{line}" if held else line.strip()
        if held.startswith("#"):
            held = ""
        if not held:
            continue
        try:
            shlex.split(held)
        except ValueError:
            continue
        yield held
        held = ""
    if held:
        raise ValueError("the text ends inside quotes")


# ------------------------------------------------------------ into the device


def load(device: Device, text: str, vdom: str = "root") -> None:
    """Put a configuration into a device. Raises ValueError and schema.Refused."""
    whole = parse(text)
    known = {path.replace(".", "/"): path for path in TABLES}
    loaders: dict[str, t.Callable[[Device, Section], None]] = {
        "system/interface": _interfaces,
        "system/zone": _zones,
        "system/sdwan": _sdwan,
        "system/virtual-wan-link": _sdwan,
        "router/static": _static,
        "router/policy": _policy_routes,
        "system/ha": _nothing,
        "system/global": _nothing,
    }
    unknown = set(whole.inside) - set(known) - set(loaders)
    if unknown:
        raise ValueError(f"the lab does not model {', '.join(sorted(unknown))}")
    for path, loader in loaders.items():
        if path in whole.inside:
            loader(device, whole.inside[path])
    config = device.configs[vdom]
    for name, path in known.items():
        section, table = whole.inside.get(name, Section()), config.table(path)
        for key, entry in section.inside.items():
            identity: dict[str, t.Any] = {
                table.key: int(key.split()[0]) if table.key != "name" else key
            }
            body = _row(table, entry)
            there = table.key == "name" and key in config.all(path)
            config.update(path, key, body) if there else config.create(path, {**identity, **body})


def _row(table: schema.Table, entry: Section) -> dict[str, t.Any]:
    row: dict[str, t.Any] = {}
    for name, values in entry.values.items():
        field = table.fields.get(name)
        if field is None:
            if name not in _NO_MATTER:
                raise ValueError(f"the lab does not model {name}")
        elif field.kind == "refs":
            row[name] = [{"name": value} for value in values]
        elif field.kind in ("mapped", "filter"):
            row[name] = [{"range": value} for value in values]
        else:
            row[name] = " ".join(values)
    for name, inner in entry.inside.items():
        if name not in table.fields:
            raise ValueError(f"the lab does not model {name}")
        row[name] = [
            {
                "id": int(key),
                **{field_name: " ".join(values) for field_name, values in entry.values.items()},
            }
            for key, entry in inner.inside.items()
        ]
    return row


def _known(entry: Section, *fields: str) -> dict[str, list[str]]:
    """What is set, of fields that the lab reads here."""
    unknown = set(entry.values) - set(fields) - _NO_MATTER_TO_ROUTES
    if unknown:
        raise ValueError(f"the lab does not model {', '.join(sorted(unknown))}")
    return entry.values


def _nothing(_device: Device, _section: Section) -> None:
    """A cluster is one device for packets."""


def _interfaces(device: Device, section: Section) -> None:
    device.routing.connected = []
    device.interfaces = list(section.inside)
    for name, entry in section.inside.items():
        values = _known(entry, "ip", "status", "secondary-IP")
        if "ip" in values and values.get("status") != ["down"]:
            network = ipaddress.ip_network("/".join(values["ip"]), strict=False)
            device.routing.connected.append((str(network), name))


def _zones(device: Device, section: Section) -> None:
    for name, entry in section.inside.items():
        values = _known(entry, "interface", "intrazone")
        device.zones[name] = values.get("interface", [])
        # Without a word a zone keeps its members apart.
        if values.get("intrazone") == ["allow"]:
            device.intrazone.add(name)


def _sdwan(device: Device, section: Section) -> None:
    if section.values.get("status") != ["enable"]:
        return
    for name in section.inside.get("zone", Section()).inside or {"virtual-wan-link": Section()}:
        device.sdwan[name] = []
    for entry in section.inside.get("members", Section()).inside.values():
        values = _known(entry, "interface", "zone")
        device.sdwan[values.get("zone", ["virtual-wan-link"])[0]] += values["interface"]


def _static(device: Device, section: Section) -> None:
    device.routing.static = []
    for entry in section.inside.values():
        values = _known(entry, "dst", "device", "sdwan-zone", "virtual-wan-link", "status")
        if values.get("status") == ["disable"]:
            continue
        network = str(ipaddress.ip_network("/".join(values.get("dst", ["0.0.0.0", "0.0.0.0"]))))
        zones = values.get("sdwan-zone") or (
            list(device.sdwan) if "virtual-wan-link" in values else []
        )
        ways = values.get("device") or [name for zone in zones for name in device.sdwan[zone]]
        device.routing.static += [(network, name) for name in ways]


def _policy_routes(device: Device, section: Section) -> None:
    for entry in section.inside.values():
        values = _known(entry, "input-device", "dst", "output-device", "status")
        for network in values.get("dst", ["0.0.0.0/0.0.0.0"]):
            to = str(ipaddress.ip_network(network))
            enabled = values.get("status") != ["disable"]
            device.routing.policies += [
                PolicyRoute(name, to, values["output-device"][0], enabled)
                for name in values["input-device"]
            ]


# ------------------------------------------------------------ out of the device


def show(device: Device, vdom: str = "root", *, full: bool = False) -> str:
    """The tables as text that `load` reads; `full`: with what is as it is made."""
    lines: list[str] = []
    for path in TABLES:
        table, rows = schema.TABLES[path], device.rows(vdom, path)
        if not rows or table.since > device.version:
            continue
        inner = [
            line
            for key, row in rows.items()
            for line in entry(path, key, row, full=full)
            if "unset" not in line[:9]
        ]
        lines += [
            f"config {path.replace('.', ' ').replace('/', ' ')}",
            *(f"    {line}" for line in inner),
            "end",
        ]
    return "\n".join([*lines, ""])


def entry(path: str, key: object, row: t.Mapping[str, t.Any], *, full: bool = False) -> list[str]:
    """One entry of a table, as it is stored; what is empty is unset."""
    lines = [
        line
        for name, value in row.items()
        for line in _set(schema.TABLES[path], name, value, full=full)
    ]
    return [
        f"edit {key if isinstance(key, int) else _quoted(key)}",
        *(f"    {line}" for line in lines),
        "next",
    ]


def _set(table: schema.Table, name: str, value: t.Any, *, full: bool) -> list[str]:
    field = table.fields.get(name)
    if field is None or (value == field.default and not full):
        return []
    if value in ("", [], ()):
        return [f"unset {name}"]
    if field.kind in ("mapped", "filter"):
        return [f"set {name} {' '.join(_quoted(item['range']) for item in value)}"]
    if field.kind == "servers":
        inner = []
        for item in value:
            fields = [
                f"        set {field_name} {text}"
                for field_name, text in item.items()
                if field_name != "id"
            ]
            inner += [f"    edit {item['id']}", *fields, "    next"]
        return [f"config {name}", *inner, "end"]
    if field.kind == "refs":
        return [f"set {name} {' '.join(map(_quoted, value))}"]
    return [
        f"set {name} "
        f"{value if field.kind in ('subnet', 'enum', 'int', 'ip', 'ip6') else _quoted(value)}"
    ]


def _quoted(text: object) -> str:
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
