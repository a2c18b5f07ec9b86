# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of a device that decides who gets through, as it answers it: for a lab that plays it.

Nothing is judged here. What a device has beside it, its users and its keys among it, is not asked
for.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils import _raw
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import modes
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import (
    FortiOS,
    Row,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import DeviceError
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.interfaces import (
    SDWAN_SINCE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    ADDRESS,
    ADDRESS6,
    FEED,
    GROUP,
    GROUP6,
    POLICY,
    POLICY6,
    POLICY46,
    POLICY64,
    SERVICE,
    SERVICE_GROUP,
    VIP,
    VIP_GROUP,
    exists,
)

_TABLES = (
    ADDRESS,
    ADDRESS6,
    GROUP,
    GROUP6,
    VIP,
    "firewall/vip6",
    VIP_GROUP,
    SERVICE,
    SERVICE_GROUP,
    FEED,
    POLICY6,
    POLICY46,
    POLICY64,
)
# Of what belongs to the whole device, whose tables hold its passwords, these fields and no other.
_FIELDS: t.Mapping[str, t.Sequence[str]] = {
    "system/interface": ("name", "ip", "secondaryip", "ipv6", "status"),
    "system/zone": ("name", "intrazone", "interface"),
    "router/static": ("seq-num", "status", "dst", "dstaddr", "device", "sdwan-zone", "blackhole"),
    "router/static6": ("seq-num", "status", "dst", "dstaddr", "device", "sdwan-zone", "blackhole"),
    "router/policy": (),
    "router/policy6": (),
}
_SETTINGS: t.Mapping[str, t.Sequence[str]] = {
    modes.SETTINGS: ("ngfw-mode", "central-nat", "consolidated-firewall-mode", "opmode"),
    modes.GLOBAL: ("cfg-save", "cfg-revert-timeout"),
    modes.MANAGEMENT: ("type", "mode", "fmg"),
    modes.CLUSTER: ("mode",),
}
# Under another name before 6.4.
_SDWAN = "system/sdwan"
_SDWAN_FIELDS = ("status", "zone", "members")
_MONITORS = ("router/ipv4", "router/ipv6")
_IPV6 = ("ip6-address", "ip6-extra-addr")


def whole(client: FortiOS) -> dict[str, t.Any]:
    """Tables by their paths, settings, what the monitors say, and what was not told or left out.

    Raises FortiOSError where the policies, which everything hangs on, are not told.
    """
    tables: dict[str, t.Any] = {}
    not_read: list[str] = []

    version = client.version or (0, 0, 0)
    for path in (POLICY, *_TABLES, *_FIELDS, *_SETTINGS, _SDWAN):
        try:
            # By the first answer the version is known.
            version = client.version or version
            if path == POLICY or exists(path, version):
                _take(client, path, tables)
        except DeviceError as error:
            # An older FortiOS has not all of them.
            if path == POLICY or not error.enveloped or error.status in (401, 429):
                raise
            not_read.append(_refused(path, error))
    monitors: dict[str, t.Any] = {}
    for path in _MONITORS:
        try:
            monitors[path] = client.monitor(path)
        except DeviceError as error:
            not_read.append(_refused(path, error))
    entries = {}
    for row in tables.get(FEED) or ():
        name = str(row.get("name"))
        try:
            entries[name] = client.monitor(f"{FEED}/entry-list", mkey=name)
        except DeviceError as error:
            not_read.append(_refused(f"{FEED}/entry-list of {name}", error))
    clean, left_out = _raw.kept({"tables": tables, "monitors": monitors, "entries": entries})
    return {
        "serial": client.serial,
        "version": ".".join(map(str, version)),
        "vdom": client.vdom,
        **clean,
        "not_read": not_read,
        "left_out": left_out,
    }


def _take(client: FortiOS, path: str, tables: dict[str, t.Any]) -> None:
    """Read one table, or one object."""
    if path == _SDWAN:
        version = client.version or (0, 0, 0)
        path = _SDWAN if version >= SDWAN_SINCE else "system/virtual-wan-link"
        tables[path] = _only(client.single(path), _SDWAN_FIELDS)
    elif path in _SETTINGS:
        tables[path] = _only(client.single(path), _SETTINGS[path])
    else:
        tables[path] = _rows(client, path, _FIELDS.get(path, ()))


def _refused(what: str, error: DeviceError) -> str:
    # Not by its own sentence, in which the address of the device stands.
    code = "" if error.code is None else f"error {error.code}, "
    return f"{what}: the device did not tell it ({code}HTTP {error.status})."


def _rows(client: FortiOS, path: str, fields: t.Sequence[str]) -> list[Row]:
    rows = client.table(path, fields=fields)
    # A device may answer more than it was asked for.
    return [_only(row, fields) if fields else row for row in rows]


def _only(row: Row, fields: t.Sequence[str]) -> Row:
    told = {name: row[name] for name in fields if name in row}
    six = told.get("ipv6")
    if isinstance(six, dict):
        told["ipv6"] = {name: six[name] for name in _IPV6 if name in six}
    return told
