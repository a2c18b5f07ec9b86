# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a FortiGate holds, as plain rows; and when two values of a row mean the same."""

from __future__ import annotations

import contextlib
import functools
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import shapes
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import (
    FortiOS,
    Key,
    Row,
    Version,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import DeviceError
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.networks import subnet
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.ways import NOT_TOLD, Ways
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError, RangeSet

ADDRESS = "firewall/address"
ADDRESS6 = "firewall/address6"
GROUP = "firewall/addrgrp"
GROUP6 = "firewall/addrgrp6"
VIP = "firewall/vip"
VIP_GROUP = "firewall/vipgrp"
POLICY = "firewall/policy"
POLICY6, POLICY46, POLICY64 = "firewall/policy6", "firewall/policy46", "firewall/policy64"
NUMBERED = (POLICY, POLICY6, POLICY46, POLICY64)
"""Tables whose key is a number."""
ELSEWHERE = (POLICY6, POLICY46, POLICY64)
"""Policies that an older FortiOS has in tables of their own: until 6.4 those of IPv6, until 7.0.1
those that translate between IPv4 and IPv6 (by the versions in the schema of the vendor's
collection; on a device unverified).
"""
SERVICE = "firewall.service/custom"
SERVICE_GROUP = "firewall.service/group"
FEED = "system/external-resource"
FEED_ENTRIES = "system/external-resource/entry-list"
INTERNET_SERVICE = "firewall/internet-service"

SHARED_NAMES = (ADDRESS, GROUP, VIP)
"""Addresses, address groups and virtual IPs share their names (FortiOS errors -163 to -165)."""

NOUNS: t.Mapping[str, str] = {
    ADDRESS: "address",
    ADDRESS6: "IPv6 address",
    GROUP: "address group",
    GROUP6: "IPv6 address group",
    VIP: "virtual IP",
    VIP_GROUP: "virtual IP group",
    POLICY: "policy",
    POLICY6: "IPv6 policy",
    POLICY46: "NAT46 policy",
    POLICY64: "NAT64 policy",
    SERVICE: "service",
    SERVICE_GROUP: "service group",
    FEED: "range feed",
    FEED_ENTRIES: "content of the range feed",
    INTERNET_SERVICE: "internet service",
}

# Fields of the answer that are about the answer.
_BOOKKEEPING = ("q_", "css-class")
_RANGE_FIELDS = frozenset({"subnet", "ip6"})
# Of tables with thousands of rows, only what is looked at.
_FIELDS: t.Mapping[str, t.Sequence[str]] = {
    INTERNET_SERVICE: ("id", "name", "direction", "ip-range-number", "ip-number")
}
# Tables that a FortiOS before these does not have, or does not use for policies; all others are on
# every one.
_SINCE: t.Mapping[str, Version] = {
    FEED: (6, 2, 0),
    POLICY6: (6, 4, 0),
    POLICY46: (7, 0, 1),
    POLICY64: (7, 0, 1),
}
# Tables that a FortiOS from these on does not have, so that it is not asked for them.
_UNTIL: t.Mapping[str, Version] = {POLICY6: (6, 4, 0), POLICY46: (7, 0, 1), POLICY64: (7, 0, 1)}
_GROUPS = (GROUP, GROUP6, VIP_GROUP, SERVICE_GROUP)


@dataclass(frozen=True)
class DeviceState:
    """The tables that were read: path → key → row, in the device's order, which for policies is the
    order of matching.

    In a row a list of references is a list of their names, everything else as the device gave it.
    The key of a policy is its number; in a simulated state a policy that does not exist yet has its
    name as key. `ways`: behind which interfaces the servers are, where the device was asked.
    """

    version: Version
    rows: t.Mapping[str, t.Mapping[Key, Row]]
    ways: Ways = NOT_TOLD

    def table(self, path: str) -> t.Mapping[Key, Row]:
        """A table; empty where it was not read or does not exist on that version."""
        return self.rows.get(path, {})

    def policy_key(self, key: Key) -> Key | None:
        """The key of the policy with this number, or with this name where `key` is a text; None
        where there is none.
        """
        policies = self.table(POLICY)
        if isinstance(key, int) or key in policies:
            return key if key in policies else None
        return self._named_policies.get(key)

    @functools.cached_property
    def memory(self) -> dict[t.Any, t.Any]:
        """What was worked out of this state, so that it is worked out once; nobody changes a
        state.
        """
        return {}

    @functools.cached_property
    def _named_policies(self) -> dict[str, Key]:
        numbers: dict[str, Key] = {}
        for number, row in self.table(POLICY).items():
            numbers.setdefault(str(row.get("name") or ""), number)
        return numbers

    def find(self, path: str, key: Key) -> tuple[Key, Row] | None:
        """The entry, with its key in this state."""
        known = self.policy_key(key) if path == POLICY else key
        row = self.table(path).get(known) if known is not None else None
        return None if row is None or known is None else (known, row)


def exists(path: str, version: Version) -> bool:
    """Whether a FortiOS may have a table; it is not asked for one that newer ones do not have."""
    return version < _UNTIL.get(path, (99, 0, 0))


def read(client: FortiOS, tables: t.Iterable[str]) -> DeviceState:
    """Read the tables, with one request for each. Raises FortiOSError."""
    rows: dict[str, dict[Key, Row]] = {}
    for path in tables:
        if client.version is not None and path in _UNTIL and client.version >= _UNTIL[path]:
            rows[path] = {}
            continue
        try:
            answered = client.table(path, fields=_FIELDS.get(path, ()))
        except DeviceError as error:
            # An older FortiOS has fewer tables; a 404 for another reason (a wrong port, a proxy)
            # must not read as an empty one.
            missing = error.status == 404 and error.enveloped and not error.refuses_us
            if not missing or (client.version or (0, 0, 0)) >= _SINCE.get(path, (0, 0, 0)):
                raise
            answered = []
        fault = next(filter(None, (_fault(path, row) for row in answered)), "")
        if fault:
            raise client.unreadable(path, fault)
        rows[path] = {_key(path, row): plain(row) for row in answered}
    return DeviceState(client.version or (0, 0, 0), rows)


def _fault(path: str, row: t.Mapping[str, t.Any]) -> str:
    noun = NOUNS.get(path, "entry")
    if path in NUMBERED:
        return shapes.fault_of_policy(noun, row)
    return shapes.fault(noun, row) or (shapes.lacks_members(noun, row) if path in _GROUPS else "")


def _key(path: str, row: t.Mapping[str, t.Any]) -> Key:
    return int(row["policyid"]) if path in NUMBERED else str(row["name"])


def plain(row: t.Mapping[str, t.Any]) -> Row:
    """A row without the device's bookkeeping, lists of references as lists of names."""
    return {
        field: _plain_value(field, value)
        for field, value in row.items()
        if not field.startswith(_BOOKKEEPING)
    }


def _plain_value(field: str, value: t.Any) -> t.Any:
    if field in shapes.LISTS and isinstance(value, str):
        return [value] if value else []
    if isinstance(value, list) and all(isinstance(item, t.Mapping) for item in value):
        # Real servers of a virtual server are no references.
        return [
            dict(item)
            if "ip" in item or field == "realservers"
            else str(
                item.get("name", item.get("id", item.get("q_origin_key", item.get("range", ""))))
            )
            for item in value
        ]
    return value


def references(names: t.Iterable[str], field: str = "") -> list[dict[str, t.Any]]:
    """Names as the device takes a list of references; tables of numbers are referred to by `id`."""
    if field.endswith("-id"):
        return [{"id": int(name)} for name in names]
    return [{"name": name} for name in names]


def outgoing(row: t.Mapping[str, t.Any]) -> Row:
    """A row as the device takes it."""
    return {
        field: references(value, field) if isinstance(value, list) else value
        for field, value in row.items()
    }


def _as_list(value: t.Any) -> list[str]:
    return sorted(map(str, value if isinstance(value, (list, tuple)) else [value] if value else []))


def same(field: str, value: t.Any, other: t.Any) -> bool:
    """Whether two values of a field mean the same: lists have no order, subnets have several texts,
    numbers may be texts.
    """
    if field == "entries":
        with contextlib.suppress(RangeError):
            return RangeSet.parse(value or []) == RangeSet.parse(other or [])
    if isinstance(value, list) or isinstance(other, list):
        return _as_list(value) == _as_list(other)
    if field in _RANGE_FIELDS:
        network, right = subnet(value), subnet(other)
        if network is not None and right is not None:
            return network == right
    return str("" if value is None else value) == str("" if other is None else other)
