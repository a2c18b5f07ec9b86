# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a row has the shape that the API gives it, judged at the door.

Whatever decides who gets through has to be readable: a policy whose status is neither enable nor
disable is no policy that is off. A field that is not there at all is left to the model, because
versions differ in their fields.
"""

from __future__ import annotations

import typing as t

SERVICE_FIELDS = ("name", "group", "custom", "custom-group", "id", "fortiguard")
LISTS = frozenset(
    {
        *(
            "srcintf",
            "dstintf",
            "srcaddr",
            "srcaddr6",
            "dstaddr",
            "dstaddr6",
            "service",
            "network-service-src-dynamic",
        ),
        *("member", "exclude-member", "mappedip", "src-filter", "realservers"),
        *(
            f"internet-service{six}{of}-{end}"
            for six in ("", "6")
            for of in ("", "-src")
            for end in SERVICE_FIELDS
        ),
    }
)
"""Fields that are lists of names, of ranges or of servers, in whatever table."""

_SWITCHES = frozenset(
    {
        *(
            "srcaddr-negate",
            "srcaddr6-negate",
            "dstaddr-negate",
            "dstaddr6-negate",
            "service-negate",
        ),
        *(
            f"internet-service{six}{of}{end}"
            for six in ("", "6")
            for of in ("", "-src")
            for end in ("", "-negate")
        ),
        *("match-vip", "nat", "nat46", "nat64", "exclude", "portforward"),
    }
)
_OFF = (None, "")
_NAMES_OF_ITEMS = ("name", "id", "range", "q_origin_key")
_LONGEST = 40


def fault(noun: str, row: t.Mapping[str, t.Any]) -> str:
    """What cannot be read of a row that has a name, as a phrase with its place; empty where
    everything can.
    """
    name = row.get("name")
    if not _is_name(name):
        return f"a {noun} without a name"
    return _fault(f"the {noun} '{_short(name)}'", row)


def fault_of_policy(noun: str, row: t.Mapping[str, t.Any]) -> str:
    """The same of a policy, which has a number."""
    number = row.get("policyid")
    if not _is_name(number) or not (str(number).isascii() and str(number).isdecimal()):
        return f"a {noun} without a number"
    whom = f"the {noun} {_short(number)}"
    status, action = row.get("status", "enable"), row.get("action")
    if status not in ("enable", "disable"):
        return f"{whom}, whose status is {_short(repr(status))}"
    if not isinstance(action, str) or not action:
        return f"{whom}, whose action is {_short(repr(action))}"
    for field in ("srcintf", "dstintf"):
        if status == "enable" and not row.get(field):
            return f"{whom}, whose {field} names no interface"
    return _fault(whom, row)


def _fault(whom: str, row: t.Mapping[str, t.Any]) -> str:
    for field, value in row.items():
        if field in LISTS and not _is_list(value, servers=field == "realservers"):
            return f"{whom}, whose {field} is not a list of names"
        if field in _SWITCHES and value not in _OFF and value not in ("enable", "disable"):
            return f"{whom}, whose {field} is {_short(repr(value))}"
    return ""


def lacks_members(noun: str, row: t.Mapping[str, t.Any]) -> str:
    """The phrase for a group that does not tell its members; empty where it does."""
    told = row.get("member") is not None
    return (
        ""
        if told
        else f"the {noun} '{_short(row.get('name'))}' without its list of members (member)"
    )


def _is_list(value: t.Any, *, servers: bool) -> bool:
    if value is None or isinstance(value, str):
        return True
    if not isinstance(value, list):
        return False
    if servers:
        return all(isinstance(item, t.Mapping) for item in value)
    return all(_is_item(item) for item in value)


def _is_item(item: t.Any) -> bool:
    if isinstance(item, t.Mapping):
        return any(_is_name(item.get(name)) for name in _NAMES_OF_ITEMS)
    return _is_name(item)


def _is_name(value: t.Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""


def _short(value: t.Any) -> str:
    return str(value)[:_LONGEST]
