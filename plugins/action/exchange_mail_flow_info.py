# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_mail_flow_info: read a server and say what senders meet; writes nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    mail_logs,
    recent,
    strangers,
    words,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import INFO_MODULE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.layer import ExchangeLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.lease import finding
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_port import (
    AgentPort,
    Options,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._mail_flow import (
    ExchangeAction,
    shown,
)


class ActionModule(ExchangeAction):
    """The action behind the module of the same name."""

    arguments = INFO_MODULE

    def check(self, params: dict[str, t.Any]) -> list[str]:
        errors = super().check(params)
        try:
            mail_logs.moment(params.get("messages_since") or "2026-01-01T00:00:00Z")
        except ValueError as error:
            errors.append(f"messages_since: {error}")
        return errors

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        networks, since = self.networks(params), params.get("messages_since")
        wanted = None
        if since:
            # As much as a task may wait for beside the connectors.
            bounds = mail_logs.Bounds(since=mail_logs.moment(since), megabytes=64, seconds=20)
            wanted = recent.Asked(bounds, refusals=True)
        layer = ExchangeLayer(
            networks,
            lambda _state: (),
            domain_controller=params.get("domain_controller"),
            recent_senders=wanted,
        )
        limit = float(params.get("time_limit") or 300)
        port = AgentPort(agent, layer, Options(self.shell(params), limit, with_snapshots=True))
        try:
            reading = port.read()
        except PlanError as error:
            raise Failure(str(error)) from None
        state = reading.state
        networks = networks.on(state.server)
        told = strangers.sentences(state.receive.values(), networks)
        leased = finding(
            reading.lease,
            reading.time,
            None,
            undoes=False,
            meanwhile=reading.leased_meanwhile,
            unknown=reading.lease_unknown,
        )
        warnings = [*reading.notes, *([leased.sentence] if leased else [])]
        messages = None
        if wanted:
            came = recent.of(reading.answers, state, networks, wanted)
            warnings += came.unknown
            messages = {
                "since": wanted.bounds.since,
                **{
                    key: value
                    for key, value in recent.shown(came, wanted).items()
                    if key in ("told", "source", "connectors", "blind", "unknown")
                },
            }
        domains = state.accepted_domains
        # Named or not: whoever may send would relay.
        everything = [str(domain) for domain in domains or () if domain.is_everything]
        if domains is None:
            warnings.append("The accepted domains could not be read.")
        if everything:
            warnings.append(
                "Whoever may send may relay to any recipient, because of the accepted domain "
                f"{', '.join(everything)}."
            )
        return {
            **({"warnings": warnings} if warnings else {}),
            **(
                {}
                if domains is None
                else {"accepted_domains": [domain._asdict() for domain in domains]}
            ),
            **({} if told is None else {"strangers": {"before": told, "after": told}}),
            **({} if messages is None else {"messages": messages}),
            "changed": False,
            "lease": reading.lease.told() if reading.lease else None,
            **reading.facts,
            "receive_connectors": [
                shown(RECEIVE, state.receive[key]) for key in sorted(state.receive)
            ],
            "send_connectors": [shown(SEND, state.send[key]) for key in sorted(state.send)],
            "exposure": {
                "listeners": words.listeners(state),
                "words": words.exposure_words(state, state, networks),
            },
            "snapshots": [held.name for held in reading.snapshots],
            "cost": port.cost(),
        }
