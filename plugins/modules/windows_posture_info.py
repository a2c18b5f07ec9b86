#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""windows_posture_info: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: windows_posture_info
short_description: Say how a Windows server with Exchange is kept
version_added: 0.1.0
description:
  - Reads the builds of Exchange and Windows and whether both are supported, processors and memory,
    TLS 1.2 of Windows and .NET, the last update and who looks after updates, Hybrid Agent,
    application proxy connector and Entra Connect, the mitigation service, extended protection, and
    the end of certificates.
  - What is found has a severity, a sentence, what to do, and a page of Microsoft. What could not be
    read is V(unknown), and never good. What does not apply, such as extended protection on an Edge
    server, has no finding.
  - The builds of Exchange are judged by a table with a date. A build that is newer than the table,
    or not in it, is told as that and fails nothing; the newest of a table that is old by now is
    V(unknown) as well. O(exchange_builds) and O(exchange_builds_as_of) bring the table up to date.
  - It does not take the place of Microsoft's HealthChecker, which looks at far more.
  - Costs one PowerShell start, opens no Exchange shell, writes nothing.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._windows.connection
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
  - mailedge.lockdown._attributes.windows
options:
  min_processors:
    description: How many logical processors the site asks for.
    type: int
    default: 4
  min_memory_gb:
    description: How much memory the site asks for, in GB.
    type: int
    default: 16
  max_update_age_days:
    description: How many days ago Windows may have been updated last.
    type: int
    default: 45
  warn_before_days:
    description: How many days before the end of a support or a certificate there is a warning.
    type: int
    default: 60
  paid_updates:
    description: Whether the site pays Microsoft for updates after the end of support (Extended
      Security Updates).
    type: bool
    default: false
  hybrid:
    description:
      - Which way Exchange Online comes in. With V(agent) the Hybrid Agent has to run on this
        server, with V(app_proxy) the connector of Entra application proxy; with the others neither
        is asked for.
    type: str
    choices: [none, classic, agent, app_proxy]
    default: none
  exchange_builds:
    description: Builds of Exchange that the table of this collection does not have, or has
      otherwise.
    type: list
    elements: dict
    default: []
    suboptions:
      build:
        description: The build, such as V(15.2.2562.46).
        type: str
        required: true
      name:
        description: Its name, which begins with the product, such as V(Exchange SE RTM Aug26SU).
        type: str
        required: true
      released:
        description: The day of its release, such as V(2026-08-11).
        type: str
        required: true
      article:
        description: The article that describes it, such as V(KB5121573).
        type: str
  exchange_builds_as_of:
    description:
      - The day up to which the table is complete, with O(exchange_builds). Where this is not set,
        it is the day of the table of this collection.
      - Thirty-five days later it may no longer be complete, since Microsoft releases updates every
        month.
    type: str
  windows_versions:
    description: Versions of Windows that the table of this collection does not have, or has
      otherwise.
    type: list
    elements: dict
    default: []
    suboptions:
      build:
        description: The build, such as V(26100).
        type: int
        required: true
      name:
        description: Its name.
        type: str
        required: true
      end_of_support:
        description: The last day of its support, such as V(2034-10-10).
        type: str
        required: true
      end_of_paid_updates:
        description: The last day of updates for those who pay.
        type: str
  ignored_certificates:
    description: Certificates that are not judged, by their thumbprints or the beginnings of those.
    type: list
    elements: str
    default: []
  accept_findings:
    description:
      - The ids of findings that are known and accepted. They are told, and do not count for
        RV(state).
      # generated: findings windows
      - "V(app_proxy_connector): The connector of Entra application proxy."
      - "V(certificate): When certificates of the server end."
      - "V(entra_connect): Entra Connect, and whether its version still works."
      - "V(entra_connect_retirement): Entra Connect runs, and when its version ends is not known
        here."
      - "V(exchange_absent): No Exchange Server is installed."
      - "V(exchange_build): How new the build of Exchange is."
      - "V(exchange_build_newer): The build of Exchange is newer than all that are known."
      - "V(exchange_build_unknown): The build of Exchange could not be read, or is not known."
      - "V(exchange_support): Whether Exchange is supported."
      - "V(exchange_table_old): Exchange is the newest of a table that is old by now."
      - "V(extended_protection): Extended protection of the virtual directories."
      - "V(hybrid_agent): The Hybrid Agent."
      - "V(last_update): How long ago Windows was updated."
      - "V(memory): Whether there is as much memory as the site asks for."
      - "V(mitigation_service): The service that applies Microsoft's emergency mitigations."
      - "V(processors): Whether there are as many processors as the site asks for."
      - "V(restart_pending): Whether updates of Windows wait for a restart."
      - "V(tls_12_dotnet): Whether .NET follows Windows, and uses strong cryptography."
      - "V(tls_12_incoming): Whether Windows takes TLS 1.2 from those who connect to it."
      - "V(tls_12_outgoing): Whether Windows uses TLS 1.2 where it connects to others."
      - "V(update_schedule): An agent for updates runs, whose schedule is not known on the server."
      - "V(update_service): Whether somebody looks after updates."
      - "V(windows_support): Whether Windows is supported, and until when."
      - "V(windows_version_unknown): The version of Windows could not be read, or is not known."
      # end of generated
    type: list
    elements: str
    default: []
