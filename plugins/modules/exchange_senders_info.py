#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_senders_info: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: exchange_senders_info
short_description: Read who delivered mail to an Exchange server lately
version_added: 0.1.0
description:
  - Sums up the receive protocol log and the message tracking log of one server, where they lie, and
    says who delivered how much, when first and last, and through which connectors.
  - On Exchange 2013 and later senders are those of the front end's protocol log, on 2007, 2010 and
    Edge those of the only one. Where that tells nothing, they are those of message tracking, which
    on 2013 and later is a weaker proof and is called so.
  - Reads the newest first, within bounds of days, bytes and seconds, and says how far back it came.
    What nobody can tell is said in RV(unknown) and never left out, such as connectors without a
    log, a log that does not go back far enough, or a load balancer that hides every sender.
  - A message that went past the filter looks like any other in a log. That somebody delivered is no
    reason to let him in.
  - Mail addresses, and the names that senders give themselves, never leave the server. Addresses of
    senders stand in the result only where O(addresses) asks for them.
  - Needs the right to read C(TransportRoles\Logs), which administrators of the server have. It is
    unverified where Exchange 2007 keeps its logs, and how fast PowerShell 2.0 reads them.
  - Costs one PowerShell start and one load of the Exchange shell. Writes nothing.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._exchange.connection
  - mailedge.lockdown._exchange.networks
  - mailedge.lockdown._exchange.logs
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.exchange
options:
  addresses:
    description: Whether the addresses of senders stand in the result.
    type: bool
    default: false
seealso:
  - module: mailedge.lockdown.exchange_mail_flow
  - module: mailedge.lockdown.exchange_mail_flow_info
"""

EXAMPLES = r"""
- name: See who delivered in five weeks
  mailedge.lockdown.exchange_senders_info:
    provider_ranges: [198.51.100.0/24]
    own_networks: [10.20.0.0/16]
    days: 35
    addresses: true
  register: recent

- name: Print what nobody can tell
  ansible.builtin.debug:
    var: recent.unknown
"""

RETURN = r"""
told:
  description: Whether anybody can say who delivered. An empty list means nothing where it is false.
  returned: success
  type: bool
  sample: true
source:
  description: The log that the senders are of. Empty where none tells anything.
  returned: success
  type: str
  sample: protocol log
groups:
  description: Senders by who they are to the site, with the number of their C(addresses) and
    C(messages), when C(first) and C(last), and the known C(providers) in whose ranges they are.
  returned: success
  type: list
  elements: dict
  sample:
    - group: provider
      addresses: 4
      messages: 1822
      first: '2026-01-01T00:02:11.123Z'
      last: '2026-01-14T10:14:58.004Z'
      providers: []
senders:
  description: Each sender, who delivered most first.
  returned: when O(addresses) is true
  type: list
  elements: dict
  sample:
    - address: 203.0.113.9
      group: internet
      messages: 3
      first: '2026-01-03T04:05:06.789Z'
      last: '2026-01-12T04:05:06.789Z'
      connectors: [Default Frontend EX1]
connectors:
  description: What each connector took, as that log names it.
  returned: success
  type: list
  elements: dict
  sample:
    - name: Default Frontend EX1
      messages: 1825
      first: '2026-01-01T00:02:11.123Z'
      last: '2026-01-14T10:14:58.004Z'
blind:
  description: Receive connectors in service that take mail without a login and log nothing.
  returned: success
  type: list
  elements: str
  sample: []
silent:
  description: How many addresses came and delivered nothing, as health checks and scanners do.
  returned: success
  type: int
  sample: 12
unknown:
  description: What the logs cannot tell, one sentence each. They are warnings, too.
  returned: success
  type: list
  elements: str
  sample: []
logs:
  description: What was read of each log. C(whole) is whether it was read as far back as asked,
    without a hole, C(covered_from) from when on it was.
  returned: success
  type: list
  elements: dict
  sample:
    - name: protocol log
      since: '2026-01-01T00:00:00.000Z'
      covered_from: '2025-12-31T00:00:02.511Z'
      last: '2026-01-14T10:14:58.004Z'
      whole: true
      messages: 1825
      files: 336
      files_left: 0
      bytes: 41943040
      lines: 220418
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

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    SENDERS_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(SENDERS_MODULE)


if __name__ == "__main__":
    main()
