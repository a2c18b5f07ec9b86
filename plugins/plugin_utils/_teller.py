# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of the actions that work on the controller with what hosts have registered."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._profile import profiled

RESULT = "__mailedge_result_"
"""What a play registers a result under, before the name of its layer."""
FAILURE = "__mailedge_failure"
"""Why a task of the run failed."""
NEVER_RAN = "No task of the run ever ended on it."

Variables = t.Mapping[str, t.Any]


class Teller(ActionBase):
    """An action that connects to nothing. A subclass names its `arguments` (keyword arguments of
    ArgumentSpecValidator) and implements `tell`.
    """

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    arguments: t.ClassVar[Variables] = {}

    def tell(self, params: dict[str, t.Any], variables: Variables) -> dict[str, t.Any]:
        """Do the task with checked `params`; give its result."""
        raise AnsibleError(f"{type(self).__name__} does not say what it tells.")

    @profiled
    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Check the options, and tell."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        checked = ArgumentSpecValidator(**self.arguments).validate(dict(self._task.args))
        if checked.error_messages:
            sentences = [f"{str(message).rstrip('.')}." for message in checked.error_messages]
            return {**result, "failed": True, "msg": " ".join(sentences)}
        return {**result, **self.tell(checked.validated_parameters, task_vars or {})}


def variables_of(hosts: t.Iterable[str], variables: Variables) -> dict[str, Variables]:
    """Host → its variables, untemplated: each look costs Ansible as much as a small task."""
    return {host: variables["hostvars"].raw_get(host) for host in hosts}


def why_undescribed(variables: Variables, about: Variables) -> str:
    """Why a host has no description, empty where it has one."""
    if about.get("described"):
        return ""
    return str(about.get("msg") or variables.get(FAILURE) or NEVER_RAN)
