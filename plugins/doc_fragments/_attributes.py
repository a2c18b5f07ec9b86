# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules support: the attributes of Ansible's documentation."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments C(mailedge.lockdown._attributes), with C(.WRITES) or C(.READS), and where it runs.

    A module says itself what applies to it alone.
    """

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode), and then says what a run would change.
  diff_mode:
    description: Shows in C(diff) mode what changes, or in C(check_mode) would change.
  idempotent:
    description:
      - A second run with the same options changes nothing and reports no change, unless something
        was changed in between.
  platform:
    description: The systems that the module works on.
"""

    WRITES = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - The plan of C(check_mode) is the one that a run would carry out.
  diff_mode:
    support: full
  idempotent:
    support: full
"""

    READS = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - The module changes nothing, and does the same in every mode.
  diff_mode:
    support: N/A
    details:
      - The module changes nothing.
  idempotent:
    support: full
    details:
      - The module changes nothing.
"""

    EXCHANGE = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/mailedge.lockdown.exchange) in C(module_defaults) to set the login, the networks
        and the time limit of all modules that talk to an Exchange server.
    support: full
    membership:
      - mailedge.lockdown.exchange
  platform:
    platforms: windows
    support: full
"""

    WINDOWS = r"""
options: {}
attributes:
  platform:
    platforms: windows
    support: full
"""

    FORTIGATE = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/mailedge.lockdown.fortigate) in C(module_defaults) to set the address and the
        token of all modules that talk to a FortiGate.
    support: full
    membership:
      - mailedge.lockdown.fortigate
  platform:
    platforms: posix
    support: full
    details:
      - The host that asks the FortiGate.
"""

    EXCHANGE_ONLINE = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/mailedge.lockdown.exchange_online) in C(module_defaults) to set the tenant and
        the login of all modules that talk to Exchange Online.
    support: full
    membership:
      - mailedge.lockdown.exchange_online
  platform:
    platforms: posix
    support: full
    details:
      - The host that asks the tenant.
"""

    CONTROLLER = r"""
options: {}
attributes:
  platform:
    platforms: all
    support: full
    details:
      - It runs on the controller and reaches no host.
"""
