#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of an Exchange Online tenant to its filter, as a module."""

from __future__ import annotations

DOCUMENTATION = r"""
module: exchange_online_lock
short_description: Lock an Exchange Online tenant to its filtering provider
version_added: 0.1.0
description:
  - Makes sure that mail reaches a tenant only through the filter that its MX names. Whoever knows
    the tenant's own endpoint, which is guessed from the domain, can otherwise deliver past it.
  - "There are two holes, and they are closed by different things. Direct delivery: anybody
    delivers straight to the tenant, with any sender. A Partner connector for all senders that
    restricts closes it, or a transport rule in force. Direct Send: the same, with a sender of the
    tenant's own domains. V(RejectDirectSend) closes that alone, and the connector closes it as
    well."
  - A connector that does the same already is adopted, whatever its name. Connectors of the hybrid
    wizard are never changed.
  - The state before a change is kept first, and O(snapshot) gives it back.
  - Runs that share O(snapshot_folder) write to a tenant one after the other. A tenant has no place
    for a lease, so that a run elsewhere is noticed by what it changes. A run that meets such a
    change before its first write, or when it looks at the end, fails and says so.
  - What is changed may take 30 minutes until it is in force everywhere. The result says until when;
    who is let in meanwhile says nothing about the lock.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._exchange_online.tenant
  - mailedge.lockdown._exchange_online.named
  - mailedge.lockdown._approval
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.writes
  - mailedge.lockdown._attributes.exchange_online
options:
  name:
    description:
      - The first part of the names of everything that is made in the tenant, 40 characters at most.
      - Keep it. Runs with another name do not know what this one has made.
    type: str
    default: mailedge
  method:
    description:
      - V(connector) refuses strangers when they name the recipient. Nothing of them is taken.
      - V(rule) is the softer way. A transport rule quarantines their mail, and O(rule_mode) begins
        with a look. Seen from outside the mail is accepted, so that only the configuration proves
        it, and a header that anybody can write gets past it. So RV(state) is V(unknown), unless
        V(rule_can_be_passed) stands in O(accept_risks).
      - V(none) leaves direct delivery as it is, for O(reject_direct_send) alone.
    type: str
    choices: [connector, rule, none]
    default: connector
  require_tls:
    description: Whether a connector by address refuses what comes without TLS. One by certificate
      always does.
    type: bool
    default: true
  reject_direct_send:
    description:
      - Whether Direct Send is refused. V(true) where it is not set and O(method) is V(connector);
        else what is not set stays as it is.
      - It does not weigh SPF or DKIM. Forwarders without SRS and cloud mailers that send with the
        tenant's own domains are refused, unless they match a connector by address or certificate.
    type: bool
  rule_mode:
    description: Whether the rule of O(method=rule) only counts (V(audit)), which locks nothing yet,
      or is in force (V(enforce)).
    type: str
    choices: [audit, enforce]
    default: audit
  enhanced_filtering:
    description:
      - What Exchange Online takes for the sender of what the provider delivers. V(last_hop) skips
        the provider's last hop, V(provider_ranges) all of O(provider_ranges), V(off) neither.
      - It stays as it is where not set.
    type: str
    choices: [last_hop, provider_ranges, 'off']
  mx_hosts:
    description:
      - The MX hosts of the tenant's domains. A lock that would shut strangers out stops where one
        of them is Exchange Online itself, or where none is named (guards V(mx_here) and
        V(mx_unknown)).
    type: list
    elements: str
    default: []
  mx_from_dns:
    description:
      - Whether DNS is asked as well where the MX of the tenant's own domains points. It is asked
        before a lock that would shut strangers out and as long as there is one, since an MX that
        is moved to Exchange Online makes the lock refuse the mail of the whole internet. It needs
        the Python library dnspython on the host that runs the module.
      - An MX of DNS that O(mx_hosts) does not name, where it names any, stops a run (guard
        V(mx_elsewhere)).
      - What DNS does not tell is unknown, and stops a lock where O(mx_hosts) names none. Where it
        does, the lock is made, and the state is V(unknown), since an MX that is moved would not be
        noticed (guard V(mx_unknown)).
    type: bool
    default: false
  resolver:
    description: The address of the DNS server to ask for O(mx_from_dns). Those of the host that
      runs the module, where not set.
    type: str
  resolver_port:
    description: The port of O(resolver).
    type: int
    default: 53
  snapshot:
    description: Give back what a snapshot holds, in place of a lock - its name, V(latest), or
      V(original), which is the state before the first change.
    type: str
  content:
    description: The snapshot itself, as the result of the run that made the change has it, where
      its folder is lost.
    type: json
  keep_later_changes:
    description: Whether O(snapshot) leaves alone what somebody has changed after the run that made
      it.
    type: bool
    default: false
  check_permissions:
    description:
      - Whether check mode also asks whether the app may run the cmdlets that the plan takes. A run
        that writes always asks, before its first write.
      - V(false) is for runs that only compare, by an app that may only read.
    type: bool
    default: true
  run_id:
    description:
      - What tells the snapshots of runs apart, of letters and digits. Tasks with the same one
        share a snapshot, and are rolled back together.
      - Another one for each task, if not set.
    type: str
  accept_risks:
    description:
      - The ids of guards whose warning is known and accepted. A guard that stops a run names its
        id.
      # generated: guards exchange_online
      - "V(filter_bypass): The tenant lets some mail past its own filtering."
      - "V(hybrid_connector): A connector of Microsoft's hybrid wizard would be changed, which the
        wizard makes again as it was."
      - "V(ipv6_shut_out): The provider has IPv6 addresses, which a connector or a rule cannot name:
        what it delivers over IPv6 would be refused."
      - "V(mx_elsewhere): DNS has an MX that the description does not name, so that its mail may be
        refused."
      - "V(mx_here): The MX of the domains is Exchange Online itself, so that a lock refuses the
        mail of the whole internet."
      - "V(mx_unknown): Whether the MX of the domains is the filter is not known, and where it is
        Exchange Online itself a lock refuses the mail of the whole internet."
      - "V(no_safe_order): Two connectors are needed, and the first that is made refuses what only
        the second lets in, until that one is in force."
      - "V(not_all_read): A part of the tenant that decides who gets in, or past its filtering, was
        not read, or not in whole."
      - "V(on_premises_shut_out): The organization's own servers deliver by a connector of the type
        OnPremises, and would be refused."
      - "V(on_premises_unnamed): A connector of the type OnPremises knows senders that the
        description does not name; whether they get past the lock is not known."
      - "V(others_refused): Who delivers straight to the tenant today would be refused."
      - "V(own_senders_refused): Mail with a sender of the own domains would be refused from whoever
        no connector knows: forwarders without SRS, cloud mailers, devices."
      - "V(private_range): A range holds addresses that nobody on the internet sends from."
      - "V(provider_shut_out): The provider, or a part of its addresses, would be refused."
      - "V(range_too_wide): A range is wider than a /10 (IPv4) or a /24 (IPv6), or all of them
        together than a /8 or a /20. Nobody who is named has so many addresses of the internet, so
        that it locks next to nothing."
      - "V(rule_can_be_passed): What keeps strangers out is a rule, and a header that anybody can
        write takes mail past it."
      - "V(service_domains_refused): Mail to the onmicrosoft.com domains, hybrid mail among it,
        would be refused from whoever is not named, because no filter relays it."
      # end of generated
    type: list
    elements: str
    default: []
seealso:
  - module: mailedge.lockdown.exchange_online_info
"""

