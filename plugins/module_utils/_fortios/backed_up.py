# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A FortiGate that nobody connects to: its tables are read from a backup, and nothing is written.

A backup tells what is configured and differs from the vendor's defaults. What a device is doing
(its routes, its counters, the content of feeds, the database of internet services) is not in it and
is answered as a device answers that does not tell: that is not known, and never nothing.
"""

from __future__ import annotations

import contextlib
import datetime
import pathlib
import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import backup, shapes
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import (
    FortiOS,
    Key,
    Row,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import (
    DeviceError,
    DeviceUnreachable,
)

_LONGEST = 64 << 20
# Also every one of them.
_NO_NETWORK = "0.0.0.0 0.0.0.0"
_NUMBERED = frozenset(
    {"firewall/policy", "firewall/policy6", "firewall/policy46", "firewall/policy64"}
)
_POLICY_DEFAULTS = {"status": "enable", "action": "deny"}
# By all sources a deny meets what a virtual IP has translated, unless it says otherwise, from this
# version on. Of which one before it that is first so, they differ: there a deny that does not say
# it counts as one that does not.
_MATCH_VIP_SINCE = (7, 2, 4)
# What a device answers in every row and a backup leaves out, by the vendor's CLI reference.
_DEFAULTS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "firewall/address": {"type": "ipmask"},
    "firewall/address6": {"type": "ipprefix"},
    "firewall/addrgrp": {"member": []},
    "firewall/addrgrp6": {"member": []},
    "firewall/vip": {"type": "static-nat", "portforward": "disable", "protocol": "tcp"},
    "firewall/vipgrp": {"member": []},
    "firewall.service/custom": {"protocol": "TCP/UDP/SCTP", "protocol-number": 0},
    "firewall.service/group": {"member": []},
    "system/zone": {"intrazone": "deny"},
    **dict.fromkeys(_NUMBERED, _POLICY_DEFAULTS),
}
_EVERYTHING = {
    "firewall/address": ("ipmask", "subnet", _NO_NETWORK),
    "firewall/address6": ("ipprefix", "ip6", "::/0"),
}
_SINGLE_DEFAULTS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "system/settings": {"ngfw-mode": "profile-based", "central-nat": "disable"},
    "system/global": {"cfg-save": "automatic"},
    "system/central-management": {"type": "none"},
    "system/ha": {"mode": "standalone"},
    "system/sdwan": {"status": "disable"},
    "system/virtual-wan-link": {"status": "disable"},
}
# Tables that the whole device shares; of a device with vdoms they stand before these.
_SHARED = frozenset({"system/interface", "system/global", "system/central-management", "system/ha"})
# Nobody can tell by a backup what these hold.
_NOT_HELD = ("firewall/internet-service",)
_OF_THE_NETWORK = (
    "system/interface",
    "system/zone",
    "system/sdwan",
    "system/virtual-wan-link",
    "router/",
)
# Who tells a device routes: protocols, and what they have where they are in use.
_LEARNING = (
    ("bgp", "neighbor"),
    ("bgp", "neighbor-group"),
    ("ospf", "network"),
    ("ospf", "ospf-interface"),
    ("rip", "network"),
    ("isis", "isis-interface"),
)
# How the web interface names a backup: ..._202611281012.conf, and a browser the second one of that
# name: ..._202611281012 (1).conf.
_STAMPED = re.compile(r"_(20\d\d)(\d\d)(\d\d)_?(\d\d)(\d\d)(?:\d\d)?(?: ?\(\d+\))?\D*$")


class NotInBackup(DeviceError):
    """Something that a backup does not tell."""

    def __init__(self, path: str, where: str) -> None:
        super().__init__("GET", path, status=403, where=where)
        self.args = (f"The {where} does not tell {path}. It has to be asked on the device itself.",)


class BackedUp(FortiOS):
    """One vdom of the device of a backup. Raises DeviceUnreachable where the file is none."""

    def __init__(self, path: str, *, vdom: str = "root", days: int = 30) -> None:
        super().__init__("backup", "", vdom=vdom)
        self._path = pathlib.Path(path).expanduser()
        raw = self._read()
        self.clock, self._dated = self._date()
        self._check_age(days)
        try:
            self._backup = backup.understand(raw.decode("utf-8-sig", "replace"))
        except backup.BackupError as error:
            raise self._unusable(str(error)) from None
        self.version = self._backup.version
        if vdom not in self._backup.vdoms:
            names = ", ".join(sorted(self._backup.vdoms))
            raise self._unusable(f"It has no vdom '{vdom}'; it has: {names}.")
        self._own = self._backup.vdoms[vdom]
        if not self._own.at("firewall policy").inside:
            raise self._unusable(
                f"It holds no firewall policies of the vdom '{vdom}': it was cut, or made by "
                "somebody who may not see them."
            )

    @property
    def where(self) -> str:
        return f"backup {self._path.name}"

    @property
    def as_of(self) -> str:
        """As of when it is, as a phrase."""
        host = f" of {self._backup.hostname}" if self._backup.hostname else ""
        day = t.cast("datetime.datetime", self.clock)
        return f"{day:%Y-%m-%d %H:%M} {self._dated}, by the {self.where}{host}"

    def _read(self) -> bytes:
        try:
            if self._path.stat().st_size > _LONGEST:
                raise self._unusable(f"It is larger than any backup ({_LONGEST >> 20} MB).")
            return self._path.read_bytes()
        except OSError as error:
            raise self._unusable(f"It cannot be read: {error.strerror or error}.") from None

    def _date(self) -> tuple[datetime.datetime, str]:
        """When it was made, and how that is known: a backup does not say it."""
        stamp = _STAMPED.search(self._path.name)
        with contextlib.suppress(ValueError):
            if stamp:
                year, month, day, hour, minute = map(int, stamp.groups())
                moment = datetime.datetime(
                    year, month, day, hour, minute, tzinfo=datetime.timezone.utc
                )
                return moment, "as the file is named"
        changed = datetime.datetime.fromtimestamp(self._path.stat().st_mtime, datetime.timezone.utc)
        return changed, "UTC at the latest, when the file was last changed"

    def _check_age(self, days: int) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        day = t.cast("datetime.datetime", self.clock)
        if now - day > datetime.timedelta(days=days):
            raise self._unusable(
                f"It is as of {day:%Y-%m-%d}, and older than {days} days. Take a new one."
            )
        if day - now > datetime.timedelta(days=1):
            raise self._unusable(f"It says that it is of {day:%Y-%m-%d}, which is yet to come.")

    def _unusable(self, why: str) -> DeviceUnreachable:
        return DeviceUnreachable(f"The {self.where} cannot be used. {why}")

    # ------------------------------------------------------------ what it tells

    def table(
        self, path: str, *, filters: t.Sequence[str] = (), fields: t.Sequence[str] = ()
    ) -> list[Row]:
        if filters or path.startswith(_NOT_HELD):
            raise NotInBackup(path, self.where)
        rows = [self._row(path, key, entry) for key, entry in self._section(path).inside.items()]
        if path == "system/interface":
            rows = [row for row in rows if row.get("vdom") in (None, self.vdom)]
        return rows

    def single(self, path: str) -> Row:
        if path not in _SINGLE_DEFAULTS:
            raise NotInBackup(path, self.where)
        return {**_SINGLE_DEFAULTS[path], **_fields(self._section(path))}

    def monitor(self, path: str, **query: t.Any) -> t.Any:
        routes = self._routes() if path == "router/ipv4" else None
        if routes is None:
            raise NotInBackup(f"monitor/{path}", self.where)
        return routes

    def _routes(self) -> list[Row] | None:
        """The routes of IPv4 as far as they are certain by what is configured: where nothing is
        learned of others, and the networks of two interfaces cannot overlap (which FortiOS refuses
        unless allow-subnet-overlap is set, also for an address that an interface is given). None
        where they are not.
        """
        rows: list[Row] = []
        interfaces = self.table("system/interface")
        learned = any(
            self._own.at(f"router {protocol}").at(peers).inside for protocol, peers in _LEARNING
        )
        overlap = self._section("system/settings").values.get("allow-subnet-overlap")
        if learned or overlap not in (None, ["disable"]):
            return None
        for row in interfaces:
            if row.get("status") != "down":
                own = [row.get("ip"), *(each.get("ip") for each in row.get("secondaryip") or ())]
                held = [text for text in own if text and text != _NO_NETWORK]
                rows += [{"ip_mask": text, "interface": row["name"]} for text in held]
        for entry in self._own.at("router static").inside.values():
            row = _fields(entry)
            if row.get("status") == "disable":
                continue
            if "dstaddr" in row:
                return None
            # Over SD-WAN, or into nothing, it leads to no interface: what it holds is not told.
            rows.append({"ip_mask": row.get("dst") or _NO_NETWORK, "interface": row.get("device")})
        return rows

    def _section(self, path: str) -> backup.Section:
        if (
            path.startswith(_OF_THE_NETWORK)
            and not self._backup.shared.at("system interface").inside
        ):
            # Who made it may not see the network: what is not there is not known.
            raise NotInBackup(path, self.where)
        place = self._backup.shared if path in _SHARED else self._own
        return place.at(path.replace(".", " ").replace("/", " "))

    def _row(self, path: str, key: str, entry: backup.Section) -> Row:
        row: Row = {**_DEFAULTS.get(path, {}), **_fields(entry)}
        if path in _NUMBERED:
            if row["action"] == "deny" and (self.version or (0, 0, 0)) >= _MATCH_VIP_SINCE:
                row.setdefault("match-vip", "enable")
            return {**row, "policyid": int(key) if key.isascii() and key.isdecimal() else key}
        if path == "system/zone":
            row["interface"] = [
                {"interface-name": name} for name in entry.values.get("interface", [])
            ]
        if path in _EVERYTHING:
            kind, name, value = _EVERYTHING[path]
            if row["type"] == kind:
                row.setdefault(name, value)
        return {**row, "name": key}

    # ------------------------------------------------------------ what is refused

    def _refused(self) -> DeviceUnreachable:
        return DeviceUnreachable(
            f"The {self.where} is read and never written. Nothing was changed. Run it on the "
            "device."
        )

    def create(self, path: str, row: t.Mapping[str, t.Any]) -> str:
        raise self._refused()

    def update(self, path: str, key: Key, row: t.Mapping[str, t.Any]) -> None:
        raise self._refused()

    def delete(self, path: str, key: Key) -> None:
        raise self._refused()

    def move(self, path: str, key: Key, *, before: Key) -> None:
        raise self._refused()

    def post_monitor(self, path: str, body: t.Mapping[str, t.Any]) -> t.Any:
        raise self._refused()

    @contextlib.contextmanager
    def transaction(self) -> t.Iterator[bool]:
        yield False

    def _ask(self, *_arguments: t.Any, **_named: t.Any) -> dict[str, t.Any]:
        raise self._refused()


def _fields(section: backup.Section) -> Row:
    """What a section sets, as the API would have it: lists of names, tables as lists of rows."""
    row: Row = {
        name: list(values) if name in shapes.LISTS else " ".join(values)
        for name, values in section.values.items()
    }
    for path, inner in section.inside.items():
        row[path] = (
            [{"id": key, "name": key, **_fields(entry)} for key, entry in inner.inside.items()]
            if inner.is_table
            else _fields(inner)
        )
    return row
