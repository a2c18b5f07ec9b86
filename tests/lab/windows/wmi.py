# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WMI of a lab host: classes as lists of objects, and a repository that may be broken, which is
common enough on old servers.

Sources: learn.microsoft.com, Win32_QuickFixEngineering, whose InstalledOn is a text: ``M/d/yyyy``
as a rule, a FILETIME in 16 hexadecimal digits on Windows Server 2008 (tek-tips.com faq 96-7194),
sometimes ISO, sometimes empty, sometimes in the language of Windows; Win32_ComputerSystem, whose
TotalPhysicalMemory is a little below what is built in.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError

Row = dict[str, t.Any]


class UInt64(int):
    """A number of 64 bits without a sign, as WMI has sizes."""


def shown(row: Row) -> Row:
    """An object as JSON for the proxies."""
    return {
        name: {"$uint64": str(int(value))} if isinstance(value, UInt64) else value
        for name, value in row.items()
    }


class Wmi:
    """The classes, by casefolded name. `broken`: every query fails."""

    def __init__(self) -> None:
        self.classes: dict[str, list[Row]] = {}
        self.broken = False

    def query(self, name: str) -> list[Row]:
        """The objects of a class. Raises ExchangeError."""
        if self.broken:
            raise ExchangeError(
                "COMException",
                "GetWMICOMException,Microsoft.PowerShell.Commands.GetWmiObjectCommand",
                "InvalidOperation",
                "The WMI repository is corrupt. (Exception from HRESULT: 0x8004100E)",
                terminating=True,
            )
        instances = self.classes.get(name.casefold())
        if instances is None:
            raise ExchangeError(
                "ManagementException",
                "GetWMIManagementException,Microsoft.PowerShell.Commands.GetWmiObjectCommand",
                "InvalidType",
                f"Invalid class '{name}'",
                terminating=True,
            )
        return [dict(instance) for instance in instances]
