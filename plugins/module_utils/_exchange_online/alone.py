# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time writes to a tenant, of those that keep their snapshots in one folder.

A tenant has no place for a lease, and runs on other hosts are told by what they have changed. The
lock of a file ends with its process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    SnapshotError,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.folder import Folder

_WAITS = (2.0,) * 30
"""How long is waited for another run, in seconds, one time after the other."""


class Alone:
    """The lock of one tenant in a folder."""

    def __init__(self, folder: Folder, tenant: str) -> None:
        self._path = folder.path / f"0-writing-{tenant.lower()}.lock"
        self._tenant = tenant
        self._number: int | None = None

    def begin(self, wait: t.Callable[[float], None]) -> None:
        """Keep others from writing until `end`. Raises SnapshotError where one stays at it."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            number = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise SnapshotError(
                f"The file {self._path}, by which runs wait for each other, cannot be opened "
                f"({error.strerror}), so nothing was changed. Name a folder that can be written."
            ) from None
        for seconds in _WAITS:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                wait(seconds)
            except OSError as error:
                os.close(number)
                raise SnapshotError(
                    f"The file {self._path} cannot be locked ({error.strerror}), so nothing was "
                    "changed. Name a folder on a disk that knows locks."
                ) from None
        else:
            os.close(number)
            raise SnapshotError(
                f"Another run is writing to the tenant {self._tenant}, and has not ended while "
                "this one waited. Nothing was changed. Run the task again when that run has ended."
            )
        self._number = number

    def end(self) -> None:
        """Let others write."""
        if self._number is not None:
            os.close(self._number)
            self._number = None
