# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site_description: the variables of a site, checked as a whole and converted."""

from __future__ import annotations

import datetime
import secrets
import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import SITE_DESCRIPTION
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import MANAGED
from ansible_collections.mailedge.lockdown.plugins.module_utils._secrets import secrets_in
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.describe import Surroundings, describe
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.options import PREFIX, options

_UNTOUCHED = "Nothing was sent to any server."


class ActionModule(ActionBase):
    """The action behind the module of the same name."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Read, check, convert."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        given = task_vars or {}
        checked = ArgumentSpecValidator(**SITE_DESCRIPTION).validate(dict(self._task.args))
        if checked.error_messages:
            result.update(failed=True, msg=" ".join(f"{str(one).rstrip('.')}." for one in checked.error_messages))
            return result
        playbook, sites = checked.validated_parameters["playbook"], checked.validated_parameters["sites"]
        variables, errors = self._values(given)
        host = str(given["inventory_hostname"])
        around = Surroundings(
            host=host,
            playbook=playbook,
            site_hosts=tuple(sites.get(str(variables.get("mailedge_site") or host).strip(), ())),
            selected=tuple(map(str, given.get("ansible_play_hosts_all") or (host,))),
        )
        found = describe(variables, around, datetime.datetime.now(datetime.timezone.utc).date())
        site = str(variables.get("mailedge_site") or host).strip()
        result.update(changed=False, site=site)
        if errors or found.errors:
            count = len(errors) + len(found.errors)
            text = " ".join([*errors, *found.errors, _UNTOUCHED])
            result.update(failed=True, msg=f"{_heading(site, count)} {text}")
            return t.cast("dict[str, t.Any]", remove_values(result, secrets_in(variables)))
        result.update(
            described={key: value for key, value in found.values.items() if value is not None},
            layers=[name for name, part in found.parts.items() if part.how == MANAGED],
            parts={name: {"how": part.how, "why": part.why} for name, part in found.parts.items()},
            fortigate_run=secrets.token_hex(4),
        )
        if found.warnings:
            result["warnings"] = found.warnings
        # Without a mask: no secret is in it, and a password "relay" would change the name
        # relay.filter.example for the layers.
        return result

    def _values(self, given: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
        """The variables of ours, templated; a sentence for each that cannot be."""
        values: dict[str, t.Any] = {}
        errors: list[str] = []
        for name in sorted(given):
            if not name.startswith(PREFIX):
                continue
            if name not in options():
                values[name] = None
                continue
            try:
                values[name] = self._templar.template(given[name])
            except AnsibleError as error:
                errors.append(f"The variable {name} cannot be read: {str(error).rstrip('.')}.")
        return values, errors


def _heading(site: str, count: int) -> str:
    return f"The description of site '{site}' has {'a problem' if count == 1 else f'{count} problems'}."
