#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a FortiGate lets through, as a module."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fortios_info
short_description: Tell who reaches a port through a FortiGate, and what given sources would meet
version_added: 0.1.0
description:
  - Reads the policies and what they refer to, and says who reaches a port of a server behind the
    device, by which policy.
  - For given sources it says what they would meet, by the collection's own model of the policies,
    and beside it by the device's own C(policy-lookup) where O(interface) is named and the device
    offers it.
  - Of each policy for the port it says how often it was hit and when last, as the device counts it,
    for whoever is about to narrow it.
  - Policies that cannot lead to the server are left out, where the device tells behind which
    interface it is; it is asked where several come into question.
  - Changes nothing. Needs an API user that may read firewall policies, addresses and services,
    and network settings (C(netgrp)) where O(interface) is named, or for the way to the server.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._fortios.device
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.fortigate
options:
  vips:
    description: The virtual IPs to look at. Those that lead to O(port) where neither these nor
      O(addresses) are named.
    type: list
    elements: str
    default: []
  addresses:
    description: Addresses of servers to look at, for a way in without a virtual IP.
    type: list
    elements: str
    default: []
  port:
    description: The TCP port of the server, behind the virtual IP.
    type: int
    default: 25
  sources:
    description: Addresses on the internet or in the own networks, for each of which the answer says
      what it would meet.
    type: list
    elements: str
    default: []
  interface:
    description:
      - The interface that the O(sources) come from. Needed for the device's own C(policy-lookup).
      - A member of a zone or an SD-WAN zone is taken for the zone, which is what policies name. One
        that the device does not have is refused.
    type: str
seealso:
  - module: mailedge.lockdown.fortios_inbound_lock
"""

EXAMPLES = r"""
- name: Who reaches port 25, and would this stranger?
  mailedge.lockdown.fortios_info:
    host: fw.birke.example
    token: "{{ vault_fortigate_token }}"
    sources: [192.0.2.77]
    interface: wan1
  delegate_to: localhost
"""

RETURN = r"""
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
  returned: success
policies_with_match_vip:
  description: How many policies have the field C(match-vip), which none is taken to have with
    central NAT. The playbook C(selftest) judges it.
  returned: success
  type: int
  sample: 3
exposure:
  description: Who reaches the port, one sentence for each accept policy that lets somebody through.
  returned: success
  type: list
  elements: str
  sample: ["everybody → port 25 of the virtual IP 'VIP-mail', by policy 1 'Mail in'"]
targets:
  description: What was looked at, which is a virtual IP by its name (C(vip)) or an C(address); the
    other is empty. C(port) is the one of the server. C(way) is whether the device C(told) behind
    which interface it is, was C(not asked), or has C(not told) it; every policy then counts as one
    that could lead there.
  returned: success
  type: list
  elements: dict
  sample: [{vip: VIP-mail, address: '', port: 25, way: told}]
policies:
  description: The policies that are for the port, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    policy:
      description: The number of the policy.
      type: int
      returned: always
    name:
      description: Its name.
      type: str
      returned: always
    action:
      description: V(accept) or V(deny).
      type: str
      returned: always
    target:
      description: What it is for.
      type: str
      returned: always
    sources:
      description: From whom it takes traffic.
      type: str
      returned: always
    hit_count:
      description:
        - How often it was hit, for whatever port, since the device began to count.
        - V(null) where the device does not say, which may be one that was never hit.
      type: int
      returned: always
    last_used:
      description:
        - When it was hit last, by the clock of the device, in UTC.
        - V(null) where the device does not say.
      type: str
      returned: always
  sample:
    - policy: 1
      name: Mail in
      action: accept
      target: port 25 of the virtual IP 'VIP-mail'
      sources: everybody
      hit_count: 4662
      last_used: "2026-05-26T17:43:47Z"
sources:
  description: What each of O(sources) would meet.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: The source.
      type: str
      returned: always
    target:
      description: What it wants to reach.
      type: str
      returned: always
    passes:
      description:
        - Whether it gets through, by the collection's model. What the configuration does not tell
          counts as open.
      type: bool
      returned: always
    certain:
      description:
        - Whether the configuration tells so for certain. V(false) where the source could be behind
          an FQDN, a country or an internet service, where a policy on the way holds under a
          condition only, or where the device does not tell whether it leads to the target;
          RV(sources[].passes) is then V(true).
      type: bool
      returned: always
    policy:
      description: The policy that lets it through, or could, by the collection's model; 0 where
        none does, or where it takes none because two members of a zone reach each other freely.
      type: int
      returned: always
    device_passes:
      description: Whether it gets through, by the device's own answer.
      type: bool
      returned: when the device was asked and answered
    device_policy:
      description: The policy that decides, by the device's own answer.
      type: int
      returned: when the device was asked and answered
# generated: returns fortios.cost
cost:
  description: How many HTTP requests were sent.
  returned: always
  type: dict
# end of generated
  sample: {"requests": 9}
