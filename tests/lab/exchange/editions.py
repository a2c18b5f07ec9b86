# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The editions of Exchange that the lab plays: their builds, roles and snap-ins.

Builds: Microsoft's table of Exchange Server build numbers. Snap-ins: learn.microsoft.com and
CSS-Exchange (Confirm-ExchangeShell).
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass


class Generation(enum.IntEnum):
    """Generations of Exchange by age."""

    RTM2007 = 0
    SP2007 = 1
    E2010 = 2
    E2013 = 3
    E2016 = 4
    E2019 = 5
    SE = 6


@dataclass(frozen=True)
class Edition:
    """What is installed on a host. `build` is major, minor, build, revision; `sbs` a Small Business
    Server.
    """

    key: str
    generation: Generation
    build: tuple[int, int, int, int]
    powershell: str
    edge: bool = False
    sbs: bool = False

    @property
    def frontend(self) -> bool:
        """Whether it has a front end transport service beside the hub transport service."""
        return self.generation >= Generation.E2013 and not self.edge

    @property
    def local_shell(self) -> bool:
        """Whether its shell is local only: 2007 and every Edge server have no endpoint for remote
        sessions.
        """
        return self.edge or self.generation < Generation.E2010

    @property
    def snapin(self) -> str:
        """The name of its snap-in."""
        name = "E2010" if self.generation is Generation.E2010 else "Admin"
        if self.generation >= Generation.E2013:
            name = "SnapIn"
        return f"Microsoft.Exchange.Management.PowerShell.{name}"

    @property
    def registry(self) -> str:
        """Its key below ``HKLM:\\SOFTWARE\\Microsoft`` (that of 2007 is unverified)."""
        major = self.build[0]
        return "Exchange\\v8.0" if major == 8 else f"ExchangeServer\\v{major}"

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that have a key in the registry."""
        if self.edge:
            return ("EdgeTransport",)
        if self.generation < Generation.E2013:
            return ("Mailbox", "ClientAccess", "HubTransport")
        return ("Mailbox", "ClientAccess", "HubTransport", "FrontendTransport", "Cafe")

    @property
    def install_path(self) -> str:
        """Where it is installed."""
        folder = {8: "", 14: "V14\\"}.get(self.build[0], "V15\\")
        return f"C:\\Program Files\\Microsoft\\Exchange Server\\{folder}"


_G = Generation
_ALL = (
    Edition("2007-rtm", _G.RTM2007, (8, 0, 685, 24), "2.0"),
    Edition("2007", _G.SP2007, (8, 3, 83, 6), "2.0"),
    Edition("sbs-2008", _G.SP2007, (8, 3, 83, 6), "2.0", sbs=True),
    Edition("2010", _G.E2010, (14, 3, 123, 4), "2.0"),
    Edition("sbs-2011", _G.E2010, (14, 3, 123, 4), "2.0", sbs=True),
    Edition("edge-2010", _G.E2010, (14, 3, 123, 4), "2.0", edge=True),
    Edition("2013", _G.E2013, (15, 0, 1497, 2), "4.0"),
    Edition("2016", _G.E2016, (15, 1, 2507, 6), "5.1.14393.0"),
    Edition("2019", _G.E2019, (15, 2, 1544, 4), "5.1.17763.1"),
    Edition("edge", _G.E2019, (15, 2, 1544, 4), "5.1.17763.1", edge=True),
    Edition("se", _G.SE, (15, 2, 2562, 17), "5.1.20348.1"),
)

EDITIONS: t.Mapping[str, Edition] = {edition.key: edition for edition in _ALL}
"""Key → edition."""
