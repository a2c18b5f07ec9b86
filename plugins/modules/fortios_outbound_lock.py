#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outbound lock of a FortiGate as a module."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fortios_outbound_lock
short_description: Let only the mail server send on port 25 through a FortiGate, and only to the
  smart hosts
version_added: 0.1.0
description:
  - Finds every accept policy that lets port 25 out through the named interfaces, from others than
    the mail server or to others than the smart hosts, and puts two policies right before it, one
    that accepts the mail server's way to the smart hosts, and a deny for everybody.
  - The policy itself stays as it is, so that everything but this port goes out as before.
  - Scanners, applications and other senders of the site that send past the mail server are stopped
    by it. Look at the device's log first.
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
      - The first part of the names of everything that the module makes. 1 to 15 letters, digits,
        dots, underscores and dashes.
      - Runs with another name do not know what this one has made; give each lock a name of its own,
        and keep it.
    type: str
    default: mailedge
  mail_servers:
    description: The addresses from which the site's mail servers send.
    type: list
    elements: str
    required: true
  smart_hosts:
    description:
      - Where they may send to, as addresses, ranges or host names. A host name becomes an address
        of the type FQDN, which the device resolves, for IPv4.
    type: list
    elements: str
    required: true
  interfaces:
    description:
      - The outgoing interfaces or zones that lead to the internet, such as V(wan1) or
        V(virtual-wan-link).
      - A member of a zone or an SD-WAN zone is taken for the zone, which is what policies name. One
        that the device does not have is refused.
      - The API user has to read network settings (C(netgrp)) as well.
    type: list
    elements: str
    required: true
  port:
    description: The TCP port.
    type: int
    default: 25
seealso:
  - module: mailedge.lockdown.fortios_inbound_lock
  - module: mailedge.lockdown.fortios_rollback
"""

EXAMPLES = r"""
- name: Let only the mail server send, and only to the filter
  mailedge.lockdown.fortios_outbound_lock:
    host: fw.birke.example
    token: "{{ vault_fortigate_token }}"
    name: birke
    mail_servers: [10.20.1.11]
    smart_hosts: [out.filter.example]
    interfaces: [wan1]
  delegate_to: localhost
"""

RETURN = r"""
exposure:
  description: Who sends on the port to whom, before the run and after it.
  returned: when the device could be read
  type: dict
  sample:
    before: ["everybody → port 25 of everybody, by policy 3 'LAN out'"]
    after: ["only 10.20.1.11 → port 25 of the smart hosts"]
  contains:
    before:
      description: One sentence for each accept policy that lets others out, or one that sums up.
      type: list
      elements: str
      returned: success
    after:
      description: The same after the changes.
      type: list
      elements: str
      returned: success
    words:
      description: Both in one list, for people.
      type: list
      elements: str
      returned: always
# generated: returns fortios.plan
plan:
  description: What a run changes, one sentence for each change, in the order of the changes.
  returned: when the device could be read
  type: list
  elements: str
# end of generated
  sample: ["Create the policy 'birke-3-held' that refuses 'all' to 'all', right before policy 3."]
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
strangers:
  description:
    - By which policies others than the mail server could send, or to others than the smart hosts,
      and the lock does not shut them.
    - What the configuration does not tell counts as open.
  returned: when there are such policies
  type: dict
  contains:
    before:
      description: One sentence for each policy, as it was when the task began.
      type: list
      elements: str
      returned: always
    after:
      description: The same as it is in the end, read again; where nothing was written, as it would
        be by the plan.
      type: list
      elements: str
      returned: always
state:
  description:
    - How what is described is when the task ends. V(open) where others could send although the lock
      is as it shall be (the guard V(still_open)), V(drift) where something is not as described,
      else V(in order).
    - In check mode, and where nothing was written, it is the state that was read.
  returned: when the state of the device is known in the end
  type: str
  sample: in order
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
  sample: {"requests": 15}
"""

import contextlib
import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import (
    interfaces,
    modes,
    module,
    outbound,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.argspec import (
    WRITE_OPTIONS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Key
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.layer import FortiOSLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import (
    Change,
    apply_all,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.sentences import exposure
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import DeviceState
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Interval,
    RangeError,
    RangeSet,
    parse_range,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Finding
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Reading

_NAMES: dict[str, t.Any] = {"type": "list", "elements": "str", "required": True}

ARGUMENTS = module.spec(
    {
        **WRITE_OPTIONS,
        "name": {"type": "str", "default": "mailedge"},
        "mail_servers": _NAMES,
        "smart_hosts": _NAMES,
        "interfaces": _NAMES,
        "port": {"type": "int", "default": 25},
    },
)


class OutboundLock(FortiOSLayer):
    """The lock of one port."""

    mode_tables = modes.OF_POLICIES

    def __init__(self, params: t.Mapping[str, t.Any], *more: t.Any, **keywords: t.Any) -> None:
        super().__init__(params, *more, **keywords)
        hosts: list[str] = []
        ranges: list[Interval] = []
        for text in params["smart_hosts"]:
            with contextlib.suppress(RangeError):
                ranges.append(parse_range(text))
                continue
            hosts.append(text.rstrip(".").lower())
        self._wanted = outbound.OutboundOptions(
            name=params["name"],
            port=params["port"],
            interfaces=tuple(dict.fromkeys(params["interfaces"])),
            mail_servers=_ranges_guards.friends(params["mail_servers"]),
            smart_hosts=RangeSet(ranges),
            smart_host_names=tuple(dict.fromkeys(hosts)),
        )
        outbound.check(self._wanted)
        self._named = self._wanted.interfaces
        self._interfaces: interfaces.Interfaces | None = None

    def paths(self) -> t.Sequence[str]:
        return outbound.TABLES

    def described(self, state: DeviceState) -> t.Sequence[Desired[Key]]:
        decides = self.modes_of_device()
        decides.refuse(())
        self._resolve(state)
        wishes = outbound.OutboundRecipe(state, self._wanted).wishes()
        return modes.without_match_vip(wishes) if decides.central_nat else wishes

    def _resolve(self, state: DeviceState) -> None:
        """Policies name zones where the user may have named their members. Raises PlanError."""
        if self._named and self._interfaces is None:
            self._interfaces = interfaces.read(self.client, state.version)
            named = self._interfaces.for_policies(self._named)
            self._wanted = dataclasses.replace(self._wanted, interfaces=named)

    def judge(
        self, reading: Reading[DeviceState], after: DeviceState, changes: t.Sequence[Change]
    ) -> t.Iterable[Finding]:
        yield from super().judge(reading, after, changes)
        if self._interfaces is not None:
            yield from self._interfaces.findings(self._named)
        yield from outbound.OutboundRecipe(reading.state, self._wanted).speak(reading.state, after)

    def is_locked(self, before: DeviceState, state: DeviceState) -> bool:
        return not outbound.OutboundRecipe(before, self._wanted).leaking(state)

    def strangers(self, before: DeviceState, state: DeviceState) -> list[str] | None:
        lock = outbound.OutboundRecipe(before, self._wanted)
        # What a run would shut is drift; what it would leave open is open.
        locked = apply_all(plan(before, lock.wishes()), before) if state is before else state
        return lock.left_open(locked) or None

    def told(
        self, before: DeviceState, after: DeviceState, changes: t.Sequence[Change]
    ) -> dict[str, t.Any]:
        lock = outbound.OutboundRecipe(before, self._wanted)
        return {"exposure": exposure(lock.exposure(before), lock.exposure(after))}


def main() -> None:
    """The module."""
    module.run(ARGUMENTS, OutboundLock)


if __name__ == "__main__":
    main()
