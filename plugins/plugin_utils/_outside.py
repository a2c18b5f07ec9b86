# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the looks from outside found at a host, and what all layers together say of strangers, as
records of the report.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.control import Sought
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.looks import (
    EXPECTED,
    weighed,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import (
    place as address_words,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.proof import (
    judge_look,
    looks_as_lines,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import (
    HTTPS,
    asked,
    case_words,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.web_names import (
    shows_exchange,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.acceptance import (
    Acceptances,
    Decision,
    settled,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.build import EDGE
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.finding import (
    CRITICAL,
    WARNING,
    Note,
    named,
    place,
    whole,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    ACCEPTED,
    COMPARING,
    ELSEWHERE,
    MANAGED,
    NOT_JUDGED,
    Record,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    DRIFT,
    IN_ORDER,
    OPEN,
    UNKNOWN,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._whole_edge import Edge

OUTSIDE = "outside"
_FORGOTTEN = "A known door"


def outside(
    playbook: str,
    host: str,
    given: t.Any,
    looks: t.Sequence[Sought],
    earlier: t.Sequence[Sought],
    edge: Edge,
    acceptances: Acceptances | None,
) -> tuple[Record, list[str]]:
    """All looks from outside, and those before the change, as one record, and a line for each."""
    if all(look.result.get("skipped") for look in looks):
        why = str(
            (given or {}).get("msg") or "Nobody looked from outside, because the run ended before."
        )
        note = Note("not_looked", UNKNOWN, WARNING, why)
        return Record(OUTSIDE, host, UNKNOWN, (why,), notes=(note,)), []
    looks, earlier = weighed(looks, earlier)
    states: list[str] = []
    noted: list[Note] = []
    lines: list[str] = []
    for index, look in enumerate(looks):
        state, sentences = judge_look(look.result, look.expect)
        states.append(state)
        if state not in (IN_ORDER, NOT_JUDGED):
            noted += [_of_look(state, look.name, sentence, look.result) for sentence in sentences]
        then = earlier[index].result if index < len(earlier) else None
        if (
            look.derived
            and playbook != "probe"
            and not any(map(shows_exchange, (look.result, then)))
        ):
            # Nobody said that there is a web.
            continue
        if playbook not in COMPARING or state != IN_ORDER:
            lines += looks_as_lines(then, look.result, look.name, look.expect)
    against, sentences = edge.held_against(given, looks)
    states.append(against)
    noted += [_of_edge(sentence, edge) for sentence in sentences]
    findings = tuple(dict.fromkeys(note.words for note in noted))
    worst = next((state for state in (OPEN, UNKNOWN, DRIFT) if state in states), IN_ORDER)
    notes = whole(noted, worst)
    decisions: tuple[Decision, ...] = ()
    if acceptances:
        decisions = tuple(acceptances.decide(host, OUTSIDE, note) for note in notes)
        accepted, told = settled(worst, notes, decisions)
        worst, findings = ACCEPTED if accepted else worst, (*told, *findings)
    if worst == IN_ORDER and not any(look.expect == EXPECTED for look in looks):
        worst = NOT_JUDGED
        findings = (
            *findings,
            "No look was held against 'closed', so that nobody has judged what a stranger gets.",
        )
    return Record(OUTSIDE, host, worst, findings, notes=notes, decisions=decisions), lines


def whole_edge(
    host: str,
    parts: t.Mapping[str, t.Mapping[str, t.Any]],
    described: t.Mapping[str, t.Any],
    edge: Edge,
    states: t.Collection[str],
) -> list[Record]:
    """What all layers together say of strangers, where no layer, of those in `states`, says as bad
    by itself.
    """
    if OPEN in states:
        return []
    how = (parts.get(OUTSIDE) or {}).get("how")
    state, sentences = edge.judged(
        described.get("fortigate_vips") or (), looked=how == MANAGED, elsewhere=how == ELSEWHERE
    )
    if not state or state in states:
        return []
    severity = CRITICAL if state == OPEN else WARNING
    noted = (
        _of_edge(text, edge)
        if text.startswith(_FORGOTTEN) or text == edge.left_out
        else Note("strangers", state, severity, text, _door(text))
        for text in sentences
    )
    return [Record(EDGE, host, state, tuple(sentences), notes=whole(noted, state))]


def _door(sentence: str) -> str:
    return ", ".join(filter(None, (place(sentence), named(sentence))))


def _of_look(state: str, look: str, sentence: str, result: t.Mapping[str, t.Any]) -> Note:
    """What a look found that is not as it should be, and where: at which address, by which names,
    and of a web at which path, since what is accepted of one is not of another.
    """
    severity = CRITICAL if state == OPEN else WARNING
    return Note("look", state, severity, f"{look}: {sentence}", look, _aspect(sentence, result))


def _aspect(sentence: str, result: t.Mapping[str, t.Any]) -> str:
    for address in result.get("addresses") or ():
        where = address_words(address["address"], address["peer"], address["targets"])
        if not sentence.startswith(f"{where} is "):
            continue
        at = str(address["peer"] or where)
        path = next(
            (
                case
                for case, _answer in asked(address)
                if address.get("protocol") == HTTPS and f" {case_words(case)}: " in sentence
            ),
            "",
        )
        return f"{at} {path}".strip()
    return ""


def _of_edge(sentence: str, edge: Edge) -> Note:
    """A door that nobody looked at, or of which a look says what cannot be by the layers; or that
    there are more doors.
    """
    if sentence == edge.left_out:
        return Note("doors_left_out", UNKNOWN, WARNING, sentence)
    door = _door(sentence)
    if sentence.startswith(_FORGOTTEN):
        return Note("door_not_looked_at", UNKNOWN, WARNING, sentence, door)
    return Note("layers_contradicted", OPEN, CRITICAL, sentence, door)
