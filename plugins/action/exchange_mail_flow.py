# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_mail_flow: one server's connectors as one transaction: recipe, description, snapshot."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    outbound,
    recent,
    recipes,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    MAIL_FLOW_MODULE,
    check_entries,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import desired, fold
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._mail_flow import (
    MailFlowAction,
    grace,
)

_SITE = ("provider_ranges", "own_networks", "exchange_servers", "hybrid_ranges")


class ActionModule(MailFlowAction):
    """The action behind the module of the same name."""

    arguments = MAIL_FLOW_MODULE

    def check(self, params: dict[str, t.Any]) -> list[str]:
        errors = super().check(params)
        if params.get("inbound_lock") is not None and not params["provider_ranges"]:
            errors.append(
                "inbound_lock is set, but provider_ranges names no range. A lock that hears no "
                "provider would shut out all mail. "
                "Name the ranges from which the filtering provider delivers."
            )
        errors += [
            f"recent_senders: {sentence}"
            for sentence in recent.wrong(
                params.get("recent_senders") or {}, int(params.get("time_limit") or 300)
            )
        ]
        for option, resource in (("receive_connectors", RECEIVE), ("send_connectors", SEND)):
            checked = check_entries(resource, params.get(option) or [])
            params[option] = checked.entries
            errors.extend(checked.errors)
            self._secrets.update(checked.secrets)
            if params.get("snapshot") and checked.entries:
                errors.append(f"The options snapshot and {option} exclude each other.")
        return errors

    def smart_hosts(self, params: t.Mapping[str, t.Any]) -> list[tuple[str, int]]:
        lock = params.get("outbound_lock") or {}
        return [(str(host), int(lock.get("port") or 25)) for host in lock.get("smart_hosts") or []]

    def described(self, params: dict[str, t.Any], state: State) -> t.Sequence[Desired[str]]:
        site = {name: params.get(name) or [] for name in _SITE}
        parts = []
        if params.get("inbound_lock") is not None:
            lock = {**params["inbound_lock"], "keep_unnamed": bool(grace(params["inbound_lock"]))}
            parts.append(recipes.inbound_lock(state, {**lock, **site}))
        if params.get("outbound_lock") is not None:
            parts.append(outbound.outbound_lock(state, params["outbound_lock"]))
        return fold(*parts, desired(params["receive_connectors"], params["send_connectors"]))
