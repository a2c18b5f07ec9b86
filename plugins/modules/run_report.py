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
    choices: [apply, drift, offline, rollback, snapshots, probe, refresh_ranges, publish_ranges]
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
  description: What was found, as data. Its form is V(1) as long as C(format) is.
  returned: success
  type: dict
  contains:
    format:
      description: The form of the report.
      type: int
      returned: always
    at:
      description: When the run ended, in UTC.
      type: str
      returned: always
    revision:
      description: The git revision of the repository that holds the inventory, or that AWX tells
        the job; empty where there is none.
      type: str
      returned: always
    playbook:
      description: What the run was to do.
      type: str
      returned: always
    check_mode:
      description: Whether it was to change nothing.
      type: bool
      returned: always
    sites:
      description: The sites by their names, worst first.
      type: dict
      returned: always
      contains:
        state:
          description: The worst state of its hosts.
          type: str
          returned: always
        line:
          description: The site in one line, as it is printed.
          type: str
          returned: always
        accepted_until:
          description: Of a site whose drift is accepted, the first day on which an acceptance ends.
          type: str
          returned: always
        hosts:
          description:
            - Every host → its C(state), C(trouble), C(looks) from outside, C(edge), what a stranger
              gets at each published door by all layers together, C(doors), the same in parts
              (C(about), C(who), C(place), C(name), C(port), C(path), C(answer), C(by), C(unseen),
              C(passed), C(words), without what is empty), C(doors_described), what they would be
              after a run, C(doors_before), what they were before one that has written, and
              C(layers), one record each with C(layer), C(host) and C(state), and what is not empty
              of C(findings), C(plan), C(exposure), C(before), C(after), C(snapshot) and C(changed).
          type: dict
          returned: always
        findings:
          description: All that was found, worst first.
          type: list
          elements: dict
          returned: always
          contains:
            id:
              description:
                - The site, the host, the layer, what was found, and of which object and property.
                  It stays the same as long as the finding does, in any language, whatever else is
                  found. Entries of C(mailedge_accepted_drift) name it.
                - C(/), C(%), C(*) and control characters in one of these are written as in a URL.
              type: str
              returned: always
            layer:
              description: The layer; C(run) where it is about the run itself.
              type: str
              returned: always
            host:
              description: The host.
              type: str
              returned: always
            what:
              description: The id of the guard or of the kind of finding, such as C(strangers),
                C(differs), C(missing) or C(no_answer).
              type: str
              returned: always
            object:
              description: The objects that it is about.
              type: str
              returned: always
            property:
              description: The property, such as C(receive_connectors.remote_ip_ranges) or C(port
                25).
              type: str
              returned: always
            severity:
              description: V(critical), V(warning) or V(info).
              type: str
              returned: always
            words:
              description: What was found, in sentences.
              type: str
              returned: always
            remedy:
              description: What to do, where that is known.
              type: str
              returned: always
            since:
              description: Since when it is there, by the reports that are kept.
              type: str
              returned: always
            accepted_until:
              description: The last day on which the site accepts it.
              type: str
              returned: always
            accepted_reason:
              description: Why.
              type: str
              returned: always
            accepted_by:
              description: Who has decided it.
              type: str
              returned: always
            due:
              description: The day by which it is to be mended.
              type: str
              returned: always
            wrong_result:
              description: Whether the site says that the finding is wrong.
              type: bool
              returned: always
            controls:
              description: The controls of frameworks that it is about.
              type: list
              elements: str
              returned: always
        not_looked_at:
          description: Every layer that was not looked at or is not managed, with C(host), C(layer),
            C(state) and C(why).
          type: list
          elements: dict
          returned: always
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
