#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""host_lock: documentation and argument spec. The action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_lock
short_description: Lock all layers of a server as the variables of its site say, or give them back
version_added: 0.1.0
description:
  - Takes everything from the variables of the host whose names begin with C(mailedge_), checks
    them as M(mailedge.lockdown.site_description) does, and does what the module of each layer
    does with what they say, such as M(mailedge.lockdown.exchange_mail_flow) for the connectors.
  - All layers are read in one remote PowerShell start. Nothing is written while one of them would
    be refused. Then each layer that differs is written, in one start for each.
  - Where the site asks for it, how the server is kept is read in the same start, and judged as
    M(mailedge.lockdown.windows_posture_info) does; it is C(windows posture) among the layers.
    Nothing of it is written, and it never fails the task.
  - A rollback goes as far as it can. What is wrong with the options of one layer, or keeps it from
    being given back, is the failure of that layer, and the others are given back.
  - A server has one lease. Who accepts another run's for one of its layers, by V(leased) in
    C(mailedge_exchange_accept_risks) for example, accepts it for all of them.
  - One task for what would be many. Where the role C(mailedge.lockdown.site) has described the site
    before, that description counts.
  - Does nothing at a host at which no layer of the server is managed.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.writes
options:
  playbook:
    description:
      - What the site is described for. It decides which variables are needed.
      - V(rollback) gives back the snapshot of every layer that its variable names, such as
        C(mailedge_exchange_snapshot), or the latest one; the last layer first.
      - V(snapshots) lists what every layer could give back, and writes nothing. V(drift) has to be
        asked for in check mode, and V(offline), which judges the dump of a server that nobody
        connects to, as well.
    type: str
    choices: [apply, drift, offline, rollback, snapshots, probe, refresh_ranges, publish_ranges]
    default: apply
  layers:
    description: Only these layers, by the names that the report gives them, such as
      V(windows firewall). All that are managed where this is not set.
    type: list
    elements: str
  undo:
    description: Take back what a run has changed. The snapshots that its task returned, by layer.
      What somebody has changed since is left as it is.
    type: dict
  perhaps:
    description: Layers of O(undo) to whose write no answer came, as RV(unanswered) has them. Where
      there is no snapshot of one, nothing was written there, and nothing is undone.
    type: list
    elements: str
  run_id:
    description: The run under whose lease O(undo) writes.
    type: str
attributes:
  platform:
    platforms: windows
    support: full
seealso:
  - module: mailedge.lockdown.exchange_mail_flow
  - module: mailedge.lockdown.site_description
"""

EXAMPLES = r"""
- name: Lock every server in the group
  hosts: mailedge
  gather_facts: false
  tasks:
    - name: Lock all layers
      mailedge.lockdown.host_lock:
"""

RETURN = r"""
description:
  description: What M(mailedge.lockdown.site_description) returns for this host.
  returned: unless the role C(mailedge.lockdown.site) had described the site
  type: dict
layers:
  description:
    - The result of every layer by its name, as its own module returns it.
    - Where one of them would be refused, what the others would do and have not done.
    - How the server is kept has C(state) and C(findings), without those that are as they should be.
  returned: always
  type: dict
  sample: {"exchange": {"changed": false, "plan": [], "state": "in order"}}
snapshots:
  description: Where the state before is kept, by layer; as O(undo) takes it.
  returned: success, and on a failure after the server was read
  type: dict
  sample: {"exchange": "20260114T093000.000Z-3f9a1c-apply.json"}
unanswered:
  description: The layers to whose write no answer came, because the connection was lost. What was
    written there is not known; RV(snapshots) has the snapshot of the state before, which is there
    where anything was written.
  returned: where there are any
  type: list
  elements: str
lease:
  description: The lease of the server by this run, as M(mailedge.lockdown.exchange_lease_end) takes
    it.
  returned: where the run has one
  type: dict
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import HOST_LOCK


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(HOST_LOCK)


if __name__ == "__main__":
    main()
