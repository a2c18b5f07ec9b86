# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The snapshots on a server as the agent reads them: files of all its layers in one folder."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import lease as leases
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    snapshot as snapshots,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _agent_lease
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_reading import (
    Step,
    ask,
    raise_what_failed,
)

SNAPSHOT_FOLDER = _agent_lease.FOLDER
MOST_SNAPSHOTS = 100
"""As many are read at once: an old PowerShell has no room for more."""
# A file or two that somebody planted among them do not hide ours.
_NEWEST = 5
_FILES, _NAMED, _ALL = "snapshots", "snapshots-named", "snapshots-all"

Row = t.Mapping[str, t.Any]
Rows = list[Row]


@dataclass(frozen=True)
class FilesThere:
    """What a task needs to know of them. `files` are those that it may restore, newest first;
    `names` the newest of all.
    """

    files: tuple[snapshots.Held, ...]
    names: tuple[str, ...]


def read_steps(wanted: str | None, *, listed: bool) -> list[Step]:
    """The steps that read them. `wanted` is what a rollback asks for; `listed`: all texts are."""
    named = wanted is not None and snapshots.is_name(wanted)
    texts = listed or (wanted is not None and not named)
    # The newest in any case: the next one must be newer, also where the clock was put back.
    steps: list[Step] = [
        _step(_FILES, names=None, last=MOST_SNAPSHOTS if texts else _NEWEST, unread=not texts)
    ]
    if named:
        steps.append(_step(_NAMED, names=[wanted]))
    elif wanted is not None:
        steps.append(_step(_ALL, names=None, unread=True))
    return steps


def understand(answers: t.Mapping[str, Rows], wanted: str | None, older: Rows) -> FilesThere:
    """What the answers to read_steps() tell, and what read_older() gave."""
    files = snapshot_files([*older, *answers[_FILES]])
    names = tuple(file.name for file in files if not file.distrust)
    if wanted is None or not snapshots.is_name(wanted):
        return FilesThere(files, names)
    # Other layers may have asked for other names.
    named = [file for file in snapshot_files(answers[_NAMED]) if file.name == wanted]
    return FilesThere(tuple(named), names)


def need_older(
    answers: t.Mapping[str, Rows],
    wanted: str | None,
    is_one: t.Callable[[snapshots.Held], bool],
) -> bool:
    """Whether what a rollback asks for may be among files that are older than those read: the
    latest snapshot of a layer, where the newest files are those of others. `is_one` tells whether a
    file is a snapshot that may be given back.
    """
    if wanted == snapshots.LATEST:
        return not any(map(is_one, snapshot_files(answers[_FILES])))
    return wanted == snapshots.ORIGINAL


def read_older(agent: Agent, answers: t.Mapping[str, Rows]) -> Rows:
    """Those that are older than what was read, in as many further calls as they need. Raises what a
    read raises.
    """
    held = {str(row["name"]) for row in answers[_FILES]}
    names = [str(row["name"]) for row in answers[_ALL]]
    missing = [name for name in names if snapshots.is_name(name) and name not in held]
    rows: Rows = []
    for at in range(0, len(missing), MOST_SNAPSHOTS):
        step = _step(_FILES, names=missing[at : at + MOST_SNAPSHOTS])
        answer = ask(
            agent, {"protocol": 1, "shell": {"way": "none"}, "mutex": None, "steps": [step]}
        )
        raise_what_failed(answer, [step])
        rows += answer["steps"][_FILES]["objects"] or []
    return rows


def snapshot_files(rows: t.Iterable[Row]) -> tuple[snapshots.Held, ...]:
    """The files of the folder, newest first; the lease is none of the snapshots."""
    held = map(_agent_lease.held_file, rows)
    return tuple(file for file in held if file.name != leases.FILE)[::-1]


def _step(step: str, **asked: t.Any) -> Step:
    return {"op": "read_files", "id": step, "folder": SNAPSHOT_FOLDER, **asked}
