# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the lab's FortiGate: which fields each has, from which version, and what each
takes.

Fields and versions were read in public schemas of the configuration database (the vendor's
collection and its Terraform provider), error numbers in the vendor's knowledge base and in public
clients. Not made from the collection's own tables, so that a mistake there shows.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, field

Version = tuple[int, int, int]
Row = dict[str, t.Any]

BAD_LENGTH, NOT_FOUND, TOO_MANY, DUPLICATE = -1, -3, -4, -5
BAD_IP, BAD_MASK, BAD_RANGE, BAD_FORMAT, EMPTY = -8, -9, -45, -50, -56
UNEXPECTED, TOO_LONG, IN_USE, NAME_TAKEN, BAD_INT, BAD_ENUM = -61, -72, -23, -164, -650, -651
CONFLICT = -7

_PORTS = re.compile(
    r"\d{1,5}(-\d{1,5})?(:\d{1,5}(-\d{1,5})?)?( \d{1,5}(-\d{1,5})?(:\d{1,5}(-\d{1,5})?)?)*"
)


class Refused(Exception):
    """The device refuses; `code` is FortiOS's number, `status` that of HTTP where it is not the
    usual one.
    """

    def __init__(self, code: int, text: str = "", status: int = 0) -> None:
        super().__init__(f"{code} {text}")
        self.code, self.text, self.status = code, text, status


@dataclass(frozen=True)
class Field:
    """One field: what it takes, its default, the versions that have it (the last one excluded)."""

    kind: str = "text"
    default: t.Any = ""
    longest: int = 255
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 4294967295
    refers: tuple[str, ...] = ()
    since: Version = (0, 0, 0)
    until: Version = (99, 0, 0)

    def here(self, version: Version) -> bool:
        """Whether this FortiOS has it."""
        return self.since <= version < self.until

    def take(self, value: t.Any) -> t.Any:
        """The value as it is stored. Raises Refused."""
        return getattr(self, f"_{self.kind}")(value)

    def _text(self, value: t.Any) -> str:
        text = str(value)
        if len(text) > self.longest:
            raise Refused(TOO_LONG)
        return text

    def _enum(self, value: t.Any) -> str:
        if str(value) not in self.choices:
            raise Refused(BAD_ENUM, f"{value}")
        return str(value)

    def _int(self, value: t.Any) -> int:
        try:
            number = int(value)
        except (TypeError, ValueError):
            raise Refused(BAD_FORMAT) from None
        if not self.low <= number <= self.high:
            raise Refused(BAD_INT)
        return number

    def _subnet(self, value: t.Any) -> str:
        """Whatever the form, the answer is address and mask (read in the collection's issues and in
        public clients).
        """
        text = " ".join(value) if isinstance(value, list) else str(value)
        address, _blank, mask = text.replace("/", " ").partition(" ")
        try:
            ipaddress.IPv4Address(address)
        except ValueError:
            raise Refused(BAD_IP) from None
        try:
            network = ipaddress.IPv4Network(f"{address}/{mask or 32}", strict=False)
        except ValueError:
            raise Refused(BAD_MASK) from None
        return f"{network.network_address} {network.netmask}"

    def _ip(self, value: t.Any) -> str:
        try:
            return str(ipaddress.IPv4Address(str(value)))
        except ValueError:
            raise Refused(BAD_IP) from None

    def _ip6(self, value: t.Any) -> str:
        try:
            return str(ipaddress.IPv6Network(str(value), strict=False))
        except ValueError:
            raise Refused(BAD_IP) from None

    def _ports(self, value: t.Any) -> str:
        text = str(value).strip()
        if text and not _PORTS.fullmatch(text):
            raise Refused(BAD_FORMAT)
        return text

    def _mapped(self, value: t.Any) -> list[Row]:
        ranges = (
            [str(entry["range"]) for entry in value] if isinstance(value, list) else [str(value)]
        )
        for text in ranges:
            for part in text.split("-"):
                self._ip(part)
        return [{"range": text} for text in ranges]

    def _filter(self, value: t.Any) -> list[Row]:
        return [{"range": str(entry["range"])} for entry in value]

    def _servers(self, value: t.Any) -> list[Row]:
        """The servers of a virtual server."""
        made = {"port": 0, "status": "active"}
        return [
            {"id": number, **made, **server, "ip": self._ip(server["ip"])}
            for number, server in enumerate(value, 1)
        ]

    def _refs(self, value: t.Any) -> list[str]:
        if not isinstance(value, list) or not all(
            isinstance(entry, dict) and "name" in entry for entry in value
        ):
            raise Refused(UNEXPECTED)
        names = [str(entry["name"]) for entry in value]
        if len(set(names)) != len(names):
            raise Refused(DUPLICATE)
        return names


