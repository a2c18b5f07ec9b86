#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run's lease of a FortiGate, as a module."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fortios_lease_end
short_description: End the lease that a run has of a FortiGate
version_added: 0.1.0
description:
  - Says that a run takes back nothing any more of what the FortiGate modules have made with
    O(mailedge.lockdown.fortios_inbound_lock#module:lease_minutes), so that other runs may work on
    the device.
  - Ends the lease of that run and no other one. Where that cannot be done, it warns and does not
    fail, because the lease ends by itself.
  - Nothing is sent to the device.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
options:
  host:
    description: The address of the device, as the other tasks of the run have named it.
    type: str
    required: true
  api_port:
    description: Its port.
    type: int
    default: 443
  vdom:
    description: The vdom.
    type: str
    default: root
  run_id:
    description: The run.
    type: str
    required: true
  snapshot_folder:
    description: The folder of the lease, on the host that runs the module.
    type: path
    default: ~/.mailedge/snapshots
attributes:
  platform:
    platforms: posix
    support: full
seealso:
  - module: mailedge.lockdown.fortios_inbound_lock
  - module: mailedge.lockdown.fortios_rollback
"""

EXAMPLES = r"""
- name: Let other runs work on the firewall
  mailedge.lockdown.fortios_lease_end:
    host: fw.birke.example
    run_id: night42
  delegate_to: localhost
"""

RETURN = r"""
ended:
  description: Whether it was ended. False where another run has the device by now, or where the
    folder cannot be written.
  returned: success
  type: bool
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import module

ARGUMENTS = module.spec(
    {
        "host": {"type": "str", "required": True},
        "api_port": {"type": "int", "default": 443},
        "vdom": {"type": "str", "default": "root"},
        "run_id": {"type": "str", "required": True},
        "snapshot_folder": {"type": "path", "default": "~/.mailedge/snapshots"},
    }
)


def main() -> None:
    """The module."""
    module.end_lease(ARGUMENTS)


if __name__ == "__main__":
    main()
