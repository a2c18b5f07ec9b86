#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""windows_tls: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: windows_tls
short_description: Turn on TLS 1.2 of Windows and of .NET
version_added: 0.1.0
description:
  - Sets the values of the registry by which Windows (SCHANNEL) takes and uses TLS 1.2, and .NET
    follows Windows and uses strong cryptography, from Windows Server 2008 SP2 on, as Microsoft's
    article "Exchange Server TLS configuration best practices" describes them.
  - A value that is missing is something else than 0. Before Windows Server 2012 a missing one means
    that TLS 1.2 is off, later that it is on.
  - It turns nothing off. Older versions of the protocol stay as they are.
  - B(It never restarts the server,) and what it changes takes effect with the next restart. The
    guard C(restart_needed) and RV(restart_needed) say so, in the run that changes something.
  - The state is about the values of the registry, which is what this module describes and reads.
    V(in order) means that they are set, and not that the server has been restarted since. Windows
    does not tell a PowerShell of version 2.0 when a value was written, so that later runs cannot
    know it; restart the server when a run has said so.
  - The state before the first change is saved on the server. O(snapshot) gives it back; a value
    that was missing is removed again, and so is a key that was made for it and is empty.
  - A run with nothing to do costs one PowerShell start, a change two. Check mode reads, plans and
    judges exactly as a run does, and stops before writing.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._windows.connection
  - mailedge.lockdown._windows.snapshot_copy
  - mailedge.lockdown._exchange.run
  - mailedge.lockdown._approval
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.writes
  - mailedge.lockdown._attributes.windows
options:
  schannel:
    description: Whether TLS 1.2 of Windows itself is turned on, for connections in both directions.
    type: bool
    default: true
  explicit:
    description:
      - Whether the values are written also where this Windows has TLS 1.2 on with nothing set,
        which is what Microsoft's articles describe, and what some versions of Entra Connect ask
        for.
      - V(false) writes only where TLS 1.2 would be off otherwise, or is set to something else.
    type: bool
    default: true
  dotnet:
    description:
      - The versions of the .NET Framework that follow Windows and use strong cryptography, in
        programs of 64 and of 32 bits.
      - V(4) stands for all from 4.0 to 4.8, V(3.5) for 2.0 to 3.5.
    type: list
    elements: str
    choices: ['4', '3.5']
    default: ['4', '3.5']
  accept_risks:
    description:
      - The ids of guards whose warning is known and accepted. A guard that stops the task names its
        id.
      # generated: guards windows_tls
      - "V(leased): Another run has leased the server and may still take back what it made, or has
        worked on the server while this one did; or whether there is one cannot be read."
      - "V(restart_needed): What is changed takes effect when the server is restarted, which nothing
        here does."
      - "V(tls_12_needs_update): TLS 1.2 would be set on Windows Server 2008 SP2, which has it by
        the update KB4019276 only."
      - "V(tls_12_unsupported): TLS 1.2 would be set on a Windows that does not have it."
      - "V(value_of_other_kind): A value that is not a DWORD would be replaced."
      # end of generated
    type: list
    elements: str
    default: []
seealso:
  - module: mailedge.lockdown.windows_posture_info
"""

EXAMPLES = r"""
- name: See what would change
  mailedge.lockdown.windows_tls:
  check_mode: true
  diff: true

- name: Turn on TLS 1.2, and restart nothing
  mailedge.lockdown.windows_tls:
  register: tls

- name: Say so
  ansible.builtin.debug:
    msg: Restart the server in its maintenance window.
  when: tls.restart_needed

- name: Give back what was there before
  mailedge.lockdown.windows_tls:
    snapshot: latest
"""

RETURN = r"""
plan:
  description: What was changed, or in check mode would be. One sentence each.
  returned: success, and on a refusal after the server was read
  type: list
  elements: str
before:
  description: Every value that is managed, as it was, by its path below HKEY_LOCAL_MACHINE. One
    that is not there is V(missing).
  returned: success
  type: dict
after:
  description: The same as it is now, read back from the server. In check mode, as it would be.
  returned: success
  type: dict
restart_needed:
  description: Whether something was changed that takes effect with the next restart. In check mode,
    whether it would be. It says nothing of what earlier runs have changed.
  returned: success
  type: bool
# generated: returns layer.differences layer.plan_digest layer.guards
differences:
  description: What is described and not so, and not written. C(table), C(noun), C(object),
    C(action), and the C(properties) that differ, by their names.
  returned: when something differs
  type: list
  elements: dict
plan_digest:
  description: What tells the plan from others, for C(approved_plan); empty where nothing changes.
  returned: success, and on a refusal after the plan was made
  type: str
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
  returned: success, and on a refusal by a guard
# generated: returns layer.state
state:
  description:
    - How the layer is when the task ends. V(open) where there are strangers now, V(unknown) where
      another run has leased it and may take back what was found, or where a way in could not be
      read, V(drift) where something is not as described, else V(in order).
    - In check mode, and where nothing was written, it is the state that was read.
  type: str
  sample: in order
# end of generated
  returned: when the state of the server is known in the end
# generated: returns exchange.snapshot
snapshot:
  description: Where the state before the change is kept.
  returned: when something was written
  type: dict
  contains:
    name:
      description: The name of the snapshot, for
        O(mailedge.lockdown.exchange_mail_flow#module:snapshot).
      type: str
      returned: always
    folder:
      description: The folder on the server.
      type: str
      returned: always
    controller_path:
      description: The path of the copy on the controller.
      type: str
      returned: with O(snapshot_copy)
  sample: {"name": "20260114T101500.250Z-4f1c2a-apply.json", "folder": "%ProgramData%\\mailedge"}
# end of generated
server:
  description: The server that was read; C(build) is the build of Windows.
  returned: success, and on a refusal after the server was read
  type: dict
  sample: {name: EX1, windows: Windows Server 2019, build: 17763}
# generated: returns layer.lease
lease:
  description:
    - A lease of the C(server) or device, by which run it is held (C(run_id)), C(by) whom and
      where that was started, C(since) when and C(until) when by its own clock.
    - C(held) is whether the run has not ended it. It is over at that time in any case.
  type: dict
  sample: {server: EX1, run_id: 4f1c2a90, until: "2026-01-14T11:15:00.250Z", held: true}
# end of generated
  returned: with O(lease), where the run has one
# generated: returns exchange.cost exchange.error layer.restored
cost:
  description: How often a PowerShell was started on the server, and how often the Exchange shell
    was loaded.
  returned: success
  type: dict
  sample: {"powershell_starts": 1, "exchange_shells": 1}
error:
  description: Of an error on the server, its class, its fully qualified id and the step it came
    from.
  returned: when the server refused something
  type: dict
  sample: {"class": "ConnectorMappingConflictException", "id": "…", "step": "change-1"}
restored:
  description: The name of the snapshot that was restored, or V(original).
  type: str
  sample: 20260114T101500.250Z-4f1c2a-apply.json
# end of generated
  returned: with O(snapshot)
not_restored:
  description: A sentence for each value that was changed since.
  returned: with O(snapshot)
  type: list
  elements: str
  sample: []
# generated: returns layer.further
further:
  description: The names of snapshots of changes before that, newest first. What they hold is
    still changed.
  type: list
  elements: str
  sample: []
# end of generated
  returned: with O(snapshot=latest)
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.argspec import TLS_MODULE


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(TLS_MODULE)


if __name__ == "__main__":
    main()
