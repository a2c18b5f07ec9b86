#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inbound lock of a FortiGate as a module."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fortios_inbound_lock
short_description: Let only these sources reach a port of a server behind a FortiGate
version_added: 0.1.0
description:
  - Finds every accept policy that lets a port through to a virtual IP or an address (directly, by a
    group, by V(all), by a service group), and sees to it that only the named sources get through.
    One more accept policy beside a wide one would change nothing.
  - A policy that is for the target and the port alone gets other sources, in place. One that serves
    something else as well, such as webmail, stays as it is; right before it there will be an accept
    policy for the named sources and a deny that names the virtual IP.
  - It plans from what the device holds, judges the plan by its own model of the policies and their
    order, and stops before anything is written where the provider or the own networks would lose
    their way.
  - Only policies that can lead to the target are touched. Which those are is in the device's routes
    and not in its policies; where several interfaces come into question, the device is asked behind
    which of them the server is. Its static routes and policy routes count as well, so that the
    lock holds when an interface goes down. Where the device does not tell, or the API user may not
    read network settings (C(netgrp)), every policy counts as one that could lead there, and the
    guard V(server_not_found) says so. Nor is it known then who reaches the server within a zone
    without any policy, which is the guard V(unread_way).
  - What the configuration does not tell (the addresses of an FQDN or a country, schedules, logins)
    counts as open.
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
  vips:
    description: The virtual IPs that lead to the mail server.
    type: list
    elements: str
    default: []
  addresses:
    description:
      - The addresses of the mail server itself, for a way in without a virtual IP, which is the
        usual one for IPv6.
      - IPv6 addresses need FortiOS 6.4, which has policies for both.
      - Refused where a policy leads to one of them by a virtual IP that is not in O(vips), because
        a lock of the address does not hold for what a virtual IP has translated.
    type: list
    elements: str
    default: []
  port:
    description: The TCP port of the server behind the virtual IP, which is what policies see.
    type: int
    default: 25
  ranges:
    description:
      - The ranges of the filtering provider, as addresses, CIDR prefixes or first-last ranges. They
        become a group of address objects named C(NAME-provider).
    type: list
    elements: str
    default: []
  groups:
    description: Address groups or addresses of the device that may get through, such as one of
      M(mailedge.lockdown.fortios_address_group).
    type: list
    elements: str
    default: []
  feeds:
    description: Range feeds that may get through, such as one of
      M(mailedge.lockdown.fortios_range_feed). Needs FortiOS 6.2.
    type: list
    elements: str
    default: []
  internet_services:
    description:
      - Names of the internet service database that may get through, for IPv4. Needs FortiOS 6.4.
      - Names whose direction is that of destinations only are refused, as are names that hold no
        addresses on the device.
      - C(Microsoft-Azure) lets every customer of Azure through. For Exchange Online take the
        ranges, or C(Microsoft-Outlook).
    type: list
    elements: str
    default: []
  own_networks:
    description: The site's own networks that send to the port through the firewall. They become a
      group named C(NAME-own).
    type: list
    elements: str
    default: []
  interfaces:
    description:
      - Only look at policies for these incoming interfaces or zones, such as V(wan1). All where
        empty.
      - Who gets through by the others is told by the guard V(still_open).
      - A member of a zone or an SD-WAN zone is taken for the zone, which is what policies name. One
        that the device does not have is refused.
      - Where any is named, the API user has to read network settings (C(netgrp)) as well.
    type: list
    elements: str
    default: []
  group_size:
    description: How many members a group gets before groups are nested. The maximum differs by
      model.
    type: int
    default: 250
seealso:
  - module: mailedge.lockdown.fortios_info
  - module: mailedge.lockdown.fortios_rollback
  - module: mailedge.lockdown.mail_edge_probe
"""

EXAMPLES = r"""
- name: Let only the filtering provider and the office reach port 25
  mailedge.lockdown.fortios_inbound_lock:
    host: fw.birke.example
    token: "{{ vault_fortigate_token }}"
    name: birke
    vips: [VIP-mail]
    ranges:
      - 198.51.100.0/24
    own_networks:
      - 10.20.0.0/16
    interfaces: [wan1]
  delegate_to: localhost

