#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_names_info: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: exchange_names_info
short_description: Read by which names an Exchange server can be reached, as it says itself
version_added: 0.1.0
description:
  - Reads the accepted domains, the names that connectors greet with, those in the certificates
    that Exchange knows, the URLs of virtual directories, the address of autodiscover, and the
    domains of the hybrid configuration, and says of each name where it is from.
  - A door that is left open is most often at a name that nobody thought of; a server's certificate
    and connectors have it. RV(names) are for
    O(mailedge.lockdown.mail_edge_names#module:server_names).
  - URLs are read on Exchange 2013 and later only, which tell them without asking IIS.
    B(Unverified) is whether service packs of Exchange 2010 could.
  - What could not be read is told in RV(not_read), with what the server said, and never guessed.
  - Connectors of other servers are left out. Send connectors and accepted domains are those of the
    organization.
  - B(Unverified) is how certificates arrive from a remote session of each version; one of which no
    name can be read is told.
  - Costs one PowerShell start and one load of the Exchange shell. Writes nothing.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._exchange.connection
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.exchange
seealso:
  - module: mailedge.lockdown.exchange_mail_flow_info
  - module: mailedge.lockdown.mail_edge_names
"""

EXAMPLES = r"""
- name: Ask the server for its names
  mailedge.lockdown.exchange_names_info:
  register: told

- name: Find out by which names the site can be reached
  mailedge.lockdown.mail_edge_names:
    domains: "{{ told.domains }}"
    server_names: "{{ told.names | map(attribute='name') }}"
  delegate_to: localhost
  register: names
"""

RETURN = r"""
names:
  description: Each C(name) in DNS, and where it is C(from).
  returned: success
  type: list
  elements: dict
  sample:
    - name: mail.hafen.example
      from: ["the certificate 0A1B2C3D (services: IIS, SMTP)", "the send connector 'Internet'"]
domains:
  description: The accepted domains, and those of the hybrid configuration. One for all domains
    below another is told as that one, and one for all domains of the internet only in RV(not_read).
  returned: success
  type: list
  elements: str
  sample: [hafen.example]
wildcards:
  description: Names in certificates that stand for all names below a domain.
  returned: success
  type: list
  elements: str
  sample: ['*.hafen.example']
short_names:
  description: Names without a domain, which nobody can ask DNS for.
  returned: success
  type: list
  elements: str
  sample: [ex1]
not_read:
  description: What could not be read, and why, one sentence each. They are warnings, too.
  returned: success
  type: list
  elements: str
  sample: []
# generated: returns exchange.server
server:
  description: The server that was read.
  type: dict
  sample: {name: EX1, version: Exchange 2016, build: 15.1.2507.72, shell: remote_session}
# end of generated
  returned: success
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
    NAMES_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(NAMES_MODULE)


if __name__ == "__main__":
    main()
