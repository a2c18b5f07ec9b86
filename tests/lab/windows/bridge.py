# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the proxies in PowerShell ask of a host's Windows, beside its COM objects."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.com import Handles
from ansible_collections.mailedge.lockdown.tests.lab.windows.host import WindowsHost
from ansible_collections.mailedge.lockdown.tests.lab.windows.wmi import shown

Request = t.Mapping[str, t.Any]


def operations(windows: WindowsHost, handles: Handles) -> dict[str, t.Callable[[Request], t.Any]]:
    """The requests by their names.

    They raise ExchangeError, which is how a cmdlet of PowerShell fails too, and ComError.
    """
    return {
        "machine_key": lambda _asked: handles.shown(windows.machine_key),
        "service": lambda asked: windows.services.status(str(asked["name"])),
        "wmi": lambda asked: [shown(row) for row in windows.wmi.query(str(asked["class"]))],
        "file": lambda asked: windows.files.get(str(asked["path"])).shown(),
        "certificates": lambda asked: [
            certificate.shown() for certificate in windows.store(str(asked["path"]))
        ],
    }