- name: What would a lock by a feed and the hybrid's internet service change?
  mailedge.lockdown.fortios_inbound_lock:
    host: fw.hafen.example
    token: "{{ vault_fortigate_token }}"
    name: hafen
    vips: [VIP-mail]
    addresses: ["2001:db8:20::25"]
    feeds: [hafen-provider]
    internet_services: [Microsoft-Outlook]
  delegate_to: localhost
  check_mode: true
  diff: true
"""

RETURN = r"""
exposure:
  description: Who reaches the port, before the run and after it.
  returned: when the device could be read
  type: dict
  sample:
    before: ["everybody → port 25 of the virtual IP 'VIP-mail', by policy 1 'Mail in'"]
    after:
      - 10.20.0.0/16, 198.51.100.0/24 → port 25 of the virtual IP 'VIP-mail', by policy 1 'Mail in'
  contains:
    before:
      description: One sentence for each accept policy that lets somebody through.
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
  sample: ["Change the policy 1 'Mail in': srcaddr without 'all' and with 'birke-provider'."]
# generated: returns layer.edge layer.differences layer.plan_digest layer.guards
edge:
  description: The layer as a stage of the whole edge. For each right at its C(doors), who of the
    V(strangers) and the V(provider) might have it, and who has; C(means) are digests of both.
    Where something would change, C(described) is the same by the plan; after a write, C(before)
    is what it was.
  returned: when what was read holds
  type: dict
  sample: {"stage": "exchange", "means": {"strangers": "3f2a91c07d5e"}, "doors": []}
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
    - Who reaches the port that is not named, from whatever interface, by other virtual IPs to the
      same server too.
    - What the configuration does not tell counts as open.
  returned: when the state of the device is known in the end
  type: dict
  contains:
    before:
      description: One sentence each, as it was when the task began. Empty where it is certainly
        nobody.
      type: list
      elements: str
      returned: always
    after:
      description: The same as it is in the end, read again; where nothing was written, as it would
        be by the plan.
      type: list
      elements: str
      returned: always
  sample:
    before:
      - Everybody else can reach port 25 of the virtual IP 'VIP-mail' by policy 1 'Mail in'.
    after: []
# generated: returns layer.state
state:
  description:
    - How the layer is when the task ends. V(open) where there are strangers now, V(unknown) where
      another run has leased it and may take back what was found, or where a way in could not be
      read, V(drift) where something is not as described, else V(in order).
    - In check mode, and where nothing was written, it is the state that was read.
  type: str
  sample: in order
# end of generated
  returned: when the state of the device is known in the end
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
  sample: {"requests": 11}
