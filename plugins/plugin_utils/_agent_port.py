# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port of a host-side layer: the agent, over the host's own connection.

Two remote calls at most. The second one refuses to write if the server is no longer what the first
one read. Several layers of one server are read in one call (`read_together`), and write one after
the other.
"""

from __future__ import annotations

import dataclasses
import datetime
import time
import typing as t
from dataclasses import dataclass, field

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import lease as leases
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    snapshot as snapshots,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Change
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    SnapshotError,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.folder import Folder
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.layer import HostLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import (
    Kept,
    Port,
    Reading,
    Stopped,
    Written,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils import (
    _agent_lease,
    _agent_snapshots,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import (
    Agent,
    AgentError,
    AgentNoise,
    AgentTimeout,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_reading import (
    Step,
    raise_what_failed,
    read_alone,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import Credential, HostFact

_LAST_STEP_SECONDS = 90
_AGAIN = "after."
_NOT_TAKEN = "The lease of the server could not be taken: another run may have taken it since."
_NOT_TAKEN_REMEDY = (
    "Run it again; if it stays so, and no other run is at work there, "
    "remove that file or folder on the server."
)

State = t.TypeVar("State")


@dataclass(frozen=True)
class AgentReading(Reading[State]):
    """What one remote read gave, with the digests that the write has to find again. `names` are the
    newest snapshots of all layers.
    """

    names: tuple[str, ...] = ()
    digests: t.Mapping[str, str] = field(default_factory=dict)
    # How far the server's clock is ahead of this process's monotonic one, in seconds; by the time
    # that its answer took, too little.
    clock: float = 0.0

    def server_time(self, later: float = 0) -> float:
        """What the server's clock says, or will say in so many seconds, as seconds since 1970."""
        return self.clock + time.monotonic() + later

    def server_clock(self) -> datetime.datetime:
        """What the server's clock shows now."""
        return datetime.datetime.fromtimestamp(self.server_time(), datetime.timezone.utc)


@dataclass(frozen=True)
class Options:
    """How a host is reached.

    `shell` is the request's part of that name. `snapshot` is what a rollback asks for.

    `snapshot_copy` is a folder on the controller that gets a copy of the snapshot. `hold` is the
    lease that a write takes; None: the server is not leased beyond the task. `by` says who writes.
    """

    shell: t.Mapping[str, t.Any]
    time_limit: float = 300
    snapshot: str | None = None
    snapshot_copy: str | None = None
    with_snapshots: bool = False
    hold: leases.Hold | None = None
    by: str = "somebody"


class ServerLease:
    """The lease of one server as its ports have left it: they write one after the other.

    `text` is its file as it was last read or written, `own` the run's own, `snapshots` are the
    names of those that were kept under it. `taken`: one of the ports has put another in the place
    of what was read.
    """

    def __init__(self) -> None:
        self.own: leases.Lease | None = None
        self.text: str | None = None
        self.taken = False
        self.snapshots: list[str] = []
        self._read_from: t.Mapping[str, t.Any] | None = None
        self._older: tuple[t.Mapping[str, t.Any], _agent_snapshots.Rows] | None = None

    def read(self, answer: t.Mapping[str, t.Any], text: str | None) -> None:
        """Take the text of an answer, unless it was written since."""
        if answer is not self._read_from:
            self._read_from, self.text, self.taken = answer, text, False

    def older(
        self, answer: t.Mapping[str, t.Any], read: t.Callable[[], _agent_snapshots.Rows]
    ) -> _agent_snapshots.Rows:
        """The snapshots that an answer does not have, read once for all ports."""
        if self._older is None or self._older[0] is not answer:
            self._older = (answer, read())
        return self._older[1]

    def written(self, text: str) -> None:
        """Take the text that one of the ports has written."""
        self.text, self.taken = text, True


