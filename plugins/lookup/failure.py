# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a host fails, out of the report on all of them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: failure
author: mailedge.lockdown contributors (@mailedge)
version_added: 0.1.0
short_description: Why a host fails, out of the report on all hosts
description:
  - The sentence of RV(mailedge.lockdown.run_report#module:failed_hosts) for the host of the task,
    empty where it does not fail.
  - A template that named the report would make Ansible template the whole of it, for every host
    again.
options: {}
"""

EXAMPLES = r"""
- name: Fail the host
  ansible.builtin.fail:
    msg: "{{ lookup('mailedge.lockdown.failure') }}"
  when: lookup('mailedge.lockdown.failure') | length > 0
"""

RETURN = r"""
_raw:
  description: The sentence.
  type: list
  elements: str
"""

import typing as t

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[t.Any]:
        """Give the sentence."""
        report = variables.get("__mailedge_report") or {}
        return [str((report.get("failed_hosts") or {}).get(variables["inventory_hostname"]) or "")]
