# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a play, refused where the run could not give every one of them a verdict."""

from __future__ import annotations

DOCUMENTATION = r"""
name: selection
author: mailedge.lockdown contributors (@mailedge)
version_added: 0.1.0
short_description: The hosts of a play, unless the run could end green without having looked at them
description:
  - For the C(hosts) of a play. Gives the pattern back as it is, or stops the run before its first
    task.
  - Ansible itself ends such runs as successful.
  - Stops where the pattern and the limit select no host, or hold a name that nobody has; where
    C(--tags), C(--skip-tags), C(--start-at-task) or C(--step) would leave a part of the play out;
    where the forks need more open files than the limit of the process allows, because the workers
    that cannot start are lost without a word (ansible-core issues 82471 and 87475); where
    C(ansible_connection) is an extra variable, which counts for the tasks on the controller as
    well; where an extra variable has a name that a run keeps for itself, C(__mailedge_...).
options:
  _terms:
    description: The pattern, as a text or as a list.
    required: true
    type: list
    elements: raw
"""

EXAMPLES = r"""
- name: Work on the group mailedge, or on the hosts that are named
  hosts: "{{ lookup('mailedge.lockdown.selection', mailedge_hosts | default('mailedge', true)) }}"
  gather_facts: false
  tasks:
    - name: Say who is there
      ansible.builtin.debug:
        msg: "{{ ansible_play_hosts_all }}"
"""

RETURN = r"""
_raw:
  description: The pattern.
  type: list
  elements: str
"""

import re
import resource
import typing as t

from ansible import context
from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._preload import preload, share
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selection import (
    patterns,
    selected_hosts,
)

_UNTOUCHED = "Nothing was looked at and nothing was changed."
_MIDDLE = (
    "The run ends here. What it has done so far stays, and has no verdict: run drift once this is "
    "fixed."
)
# Measured: 200 open files carry 47 workers, 1,024 about 230.
_FILES_OF_A_WORKER = 5
_FILES_OF_ANSIBLE = 50
_KEPT = "__mailedge_"
# A name, and no pattern of Ansible's.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class LookupModule(LookupBase):
    """The lookup."""

    # Whether an earlier play of this run was let go on: the hosts of all plays are asked for by the
    # one process that runs the playbook.
    begun = False

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[t.Any]:
        """Give the pattern, or raise AnsibleLookupError."""
        untouched = _MIDDLE if LookupModule.begun else _UNTOUCHED
        pattern = ",".join(patterns(terms))
        known = variables or {}
        if context.CLIARGS.get("syntax"):
            return [pattern]
        problems = [*_parts_only(known), *_connection(known), *_of_the_run(self._loader)]
        try:
            hosts = selected_hosts(self._loader, pattern, known)
        except AnsibleError as error:
            raise AnsibleLookupError(f"{error} {untouched}") from None
        problems += _nobody(pattern, "mailedge_hosts", known) if hosts else []
        problems += (
            _nobody(str(known.get("ansible_limit") or ""), "--limit", known) if hosts else []
        )
        if not hosts:
            limit = known.get("ansible_limit")
            within = f" within the limit '{limit}'" if limit else ""
            problems.append(
                f"The pattern '{pattern}' selects no host{within}. Look at the inventory, at "
                "mailedge_hosts and at --limit."
            )
        else:
            problems += _files(len(hosts), int(known.get("ansible_forks") or 5))
        if problems:
            raise AnsibleLookupError(" ".join([*problems, untouched]))
        preload(len(hosts))
        if not LookupModule.begun:
            share(len(hosts))
        LookupModule.begun = True
        return [pattern]


def _nobody(pattern: str, where: str, variables: t.Mapping[str, t.Any]) -> list[str]:
    """Names that nobody has, beside some that somebody has.

    Ansible only warns of them, and a report lacks a site without a word.

    Of exclusions, intersections, wildcards, ranges and files nothing is said.
    """
    groups = variables.get("groups") or {}
    known = {"localhost", *groups, *(host for hosts in groups.values() for host in hosts)}
    plain = [part for part in patterns([pattern]) if _PLAIN.fullmatch(part)]
    missing = [f"'{part}'" for part in plain if part not in known]
    if not missing:
        return []
    return [
        f"{where} names {' and '.join(missing)}, but the inventory has no host or group of that "
        "name."
    ]


def _parts_only(variables: t.Mapping[str, t.Any]) -> list[str]:
    chosen = {
        "--tags": [tag for tag in variables.get("ansible_run_tags") or () if tag != "all"],
        "--skip-tags": list(variables.get("ansible_skip_tags") or ()),
        "--start-at-task": [
            task_name for task_name in (context.CLIARGS.get("start_at_task"),) if task_name
        ],
    }
    options = [
        f"{option} '{','.join(map(str, values))}'" for option, values in chosen.items() if values
    ]
    if context.CLIARGS.get("step"):
        # Its answer "n" leaves a task out, the report and the undo as well.
        options.append("--step")
    return [
        f"{option} would leave out a part of the run, and what is left could not be judged. "
        "Run it whole: --check changes nothing, and mailedge_exchange_enabled or "
        "mailedge_fortigate_enabled leave a layer out."
        for option in options
    ]


def _of_the_run(loader: t.Any) -> list[str]:
    """Extra variables that count for more than what tasks register, by which a run is judged."""
    given = sorted(name for name in load_extra_vars(loader) if str(name).startswith(_KEPT))
    if not given:
        return []
    return [
        f"{' and '.join(given)} stands among the extra variables, and a run keeps what begins with "
        f"{_KEPT} for itself. Take it out."
    ]


def _connection(variables: t.Mapping[str, t.Any]) -> list[str]:
    # Without a host, only extra variables, or those of the play, are seen here.
    if variables.get("ansible_connection") in (None, "", "local"):
        return []
    return [
        f"ansible_connection is given as an extra variable ({variables['ansible_connection']}), "
        "which counts for the tasks on the controller too. Set it in the inventory, for the "
        "servers or their group."
    ]


def _files(hosts: int, forks: int) -> list[str]:
    workers = min(hosts, forks)
    limit, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = workers * _FILES_OF_A_WORKER + _FILES_OF_ANSIBLE
    if limit == resource.RLIM_INFINITY or needed <= limit:
        return []
    fits = max(1, (limit - _FILES_OF_ANSIBLE) // _FILES_OF_A_WORKER)
    return [
        f"{workers} forks need about {needed} open files, and the limit is {limit}: hosts would be "
        f"lost without a word. Raise it (ulimit -n {max(needed, 1024)}), or run with --forks "
        f"{fits}."
    ]
