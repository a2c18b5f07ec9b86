# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of ranges as address objects and groups: which entries there shall be, with names that tell
what is in them.

IPv4 ranges are in the group that the user names, IPv6 ranges in one with `-v6` behind it: whether
the IPv6 tables share their names with the IPv4 ones is unverified. A group with more members than
`size` holds groups; a member stays in the one that it is in, so that one range more changes one
group, and not all of them.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import (
    Key,
    Row,
    Version,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    ADDRESS,
    ADDRESS6,
    GROUP,
    GROUP6,
    NOUNS,
    SHARED_NAMES,
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

MARK = "mailedge"
"""The first word of the comment of whatever this collection makes; nothing without it is ever
changed.
"""

GROUP_SIZE = 250
"""How many members a group gets. The maximum differs by model and is unverified; the device answers
-4 where it is less.
"""

LONGEST_GROUP = 24
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST = {False: 79, True: 63}
_COMMENT = f"{MARK}: made and kept by Ansible"


@dataclass(frozen=True)
class Family:
    """The tables of one family of addresses."""

    version: int
    address: str
    group: str
    suffix: str


V4 = Family(4, ADDRESS, GROUP, "")
V6 = Family(6, ADDRESS6, GROUP6, "-v6")


def check_name(name: str, *, longest: int = LONGEST_GROUP) -> None:
    """Refuse a name that FortiOS, or one of its clients, has trouble with. Raises PlanError."""
    if not _NAME.fullmatch(name) or len(name) > longest:
        raise PlanError(
            f"'{name}' cannot be the name of a group: 1 to {longest} letters, digits, dots, "
            "underscores and dashes, a letter or digit first. Nothing was changed."
        )


ALL_TABLES = (ADDRESS, GROUP, GROUP6, ADDRESS6)


def note(comment: str | None) -> str:
    """The comment of an entry of ours."""
    return f"{_COMMENT}. {comment}"[:255] if comment else _COMMENT


def tables(ranges: RangeSet) -> tuple[str, ...]:
    """Which tables have to be read: those of IPv6 addresses only where there are some, its groups
    always, for one that is left over.
    """
    return ALL_TABLES if ranges.v6 else (ADDRESS, GROUP, GROUP6)


def group_names(name: str, ranges: RangeSet) -> dict[int, str]:
    """Version of IP → the name of the group of its ranges, for those that there are."""
    return {family.version: name + family.suffix for family in (V4, V6) if _part(ranges, family)}


def wishes(
    state: DeviceState,
    name: str,
    ranges: RangeSet | None,
    *,
    size: int = GROUP_SIZE,
    comment: str = "",
) -> list[Desired[Key]]:
    """What there shall be of a group with these ranges; None: nothing. Raises PlanError where a
    name is taken by somebody else's entry.
    """
    check_name(name)
    desired: list[Desired[Key]] = []
    for family in (V4, V6):
        part = _part(ranges, family) if ranges is not None else RangeSet(())
        desired.extend(_family(state, family, name, part, size, comment))
    for wish in desired:
        if wish.options is not None:
            refuse_foreign(state, wish.table, str(wish.key))
    return desired


def _part(ranges: RangeSet, family: Family) -> RangeSet:
    return ranges.v4 if family.version == 4 else ranges.v6


def _family(
    state: DeviceState, family: Family, name: str, ranges: RangeSet, size: int, comment: str
) -> t.Iterator[Desired[Key]]:
    top = name + family.suffix
    wanted = {_member_name(name, cidr): cidr for cidr in ranges.to_cidrs()}
    _check_lengths(state.version, wanted)
    for member, cidr in wanted.items():
        yield Desired(family.address, member, _address(family, cidr))
    parts = _parts(state, family, top, list(wanted), size)
    for part, members in parts.items():
        yield Desired(
            family.group, part, {"member": members, "comment": _COMMENT} if members else None
        )
    if wanted:
        held = [part for part, members in parts.items() if members] or list(wanted)
        yield Desired(family.group, top, {"member": held, "comment": note(comment)})
    elif is_ours(state.table(family.group).get(top)):
        yield Desired(family.group, top, None)
    prefix = f"{name}-"
    for key, row in state.table(family.address).items():
        if str(key).startswith(prefix) and key not in wanted and is_ours(row):
            yield Desired(family.address, key, None)


def _parts(
    state: DeviceState, family: Family, top: str, members: list[str], size: int
) -> dict[str, list[str]]:
    """The groups within the group and their members; a member stays where it is. Empty ones are to
    be removed.
    """
    prefix = f"{top}-part-"
    held = {
        str(key): [str(member) for member in row.get("member", [])]
        for key, row in state.table(family.group).items()
        if str(key).startswith(prefix) and is_ours(row)
    }
    if len(members) <= size:
        return {part: [] for part in held}
    unplaced = set(members)
    parts: dict[str, list[str]] = {}
    for part in sorted(held):
        parts[part] = [member for member in held[part] if member in unplaced][:size]
        unplaced.difference_update(parts[part])
    waiting = [member for member in members if member in unplaced]
    number = 0
    while waiting:
        number += 1
        part = f"{prefix}{number:03}"
        room = size - len(parts.setdefault(part, []))
        parts[part].extend(waiting[:room])
        waiting = waiting[max(0, room) :]
    return parts


def _member_name(name: str, cidr: str) -> str:
    bare = cidr[: -len("/32")] if cidr.endswith("/32") and ":" not in cidr else cidr
    bare = bare[: -len("/128")] if bare.endswith("/128") else bare
    return f"{name}-{bare.replace('/', '_').replace(':', '-')}"


def _check_lengths(version: Version, names: t.Iterable[str]) -> None:
    longest = _LONGEST[version < (6, 2, 0)]
    for name in names:
        if len(name) > longest:
            raise PlanError(
                f"The address object '{name}' would have a name of more than {longest} characters, "
                "which is what this FortiOS takes. "
                "Give the group a shorter name. Nothing was changed."
            )


def _address(family: Family, cidr: str) -> Row:
    if family.version == 6:
        return {"ip6": cidr, "comment": _COMMENT}
    return {"type": "ipmask", "subnet": cidr, "comment": _COMMENT}


def is_ours(row: t.Mapping[str, t.Any] | None) -> bool:
    """Whether this collection has made the entry: its comment says so."""
    if row is None:
        return False
    return str(row.get("comment") or row.get("comments") or "").startswith(f"{MARK}:")


def refuse_foreign(state: DeviceState, table: str, name: str) -> None:
    """Refuse a name that somebody else's entry has, in this table or in one that shares its names.
    Raises PlanError.
    """
    rivals = SHARED_NAMES if table in SHARED_NAMES else (table,)
    for rival in rivals:
        row = state.table(rival).get(name)
        if row is not None and (rival != table or not is_ours(row)):
            raise PlanError(
                f"The name '{name}' is taken by the {NOUNS[rival]} of that name, which this "
                "collection has not made. Nothing was changed. "
                f"Take another name, or rename that {NOUNS[rival]}."
            )
