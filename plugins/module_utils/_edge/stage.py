# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one layer says of its doors: who gets how far, small enough to stand in a result.

A layer is one stage on the way of a sender. Its doors name ports, and for each right the strangers
and the senders of the provider who might have it, and those who certainly do. A group is told as
`all` of it, as `some` of it where its ranges are too many to tell, or as ranges; nobody is an empty
list. What a stage leaves out nobody knows: the fold takes it for a door that might let everybody
through, and certainly nobody.
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    NOT_INTERNET,
    RangeSet,
)

STRANGERS, PROVIDER = "strangers", "provider"
GROUPS = (STRANGERS, PROVIDER)

REACH, DELIVER, RELAY = "reach", "deliver", "relay"
"""What a sender may: come further, send mail to the site without a login, send to any recipient."""

ALL, SOME = "all", "some"
Part = t.Union[str, "list[str]"]
"""The senders of a group: ALL, SOME, or their ranges."""

WEB = 443
PORTS = (25, WEB, 465, 587, 2525)
"""What is told of where a stage passes any port on, and does not know what listens behind it."""

INTERNET = EVERYTHING - NOT_INTERNET

_MOST = 12
"""So many ranges stand for themselves; more of them are SOME."""

Plain = dict[str, t.Any]


@dataclass(frozen=True)
class Groups:
    """Who is whom for a stage. A stranger is whoever comes from the internet and is not `named`."""

    named: RangeSet
    provider: RangeSet

    def of(self, group: str, families: t.Collection[int]) -> RangeSet:
        """The senders of a group."""
        named = _ranges_guards.believed(self.named)
        whole = (
            INTERNET - named - _ranges_guards.believed(self.provider)
            if group == STRANGERS
            else self.provider
        )
        return of_families(whole, families)

    def digests(self) -> dict[str, str]:
        """By what two stages see that they mean the same; without a group that a stage does not
        know.
        """
        whole = {group: self.of(group, (4, 6)) for group in GROUPS}
        return {
            group: hashlib.sha256(",".join(map(str, members.intervals)).encode()).hexdigest()[:12]
            for group, members in whole.items()
            if members
        }


@dataclass(frozen=True)
class Door:
    """One door of a stage.

    `families` of IP and `ports` that it is at; `at` the addresses, empty for every address of the
    server. `leads_to` are the addresses behind it, and `port_behind` the port there, of a stage
    that leads elsewhere. `rights`: right → (who might have it, who certainly has it). `untold`:
    whether others might have it, whose addresses nobody knows. `then`: what becomes of what is
    taken, as the end of a sentence.
    """

    families: tuple[int, ...]
    ports: tuple[int, ...]
    rights: t.Mapping[str, tuple[RangeSet, RangeSet]]
    at: tuple[str, ...] = ()
    leads_to: tuple[str, ...] = ()
    port_behind: int = 0
    name: str = ""
    untold: bool = False
    then: str = ""


def of_families(ranges: RangeSet, families: t.Collection[int]) -> RangeSet:
    """The part of some ranges that is of these families of IP."""
    four = ranges.v4 if 4 in families else RangeSet()
    return four | (ranges.v6 if 6 in families else RangeSet())


def part(senders: RangeSet, group: RangeSet) -> Part:
    """The senders of a group that are among these."""
    held = senders & group
    if held and held == group:
        return ALL
    texts = held.to_texts() if len(held.intervals) <= _MOST else []
    return SOME if held and not 0 < len(texts) <= _MOST else texts


def stage(
    name: str,
    groups: Groups,
    doors: t.Iterable[Door],
    *,
    addresses: t.Sequence[str] = (),
    complete: bool = False,
    unread: t.Sequence[str] = (),
    left_out: str = "",
) -> Plain:
    """A stage for a result.

    `addresses` are those of the server. `complete`: nobody listens at a port that no door names.
    `unread`: sentences about ways that could lead there and were not read. `left_out`: a sentence
    where there are more doors than are told, of which the fold then knows nothing.
    """
    # Who is in a group is asked for every right of every door, and is nearly always the same.
    members: dict[tuple[str, tuple[int, ...]], RangeSet] = {}

    def of(group: str, families: tuple[int, ...]) -> RangeSet:
        if (group, families) not in members:
            members[group, families] = groups.of(group, families)
        return members[group, families]

    told = [_plain(door, of) for door in doors]
    # The same answer at several ports, and over both families, is told once.
    for key in ("ports", "families"):
        told = _merged(told, key)
    whole: Plain = {"stage": name, "means": groups.digests(), "doors": told}
    if addresses:
        whole["addresses"] = list(addresses)
    if complete:
        whole["complete"] = True
    if unread:
        whole["unread"] = list(unread)
    if left_out:
        whole["left_out"] = left_out
    return whole


def _merged(doors: t.Sequence[Plain], key: str) -> list[Plain]:
    """Doors that differ in `key` alone as one; those that lead elsewhere stay as they are."""
    merged: list[Plain] = []
    for door in doors:
        alike = (
            other
            for other in merged
            if "leads_to" not in door and {**other, key: []} == {**door, key: []}
        )
        other = next(alike, None)
        if other is None:
            merged.append(door)
        else:
            other[key] = sorted({*other[key], *door[key]})
    return merged


def _plain(door: Door, of: t.Callable[[str, tuple[int, ...]], RangeSet]) -> Plain:
    plain: Plain = {"families": list(door.families), "ports": list(door.ports)}
    if door.at:
        plain["at"] = list(door.at)
    if door.leads_to or door.port_behind:
        plain["leads_to"] = list(door.leads_to)
        plain["port_behind"] = door.port_behind
    if door.name:
        plain["name"] = door.name
    if door.then:
        plain["then"] = door.then
    for right, (might, certain) in door.rights.items():
        whose: Plain = {}
        for group in GROUPS:
            members = of(group, door.families)
            if not members:
                continue
            bounds = [part(might, members), part(certain & might, members)]
            if door.untold and bounds[0] != ALL:
                bounds[0] = SOME
            if bounds[0]:
                whose[group] = bounds
        plain[right] = whose
    return plain
