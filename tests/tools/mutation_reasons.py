# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why some mutants are left alive: what mutation_reasons.yml says, held against the code."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import typing as t

import yaml

FILE = pathlib.Path(__file__).with_suffix(".yml")
_SENTENCE = re.compile(r"[A-Z].*\s.*\.")


@dataclasses.dataclass(frozen=True)
class Reason:
    """Lines of a module, what mutants make of them, and why no test has to notice."""

    module: str
    before: str
    after: tuple[str, ...]
    reason: str


def reasons(text: str) -> tuple[Reason, ...]:
    """What a file of reasons says."""
    document: t.Mapping[str, list[dict[str, t.Any]]] = yaml.safe_load(text)
    return tuple(
        Reason(module, entry["before"], tuple(entry["after"]), entry["reason"])
        for module, entries in document.items()
        for entry in entries
    )


def _lines(code: str) -> str:
    """Without what stands around each line, so that an entry needs no indentation."""
    return "".join(f"\n{line.strip()}" for line in code.strip().splitlines()) + "\n"


def reason_of(known: t.Iterable[Reason], module: str, original: str, changed: str) -> Reason | None:
    """The reason for exactly this change of a module, if there is any."""
    for each in known:
        if each.module != module:
            continue
        begin, _before, end = _lines(original).partition(_lines(each.before))
        if _lines(changed) in {begin + _lines(after) + end for after in each.after}:
            return each
    return None


def wrong_with(reason: Reason, code: str) -> list[str]:
    """What is wrong with a reason for mutants of a module with this code."""
    where = f"{reason.module}, {reason.before!r}"
    problems = []
    lines, before = _lines(code).split("\n"), _lines(reason.before).split("\n")[1:-1]
    times = sum(lines[at : at + len(before)] == before for at in range(len(lines)))
    if times != 1:
        problems.append(
            f"{where}: it stands there {times} times, instead of once. Take the reason away, or "
            "give the lines around it in both 'before' and 'after'."
        )
    if not reason.after or _lines(reason.before) in map(_lines, reason.after):
        problems.append(f"{where}: 'after' does not say what becomes of it.")
    if not _SENTENCE.fullmatch(reason.reason):
        problems.append(f"{where}: the reason is no sentence.")
    return problems
