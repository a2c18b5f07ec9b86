# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every FortiGate module does around its own wishes: read, plan, guard, save, write, read back, tell."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import feed, guards, snapshot
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.argspec import Spec
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import FortiOS, Key
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import (
    IN_USE,
    NOT_FOUND,
    DeviceError,
    FortiOSError,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import (
    SECRETS,
    Change,
    Wish,
    apply_all,
    change_sentence,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    NOUNS,
    POLICY,
    SHARED_NAMES,
    DeviceState,
    outgoing,
    read,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._module import Module
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError
from ansible_collections.mailedge.lockdown.plugins.module_utils._report import outcome
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.diff import field_lines, text_diff
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import WARN, Finding, refusal

Result = dict[str, t.Any]


class Work(abc.ABC):
    """One module's own part. A subclass names what has to be read and what is wished; the rest has defaults."""

    reason = snapshot.APPLY
    judges: t.ClassVar[bool] = True
    """Whether what the options describe is a state to be in, and not one to be given back."""

    def __init__(self, params: t.Mapping[str, t.Any], client: FortiOS, *, check_mode: bool) -> None:
        self.params, self.client, self.check_mode = params, client, check_mode

    @abc.abstractmethod
    def tables(self) -> t.Sequence[str]:
        """The tables to read, each with one request. Raises PlanError for options that cannot be meant; nothing was sent yet."""

    @abc.abstractmethod
    def wishes(self, state: DeviceState) -> t.Sequence[Wish]:
        """What there shall be. Raises PlanError."""

    def feeds(self) -> t.Sequence[str]:
        """The names of the range feeds whose entries have to be read."""
        return ()

    def read(self) -> DeviceState:
        """The state of the device: one request for each table and feed."""
        state = read(self.client, self.tables())
        entries = feed.read_entries(self.client, state, self.feeds())
        return dataclasses.replace(state, rows={**state.rows, feed.ENTRIES: entries}) if entries else state

    def guard(self, before: DeviceState, after: DeviceState, changes: t.Sequence[Change]) -> t.Iterable[Finding]:
        """The guards that speak about the changes."""
        return ()

    def tell(self, before: DeviceState, after: DeviceState) -> Result:
        """More of the result: what the changes mean."""
        return {}

    def strangers(self, read: DeviceState, state: DeviceState) -> list[str] | None:
        """Who gets in by `state` that nobody has named, in sentences; None where that is not this module's business.

        `read` is the state that was read, which is `state` itself or the one that `state` was made of.
        """
        return None

    def holds(self, read: DeviceState, state: DeviceState) -> bool:
        """Whether there is nothing left to lock; what a plan could not lock it does not show."""
        return True


def spec(options: Spec, **keywords: t.Any) -> dict[str, t.Any]:
    """The keyword arguments of AnsibleModule."""
    return {"argument_spec": options, "supports_check_mode": True, **keywords}


def connect(params: t.Mapping[str, t.Any]) -> FortiOS:
    """The client that the options describe; nothing is sent yet."""
    return FortiOS(
        params["host"],
        params["token"],
        port=params["api_port"],
        vdom=params["vdom"],
        validate_certs=params["validate_certs"],
        ca_path=params["ca_path"],
        timeout=float(params["timeout"]),
    )


def run(arguments: t.Mapping[str, t.Any], work_of: t.Callable[..., Work]) -> None:
    """A whole module."""
    module = Module(**arguments)
    result: Result = {"changed": False}
    with connect(module.params) as client:
        try:
            work = work_of(module.params, client, check_mode=module.check_mode)
            _execute(module, work, client, result)
        except (FortiOSError, PlanError, RangeError) as error:
            result["cost"] = {"requests": client.requests}
            module.fail_json(msg=str(error), **outcome.shortened(result))
    result["cost"] = {"requests": client.requests}
    for finding in result.get("guards", []):
        if finding["severity"] == WARN:
            module.warn(finding["sentence"])
    module.exit_json(**result)


def ask(arguments: t.Mapping[str, t.Any], look: t.Callable[[t.Mapping[str, t.Any], FortiOS], Result]) -> None:
    """A whole module that only reads; `look` gives its result."""
    module = Module(**arguments)
    with connect(module.params) as client:
        try:
            result = look(module.params, client)
        except (FortiOSError, PlanError, RangeError) as error:
            module.fail_json(msg=str(error), changed=False, cost={"requests": client.requests})
    module.exit_json(changed=False, cost={"requests": client.requests}, **result)


def _execute(module: Module, work: Work, client: FortiOS, result: Result) -> None:
    params = module.params
    before = work.read()
    changes = plan(before, work.wishes(before))
    after = apply_all(changes, before)
    findings = guards.GUARDS.settle(work.guard(before, after, changes), params["accept_risks"])
    result.update(
        plan=[change_sentence(change) for change in changes],
        guards=[finding.as_dict() for finding in findings],
        device={"serial": client.serial, "version": ".".join(map(str, client.version or ()))},
        **work.tell(before, after),
    )
    # As long as nothing is written, what was read is how it is.
    at_first = work.strangers(before, before)
    result.update(_judged(work, at_first, before, after, now=before, unfinished=any(map(_can_be_seen, changes))))
    if module._diff:
        result["diff"] = _diff(changes, result)
    refused = refusal(findings)
    if refused:
        raise PlanError(refused)
    if not changes:
        return
    _refuse_taken(client, before, changes)
    result["changed"] = True
    if module.check_mode:
        return
    result["changed"] = False
    name = _save(params, client, work.reason, changes, result)
    done: list[Change] = []
    try:
        left = _write(client, before, changes, done)
    except FortiOSError as error:
        outcome.forget(result)
        result["changed"] = bool(done)
        raise FortiOSError(f"{error} {_how_far(done, changes, name)}") from None
    result["changed"] = True
    if left:
        module.warn(f"Used by somebody else as well, and therefore left: {', '.join(map(str, left))}.")
    outcome.forget(result)
    now = work.read()
    again = [change for change in plan(now, work.wishes(now)) if change.key not in left and _can_be_seen(change)]
    result.update(_judged(work, at_first, now, now, now=now, unfinished=bool(again)))
    if again:
        raise PlanError(
            f"The FortiGate {client.where} took every change but does not show all of them. Still to do: {change_sentence(again[0])} Look at it by "
            f"hand. The state before is kept in the snapshot {name}."
        )


def _judged(
    work: Work, at_first: list[str] | None, read: DeviceState, after: DeviceState, *, now: DeviceState, unfinished: bool
) -> Result:
    """The keys `strangers` and `state` of the result; `after` was made of `read`, and `now` is which of both holds at the moment."""
    if not work.judges:
        return {}
    in_the_end = work.strangers(read, after)
    unfinished = unfinished or not work.holds(read, now)
    return outcome.judged(at_first, in_the_end, in_the_end if now is after else at_first, unfinished=unfinished)


def _can_be_seen(change: Change) -> bool:
    """Whether the device could show that it was made; it does not show secrets."""
    return change.action != Action.MODIFY or bool(set(change.after) - SECRETS)


def _refuse_taken(client: FortiOS, before: DeviceState, changes: t.Sequence[Change]) -> None:
    """Addresses, groups and virtual IPs share their names: a clash is told before anything is written. Reads what was not read yet."""
    new = {str(change.key) for change in changes if change.action == Action.CREATE and change.table in SHARED_NAMES}
    unread = [path for path in SHARED_NAMES if path not in before.rows]
    if not new or not unread:
        return
    for path, rows in read(client, unread).rows.items():
        taken = sorted(new & {str(key) for key in rows})
        if taken:
            raise PlanError(
                f"The name '{taken[0]}' is taken by the {NOUNS[path]} of that name: addresses, address groups and virtual IPs share their "
                f"names. Nothing was changed. Take another name."
            )


def _save(
    params: t.Mapping[str, t.Any], client: FortiOS, reason: str, changes: t.Sequence[Change], result: Result
) -> str:
    """Write the snapshot; give its name. Several tasks of one run share one."""
    device = snapshot.Device(client.serial, client.vdom)
    folder = snapshot.Folder(params["snapshot_folder"])
    name = params.get("snapshot_name") or snapshot.file_name(reason)
    saved = snapshot.merge(folder.held(name, device), snapshot.entries(changes))
    text = snapshot.make(device, reason, saved)
    folder.write(name, text)
    result["snapshot"] = {"name": name, "folder": str(folder.path), "content": text}
    return name


def _write(client: FortiOS, state: DeviceState, changes: t.Sequence[Change], done: list[Change]) -> list[Key]:
    """Carry the changes out in order; give the keys of entries that somebody else uses, which were not removed."""
    numbers: dict[Key, Key] = {}
    left: list[Key] = []
    rest = list(changes)
    while rest:
        policies = rest[0].table == POLICY
        until = next((index for index, one in enumerate(rest) if (one.table == POLICY) != policies), len(rest))
        run, rest = rest[:until], rest[until:]
        # The policies of a plan belong together; thousands of address objects before them do not, and a transaction has a time limit.
        with client.transaction() if policies else contextlib.nullcontext(False) as together:
            for change in run:
                _write_one(client, state, change, numbers, left)
                if not together:
                    done.append(change)
        if together:
            done.extend(run)
    return left


def _write_one(client: FortiOS, state: DeviceState, change: Change, numbers: dict[Key, Key], left: list[Key]) -> None:
    if change.table == feed.ENTRIES:
        feed.push(client, change)
        return
    key = numbers.get(change.key, change.key)
    if change.table == POLICY:
        known = state.policy_key(change.key)
        key = known if known is not None else key
    if change.action == Action.CREATE:
        made = client.create(change.table, outgoing(change.after))
        if change.table == POLICY:
            key = numbers[change.key] = int(made)
    elif change.action == Action.MODIFY:
        client.update(change.table, key, outgoing(change.after))
    elif change.action == Action.REMOVE:
        try:
            client.delete(change.table, key)
        except DeviceError as error:
            if error.code == IN_USE:
                left.append(change.key)
            elif error.code != NOT_FOUND:
                raise
    if change.place is not None:
        place = numbers.get(change.place, change.place)
        known = state.policy_key(place)
        client.move(change.table, key, before=place if known is None else known)


def _how_far(done: t.Sequence[Change], changes: t.Sequence[Change], name: str) -> str:
    if not done:
        return "None of the changes is known to have been made."
    return (
        f"{len(done)} of {len(changes)} changes were made, in an order in which each step is safe. Run it again to finish, or roll back to the "
        f"snapshot {name}."
    )


def _diff(changes: t.Sequence[Change], result: Result) -> dict[str, str]:
    """What --diff shows: who can reach what where the module knows, and the entries that differ."""
    words = result.get("exposure", {})
    before, after = list(words.get("before", [])), list(words.get("after", []))
    for change in changes:
        subject = f"{NOUNS.get(change.table, change.table)} {change.key}"
        if change.action != Action.CREATE:
            before += field_lines(subject, _shown(change.before, change))
        if change.action != Action.REMOVE:
            place = {} if change.place is None else {"stands before": str(change.place)}
            after += field_lines(subject, {**place, **_shown(change.after, change)})
    return text_diff(before, after)


def _shown(row: t.Mapping[str, t.Any], change: Change) -> dict[str, t.Any]:
    """The fields of a row for the operator: never a secret, and the name only where it is new."""
    return {
        name: "(secret)" if name in SECRETS else value
        for name, value in row.items()
        if name != "name" or change.action == Action.CREATE
    }
