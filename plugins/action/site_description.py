# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site_description: the variables of a site, checked as a whole and converted."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import (
    SITE_DESCRIPTION,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._profile import profiled
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.description import (
    describe_host,
)


class ActionModule(ActionBase):
    """The action behind the module of the same name."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    @profiled
    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Read, check, convert."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        checked = ArgumentSpecValidator(**SITE_DESCRIPTION).validate(dict(self._task.args))
        if checked.error_messages:
            result.update(
                failed=True,
                msg=" ".join(f"{str(message).rstrip('.')}." for message in checked.error_messages),
            )
            return result
        params = checked.validated_parameters
        result.update(
            describe_host(self._templar, task_vars or {}, params["playbook"], params["sites"])
        )
        return result
