#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of a FortiGate that decides who gets through, as a module."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fortios_reading_info
short_description: Read all of a FortiGate that decides who gets through, for a lab that plays it
version_added: 0.1.0
description:
  - Reads policies, addresses, services, virtual IPs and range feeds of one vdom, the interfaces,
    zones and routes of the device, and the settings that change what policies mean, each as the
    device answers it. The playbook C(discover) keeps it in a file.
  - No secret is read. Of tables that hold passwords only the fields that are needed are taken over;
    what looks like a secret all the same is left out, and its name is in RV(reading.left_out).
  - Names and comments of what people have made are in it as they stand.
  - Changes nothing. Needs an API user that may read firewall policies, addresses and services,
    network settings (C(netgrp)) and the system's configuration (C(sysgrp)); what it may not read
    is told in RV(reading.not_read).
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._fortios.device
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.fortigate
seealso:
  - module: mailedge.lockdown.fortios_info
  - module: mailedge.lockdown.host_reading_info
"""

EXAMPLES = r"""
- name: Read the firewall for a rehearsal
  mailedge.lockdown.fortios_reading_info:
    host: fw.birke.example
    token: "{{ vault_fortigate_token }}"
  delegate_to: localhost
  register: told
"""

RETURN = r"""
reading:
  description: What was read.
  returned: success
  type: dict
  contains:
    serial:
      description: The serial number of the device.
      type: str
      returned: always
    version:
      description: Its FortiOS.
      type: str
      returned: always
    vdom:
      description: The vdom that was read.
      type: str
      returned: always
    tables:
      description: The path of a table or setting → what the device answered.
      type: dict
      returned: always
    monitors:
      description: The path of a monitor → what the device answered.
      type: dict
      returned: always
    entries:
      description: The name of a range feed → what it holds.
      type: dict
      returned: always
    not_read:
      description: What the device did not tell, and why, one sentence each.
      type: list
      elements: str
      returned: always
    left_out:
      description: The names of fields that were left out, because they hold a secret.
      type: list
      elements: str
      returned: always
  sample:
    serial: FGTLAB0000000001
    version: 7.4.4
    vdom: root
    tables: {"firewall/policy": []}
    monitors: {}
    entries: {}
    not_read: []
    left_out: []
# generated: returns fortios.cost
cost:
  description: How many HTTP requests were sent.
  returned: always
  type: dict
# end of generated
  sample: {"requests": 30}
"""

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import module, reading
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.argspec import (
    DEVICE_OPTIONS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import FortiOS

ARGUMENTS = module.spec(DEVICE_OPTIONS)


def look(_params: t.Mapping[str, t.Any], client: FortiOS) -> dict[str, t.Any]:
    """The whole answer. Raises FortiOSError."""
    return {"reading": reading.whole(client)}


def main() -> None:
    """The module."""
    module.ask(ARGUMENTS, look)


if __name__ == "__main__":
    main()
