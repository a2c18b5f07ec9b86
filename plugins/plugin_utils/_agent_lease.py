# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease of a server as the agent reads and writes it: one file in the folder of snapshots."""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import lease as leases
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    snapshot as snapshots,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.lease import Lease
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent, AgentError

# On the server itself, so that it outlives a controller that is a container; the agent lets
# administrators only read it.
FOLDER = r"%ProgramData%\mailedge"
MUTEX = {"name": r"Global\mailedge.lockdown", "seconds": 30}
TAKE = "lease-take"
READ_AGAIN = "lease-again"
_READ, _END = "lease", "lease-end"
# Administrators and the system, as security descriptors abbreviate them and in full
# (learn.microsoft.com, "SID Strings").
_OWNERS = ("BA", "SY", "S-1-5-32-544", "S-1-5-18")
_OWNER = re.compile(r"O:(S-[0-9-]+|[A-Z]{2})")

Answer = t.Mapping[str, t.Any]
Step = dict[str, t.Any]


def clock(text: str) -> datetime.datetime:
    """A server's time, as the agent tells it."""
    time = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    return time.replace(tzinfo=datetime.timezone.utc)


def held_file(row: t.Mapping[str, t.Any]) -> snapshots.Held:
    """A file of the folder. Any user can make it before we do, and put files into it."""
    owner = _OWNER.match(str(row.get("sddl") or ""))
    distrust = ""
    if owner is None:
        distrust = "Who owns it could not be read."
    elif owner[1] not in _OWNERS:
        distrust = f"It belongs to {owner[1]}, and not to the administrators or the system."
    return snapshots.Held(str(row["name"]), str(row["text"]), distrust)


def who(variables: t.Mapping[str, t.Any]) -> str:
    """Who runs this, for a person at another controller to find: user, host, and the job in AWX."""
    job, person = variables.get("awx_job_id"), variables.get("awx_user_name")
    about = f"job {job} of {person or 'nobody'}, " if job else ""
    return leases.printable(f"{about}{leases.local_name()}")


@dataclass(frozen=True)
class Leased:
    """What was read of it. `lease` is the newest, None where there is none.

    `text` is the file as it was at first, None where there was none. `meanwhile`: it was another
    one in the end. `unknown` says in sentences why nobody can tell whether there is one, `notes`
    what was passed over.
    """

    lease: Lease | None = None
    text: str | None = None
    meanwhile: bool = False
    unknown: str = ""
    notes: tuple[str, ...] = ()


def read_steps(steps: t.Sequence[Step]) -> list[Step]:
    """The steps that read a server, between two looks at the lease.

    What is written between them is written under another one than either shows.
    """
    return [_look(_READ), *steps, _look(READ_AGAIN)]


def understand(answer: Answer, now: datetime.datetime) -> Leased:
    """The lease in an answer to read_steps()."""
    first, last = (answer["steps"].get(step) or {} for step in (_READ, READ_AGAIN))
    unread = [
        str(looked["error"].get("message")) for looked in (first, last) if looked.get("error")
    ]
    rows = [(looked.get("objects") or [None])[0] for looked in (first, last)]
    lease, note, unknown = _understood(rows[1], str(answer["host"]["name"]), now)
    if unread:
        unknown = (
            f"Whether somebody has leased the server could not be read in {FOLDER}: {unread[0]}"
        )
    return Leased(
        lease=lease,
        text=None if rows[0] is None else str(rows[0]["text"]),
        meanwhile=rows[0] != rows[1],
        unknown=unknown,
        notes=(note,) if note else (),
    )


def _understood(
    row: t.Mapping[str, t.Any] | None, server: str, now: datetime.datetime
) -> leases.Understood:
    """The lease of a row, or why it is none that counts."""
    return leases.understand(None if row is None else held_file(row), server, now)


def take_step(lease: Lease, over: str | None) -> Step:
    """The step that takes a lease, where the file is still as it was read."""
    return _write(TAKE, lease, over)


def end_step(lease: Lease) -> Step:
    """The step that ends a lease which an earlier step has taken.

    If it fails, the lease is still held, and ends in another call or by itself.
    """
    return {**_write(_END, dataclasses.replace(lease, ended=True), lease.text()), "optional": True}


def was_done(answer: Answer, *, ended: bool = False) -> bool:
    """Whether the lease was taken, or ended, as far as an answer tells."""
    return bool((answer.get("steps", {}).get(_END if ended else TAKE) or {}).get("ok"))


def end(agent: Agent, known: Lease) -> str:
    """End the lease of a run, and no other one; give why that could not be, empty where it was.

    `known` is the lease as the run has last seen it. Raises what the agent raises where no answer
    came.
    """
    problem = ""
    steps = [_write(_END, dataclasses.replace(known, ended=True), known.text())]
    for _attempt in range(2):
        look = {**_look(_READ), "always": True}
        request = {"protocol": 1, "shell": {"way": "none"}, "mutex": MUTEX, "steps": [*steps, look]}
        try:
            agent.run(request)
            return ""
        except AgentError as error:
            answer, problem = error.answer, str(error)
        if _READ not in answer.get("steps", {}):
            return problem
        # What is there is another one than the run has known: a write whose answer was lost.
        now = clock(answer["host"]["time_utc"])
        row = (answer["steps"][_READ].get("objects") or [None])[0]
        lease, note, _unknown = _understood(row, str(answer["host"]["name"]), now)
        if lease is None or lease.run_id != known.run_id or lease.ended:
            return note or (f"It was taken by {lease.words()}." if lease else "It is gone.")
        steps = [_write(_END, dataclasses.replace(lease, ended=True), str((row or {})["text"]))]
    return problem


def _look(step: str) -> Step:
    names = [leases.FILE]
    return {"op": "read_files", "id": step, "folder": FOLDER, "names": names, "optional": True}


def _write(step: str, lease: Lease, over: str | None) -> Step:
    content = {"folder": FOLDER, "name": leases.FILE, "text": lease.text(), "over": over}
    return {"op": "write_file", "id": step, **content}
