#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""windows_firewall_rules: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: windows_firewall_rules
short_description: Decide which addresses may reach a TCP port of a Windows server
version_added: 0.1.0
description:
  - Narrows Windows Firewall so that only named addresses reach some TCP ports, on Windows Server
    2008 and later. Rules that let in nobody but named addresses are left as they are.
  - Every enabled inbound rule that lets somebody in to such a port counts, in every profile. Those
    are rules for the port alone, for a list or a range of ports, for any port, for a program or a
    service, and the C((GFW)) twins of Exchange, which are bound to no program.
  - A rule that lets in others, or that lets in some of O(remote_addresses), gets exactly the named
    addresses. A rule holds at most 1,000 of them in each of its lists. What has no room goes into
    rules of this collection beside it, whose names begin with C(mailedge:).
  - A rule of which a part is not understood, or whose addresses do not count
    (C(LOM) in its text in the registry), is disabled, and rules of this collection stand in.
  - A keyword such as V(LocalSubnet) stands for addresses that the server alone knows. It is taken
    for anybody where it is asked who might get in, and for nobody where it is asked who certainly
    does, and it does not stay in a rule that is narrowed.
  - Settings of group policy in the way of Windows XP (the C(StandardProfile), and lists of ports
    and programs that are let in) are read. Whether a Windows of today heeds them is not verified,
    so that one that may let strangers in makes the state V(unknown) (guard C(policy_unread)), until
    it is gone or accepted.
  - Loopback is not filtered by Windows Firewall, and is never written.
  - Nothing is opened. A port that no rule opens stays shut, which the guard C(unreached) tells.
  - The state before the first change is saved on the server. O(snapshot) gives it back.
  - A run with nothing to do costs one PowerShell start, a change costs two. No Exchange shell is
    opened.
  - Not yet run on a Windows server. What a server does is known from Microsoft's documentation,
    as the lab of this collection plays it.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._windows.connection
  - mailedge.lockdown._windows.snapshot_copy
  - mailedge.lockdown._exchange.run
  - mailedge.lockdown._approval
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.writes
options:
  ports:
    description:
      - The TCP ports that are locked. Needs O(remote_addresses).
    type: list
    elements: int
  remote_addresses:
    description:
      - The addresses that the ports are for, as addresses, CIDR prefixes or C(first-last) ranges.
        For port 25 those are the ranges from which the filtering provider delivers.
      - A list that holds a sizeable part of the internet is refused, as are V(0.0.0.0/0) and
        V(::/0).
    type: list
    elements: str
  own_networks:
    description:
      - The site's own networks, which reach the ports as well. They should hold the address from
        which the server is managed, where a management port is locked.
      - Where none are named, a change that takes a port from private addresses is refused (guard
        C(own_networks_shut_out)).
    type: list
    elements: str
    default: []
  exchange_servers:
    description:
      - The addresses of the other Exchange servers of the organization, Edge servers included.
        Microsoft supports no firewall between them.
      - Write V([]) where there are none, or where O(own_networks) hold them. Where the option is
        missing, a change is refused (guard C(exchange_servers_unnamed)).
    type: list
    elements: str
  domain_controllers:
    description:
      - The addresses of the domain controllers. Microsoft supports no firewall between them and an
        Exchange server.
      - Write V([]) where O(own_networks) hold them. Where the option is missing, a change is
        refused (guard C(domain_controllers_unnamed)).
    type: list
    elements: str
  ignore_programs:
    description:
      - Programs that do not listen on the ports, by their file names, such as V(backup-agent.exe).
        Rules that are bound to one of them are left as they are, and are no way in.
      - Without it a rule that lets a program receive on any port is a way in to O(ports), because
        nobody knows what listens there tomorrow. Rules for apps of the store never are.
    type: list
    elements: str
    default: []
  ports_in_use:
    description:
      - Those of O(ports) that clients use from the internet, such as 443. A change that takes one
        of them from the internet is refused (guard C(client_access_shut_out)).
      - In the playbooks it is 443 where C(mailedge_exchange_in_use) names anything.
    type: list
    elements: int
    default: []
  method:
    description:
      - How a rule that carries nothing but O(ports) is closed.
      - V(narrow) narrows its addresses. V(disable) disables it, and rules of this collection with
        the same program, service and profiles stand in.
    type: str
    choices: [narrow, disable]
    default: narrow
  other_ports:
    description:
      - What becomes of a rule that carries other ports too, such as a rule of Exchange for the
        ports 25 and 587.
      - V(keep) takes O(ports) out of it, and rules of this collection with the same program,
        service and profiles stand in for these. The other ports stay as they are. A rule for any
        port then has ranges, which Windows Server 2008 without a service pack refuses.
      - V(narrow) narrows the rule with all its ports.
      - A rule for any protocol can have no ports and is narrowed as a whole. The guard
        C(other_ports_shut_out) tells what else that shuts.
    type: str
    choices: [keep, narrow]
    default: keep
  accept_risks:
    description:
      - The ids of guards whose warning is known and accepted. A guard that stops the task names its
        id.
      # generated: guards windows_firewall
      - "V(client_access_shut_out): The internet would lose a port that the site's description says
        is in use from there."
      - "V(domain_controllers_unnamed): Nobody has said which domain controllers there are.
        Microsoft supports no firewall before them."
      - "V(everything_blocked): A profile that is active blocks whatever comes in, whatever rules
        say."
      - "V(everything_let_in): A profile that is active lets in whatever no rule blocks."
      - "V(exchange_servers_unnamed): Nobody has said which other Exchange servers there are.
        Microsoft supports no firewall between them."
      - "V(firewall_off): Windows Firewall is off in a profile that is active, so that no rule
        counts."
      - "V(inactive_profile_open): A profile that is not active now would let everybody in."
      - "V(interface_excluded): Windows Firewall leaves out a network interface, for which no rule
        counts."
      - "V(ipsec_rule): A rule lets in senders that are not named and that IPsec has authenticated."
      - "V(leased): Another run has leased the server and may still take back what it made, or has
        worked on the server while this one did; or whether there is one cannot be read."
      - "V(local_rules_ignored): Group policy has local rules ignored, so that a change of them
        changes nothing."
      - "V(management_shut_out): The connection by which this server is managed, or one that may be
        it, would be refused."
      - "V(named_shut_out): Addresses that are named would no longer reach a port that they reach
        today."
      - "V(other_ports_shut_out): A rule that is closed carries other ports too, which somebody
        reaches by it today."
      - "V(own_networks_shut_out): Private addresses would no longer reach a port that they reach
        today, and no own networks are named."
      - "V(policy_rule): A rule of group policy lets strangers in, and can only be changed where the
        policy is made."
      - "V(policy_unread): Whether group policy lets strangers in, or overrides what is changed, is
        not known for certain."
      - "V(range_too_wide): A range is wider than a /10 (IPv4) or a /24 (IPv6), or all of them
        together than a /8 or a /20. Nobody who is named has so many addresses of the internet, so
        that it locks next to nothing."
      - "V(uncertain_rule): A rule may let strangers in, which could not be seen for certain."
      - "V(unnamed_private_shut_out): Private addresses that nobody has named would no longer reach
        a port that they reach today."
      - "V(unreached): Addresses that are named in remote_addresses do not reach a port, whether
        they are locked or not."
      # end of generated
    type: list
    elements: str
    default: []
