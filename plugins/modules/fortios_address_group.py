#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fortios_address_group: documentation and options; module_utils/_fortios does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fortios_address_group
short_description: Keep a set of address ranges as address objects and a group on a FortiGate
version_added: 0.1.0
description:
  - Keeps one address object for each range, and a group of them, in one task and over one
    connection, however many there are.
  - The ranges are brought into their shortest form first, so that two lists that mean the same
    addresses are the same.
  - Objects that somebody else has made are never changed, nor are objects removed that somebody
    else uses.
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
  name:
    description:
      - The name of the group of the IPv4 ranges; the group of the IPv6 ranges has C(-v6) behind it.
      - Address objects are named after the group and their range, such as C(birke-198.51.100.0_24).
    type: str
    required: true
  ranges:
    description:
      - The addresses of the group, as addresses, CIDR prefixes or first-last ranges, of IPv4 and
        IPv6.
      - An empty list is refused. A group that nobody needs is removed by O(state=absent).
    type: list
    elements: str
  state:
    description: Whether there shall be such a group. Before it can go, no policy may use it.
    type: str
    choices: [present, absent]
    default: present
  group_size:
    description:
      - How many members a group gets. A larger set becomes groups within the group.
      - What a FortiGate takes differs by model. Where it answers with error -4, set a smaller
        number.
    type: int
    default: 250
  comment:
    description: What to say in the comment of the group, behind the mark by which the collection
      knows its own objects.
    type: str
seealso:
  - module: mailedge.lockdown.fortios_inbound_lock
  - module: mailedge.lockdown.fortios_range_feed
"""

EXAMPLES = r"""
- name: Keep the provider's ranges as a group
  mailedge.lockdown.fortios_address_group:
    host: fw.birke.example
    token: "{{ vault_birke_fortigate_token }}"
    name: birke-provider
    ranges:
      - 198.51.100.0/24
      - 2001:db8:100::/48
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
  sample: ["Create the address 'birke-198.51.100.0_24' (198.51.100.0/24)."]
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
# generated: returns fortios.state fortios.device
state:
  description:
    - How what is described is when the task ends. V(unknown) where another run has leased the
      device and may take back what was found, V(drift) where something is not so, else V(in
      order).
    - In check mode, and where nothing was written, it is the state that was read.
  returned: when the state of the device is known in the end
  type: str
  sample: in order
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
  sample: {"requests": 5}
"""

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import groups, module
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.argspec import (
    WRITE_OPTIONS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Key
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.layer import FortiOSLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import Change
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import DeviceState
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Finding
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Reading

ARGUMENTS = module.spec(
    {
        **WRITE_OPTIONS,
        "name": {"type": "str", "required": True},
        "ranges": {"type": "list", "elements": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "group_size": {"type": "int", "default": groups.GROUP_SIZE},
        "comment": {"type": "str"},
    },
    required_if=[("state", "present", ["ranges"])],
)


class AddressGroup(FortiOSLayer):
    """A group and its members."""

    def __init__(self, params: t.Mapping[str, t.Any], *more: t.Any, **keywords: t.Any) -> None:
        super().__init__(params, *more, **keywords)
        groups.check_name(params["name"])
        self._ranges = (
            _ranges_guards.named(params["ranges"] or []) if params["state"] == "present" else None
        )
        if self._ranges is not None and not self._ranges:
            raise PlanError(
                "ranges is empty. A policy with an empty group lets nobody through. "
                "Nothing was sent to the device."
            )
        if params["group_size"] < 1:
            raise PlanError("group_size must be at least 1. Nothing was sent to the device.")

    def paths(self) -> t.Sequence[str]:
        return groups.ALL_TABLES if self._ranges is None else groups.tables(self._ranges)

    def described(self, state: DeviceState) -> t.Sequence[Desired[Key]]:
        params = self.params
        return groups.wishes(
            state,
            params["name"],
            self._ranges,
            size=params["group_size"],
            comment=params["comment"] or "",
        )

    def judge(
        self, reading: Reading[DeviceState], after: DeviceState, changes: t.Sequence[Change]
    ) -> t.Iterable[Finding]:
        yield from super().judge(reading, after, changes)
        yield from _ranges_guards.check(
            self._ranges or RangeSet(()), f"The group '{self.params['name']}'"
        )


def main() -> None:
    """The module."""
    module.run(ARGUMENTS, AddressGroup)


if __name__ == "__main__":
    main()
