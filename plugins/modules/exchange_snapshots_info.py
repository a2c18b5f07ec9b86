#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_snapshots_info: documentation and argument spec. The action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: exchange_snapshots_info
short_description: List the snapshots of the connectors of an Exchange server, and what each would
  restore
version_added: 0.1.0
description:
  - Reads the snapshots that M(mailedge.lockdown.exchange_mail_flow) has saved on the server, the
    newest 100 of them.
  - Costs one PowerShell start and no Exchange shell. Changes nothing.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
options:
  time_limit:
    description:
      - How long the remote call may take, in seconds.
    type: int
    default: 300
attributes:
  platform:
    platforms: windows
    support: full
seealso:
  - module: mailedge.lockdown.exchange_mail_flow
"""

EXAMPLES = r"""
- name: Which states can be restored?
  mailedge.lockdown.exchange_snapshots_info:
  register: kept

- name: Print them
  ansible.builtin.debug:
    var: kept.lines
"""

RETURN = r"""
server:
  description: The name of the server.
  returned: success
  type: str
  sample: EX1
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
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    SNAPSHOTS_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(SNAPSHOTS_MODULE)


if __name__ == "__main__":
    main()
