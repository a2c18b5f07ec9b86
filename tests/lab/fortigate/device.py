# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's FortiGate without its web server: the configuration database with what it refuses,
range feeds, the internet service database.

Known from: public clients and their tests against real devices (envelopes, error numbers, order of
policies, `policyid` 0), the vendor's knowledge base (virtual IPs and deny policies, range feeds),
the vendor's collection and its issues (fields, versions, forms of a subnet). Not modelled: renaming
an entry, IPv4 and IPv6 policies apart (before 6.4), sessions that are open already.
"""

from __future__ import annotations

import copy
import dataclasses
import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.tests.lab.fortigate import packets, schema
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.counters import Counters
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.internet_services import (
    NOWHERE,
    SERVICES,
    InternetService,
    Network,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.routing import Routing
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.schema import Refused, Row, Version
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.system import Modes
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.transactions import Transactions

Key = t.Union[str, int]
Rows = dict[Key, Row]

POLICY = "firewall/policy"
FEED = "system/external-resource"
PUSH_SINCE: Version = (7, 2, 1)
FEED_AS_SOURCE_SINCE: Version = (6, 2, 0)
MATCH_VIP_BY_DEFAULT_AFTER: Version = (7, 2, 3)
MOST_ENTRIES = 131072


@dataclass
class Config:
    """The tables of one vdom."""

    device: Device
    within: bool = False  # A transaction's draft.
    rows: dict[str, Rows] = field(default_factory=dict)
    entries: dict[str, list[str]] = field(default_factory=dict)
    revision: int = 1

    def table(self, path: str) -> schema.Table:
        table = schema.TABLES.get(path)
        if table is None or not table.since <= self.device.version < table.until:
            raise Refused(schema.NOT_FOUND, status=404)
        if path == POLICY and self.device.future:
            more = {name: schema.Field() for name in self.device.future}
            return dataclasses.replace(table, fields={**table.fields, **more})
        return table

    def all(self, path: str) -> Rows:
        return self.rows.setdefault(path, {})

    def entry(self, path: str, key: str) -> tuple[Key, Row]:
        table = self.table(path)
        known: Key = int(key) if table.key != "name" and key.isdigit() else key
        if known not in self.all(path):
            raise Refused(schema.NOT_FOUND, status=404)
        return known, self.all(path)[known]

    # ------------------------------------------------------------ writes

    def create(self, path: str, body: t.Mapping[str, t.Any]) -> Key:
        table = self._writable(path)
        rows = self.all(path)
        key: Key
        if table.key == "name":
            key = str(body.get("name") or "")
            if not key:
                raise Refused(schema.EMPTY)
            if len(key) > schema.longest_name(table, self.device.version):
                raise Refused(schema.TOO_LONG)
        else:
            try:
                key = (
                    int(body.get(table.key) or 0) or max((int(key) for key in rows), default=0) + 1
                )
            except ValueError:
                raise Refused(schema.BAD_FORMAT) from None
        if key in rows:
            raise Refused(schema.DUPLICATE)
        if any(key in self.all(rival) for rival in table.rivals if rival != path):
            raise Refused(schema.NAME_TAKEN)
        limit = self.device.limits.get(path)
        if limit is not None and len(rows) >= limit:
            raise Refused(schema.TOO_MANY)
        defaults = {
            name: copy.copy(field.default)
            for name, field in table.fields.items()
            if field.here(self.device.version)
        }
        row = self._checked(path, table, {table.key: key, **defaults}, body)
        # The name of a policy is not its key, and is taken once all the same (the CLI answers "a
        # duplicate entry already exists").
        if (
            path == POLICY
            and row["name"]
            and any(other["name"] == row["name"] for other in rows.values())
        ):
            raise Refused(schema.DUPLICATE)
        if path == POLICY and row["action"] == "deny" and "match-vip" not in body:
            row["match-vip"] = (
                "enable" if self.device.version > MATCH_VIP_BY_DEFAULT_AFTER else "disable"
            )
        rows[key] = row
        self.revision += 1
        return key

    def update(self, path: str, key: str, body: t.Mapping[str, t.Any]) -> bool:
        """Whether it changed anything."""
        table = self._writable(path)
        if table.key != "name" and key == "0":
            raise Refused(schema.UNEXPECTED, status=405)
        known, row = self.entry(path, key)
        if str(body.get(table.key, known)) != str(known):
            raise Refused(schema.UNEXPECTED, "The lab does not rename.")
        changed = self._checked(path, table, row, body)
        if changed == row:
            return False
        self.all(path)[known] = changed
        self.revision += 1
        return True

    def delete(self, path: str, key: str) -> Key:
        self._writable(path)
        known, _row = self.entry(path, key)
        if table_users := self.users(path, known):
            raise Refused(schema.IN_USE, f"used by {table_users[0]}")
        del self.all(path)[known]
        if path == FEED:
            self.entries.pop(str(known), None)
        self.revision += 1
        return known

    def move(self, path: str, key: str, *, before: str = "", after: str = "") -> None:
        self._writable(path)
        if path != POLICY or not (before or after):
            raise Refused(schema.UNEXPECTED, status=405)
        known, row = self.entry(path, key)
        place = self.entry(path, before or after)[0]
        keys = [key for key in self.all(path) if key != known]
        keys.insert(keys.index(place) + (0 if before else 1), known)
        rows = self.all(path)
        rows[known] = row
        self.rows[path] = {key: rows[key] for key in keys}
        self.revision += 1

    def push(self, commands: t.Sequence[t.Mapping[str, t.Any]]) -> None:
        """Fill range feeds as an external system does: `snapshot`, `add` or `remove` for each."""
        for command in commands:
            name, given = (
                str(command.get("name", "")),
                [str(text) for text in command.get("entries", [])],
            )
            row = self.all(FEED).get(name)
            if row is None:
                raise Refused(schema.NOT_FOUND, status=404)
            if row.get("update-method") != "push":
                raise Refused(schema.UNEXPECTED)
            held = self.entries.get(name, [])
            action = command.get("command")
            if action == "snapshot":
                new = given
            elif action == "add":
                new = [*held, *(text for text in given if text not in held)]
            elif action == "remove":
                new = [text for text in held if text not in given]
            else:
                raise Refused(schema.UNEXPECTED)
            if len(new) > MOST_ENTRIES:
                raise Refused(schema.TOO_MANY)
            # A line that is no address is left out, without a word.
            self.entries[name] = [text for text in new if packets.is_range(text)]

    # ------------------------------------------------------------ checks

    def users(self, path: str, key: Key) -> list[str]:
        """Who refers to an entry."""
        holders = []
        for other, table in schema.TABLES.items():
            fields = [name for name, field in table.fields.items() if path in field.refers]
            for holder, row in self.all(other).items() if fields else ():
                if any(key in (row.get(name) or ()) for name in fields):
                    holders.append(f"{other} {holder}")
        return holders

    def _writable(self, path: str) -> schema.Table:
        table = self.table(path)
        if table.frozen:
            raise Refused(schema.UNEXPECTED, status=405)
        return table

    def _checked(
        self, path: str, table: schema.Table, row: Row, body: t.Mapping[str, t.Any]
    ) -> Row:
        new = dict(row)
        for name, value in body.items():
            if name in (table.key, "q_origin_key", "uuid"):
                continue
            field = table.fields.get(name)
            if field is None or not field.here(self.device.version):
                raise Refused(schema.UNEXPECTED, f"{name}")
            new[name] = field.take(value)
            for reference in new[name] if field.refers else ():
                self._refer(path, str(row.get(table.key, "")), field, str(reference))
        for name in table.needs:
            if not new[name]:
                raise Refused(schema.EMPTY)
        if table.members and len(new[table.members]) > self.device.group_members:
            raise Refused(schema.TOO_MANY)
        if path == POLICY:
            self._check_policy(new, body)
        if path == FEED and new.get("update-method", "feed") == "feed" and not new["resource"]:
            raise Refused(schema.EMPTY)
        return new

    def _refer(self, path: str, key: str, field: schema.Field, name: str) -> None:
        for table in field.refers:
            if table == "interface":
                there = name in self.device.for_policies()
            elif table == "anything":
                there = True
            elif self.device.modes.central_nat and "firewall/vip" in table:
                there = False  # Policies see what is behind it.
            elif table == "user/group":
                there = name in self.device.user_groups
            elif table == FEED and self.device.version < FEED_AS_SOURCE_SINCE:
                there = False
            else:
                there = name in self.all(table)
            if there:
                if table == path and (name == key or key in self._inside(path, name)):
                    raise Refused(schema.UNEXPECTED, "A group cannot hold itself.")
                return
        # Seen so on 7.4.1, in a transaction.
        raise (
            Refused(schema.BAD_ENUM, name, status=500) if self.within else Refused(schema.NOT_FOUND)
        )

    def _inside(self, path: str, group: str) -> set[str]:
        members: set[str] = set()
        waiting = [group]
        while waiting:
            for member in self.all(path).get(waiting.pop(), {}).get("member", ()):
                if member not in members:
                    members.add(member)
                    waiting.append(member)
        return members

    def _check_policy(self, row: Row, body: t.Mapping[str, t.Any]) -> None:
        # Sources by internet service and by address exclude each other; what is switched off is
        # emptied.
        if row["internet-service-src"] == "enable":
            row["srcaddr"] = []
            if not row.get("internet-service-src-name"):
                raise Refused(schema.EMPTY)
        elif "internet-service-src-name" in row:
            row["internet-service-src-name"] = []
        if row["internet-service"] == "enable":
            row["dstaddr"], row["service"] = [], []
        if not row["srcintf"] or not row["dstintf"]:
            raise Refused(schema.EMPTY)
        if row["internet-service"] == "disable" and not row["service"]:
            raise Refused(schema.EMPTY)
        sources = row["srcaddr"] or row.get("srcaddr6") or row.get("network-service-src-dynamic")
        if row["internet-service-src"] == "disable" and not sources:
            raise Refused(schema.EMPTY)
        if row["internet-service"] == "disable" and not (row["dstaddr"] or row.get("dstaddr6")):
            raise Refused(schema.EMPTY)
        if (
            row["action"] == "accept"
            and body.get("match-vip") == "enable"
            and self.device.version >= (6, 4, 3)
        ):
            row["match-vip"] = "disable"  # Only deny policies have it since then.


class Device(Transactions):
    """One FortiGate. `limits` are maximum entries by table, `page` rows of one answer (0: all).

    What its configuration does not tell: `names` holds the addresses of host names, `countries` the
    ranges of countries, `dynamic` those of dynamic addresses, and `holds` whether a condition of a
    policy holds, by its field; where it is silent, an accept's does and a deny's does not.
    `future`: conditions of policies that no schema has yet. `zones` and `sdwan`: zone → its
    interfaces, which policies cannot name from 6.4.1; `intrazone`: the zones whose interfaces reach
    each other without a policy.
    """

    def __init__(
        self,
        *,
        version: str = "v7.4.4",
        serial: str = "FGTLAB0000000001",
        vdoms: t.Sequence[str] = ("root",),
        group_members: int = 300,
        limits: t.Mapping[str, int] | None = None,
        services: t.Mapping[str, InternetService] | None = None,
        future: t.Collection[str] = (),
    ) -> None:
        first, second, third = (int(part) for part in version.lstrip("v").split("."))
        self.version: Version = (first, second, third)
        self.serial, self.group_members = serial, group_members
        self.limits = dict(limits or {})
        self.services = dict(SERVICES if services is None else services)
        self.has_vdoms = True
        self.modes = Modes()
        self.interfaces = ["wan1", "internal", "dmz"]
        self.zones: dict[str, list[str]] = {}
        self.sdwan: dict[str, list[str]] = {}
        self.intrazone: set[str] = set()
        self.user_groups = ["staff"]
        self.names: dict[str, list[str]] = {}
        self.countries: dict[str, list[str]] = {}
        self.dynamic: dict[str, list[str]] = {}
        self.holds: dict[str, bool] = {}
        self.future = tuple(future)
        self.hits = Counters()
        self.page = 0
        self.routing = Routing()
        self.configs = {vdom: Config(self) for vdom in vdoms}
        Transactions.__init__(self)
        for config in self.configs.values():
            self._predefine(config)

    @property
    def version_text(self) -> str:
        """As the device writes it."""
        return "v" + ".".join(map(str, self.version))

    def _predefine(self, config: Config) -> None:
        config.create("firewall/address", {"name": "all", "subnet": "0.0.0.0/0"})
        config.create("firewall/address6", {"name": "all", "ip6": "::/0"})
        config.create("firewall.service/custom", {"name": "ALL", "protocol": "IP"})
        for name, ports in (
            ("SMTP", "25"),
            ("SMTPS", "465"),
            ("HTTP", "80"),
            ("HTTPS", "443"),
            ("DNS", "53"),
        ):
            config.create("firewall.service/custom", {"name": name, "tcp-portrange": ports})
        config.create(
            "firewall.service/group",
            {
                "name": "Email Access",
                "member": [{"name": name} for name in ("DNS", "SMTP", "SMTPS")],
            },
        )
        for name, service in self.services.items():
            config.all("firewall/internet-service")[service.id] = {
                "id": service.id,
                "name": name,
                "direction": service.direction,
                "ip-range-number": len(service.ranges),
                "ip-number": sum(
                    ipaddress.ip_network(text).num_addresses for text in service.ranges
                ),
            }
            config.all("firewall/internet-service-name")[name] = {
                "name": name,
                "type": "default",
                "internet-service-id": service.id,
            }
        config.revision = 1

    # ------------------------------------------------------------ for packets and tests

    def rows(self, vdom: str, path: str) -> Rows:
        """A table as it is; lists of references are lists of names."""
        return self.configs[vdom].all(path)

    def internet_service(self, name: str) -> Network:
        """The addresses of an internet service."""
        return self.services.get(name, NOWHERE)

    def zone(self, interface: str) -> str:
        """The zone or SD-WAN zone of an interface, '' for none."""
        zones = {**self.zones, **self.sdwan}
        return next((name for name, members in zones.items() if interface in members), "")

    def for_policies(self) -> list[str]:
        """What policies can name: no member of a zone, from 6.4.1."""
        plain = [
            name for name in self.interfaces if self.version < (6, 4, 1) or not self.zone(name)
        ]
        return ["any", *plain, *self.zones, *self.sdwan]

    def conditions_hold(self, policy: t.Mapping[str, t.Any]) -> bool:
        """Whether the conditions of a policy hold."""
        fields = schema.TABLES[POLICY].fields
        for name in (*schema.CONDITIONS, *self.future):
            default = fields[name].default if name in fields else ""
            value = policy.get(name, default)
            if (value or default) != default and not self.holds.get(
                name, policy["action"] != "deny"
            ):
                return False
        return True

    def route(self, address: str, interface: str = "") -> str:
        """The interface that an address is behind, for a packet that came by `interface`."""
        return self.routing.leads(address, interface)

    def feed_entries(self, vdom: str, name: str) -> list[str] | None:
        """What a range feed holds; None where there is no such feed."""
        config = self.configs[vdom]
        row = config.all(FEED).get(name)
        if row is None:
            return None
        return config.entries.get(name, []) if row["status"] == "enable" else []

    def admits(
        self, source: str, destination: str, port: int, interface: str = "", vdom: str = ""
    ) -> bool:
        """Whether the first packet of a connection gets through, from outside by default."""
        packet = packets.Packet(source, destination, port, interface or self.routing.outside)
        through, policy = packets.decide(self, packet, vdom or next(iter(self.configs)))
        self.hits.hit(policy, 6 if ":" in destination else 4)
        return through

    def seed_mail_site(
        self,
        external: str = "203.0.113.80",
        mapped: str = "10.20.1.11",
        external6: str = "",
        name: str = "",
        vdom: str = "root",
    ) -> None:
        """A server in a small office as an installer leaves it: mail and web for everybody, and
        everything outwards.

        For a site with several servers, call it for each; `name` tells their entries apart.
        """
        config = self.configs[vdom]
        end = f"-{name}" if name else ""
        forward = {
            "extip": external,
            "mappedip": [{"range": mapped}],
            "extintf": "wan1",
            "portforward": "enable",
        }
        config.create(
            "firewall/vip",
            {"name": f"VIP-mail{end}", "extport": "25", "mappedport": "25", **forward},
        )
        config.create(
            "firewall/vip",
            {"name": f"VIP-web{end}", "extport": "443", "mappedport": "443", **forward},
        )
        inwards: Row = {
            "srcintf": _refs("wan1"),
            "dstintf": _refs("internal"),
            "action": "accept",
            "srcaddr": _refs("all"),
        }
        mail: Row = {
            "name": f"Mail in{end}",
            "dstaddr": _refs(f"VIP-mail{end}"),
            "service": _refs("SMTP"),
        }
        if external6:
            config.create(
                "firewall/address6", {"name": f"mail-server-v6{end}", "ip6": f"{external6}/128"}
            )
            mail.update(srcaddr6=_refs("all"), dstaddr6=_refs(f"mail-server-v6{end}"))
        config.create(POLICY, {**inwards, **mail})
        web = {"name": f"Web in{end}", "dstaddr": _refs(f"VIP-web{end}"), "service": _refs("HTTPS")}
        config.create(POLICY, {**inwards, **web})
        if not any(row["name"] == "LAN out" for row in config.all(POLICY).values()):
            out: Row = {
                "name": "LAN out",
                "srcintf": _refs("internal"),
                "dstintf": _refs("wan1"),
                "action": "accept",
            }
            everything: Row = {
                "srcaddr": _refs("all"),
                "dstaddr": _refs("all"),
                "service": _refs("ALL"),
                "nat": "enable",
            }
            config.create(POLICY, {**out, **everything})


def _refs(*names: str) -> list[Row]:
    return [{"name": name} for name in names]