class AgentPort(Port[State, str, AgentReading[State]]):
    """One layer of one server, for one task. Ports of several layers share a `lease`."""

    def __init__(
        self,
        agent: Agent,
        layer: HostLayer[State],
        options: Options,
        lease: ServerLease | None = None,
    ) -> None:
        self._agent, self._layer, self._options = agent, layer, options
        self._lease = lease or ServerLease()
        # What was read for several ports at once, until this one has understood it.
        self._answer: t.Mapping[str, t.Any] | None = None
        # Where the state before is kept of a write to which no answer came.
        self.unanswered: t.Mapping[str, t.Any] | None = None

    def lease(self) -> dict[str, t.Any] | None:
        return None if self._lease.own is None else self._lease.own.told()

    def cost(self) -> dict[str, int]:
        return {"powershell_starts": self._agent.starts, "exchange_shells": self._agent.shells}

    def reading_steps(self) -> list[Step]:
        """What a read asks for."""
        layer, wanted = self._layer, self._options.snapshot
        steps = layer.read_steps(HostFact("name"))
        steps.extend(self._digest_step(name, None) for name in layer.digests)
        steps += _agent_snapshots.read_steps(wanted, listed=self._options.with_snapshots)
        return _agent_lease.read_steps(steps)

    def read(self) -> AgentReading[State]:
        layer, steps = self._layer, self.reading_steps()
        answer = self._answer
        try:
            if answer is None:
                answer = read_alone(self._agent, self)
            else:
                raise_what_failed(answer, steps)
        except AgentError as error:
            known = layer.explain(error.step, error.message)
            if known:
                error.explain(f"{known} Nothing was changed.")
            raise
        state = layer.parse(answer, "")
        answers = {
            step: list((step_answer or {}).get("objects") or [])
            for step, step_answer in answer["steps"].items()
        }
        now = _agent_lease.clock(answer["host"]["time_utc"])
        origin = layer.origin(state)
        leased = _agent_lease.understand(answer, now)
        older: _agent_snapshots.Rows = []
        wanted = self._options.snapshot
        if _agent_snapshots.need_older(answers, wanted, lambda file: self._is_one(file, origin)):
            older = self._lease.older(
                answer, lambda: _agent_snapshots.read_older(self._agent, answers)
            )
        there = _agent_snapshots.understand(answers, wanted, older)
        hold = self._options.hold
        if hold and leased.lease and leased.lease.run_id == hold.run_id and not leased.lease.ended:
            self._lease.own = leased.lease
        self._lease.read(answer, leased.text)
        return AgentReading(
            state=state,
            time=now,
            origin=origin,
            where=f"on the server {origin['server']}",
            kept=f"on the server {origin['server']}",
            facts=layer.facts(state, str(answer.get("way"))),
            notes=leased.notes,
            snapshots=there.files,
            names=there.names,
            lease=leased.lease,
            leased_meanwhile=leased.meanwhile,
            lease_unknown=leased.unknown,
            digests={name: str(answers[_digest_id(name)][0]["digest"]) for name in layer.digests},
            answers=answers,
            clock=now.timestamp() - time.monotonic(),
        )

    def _is_one(self, file: snapshots.Held, origin: t.Mapping[str, str]) -> bool:
        """Whether a file is a snapshot of this layer, here, that a rollback may give back."""
        if file.distrust:
            return False
        try:
            held = snapshots.parse(file.text, self._layer.name, self._layer.tables)
        except SnapshotError:
            return False
        here = [str(origin.get(name, "")).casefold() for name in held.origin]
        return [text.casefold() for text in held.origin.values()] == here and held.gives_back

    @property
    def shell(self) -> t.Mapping[str, t.Any]:
        """The request's part of that name."""
        return self._options.shell

    def take(self, answer: t.Mapping[str, t.Any]) -> None:
        """What read_together() got for this port; every read understands it anew."""
        self._answer = answer

    def forget(self) -> None:
        """The server is no longer as it was read: the next read asks again."""
        self._answer = None

    def read_mutex(self) -> dict[str, t.Any] | None:
        """What a read waits for, before a rollback."""
        # A write that was given up may still be in its last step; what it leaves is to be restored
        # as well.
        if self._options.snapshot is None:
            return None
        return {
            **_agent_lease.MUTEX,
            "seconds": min(_LAST_STEP_SECONDS, max(1, int(self._options.time_limit) - 5)),
        }

    def _digest_step(self, name: str, expected: str | None) -> Step:
        ids, ignored = list(self._layer.digests[name]), list(self._layer.digest_ignore)
        return {
            "op": "digest",
            "id": _digest_id(name),
            "steps": ids,
            "ignore": ignored,
            "expect": expected,
        }

    def foreign(self, origin: t.Mapping[str, str], reading: AgentReading[State]) -> str:
        wrong = another_server(origin, reading.origin["server"])
        if wrong:
            return wrong
        others = {name: text for name, text in origin.items() if name != "server"}
        here = {name: reading.origin.get(name, "") for name in others}
        # Windows compares names without case, and the layers name what Windows names.
        if [text.casefold() for text in others.values()] == [
            text.casefold() for text in here.values()
        ]:
            return ""
        return (
            f"It is of the {' and the '.join(f'{name} {text}' for name, text in others.items())}."
        )

    def keep(self, snapshot: snapshots.Snapshot[str], reading: AgentReading[State]) -> Kept:
        time = snapshots.newest_after([*reading.names, *self._lease.snapshots], reading.time)
        name = snapshots.file_name(time, snapshot.run_id, snapshot.reason)
        kept = Kept(name, snapshot.text(), {"name": name, "folder": _agent_lease.FOLDER})
        if not self._options.snapshot_copy:
            return kept
        try:
            path = Folder(self._options.snapshot_copy).write(name, kept.text)
        except SnapshotError as error:
            raise SnapshotError(f"{error} It is named in snapshot_copy.") from None
        return dataclasses.replace(kept, facts={**kept.facts, "controller_path": path})

    def write(
        self, steps: t.Sequence[Change[str]], reading: AgentReading[State], kept: Kept
    ) -> Written[State, str]:
        """Take the lease, keep the snapshot, make the steps, read again; in one remote call."""
        layer, state = self._layer, reading.state
        request_steps = layer.read_steps(None, state)
        request_steps.extend(
            self._digest_step(name, digest)
            for name, digest in reading.digests.items()
            if name in layer.concerned(steps)
        )
        lease = self._lease_taken(reading)
        request_steps.append(_agent_lease.take_step(lease, self._lease.text))
        write_file = {
            "op": "write_file",
            "id": "snapshot",
            "folder": _agent_lease.FOLDER,
            "name": kept.name,
        }
        request_steps.append({**write_file, "text": kept.text})
        change_of: dict[str, int] = {}
        working = state
        for index, change in enumerate(steps):
            for step in layer.calls(
                change, working, step=f"change-{index + 1}", credential=Credential
            ):
                change_of[step["id"]] = index
                request_steps.append(step)
            working = layer.tables.apply(change, working)
        request_steps.extend(layer.read_steps(None, state, prefix=_AGAIN, always=True))
        if self._options.hold and not self._options.hold.goes_on:
            # Not where a step before it failed: what was made is then to be undone.
            request_steps.append(_agent_lease.end_step(lease))
        held = self._lease.own
        # Also where no answer comes: its name is taken then.
        self._lease.snapshots.append(kept.name)
        if not lease.ended:
            # As long as nobody says otherwise: an answer may be lost.
            self._lease.own = lease
        try:
            answer = self._agent.run(self._writing(request_steps, reading, self._options.shell))
        except AgentError as error:
            if _agent_lease.was_done(error.answer):
                self._lease.written(lease.text())
            else:
                self._lease.own = held
            known = layer.explain(error.step, error.message)
            if known:
                error.explain(known)
            failed = error.step or ""
            untouched = failed not in change_of and not failed.startswith(_AGAIN)
            done = 0 if untouched else change_of.get(failed, len(steps))
            why = (
                f"{_NOT_TAKEN} {error} {_NOT_TAKEN_REMEDY}"
                if failed == _agent_lease.TAKE
                else str(error)
            )
            raise Stopped(
                why, done=done, untouched=untouched, facts={"error": error.as_result()}
            ) from None
        except (AgentTimeout, AgentNoise) as error:
            raise Stopped(str(error), done=None) from None
        except AnsibleConnectionFailure as error:
            self.unanswered = dict(kept.facts)
            sentences = " ".join(layer.sentence(change) for change in steps)
            raise AnsibleConnectionFailure(
                "The connection to the host was lost while changes were being written, in this "
                f"order: {sentences} How far they got is not known; no step of them shuts out the "
                "provider. Run the task again to finish, or restore the previous state with the "
                f"snapshot {kept.name}. The error was: {error}"
            ) from None
        if _agent_lease.was_done(answer, ended=True):
            lease = dataclasses.replace(lease, ended=True)
            self._lease.own = lease
        self._lease.written(lease.text())
        return Written(layer.parse(answer, _AGAIN, state))

    def take_over(self, reading: AgentReading[State]) -> None:
        """One remote call more, and only where another run's lease was met that had not ended.

        For all layers of the task: a mark over the lease under which one of them has written would
        end that one, before the run is proven.
        """
        if self._lease.taken:
            return
        lease = leases.mark(reading.origin["server"], self._options.by, reading.server_clock())
        steps = [_agent_lease.take_step(lease, self._lease.text)]
        try:
            self._agent.run(self._writing(steps, reading, {"way": "none"}))
        except (AgentError, AgentTimeout, AgentNoise) as error:
            raise Stopped(
                f"{_NOT_TAKEN} {error} {_NOT_TAKEN_REMEDY}", done=0, untouched=True
            ) from None
        self._lease.written(lease.text())

    def _lease_taken(self, reading: AgentReading[State]) -> leases.Lease:
        """What a write puts in the place of the lease that was read."""
        server, hold, now = reading.origin["server"], self._options.hold, reading.server_clock()
        if hold is None:
            return leases.mark(server, self._options.by, now)
        return leases.take(server, hold, now)

    def _writing(
        self, steps: list[Step], reading: AgentReading[State], shell: t.Mapping[str, t.Any]
    ) -> dict[str, t.Any]:
        # After the deadline this task has failed, and may be being undone.
        deadline = int(reading.server_time(self._agent.time_limit))
        return {
            "protocol": 1,
            "shell": shell,
            "mutex": _agent_lease.MUTEX,
            "deadline": deadline,
            "steps": steps,
        }


def another_server(origin: t.Mapping[str, str], here: str) -> str:
    """Why a snapshot of that origin is not of the server `here`; empty where it is."""
    server = origin.get("server", "")
    return "" if server.casefold() == here.casefold() else f"It is of the server {server}."


def _digest_id(name: str) -> str:
    return f"digest-{name}"
