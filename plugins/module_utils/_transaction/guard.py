# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guards: what would happen that nobody can want, told before anything is written.

A guard has a stable id. One that stops is overridden on purpose by naming its id in accept_risks;
it then warns.
"""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

STOP = "stop"
WARN = "warn"


@dataclass(frozen=True)
class Finding:
    """What one guard has found. `severity` is STOP or WARN.

    `sentence` says what would happen, without the way to override it. `final`: the server refuses
    it anyway, so that nobody can accept it. `remedy` is what to do instead of accepting it.
    """

    id: str
    severity: str
    sentence: str
    final: bool = False
    remedy: str = "change the description"

    def as_dict(self) -> dict[str, str]:
        """The finding in a result: {id, severity, sentence}."""
        return {"id": self.id, "severity": self.severity, "sentence": self.sentence}


class Registry(t.Mapping[str, str]):
    """The guards of one layer: id → what would happen, in one sentence. The documentation lists
    them from here.
    """

    def __init__(self, guards: t.Mapping[str, str]) -> None:
        self._guards = dict(guards)

    def __getitem__(self, guard: str) -> str:
        return self._guards[guard]

    def __iter__(self) -> t.Iterator[str]:
        return iter(self._guards)

    def __len__(self) -> int:
        return len(self._guards)

    def unknown(self, accept_risks: t.Collection[str]) -> str:
        """What is wrong with `accept_risks`, all of it in one sentence; empty where nothing is."""
        wrong = [f"'{name}'" for name in sorted(set(map(str, accept_risks)) - set(self))]
        if not wrong:
            return ""
        are = "which is no guard" if len(wrong) == 1 else "which are no guards"
        return (
            f"accept_risks names {' and '.join(wrong)}, {are}. The guards are: "
            f"{', '.join(sorted(self))}."
        )

    def settle(
        self,
        findings: t.Iterable[Finding],
        accept_risks: t.Collection[str],
        exempt: t.Collection[str] = (),
    ) -> tuple[Finding, ...]:
        """The findings, each once, those that stop first. What is accepted or exempt only warns,
        unless it is final.

        Raises PlanError for an id in `accept_risks` that is none.
        """
        wrong = self.unknown(accept_risks)
        if wrong:
            raise PlanError(f"{wrong} Nothing was changed.")
        settled = []
        for finding in dict.fromkeys(findings):
            # A guard that nobody could accept or read about is a mistake of ours: KeyError.
            self[finding.id]
            warns = not finding.final and (finding.id in accept_risks or finding.id in exempt)
            settled.append(dataclasses.replace(finding, severity=WARN) if warns else finding)
        return tuple(sorted(settled, key=lambda finding: finding.severity != STOP))


def refusal(findings: t.Iterable[Finding]) -> str:
    """Why a run stops, and how it would not; empty where none of the findings stops it."""
    stopping = [finding for finding in findings if finding.severity == STOP]
    if not stopping:
        return ""
    ids = list(dict.fromkeys(finding.id for finding in stopping if not finding.final))
    sentences = " ".join(f"{finding.sentence} (guard {finding.id})" for finding in stopping)
    if any(finding.final for finding in stopping):
        return (
            f"{sentences} Nothing was changed. Change the description: this cannot be done, "
            "even if it is accepted."
        )
    remedies = " and ".join(dict.fromkeys(finding.remedy for finding in stopping))
    return (
        f"{sentences} Nothing was changed. {remedies[:1].upper()}{remedies[1:]}, or name "
        f"{' and '.join(ids)} in accept_risks if this is what you want."
    )
