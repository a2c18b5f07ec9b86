#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_delivery_proof: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: exchange_delivery_proof
short_description: Wait until the provider's next message has come in
version_added: 0.1.0
description:
  - Looks into the logs of one server, again and again, until the filtering provider has delivered a
    message since the task began, or is seen to be shut out, or the time is over.
  - Fails where the provider comes, is refused as somebody who may not send, and delivers nothing;
    a refusal that passes is none, so that the waiting ends early only where a second look sees
    another one. Where the last look is the first to see it, there is one more after the time.
  - Where some addresses of the provider deliver, and others are refused and deliver nothing, that
    is V(partly). It ends the waiting in the same way, and fails only where O(required) says so.
  - That nothing came in the time, or that the last look could not be taken, is V(unknown). It is
    told, and fails only where O(required) says so, since a small site may have no mail for an hour.
  - Costs one PowerShell start and one load of the Exchange shell, and one more of each for every
    look. Writes nothing.
  - Replies that say that somebody may not send are told by their codes. Those of Exchange 2007 and
    2010 are unverified, and so is whether a sender that no connector hears is logged at all.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._exchange.connection
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.exchange
options:
  provider_ranges:
    description: The addresses from which the filtering provider delivers.
    type: list
    elements: str
    required: true
  minutes:
    description: How long to wait, between 1 and 240 minutes.
    type: int
    required: true
  every:
    description: The seconds between two looks, between 10 and 600.
    type: int
    default: 60
  required:
    description: Whether the task fails where nothing of the provider was delivered in the time, or
      only a part of its addresses could deliver.
    type: bool
    default: false
seealso:
  - module: mailedge.lockdown.exchange_senders_info
  - module: mailedge.lockdown.exchange_mail_flow_info
"""

EXAMPLES = r"""
- name: Wait a quarter of an hour for the provider's next message
  mailedge.lockdown.exchange_delivery_proof:
    provider_ranges: [198.51.100.0/24]
    minutes: 15
"""

RETURN = r"""
verdict:
  description: V(delivered), V(partly), V(refused) or V(unknown).
  returned: when the server was read
  type: str
  sample: delivered
since:
  description: Since when, by the server's clock in UTC.
  returned: when the server was read
  type: str
  sample: '2026-01-14T10:15:00.000Z'
messages:
  description: How many messages the provider has delivered since then.
  returned: when the server was read
  type: int
  sample: 1
sessions:
  description: How often it came.
  returned: when the server was read
  type: int
  sample: 1
shut_out:
  description: How often it was told that it may not send.
  returned: when the server was read
  type: int
  sample: 0
refused:
  description: The addresses of the provider that were told so and delivered nothing.
  returned: when the server was read
  type: list
  elements: str
  sample: []
unknown:
  description: What the logs cannot tell, one sentence each.
  returned: when the server was read
  type: list
  elements: str
  sample: []
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
    DELIVERY_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(DELIVERY_MODULE)


if __name__ == "__main__":
    main()
