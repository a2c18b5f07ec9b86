# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tasks of a play have registered on a host: the description, and a result for every layer
under its name.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    DRIFT,
    IN_ORDER,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._given_back import (
    as_before,
    taken_back,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.description import (
    DESCRIPTION,
    SITES,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host_layers import HOST_PARTS
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.parts import TENANT
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._teller import RESULT, Variables

UNDONE_HOST, UNDO_FIREWALL = "__mailedge_undone_host", "__mailedge_undo_firewall"
FIREWALL = "fortigate"
# No name of a site has them.
_TEMPLATE = frozenset("{}")


def about_of(variables: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """The description of a host: by a task of its own, or along with the answer of its layers.

    Empty where there is none.
    """
    answer = variables.get(f"{RESULT}host") or {}
    # A task that broke before it had described anything says why.
    return (
        variables.get(DESCRIPTION)
        or answer.get("description")
        or {key: answer[key] for key in ("msg",) if key in answer}
    )


def result_of(layer: str, variables: Variables) -> t.Any:
    """What a layer's task registered: a task of its own, or the one of all layers of the server,
    and its undo.
    """
    registered = variables.get(RESULT + layer.replace(" ", "_"))
    if layer == TENANT and taken_back(variables):
        return as_before(registered or {}, taken_back(variables))
    if layer.startswith(FIREWALL) and variables.get(UNDO_FIREWALL):
        return as_before(registered or {}, variables.get(RESULT + FIREWALL) or {})
    if registered is not None:
        return registered
    if layer not in HOST_PARTS:
        return None
    undone, answer = (variables.get(name) or {} for name in (UNDONE_HOST, f"{RESULT}host"))
    locked = (answer.get("layers") or {}).get(layer)
    given_back = (undone.get("layers") or {}).get(layer)
    if locked and given_back and given_back.get("unreachable"):
        # It stands as the run has left it, for all that anybody knows.
        return {**locked, "unreachable": True, "msg": given_back["msg"]}
    if given_back and given_back.get("restored") and "state" not in given_back:
        # A layer that does not judge what a snapshot gives back.
        edge = {key: given_back[key] for key in ("edge",) if key in given_back}
        return {**given_back, **as_before(locked or {}, given_back), **edge}
    if given_back and given_back.get("state") == IN_ORDER:
        # All was given back that was to be, which is not what the site describes.
        return {**given_back, "state": DRIFT}
    if given_back or locked:
        return given_back or locked
    # A task that broke before it had a result for each layer says why.
    return answer if answer.get("failed") or answer.get("unreachable") else None


def sites_of(of_hosts: t.Mapping[str, Variables]) -> dict[str, str]:
    """Host → the site that it belongs to, by its own variable, or by those that have read all."""
    sites: dict[str, str] = {}
    # One task has read them for all hosts.
    read: Variables = next((told for each in of_hosts.values() if (told := each.get(SITES))), {})
    for site, hosts in (read.get("sites") or {}).items():
        sites.update(dict.fromkeys(map(str, hosts), str(site)))
    for variables in of_hosts.values():
        described = about_of(variables).get("described") or {}
        for host in described.get("site_hosts") or ():
            sites.setdefault(str(host), str(described["site"]))
    for host, variables in of_hosts.items():
        named = str(variables.get("mailedge_site") or "").strip()
        if host not in sites and named and not _TEMPLATE & set(named):
            sites[host] = named
    return sites