def _choice(default: str, *others: str, **more: t.Any) -> Field:
    return Field("enum", default, choices=(default, *others), **more)


def _switch(default: str = "disable", **more: t.Any) -> Field:
    return Field("enum", default, choices=("enable", "disable"), **more)


def _refs(*tables: str, **more: t.Any) -> Field:
    return Field("refs", (), refers=tables, **more)


@dataclass(frozen=True)
class Table:
    """One table. `rivals` are the tables that its names are shared with; `frozen`: the device's
    own, which nobody writes.
    """

    key: str
    fields: t.Mapping[str, Field]
    longest: int = 79
    rivals: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    frozen: bool = False
    since: Version = (0, 0, 0)
    until: Version = (99, 0, 0)
    members: str = ""
    extra: t.Mapping[str, t.Any] = field(default_factory=dict)


_SHARED = ("firewall/address", "firewall/addrgrp", "firewall/vip", "firewall/vipgrp")
_ANY = ("firewall/address", "firewall/addrgrp", "system/external-resource")
# Profile → the versions that have it, the last one excluded.
PROFILES: t.Mapping[str, tuple[Version, Version]] = {
    **dict.fromkeys(
        ("av-profile", "ips-sensor", "ssl-ssh-profile", "application-list"), ((0, 0, 0), (99, 0, 0))
    ),
    **dict.fromkeys(
        ("profile-group", "webfilter-profile", "dnsfilter-profile"), ((0, 0, 0), (99, 0, 0))
    ),
    "spamfilter-profile": ((0, 0, 0), (6, 2, 0)),
    "emailfilter-profile": ((6, 2, 0), (99, 0, 0)),
    "file-filter-profile": ((6, 4, 0), (99, 0, 0)),
    "dlp-sensor": ((0, 0, 0), (7, 2, 0)),
    "dlp-profile": ((7, 2, 0), (99, 0, 0)),
    "virtual-patch-profile": ((7, 4, 1), (99, 0, 0)),
}
_POLICY: dict[str, Field] = {
    "name": Field(longest=35),
    "status": _switch("enable"),
    "srcintf": _refs("interface"),
    "dstintf": _refs("interface"),
    "action": _choice("deny", "accept", "ipsec"),
    "srcaddr": _refs(*_ANY),
    "dstaddr": _refs(
        "firewall/address",
        "firewall/addrgrp",
        "firewall/vip",
        "firewall/vipgrp",
        "system/external-resource",
    ),
    "srcaddr6": _refs(
        "firewall/address6", "firewall/addrgrp6", "system/external-resource", since=(6, 4, 0)
    ),
    "dstaddr6": _refs("firewall/address6", "firewall/addrgrp6", "firewall/vip6", since=(6, 4, 0)),
    "srcaddr-negate": _switch(),
    "dstaddr-negate": _switch(),
    "service": _refs("firewall.service/custom", "firewall.service/group"),
    "service-negate": _switch(),
    "schedule": Field(default="always", longest=35),
    "internet-service-src": _switch(),
    "internet-service-src-name": _refs("firewall/internet-service-name", since=(6, 4, 0)),
    "internet-service-src-negate": _switch(),
    "match-vip": _switch(),
    "network-service-src-dynamic": _refs("anything", since=(7, 2, 0)),
    "nat46": _switch(since=(7, 0, 1)),
    "nat64": _switch(since=(7, 0, 1)),
    "nat": _switch(),
    "ippool": _switch(),
    "internet-service": _switch(),
    "internet-service-name": _refs("firewall/internet-service-name", since=(6, 4, 0)),
    "internet-service-negate": _switch(),
    "srcaddr6-negate": _switch(since=(7, 2, 1)),
    "dstaddr6-negate": _switch(since=(7, 2, 1)),
    "logtraffic": _choice("utm", "all", "disable"),
    "utm-status": _switch(),
    "inspection-mode": _choice("flow", "proxy", since=(6, 2, 0)),
    "comments": Field(longest=1023),
    "groups": _refs("user/group"),
    # Conditions under which alone a policy matches.
    "users": _refs("anything"),
    "fsso-groups": _refs("anything", since=(6, 2, 0)),
    "devices": _refs("anything", until=(6, 2, 0)),
    "src-vendor-mac": _refs("anything", since=(6, 4, 0)),
    "vlan-filter": Field(),
    "tos-mask": Field(default="0x00", since=(6, 2, 0)),
    "reputation-minimum": Field("int", 0, high=5, since=(6, 2, 0)),
    "ztna-status": _switch(since=(7, 0, 0)),
    "ztna-ems-tag": _refs("anything", since=(7, 0, 0)),
    "sgt-check": _switch(since=(7, 0, 1)),
    "policy-expiry": _switch(since=(7, 2, 0)),
    "scim-groups": _refs("anything", since=(7, 6, 4)),
    "radius-mac-auth-bypass": _switch(),
    # No conditions, and yet not empty as they are made.
    "anti-replay": _switch("enable", since=(6, 2, 0)),
    "auto-asic-offload": _switch("enable"),
    "session-ttl": Field(default="0"),
    "geoip-match": _choice("physical-location", "registered-location", since=(6, 4, 0)),
    "tos": Field(default="0x00", since=(6, 2, 0)),
    "reputation-direction": _choice("destination", "source", since=(6, 2, 0)),
    "ztna-tags-match-logic": _choice("or", "and", since=(7, 2, 4)),
    "policy-expiry-date": Field(default="0000-00-00 00:00:00", since=(7, 2, 0)),
    "firewall-session-dirty": _choice("check-all", "check-new"),
    "tcp-session-without-syn": _choice("disable", "all", "data-only"),
    "diffservcode-forward": Field(default="000000"),
    "vlan-cos-fwd": Field("int", 255),
    "natip": Field(default="0.0.0.0 0.0.0.0"),
    "wanopt-detection": _choice("active", "passive", "off"),
    "profile-type": _choice("single", "group"),
    "fsso": _switch("enable", until=(6, 4, 0)),
    **{
        name: Field(longest=35, since=since, until=until)
        for name, (since, until) in PROFILES.items()
    },
}

