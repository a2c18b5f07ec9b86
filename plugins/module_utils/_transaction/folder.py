# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of snapshots on the host that runs a module, for devices that keep none."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import pathlib
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    snapshot as snapshots,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    SnapshotError,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.files import (
    write_whole,
)


class Folder:
    """Snapshots of any number of devices, readable by this user only."""

    def __init__(self, path: str) -> None:
        self.path = pathlib.Path(path).expanduser()

    def write(self, name: str, text: str) -> str:
        """Write a snapshot, whole or not at all; give its path. Raises SnapshotError."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self.path / name, text)
        except OSError as error:
            raise SnapshotError(
                f"The snapshot cannot be written to {self.path} ({error.strerror}), so nothing was "
                "changed. Name a folder that can be written."
            ) from None
        return str(self.path / name)

    def held(self) -> t.Iterator[snapshots.Held]:
        """The snapshots, newest first."""
        return map(_held, (path for path in self._paths() if snapshots.is_name(path.name)))

    def files(self) -> t.Iterator[snapshots.Held]:
        """All files, the last by name first. One that cannot be read has no text, which is no
        snapshot.
        """
        return map(_held, self._paths())

    def _paths(self) -> list[pathlib.Path]:
        return sorted(self.path.glob("*"), reverse=True)

    def file(self, name: str) -> snapshots.Held | None:
        """One file; None where there is none."""
        path = self.path / name
        return _held(path) if path.exists() else None

    def put(self, name: str, text: str | None, over: str | None) -> bool:
        """Write a file where it still has the text `over`, None: where there is none. Tell whether
        it had. Raises OSError.

        None as `text` only asks. Who does this at the same time waits.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            held = self.file(name)
            if (held.text if held else None) != over:
                return False
            if text is not None:
                write_whole(self.path / name, text)
            return True

    @contextlib.contextmanager
    def _alone(self) -> t.Iterator[None]:
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def name_for(self, time: datetime.datetime, run_id: str, reason: str) -> str:
        """The name of the snapshot of a run: the one that an earlier task of it has made, else a
        new one.

        A new one is newer than all that are there, also where the clock was put back since.
        """
        names = sorted(
            path.name for path in self.path.glob("*.json") if snapshots.is_name(path.name)
        )
        for name in reversed(names):
            if name.endswith(f"-{run_id}-{reason}.json"):
                return name
        return snapshots.file_name(snapshots.newest_after(names, time), run_id, reason)


def _held(path: pathlib.Path) -> snapshots.Held:
    try:
        owner = path.stat().st_uid
        distrust = (
            ""
            if owner in (0, os.getuid())
            else f"It belongs to another user, of the number {owner}."
        )
        return snapshots.Held(path.name, path.read_text(encoding="utf-8"), distrust)
    except (OSError, UnicodeDecodeError):
        return snapshots.Held(path.name, "")
