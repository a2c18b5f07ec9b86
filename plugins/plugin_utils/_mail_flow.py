# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every Exchange action does: read → plan → guards → [check mode stops here] → apply → re-read → result.

Two remote calls at most. The second one refuses to write if the server is no longer what the first one read.
"""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import secrets
import time
import typing as t
from dataclasses import dataclass

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    calls,
    guards,
    snapshot,
    strangers,
    words,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.order import NoSafeOrder, order
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    CREDENTIAL,
    Change,
    Promises,
    Wish,
    apply,
    apply_all,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State, StateError, read_state
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError, RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._report import outcome
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.diff import text_diff
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import OptionError, Resource
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.files import write_whole
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import WARN, refusal
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure, HostAction
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import (
    Agent,
    AgentError,
    AgentNoise,
    AgentTimeout,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import Credential, HostFact

# On the server itself, so that it outlives a controller that is a container; the agent lets administrators only read it.
SNAPSHOT_FOLDER = r"%ProgramData%\mailedge"
# The newest, as many as are read at once.
MOST_SNAPSHOTS = 100
_MUTEX = {"name": r"Global\mailedge.lockdown", "seconds": 30}
_REACH_SECONDS = 5
_LAST_STEP_SECONDS = 90
_AGAIN = "after."


@dataclass(frozen=True)
class Reading:
    """What one remote read gave: the state and its digests, and what else the request asked for."""

    state: State
    digests: t.Mapping[str, str]
    way: str
    snapshots: tuple[tuple[str, str], ...]
    unreachable: tuple[str, ...]
    # How far the server's clock is ahead of this process's monotonic one, in seconds; by the time that its answer took, too little.
    clock: float

    def time(self, later: float = 0) -> float:
        """What the server's clock says, or will say in so many seconds, as seconds since 1970."""
        return self.clock + time.monotonic() + later


