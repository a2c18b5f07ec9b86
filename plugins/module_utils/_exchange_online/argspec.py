# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that all Exchange Online modules share: who asks, and which tenant."""

from __future__ import annotations

import os
import re
import typing as t
import urllib.parse

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.recipe import (
    FILTERING,
    METHODS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.tokens import (
    CLOUDS,
    GUID,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import approval

Spec = dict[str, dict[str, t.Any]]

TENANT_OPTIONS: Spec = {
    "tenant_id": {"type": "str", "required": True},
    "client_id": {"type": "str"},
    "client_secret": {"type": "str", "no_log": True},
    "certificate": {"type": "path"},
    "certificate_passphrase": {"type": "str", "no_log": True},
    "managed_identity": {"type": "bool", "default": False},
    "cloud": {"type": "str", "choices": list(CLOUDS), "default": "worldwide"},
    "documented_api": {"type": "bool", "default": False},
    "authority_url": {"type": "str"},
    "api_url": {"type": "str"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "int", "default": 60},
    "snapshot_folder": {"type": "path", "default": "~/.mailedge/snapshots"},
}

LOCK_OPTIONS: Spec = {
    "name": {"type": "str", "default": "mailedge"},
    "method": {"type": "str", "choices": list(METHODS), "default": "connector"},
    "provider_certificate": {"type": "str"},
    "provider_ranges": {"type": "list", "elements": "str", "default": []},
    "on_premises_certificate": {"type": "str"},
    "on_premises_ranges": {"type": "list", "elements": "str", "default": []},
    "require_tls": {"type": "bool", "default": True},
    "reject_direct_send": {"type": "bool"},
    "rule_mode": {"type": "str", "choices": ["audit", "enforce"], "default": "audit"},
    "enhanced_filtering": {"type": "str", "choices": list(FILTERING)},
    "mx_hosts": {"type": "list", "elements": "str", "default": []},
    "mx_from_dns": {"type": "bool", "default": False},
    "resolver": {"type": "str"},
    "resolver_port": {"type": "int", "default": 53},
}

TASK_OPTIONS: Spec = {
    "snapshot": {"type": "str"},
    # A snapshot holds connectors and rules, and no secret.
    "content": {"type": "json", "no_log": False},
    "keep_later_changes": {"type": "bool", "default": False},
    "check_permissions": {"type": "bool", "default": True},
    "run_id": {"type": "str"},
    "accept_risks": {"type": "list", "elements": "str", "default": []},
    **approval.OPTION,
}

# A line break at the end comes from a file; a library would show the whole of what it refuses.
_SECRET = re.compile(r"[!-~]+")


def problems(params: t.Mapping[str, t.Any]) -> str:
    """What is wrong with the options that say who asks, in sentences, all of them; never with a
    secret.
    """
    sentences = []
    if not GUID.fullmatch(str(params["tenant_id"])):
        sentences.append(
            f"tenant_id is {str(params['tenant_id'])[:80]!r}, which is no GUID. The tenant's "
            "overview in Entra shows it."
        )
    ways = [
        name
        for name in ("client_secret", "certificate", "managed_identity")
        if params.get(name) not in (None, "", False)
    ]
    if len(ways) != 1:
        named = " and ".join(ways) + " are" if ways else "none is"
        sentences.append(
            "One of client_secret, certificate and managed_identity says how the app proves who "
            f"it is; {named} named."
        )
    if not params.get("managed_identity") and not GUID.fullmatch(str(params.get("client_id"))):
        sentences.append("client_id, the GUID of the app, is not set or no GUID.")
    if params.get("client_secret") and not _SECRET.fullmatch(str(params["client_secret"])):
        sentences.append(
            "The client_secret holds a blank, a line break or another character that no secret has "
            "(it is not shown here). Look at the end of the file or variable that it comes from."
        )
    for name in ("authority_url", "api_url", "graph_url"):
        if params.get(name) and not _is_https(params[name]):
            sentences.append(
                f"{name} is {str(params[name])[:80]!r}, and has to be https:// with a host name: "
                "secrets go there."
            )
    if not 1 <= params["timeout"] <= 86400:
        sentences.append(f"timeout is {params['timeout']}: it must be between 1 and 86400 seconds.")
    for name in ("ca_path", "certificate"):
        if params.get(name) and not os.path.exists(params[name]):
            sentences.append(
                f"There is no {name} '{params[name]}' on the host that runs the module."
            )
    return " ".join([*sentences, "Nothing was sent to the tenant."]) if sentences else ""


def _is_https(url: t.Any) -> bool:
    try:
        parts = urllib.parse.urlsplit(str(url))
        return parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
