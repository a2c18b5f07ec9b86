# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a lab host: Get-Service tells the status; how one starts and which program it is
stand in the registry (learn.microsoft.com, Get-Service; HKLM\\SYSTEM\\CurrentControlSet\\Services).
"""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.windows.registry import EXPANDED, Registry

AUTOMATIC, MANUAL, DISABLED = 2, 3, 4
_ROOT = r"SYSTEM\CurrentControlSet\Services"


class Services:
    """Casefolded name → (name, status).

    `unreadable` are casefolded names whose status the user may not ask.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.held: dict[str, tuple[str, str]] = {}
        self.unreadable: set[str] = set()

    def install(
        self, name: str, image: str = "", *, status: str = "Running", start: int = AUTOMATIC
    ) -> None:
        """Install a service, or change one."""
        self.held[name.casefold()] = (name, status)
        self.registry.set(rf"{_ROOT}\{name}", "Start", start)
        self.registry.set(
            rf"{_ROOT}\{name}", "ImagePath", image or rf"C:\Windows\System32\{name}.exe", EXPANDED
        )

    def status(self, name: str) -> str:
        """What Get-Service tells. Raises ExchangeError."""
        if name.casefold() in self.unreadable:
            raise ExchangeError(
                "InvalidOperationException",
                "System.InvalidOperationException,Microsoft.PowerShell.Commands.GetServiceCommand",
                "NotSpecified",
                f"Cannot open {name} service on computer '.'. Access is denied",
                terminating=True,
            )
        if name.casefold() not in self.held:
            raise ExchangeError(
                "ServiceCommandException",
                "NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand",
                "ObjectNotFound",
                f"Cannot find any service with service name '{name}'.",
                terminating=True,
            )
        return self.held[name.casefold()][1]
