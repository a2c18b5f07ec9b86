# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Windows of a lab host, beside its Exchange: what scripts find there by COM and in its stores."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.com import (
    CLASS_NOT_REGISTERED,
    ComError,
    ComObject,
)


class WindowsHost:
    """One Windows. `classes` maps the ProgIDs that are registered, in lower case, to what makes the object."""

    def __init__(self) -> None:
        self.classes: dict[str, t.Callable[[], ComObject]] = {}

    def create(self, prog_id: str) -> ComObject:
        """What New-Object -ComObject gives. Raises ComError."""
        make = self.classes.get(prog_id.casefold())
        if make is None:
            # The words of 5.1 (learn.microsoft.com, "New-Object").
            raise ComError(
                CLASS_NOT_REGISTERED,
                "Retrieving the COM class factory for component with CLSID {00000000-0000-0000-0000-000000000000} failed due to the "
                "following error: 80040154 Class not registered (Exception from HRESULT: 0x80040154 (REGDB_E_CLASSNOTREG)).",
            )
        return make()
