# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that modules share which work on a Windows host and need no Exchange shell."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments C(mailedge.lockdown._windows.CONNECTION) and C(.SNAPSHOT_COPY)."""

    DOCUMENTATION = r"""
options: {}
"""

    CONNECTION = r"""
options:
  time_limit:
    description:
      - How long one remote call may take, in seconds. A call that takes longer is ended, and the
        task fails and says so.
    type: int
    default: 300
notes:
  - The host is reached by its own Ansible connection (P(ansible.builtin.winrm#connection),
    P(ansible.builtin.psrp#connection) or P(ansible.builtin.ssh#connection), of which the last is
    not tested). PowerShell 2.0 is enough on the server, nothing is installed there, and no Exchange
    shell is opened.
  - C(become) is refused, because it would have no effect.
"""

    SNAPSHOT_COPY = r"""
options:
  snapshot_copy:
    description:
      - A folder on the controller into which the snapshot is written as well.
      - The snapshot on the server, in C(%ProgramData%\\mailedge), is always written before the
        first change.
    type: path
"""
