# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations of the agent's areas as the stand-in answers them: what an area file does in
PowerShell, over the same lab objects.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows import posture
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall import operations as firewall
from ansible_collections.mailedge.lockdown.tests.lab.windows.host import WindowsHost
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis import standin as iis

Row = dict[str, t.Any]
Operation = t.Callable[[WindowsHost, t.Mapping[str, t.Any]], list[Row]]

OPERATIONS: dict[str, Operation] = {
    **firewall.OPERATIONS,
    **iis.OPERATIONS,
    **posture.OPERATIONS,
}
"""By the name of the operation. They raise ComError, or the errors of the component they ask."""