"""

import contextlib
import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import (
    edge,
    inbound,
    inbound_guards,
    interfaces,
    modes,
    module,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.argspec import (
    WRITE_OPTIONS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Key
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.groups import GROUP_SIZE
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.inbound_options import (
    InboundOptions,
    check,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.layer import FortiOSLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import model_of
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import Change
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.routes import Routes
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.sentences import (
    exposure,
    reaching,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    VIP,
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import parse_range
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Finding
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Reading

_NAMES: dict[str, t.Any] = {"type": "list", "elements": "str", "default": []}

ARGUMENTS = module.spec(
    {
        **WRITE_OPTIONS,
        "name": {"type": "str", "default": "mailedge"},
        "vips": _NAMES,
        "addresses": _NAMES,
        "port": {"type": "int", "default": 25},
        "ranges": _NAMES,
        "groups": _NAMES,
        "feeds": _NAMES,
        "internet_services": _NAMES,
        "own_networks": _NAMES,
        "interfaces": _NAMES,
        "group_size": {"type": "int", "default": GROUP_SIZE},
    },
)


class InboundLock(FortiOSLayer):
    """The lock of one port."""

    mode_tables = modes.OF_POLICIES

    def __init__(self, params: t.Mapping[str, t.Any], *more: t.Any, **keywords: t.Any) -> None:
        super().__init__(params, *more, **keywords)
        names = {
            option: tuple(dict.fromkeys(params[option]))
            for option in ("vips", "groups", "feeds", "internet_services", "interfaces")
        }
        self._wanted = InboundOptions(
            name=params["name"],
            port=params["port"],
            addresses=tuple(dict.fromkeys(parse_range(text) for text in params["addresses"])),
            ranges=_ranges_guards.named(params["ranges"]),
            own_networks=_ranges_guards.friends(params["own_networks"]),
            group_size=params["group_size"],
            **names,
        )
        check(self._wanted)
        self._named = self._wanted.interfaces
        self._interfaces: interfaces.Interfaces | None = None
        self._routes: Routes | None = None
        self._last: inbound.InboundRecipe | None = None

    def paths(self) -> t.Sequence[str]:
        return self._wanted.tables

    def feeds(self) -> t.Sequence[str]:
        return self._wanted.feeds

    def described(self, state: DeviceState) -> t.Sequence[Desired[Key]]:
        decides = self.modes_of_device()
        decides.refuse(self._wanted.vips)
        self._resolve(state)
        return (
            modes.without_match_vip(self._lock(state).wishes())
            if decides.central_nat
            else self._lock(state).wishes()
        )

    def _resolve(self, state: DeviceState) -> None:
        """Policies name zones where the user may have named their members. Raises PlanError."""
        if self._named and self._interfaces is None:
            known = interfaces.read(self.client, state.version)
            self._wanted = dataclasses.replace(
                self._wanted, interfaces=known.for_policies(self._named)
            )
            self._interfaces = known

    def learned(self, state: DeviceState) -> DeviceState:
        """Where the servers are is not in the policies."""
        with contextlib.suppress(PlanError):  # It is told when there is a plan to make.
            self._resolve(state)
        if self._routes is None:
            self._routes = Routes(self.client, self._interfaces)
        targets = [
            target
            for target in self._wanted.targets
            if not target.vip or target.vip in state.table(VIP)
        ]
        return self._routes.told(state, targets, self._wanted.interfaces)

    def _lock(self, state: DeviceState) -> inbound.InboundRecipe:
        """The lock of a state that was read.

        It is asked several times of one state, and a group of thousands takes its time.
        """
        if self._last is None or self._last.state is not state:
            self._last = inbound.InboundRecipe(state, self._wanted)
        return self._last

    def judge(
        self, reading: Reading[DeviceState], after: DeviceState, changes: t.Sequence[Change]
    ) -> t.Iterable[Finding]:
        before = reading.state
        yield from super().judge(reading, after, changes)
        if self._interfaces is not None:
            yield from self._interfaces.zones_named(self._named)
        if changes:
            yield from inbound_guards.about_places(self._wanted, before)
        yield from inbound_guards.speak(
            self._wanted, self._lock(before), before, after, check_mode=self.check_mode
        )

    def strangers(self, before: DeviceState, state: DeviceState) -> list[str] | None:
        openings = [
            opening.words()
            for opening in inbound_guards.openings(self._wanted, self._lock(before), state)
        ]
        model = model_of(state)
        for target in self._wanted.targets:
            openings += [
                f"Whoever comes from another interface of the zone '{zone}' can reach {target} "
                "without any policy (intrazone allow)."
                for zone in model.free_zones(target)
            ]
        return openings

    def edge(self, before: DeviceState, state: DeviceState) -> dict[str, t.Any] | None:
        lock = self._lock(before)
        allowed = {version: lock.allowed(version) for version in self._wanted.versions}
        return edge.of(state, self._wanted, allowed)

    def told(
        self, before: DeviceState, after: DeviceState, changes: t.Sequence[Change]
    ) -> dict[str, t.Any]:
        shown = {}
        for when, state in (("before", before), ("after", after)):
            model = model_of(state, self._wanted.interfaces)
            shown[when] = [
                policy for target in self._wanted.targets for policy in reaching(model, target)
            ]
        return {"exposure": exposure(shown["before"], shown["after"])}


def main() -> None:
    """The module."""
    module.run(ARGUMENTS, InboundLock)


if __name__ == "__main__":
    main()
