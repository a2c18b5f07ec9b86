#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may deliver to an Exchange Online tenant, as a module."""

from __future__ import annotations

DOCUMENTATION = r"""
module: exchange_online_info
short_description: Who may deliver to an Exchange Online tenant past its filter
version_added: 0.1.0
description:
  - Reads inbound connectors, transport rules, RejectDirectSend, accepted domains, the connection
    filter and the perimeter configuration, and says who may deliver to the tenant, and what goes
    past its filtering.
  - Lists the snapshots that M(mailedge.lockdown.exchange_online_lock) could give back. Changes
    nothing; a role that may only read is enough.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._exchange_online.tenant
  - mailedge.lockdown._exchange_online.named
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.exchange_online
options:
  only_snapshots:
    description: Whether only the snapshots are listed, for which no request is sent.
    type: bool
    default: false
  wait_minutes:
    description:
      - Whether to wait until what was changed in the tenant is in force, and for how many minutes
        at most, up to 240. The tenant is read before and afterwards.
      - Microsoft says that it takes up to 30 minutes. Where nothing is awaited any more, RV(tenant)
        has no C(in_force_by).
    type: int
    default: 0
  in_force_by:
    description: Until when to wait, as M(mailedge.lockdown.exchange_online_lock) returned it. The
      tenant tells by itself when a connector or a rule was changed, and not when one was removed,
      or RejectDirectSend was set.
    type: str
  microsoft_monitor:
    description:
      - Whether to tell as well what Microsoft's own monitor has noticed in the tenant (Microsoft
        Graph, Tenant Configuration Management, worldwide cloud alone). It is a second watcher that
        only detects, for what an administrator has put into its baseline, and says nothing for
        RV(state).
      - Microsoft runs it each six hours, so that what was changed since is not in it. A tenant may
        have 30 monitors, and 800 resources a day in all of them.
      - The app needs the application permission C(ConfigurationMonitoring.Read.All) of Microsoft
        Graph. It costs three requests and more - a token, monitors and drifts.
      - It was written from documentation, and did not run on a real tenant yet.
    type: bool
    default: false
  graph_url:
    description: Where Microsoft Graph is asked, in place of V(https://graph.microsoft.com); https
      only.
    type: str
seealso:
  - module: mailedge.lockdown.exchange_online_lock
"""

EXAMPLES = r"""
- name: Can anybody walk around the filter?
  mailedge.lockdown.exchange_online_info:
    tenant_id: 8f0f9b9e-0c2a-4a55-9d4b-6d1f8f1f2f10
    client_id: 2b6f6c1e-5c5e-4a0a-8f9b-0a5d5d5d5d5d
    certificate: /etc/mailedge/birke.pem
    provider_certificate: "*.filter.example"
  delegate_to: localhost
  register: tenant
"""

RETURN = r"""
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
  returned: when the tenant was asked
answers:
  description: Who gets what from the tenant, in sentences.
  returned: when the tenant was asked
  type: list
  elements: str
  sample:
    - "a stranger, straight to the tenant (direct delivery): delivered"
    - "a stranger with a sender of the own domains (Direct Send): delivered"
bypasses:
  description: What goes past the tenant's own filtering, in sentences.
  returned: when the tenant was asked
  type: list
  elements: str
unread:
  description: What could not be read, or not in whole, and whom Exchange Online may let past the
    lock, in sentences. RV(state) is V(unknown) where nothing worse is known.
  returned: when the tenant was asked
  type: list
  elements: str
  sample: []
reading:
  description:
    - What the tenant answered, in numbers and with no name of the tenant's own, for the playbook
      C(selftest).
    - How many C(objects) each cmdlet gave, and how many C(warnings); which was C(unanswered); of
      how many objects the time of the last change was told (C(timed)); whether RejectDirectSend was
      told (C(direct_send_told)); and how many rules told no conditions
      (C(rules_without_conditions)).
  returned: when the tenant was asked
  type: dict
  sample:
    objects: {Get-InboundConnector: 1, Get-OrganizationConfig: 1, Get-TransportRule: 0}
    unanswered: []
    warnings: {}
    timed: {Get-InboundConnector: 1, Get-TransportRule: 0, Get-OrganizationConfig: 1}
    direct_send_told: true
    rules_without_conditions: 0
inbound_connectors:
  description:
    - The inbound connectors, by the names of the parameters of C(New-InboundConnector) in
      snake_case. C(connector_source) is who has made one.
  returned: when the tenant was asked
  type: list
  elements: dict
transport_rules:
  description: The transport rules, as far as this collection knows their options.
  returned: when the tenant was asked
  type: list
  elements: dict
microsoft_monitor:
  description:
    - What Microsoft's own monitor has noticed. Its C(sentences); the names of the C(monitors) that
      run; C(drifts) of Exchange that are not mended, each with C(resource_type), C(name), C(since)
      and C(properties); how many are C(elsewhere), of other services.
    - C(unknown) says why nothing is known, and is empty otherwise.
  returned: when O(microsoft_monitor) is V(true) and the tenant was asked
  type: dict
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
# generated: returns exchange_online.cost
cost:
  description: How many HTTP requests were sent, those for the token among them.
  returned: always
  type: dict
  sample: {"requests": 3}
# end of generated
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import module

ARGUMENTS = module.INFO


def main() -> None:
    """The module."""
    module.info(ARGUMENTS)


if __name__ == "__main__":
    main()
