# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site_hosts: which hosts of the inventory make up a site. Asked once in a run, for all hosts."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._profile import profiled


class ActionModule(ActionBase):
    """The action behind the module of the same name."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    @profiled
    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Read the name of the site of every host in the inventory."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        hostvars = variables["hostvars"]
        sites: dict[str, list[str]] = {}
        for host in variables["groups"]["all"]:
            name = _site(hostvars, host)
            if name:
                sites.setdefault(name, []).append(str(host))
        result.update(changed=False, sites=sites)
        return result


def _site(hostvars: t.Any, host: str) -> str:
    """The site of a host as text, empty where it names none, or none that can be read."""
    raw = hostvars.raw_get(host).get("mailedge_site")
    if isinstance(raw, str) and "{{" in raw:
        try:
            raw = hostvars[host]["mailedge_site"]
        except (AnsibleError, KeyError):
            # The host itself is told, by site_description, if it was selected.
            return ""
    return str(raw).strip() if raw is not None else ""
