# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a result says, as findings with a stable identity: what was found, of which object and
property, and what it makes of the layer.

An identity holds names only: ids of guards, names of objects and options, ports. Never a count, a
range of addresses or a text of the server, which differ while the finding is the same.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import STOP
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    DRIFT,
    OPEN,
    UNKNOWN,
)

CRITICAL, WARNING, INFO = "critical", "warning", "info"
SEVERITIES = (CRITICAL, WARNING, INFO)
"""Worst first."""
TOLD = ""
"""The state of a note that makes nothing of its layer."""

Plain = t.Mapping[str, t.Any]

# What a change says of the object that it would change.
_NOT_AS_DESCRIBED = {
    "create": ("missing", "The {noun} '{object}' is not there."),
    "modify": ("differs", "The {noun} '{object}': {option} is not as described."),
    "remove": ("surplus", "The {noun} '{object}' is there, and is not to be."),
    "move": ("misplaced", "The {noun} '{object}' stands in another place than described."),
}
# Playbooks that write what is described, or look for it; what a rollback changes is no difference.
_DESCRIBED = ("apply", "drift", "offline")
_SEVERITY = {"critical": CRITICAL, "unknown": WARNING, "warning": WARNING, "note": INFO}
_QUOTED = re.compile(r"(?<!\w)'([^']+)'(?!\w)")
_PORT = re.compile(r"\bport (\d+)\b")
_PLACE = re.compile(r"\[?[0-9A-Fa-f.:]*[.:][0-9A-Fa-f.:]*\]?:\d+")
# What has to be escaped so that neither a part of an id nor a pattern for ids is ambiguous.
_ESCAPED = re.compile(r"[%/*\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class Note:
    """One thing that was found of a layer. `what` is the id of a guard or of a kind of finding,
    `subject` the object and `aspect` the property that it is about.

    `state` is what it makes of the layer: OPEN, UNKNOWN, DRIFT, or TOLD. `accepted` says that the
    site has accepted it by its id already.
    """

    what: str
    state: str
    severity: str
    words: str
    subject: str = ""
    aspect: str = ""
    remedy: str = ""
    accepted: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """What two notes about the same have in common."""
        return self.what, self.subject, self.aspect


def identity(*parts: str) -> str:
    """The stable id of a finding: site, host, layer, what, object and property."""
    return "/".join(_ESCAPED.sub(lambda char: f"%{ord(char.group()):02X}", part) for part in parts)


def notes(result: Plain, playbook: str, state: str) -> tuple[Note, ...]:
    """The notes of a result; where nothing in it says why the layer is in `state`, one does."""
    guards = list(result.get("guards") or ())
    told = [
        *_of_a_failure(result, guards),
        *_of_strangers(result),
        *(_of_a_guard(guard) for guard in guards),
        *(_of_a_look(each) for each in result.get("findings") or ()),
        *_of_differences(result, playbook),
        *_of_a_dump(result),
        *(
            Note("not_restored", UNKNOWN, WARNING, str(text), named(str(text)))
            for text in result.get("not_restored") or ()
        ),
    ]
    return whole(told, state, str(result.get("msg") or ""))


def whole(told: t.Iterable[Note], state: str, why: str = "") -> tuple[Note, ...]:
    """Notes about the same as one; and one more where none says why the layer is in `state`."""
    merged: dict[tuple[str, str, str], Note] = {}
    for note in told:
        before = merged.get(note.key)
        merged[note.key] = note if before is None else _together(before, note)
    if state in (OPEN, UNKNOWN, DRIFT) and all(note.state != state for note in merged.values()):
        severity = CRITICAL if state == OPEN else WARNING
        note = Note(f"is_{state}", state, severity, why.strip() or _UNEXPLAINED[state])
        merged[note.key] = note
    return tuple(merged.values())


_UNEXPLAINED = {
    OPEN: "Strangers can get in.",
    UNKNOWN: "It is not known how it is.",
    DRIFT: "It is not as described.",
}


def _together(first: Note, second: Note) -> Note:
    """Two notes about the same: the worse of them, with what both say."""
    states = (OPEN, UNKNOWN, DRIFT, TOLD)
    words = [first.words] if second.words in first.words else [first.words, second.words]
    return Note(
        first.what,
        min(first.state, second.state, key=states.index),
        min(first.severity, second.severity, key=SEVERITIES.index),
        " ".join(words),
        first.subject,
        first.aspect,
        first.remedy or second.remedy,
        first.accepted and second.accepted,
    )


def named(sentence: str) -> str:
    """The objects that a sentence names in quotes."""
    return ", ".join(sorted(set(_QUOTED.findall(sentence))))


def place(sentence: str) -> str:
    """The first address with a port that a sentence names."""
    match = _PLACE.search(sentence)
    return match.group() if match else ""


def _port(sentence: str) -> str:
    ports = sorted(set(_PORT.findall(sentence)), key=int)
    return f"port {', '.join(ports)}" if ports else ""


def _of_a_failure(result: Plain, guards: t.Sequence[Plain]) -> t.Iterator[Note]:
    words = str(result.get("msg") or "The task failed and said nothing.").strip()
    if result.get("unreachable"):
        yield Note("no_answer", UNKNOWN, WARNING, words)
    elif result.get("failed") and result.get("held_back"):
        yield Note("held_back", TOLD, INFO, words)
    elif result.get("failed") and not any(guard.get("severity") == STOP for guard in guards):
        # A guard that stops a run says itself what the message repeats.
        yield Note("failed", UNKNOWN, WARNING, words)


def _of_strangers(result: Plain) -> t.Iterator[Note]:
    if result.get("state") != OPEN:
        return
    # Where nothing was written, what is there now is what was read.
    now = "after" if result.get("snapshot") else "before"
    for stranger in (result.get("strangers") or {}).get(now) or ():
        words = str(stranger)
        what = "relay" if " relay " in words else "strangers"
        yield Note(what, OPEN, CRITICAL, words, named(words), _port(words))


def _of_a_guard(guard: Plain) -> Note:
    words, stops = str(guard.get("sentence")), guard.get("severity") == STOP
    return Note(
        str(guard.get("id") or "guard"),
        DRIFT if stops else TOLD,
        CRITICAL if stops else WARNING,
        words,
        named(words),
        _port(words),
    )


def _of_a_look(found_there: Plain) -> Note:
    """A finding about the server or about its names."""
    words, severity = str(found_there["sentence"]), str(found_there.get("severity") or "warning")
    accepted = bool(found_there["accepted"])
    makes = {"critical": DRIFT, "warning": DRIFT, "unknown": UNKNOWN}.get(severity, TOLD)
    return Note(
        str(found_there.get("id") or ("not_read" if makes == UNKNOWN else "look")),
        TOLD if accepted else makes,
        INFO if accepted else _SEVERITY.get(severity, INFO),
        words,
        str(found_there.get("about") or named(words)),
        "",
        str(found_there.get("remedy") or ""),
        accepted,
    )


def _of_a_dump(result: Plain) -> t.Iterator[Note]:
    if result.get("as_of"):
        yield Note("as_of", TOLD, INFO, f"As of {result['as_of']}.")


def _of_differences(result: Plain, playbook: str) -> t.Iterator[Note]:
    if playbook not in _DESCRIBED:
        return
    plan = [str(sentence) for sentence in result.get("plan") or ()]
    for row in result.get("differences") or ():
        what, words = _NOT_AS_DESCRIBED[row["action"]]
        quoted = f"'{row['object']}'"
        would = " ".join(sentence for sentence in plan if quoted in sentence)
        for option in row["properties"] or ("",):
            yield Note(
                what,
                DRIFT,
                WARNING,
                words.format(noun=row["noun"], object=row["object"], option=option),
                row["object"],
                f"{row['table']}.{option}" if option else row["table"],
                f"A run would: {would}" if would else "",
            )
