#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site_draft: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_draft
short_description: Draft the description of a site from what a run has read of it
version_added: 0.1.0
description:
  - Makes a file with the variables of each site, out of what the role C(mailedge.lockdown.discover)
    has read on its hosts. Above each guess stands what it was made from, and at the top what was
    not read and the questions that only a person can answer.
  - What would let somebody in from the internet is never guessed. It is a question, or a suggestion
    that stands in a comment.
  - The file is written to C(mailedge_discover_folder) on the controller, readable by its owner
    only. Another one that is there already stays unless C(mailedge_discover_overwrite) is true.
  - Where C(mailedge_discover_reading) is set, all that servers and firewall have answered is kept
    beside it, in a file from which a lab can be made that plays the site. That one is written anew
    each time, readable by its owner only. With C(mailedge_discover_replace_names) it has other
    names than the site, and what became of what is in a file apart.
  - Meant to run once for all hosts. It never fails a host by itself; RV(failed_hosts) says which
    are to fail.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.writes
  - mailedge.lockdown._attributes.controller
options:
  hosts:
    description: The hosts that were selected, also those that failed or never answered.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Draft the descriptions
  mailedge.lockdown.site_draft:
    hosts: "{{ ansible_play_hosts_all }}"
  register: told
  run_once: true
"""

RETURN = r"""
msg:
  description: For each site the draft and its questions, one line each.
  returned: success
  type: list
  elements: str
  sample: ["birke: /srv/sites/drafts/birke.yml"]
drafts:
  description: The name of a site → the C(path) of its draft, empty where none was written, its
    C(text), the file for a rehearsal (C(reading)), empty where none was written, the C(variables)
    that it sets, its C(questions), and what was C(not_read), one sentence each.
  returned: success
  type: dict
  sample:
    birke:
      path: /srv/sites/drafts/birke.yml
      reading: ""
      text: "..."
      variables: {mailedge_site: birke, mailedge_domains: [birke.example]}
      questions: ["From which addresses does the filtering provider deliver?"]
      not_read: []
failed_hosts:
  description: A host whose connectors were not read, or whose draft was not written → why.
  returned: success
  type: dict
  sample: {}
verdicts:
  description: A host → V(read), or V(unknown).
  returned: success
  type: dict
  sample: {"birke-ex1": "read"}
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import SITE_DRAFT


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(SITE_DRAFT)


if __name__ == "__main__":
    main()