EXAMPLES = r"""
- name: First look who would be quarantined
  mailedge.lockdown.exchange_online_lock:
    tenant_id: 8f0f9b9e-0c2a-4a55-9d4b-6d1f8f1f2f10
    client_id: 2b6f6c1e-5c5e-4a0a-8f9b-0a5d5d5d5d5d
    client_secret: "{{ vault_birke_exchange_online_secret }}"
    method: rule
    rule_mode: audit
    provider_ranges: [198.51.100.0/24]
    mx_hosts: [mx1.filter.example]
  delegate_to: localhost

- name: Only the filter delivers to the tenant
  mailedge.lockdown.exchange_online_lock:
    tenant_id: 8f0f9b9e-0c2a-4a55-9d4b-6d1f8f1f2f10
    client_id: 2b6f6c1e-5c5e-4a0a-8f9b-0a5d5d5d5d5d
    certificate: /etc/mailedge/birke.pem
    provider_certificate: "*.filter.example"
    on_premises_certificate: mail.birke.example
    mx_hosts: [mx1.filter.example, mx2.filter.example]
    # Two connectors cannot be made at the same moment: for an hour without mail.
    accept_risks: [no_safe_order]
  delegate_to: localhost

- name: Give the tenant back as it was
  mailedge.lockdown.exchange_online_lock:
    tenant_id: 8f0f9b9e-0c2a-4a55-9d4b-6d1f8f1f2f10
    client_id: 2b6f6c1e-5c5e-4a0a-8f9b-0a5d5d5d5d5d
    certificate: /etc/mailedge/birke.pem
    snapshot: latest
  delegate_to: localhost
"""

RETURN = r"""
plan:
  description: What a run changes, one sentence for each change, in the order of the changes.
  returned: when the tenant could be read
  type: list
  elements: str
  sample:
    - "Create the inbound connector 'mailedge by certificate': enabled true, ..."
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
  returned: when the tenant could be read
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
  returned: when the state of the tenant is known in the end, and a lock was asked for
# generated: returns exchange_online.strangers exchange_online.tenant
strangers:
  description: Who may deliver past the filter and is not named, in sentences, C(before) and
    C(after) the changes.
  returned: when the tenant could be read, and no snapshot was given back
  type: dict
  sample: {"before": [], "after": []}
tenant:
  description:
    - The tenant that was read; its C(id) and its accepted C(domains).
    - C(in_force_by) is until when what was changed a moment ago may not be in force everywhere.
  returned: when the tenant could be read
  type: dict
  sample: {"id": "8f0f9b9e-0c2a-4a55-9d4b-6d1f8f1f2f10", "domains": ["birke.example"]}
# end of generated
exposure:
  description: Who gets what, C(before) and C(after) the changes, and both in one list of sentences,
    C(words).
  returned: when the tenant could be read
  type: dict
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
      description: The folder, on the host that ran the module.
      type: str
      returned: always
    content:
      description: The snapshot itself, for O(content).
      type: str
      returned: always
# generated: returns layer.restored
restored:
  description: The name of the snapshot that was restored, or V(original).
  type: str
  sample: 20260114T101500.250Z-4f1c2a-apply.json
# end of generated
  returned: when a snapshot was given back
# generated: returns layer.further
further:
  description: The names of snapshots of changes before that, newest first. What they hold is
    still changed.
  type: list
  elements: str
  sample: []
# end of generated
  returned: when a snapshot was given back
not_restored:
  description: A sentence for each object that is gone, and of which the snapshot holds a part only,
    or that was changed since.
  returned: when a snapshot was given back
  type: list
  elements: str
  sample: []
# generated: returns exchange_online.cost
cost:
  description: How many HTTP requests were sent, those for the token among them.
  returned: always
  type: dict
  sample: {"requests": 3}
# end of generated
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import module

ARGUMENTS = module.LOCK


def main() -> None:
    """The module."""
    module.lock(ARGUMENTS)


if __name__ == "__main__":
    main()
