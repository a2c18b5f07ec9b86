# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dated files of old runs: which of a folder are ours and old, and how they go."""

from __future__ import annotations

import contextlib
import datetime
import os
import pathlib
import re
import shutil
import tempfile
import time
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import PLAYBOOKS

MOST_DAYS = 36_500
_UNFIT = re.compile(r"[^A-Za-z0-9]+")


def stem_of(at: str, playbook: str) -> str:
    """The first part of the names of a run's files, but for a number."""
    return f"report-{_UNFIT.sub('', at)}-{_UNFIT.sub('-', playbook or 'run')}"


_RUNS = "|".join(_UNFIT.sub("-", name) for name in (*PLAYBOOKS, "run"))
_NAME = re.compile(
    rf"(?P<stem>report-(?P<at>[0-9]{{8}}T[0-9]{{6}})Z-(?:{_RUNS})(?:-[0-9]+)?)\.(?P<end>[a-z]+)"
)


def check_days(days: int | None) -> str:
    """What is wrong with a number of days, in one sentence; empty where nothing is."""
    if days is None or 1 <= days <= MOST_DAYS:
        return ""
    return f"keep_days must be between 1 and {MOST_DAYS} days, or not set, which keeps everything."


def old_runs(
    folder: pathlib.Path, ends: t.Collection[str], at: str, days: int
) -> dict[str, list[pathlib.Path]]:
    """The runs older than `days` days before `at`: the first part of their names → their files.

    Both the time in the name and that of the last write have to be old, so that neither a clock
    that is wrong nor a copy from elsewhere is enough. A run with a file of ours that is none, such
    as a link, is left whole.
    """
    age = datetime.timedelta(days=days)
    before = datetime.datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ") - age
    written_before = time.time() - age.total_seconds()
    runs: dict[str, list[pathlib.Path]] = {}
    kept: set[str] = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            name = _NAME.fullmatch(entry.name)
            if not name or name["end"] not in ends:
                continue
            runs.setdefault(name["stem"], []).append(folder / entry.name)
            try:
                old = datetime.datetime.strptime(name["at"], "%Y%m%dT%H%M%S") < before
            except ValueError:
                old = False
            status = entry.stat(follow_symlinks=False)
            ours = entry.is_file(follow_symlinks=False) and status.st_mtime < written_before
            if not (old and ours):
                kept.add(name["stem"])
    return {stem: sorted(paths) for stem, paths in sorted(runs.items()) if stem not in kept}


def remove(
    folder: pathlib.Path, runs: t.Mapping[str, t.Sequence[pathlib.Path]]
) -> tuple[list[str], list[str]]:
    """Remove the files of each run, all of them or none; the paths that are gone, and warnings."""
    gone: list[str] = []
    if not runs:
        return [], []
    try:
        aside = pathlib.Path(tempfile.mkdtemp(dir=str(folder), prefix=".old-"))
        try:
            for stem, paths in runs.items():
                _move(paths, aside, stem)
                gone += map(str, paths)
        finally:
            shutil.rmtree(aside)
    except OSError as error:
        why = str(error.strerror or error).rstrip(".")
        return gone, [f"Old reports in {folder} could not be removed ({why})."]
    return gone, []


def _move(paths: t.Sequence[pathlib.Path], aside: pathlib.Path, stem: str) -> None:
    """All of them, or raise OSError and leave all where they were."""
    moved: list[pathlib.Path] = []
    try:
        for path in paths:
            os.rename(path, aside / path.name)
            moved.append(path)
    except OSError as error:
        for path in moved:
            with contextlib.suppress(OSError):
                os.rename(aside / path.name, path)
        raise OSError(error.errno, f"{error.strerror}, those of {stem} and later") from None
