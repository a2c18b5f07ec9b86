# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run says of a site: one record for every layer of every host, and one state for the site.

Only what was looked at and found so is in order. A layer that was left out, a result that carries
no state, a host that never answered are none of them green.
"""

from __future__ import annotations

import types
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.acceptance import (
    UNDECIDED,
    Acceptances,
    Decision,
    settled,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.finding import (
    Note,
    identity,
    notes,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    DRIFT,
    IN_ORDER,
    OPEN,
    UNKNOWN,
)

ACCEPTED = "accepted"
NOT_MANAGED = "not managed"
NOT_LOOKED_AT = "not looked at"
RESTORED = "restored"
NOT_JUDGED = "not judged"
LISTED = "listed"

# Worst first. What was not looked at stands before what is in order: it says nothing, and that is
# told.
_WORST_FIRST = (
    OPEN,
    UNKNOWN,
    DRIFT,
    ACCEPTED,
    NOT_LOOKED_AT,
    RESTORED,
    LISTED,
    IN_ORDER,
    NOT_JUDGED,
    NOT_MANAGED,
)

MANAGED = "managed"
ELSEWHERE = "elsewhere"
LEFT_OUT = "left out"

# What a playbook promises, and which states break the promise.
_BROKEN_BY: t.Mapping[str, frozenset[str]] = types.MappingProxyType(
    {
        "apply": frozenset({OPEN, UNKNOWN, DRIFT, NOT_JUDGED}),
        "drift": frozenset({OPEN, UNKNOWN, DRIFT, NOT_JUDGED}),
        "offline": frozenset({OPEN, UNKNOWN, DRIFT, NOT_JUDGED}),
        "probe": frozenset({OPEN, UNKNOWN, DRIFT}),
        # A rollback gives an open door back on purpose, and says so.
        "rollback": frozenset({UNKNOWN}),
        "snapshots": frozenset({UNKNOWN}),
        "refresh_ranges": frozenset({UNKNOWN}),
        "publish_ranges": frozenset({UNKNOWN}),
    }
)
PLAYBOOKS = tuple(_BROKEN_BY)
OFFLINE = "offline"
COMPARING = ("drift", OFFLINE)
"""Playbooks that hold what is there against the description, and write nothing."""
DESCRIBED = ("apply", *COMPARING)
"""Playbooks that do what is described, or hold what is there against it."""


def breaks_promise(playbook: str, state: str) -> bool:
    """Whether a host in this state fails a run of this playbook."""
    return state in _BROKEN_BY.get(playbook, ())


# What mailedge_fail_on may say → the states that fail a host of a drift then, strictest first.
FAIL_ON: t.Mapping[str, frozenset[str]] = types.MappingProxyType(
    {
        "drift": frozenset({OPEN, UNKNOWN, DRIFT, NOT_JUDGED}),
        "unknown": frozenset({OPEN, UNKNOWN, NOT_JUDGED}),
        "open": frozenset({OPEN}),
        "never": frozenset(),
    }
)

_FURTHER = (
    "This was the state before the last change. What was changed before it stays, and the door may "
    "still be locked: "
    "name 'original' to restore the state before the first change, or a snapshot that goes "
    "further back: {}."
)
_NO_ANSWER = "The host never answered: it has no result."


@dataclass(frozen=True)
class Part:
    """What a run is to do with one layer of a host.

    `how` is MANAGED; NOT_MANAGED; ELSEWHERE, where another selected host does it; LEFT_OUT, where
    that host was not selected; or NOT_LOOKED_AT, where the site does not ask for it. `why` is a
    sentence.
    """

    how: str
    why: str = ""


@dataclass(frozen=True)
class Record:
    """What was found of one layer of one host. `findings` and `plan` are sentences.

    `exposure` says who gets what, one line a sender, with an arrow where it changes; `before` and
    `after` say the same in two lists, for a layer whose lines cannot be told pair by pair.
    """

    layer: str
    host: str
    state: str
    findings: tuple[str, ...] = ()
    plan: tuple[str, ...] = ()
    exposure: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    left_out: bool = False
    # Whether strangers would still get in after all that is planned.
    stays_open: bool = False
    # The name of the snapshot with the state before, where something was written.
    snapshot: str = ""
    # Whether something was written; the plan of a run that a guard stopped was not.
    changed: bool = True
    # Lines for the screen about what was asked for and is no change, such as snapshots.
    listed: tuple[str, ...] = ()
    # Whether the task failed, or had no answer; its state may be known all the same.
    failed: bool = False
    # Whether it only failed because another layer did.
    held_back: bool = False
    # The findings with a stable identity, and what the site says of each; no decision: nothing.
    notes: tuple[Note, ...] = ()
    decisions: tuple[Decision, ...] = ()
    # When that was so and by which file, as a phrase, where nobody asked the server or device.
    as_of: str = ""

    @property
    def to_blame(self) -> bool:
        """Whether it failed by itself."""
        return self.failed and not self.held_back

    @property
    def decided(self) -> t.Iterator[tuple[Note, Decision]]:
        """Each note with what the site says of it."""
        missing = [UNDECIDED] * (len(self.notes) - len(self.decisions))
        return zip(self.notes, [*self.decisions, *missing])

    def as_dict(self) -> dict[str, t.Any]:
        """{layer, host, state, findings, plan, exposure, before, after, snapshot, changed, as_of},
        without what is empty: most layers of most hosts are not managed, and Ansible visits every
        value of the report of all hosts several times, in the process that they all wait for.
        """
        told = {
            "findings": list(self.findings),
            "plan": list(self.plan),
            "exposure": list(self.exposure),
            "before": list(self.before),
            "after": list(self.after),
            "snapshot": self.snapshot,
            "changed": self.changed,
            "as_of": self.as_of,
        }
        whole = {"layer": self.layer, "host": self.host, "state": self.state}
        return {**whole, **{name: value for name, value in told.items() if value}}


def record(
    layer: str,
    host: str,
    part: Part,
    result: t.Mapping[str, t.Any] | None,
    *,
    playbook: str,
    acceptances: Acceptances | None = None,
) -> Record | None:
    """The record of one layer, from the result of its task; None for a layer done elsewhere."""
    if part.how == ELSEWHERE:
        return None
    if part.how == NOT_MANAGED:
        return Record(layer, host, NOT_MANAGED, (part.why,) if part.why else ())
    if part.how in (LEFT_OUT, NOT_LOOKED_AT):
        return Record(layer, host, NOT_LOOKED_AT, (part.why,), left_out=part.how == LEFT_OUT)
    if not result or result.get("skipped"):
        why = "It was not looked at, because the run ended before."
        return Record(layer, host, UNKNOWN, (why,), notes=notes({"msg": why}, playbook, UNKNOWN))
    if result.get("not_looked_at"):
        return Record(layer, host, NOT_LOOKED_AT, (str(result["not_looked_at"]),))
    findings = _findings(result)
    state = str(result.get("state") or "")
    if result.get("unreachable") or (result.get("failed") and state in ("", IN_ORDER)):
        state, findings = UNKNOWN, findings or (_NO_ANSWER,)
    elif playbook == "snapshots":
        state = LISTED
    elif playbook in ("rollback", "refresh_ranges", "publish_ranges") and not result.get("failed"):
        # These write; whoever gets in afterwards is told, and is not what they are judged by.
        state = OPEN if state == OPEN else RESTORED if playbook == "rollback" else IN_ORDER
        not_restored = _texts(result.get("not_restored"))
        if not_restored:
            # The rest is restored; that something is missing is for a person to look at.
            state, findings = UNKNOWN, (*findings, *not_restored)
        further = _texts(result.get("further"))
        if further:
            findings = (*findings, _FURTHER.format(", ".join(further)))
    elif state not in (OPEN, UNKNOWN, DRIFT, IN_ORDER):
        state, findings = UNKNOWN, (*findings, "Its result does not say what was found.")
    noted = notes({"msg": " ".join(findings), **result}, playbook, state)
    decisions: tuple[Decision, ...] = ()
    if acceptances is not None and acceptances.entries:
        decisions = tuple(acceptances.decide(host, layer, note) for note in noted)
        accepted, told_of_it = settled(state, noted, decisions)
        state, findings = ACCEPTED if accepted else state, (*told_of_it, *findings)
    exposure = result.get("exposure")
    told: t.Mapping[str, t.Any] = exposure if isinstance(exposure, t.Mapping) else {}
    before, after = _texts(told.get("before")), _texts(told.get("after"))
    words = () if before or after else _texts(told.get("words"))
    return Record(
        layer,
        host,
        state,
        findings,
        _texts(result.get("plan")),
        words,
        before,
        after,
        stays_open=bool((result.get("strangers") or {}).get("after")),
        snapshot=str((result.get("snapshot") or {}).get("name") or ""),
        changed=_written(result, playbook),
        listed=_texts(result.get("lines")),
        failed=bool(result.get("failed") or result.get("unreachable")),
        held_back=bool(result.get("held_back")),
        notes=noted,
        decisions=decisions,
        as_of=str(result.get("as_of") or ""),
    )


def _written(result: t.Mapping[str, t.Any], playbook: str) -> bool:
    """Whether the plan was carried out.

    Who writes to a server or a firewall has saved a snapshot, which a check has not.
    """
    return bool(result.get("changed")) and (
        playbook not in ("apply", "rollback") or bool(result.get("snapshot"))
    )


def _texts(value: t.Any) -> tuple[str, ...]:
    return tuple(str(text) for text in value) if isinstance(value, (list, tuple)) else ()


def _findings(result: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """Why it failed, who gets in, what the guards say: sentences, each once."""
    sentences: list[str] = []
    if result.get("failed") or result.get("unreachable"):
        sentences.append(str(result.get("msg") or "The task failed and said nothing.").strip())
    strangers = result.get("strangers") or {}
    if result.get("state") == OPEN:
        # Who writes keeps a snapshot; where nothing was written, what is there now is what was
        # read.
        now = "after" if result.get("snapshot") else "before"
        sentences += [str(stranger) for stranger in strangers.get(now) or ()]
    sentences += [str(guard.get("sentence")) for guard in result.get("guards") or ()]
    sentences += _of_posture(result.get("findings") or ())
    told: list[str] = []
    for sentence in sentences:
        if sentence and not any(sentence in before for before in told):
            told.append(sentence)
    return tuple(told)


def _of_posture(findings: t.Iterable[t.Mapping[str, t.Any]]) -> list[str]:
    """What was found, with what to do; last what the site has accepted."""
    accepted = [f"Accepted: {each['sentence']}" for each in findings if each["accepted"]]
    standing = [
        f"{each['sentence']} {each['remedy']}".strip() for each in findings if not each["accepted"]
    ]
    return standing + accepted


@dataclass(frozen=True)
class HostVerdict:
    """All records of one host, its site, and what its run says of itself."""

    host: str
    site: str
    records: tuple[Record, ...]
    # Why a task of the run failed, and what became of what it had changed.
    trouble: str = ""
    looks: tuple[str, ...] = ()
    never_ran: bool = False
    # Whether all that there is to do is done by another host of the site, and why, where that has
    # to be told.
    elsewhere: bool = False
    because: str = ""
    # What a stranger and the provider get at each published door, by all layers together.
    edge: tuple[str, ...] = ()
    # The same, each in its parts (_edge.proof.parts).
    doors: tuple[t.Mapping[str, t.Any], ...] = ()
    # As they would be by the description, or were before a run that has written; or empty.
    doors_described: tuple[t.Mapping[str, t.Any], ...] = ()
    doors_before: tuple[t.Mapping[str, t.Any], ...] = ()

    @property
    def to_blame(self) -> Record | None:
        """The layer that others had to wait for; None where nobody had to."""
        if not any(each.held_back for each in self.records):
            return None
        return next((each for each in self.records if each.to_blame), None)

    @property
    def reason(self) -> str:
        """Why the host is as it is, in sentences; empty where no layer says anything."""
        told = [each for each in self.records if each.findings]
        worst = [each for each in told if each.state == self.state]
        # What was left alone is no reason for what went wrong elsewhere.
        judged = [each for each in told if each.state != NOT_MANAGED]
        blamed = [self.to_blame] if self.to_blame else []
        first = next(iter([*blamed, *worst, *judged, *told]), None)
        return first.findings[0] if first and first.findings else self.because

    @property
    def state(self) -> str:
        """The worst state of its layers; unknown where nothing, or not all, was looked at."""
        if self.elsewhere and not self.trouble:
            return NOT_MANAGED
        states = {layer_record.state for layer_record in self.records}
        worst = next((state for state in _WORST_FIRST if state in states), UNKNOWN)
        if worst == NOT_LOOKED_AT:
            worst = next(
                (state for state in (RESTORED, LISTED, IN_ORDER, NOT_JUDGED) if state in states),
                UNKNOWN,
            )
        part_only = bool(self.trouble) or any(
            layer_record.left_out for layer_record in self.records
        )
        if worst == NOT_MANAGED or (part_only and worst in (ACCEPTED, RESTORED, LISTED, IN_ORDER)):
            return UNKNOWN
        return worst

    def breaks(self, playbook: str, *, check_mode: bool = False) -> bool:
        """Whether the host is to fail.

        A check of apply is there to show what would be done: it fails where that cannot be done, or
        would leave a door open. A rollback is not judged by who gets in afterwards, so that a door
        which stands open must not hide a layer that was not restored.
        """
        if playbook == "apply" and check_mode:
            return (
                bool(self.trouble)
                or self.state in (UNKNOWN, NOT_JUDGED)
                or any(host.stays_open for host in self.records)
            )
        broken_by = _BROKEN_BY[playbook]
        if OPEN not in broken_by and any(
            host.failed or host.left_out or host.state in broken_by for host in self.records
        ):
            return True
        return bool(self.trouble) or self.state in broken_by


def worst_of(states: t.Iterable[str]) -> str:
    """The worst of some states; unknown where there is none."""
    some = set(states)
    return next((state for state in _WORST_FIRST if state in some), UNKNOWN)


@dataclass(frozen=True)
class SiteVerdict:
    """All selected hosts of one site."""

    site: str
    hosts: tuple[HostVerdict, ...] = field(default_factory=tuple)

    @property
    def state(self) -> str:
        """The worst state of its hosts."""
        return worst_of(host.state for host in self.hosts)


def by_site(hosts: t.Iterable[HostVerdict]) -> tuple[SiteVerdict, ...]:
    """The sites, worst first, then by name."""
    sites: dict[str, list[HostVerdict]] = {}
    for host in hosts:
        sites.setdefault(host.site, []).append(host)
    verdicts = [SiteVerdict(name, tuple(members)) for name, members in sites.items()]
    return tuple(
        sorted(verdicts, key=lambda verdict: (_WORST_FIRST.index(verdict.state), verdict.site))
    )


def blind_spots(hosts: t.Iterable[HostVerdict]) -> dict[str, set[str]]:
    """Site → how the ids begin of what a run may not have found, though it is there: where nobody
    has looked or knows, and where an open door is told in the place of what differs.
    """
    spots: dict[str, set[str]] = {}
    for host in hosts:
        of_site = spots.setdefault(host.site, set())
        if (
            host.trouble
            or host.never_ran
            or any(each.layer == "description" for each in host.records)
        ):
            of_site.add(identity(host.site, host.host, ""))
        for each in host.records:
            if each.state in (OPEN, UNKNOWN, NOT_LOOKED_AT, NOT_JUDGED):
                of_site.add(identity(host.site, host.host, each.layer, ""))
            if each.state == NOT_LOOKED_AT:
                # Another host of the site stands in the place of a layer.
                of_site.add(identity(host.site, each.layer, ""))
    return spots
