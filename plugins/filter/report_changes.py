# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is another in a report than in an older one, as a filter."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.changes import (
    ReportError,
    checked,
    compared,
)

DOCUMENTATION = r"""
name: report_changes
author: mailedge.lockdown contributors (@mailedge)
version_added: 0.1.0
short_description: What is another in a report than in an older one
description:
  - Compares C(mailedge_report) with any older report, such as that of Monday, which the folder of
    M(mailedge.lockdown.report_files) has.
options:
  _input:
    description: The report.
    type: dict
    required: true
  older:
    description: The older report.
    type: dict
    required: true
  partial:
    description: Whether the newer run was to see some of the sites, or of the hosts of a site,
      only, so that none is missing.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Say what changed since Monday
  ansible.builtin.debug:
    msg: "{{ mailedge_report | combine({'changes': changes}) | mailedge.lockdown.report_text }}"
  vars:
    file: /srv/reports/report-20261123T063000Z-drift.json
    monday: "{{ lookup('ansible.builtin.file', file) | from_json }}"
    changes: "{{ mailedge_report | mailedge.lockdown.report_changes(monday) }}"
"""

RETURN = r"""
_value:
  description: The same as RV(mailedge.lockdown.report_files#module:changes).
  type: dict
"""


def report_changes(report: t.Any, older: t.Any, partial: bool = False) -> dict[str, t.Any]:
    """What came, what went, which states are others."""
    try:
        return compared(checked(older), checked(report), partial=partial)
    except ReportError as error:
        raise AnsibleFilterError(f"This is no report: {error}") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name → filter."""
        return {"report_changes": report_changes}
