#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_lock: documentation and argument spec. The action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: exchange_lock
short_description: Lock the connectors of an Exchange server as the variables of its site say
version_added: 0.1.0
description:
  - Takes everything from the variables of the host whose names begin with C(mailedge_), checks
    them as M(mailedge.lockdown.site_description) does, and does what
    M(mailedge.lockdown.exchange_mail_flow) does with what they say.
  - One task for what would be two. Where the role C(mailedge.lockdown.site) has described the site
    before, that description counts.
  - Does nothing at a host at which the connectors are not managed.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.writes
options:
  playbook:
    description: What the site is described for. It decides which variables are needed.
    type: str
    choices: [apply, drift, rollback, snapshots, probe, refresh_ranges, publish_ranges]
    default: apply
attributes:
  platform:
    platforms: windows
    support: full
seealso:
  - module: mailedge.lockdown.exchange_mail_flow
  - module: mailedge.lockdown.site_description
"""

EXAMPLES = r"""
- name: Lock the connectors of every server in the group
  hosts: mailedge
  gather_facts: false
  tasks:
    - name: Lock the connectors
      mailedge.lockdown.exchange_lock:
"""

RETURN = r"""
description:
  description: What M(mailedge.lockdown.site_description) returns for this host.
  returned: unless the role C(mailedge.lockdown.site) had described the site
  type: dict
plan:
  description:
    - What was changed, or in check mode would be. One sentence each.
    - The rest of the result is that of M(mailedge.lockdown.exchange_mail_flow).
  returned: success, and on a refusal after the server was read
  type: list
  elements: str
  sample:
    - "Create the receive connector 'Mail from filter' for 198.51.100.0/24 on 0.0.0.0:25 and
      [::]:25."
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import run_without_action
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import EXCHANGE_LOCK


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(EXCHANGE_LOCK)


if __name__ == "__main__":
    main()
