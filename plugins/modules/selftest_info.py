#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""selftest_info: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: selftest_info
short_description: Count on a Windows server what the self-test judges
version_added: 0.1.0
description:
  - Reads IIS and Windows Firewall as the modules that lock them do, and counts what could be read,
    what was understood, and in which form it came. The playbook C(selftest) judges it.
  - Tells numbers, and names of Windows', IIS' and Exchange's own; no name and no address of the
    site.
  - What could not be read is told in its place, by C(failed) and C(msg), and is no reason for the
    task to fail.
  - Costs one PowerShell start, opens no Exchange shell, writes nothing.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._windows.connection
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.windows
options:
  site:
    description: The site of IIS to look at.
    type: str
    default: Default Web Site
seealso:
  - module: mailedge.lockdown.selftest_report
"""

EXAMPLES = r"""
- name: Count what the self-test judges
  mailedge.lockdown.selftest_info:
  register: counted
"""

RETURN = r"""
iis:
  description: What was read of IIS. With C(skipped) where none is installed.
  returned: success
  type: dict
  sample:
    version: '10.0'
    url_rewrite: 7.2.1993
    sections: 22
    unread: []
    unread_files: 0
    rules: 0
    rules_without_level: 0
    ipv6_masks: []
    directories: [/EWS, /OAB, /owa]
windows_firewall:
  description: What was read of Windows Firewall.
  returned: success
  type: dict
  sample:
    rules: 143
    has_texts: true
    without_text: 0
    not_shown: 0
    not_understood: []
    policy_rules: 0
    mdm_rules: 0
    exchange_rules: 21
    exchange_rules_for_25: 3
cost:
  description: What the task cost on the server.
  returned: success
  type: dict
  sample: {"powershell_starts": 1, "exchange_shells": 0}
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.argspec import (
    SELFTEST_MODULE,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(SELFTEST_MODULE)


if __name__ == "__main__":
    main()
