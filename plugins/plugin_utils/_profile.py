# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where time goes: MAILEDGE_PROFILE=FILE adds what each action does to one profile.

Ansible runs every action in a process of its own, so that a profiler around ansible-playbook sees
none of them.
"""

from __future__ import annotations

import cProfile
import fcntl
import functools
import os
import pstats
import typing as t

from ansible.utils.display import Display

VARIABLE = "MAILEDGE_PROFILE"

_running: list[cProfile.Profile] = []
_Run = t.TypeVar("_Run", bound=t.Callable[..., dict[str, t.Any]])


def profiled(run: _Run) -> _Run:
    """A `run` of an action that adds its profile to the file which the variable names, if any."""

    @functools.wraps(run)
    def wrapper(*args: t.Any, **kwargs: t.Any) -> dict[str, t.Any]:
        path = os.environ.get(VARIABLE)
        # An action that is built on another one has that one in its own profile.
        if not path or _running:
            return run(*args, **kwargs)
        profile = cProfile.Profile()
        _running.append(profile)
        try:
            return profile.runcall(run, *args, **kwargs)
        finally:
            _running.clear()
            _add(profile, path)

    return t.cast("_Run", wrapper)


def _add(profile: cProfile.Profile, path: str) -> None:
    """Add a profile to those of the other actions and hosts, which may be written at the same time.

    A profile that cannot be written does not fail the action: the task has been done.
    """
    try:
        with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            stats = pstats.Stats(path) if os.fstat(file.fileno()).st_size else None
            if stats is None:
                profile.dump_stats(path)
            else:
                stats.add(profile)
                stats.dump_stats(path)
    except (OSError, ValueError, TypeError, EOFError) as error:
        Display().warning(
            f"{VARIABLE} names {path}, to which no profile can be added ({type(error).__name__}: "
            f"{error}). The task is not concerned. Name a new file."
        )
