# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of a host's site: its variables templated, checked and converted."""

from __future__ import annotations

import datetime
import re
import secrets
import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import MANAGED
from ansible_collections.mailedge.lockdown.plugins.module_utils._secrets import secrets_in
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._controller_module import plain
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site import rehearsal
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.describe import (
    HANDED_ON,
    describe,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.options import PREFIX, options
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.parts import Surroundings

# What the role `site` registers: its hosts, for all of them, and the description of each.
SITES, DESCRIPTION = "__mailedge_sites", "__mailedge"
# What run_report reads of a description.
REPORTED = frozenset({"site", "fail_on", "accepted_drift", "fortigate_vips"})
_SNAPSHOTS = "mailedge_snapshots"
_THE_PLAN = re.compile(r"\{\{\s*mailedge_plan\s*\}\}")
# A document, and no template.
_JSON = re.compile(r"\{(?![{%#])")
_UNTOUCHED = "Nothing was sent to any server."

Result = dict[str, t.Any]


def describe_host(
    templar: t.Any,
    variables: t.Mapping[str, t.Any],
    playbook: str,
    sites: t.Mapping[str, t.Sequence[str]] | None,
) -> Result:
    """{site, described, layers, parts, fortigate_run}, or {site, failed, msg}; no secret is in it.

    `variables` are those of a task of the host, `sites` what site_hosts returned. Without them
    they are looked up among
    the variables, and not templated: they name every host, and every host asks.
    """
    values, errors = _values(templar, variables, playbook)
    host = str(variables["inventory_hostname"])
    site = str(values.get("mailedge_site") or host).strip()
    if sites is None:
        sites = (variables.get(SITES) or {}).get("sites") or {}
    around = Surroundings(
        host=host,
        playbook=playbook,
        site_hosts=tuple(sites.get(site, ())),
        selected=tuple(map(str, variables.get("ansible_play_hosts_all") or (host,))),
    )
    description = describe(values, around, datetime.datetime.now(datetime.timezone.utc).date())
    errors += description.errors
    if description.values.get("rehearsal"):
        addresses = {
            name: _templated(templar, variables[name])
            for name in rehearsal.ADDRESSES
            if name in variables
        }
        errors += rehearsal.wrong(addresses or {"its name": host}, description.values)
    result: Result = {"changed": False, "site": site}
    if errors:
        result.update(
            failed=True, msg=f"{_heading(site, len(errors))} {' '.join([*errors, _UNTOUCHED])}"
        )
        return t.cast("Result", remove_values(result, secrets_in(values)))
    result.update(
        described={key: value for key, value in description.values.items() if value is not None},
        layers=[name for name, part in description.parts.items() if part.how == MANAGED],
        parts={
            name: {"how": part.how, "why": part.why} for name, part in description.parts.items()
        },
        fortigate_run=secrets.token_hex(4),
    )
    if description.warnings:
        result["warnings"] = description.warnings
    # Without a mask: no secret is in it, and a password "relay" would change the name
    # relay.filter.example for the layers.
    return result


def _values(
    templar: t.Any, variables: t.Mapping[str, t.Any], playbook: str
) -> tuple[Result, list[str]]:
    """The variables of ours, templated; a sentence for each that cannot be."""
    values: Result = {}
    errors: list[str] = []
    for name in sorted(name for name in variables if name.startswith(PREFIX)):
        if name in HANDED_ON:
            # As it is: a template would be rendered for all hosts by each of them, and a
            # firewall's comment is none.
            if isinstance(variables[name], t.Mapping):
                host = variables["inventory_hostname"]
                values[name] = {host: plain(variables[name].get(host) or {})}
            elif name == _SNAPSHOTS and playbook == "rollback":
                # JSON, or something that is refused: without it the latest would be given back.
                values[name] = plain(variables[name])
        elif name not in options():
            values[name] = None
        else:
            try:
                values[name] = (
                    _approved(templar, variables)
                    if name == "mailedge_approved_plan"
                    else _templated(templar, variables[name])
                )
            except AnsibleError as error:
                errors.append(f"The variable {name} cannot be read: {str(error).rstrip('.')}.")
    return values, errors


def _templated(templar: t.Any, value: t.Any) -> t.Any:
    """A variable as the host sees it. Most of what a site says is no template, and Ansible takes
    as long to find that out as for all the rest of a description.
    """
    return value if _is_plain(value) else templar.template(value)


def _is_plain(value: t.Any) -> bool:
    """Whether there is certainly nothing to do with a value: no template, and nothing encrypted,
    which is no text before it is asked for.
    """
    if isinstance(value, str):
        # A heading may say that templates begin otherwise than with a brace.
        return "{" not in value and not value.startswith("#")
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    return value is None or isinstance(value, (bool, int, float))


def _approved(templar: t.Any, variables: t.Mapping[str, t.Any]) -> t.Any:
    """The plan that was approved: as it is, where it is the one that was handed on."""
    given = variables["mailedge_approved_plan"]
    if isinstance(given, str) and _THE_PLAN.fullmatch(given.strip()):
        given = variables.get("mailedge_plan", given)
    if isinstance(given, t.Mapping) or (isinstance(given, str) and _JSON.match(given.strip())):
        return plain(given)
    return templar.template(given)


def _heading(site: str, count: int) -> str:
    return (
        f"The description of site '{site}' has "
        f"{'a problem' if count == 1 else f'{count} problems'}."
    )
