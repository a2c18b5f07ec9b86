# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a layer: read → plan → guards → order → [check mode stops here] → save → write → re-
read → result.
"""

from __future__ import annotations

import dataclasses
import secrets
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import approval
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import lease as leases
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    snapshot as snapshots,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Change,
    Desired,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    NoSnapshot,
    NoSuchSnapshot,
    PlanError,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    WARN,
    refusal,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.layer import Layer
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import (
    Port,
    Reading,
    Stopped,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    Refused,
    Result,
    difference,
    forget,
    judged,
)

State = t.TypeVar("State")
Key = t.TypeVar("Key", bound=t.Hashable)


@dataclass(frozen=True)
class Task:
    """What the caller asks for beside the layer's own options.

    `snapshot` is what is to be restored: LATEST, ORIGINAL or a name; None: the layer's own
    options are to be so. `keep_later_changes`: only of rows that are still as the run of that
    snapshot left them. `run_id` joins the snapshots of several tasks of one run; a lease of it is
    its own. `approved`: the only plan that may be carried out; None: any.
    """

    check_mode: bool = False
    diff: bool = False
    accept_risks: t.Collection[str] = ()
    snapshot: str | None = None
    keep_later_changes: bool = False
    run_id: str | None = None
    approved: approval.Approved | None = None


def execute(layer: Layer[State, Key], port: Port[State, Key, t.Any], task: Task) -> Result:
    """The whole run, and its result. Raises Refused, and whatever the port raises where nothing
    could be read.
    """
    result: Result = {"changed": False}
    try:
        _Run(layer, port, task, result).execute()
    except PlanError as error:
        if isinstance(error, NoSnapshot):
            result["nothing_to_restore"] = True
        if isinstance(error, NoSuchSnapshot):
            result["no_such_snapshot"] = True
        raise Refused(str(error), {**result, **_closing(port)}) from None
    except Refused as refused:
        raise Refused(str(refused), {**refused.result, **_closing(port)}) from None
    result.update(_closing(port))
    return result


def _closing(port: Port[State, Key, t.Any]) -> Result:
    """What every result says in the end."""
    lease = port.lease()
    return {"cost": port.cost(), **({} if lease is None else {"lease": lease})}


class _Run(t.Generic[State, Key]):
    def __init__(
        self, layer: Layer[State, Key], port: Port[State, Key, t.Any], task: Task, result: Result
    ) -> None:
        self._layer, self._port, self._task, self._result = layer, port, task, result
        # Another run may still take back what was read.
        self._unsettled = False
        # Strangers may get in by what was not read.
        self._unread = False

    def execute(self) -> None:
        layer, result, task = self._layer, self._result, self._task
        reading = self._port.read()
        before = reading.state
        result.update(reading.facts)
        notes = list(reading.notes)
        desired = (
            layer.desired(reading) if task.snapshot is None else self._restored(reading, notes)
        )
        changes = layer.tables.plan(before, desired)
        wished = layer.tables.apply_all(changes, before)
        leased = leases.finding(
            reading.lease,
            reading.time,
            task.run_id,
            undoes=task.keep_later_changes,
            meanwhile=reading.leased_meanwhile,
            unknown=reading.lease_unknown,
        )
        # A run that is late may still take back what it made, as long as nobody has taken it over:
        # the deadline of a write ends that write, and not the run, which reads again and undoes.
        self._unsettled = leased is not None
        findings = layer.guards.settle(
            [*([leased] if leased else []), *layer.judge(reading, wished, changes)],
            task.accept_risks,
            () if task.snapshot is None else layer.about_state,
        )
        result.update(
            plan=self._sentences(changes),
            plan_digest=approval.digest(
                layer.tables, changes, layer=layer.name, of=reading.approved_of
            ),
            guards=[finding.as_dict() for finding in findings],
        )
        self._differ(changes)
        self._unread = any(
            finding.id in layer.unread and finding.id not in task.accept_risks
            for finding in findings
        )
        self._tell(before, wished, changes)
        self._tell_edge(before, before, wished if changes else None)
        strangers = layer.strangers(before, before)
        unfinished = any(map(layer.is_visible, changes)) or not layer.is_locked(before, before)
        # As long as nothing is written, what was read is how it is.
        then = layer.strangers(before, wished) if changes else strangers
        self._judge(strangers, then, strangers, unfinished=unfinished)
        notes += [
            f"{finding.sentence} (guard {finding.id})"
            for finding in findings
            if finding.severity == WARN
        ]
        if notes:
            result["warnings"] = notes
        refused = refusal(findings) or approval.refusal(
            task.approved, result["plan_digest"], result["plan"]
        )
        if refused:
            raise Refused(refused, result)
        steps = layer.order(changes, before)
        result["plan"] = self._sentences(steps)
        refused = layer.refuse(reading, steps) if steps else ""
        if refused:
            raise Refused(refused, result)
        result["changed"] = bool(changes)
        if task.check_mode:
            return
        if changes:
            self._write(reading, desired, changes, steps, strangers)
        elif leased:
            # Who goes on from what another run has made must not lose it to that run's undo.
            self._take_over(reading)
            self._tell_edge(before, before)
            self._judge(strangers, strangers, strangers, unfinished=unfinished)

    def _take_over(self, reading: Reading[State]) -> None:
        try:
            self._port.take_over(reading)
        except Stopped as stopped:
            forget(self._result)
            raise Refused(f"{stopped} Nothing was changed.", self._result) from None
        self._unsettled = False

    def _restored(self, reading: Reading[State], notes: list[str]) -> t.Sequence[Desired[Key]]:
        """What the snapshot that is asked for restores, as far as it still can."""
        port, tables = self._port, self._layer.tables
        choice = snapshots.choose(
            reading.snapshots,
            t.cast(str, self._task.snapshot),
            layer=self._layer.name,
            tables=tables,
            foreign=lambda snapshot: port.foreign(snapshot.origin, reading),
            where=reading.kept,
        )
        desired = choice.desired
        changed: tuple[str, ...] = ()
        if self._task.keep_later_changes:
            desired, changed = tables.changed_since(reading.state, desired, choice.made)
        desired, gone = tables.restorable(reading.state, desired)
        gone = (*changed, *gone)
        self._result.update(
            restored=choice.restored, further=list(choice.further), not_restored=list(gone)
        )
        notes += [*choice.passed_over, *choice.not_restorable, *gone]
        return desired

    def _write(
        self,
        reading: Reading[State],
        desired: t.Sequence[Desired[Key]],
        changes: t.Sequence[Change[Key]],
        steps: t.Sequence[Change[Key]],
        strangers: list[str] | None,
    ) -> None:
        layer, result = self._layer, self._result
        result["changed"] = False
        snapshot = self._snapshot(reading, changes, result["plan"])
        kept = self._port.keep(snapshot, reading)
        result["snapshot"] = dict(kept.facts)
        try:
            written = self._port.write(steps, reading, kept)
        except Stopped as stopped:
            if stopped.done is not None and stopped.refused:
                made = self._snapshot(
                    reading, steps[: stopped.done], result["plan"][: stopped.done]
                )
                made = dataclasses.replace(made, run_id=snapshot.run_id)
                result["snapshot"] = dict(self._port.keep_less(kept, made).facts)
            raise self._stopped(stopped) from None
        after = written.state
        result["changed"] = True
        self._differ(())
        self._unsettled = False
        if written.kept:
            keys = ", ".join(map(str, written.kept))
            result.setdefault("warnings", []).append(
                f"Used by somebody else as well, and therefore left: {keys}."
            )
        try:
            pending = [
                change
                for change in layer.tables.plan(after, desired)
                if change.key not in written.kept and layer.is_visible(change)
            ]
            self._differ(pending)
            self._tell(reading.state, after, changes)
            self._tell_edge(after, after)
            still = layer.strangers(after, after)
            locked = layer.is_locked(after, after)
        except PlanError as error:
            # Somebody has taken something away since it was read first.
            forget(result)
            raise Refused(
                f"Every change was written. What is {reading.where} now is not as it was when it "
                f"was read first, and cannot be judged: {_after_a_write(error)} {self._way_back()}",
                result,
            ) from None
        self._judge(strangers, still, still, unfinished=bool(pending) or not locked)
        if pending:
            raise Refused(
                f"Every change was accepted, but not all of them can be seen {reading.where}: "
                f"{' '.join(self._sentences(pending))} Look at its log for what refused them. "
                f"{self._way_back()}",
                result,
            )

    def _snapshot(
        self, reading: Reading[State], changes: t.Sequence[Change[Key]], plan: t.Sequence[str]
    ) -> snapshots.Snapshot[Key]:
        taken_back, not_restorable = self._layer.tables.way_back(changes)
        return snapshots.Snapshot(
            layer=self._layer.name,
            origin=reading.origin,
            reason=snapshots.APPLY if self._task.snapshot is None else snapshots.ROLLBACK,
            time=snapshots.stamp(reading.time),
            run_id=self._task.run_id or secrets.token_hex(3),
            desired=taken_back,
            made=self._layer.tables.made(changes),
            plan=tuple(plan),
            not_restorable=not_restorable,
        )

    def _stopped(self, stopped: Stopped) -> Refused:
        """The failure for a write that ended early, with what was done before it."""
        result = {**self._result, **stopped.facts}
        if stopped.untouched:
            result.pop("snapshot", None)
            message = str(stopped)
            return Refused(
                message if "othing was" in message else f"{message} Nothing was changed.", result
            )
        forget(result)
        if stopped.done is None:
            story = f"What may have been changed, in this order: {_some(result['plan'])}"
            return Refused(f"{stopped} {story} {self._way_back()}", {**result, "changed": True})
        result["done"], result["not_done"] = (
            result["plan"][: stopped.done],
            result["plan"][stopped.done :],
        )
        story = (
            f"Done before it: {_some(result['done'])}"
            if stopped.done
            else "Nothing is known to have been done before it."
        )
        rest = f" Not done: {_some(result['not_done'])}" if result["not_done"] else ""
        changed = bool(stopped.done) or not stopped.refused
        return Refused(
            f"{stopped} {story}{rest} {self._way_back()}", {**result, "changed": changed}
        )

    def _way_back(self) -> str:
        name = self._result["snapshot"]["name"]
        return (
            f"Run the task again to finish, or restore the previous state with the snapshot {name}."
        )

    def _sentences(self, changes: t.Iterable[Change[Key]]) -> list[str]:
        return [self._layer.sentence(change) for change in changes]

    def _differ(self, changes: t.Iterable[Change[Key]]) -> None:
        """Put in what is not as it shall be, for a report that needs more than sentences."""
        layer = self._layer
        rows = [
            difference(change, layer.tables[change.table].noun)
            for change in changes
            if layer.is_visible(change)
        ]
        self._result.pop("differences", None)
        if rows:
            self._result["differences"] = rows

    def _tell(self, before: State, after: State, changes: t.Sequence[Change[Key]]) -> None:
        told = self._layer.told(before, after, changes)
        self._result.update(told)
        if self._task.diff:
            self._result["diff"] = self._layer.diff(told, changes)

    def _tell_edge(self, before: State, now: State, wished: State | None = None) -> None:
        """Put in the stage as it is now, with `described`, what it would be, or, after a write,
        `before`.
        """
        # What another run may take back says nothing of what will be.
        edge = None if self._unsettled else self._layer.edge(before, now)
        if edge is None:
            return
        described = None if wished is None else self._layer.edge(before, wished)
        earlier = self._result.get("edge")
        if described is not None:
            edge["described"] = described
        elif earlier and "described" in earlier:
            edge["before"] = {key: earlier[key] for key in earlier if key != "described"}
        self._result["edge"] = edge

    def _judge(
        self,
        before: list[str] | None,
        after: list[str] | None,
        now: list[str] | None,
        *,
        unfinished: bool,
    ) -> None:
        """Put in who gets in, and in what state the layer is; `now` is the one of the two that
        holds.
        """
        if self._task.snapshot is not None and before is None:
            # What a snapshot restores may well be a door that is open to everybody, and nobody
            # has looked.
            return
        self._result.update(
            judged(
                before, after, now, unfinished=unfinished, unsettled=self._unsettled or self._unread
            )
        )


def _after_a_write(error: PlanError) -> str:
    """A problem that was met when everything was written; plans say that nothing was."""
    return str(error).replace(" Nothing was changed.", "")


_MOST_TOLD = 20


def _some(sentences: t.Sequence[str]) -> str:
    """Sentences for a message; the result has all of them."""
    more = len(sentences) - _MOST_TOLD
    return " ".join([*sentences[:_MOST_TOLD], *([f"And {more} more."] if more > 0 else [])])