attributes:
  platform:
    platforms: windows
    support: full
notes:
  - The user has to be an administrator of the server.
  - Rules that group policy brings are read from the registry and never changed.
  - An update of Exchange may make its rules anew, and wide. The next run narrows them again.
seealso:
  - module: mailedge.lockdown.exchange_mail_flow
  - module: mailedge.lockdown.mail_edge_probe
"""

EXAMPLES = r"""
- name: Let the filtering provider and the own networks reach port 25, and nobody else
  mailedge.lockdown.windows_firewall_rules:
    ports: [25]
    remote_addresses:
      - 198.51.100.0/24
      - 2001:db8:100::/48
    own_networks: [10.20.0.0/16]
    exchange_servers: []
    domain_controllers: []

- name: See whether anybody has opened it again
  mailedge.lockdown.windows_firewall_rules:
    ports: [25]
    remote_addresses: [198.51.100.0/24]
    own_networks: [10.20.0.0/16]
    exchange_servers: []
    domain_controllers: []
  check_mode: true
  diff: true
  register: drift

- name: Give back the state before the last change
  mailedge.lockdown.windows_firewall_rules:
    snapshot: latest
"""

RETURN = r"""
plan:
  description: What was changed, or in check mode would be, in the order of the changes. One
    sentence each.
  returned: success, and on a refusal after the server was read
  type: list
  elements: str
  sample:
    - "Change the firewall rule 'MSExchangeFrontendTransport (TCP-In) [{0B58E4CD}]': local ports:
      25, 587 → 587."
