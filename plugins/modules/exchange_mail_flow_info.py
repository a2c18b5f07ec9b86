#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_mail_flow_info: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: exchange_mail_flow_info
short_description: Read the connectors of an Exchange server and what senders meet
version_added: 0.1.0
description:
  - Reads the receive and send connectors of one server, its version, the snapshots kept on it, and
    folds them into what a sender on the internet, the provider, the own networks and other Exchange
    servers meet.
  - Costs one PowerShell start and one load of the Exchange shell. Writes nothing.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._exchange.connection
  - mailedge.lockdown._exchange.networks
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.exchange
options:
  messages_since:
    description:
      - A time in UTC, such as V(2026-01-14T10:15:00Z). The server's logs are asked, in the same
        remote call, what each connector took since then, and how often it refused.
      - As in M(mailedge.lockdown.exchange_senders_info), on Exchange 2013 and later only connectors
        with a protocol log can tell it; what nobody can tell is said.
    type: str
seealso:
  - module: mailedge.lockdown.exchange_mail_flow
  - module: mailedge.lockdown.exchange_senders_info
"""

EXAMPLES = r"""
- name: See who may send what to this server
  mailedge.lockdown.exchange_mail_flow_info:
    own_networks: [10.20.0.0/16]
  register: mail_flow

- name: Print it
  ansible.builtin.debug:
    var: mail_flow.exposure.words
"""

RETURN = r"""
# generated: returns layer.lease
lease:
  description:
    - A lease of the C(server) or device, by which run it is held (C(run_id)), C(by) whom and
      where that was started, C(since) when and C(until) when by its own clock.
    - C(held) is whether the run has not ended it. It is over at that time in any case.
  type: dict
  sample: {server: EX1, run_id: 4f1c2a90, until: "2026-01-14T11:15:00.250Z", held: true}
# end of generated
  returned: success; null where no run has ever worked on the server with a lease
receive_connectors:
  description: The receive connectors of the server, each in the input form of
    M(mailedge.lockdown.exchange_receive_connector).
  returned: success
  type: list
  elements: dict
send_connectors:
  description: The send connectors of the organization, each in the input form of
    M(mailedge.lockdown.exchange_send_connector).
  returned: success
  type: list
  elements: dict
accepted_domains:
  description: The domains for which the organization takes mail. One that stands for everything,
    such as V(*), lets whoever may send relay; that is a warning, too.
  returned: when they could be read
  type: list
  elements: dict
  contains:
    name:
      description: Its name in the directory.
      type: str
      returned: always
    domain:
      description: The domain, in small letters.
      type: str
      returned: always
    type:
      description: Its type as Exchange prints it.
      type: str
      returned: always
  sample: [{name: Birke, domain: birke.example, type: Authoritative}]
exposure:
  description: What senders meet on every port that the server listens on.
  returned: success
  type: dict
  contains:
    listeners:
      description: For each local address and port, which senders meet which connector, and what
        it means.
      type: list
      elements: dict
      returned: always
    words:
      description: The same in sentences, for the groups that the site options name.
      type: list
      elements: str
      returned: always
  sample: {"words": ["any internet address: anonymous mail accepted"]}
strangers:
  description:
    - Who may send without a login, or relay, that the site has not named, from the internet, on any
      port that the server listens on.
    - Anybody but O(own_networks) and O(exchange_servers) is a stranger to relaying, the provider
      too.
  returned: when the task names O(provider_ranges)
  type: dict
  contains:
    before:
      description: One sentence each, as it was when the task began. Empty where it is certainly
        nobody.
      type: list
      elements: str
      returned: always
    after:
      description: The same, since nothing is changed.
      type: list
      elements: str
      returned: always
  sample: {"before": [], "after": []}
messages:
  description: What each connector took since O(messages_since), with C(told), C(source), C(blind)
    and C(unknown) as in M(mailedge.lockdown.exchange_senders_info).
  returned: when O(messages_since) is set
  type: dict
  sample:
    since: '2026-01-14T10:15:00.000Z'
    told: true
    source: protocol log
    connectors:
      - name: Mail from filter
        messages: 12
        sessions: 9
        refused: 0
        first: '2026-01-14T10:16:02.114Z'
        last: '2026-01-14T10:41:13.520Z'
    blind: []
    unknown: []
snapshots:
  description: The names of the snapshots on the server, newest first.
  returned: success
  type: list
  elements: str
# generated: returns exchange.server
server:
  description: The server that was read.
  type: dict
  sample: {name: EX1, version: Exchange 2016, build: 15.1.2507.72, shell: remote_session}
# end of generated
  returned: success
# generated: returns exchange.cost
cost:
  description: How often a PowerShell was started on the server, and how often the Exchange shell
    was loaded.
  returned: success
  type: dict
  sample: {"powershell_starts": 1, "exchange_shells": 1}
# end of generated
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import INFO_MODULE
from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(INFO_MODULE)


if __name__ == "__main__":
    main()
