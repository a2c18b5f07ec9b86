# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's clock, which can be moved on, so that a test need not wait for an outage to end."""

from __future__ import annotations

import datetime
import threading
import time


class Clock:
    """Real time and whatever it was moved on by. Never goes back."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._lock = threading.Lock()

    def advance(self, seconds: float) -> float:
        """Move the clock on; give how many seconds it is ahead now. Raises ValueError for a step
        back.
        """
        if seconds < 0:
            raise ValueError("The lab's clock does not go back.")
        with self._lock:
            self._ahead += seconds
            return self._ahead

    def monotonic(self) -> float:
        """Seconds for measuring."""
        return time.monotonic() + self._ahead

    def now(self) -> datetime.datetime:
        """The date, in UTC."""
        return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(
            seconds=self._ahead
        )