seealso:
  - module: mailedge.lockdown.windows_tls
  - name: HealthChecker
    description: Microsoft's own script, which looks at far more.
    link: https://microsoft.github.io/CSS-Exchange/Diagnostics/HealthChecker/
"""

EXAMPLES = r"""
- name: See how the server is kept
  mailedge.lockdown.windows_posture_info:
    hybrid: agent
    exchange_builds:
      - build: 15.2.2562.46
        name: Exchange SE RTM Aug26SU
        released: '2026-08-11'
    exchange_builds_as_of: '2026-09-05'
  register: posture

- name: Print what is to be done
  ansible.builtin.debug:
    msg: "{{ wrong | map(attribute='sentence') }}"
  vars:
    wrong: "{{ posture.findings | rejectattr('severity', 'equalto', 'ok') }}"
"""

RETURN = r"""
findings:
  description: What was found, the worst first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The stable id of the finding, for O(accept_findings).
      type: str
      returned: always
    severity:
      description: V(critical), V(unknown), V(warning) or V(ok), in this order.
      type: str
      returned: always
    sentence:
      description: What was found.
      type: str
      returned: always
    remedy:
      description: What to do. Empty where nothing is to be done.
      type: str
      returned: always
    link:
      description: The page of Microsoft that tells more.
      type: str
      returned: always
    accepted:
      description: Whether the site has accepted it.
      type: bool
      returned: always
  sample:
    - id: last_update
      severity: warning
      sentence: Windows was updated on 2026-07-15, 137 days ago, and the site asks for 45 days at
        most.
      remedy: Install the updates of Windows, and look why they were not.
      link: https://learn.microsoft.com/
      accepted: false
state:
  description: V(unknown) where something could not be read or judged, V(drift) where something is
    critical or a warning, else V(in order). Accepted findings do not count.
  returned: success
  type: str
  sample: drift
server:
  description: The server that was read. What could not be read is null; C(update_revision) is there
    from Windows Server 2016 on.
  returned: success
  type: dict
  sample: {name: EX1, exchange_build: 15.2.2562.46, windows_build: 20348, update_revision: 5020}
tables:
  description: The days up to which the tables are complete by which was judged.
  returned: success
  type: dict
  sample: {exchange_builds: '2026-08-19', windows_versions: '2026-08-22'}
# generated: returns exchange.cost
cost:
  description: How often a PowerShell was started on the server, and how often the Exchange shell
    was loaded.
  returned: success
  type: dict
  sample: {"powershell_starts": 1, "exchange_shells": 1}
# end of generated
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.argspec import (
    POSTURE_MODULE,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(POSTURE_MODULE)


if __name__ == "__main__":
    main()
