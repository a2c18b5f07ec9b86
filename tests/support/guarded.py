# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guards of the Exchange layer say of changes, for tests."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    SiteNetworks,
    apply_all,
    desired,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Finding
from ansible_collections.mailedge.lockdown.tests.support import connectors

DEFAULT = f"Default Frontend {connectors.NAME}"
HUB = f"Default {connectors.NAME}"
# What a lock does: the connector for everybody hears no strangers, and the provider has its own.
STRIP = {"name": DEFAULT, "permission_groups": {"remove": ["AnonymousUsers"]}}
FILTER: dict[str, t.Any] = {
    "name": "Mail from filter",
    "bindings": ["0.0.0.0:25", "[::]:25"],
    "remote_ip_ranges": [connectors.PROVIDER],
    "permission_groups": ["AnonymousUsers"],
}
NAMED = {
    "provider": [connectors.PROVIDER],
    "own_networks": [connectors.LAN],
    "exchange_servers": ["10.20.1.12"],
}


def networks_of(**named: t.Any) -> SiteNetworks:
    lock = named.pop("inbound_lock", False)
    sets: dict[str, t.Any] = {name: RangeSet.parse(texts) for name, texts in named.items()}
    return SiteNetworks(inbound_lock=lock, **sets)


def findings_of(
    state: State,
    networks: SiteNetworks,
    changes: t.Sequence[t.Any],
    accept_risks: t.Sequence[str] = (),
    *,
    restoring: bool = False,
    **options: t.Any,
) -> tuple[Finding, ...]:
    """What a run would say of the changes, those that stop first."""
    findings = guards.findings(state, apply_all(changes, state), networks, changes, **options)
    return guards.GUARDS.settle(findings, accept_risks, guards.ABOUT_STATE if restoring else ())


def severities_of(
    state: State,
    networks: SiteNetworks,
    *receive: t.Mapping[str, t.Any],
    send: t.Sequence[t.Any] = (),
    **options: t.Any,
) -> dict[str, str]:
    """Id → severity; the sentences of one id are looked at where a test says so."""
    return severities(state, networks, desired(receive=receive, send=send), **options)


def severities(
    state: State, networks: SiteNetworks, rows: t.Sequence[Desired[str]], **options: t.Any
) -> dict[str, str]:
    return {
        finding.id: finding.severity
        for finding in reversed(findings_of(state, networks, plan(state, rows), **options))
    }


def sentences_of(
    state: State,
    networks: SiteNetworks,
    *receive: t.Mapping[str, t.Any],
    send: t.Sequence[t.Any] = (),
) -> str:
    changes = plan(state, desired(receive=receive, send=send))
    return " ".join(finding.sentence for finding in findings_of(state, networks, changes))