class ExchangeAction(HostAction):
    """Reads an Exchange server over the host's connection."""

    def snapshot_names(self, params: t.Mapping[str, t.Any]) -> list[str] | None:
        """The snapshots to read from the server along with its state; None for the newest ones."""
        return []

    def mutex(self, params: t.Mapping[str, t.Any]) -> dict[str, t.Any] | None:
        """What has to be held while the server is read; None: nothing."""
        return None

    def smart_hosts(self, params: t.Mapping[str, t.Any]) -> list[tuple[str, int]]:
        """Smart hosts that the wish would use, to be tried from the server in the same call as the read."""
        return []

    def promises(self, params: t.Mapping[str, t.Any]) -> Promises:
        """Whom the task's options name. Raises Failure for a range that cannot be understood."""
        sets: dict[str, RangeSet] = {}
        problems: list[str] = []
        for option in ("provider_ranges", "own_networks", "exchange_servers", "hybrid_ranges"):
            try:
                sets[option] = RangeSet.parse(params.get(option) or [])
            except RangeError as error:
                problems.append(f"The option {option} cannot be used as given: {error}")
        if problems:
            raise Failure(" ".join([*problems, "Nothing was sent to the server."]))
        return Promises(
            provider=sets["provider_ranges"],
            own_networks=sets["own_networks"],
            exchange_servers=sets["exchange_servers"],
            hybrid=sets["hybrid_ranges"],
            inbound_lock=params.get("inbound_lock") is not None,
        )

    def shell(self, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """The part of a request that says how the Exchange shell is opened."""
        return {
            "way": params.get("exchange_shell") or "auto",
            "fqdn": params.get("exchange_fqdn"),
            "credential": self.credential(params.get("exchange_username"), params.get("exchange_password")),
            "authentication": "Kerberos",
            "seconds": min(120, int(params.get("time_limit") or 300)),
        }

    def read(self, params: t.Mapping[str, t.Any], agent: Agent) -> Reading:
        """Everything that a plan needs, in one remote call."""
        steps = calls.read_steps(HostFact("name"), params.get("domain_controller"))
        steps.extend(_digest_step(resource, None) for resource in calls.DIGESTS)
        names = self.snapshot_names(params)
        if names is None or names:
            folder = {"folder": SNAPSHOT_FOLDER, "names": names, "last": MOST_SNAPSHOTS}
            steps.append({"op": "read_files", "id": "snapshots", **folder})
        targets = self.smart_hosts(params)
        if targets:
            targets_step = {"op": "reach", "id": "reach", "targets": [list(target) for target in targets]}
            steps.append({**targets_step, "seconds": _REACH_SECONDS, "optional": True})
        try:
            answer = agent.run(
                {"protocol": 1, "shell": self.shell(params), "mutex": self.mutex(params), "steps": steps}
            )
        except AgentTimeout as error:
            raise Failure(
                f"{error} It was only being read: nothing was changed. If the server is slow, raise time_limit; if it hangs, look at "
                "its Exchange services first."
            ) from None
        except AgentNoise as error:
            raise Failure(f"{error} It was only being read: nothing was changed.") from None
        reach = _objects(answer, "reach")
        return Reading(
            state=_state(answer, "", params.get("domain_controller")),
            digests={one: str(_objects(answer, _digest_id(one))[0]["digest"]) for one in calls.DIGESTS},
            way=str(answer.get("way")),
            snapshots=tuple((str(row["name"]), str(row["text"])) for row in reversed(_objects(answer, "snapshots"))),
            unreachable=tuple(str(row["host"]) for row in reach if not row.get("reachable")),
            clock=_seconds(answer["host"]["time_utc"]) - time.monotonic(),
        )

    @staticmethod
    def server_facts(reading: Reading) -> dict[str, t.Any]:
        """The server, for the result."""
        server = reading.state.server
        facts = {"name": server.name, "version": server.version.label, "build": server.build, "shell": reading.way}
        return {**facts, "note": server.note} if server.note else facts


class MailFlowAction(ExchangeAction):
    """Brings an Exchange server into a wished state. A subclass says what the task's options wish."""

    def wish(self, params: dict[str, t.Any], reading: Reading) -> Wish:
        """The wish of the task's options, on what was read."""
        raise Failure(f"{type(self).__name__} does not say what it wishes. Nothing was changed.")

    def check(self, params: dict[str, t.Any]) -> list[str]:
        wrong = guards.GUARDS.unknown(params.get("accept_risks") or [])
        return [wrong] if wrong else []

    def reason(self, params: dict[str, t.Any]) -> str:
        """What a snapshot of this run is kept for, ``apply`` or ``rollback``."""
        return "apply"

    def mutex(self, params: t.Mapping[str, t.Any]) -> dict[str, t.Any] | None:
        # A write that was given up may still be in its last step; what it leaves is to be given back as well.
        if self.reason(dict(params)) != "rollback":
            return None
        return {**_MUTEX, "seconds": min(_LAST_STEP_SECONDS, max(1, int(params.get("time_limit") or 300) - 5))}

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        """Read, plan, judge; apply and read again unless in check mode."""
        promises = self.promises(params)
        # What a wish cannot give, for the operator to read.
        self.notes: list[str] = []
        # More of the result, by a subclass.
        self.told: dict[str, t.Any] = {}
        try:
            reading = self.read(params, agent)
            before = reading.state
            wish = self.wish(params, reading)
            changes = plan(before, wish)
        except (OptionError, PlanError, StateError) as error:
            raise Failure(str(error)) from None
        wished = apply_all(changes, before)
        findings = guards.check(
            before,
            wished,
            promises,
            changes,
            params.get("accept_risks") or [],
            unreachable=reading.unreachable,
            restoring=self.reason(params) == "rollback",
        )
        result: dict[str, t.Any] = {
            "changed": bool(changes),
            "plan": words.plan_words(changes),
            "server": self.server_facts(reading),
            "guards": [finding.as_dict() for finding in findings],
            **self.told,
        }
        result.update(_difference(before, wished, changes, promises, bool(self._task.diff)))
        # As long as nothing is written, what was read is how it is.
        result.update(self.judged(params, before, wished, before, promises, unfinished=any(map(_is_drift, changes))))
        warned = [finding for finding in findings if finding.severity == WARN]
        warnings = [*self.notes, *(f"{finding.sentence} (guard {finding.id})" for finding in warned)]
        if warnings:
            result["warnings"] = warnings
        refused = refusal(findings)
        if refused:
            raise Failure(refused, **{**result, "changed": False})
        try:
            ordered = order(changes, before, promises)
        except NoSafeOrder as error:
            raise Failure(str(error), **{**result, "changed": False}) from None
        result["plan"] = words.plan_words(ordered)
        if changes and before.server.setup_running:
            raise Failure(
                f"Exchange's own setup is running on {before.server.name}. It changes the connectors itself, and a change of ours could "
                "make it fail half way. Nothing was changed. Run the task again when setup has ended.",
                **{**result, "changed": False},
            )
        if changes and not self._task.check_mode:
            after = self._apply(params, agent, reading, ordered, result)
            # A login that is written in every run is never equal to what can be read back.
            left = [one for one in plan(after, wish) if set(one.after) != {CREDENTIAL}]
            result.update(_difference(before, after, changes, promises, bool(self._task.diff)))
            result.update(self.judged(params, before, after, after, promises, unfinished=bool(left)))
            if left:
                raise Failure(
                    f"The server took every change, but does not show all of them: {' '.join(words.plan_words(left))} "
                    f"Look at its event log for what refused them. {_way_back(result)}",
                    **result,
                )
        result["cost"] = {"powershell_starts": agent.starts, "exchange_shells": agent.starts}
        return result

    def judged(
        self, params: dict[str, t.Any], before: State, after: State, now: State, promises: Promises, *, unfinished: bool
    ) -> dict[str, t.Any]:
        """The keys `strangers` and `state` of the result; `now` is the one of the two states that holds at the moment."""
        told = [strangers.sentences(state.receive.values(), promises) for state in (before, after, now)]
        if told[0] is None and self.reason(params) == "rollback":
            # What a snapshot gives back may well be a door that is open to everybody, and nobody has looked.
            return {}
        return outcome.judged(told[0], told[1], told[2], unfinished=unfinished)

    def _apply(
        self,
        params: dict[str, t.Any],
        agent: Agent,
        reading: Reading,
        ordered: t.Sequence[Change],
        result: dict[str, t.Any],
    ) -> State:
        """Save the snapshot, write, read back; all in one remote call. Fills in the snapshot of `result`."""
        if any(change.after.get("authentication_credential") for change in ordered):
            self.require_private("authentication_credential")
        # By the server's clock: the controllers that write snapshots here need not agree on the time.
        now = datetime.datetime.fromtimestamp(reading.time(), datetime.timezone.utc)
        run_id, reason = secrets.token_hex(3), self.reason(params)
        name = snapshot.file_name(now, run_id, reason)
        text = snapshot.make(ordered, reading.state, reason=reason, time=now, run_id=run_id)
        result["snapshot"] = {"name": name, "folder": SNAPSHOT_FOLDER}
        if params.get("snapshot_copy"):
            result["snapshot"]["controller_path"] = _write_copy(params["snapshot_copy"], name, text)
        server, controller = reading.state.server.name, reading.state.domain_controller
        steps = calls.read_steps(server, controller, commands=False)
        concerned = {RECEIVE.name, *(change.table for change in ordered)}
        steps.extend(_digest_step(one, digest) for one, digest in reading.digests.items() if one in concerned)
        steps.append({"op": "write_file", "id": "snapshot", "folder": SNAPSHOT_FOLDER, "name": name, "text": text})
        working = reading.state
        owner: dict[str, int] = {}
        for index, change in enumerate(ordered):
            for step in calls.change_calls(change, working, step=f"change-{index + 1}", credential=Credential):
                owner[step["id"]] = index
                steps.append(step)
            working = apply(change, working)
        steps.extend(calls.read_steps(server, controller, prefix=_AGAIN, always=True, commands=False))
        request = {
            "protocol": 1,
            "shell": self.shell(params),
            "mutex": _MUTEX,
            # After that, this task has failed, and may be being undone.
            "deadline": int(reading.time(agent.time_limit)),
            "steps": steps,
        }
        try:
            answer = agent.run(request)
        except AgentError as error:
            raise _stopped(error, ordered, owner, result) from None
        except (AgentTimeout, AgentNoise) as error:
            outcome.forget(result)
            result["changed"] = True
            raise Failure(
                f"{error} What may have been changed, in this order: {' '.join(result['plan'])} {_way_back(result)}",
                **result,
            ) from None
        except AnsibleConnectionFailure as error:
            raise AnsibleConnectionFailure(
                f"The connection to the host was lost while changes were being written, in this order: "
                f"{' '.join(words.plan_words(ordered))} How far they came is not known; no step of them shuts out the "
                f"provider. {_way_back(result)} The error was: {error}"
            ) from None
        return _state(answer, _AGAIN, controller)


def _stopped(
    error: AgentError, ordered: t.Sequence[Change], owner: t.Mapping[str, int], result: t.Mapping[str, t.Any]
) -> Failure:
    """The failure for an error that the agent reported from the write call, with what was done before it."""
    facts = {**result, "error": error.as_result()}
    step = error.step or ""
    if step not in owner and not step.startswith(_AGAIN):
        facts.pop("snapshot", None)
        text = str(error)
        return Failure(text if "othing was" in text else f"{text} Nothing was changed.", **{**facts, "changed": False})
    done = owner.get(step, len(ordered))
    outcome.forget(facts)
    facts["done"] = words.plan_words(ordered[:done])
    facts["not_done"] = words.plan_words(ordered[done:])
    story = f"Done before it: {' '.join(facts['done'])}" if done else "Nothing was done before it."
    rest = f" Not done: {' '.join(facts['not_done'])}" if facts["not_done"] else ""
    return Failure(f"{error} {story}{rest} {_way_back(result)}", **{**facts, "changed": True})


def described(resource: Resource, connector: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A connector as the modules take it. What is unset is left out: not every option has a word for that."""
    return {option: value for option, value in resource.show(connector).items() if value != ""}


def _is_drift(change: Change) -> bool:
    """Whether something is not as described: a login that is written in every run may well be there already."""
    if set(change.after) != {CREDENTIAL}:
        return True
    held, wished = change.before[CREDENTIAL], change.after[CREDENTIAL]
    return held is None or wished is None or held.username.casefold() not in ("", wished.username.casefold())


def _way_back(result: t.Mapping[str, t.Any]) -> str:
    name = (result.get("snapshot") or {}).get("name")
    back = f", or give back the start with the snapshot {name}" if name else ""
    return f"Run the task again to finish{back}."


def _seconds(text: str) -> float:
    """A time of the agent, as seconds since 1970."""
    moment = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()


def _digest_id(resource: str) -> str:
    return f"digest-{resource}"


def _digest_step(resource: str, expected: str | None) -> dict[str, t.Any]:
    ids, ignored = list(calls.DIGESTS[resource]), list(calls.DIGEST_IGNORE)
    return {"op": "digest", "id": _digest_id(resource), "steps": ids, "ignore": ignored, "expect": expected}


def _objects(answer: t.Mapping[str, t.Any], step: str) -> list[dict[str, t.Any]]:
    found = answer.get("steps", {}).get(step) or {}
    return list(found.get("objects") or [])


def _state(answer: t.Mapping[str, t.Any], prefix: str, domain_controller: str | None) -> State:
    """The state of one reading in `answer`. The domain controller that the user named is the one that is written to."""
    state = read_state(answer["host"], calls.rows(answer["steps"], prefix))
    return dataclasses.replace(state, domain_controller=domain_controller) if domain_controller else state


def _difference(
    before: State, after: State, changes: t.Sequence[Change], promises: Promises, diff: bool
) -> dict[str, t.Any]:
    """The parts of the result that say what changes: options, exposure, and both as Ansible's diff."""
    shown = words.before_after(before, after, changes)
    exposure = words.exposure(before, after, promises)
    parts: dict[str, t.Any] = {**shown, "exposure": exposure}
    if diff:
        parts["diff"] = text_diff(*(words.diff_lines(exposure[when], shown[when]) for when in ("before", "after")))
    return parts


def _write_copy(folder: str, name: str, text: str) -> str:
    """The snapshot on the controller, readable by its owner only. Before any write, so that a failure stops the run."""
    path = pathlib.Path(folder).expanduser() / name
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, text)
    except OSError as error:
        raise Failure(
            f"The copy of the snapshot could not be written to {path}: {error.strerror}. Nothing was changed on the server. "
            f"Name another folder in snapshot_copy."
        ) from None
    return str(path)
