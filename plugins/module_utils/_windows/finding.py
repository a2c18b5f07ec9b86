# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found about a Windows server: findings, and the state that they make.

Nothing that was looked for vanishes: each subject ends in a finding, and what could not be read is
`unknown`, which is never good.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

CRITICAL, WARNING, UNKNOWN, OK = "critical", "warning", "unknown", "ok"
SEVERITIES = (CRITICAL, UNKNOWN, WARNING, OK)
"""Worst first. Unknown comes before a warning, because it may be worse."""


class Entry(t.NamedTuple):
    """A finding that there can be: what it says, and the page that tells more."""

    sentence: str
    link: str


@dataclass(frozen=True)
class PostureFinding:
    """One finding. `remedy` says what to do, empty where nothing is to be done."""

    id: str
    severity: str
    sentence: str
    remedy: str
    link: str

    def as_dict(self, accepted: t.Collection[str] = ()) -> dict[str, t.Any]:
        """The finding in a result; `accepted` are the ids that the site has accepted."""
        return {
            "id": self.id,
            "severity": self.severity,
            "sentence": self.sentence,
            "remedy": self.remedy,
            "link": self.link,
            "accepted": self.severity != OK and self.id in accepted,
        }


class Catalogue(t.Mapping[str, Entry]):
    """Every finding that there can be, by its id. The documentation lists them from here."""

    def __init__(self, entries: t.Mapping[str, tuple[str, str]]) -> None:
        self._entries = {name: Entry(*entry) for name, entry in entries.items()}

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def __iter__(self) -> t.Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def make(self, name: str, severity: str, sentence: str, remedy: str = "") -> PostureFinding:
        """A finding of the catalogue. KeyError for an id that is not in it: a mistake of ours."""
        return PostureFinding(name, severity, sentence, remedy, self[name].link)

    def unknown(self, names: t.Collection[str]) -> str:
        """What is wrong with ids that a site accepts, in one sentence; empty: nothing is."""
        wrong = [f"'{name}'" for name in sorted(set(map(str, names)) - set(self))]
        if not wrong:
            return ""
        are = "which is no finding" if len(wrong) == 1 else "which are no findings"
        return (
            f"accept_findings names {' and '.join(wrong)}, {are}. "
            f"The findings are: {', '.join(sorted(self))}."
        )


def state(findings: t.Iterable[PostureFinding], accepted: t.Collection[str] = ()) -> str:
    """The state that findings make: `unknown`, `drift` or `in order`. Where there is none at all,
    nothing was looked at, and that is unknown.
    """
    severities = [OK if finding.id in accepted else finding.severity for finding in findings]
    if not severities or UNKNOWN in severities:
        return "unknown"
    return "drift" if CRITICAL in severities or WARNING in severities else "in order"


def ordered(findings: t.Iterable[PostureFinding]) -> list[PostureFinding]:
    """Worst first; what is equally bad stays in its order."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
