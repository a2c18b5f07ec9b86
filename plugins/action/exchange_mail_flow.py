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
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._mail_flow import (
    MOST_SNAPSHOTS,
    MailFlowAction,
    Reading,
)

_LATEST, _ORIGINAL = "latest", "original"
# What a connector cannot be made without.
_NEEDED = {RECEIVE.name: ("bindings", "remote_ip_ranges"), SEND.name: ("address_spaces",)}
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
        if name and name not in (_LATEST, _ORIGINAL) and not snapshot.is_name(name):
            errors.append(
                f"'{name}' is no name of a snapshot. A name is like 20260114T101500.250Z-4f1c2a-apply.json, latest, or original."
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
        if name in (_LATEST, _ORIGINAL):
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
        """What gives back the state before one change, or before the first of all of them."""
        server = reading.state.server.name
        applied: list[tuple[str, snapshot.Snapshot]] = []
        for name, text in reading.snapshots:
            try:
                found = snapshot.parse(text)
                if found.server.casefold() != server.casefold():
                    raise PlanError(f"It is of the server {found.server}.")
            except PlanError as error:
                if name == wanted:
                    raise Failure(f"{name} cannot be given back. {error} Nothing was changed on {server}.") from None
                self.notes.append(f"The snapshot {name} was passed over. {error}")
                continue
            if found.reason == "apply" or name == wanted:
                applied.append((name, found))
        named = [one for one in applied if wanted in (_LATEST, one[0])]
        chosen = applied if wanted == _ORIGINAL else named[:1]
        if not chosen:
            what = (
                f"holds no snapshot named '{wanted}'" if snapshot.is_name(wanted) else "holds no snapshot of a change"
            )
            raise Failure(
                f"The server {server} {what}. Nothing was changed. "
                f"The module exchange_mail_flow_info lists the snapshots that are there."
            )
        if wanted == _ORIGINAL and len(reading.snapshots) >= MOST_SNAPSHOTS:
            raise Failure(
                f"The server {server} holds {MOST_SNAPSHOTS} snapshots or more, so that the first is not known. Nothing was changed. "
                f"Name the one to give back; the oldest that was read is {applied[-1][0]}."
            )
        for _name, found in chosen:
            self.notes.extend(found.lost)
        self.told["restored"] = _ORIGINAL if wanted == _ORIGINAL else chosen[0][0]
        if wanted == _LATEST:
            self.told["further"] = [name for name, _found in applied[1:]]
        # The oldest is folded last, so that what it says of an option counts.
        return self._restorable(fold(*(found.wish for _name, found in chosen)), reading)

    def _restorable(self, wish: Wish, reading: Reading) -> Wish:
        """The wish without connectors that are gone and of which the snapshot holds a part only; those are told."""
        state = reading.state
        lost: list[str] = []
        kept: list[list[t.Mapping[str, t.Any]]] = []
        for resource, entries, existing in ((RECEIVE, wish.receive, state.receive), (SEND, wish.send, state.send)):
            kept.append([])
            for entry in entries:
                whole = all(entry.get(option) for option in _NEEDED[resource.name])
                if entry.get("state") == "absent" or whole or entry["name"].casefold() in existing:
                    kept[-1].append(entry)
                    continue
                options = ", ".join(option for option in entry if option not in ("name", "state"))
                lost.append(
                    f"The {resource.noun} '{entry['name']}' is gone, so that its {options} could not be given back; the rest was."
                )
        self.told["not_restored"] = lost
        self.notes.extend(lost)
        return Wish(*kept)
