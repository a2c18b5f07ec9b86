#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site_hosts: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_hosts
short_description: Know which hosts of the inventory make up a site
version_added: 0.1.0
description:
  - Reads C(mailedge_site) of every host in the inventory, also of those that were not selected.
    Hosts of one name share one organization and one firewall.
  - Meant to run once for all hosts.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.controller
options: {}
"""

EXAMPLES = r"""
- name: Know which hosts make up a site
  mailedge.lockdown.site_hosts:
  register: known
  run_once: true

- name: Say which
  ansible.builtin.debug:
    var: known.sites
"""

RETURN = r"""
sites:
  description: The name of a site → its hosts, in the order of the inventory. A host without
    C(mailedge_site) is in none.
  returned: success
  type: dict
  sample: {"birke": ["birke-ex1", "birke-ex2"]}
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import SITE_HOSTS


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(SITE_HOSTS)


if __name__ == "__main__":
    main()
