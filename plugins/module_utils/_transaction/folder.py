# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of snapshots on the host that runs a module, for devices that keep none."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import fcntl
import os
import pathlib
import stat
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
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.layer import Layer
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Kept

Key = t.TypeVar("Key", bound=t.Hashable)

CONTENT = "content"
"""What a rollback asks for whose snapshot is among its options."""
# A lease is for others to see, as far as the folder lets them in; it holds nothing private.
_READABLE = 0o644
_LONGEST = 64 << 20
_LONGEST_LEASE = 64 << 10
"""In bytes. No file of ours comes near it, and nobody's is to fill the memory."""


class Folder:
    """Snapshots of any number of devices, readable by this user only, and their leases."""

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

    def keep(
        self, layer: Layer[t.Any, Key], snapshot: snapshots.Snapshot[Key], time: datetime.datetime
    ) -> Kept:
        """Write the snapshot of a task; those of one run share one. Raises SnapshotError."""
        name = self.name_for(time, snapshot.run_id, snapshot.reason)
        earlier = [held.text for held in self.held() if held.name == name]
        return self.keep_over(layer, name, snapshot, earlier[0] if earlier else "")

    def keep_over(
        self, layer: Layer[t.Any, Key], name: str, snapshot: snapshots.Snapshot[Key], earlier: str
    ) -> Kept:
        """Write a snapshot over what an earlier task of its run has kept; empty where none has.

        Its content is in the result as well: the disk of a container does not outlive its job.
        """
        if earlier:
            first = snapshots.parse(earlier, layer.name, layer.tables)
            snapshot = dataclasses.replace(
                first,
                # What the earlier task has saved counts.
                desired=layer.tables.fold(snapshot.desired, first.desired),
                made=layer.tables.fold(first.made, snapshot.made),
                plan=(*first.plan, *snapshot.plan),
                not_restorable=tuple(
                    dict.fromkeys((*first.not_restorable, *snapshot.not_restorable))
                ),
            )
        text = snapshot.text()
        self.write(name, text)
        facts = {"name": name, "folder": str(self.path), "content": text}
        return Kept(name, text, facts, earlier)

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

    def lease(self, name: str) -> snapshots.Held | None:
        """The file of a lease; None where there is none. A link that leads nowhere is one."""
        path = self.path / name
        return _held(path, _LONGEST_LEASE) if os.path.lexists(path) else None

    def put(self, name: str, text: str | None, over: str | None) -> bool:
        """Write a lease where it still has the text `over`, None: where there is none. Tell whether
        it had. Raises OSError.

        None as `text` only asks. Who does this at the same time waits.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            held = self.lease(name)
            if (held.text if held else None) != over:
                return False
            if text is not None:
                write_whole(self.path / name, text, _READABLE)
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


def _held(path: pathlib.Path, longest: int = _LONGEST) -> snapshots.Held:
    """A file as it is. Whoever may write to the folder can put anything there: a link, a folder, a
    pipe that never ends.
    """
    distrust = ""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(number, "rb") as file:
            about = os.fstat(number)
            if about.st_uid not in (0, os.getuid()):
                distrust = f"It belongs to another user (uid {about.st_uid})."
            if not stat.S_ISREG(about.st_mode):
                return snapshots.Held(path.name, "", distrust, "it is no file")
            content = file.read(longest + 1)
        if len(content) > longest:
            return snapshots.Held(path.name, "", distrust, f"it is longer than {longest >> 10} kB")
        return snapshots.Held(path.name, content.decode("utf-8"), distrust)
    except OSError as error:
        return snapshots.Held(path.name, "", distrust, error.strerror or str(error))
    except UnicodeDecodeError:
        return snapshots.Held(path.name, "", distrust, "it is no text")
