# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which receive connectors of one server Exchange would not have side by side.

Sources: learn.microsoft.com, receive-connectors.md (a binding may be shared where ranges differ and
one lies wholly inside the other); practical365.com on ReceiveConnectorRoleConflictException
(transport roles never share a binding).
"""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import Endpoint, Interval

Connector = t.Mapping[str, t.Any]

ROLE = "role"
RANGE = "range"


class Conflict(t.NamedTuple):
    """Two connectors that cannot stand side by side: by transport role on `where`, or by the ranges
    `theirs` and `other`.
    """

    kind: str
    names: tuple[str, str]
    where: str
    ranges: tuple[str, str] = ("", "")

    @property
    def pair(self) -> tuple[str, tuple[str, str]]:
        """What makes it the same conflict before and after a change."""
        return self.kind, (self.names[0].casefold(), self.names[1].casefold())

    def sentence(self) -> str:
        """The conflict for the operator."""
        first, other = self.names
        if self.kind == ROLE:
            return (
                f"The receive connectors '{first}' and '{other}' belong to different transport "
                f"roles and both listen on {self.where}, which Exchange refuses."
            )
        how = "both hear" if self.ranges[0] == self.ranges[1] else "overlap in part:"
        what = (
            self.ranges[0]
            if self.ranges[0] == self.ranges[1]
            else f"{self.ranges[0]} and {self.ranges[1]}"
        )
        return (
            f"The receive connectors '{first}' and '{other}' {how} {what} on {self.where}, which "
            "Exchange refuses."
        )


def _shared(connector: Connector, other: Connector) -> Endpoint | None:
    shared = (connector.get("bindings") or frozenset()) & (other.get("bindings") or frozenset())
    return min(shared, default=None)


_Marked = tuple[Interval, int]


def _crossings(marked: t.Iterable[_Marked]) -> t.Iterator[tuple[_Marked, _Marked]]:
    """The pairs of entries of different owners that are the same or overlap in part, in one sweep.

    No pair is looked at whose ranges lie apart, and few where one lies inside the other.
    """
    open_entries: list[_Marked] = []
    for entry, owner in sorted(
        marked, key=lambda item: (item[0].version, item[0].first, -item[0].last)
    ):
        open_entries = [
            held
            for held in open_entries
            if held[0].version == entry.version and held[0].last >= entry.first
        ]
        for earlier, other in open_entries:
            if other != owner and (earlier == entry or earlier.last < entry.last):
                yield (earlier, other), (entry, owner)
        open_entries.append((entry, owner))


def crossing(
    entries: t.Iterable[Interval], other: t.Iterable[Interval]
) -> tuple[Interval, Interval] | None:
    """An entry of each that are the same or overlap in part; None where every overlap is one entry
    wholly inside the other.
    """
    for (earlier, owner), (later, _owner) in _crossings(
        [*((entry, 0) for entry in entries), *((entry, 1) for entry in other)]
    ):
        return (earlier, later) if owner == 0 else (later, earlier)
    return None


def between(connector: Connector, other: Connector) -> Conflict | None:
    """Why two connectors of one server cannot stand side by side, enabled or not; None when they
    can.

    That disabled connectors count as well is unverified; taking it so is the careful reading.
    """
    endpoint = _shared(connector, other)
    if endpoint is None:
        return None
    names = (connector["name"], other["name"])
    roles = (connector.get("transport_role"), other.get("transport_role"))
    if None not in roles and roles[0] != roles[1]:
        return Conflict(ROLE, names, str(endpoint))
    if not connector.get("remote_ip_ranges") or not other.get("remote_ip_ranges"):
        return None
    crossed = crossing(connector["remote_ip_ranges"].entries, other["remote_ip_ranges"].entries)
    return (
        Conflict(RANGE, names, str(endpoint), (str(crossed[0]), str(crossed[1])))
        if crossed
        else None
    )


def conflicts(connectors: t.Iterable[Connector]) -> list[Conflict]:
    """All conflicts among the connectors of one server."""
    ordered = sorted(connectors, key=lambda connector: connector["name"].casefold())
    sharing: dict[Endpoint, list[int]] = {}
    for number, connector in enumerate(ordered):
        for endpoint in connector.get("bindings") or ():
            sharing.setdefault(endpoint, []).append(number)
    suspects: set[tuple[int, int]] = set()
    # Most connectors share all of their bindings.
    for numbers in set(map(tuple, sharing.values())):
        suspects.update(_of_two_roles(ordered, numbers), _crossing_pairs(ordered, numbers))
    judged = (between(ordered[number], ordered[other]) for number, other in sorted(suspects))
    return [conflict for conflict in judged if conflict is not None]


def _of_two_roles(
    connectors: t.Sequence[Connector], numbers: t.Sequence[int]
) -> t.Iterator[tuple[int, int]]:
    roles: dict[str, list[int]] = {}
    for number in numbers:
        role = connectors[number].get("transport_role")
        if role is not None:
            roles.setdefault(role, []).append(number)
    for first, second in itertools.combinations(roles.values(), 2):
        yield from ((min(pair), max(pair)) for pair in itertools.product(first, second))


def _crossing_pairs(
    connectors: t.Sequence[Connector], numbers: t.Sequence[int]
) -> t.Iterator[tuple[int, int]]:
    """The pairs of connectors with such entries."""
    marked = ((entry, number) for number in numbers for entry in _entries(connectors[number]))
    for (_earlier, number), (_later, other) in _crossings(marked):
        yield min(number, other), max(number, other)


def equal_claims(connectors: t.Iterable[Connector]) -> list[tuple[str, str, tuple[str, ...]]]:
    """(endpoint, range, names) of connectors in service that hear the very same range, once for
    each set of names.
    """
    claims: dict[tuple[Endpoint, Interval], list[str]] = {}
    for connector in connectors:
        if connector.get("enabled") is not False:
            for endpoint, entry in itertools.product(
                connector.get("bindings") or (), _entries(connector)
            ):
                if endpoint.version == entry.version:
                    claims.setdefault((endpoint, entry), []).append(connector["name"])
    claimed: dict[tuple[str, ...], tuple[str, str, tuple[str, ...]]] = {}
    for (endpoint, entry), names in sorted(claims.items()):
        key = tuple(sorted(names))
        if len(key) > 1:
            claimed.setdefault(key, (str(endpoint), str(entry), key))
    return list(claimed.values())


def _entries(connector: Connector) -> tuple[Interval, ...]:
    ranges = connector.get("remote_ip_ranges")
    return ranges.entries if ranges else ()
