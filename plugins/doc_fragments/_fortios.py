# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that the FortiGate modules share: how the device is reached, what is saved before a write, what the modules support."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments C(mailedge.lockdown._fortios.DEVICE), C(.WRITE), C(.ATTRIBUTES) and C(.ATTRIBUTES_INFO)."""

    DOCUMENTATION = r"""
options: {}
"""

    DEVICE = r"""
options:
  host:
    description: The name or address of the FortiGate's management interface.
    type: str
    required: true
  api_port:
    description: The HTTPS port of its management interface.
    type: int
    default: 443
  token:
    description:
      - The token of an API user. It travels in a header, over TLS only, and never in an URL.
      - The API user needs an accprofile that may read and write firewall policies, addresses and services, and a C(trusthost) that
        covers the host that runs the module.
    type: str
    required: true
  vdom:
    description: The virtual domain.
    type: str
    default: root
  validate_certs:
    description:
      - Whether the certificate of the FortiGate has to be one that this host trusts.
      - V(false) lets anybody between this host and the FortiGate read the token. Rather name the signer in O(ca_path).
    type: bool
    default: true
  ca_path:
    description: A file with the certificate of the authority that signed the FortiGate's own, in PEM form.
    type: path
  timeout:
    description: How long one request may take, in seconds.
    type: int
    default: 30
notes:
  - The module runs where the task runs. Delegate it to localhost, or to a host that may reach the management interface.
  - The device is asked over one TLS connection, and each table with one request.
  - Without pipelining, Ansible writes a module and its options, the token among them, to a temporary file that only its user may read. Set
    C(ansible_pipelining) to V(true) for the host that runs the module; the role does.
"""

    WRITE = r"""
options:
  snapshot_folder:
    description:
      - The folder, on the host that runs the module, for the state before a change. A FortiGate has no place for it.
      - It has to outlive the job. In AWX, where the host is a container, name a folder that is mounted into it. The content is in the
        result as well.
    type: path
    default: ~/.mailedge/snapshots
  run_id:
    description:
      - What tells the snapshots of runs apart, of letters and digits. Tasks with the same one share a snapshot, and are rolled
        back together.
      - Another one for each task, if not set.
    type: str
  accept_risks:
    description: The ids of guards whose warning is known and accepted. A guard that stops a run names its id.
    type: list
    elements: str
    default: []
"""

    ATTRIBUTES = r"""
attributes:
  check_mode:
    description: Can run in check mode, and then says exactly what a run would do.
    support: full
  diff_mode:
    description: Shows what changes.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

    ATTRIBUTES_INFO = r"""
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: There is nothing to show, because nothing is changed.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: N/A
"""
