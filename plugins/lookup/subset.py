# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Those hosts of a selection for which a play has something to do."""

from __future__ import annotations

DOCUMENTATION = r"""
name: subset
author: mailedge.lockdown contributors (@mailedge)
version_added: 0.1.0
short_description: The hosts of a selection for which a play has something to do
description:
  - For the C(hosts) of a play that follows another one over P(mailedge.lockdown.selection#lookup).
    A task that is skipped costs
    Ansible as much as many a task that does something; a play without the host costs nothing.
  - Where there is no such host, the pattern that it gives selects nobody, which is no error.
options:
  _terms:
    description: The pattern of the selection, as a text or as a list.
    required: true
    type: list
    elements: raw
  which:
    description:
      - V(more_layers) for the hosts at which more than the layers of the server is managed, as
        M(mailedge.lockdown.host_lock) found.
      - V(names) for those of them that ask DNS for the names of their site.
      - V(failing) for those that the last M(mailedge.lockdown.run_report) let fail, and one that
        does not fail, if there are both.
    type: str
    choices: [more_layers, names, failing]
    required: true
"""

EXAMPLES = r"""
- name: Fail the hosts that are not as described
  hosts: "{{ lookup('mailedge.lockdown.subset', mailedge_hosts | default('mailedge', true),
    which='failing') }}"
  gather_facts: false
  tasks:
    - name: Fail
      ansible.builtin.fail:
        msg: "{{ lookup('mailedge.lockdown.failure') }}"
      when: lookup('mailedge.lockdown.failure') | length > 0
"""

RETURN = r"""
_raw:
  description: A pattern.
  type: list
  elements: str
"""

import typing as t

from ansible.plugins.lookup import LookupBase

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._preload import preload_more
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selection import (
    NOBODY,
    is_listing,
    patterns,
    selected_hosts,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host_layers import HOST_PARTS
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.parts import DNS

_ANSWER = "__mailedge_result_host"
_REPORT = "__mailedge_report"


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[t.Any]:
        """Give a pattern of the hosts."""
        self.set_options(var_options=variables, direct=kwargs)
        if is_listing():
            return [",".join(patterns(terms)) or NOBODY]
        hosts = selected_hosts(self._loader, ",".join(patterns(terms)), variables)
        which = {"more_layers": _with_more_layers, "names": _with_names, "failing": _failing}
        asked = self.get_option("which")
        chosen = which[asked](hosts, variables["hostvars"])
        if asked == "more_layers":
            preload_more(len(chosen))
        return [",".join(chosen) or NOBODY]


def _with_more_layers(hosts: t.Iterable[str], hostvars: t.Any) -> list[str]:
    return [host for host in hosts if _layers(host, hostvars) - HOST_PARTS]


def _with_names(hosts: t.Iterable[str], hostvars: t.Any) -> list[str]:
    return [host for host in hosts if DNS in _layers(host, hostvars)]


def _layers(host: str, hostvars: t.Any) -> set[str]:
    about = (hostvars.raw_get(host).get(_ANSWER) or {}).get("description") or {}
    return set(about.get("layers") or ())


def _failing(hosts: t.Sequence[str], hostvars: t.Any) -> list[str]:
    # Every host that was there for the report has all of it.
    for host in hosts:
        report = hostvars.raw_get(host).get(_REPORT)
        if report:
            failed = report.get("failed_hosts") or {}
            failing = [host for host in hosts if host in failed]
            # One that does not fail as well: ansible-core ends a run where all hosts of a play have
            # failed, and with it the count of the verdicts, and what a user's playbook has after
            # it.
            others = [host for host in hosts if host not in failed][:1]
            return failing + others if failing else []
    return []