"""

import contextlib
import dataclasses
import datetime
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import (
    interfaces,
    modes,
    module,
    unread,
    usage,
    virtual,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.argspec import (
    DEVICE_OPTIONS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import FortiOS
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import DeviceError
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.inbound_options import (
    InboundOptions,
    refuse_unread_ipv6,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import (
    Model,
    Target,
    model_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.routes import Routes
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.sentences import (
    reaching,
    words,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    POLICY,
    VIP,
    DeviceState,
    read,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Interval,
    RangeSet,
    parse_address,
    parse_range,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

_NAMES: dict[str, t.Any] = {"type": "list", "elements": "str", "default": []}

ARGUMENTS = module.spec(
    {
        **DEVICE_OPTIONS,
        "vips": _NAMES,
        "addresses": _NAMES,
        "port": {"type": "int", "default": 25},
        "sources": _NAMES,
        "interface": {"type": "str"},
    },
)


def look(params: t.Mapping[str, t.Any], client: FortiOS) -> dict[str, t.Any]:
    """The whole answer. Raises FortiOSError, PlanError and RangeError."""
    sources = [str(parse_address(text)) for text in params["sources"]]
    wanted = InboundOptions(
        name="",
        port=params["port"],
        vips=tuple(dict.fromkeys(params["vips"])),
        addresses=tuple(parse_range(text) for text in params["addresses"]),
    )
    if not 1 <= wanted.port <= 65535:
        raise PlanError(f"{wanted.port} is not a TCP port. Nothing was sent to the device.")
    if any(address.size > 1 for address in wanted.addresses):
        raise PlanError(
            "addresses holds a range; name the single addresses of servers. "
            "Nothing was sent to the device."
        )
    state = read(client, wanted.tables)
    refuse_unread_ipv6(state.version, wanted.versions)
    decides = modes.read(client, (modes.SETTINGS,))
    decides.refuse(wanted.vips)
    named = [params["interface"]] if params["interface"] else []
    known = interfaces.read(client, state.version) if named else None
    ways_in = known.for_policies(named) if known else ()
    missing = [vip for vip in wanted.vips if vip not in state.table(VIP)]
    if missing:
        raise PlanError(f"There is no virtual IP '{missing[0]}' on the device.")
    if not wanted.targets:
        serves = model_of(state).serves
        serving = tuple(str(vip) for vip in state.table(VIP) if serves(str(vip), wanted.port))
        wanted = (
            _behind(state, wanted, serving)
            if decides.central_nat
            else dataclasses.replace(wanted, vips=serving)
        )
    counted = usage.read(client, sorted({target.version for target in wanted.targets}))
    first = model_of(state, ways_in)
    asked = {target for target in wanted.targets if first.is_unsettled(target)}
    model = model_of(Routes(client, known).told(state, wanted.targets, ways_in), ways_in)
    warnings = [
        finding.sentence for finding in decides.findings(datetime.datetime.now(), changes=False)
    ]
    warnings += unread.ways(
        model, wanted.port, ways_in, six=any(target.version == 6 for target in wanted.targets)
    )
    hidden = [str(target) for target in wanted.targets if model.zones_unread(target)]
    if hidden:
        warnings.append(unread.zones(hidden))
    if not wanted.targets:
        warnings.append(
            f"No virtual IP leads to port {wanted.port}, so that nothing was looked at. "
            "Name the addresses of the server in addresses."
        )
    return {
        **({"warnings": warnings} if warnings else {}),
        "device": {
            "serial": client.serial,
            "version": ".".join(map(str, client.version or ())),
            **decides.facts(),
        },
        "policies_with_match_vip": sum(
            1 for row in state.table(POLICY).values() if "match-vip" in row
        ),
        "exposure": [policy for target in wanted.targets for policy in reaching(model, target)],
        "targets": [
            {
                "vip": str(target.vip or ""),
                "address": str(target.address or ""),
                "port": target.port,
                "way": _way(target, asked, model),
            }
            for target in wanted.targets
        ],
        "policies": [
            {
                "policy": policy.key,
                "name": str(policy.row.get("name") or ""),
                "action": str(policy.row.get("action") or "deny"),
                "target": str(target),
                "sources": words(model.sources(policy, target)),
                **counted.get(policy.key, usage.NOT_SAID).told(),
            }
            for target in wanted.targets
            for policy in model.concerned(target)
        ],
        "sources": [
            {
                "source": source,
                "target": str(target),
                "passes": (passage := model.lookup(source, target)) is not None,
                "certain": passage is None or passage.certain,
                "policy": 0 if passage is None else passage.policy,
                **_by_device(client, state, source, target, params["interface"]),
            }
            for target in wanted.targets
            for source in sources
            if (":" in source) == (target.version == 6)
        ],
    }


def _behind(state: DeviceState, wanted: InboundOptions, vips: t.Iterable[str]) -> InboundOptions:
    """With central NAT: the addresses behind virtual IPs, which is what policies see."""
    behind = RangeSet(
        interval for vip in vips for interval in model_of(state).mapped(vip).intervals
    )
    single = [
        Interval(4, interval.first + at, interval.first + at)
        for interval in behind.intervals
        for at in range(min(interval.size, 64))
    ]
    return dataclasses.replace(wanted, addresses=tuple(single))


def _way(target: Target, asked: t.Collection[Target], model: Model) -> str:
    """Whether the device told behind which interface the server is."""
    if target not in asked:
        return "not asked"
    return "not told" if model.is_unsettled(target) else "told"


def _by_device(
    client: FortiOS, state: DeviceState, source: str, target: Target, interface: str | None
) -> dict[str, t.Any]:
    """What the device says itself; nothing where it was not to be asked, or does not offer it."""
    if not interface:
        return {}
    outside, port = str(target.address), target.port
    if target.vip:
        row = state.table(VIP)[target.vip]
        outside = str(row.get("extip"))
        port = virtual.in_front(row, port)
    with contextlib.suppress(DeviceError):
        decision = client.monitor(
            "firewall/policy-lookup",
            srcintf=interface,
            sourceip=source,
            protocol="tcp",
            dest=outside,
            destport=port,
        )
        told = decision if isinstance(decision, t.Mapping) else {}
        passes, number = told.get("success"), str(told.get("policy_id"))
        if isinstance(passes, bool) and number.isascii() and number.isdecimal():
            return {"device_passes": passes, "device_policy": int(number)}
    return {}


def main() -> None:
    """The module."""
    module.ask(ARGUMENTS, look)


if __name__ == "__main__":
    main()
