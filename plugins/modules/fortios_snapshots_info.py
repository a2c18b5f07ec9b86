#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which states of a FortiGate are kept, as a module."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fortios_snapshots_info
short_description: List the snapshots of a FortiGate, and what each would restore
version_added: 0.1.0
description:
  - Reads the folder in which the FortiGate modules save the state before a change, and says of
    each file whether M(mailedge.lockdown.fortios_rollback) could restore it on this device.
  - The device is asked once for who it is. Changes nothing.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._fortios.device
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.fortigate
options:
  snapshot_folder:
    description: The folder, on the host that runs the module.
    type: path
    default: ~/.mailedge/snapshots
seealso:
  - module: mailedge.lockdown.fortios_rollback
"""

EXAMPLES = r"""
- name: Which states can be restored?
  mailedge.lockdown.fortios_snapshots_info:
    host: fw.birke.example
    token: "{{ vault_fortigate_token }}"
  delegate_to: localhost
  register: kept
"""

RETURN = r"""
# generated: returns layer.snapshots
snapshots:
  description: The files that are there, newest first.
  type: list
  elements: dict
  contains:
    name:
      description: The name, as a rollback takes it.
      type: str
      returned: always
    state:
      description:
        - V(usable), V(unreadable), or V(foreign) for one of another server or device, of another
          owner, or that no run of this collection has written. A rollback passes over the last
          two.
      type: str
      returned: always
    why:
      description: What is wrong with one that is not usable.
      type: str
      returned: always
    time:
      description: When it was made, by the clock of the server or device.
      type: str
      returned: always
    reason:
      description: What the run did before which it was made, V(apply) or V(rollback).
      type: str
      returned: always
    run_id:
      description: The run that made it.
      type: str
      returned: always
    restores:
      description: What it would restore, one sentence each.
      type: list
      elements: str
      returned: always
# end of generated
  returned: success
# generated: returns layer.lines
lines:
  description: The same as lines for a screen.
  type: list
  elements: str
# end of generated
  returned: success
cost:
  description: How many HTTP requests were sent.
  returned: always
  type: dict
  sample: {"requests": 1}
"""

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import module
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.argspec import (
    DEVICE_OPTIONS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import FortiOS
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.layer import FortiOSLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.port import another_device
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import VIP
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.snapshots import (
    as_result,
    kept,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.folder import Folder
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.lease import ANY_FILE

ARGUMENTS = module.spec(
    {**DEVICE_OPTIONS, "snapshot_folder": {"type": "path", "default": "~/.mailedge/snapshots"}}
)


def look(params: t.Mapping[str, t.Any], client: FortiOS) -> dict[str, t.Any]:
    """The whole answer. Raises FortiOSError."""
    # Any answer says who the device is.
    client.table(VIP)
    folder = Folder(params["snapshot_folder"])
    listed = [
        kept(
            held,
            FortiOSLayer.name,
            FortiOSLayer.tables,
            lambda origin: another_device(origin, client),
        )
        for held in folder.files()
        if not ANY_FILE.fullmatch(held.name)
    ]
    return as_result([entry for entry in listed if entry is not None], "firewall", str(folder.path))


def main() -> None:
    """The module."""
    module.ask(ARGUMENTS, look)


if __name__ == "__main__":
    main()
