# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every Exchange action does: its options become a layer and a port, which the transaction
runs.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import recent, recipes
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.guards import GUARDS
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.layer import ExchangeLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mail_logs import Bounds
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.routing import Claim
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError, RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import (
    OptionError,
    Resource,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._day import day
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._layer_action import LayerAction
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers import catalogue

_SETS = ("provider_ranges", "own_networks", "exchange_servers", "hybrid_ranges")


def grace(lock: t.Mapping[str, t.Any]) -> str:
    """The day until which a lock keeps what is not named any more; empty where it is over, by the
    controller's clock, or none is given. Raises Failure for what is no day.
    """
    until = lock.get("keep_unnamed_until") or ""
    try:
        over = not until or day(until) < datetime.date.today()
    except ValueError:
        raise Failure(
            f"The option keep_unnamed_until of inbound_lock is '{until}', "
            "which is not a day such as 2027-01-31. Nothing was sent to the server."
        ) from None
    return "" if over else until


class ExchangeAction(LayerAction):
    """Reads an Exchange server over the host's connection."""

    guards = GUARDS

    def networks(self, params: t.Mapping[str, t.Any]) -> SiteNetworks:
        """Whom the task's options name. Raises Failure for a range that cannot be understood."""
        sets: dict[str, RangeSet] = {}
        problems: list[str] = []
        for option in _SETS:
            try:
                understand = (
                    _ranges_guards.named if option == "provider_ranges" else _ranges_guards.friends
                )
                sets[option] = understand(params.get(option) or [])
            except RangeError as error:
                problems.append(f"The option {option} cannot be used as given: {error}")
        if problems:
            raise Failure(" ".join([*problems, "Nothing was sent to the server."]))
        lock = params.get("inbound_lock")
        return SiteNetworks(
            provider=sets["provider_ranges"],
            own_networks=sets["own_networks"],
            exchange_servers=sets["exchange_servers"],
            hybrid=sets["hybrid_ranges"],
            inbound_lock=lock is not None,
            outbound_lock=self._claim(params.get("outbound_lock")),
            unnamed_until=grace(lock or {}),
            keepers=() if lock is None else recipes.own_keepers(lock.get("name")),
        )

    @staticmethod
    def _claim(outbound_lock: t.Mapping[str, t.Any] | None) -> Claim | None:
        """Which mail the task locks; None where it locks none. Raises Failure."""
        if outbound_lock is None:
            return None
        try:
            spaces = SEND.properties["address_spaces"].parse(outbound_lock["address_spaces"])
        except OptionError as error:
            raise Failure(f"{error} Nothing was sent to the server.") from None
        return Claim(outbound_lock["name"], spaces)

    def shell(self, params: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
        return {
            "way": params.get("exchange_shell") or "auto",
            "fqdn": params.get("exchange_fqdn"),
            "credential": self.credential(
                params.get("exchange_username"), params.get("exchange_password")
            ),
            "authentication": "Kerberos",
            "seconds": min(120, int(params.get("time_limit") or 300)),
        }


class MailFlowAction(ExchangeAction):
    """Brings an Exchange server into a described state. A subclass says what the task's options
    describe.
    """

    def described(self, params: dict[str, t.Any], state: State) -> t.Sequence[Desired[str]]:
        """What the task's options ask for, on a state. Raises PlanError."""
        raise Failure(f"{type(self).__name__} does not say what it describes. Nothing was changed.")

    def smart_hosts(self, params: t.Mapping[str, t.Any]) -> list[tuple[str, int]]:
        """Smart hosts that the description would use, to be tried from the server in the same call
        as the read.
        """
        return []

    def layer(self, params: dict[str, t.Any]) -> ExchangeLayer:
        return ExchangeLayer(
            self.networks(params),
            lambda state: self.described(params, state),
            smart_hosts=self.smart_hosts(params),
            domain_controller=params.get("domain_controller"),
            in_clear=self.in_clear("authentication_credential"),
            recent_senders=asked(params.get("recent_senders")),
        )


def asked(options: t.Mapping[str, t.Any] | None) -> recent.Asked | None:
    """What the options of a task ask about recent senders; None where it asks nothing."""
    if options is None:
        return None
    known: dict[str, RangeSet] = {}
    for entry in catalogue.load():
        known[entry.product] = known.get(entry.product, RangeSet()) | entry.ranges
    bounds = Bounds(
        days=int(options["days"]),
        since=str(options.get("since") or ""),
        megabytes=int(options["megabytes"]),
        seconds=int(options["seconds"]),
    )
    return recent.Asked(
        bounds, int(options.get("messages") or 1), bool(options.get("addresses")), known
    )


def shown(resource: Resource, connector: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A connector as the modules take it. What is unset is left out: not every option has a word
    for that.
    """
    return {option: value for option, value in resource.show(connector).items() if value != ""}
