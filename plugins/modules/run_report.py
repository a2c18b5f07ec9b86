#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run_report: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_report
short_description: Tell what a run found, one line a site, worst first
version_added: 0.1.0
description:
  - Reads what every selected host has registered for its layers, and gives each host one verdict.
    Only what was looked at and found so is in order.
  - Meant to run once for all hosts, at the end of a play. It never fails a host by itself;
    RV(failed_hosts) says which are to fail.
  - Hands RV(report) on as the statistic C(mailedge_report) of the run, and RV(snapshots) of an
    C(apply) as C(mailedge_snapshots), as M(ansible.builtin.set_stats) would.
  - An C(apply) in check mode hands its plan on as C(mailedge_plan), for C(mailedge_approved_plan).
    C(digest) is a text that tells it from every other plan, C(hosts) the same as a dictionary,
    host → layer → digest, and C(summary) a list of lines.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.controller
options:
  playbook:
    description: What the run was to do. It decides which states fail a host.
    type: str
    choices: [apply, drift, rollback, snapshots, probe, refresh_ranges, publish_ranges]
    required: true
  hosts:
    description: The hosts that were selected, also those that failed or never answered.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Say what was found
  mailedge.lockdown.run_report:
    playbook: drift
    hosts: "{{ ansible_play_hosts_all }}"
  register: told
  run_once: true

- name: Fail the host
  ansible.builtin.fail:
    msg: "{{ told.failed_hosts[inventory_hostname] }}"
  when: inventory_hostname in told.failed_hosts
"""

RETURN = r"""
msg:
  description: The lines, those of the sites first.
  returned: success
  type: list
  elements: str
  sample: ["birke: in order. Looked at: exchange, fortigate way in, outside."]
verdicts:
  description: Every selected host → V(open), V(unknown), V(drift), V(accepted), V(restored) or V(in
    order).
  returned: success
  type: dict
  sample: {"birke-ex1": "in order"}
failed_hosts:
  description: The hosts that are to fail → why.
  returned: success
  type: dict
  sample: {}
snapshots:
  description:
    - Every host at which the run changed something → C(exchange), the name of the snapshot on the
      server, and C(fortigate), with the C(name) and the C(content) of the one of the firewall.
  returned: success
  type: dict
  sample: {"birke-ex1": {"exchange": "20260114T101500.250Z-4f1c2a-apply.json"}}
report:
  description:
    - Every site → its C(state) and its C(hosts); every host → its C(state), C(trouble), C(looks)
      from outside, C(edge), what a stranger gets at each published door by all layers together,
      and C(layers), one record each with C(layer), C(host), C(state), C(findings), C(plan) and
      C(exposure).
  returned: success
  type: dict
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import RUN_REPORT


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(RUN_REPORT)


if __name__ == "__main__":
    main()