# Policies of IPv6, and those that translate, before they were in the one table; the lab's let no
# packet through.
_APART: dict[str, Field] = {
    "name": Field(longest=35),
    "status": _switch("enable"),
    "action": _choice("deny", "accept"),
    "srcintf": _refs("interface"),
    "dstintf": _refs("interface"),
    "srcaddr": _refs("anything"),
    "dstaddr": _refs("anything"),
    "service": _refs("firewall.service/custom", "firewall.service/group"),
}

CONDITIONS = (
    *(
        "schedule",
        "groups",
        "users",
        "fsso-groups",
        "devices",
        "src-vendor-mac",
        "vlan-filter",
        "tos-mask",
    ),
    *(
        "reputation-minimum",
        "ztna-status",
        "ztna-ems-tag",
        "sgt-check",
        "policy-expiry",
        "scim-groups",
    ),
    *("radius-mac-auth-bypass",),
)
"""Fields of a policy that, other than as they are made, let it match some packets only."""

TABLES: t.Mapping[str, Table] = {
    "firewall/address": Table(
        "name",
        {
            "type": _choice(
                "ipmask", "iprange", "fqdn", "geography", "dynamic", "interface-subnet"
            ),
            "subnet": Field("subnet", "0.0.0.0 0.0.0.0"),
            "start-ip": Field("ip", "0.0.0.0"),
            "end-ip": Field("ip", "0.0.0.0"),
            "fqdn": Field(),
            "country": Field(longest=2),
            "comment": Field(),
            "color": Field("int", 0, high=32),
        },
        rivals=_SHARED,
    ),
    "firewall/addrgrp": Table(
        "name",
        {
            "member": _refs("firewall/address", "firewall/addrgrp"),
            "exclude": _switch(since=(6, 2, 0)),
            "exclude-member": _refs("firewall/address", "firewall/addrgrp", since=(6, 2, 0)),
            "comment": Field(),
            "color": Field("int", 0, high=32),
        },
        rivals=_SHARED,
        needs=("member",),
        members="member",
    ),
    "firewall/address6": Table(
        "name",
        {
            "type": _choice("ipprefix", "iprange", "fqdn", "geography", "dynamic"),
            "ip6": Field("ip6", "::/0"),
            "fqdn": Field(),
            "country": Field(longest=2),
            "comment": Field(),
        },
    ),
    "firewall/addrgrp6": Table(
        "name",
        {"member": _refs("firewall/address6", "firewall/addrgrp6"), "comment": Field()},
        needs=("member",),
        members="member",
    ),
    "firewall/vip": Table(
        "name",
        {
            "type": _choice(
                "static-nat", "load-balance", "server-load-balance", "fqdn", "access-proxy"
            ),
            "server-type": Field(),
            "mapped-addr": Field(),
            "extip": Field(),
            "extintf": Field(default="any", longest=35),
            "mappedip": Field("mapped", ()),
            "portforward": _switch(),
            "protocol": _choice("tcp", "udp", "sctp", "icmp"),
            "extport": Field("ports", "0"),
            "mappedport": Field("ports", "0"),
            "src-filter": Field("filter", ()),
            "realservers": Field("servers", ()),
            "comment": Field(),
        },
        rivals=_SHARED,
    ),
    "firewall/vip6": Table(
        "name",
        {
            "extip": Field(),
            "extintf": Field(default="any", longest=35),
            "mappedip": Field(),
            "portforward": _switch(),
            "extport": Field("ports", "0"),
            "mappedport": Field("ports", "0"),
            "src-filter": Field("filter", ()),
        },
    ),
    "firewall/vipgrp": Table(
        "name",
        {"member": _refs("firewall/vip"), "interface": Field(default="any")},
        rivals=_SHARED,
        needs=("member",),
    ),
    "firewall/policy": Table("policyid", _POLICY),
    "firewall/policy6": Table("policyid", _APART, until=(6, 4, 0)),
    "firewall/policy46": Table("policyid", _APART, until=(7, 0, 1)),
    "firewall/policy64": Table("policyid", _APART, until=(7, 0, 1)),
    "firewall.service/custom": Table(
        "name",
        {
            "protocol": _choice("TCP/UDP/SCTP", "ICMP", "ICMP6", "IP", "ALL"),
            "protocol-number": Field("int", 0, high=254),
            "tcp-portrange": Field("ports"),
            "udp-portrange": Field("ports"),
            "iprange": Field(default="0.0.0.0"),
            "fqdn": Field(),
            "app-service-type": _choice("disable", "app-id", "app-category"),
            "helper": _choice("auto", "disable", "ftp"),
            "tcp-halfclose-timer": Field("int", 0),
            "comment": Field(),
        },
    ),
    "firewall.service/group": Table(
        "name",
        {"member": _refs("firewall.service/custom", "firewall.service/group")},
        needs=("member",),
    ),
    "system/external-resource": Table(
        "name",
        {
            "type": _choice("category", "domain", "address", "malware"),
            "status": _switch("enable"),
            "resource": Field(longest=511),
            "refresh-rate": Field("int", 5, low=1, high=43200),
            "username": Field(longest=64),
            "password": Field(longest=128),
            "comments": Field(),
            "server-identity-check": _choice("none", "basic", "full", since=(7, 2, 4)),
            "update-method": _choice("feed", "push", since=(7, 2, 1)),
        },
        longest=35,
    ),
    "firewall/internet-service-name": Table(
        "name",
        {"internet-service-id": Field("int", 0), "type": _choice("default", "location")},
        frozen=True,
        since=(6, 4, 0),
    ),
    "firewall/internet-service": Table(
        "id",
        {
            "name": Field(),
            "direction": _choice("both", "src", "dst"),
            "ip-range-number": Field("int", 0),
            "ip-number": Field("int", 0),
        },
        frozen=True,
    ),
}


def longest_name(table: Table, version: Version) -> int:
    """How long a name may be: shorter before 6.2."""
    return 63 if table.longest == 79 and version < (6, 2, 0) else table.longest
