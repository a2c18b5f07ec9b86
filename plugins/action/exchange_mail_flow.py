# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_mail_flow: the connectors of one server as one transaction, by recipe, by description, or by snapshot."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import recipes, snapshot
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import MAIL_FLOW_MODULE, check_entries
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import Wish, fold
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._mail_flow import MailFlowAction, Reading

_SITE = ("provider_ranges", "own_networks", "exchange_servers", "hybrid_ranges")


class ActionModule(MailFlowAction):
    """The action behind the module of the same name."""

    arguments = MAIL_FLOW_MODULE

    def check(self, params: dict[str, t.Any]) -> list[str]:
        errors = super().check(params)
        if params.get("inbound_lock") is not None and not params["provider_ranges"]:
            errors.append(
                "inbound_lock is set, but provider_ranges names no range. A lock that hears no provider would shut out all mail. "
                "Name the ranges from which the filtering provider delivers."
            )
        name = params.get("snapshot")
        if name and name != "latest" and not snapshot.is_name(name):
            errors.append(
                f"'{name}' is no name of a snapshot. A name is like 20260114T101500Z-4f1c2a-apply.json, or latest."
            )
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

    def snapshot_names(self, params: t.Mapping[str, t.Any]) -> list[str] | None:
        name = params.get("snapshot")
        if name == "latest":
            return None
        return [name] if name else []

    def reason(self, params: dict[str, t.Any]) -> str:
        return "rollback" if params.get("snapshot") else "apply"

    def wish(self, params: dict[str, t.Any], reading: Reading) -> Wish:
        if params.get("snapshot"):
            return self._snapshot_wish(str(params["snapshot"]), reading)
        site = {name: params.get(name) or [] for name in _SITE}
        parts = []
        if params.get("inbound_lock") is not None:
            parts.append(recipes.inbound_lock(reading.state, {**params["inbound_lock"], **site}))
        if params.get("outbound_lock") is not None:
            parts.append(recipes.outbound_lock(reading.state, params["outbound_lock"]))
        return fold(*parts, Wish(params["receive_connectors"], params["send_connectors"]))

    def _snapshot_wish(self, wanted: str, reading: Reading) -> Wish:
        for name, text in reading.snapshots:
            found = snapshot.parse(text)
            if wanted == name or (wanted == "latest" and found.reason == "apply"):
                self.notes.extend(found.lost)
                return found.wish
        what = "holds no snapshot of a change" if wanted == "latest" else f"holds no snapshot named '{wanted}'"
        raise Failure(
            f"The server {reading.state.server.name} {what}. Nothing was changed. "
            f"The module exchange_mail_flow_info lists the snapshots that are there."
        )
