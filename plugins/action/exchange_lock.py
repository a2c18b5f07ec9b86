# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_lock: describe a site, and lock the connectors of one of its servers, in one task."""

from __future__ import annotations

import secrets
import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mailedge.lockdown.plugins.action.exchange_mail_flow import (
    ActionModule as MailFlow,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import EXCHANGE_LOCK
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import shortened
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._profile import profiled
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.description import (
    DESCRIPTION,
    REPORTED,
    describe_host,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.exchange import lock_options

_LAYER = "exchange"


class ActionModule(MailFlow):
    """The action behind the module of the same name."""

    @profiled
    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Describe the site unless that was done; lock the connectors where they are managed."""
        variables = task_vars or {}
        checked = ArgumentSpecValidator(**EXCHANGE_LOCK).validate(dict(self._task.args))
        if checked.error_messages:
            return {
                "failed": True,
                "msg": " ".join(
                    f"{str(message).rstrip('.')}." for message in checked.error_messages
                ),
            }
        told: dict[str, t.Any] = {}
        about = variables.get(DESCRIPTION)
        if not about:
            about = describe_host(
                self._templar, variables, checked.validated_parameters["playbook"], None
            )
            told["description"] = _handed_on(about)
            told["warnings"] = about.get("warnings") or []
        if about.get("failed"):
            return {"failed": True, "msg": about["msg"], **told}
        if _LAYER not in about["layers"]:
            return {"changed": False, "skipped": True, **told}
        self._task.args = lock_options(
            str(variables["inventory_hostname"]),
            about["described"],
            lambda name: self._templar.template(variables[name]) if name in variables else None,
            self._lease_of(checked.validated_parameters["playbook"], about),
        )
        try:
            result = super().run(tmp, variables)
        except AnsibleConnectionFailure as error:
            # The report needs the description of a host that does not answer as well.
            result = {"unreachable": True, "msg": str(error)}
            if self.lease:
                result["lease"] = self.lease
        if not result.get("changed"):
            result = shortened(result)
        # After the secrets were masked in the result: the description has none, and is read by
        # other layers.
        told["warnings"] = [*told.get("warnings", ()), *result.get("warnings", ())]
        return {**result, **{key: value for key, value in told.items() if value}}

    def _lease_of(self, playbook: str, about: dict[str, t.Any]) -> dict[str, t.Any] | None:
        """The lease of a run that may have to take back what it makes.

        With nothing to prove afterwards, and no firewall, it is over with a task that succeeds.
        """
        if playbook != "apply" or self._task.check_mode:
            return None
        return {
            "run_id": about.get("fortigate_run") or secrets.token_hex(4),
            "minutes": about["described"]["exchange_lease_minutes"],
            "goes_on": bool(set(about["layers"]) - {_LAYER}),
        }


def _handed_on(about: dict[str, t.Any]) -> dict[str, t.Any]:
    """What the report and the other layers read of the description.

    Ansible visits every value of a result several times in the process that all hosts wait for.
    """
    if set(about.get("layers") or ()) - {_LAYER}:
        return {key: value for key, value in about.items() if key != "warnings"}
    described = {key: value for key, value in about.get("described", {}).items() if key in REPORTED}
    return {
        **{key: about[key] for key in ("site", "msg", "failed", "parts", "layers") if key in about},
        "described": described,
    }
