#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the action of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: provider_ranges_lock
short_description: Read from where a filtering provider delivers, and keep it in the site's lock
  file
version_added: 0.1.0
description:
  - Reads the provider's ranges by the mechanism that the provider has (Microsoft's web service,
    DNS, an SPF chain, a list), and rewrites the site's lock file, so that a change of the provider
    is a diff in the site's repository that a person reads before it is used.
  - An answer that is empty, malformed, private, huge or sharply shrunken is refused. The lock file
    stays as it is then.
  - Ranges that are gone from the answer are kept for a while, because providers move their
    customers slowly.
  - An answer without news changes nothing in the file, not even its date.
  - Runs on the controller and does not touch the host of the task.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.writes
  - mailedge.lockdown._attributes.controller
options:
  path:
    description:
      - The lock file. Its folder must be there.
      - A relative path counts from the folder in which Ansible was started.
    type: path
    required: true
  provider:
    description: The id of the provider in the catalogue, or a name of your own for one that is not
      in it.
    type: str
    required: true
  region:
    description: The region of the provider that serves the site. Needed where the provider has
      several.
    type: str
    default: ""
  state:
    description: V(absent) removes the provider from the file.
    type: str
    choices: [present, absent]
    default: present
  mechanism:
    description:
      - How the ranges are read, if not as the catalogue says. V(json) is Microsoft's web service,
        V(dns) the addresses of host names, V(spf) the chain of an SPF record, V(url) a list with
        one range a line or a JSON list.
      - Needs O(source).
    type: str
    choices: [json, dns, spf, url]
  source:
    description: The address, host name or domain that is read, if not the one of the catalogue.
      Several host names are parted by blanks.
    type: str
  ranges:
    description: The ranges themselves, for a provider that tells them to each customer. Nothing is
      read then.
    type: list
    elements: str
  accept_grade:
    description: The lowest grade of evidence that is accepted for ranges of the catalogue, for a
      provider that cannot be read live.
    type: str
    choices: [A, B, C]
    default: B
  grace_days:
    description: How many days a range that is gone from the answer is kept.
    type: int
    default: 30
  max_ranges:
    description: How many ranges are believed.
    type: int
    default: 2000
  max_removed_percent:
    description: How much of the locked addresses one answer may lack, in percent.
    type: int
    default: 30
  resolver:
    description: The address of the DNS server to ask, with a port after a C(#) if it is not 53. The
      controller's own where not set.
    type: str
  ca_path:
    description: A file with the certificates that sign the one of the address that is read, in PEM
      form.
    type: path
  timeout:
    description: How long one question may take, in seconds.
    type: int
    default: 30
  accept_risks:
    description:
      - The ids of guards whose warning is known and accepted. A guard that stops a run names its
        id.
      # generated: guards provider
      - "V(private_range): A range holds addresses that nobody on the internet sends from."
      - "V(range_too_wide): A range is wider than a /10 (IPv4) or a /24 (IPv6), or all of them
        together than a /8 or a /20. Nobody who is named has so many addresses of the internet, so
        that it locks next to nothing."
      - "V(sharply_shrunken): The answer lacks a large part of what is locked."
      - "V(too_many_ranges): The answer holds more ranges than a provider has."
      - "V(unallocated_range): The answer holds a new range that no registry has given to anybody,
        as far as the installed netaddr knows."
      # end of generated
    type: list
    elements: str
    default: []
requirements:
  - netaddr on the controller, which knows who holds a range
  - dnspython on the controller, for the mechanisms V(dns) and V(spf)
attributes:
  idempotent:
    details:
      - As long as the provider says the same.
seealso:
  - plugin: mailedge.lockdown.provider_ranges
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Keep Exchange Online's ranges in the site's repository
  mailedge.lockdown.provider_ranges_lock:
    path: ranges.lock.yml
    provider: microsoft-eop

- name: Keep the ranges that the welcome letter names
  mailedge.lockdown.provider_ranges_lock:
    path: ranges.lock.yml
    provider: cisco
    ranges:
      - 203.0.113.16/28

- name: Keep a list that the provider publishes
  mailedge.lockdown.provider_ranges_lock:
    path: ranges.lock.yml
    provider: own-filter
    mechanism: url
    source: https://lists.filter.example/delivery.txt
"""

RETURN = r"""
ranges:
  description: The ranges that count from now on, those that are kept for a while included.
  returned: success
  type: list
  elements: str
  sample: [198.51.100.0/24]
added:
  description: What is new.
  returned: success
  type: list
  elements: str
removed:
  description: What is gone from the provider's answer.
  returned: success
  type: list
  elements: str
plan:
  description:
    - A sentence for each range that is new or gone, with the block of a registry that it is in, and
      whether that was given to anybody.
    - By netaddr's copy of IANA's tables. Within a block, only the registry knows who has a range.
  returned: success
  type: list
  elements: str
  sample: ["Add 203.0.113.0/24, in APNIC's block 203/8, allocated."]
leaving:
  description: What is kept for a while, with the last day on which it counts.
  returned: success
  type: list
  elements: dict
  sample: [{"range": "203.0.113.0/28", "until": "2026-02-14"}]
shared:
  description: Whether all customers of the provider send from the same ranges, so that a lock to
    them is necessary and not sufficient.
  returned: success
  type: bool
# generated: returns layer.guards
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
  returned: when the provider has answered
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._provider_argspec import ARGUMENTS


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(ARGUMENTS)


if __name__ == "__main__":
    main()
