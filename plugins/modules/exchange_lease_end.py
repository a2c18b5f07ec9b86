#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_lease_end: documentation and argument spec. The action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: exchange_lease_end
short_description: End the lease that a run has of an Exchange server
version_added: 0.1.0
description:
  - Says that a run takes back nothing any more of what M(mailedge.lockdown.exchange_mail_flow) has
    made with O(mailedge.lockdown.exchange_mail_flow#module:lease), so that other runs may work on
    the server.
  - Ends the lease of that run and no other one. Where that cannot be done, it warns and does not
    fail, because the lease ends by itself.
  - Costs one PowerShell start and no Exchange shell.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
options:
  lease:
    description:
      - The lease, as the last task of the run has returned it.
    type: dict
    required: true
  time_limit:
    description:
      - How long the remote call may take, in seconds.
    type: int
    default: 120
attributes:
  platform:
    platforms: windows
    support: full
seealso:
  - module: mailedge.lockdown.exchange_mail_flow
"""

EXAMPLES = r"""
- name: Change, prove, and take back what is not proven, while no other run works on the server
  block:
    - name: Lock
      mailedge.lockdown.exchange_mail_flow:
        provider_ranges: [198.51.100.0/24]
        own_networks: [10.20.0.0/16]
        inbound_lock: {}
        lease: {run_id: night42}
      register: lock

    - name: Prove it
      mailedge.lockdown.mail_edge_probe:
        targets: [mail.birke.example]
        sender: probe@service.example
        recipient: postmaster@birke.example
        control_host: mx.service.example
        expect: closed
      delegate_to: localhost
  rescue:
    - name: Take back what this run made
      mailedge.lockdown.exchange_mail_flow:
        snapshot: "{{ lock.snapshot.name }}"
        keep_later_changes: true
        lease: {run_id: night42}
      register: undo
      when: lock.snapshot is defined

    - name: Say that the server is not locked
      ansible.builtin.fail:
        msg: The lock was not made or not proven, and what it made is taken back.
  always:
    - name: Let other runs work on the server
      mailedge.lockdown.exchange_lease_end:
        lease: "{{ undo.lease | default(lock.lease) }}"
      when: (undo.lease | default(lock.lease | default({}))).held | default(false)
"""

RETURN = r"""
ended:
  description: Whether it was ended. False where another run has the server by now, or where the
    server could not be asked.
  returned: success
  type: bool
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    LEASE_END_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(LEASE_END_MODULE)


if __name__ == "__main__":
    main()
