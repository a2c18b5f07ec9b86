#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fortios_range_feed: documentation and options; module_utils/_fortios does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fortios_range_feed
short_description: Keep a set of address ranges as an external resource of a FortiGate
version_added: 0.1.0
description:
  - Keeps an external resource of the type address, which a policy can name as its source, and which
    the device either polls from a published list or is pushed.
  - What is pushed is read back, and pushed again only where it differs.
  - The list of an external resource is no part of the device's configuration backup. What a pushed
    list becomes after a restart or a failover of a cluster is not known for sure, so let a
    scheduled run look after it, or let the device poll.
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
    description: The name of the external resource.
    type: str
    required: true
  state:
    description: Whether there shall be such a feed. Before it can go, no policy may use it.
    type: str
    choices: [present, absent]
    default: present
  mode:
    description:
      - V(poll) lets the device fetch a list from O(url), one range a line.
      - V(push) hands it O(ranges), which takes FortiOS 7.2.1 or later.
    type: str
    choices: [poll, push]
    default: poll
  url:
    description: The address of the list that the device polls, without a user and a password, which
      have options of their own.
    type: str
  ranges:
    description: The ranges to push. An empty list is refused.
    type: list
    elements: str
  refresh_rate:
    description: How often the device polls, in minutes.
    type: int
    default: 5
  username:
    description: The user to fetch the list as.
    type: str
  password:
    description: The password of O(username).
    type: str
  update_password:
    description:
      - The device does not tell its password, so that nobody can see whether it is still the right
        one.
      - V(on_create) sets it only on a feed that does not exist yet. V(always) sets it in every run,
        which then reports a change.
    type: str
    choices: [always, on_create]
    default: on_create
  server_identity_check:
    description: How the device checks the certificate of the server. Takes FortiOS 7.0.8 or 7.2.4.
    type: str
    choices: [none, basic, full]
  comment:
    description: What to say in the comment of the feed, behind the mark by which the collection
      knows its own objects.
    type: str
attributes:
  idempotent:
    details:
      - Not with O(update_password=always), which writes a secret in every run.
seealso:
  - module: mailedge.lockdown.fortios_inbound_lock
  - module: mailedge.lockdown.fortios_address_group
"""

EXAMPLES = r"""
- name: Let the device fetch the published list
  mailedge.lockdown.fortios_range_feed:
    host: fw.birke.example
    token: "{{ vault_birke_fortigate_token }}"
    name: birke-provider
    url: https://lists.example/mailedge/birke-ipv4.txt
  delegate_to: localhost

- name: Hand the device the list
  mailedge.lockdown.fortios_range_feed:
    host: fw.birke.example
    token: "{{ vault_birke_fortigate_token }}"
    name: birke-provider
    mode: push
    ranges: [198.51.100.0/24]
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
  sample: ["Create the range feed 'birke-provider'
    (https://lists.example/mailedge/birke-ipv4.txt)."]
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
entries:
  description: How many ranges the feed holds on the device. A policy whose only source is a feed
    without any lets nobody through.
  returned: when the feed existed before the run
  type: int
  sample: 12
"""

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import feed, groups, module
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.argspec import (
    WRITE_OPTIONS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Key
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.layer import FortiOSLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import Change
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    FEED,
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    WARN,
    Finding,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Reading

ARGUMENTS = module.spec(
    {
        **WRITE_OPTIONS,
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "mode": {"type": "str", "choices": ["poll", "push"], "default": "poll"},
        "url": {"type": "str"},
        "ranges": {"type": "list", "elements": "str"},
        "refresh_rate": {"type": "int", "default": 5},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "update_password": {
            "type": "str",
            "choices": ["always", "on_create"],
            "default": "on_create",
            "no_log": False,
        },
        "server_identity_check": {"type": "str", "choices": ["none", "basic", "full"]},
        "comment": {"type": "str"},
    },
)


class RangeFeed(FortiOSLayer):
    """An external resource, and what it holds."""

    def __init__(self, params: t.Mapping[str, t.Any], *more: t.Any, **keywords: t.Any) -> None:
        super().__init__(params, *more, **keywords)
        pushed = params["state"] == "present" and params["mode"] == feed.PUSH
        self._ranges = _ranges_guards.named(params["ranges"] or []) if pushed else None
        feed.check_options(params, self._ranges)

    def paths(self) -> t.Sequence[str]:
        return (FEED,)

    def feeds(self) -> t.Sequence[str]:
        return (self.params["name"],)

    def described(self, state: DeviceState) -> t.Sequence[Desired[Key]]:
        if self.params["state"] == "present":
            feed.check_version(state.version, self.params)
        groups.refuse_foreign(state, FEED, self.params["name"])
        return feed.wishes(self.params, self._ranges, state, groups.note(self.params["comment"]))

    def judge(
        self, reading: Reading[DeviceState], after: DeviceState, changes: t.Sequence[Change]
    ) -> t.Iterable[Finding]:
        yield from super().judge(reading, after, changes)
        name = self.params["name"]
        if self._ranges is not None:
            yield from _ranges_guards.check(self._ranges, f"The feed '{name}'")
        held = reading.state.table(feed.ENTRIES).get(name)
        if (
            held is not None
            and not held["entries"]
            and self.params["state"] == "present"
            and self._ranges is None
        ):
            yield Finding(
                "feed_empty",
                WARN,
                f"The feed '{name}' holds no ranges on the device, "
                "so that a policy with it lets nobody through.",
            )

    def told(
        self, before: DeviceState, after: DeviceState, changes: t.Sequence[Change]
    ) -> dict[str, t.Any]:
        held = before.table(feed.ENTRIES).get(self.params["name"])
        return {} if held is None else {"entries": len(held["entries"])}


def main() -> None:
    """The module."""
    module.run(ARGUMENTS, RangeFeed)


if __name__ == "__main__":
    main()
