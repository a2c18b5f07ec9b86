# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site accepts of what differs from its description, finding by finding, until a day.

The form is that of ScubaGear's configuration: a reason and a last day, who has decided it, until
when it is to be mended, or that the result is wrong. A door that is open to strangers, and what
nobody knows, cannot be accepted.
"""

from __future__ import annotations

import datetime
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.finding import (
    Note,
    identity,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    DRIFT,
    OPEN,
    UNKNOWN,
)


@dataclass(frozen=True)
class Entry:
    """One entry of mailedge_accepted_drift. `until` is the last day on which it holds."""

    id: str
    until: datetime.date
    reason: str
    by: str = ""
    due: str = ""
    wrong_result: bool = False

    @classmethod
    def of(cls, described: t.Mapping[str, t.Any]) -> Entry:
        """An entry of a description that was checked."""
        return cls(
            str(described["id"]),
            datetime.date.fromisoformat(str(described["until"])),
            str(described["reason"]),
            str(described.get("by") or ""),
            str(described.get("due") or ""),
            bool(described.get("wrong_result")),
        )

    def words(self) -> str:
        """Until when and why, as a sentence."""
        wrong = "the result is wrong, " if self.wrong_result else ""
        return f"Accepted until {self.until.isoformat()}: {wrong}{self.reason.rstrip('.')}."

    def matches(self, name: str) -> bool:
        """Whether it speaks of the finding; `*` stands for any text."""
        if "*" not in self.id:
            return self.id == name
        pattern = ".*".join(map(re.escape, self.id.split("*")))
        return re.fullmatch(pattern, name, re.DOTALL) is not None

    def may_begin(self, start: str) -> bool:
        """Whether it may speak of a finding whose id begins so."""
        literal, star, _rest = self.id.partition("*")
        return literal.startswith(start) or bool(star and start.startswith(literal))


@dataclass(frozen=True)
class Decision:
    """What the entries say of a note: the one that accepts it, and the one that did."""

    entry: Entry | None = None
    over: Entry | None = None


UNDECIDED = Decision()


class Acceptances:
    """The entries of one site on one day; `used` are the ids of those that have accepted, or would
    have, a finding of any of its hosts.
    """

    def __init__(
        self,
        site: str,
        entries: t.Iterable[t.Mapping[str, t.Any]],
        today: datetime.date,
        used: set[str] | None = None,
    ) -> None:
        self.site, self.today = site, today
        self.entries = tuple(Entry.of(entry) for entry in entries)
        self.used: set[str] = set() if used is None else used

    def decide(self, host: str, layer: str, note: Note) -> Decision:
        """What the entries say of a note of a layer of a host."""
        if not self.entries or note.state in (OPEN, UNKNOWN):
            return UNDECIDED
        name = identity(self.site, host, layer, *note.key)
        matching = [entry for entry in self.entries if entry.matches(name)]
        self.used.update(entry.id for entry in matching)
        holding = [entry for entry in matching if self.today <= entry.until]
        if holding:
            return Decision(max(holding, key=lambda entry: entry.until))
        over = max(matching, key=lambda entry: entry.until, default=None)
        return Decision(None, over)


class Register:
    """What all sites of a run accept, and what of it fits nothing."""

    def __init__(self, today: datetime.date) -> None:
        self._today = today
        # Site → its entries by their ids, in their order; and which of them fit something.
        self._entries: dict[str, dict[str, Entry]] = {}
        self._used: dict[str, set[str]] = {}

    def of(self, described: t.Mapping[str, t.Any]) -> Acceptances | None:
        """What the site of a host accepts by the description of that host."""
        entries = described.get("accepted_drift")
        if not entries:
            return None
        site = str(described["site"])
        acceptances = Acceptances(site, entries, self._today, self._used.setdefault(site, set()))
        known = self._entries.setdefault(site, {})
        known.update((entry.id, entry) for entry in acceptances.entries)
        return acceptances

    def unmatched(
        self, blind_spots: t.Mapping[str, t.Collection[str]] | None = None
    ) -> dict[str, list[str]]:
        """Site → the ids of what it accepts that fit nothing of what was judged so far. One that
        may speak of what nobody has seen, by how its id begins, is needed for all that is known.
        """
        unseen = blind_spots or {}
        left = {
            site: [
                name
                for name, entry in entries.items()
                if name not in self._used[site]
                and not any(entry.may_begin(start) for start in unseen.get(site, ()))
            ]
            for site, entries in self._entries.items()
        }
        return {site: names for site, names in left.items() if names}


def settled(
    state: str, notes: t.Sequence[Note], decisions: t.Sequence[Decision]
) -> tuple[bool, tuple[str, ...]]:
    """Whether all drift of a layer in `state` is accepted; and sentences about the entries."""
    pairs = [pair for pair in zip(notes, decisions) if pair[0].state == DRIFT]
    told = [
        f"It was accepted until {decision.over.until.isoformat()}, which is over."
        for _note, decision in pairs
        if decision.over
    ]
    accepted = (
        state == DRIFT
        and bool(pairs)
        and all(decision.entry for _note, decision in pairs)
        and not any(note.state in (OPEN, UNKNOWN) for note in notes)
    )
    for note, decision in pairs:
        if decision.entry:
            words = decision.entry.words()
            told.append(words if accepted else f"{words} That is: {note.words}")
    return accepted, tuple(dict.fromkeys(told))
