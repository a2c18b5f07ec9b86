#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site_description: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_description
short_description: Check the description of a site as a whole, and convert it
version_added: 0.1.0
description:
  - Reads every variable of the host whose name begins with C(mailedge_). Refuses one that no role
    of the collection knows, and names the nearest; refuses values that do not fit; tells all
    problems at once. Nothing is sent to any server.
  - A variable that is empty counts as not set. A list may be given as a text, with commas, blanks
    or new lines between its entries.
  - Says for each layer of the site whether it is managed, and by which host. The roles of the
    collection read the result.
  - Never returns a secret.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.controller
options:
  playbook:
    description: What the site is described for. It decides which variables are needed.
    type: str
    choices: [apply, drift, offline, rollback, snapshots, probe, refresh_ranges, publish_ranges,
      discover, selftest]
    default: apply
  sites:
    description:
      - What M(mailedge.lockdown.site_hosts) returned as
        RV(mailedge.lockdown.site_hosts#module:sites).
      - Where not set, what the role C(mailedge.lockdown.site) has registered. A template that names
        all sites would be rendered for every host.
    type: dict
"""

EXAMPLES = r"""
- name: Know which hosts make up a site
  mailedge.lockdown.site_hosts:
  register: known
  run_once: true

- name: Check and convert the description of the site
  mailedge.lockdown.site_description:
    playbook: drift
    sites: "{{ known.sites }}"
  register: about

- name: Say what is managed
  ansible.builtin.debug:
    var: about.layers
"""

RETURN = r"""
site:
  description: The name of the site.
  returned: always
  type: str
  sample: birke
described:
  description: The variables without their prefix, converted, with their defaults. What is not set
    is left out.
  returned: success
  type: dict
  sample: {"site": "birke", "provider_ranges": ["198.51.100.0/24"]}
layers:
  description: The layers that are managed at this host.
  returned: success
  type: list
  elements: str
  sample: ["exchange", "fortigate way in", "outside"]
parts:
  description:
    - Every layer → C(how) and C(why). C(how) is V(managed), V(not managed), V(elsewhere) for one
      that another selected host does, V(left out) where that host was not selected, or V(not looked
      at).
  returned: success
  type: dict
  sample: {"exchange": {"how": "managed", "why": ""}}
fortigate_run:
  description: What joins the snapshots that this run makes of the firewall and the tenant.
  returned: success
  type: str
  sample: 4f1c2a9b
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import (
    SITE_DESCRIPTION,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(SITE_DESCRIPTION)


if __name__ == "__main__":
    main()
