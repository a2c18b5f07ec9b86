#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""host_reading_info: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_reading_info
short_description: Read all that the layers look at on an Exchange server, for a lab that plays it
version_added: 0.1.0
description:
  - Reads connectors with the rights on them, accepted domains, names, the rules of Windows
    Firewall and of IIS, TLS, services and builds, each as the server answers it, by the same steps
    as the modules that lock a server. The playbook C(discover) keeps it in a file.
  - No secret is read. Exchange tells no password of a connector, and of a certificate only names
    and thumbprint are asked for. The text of a C(web.config) is left out, because whatever else
    runs there keeps its connection strings in it. What looks like a secret all the same is left
    out, and its name is in RV(reading.left_out).
  - Names and comments of what people have made are in it as they stand.
  - Costs one PowerShell start and one load of the Exchange shell. Writes nothing.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._exchange.connection
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.exchange
options:
  iis_site:
    description: The site of IIS that is read.
    type: str
    default: Default Web Site
seealso:
  - module: mailedge.lockdown.exchange_mail_flow_info
  - module: mailedge.lockdown.fortios_reading_info
"""

EXAMPLES = r"""
- name: Read the server for a rehearsal
  mailedge.lockdown.host_reading_info:
  register: told
"""

RETURN = r"""
reading:
  description: What was read.
  returned: success
  type: dict
  contains:
    format:
      description: The number of this form.
      type: int
      returned: always
    host:
      description: What the server says of itself.
      type: dict
      returned: always
    way:
      description: How the Exchange shell was opened.
      type: str
      returned: always
    steps:
      description: What was asked, so that a lab can be asked the same.
      type: list
      elements: dict
      returned: always
    answers:
      description: The id of a step → its C(rows), or its C(error).
      type: dict
      returned: always
    left_out:
      description: The names of what was left out, because it is or may hold a secret.
      type: list
      elements: str
      returned: always
  sample:
    format: 1
    host: {name: EX1}
    way: remote_session
    steps: []
    answers: {}
    left_out: []
# generated: returns exchange.cost
cost:
  description: How often a PowerShell was started on the server, and how often the Exchange shell
    was loaded.
  returned: success
  type: dict
  sample: {"powershell_starts": 1, "exchange_shells": 1}
# end of generated
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    READING_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(READING_MODULE)


if __name__ == "__main__":
    main()
