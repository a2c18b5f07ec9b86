# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Named mutexes of one server: Windows has one of a name for all its processes."""

from __future__ import annotations

import threading
import typing as t


class Mutexes:
    """Who holds which mutex. A `holder` is whatever tells one process from another."""

    def __init__(self) -> None:
        self._held: dict[str, t.Hashable] = {}
        self._changed = threading.Condition()

    def wait(self, name: str, holder: t.Hashable, seconds: float) -> bool:
        """Take the mutex, waiting at most so long for it; tell whether it was taken."""
        with self._changed:
            free = self._changed.wait_for(
                lambda: self._held.get(name, holder) == holder, timeout=max(0.0, seconds)
            )
            if free:
                self._held[name] = holder
            return free

    def release(self, name: str, holder: t.Hashable) -> None:
        """Give the mutex back, where `holder` holds it."""
        with self._changed:
            if self._held.get(name) == holder:
                del self._held[name]
                self._changed.notify_all()

    def abandon(self, holder: t.Hashable) -> None:
        """Give back all that a process held which has ended."""
        with self._changed:
            for name in [name for name, owner in self._held.items() if owner == holder]:
                del self._held[name]
            self._changed.notify_all()
