#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fortios_rollback: documentation and options; module_utils/_fortios does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fortios_rollback
short_description: Give a FortiGate back what a snapshot of this collection holds
version_added: 0.1.0
description:
  - Gives back what the entries were like before a run of M(mailedge.lockdown.fortios_inbound_lock)
    or one of its siblings touched them. Entries that the run has made are removed, unless somebody
    else uses them by now.
  - It is safe to run twice, and plans as every run does. At every step nobody loses a way that is
    there before and after, and nobody gains one that is there neither before nor after; for that
    the tables that decide who gets through are read once.
  - What refers to an entry or an interface that is gone meanwhile is refused before anything is
    written, in check mode too.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._fortios.device
  - mailedge.lockdown._fortios.write
  - mailedge.lockdown._approval
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.writes
  - mailedge.lockdown._attributes.fortigate
options:
  snapshot:
    description:
      - The name of the snapshot. The run that made the change has printed it.
      - V(latest) is the newest one of this device that is not itself a rollback's, so that a second
        rollback changes nothing.
      - V(original) restores what was there before the first of all changes whose snapshots are in
        the folder.
    type: str
    default: latest
  content:
    description: The snapshot itself, as the result of the run that made the change has it.
      O(snapshot) does not count then.
    type: json
  keep_later_changes:
    description:
      - Of O(snapshot) only what is still as the run of that snapshot left it. What somebody else
        has changed since is left alone and told in RV(not_restored). A run that undoes itself
        sets it.
    type: bool
    default: false
seealso:
  - module: mailedge.lockdown.fortios_inbound_lock
  - module: mailedge.lockdown.fortios_outbound_lock
"""

EXAMPLES = r"""
- name: Give back the state before the last change
  mailedge.lockdown.fortios_rollback:
    host: fw.birke.example
    token: "{{ vault_birke_fortigate_token }}"
  delegate_to: localhost
"""

RETURN = r"""
# generated: returns fortios.plan
plan:
  description: What a run changes, one sentence for each change, in the order of the changes.
  returned: when the device could be read
  type: list
  elements: str
# end of generated
  sample: ["Change the policy 3 'Mail in': srcaddr without 'birke-provider' and with 'all'."]
# generated: returns layer.differences layer.plan_digest layer.guards
differences:
  description: What is described and not so, and not written. C(table), C(noun), C(object),
    C(action), and the C(properties) that differ, by their names.
  returned: when something differs
  type: list
  elements: dict
plan_digest:
  description: What tells the plan from others, for C(approved_plan); empty where nothing changes.
  returned: success, and on a refusal after the plan was made
  type: str
guards:
  description: The guards that spoke.
  type: list
  elements: dict
  contains:
    id:
      description: The stable id of the guard, for O(accept_risks).
      type: str
      returned: always
    severity:
      description: V(stop) or V(warn).
      type: str
      returned: always
    sentence:
      description: What the guard found.
      type: str
      returned: always
# end of generated
  returned: when the device could be read
# generated: returns fortios.device
device:
  description:
    - The device that was read; C(serial) and C(version), and of its modes what was read.
    - C(central_nat) is whether policies do not name virtual IPs, C(saves) how changes are saved,
      C(managed_by) C(fortimanager) or another manager, C(cluster) C(standalone) or how members of
      a cluster share the work.
  type: dict
  sample: {"serial": "FGTLAB0000000001", "version": "7.4.4", "saves": "automatic"}
# end of generated
  returned: when the device could be read
# generated: returns layer.lease
lease:
  description:
    - A lease of the C(server) or device, by which run it is held (C(run_id)), C(by) whom and
      where that was started, C(since) when and C(until) when by its own clock.
    - C(held) is whether the run has not ended it. It is over at that time in any case.
  type: dict
  sample: {server: EX1, run_id: 4f1c2a90, until: "2026-01-14T11:15:00.250Z", held: true}
# end of generated
  returned: with O(lease_minutes), where the run has one
# generated: returns fortios.snapshot fortios.cost
snapshot:
  description: Where the state before the change is kept.
  returned: when something was written
  type: dict
  contains:
    name:
      description: The name of the snapshot, for M(mailedge.lockdown.fortios_rollback).
      type: str
      returned: always
    folder:
      description: The folder, on the host that ran the module.
      type: str
      returned: always
    content:
      description: The snapshot itself, for a host whose disk does not outlive the job.
      type: str
      returned: always
cost:
  description: How many HTTP requests were sent.
  returned: always
  type: dict
# end of generated
  sample: {"requests": 13}
# generated: returns layer.further
further:
  description: The names of snapshots of changes before that, newest first. What they hold is
    still changed.
  type: list
  elements: str
  sample: []
# end of generated
  returned: when the device could be read
not_restored:
  description: A sentence for each entry that is gone, and of which the snapshot holds some
    fields only, or that was changed since.
  returned: when the device could be read
  type: list
  elements: str
  sample: []
# generated: returns layer.restored
restored:
  description: The name of the snapshot that was restored, or V(original).
  type: str
  sample: 20260114T101500.250Z-4f1c2a-apply.json
# end of generated
  returned: when the device could be read
"""

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import module, restoring
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.argspec import (
    WRITE_OPTIONS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Key
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.layer import FortiOSLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import Change
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Reading

ARGUMENTS = module.spec(
    {
        **WRITE_OPTIONS,
        "snapshot": {"type": "str", "default": "latest"},
        "keep_later_changes": {"type": "bool", "default": False},
        # Policies and addresses; a feed's password is never saved.
        "content": {"type": "json", "no_log": False},
    },
)


class Rollback(FortiOSLayer):
    """The entries of a snapshot; which they are is the transaction's business."""

    def __init__(self, *arguments: t.Any, **keywords: t.Any) -> None:
        super().__init__(*arguments, **keywords)
        self._whole: tuple[DeviceState, DeviceState] | None = None

    def paths(self) -> t.Sequence[str]:
        return ()

    def described(self, state: DeviceState) -> t.Sequence[Desired[Key]]:
        return ()

    def judged_on(self, changes: t.Sequence[Change], state: DeviceState) -> DeviceState:
        if not restoring.is_wanted(changes):
            return state
        if self._whole is None or self._whole[0] is not state:
            self._whole = (state, restoring.whole(self.client, state))
        return self._whole[1]

    def refuse(self, reading: Reading[DeviceState], steps: t.Sequence[Change]) -> str:
        refused = super().refuse(reading, steps)
        if refused or not restoring.is_wanted(steps):
            return refused
        missing = restoring.missing(self.client, self.judged_on(steps, reading.state), steps)
        if not missing:
            return ""
        return (
            f"What would be restored refers to what is not there any more: {'; '.join(missing)}. "
            "Nothing was changed. Make it again, or restore the snapshot of the change that "
            "removed it first."
        )


def main() -> None:
    """The module."""
    module.run(ARGUMENTS, Rollback)


if __name__ == "__main__":
    main()
