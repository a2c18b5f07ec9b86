#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""selftest_report: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: selftest_report
short_description: Tell which of the collection's assumptions hold on real servers and firewalls
version_added: 0.1.0
description:
  - Some of what the collection builds on is confirmed by no document, and is marked as unverified.
    The playbook C(selftest) reads what other playbooks read, and this module judges each of these
    assumptions by it.
  - Each check ends in V(success); V(failure), where the assumption does not hold; V(error), where
    what it needs could not be read; or V(skipped).
  - RV(to_send) holds versions, counts and names of Exchange's and FortiOS' own, and no name and no
    address of the site.
  - Meant to run once for all hosts. It never fails a host by itself; RV(failed_hosts) says which
    are to fail.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.controller
options:
  hosts:
    description: The hosts that were selected, also those that failed or never answered.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Judge what was read
  mailedge.lockdown.selftest_report:
    hosts: "{{ ansible_play_hosts_all }}"
  register: told
  run_once: true
"""

RETURN = r"""
msg:
  description: For each host what became of each check, one line each, and what to send in.
  returned: success
  type: list
  elements: str
  sample: ["birke-ex1: 7 success, 2 skipped"]
results:
  description: A host → each check, with its C(status) and what was C(seen).
  returned: success
  type: dict
  sample:
    birke-ex1:
      accepted_domains: {status: success, seen: 3 domains were read.}
to_send:
  description: The same for each server of the run, with the versions of what was tested.
  returned: success
  type: dict
  sample:
    format: 1
    servers:
      - exchange: Exchange 2016
        build: 15.1.2507.72
        shell: remote_session
        windows: '14393'
        iis: '10.0'
        fortios: 7.4.4
        checks:
          accepted_domains: {status: success, seen: 3 domains were read.}
failed_hosts:
  description: A host on which a check failed, or that was not tested → why.
  returned: success
  type: dict
  sample: {}
verdicts:
  description: A host → V(tested), or V(failed).
  returned: success
  type: dict
  sample: {"birke-ex1": "tested"}
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import (
    SELFTEST_REPORT,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(SELFTEST_REPORT)


if __name__ == "__main__":
    main()
