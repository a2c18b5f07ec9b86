# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_delivery_proof: wait for the provider's next message, of a server's logs; writes
nothing.
"""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import delivery, recent
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    DELIVERY_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.layer import ExchangeLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mail_logs import Bounds
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError, RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import (
    Agent,
    AgentError,
    AgentNoise,
    AgentTimeout,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_port import (
    AgentPort,
    AgentReading,
    Options,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._mail_flow import ExchangeAction

_MOST_MINUTES = 240
_NO_LOOK = (AgentError, AgentTimeout, AgentNoise, AnsibleConnectionFailure, Failure)
_REQUIRED = "A message was required of it, and no refusal."


class ActionModule(ExchangeAction):
    """The action behind the module of the same name."""

    arguments = DELIVERY_MODULE
    sleep: t.ClassVar[t.Callable[[float], None]] = staticmethod(time.sleep)

    def check(self, params: dict[str, t.Any]) -> list[str]:
        errors = super().check(params)
        if not 1 <= params["minutes"] <= _MOST_MINUTES:
            errors.append(f"minutes must be between 1 and {_MOST_MINUTES}.")
        if not 10 <= params["every"] <= 600:
            errors.append("every must be between 10 and 600 seconds.")
        return errors

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        try:
            provider = _ranges_guards.named(params["provider_ranges"])
        except RangeError as error:
            raise Failure(f"provider_ranges cannot be used as given: {error}") from None
        if not provider:
            raise Failure("provider_ranges names no range, so that nobody could be waited for.")
        minutes = int(params["minutes"])
        reading = self._read(params, agent, provider, "")
        since = reading.server_clock().strftime("%Y-%m-%dT%H:%M:%S.000Z")
        seen = delivery.Seen(unknown=tuple(delivery.blind(reading.state, provider)))
        refused_before, anew, refusals = False, False, 0
        # Each look is a remote call, so that their number is bounded by the time.
        looks = max(1, minutes * 60 // int(params["every"]))
        # What the last of them is the first to see is looked at once more.
        for look in range(looks + 1):
            if look == looks and not anew:
                break
            type(self).sleep(minutes * 60 / looks)
            try:
                reading = self._read(params, agent, provider, since)
            except _NO_LOOK as error:
                # A look that could not be taken is no proof, neither for the change nor against it.
                seen, refused_before = seen.without_a_look(self._scrub(str(error))), False
                anew = False
                continue
            seen = delivery.seen(reading.answers, reading.state, provider)
            refused = seen.verdict in (delivery.Verdict.REFUSED, delivery.Verdict.PARTLY)
            # Each look reads from the same time on: what the look before saw is no other refusal.
            anew = refused and seen.shut_out > refusals
            if seen.verdict is delivery.Verdict.DELIVERED or (anew and refused_before):
                break
            refused_before, refusals = refused, max(refusals, seen.shut_out)
        said = delivery.words(seen, since, minutes)
        result = {
            "changed": False,
            "since": since,
            **delivery.facts(seen),
            "cost": {"powershell_starts": agent.starts, "exchange_shells": agent.shells},
        }
        if seen.verdict is delivery.Verdict.DELIVERED:
            return {**result, "msg": said}
        if seen.verdict is delivery.Verdict.REFUSED:
            raise Failure(said, **result)
        if params["required"]:
            raise Failure(f"{said} {_REQUIRED}", **result)
        return {**result, "warnings": [said], "msg": said}

    def _read(
        self, params: dict[str, t.Any], agent: Agent, provider: RangeSet, since: str
    ) -> AgentReading[State]:
        """One look; without a time the logs are left alone."""
        asked = None
        if since:
            asked = recent.Asked(Bounds(since=since, megabytes=32, seconds=20), refusals=True)
        layer = ExchangeLayer(
            SiteNetworks(provider=provider),
            lambda _state: (),
            domain_controller=params.get("domain_controller"),
            recent_senders=asked,
        )
        limit = float(params.get("time_limit") or 300)
        try:
            return AgentPort(agent, layer, Options(self.shell(params), limit)).read()
        except PlanError as error:
            raise Failure(str(error)) from None