before:
  description: The options that differ, as they were, below C(rules) by rule.
  returned: success
  type: dict
  sample:
    rules:
      "WinRM over HTTPS [{EFE1CB0B}]":
        remote_addresses: ['*']
after:
  description: The same options as they are now, read back from the server. In check mode, as they
    would be.
  returned: success
  type: dict
  sample:
    rules:
      "WinRM over HTTPS [{EFE1CB0B}]":
        remote_addresses: [10.20.0.0/16]
exposure:
  description: Who reaches the ports by the profiles that are active, before and after.
  returned: success, and on a refusal after the server was read
  type: dict
  contains:
    before:
      description: For each port whoever might reach it (C(possible)) and who certainly does
        (C(certain)), before the change.
      type: dict
      returned: success
    after:
      description: The same after the change.
      type: dict
      returned: success
    words:
      description: The same in sentences, with an arrow where something changes.
      type: list
      elements: str
      returned: always
  sample: {"words": ["port 25: everybody → 10.20.0.0/16 and 198.51.100.0/24"]}
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
  returned: success, and on a refusal by a guard
strangers:
  description: Who certainly reaches the ports and is not named, and by what.
  type: dict
  contains:
    before:
      description: One sentence a port, as it was when the task began.
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
      - "Everybody can reach port 25: by the rule 'MSExchangeFrontendTransport (TCP-In)'."
    after: []
  returned: with O(ports), where the state of the server is known in the end
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
  returned: when the state of the server is known in the end
profiles:
  description: How the profiles C(domain), C(private) and C(public) decide, group policy regarded.
  returned: success, and on a refusal after the server was read
  type: dict
  sample:
    domain:
      active: true
      enabled: true
      blocks_all: false
      lets_in_by_default: false
      local_rules_count: true
server:
  description: The server that was read.
  returned: success, and on a refusal after the server was read
  type: dict
  sample: {name: EX1}
snapshot:
  description: Where the state before the change is kept.
  returned: when something was written
  type: dict
  contains:
    name:
      description: The name of the snapshot, for O(snapshot).
      type: str
      returned: always
    folder:
      description: The folder on the server.
      type: str
      returned: always
    controller_path:
      description: The path of the copy on the controller.
      type: str
      returned: with O(snapshot_copy)
  sample: {"name": "20260114T101500.250Z-4f1c2a-apply.json", "folder": "%ProgramData%\\mailedge"}
# generated: returns layer.lease
lease:
  description:
    - A lease of the C(server) or device, by which run it is held (C(run_id)), C(by) whom and
      where that was started, C(since) when and C(until) when by its own clock.
    - C(held) is whether the run has not ended it. It is over at that time in any case.
  type: dict
  sample: {server: EX1, run_id: 4f1c2a90, until: "2026-01-14T11:15:00.250Z", held: true}
# end of generated
  returned: with O(lease), where the run has one
cost:
  description: How often a PowerShell was started on the server. C(exchange_shells) is 0.
  returned: success
  type: dict
  sample: {"powershell_starts": 1, "exchange_shells": 0}
# generated: returns exchange.error layer.restored
error:
  description: Of an error on the server, its class, its fully qualified id and the step it came
    from.
  returned: when the server refused something
  type: dict
  sample: {"class": "ConnectorMappingConflictException", "id": "…", "step": "change-1"}
restored:
  description: The name of the snapshot that was restored, or V(original).
  type: str
  sample: 20260114T101500.250Z-4f1c2a-apply.json
# end of generated
  returned: with O(snapshot)
not_restored:
  description: A sentence for each rule that is gone, or that was changed since.
  returned: with O(snapshot)
  type: list
  elements: str
  sample: []
# generated: returns layer.further
further:
  description: The names of snapshots of changes before that, newest first. What they hold is
    still changed.
  type: list
  elements: str
  sample: []
# end of generated
  returned: with O(snapshot=latest)
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.argspec import (
    MODULE,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(MODULE)


if __name__ == "__main__":
    main()
