# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site and a server that do not exist, described and planned before workers are forked.

Python adapts its bytecode to what it is used for, and remembers which classes are mappings, only
after some rounds (docs.python.org, What's New in Python 3.11, "PEP 659"). A worker does one round
and ends. What its parent has practised it finds done: a tenth of an action's time, measured on
ansible-core 2.19.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    accepted,
    recipes,
    rights,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.layer import ExchangeLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.remember import forget
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Change
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import (
    Kept,
    Port,
    Reading,
    Written,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.run import (
    Task,
    execute,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.snapshot import (
    Snapshot,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import (
    PROTOCOL,
    HostFact,
    decode_answer,
    encode_answer,
    encode_request,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.describe import describe
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.parts import Surroundings

_ROUNDS = 3
_WHEN = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)
_NETWORKS = {"provider_ranges": ["192.0.2.0/24"], "own_networks": ["10.0.0.0/8"]}
_VARIABLES = {
    "mailedge_site": "practice",
    **{f"mailedge_{name}": ranges for name, ranges in _NETWORKS.items()},
}
_SERVER = {
    "name": "PRACTICE",
    "exchange": {"major": 15, "minor": 2, "build": 1544, "revision": 4},
    "addresses": ["10.0.0.1"],
}
_EVERYBODY = ["0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]


def _connector(name: str, port: int, ranges: t.Sequence[str], groups: str) -> dict[str, t.Any]:
    return {
        "Name": name,
        "DistinguishedName": f"CN={name}",
        "Bindings": [f"0.0.0.0:{port}", f"[::]:{port}"],
        "RemoteIPRanges": list(ranges),
        "PermissionGroups": groups,
        "AuthMechanism": "Tls, Integrated",
        "MaxMessageSize": "36 MB (37,748,736 bytes)",
        "ConnectionTimeout": "00:10:00",
        "Enabled": True,
    }


def _right(connector: str, right: str) -> dict[str, t.Any]:
    return {
        "User": rights.DEFAULT_NAMES[rights.ANONYMOUS],
        "ExtendedRights": [right],
        "AccessRights": ["ExtendedRight"],
        "Deny": "False",
        "IsInherited": "False",
        "_each": f"CN={connector}",
    }


_ROWS = {
    "receive": [
        _connector("Default", 25, _EVERYBODY, "ExchangeServers"),
        _connector("Client", 587, _EVERYBODY, "ExchangeUsers"),
        _connector("Own", 25, _NETWORKS["own_networks"], "AnonymousUsers"),
        _connector("Mail from filter", 25, _NETWORKS["provider_ranges"], "AnonymousUsers"),
    ],
    "rights": [
        _right(name, right)
        for name in ("Own", "Mail from filter")
        for right in sorted(rights.PRESET)
    ],
    "send": [],
    accepted.STEP: [{"Name": "a", "DomainName": "site.example", "DomainType": "Authoritative"}],
}


class _NoServer(Port[State, str, Reading[State]]):
    """A server of which there are only the rows above."""

    def __init__(self, layer: ExchangeLayer) -> None:
        self._layer = layer

    def read(self) -> Reading[State]:
        encode_request({"steps": self._layer.read_steps(HostFact("name"))})
        steps = {step: {"ok": True, "objects": rows} for step, rows in _ROWS.items()}
        answer = {"protocol": PROTOCOL, "host": _SERVER, "steps": steps}
        state = self._layer.parse(decode_answer(encode_answer(answer)), "")
        origin = self._layer.origin(state)
        facts = self._layer.facts(state, "none")
        return Reading(state, _WHEN, origin, "nowhere", "nowhere", facts=facts)

    def cost(self) -> dict[str, int]:
        return {}

    def keep(self, snapshot: Snapshot[str], reading: Reading[State]) -> Kept:
        raise AssertionError("Nothing is changed for practice.")

    def write(
        self, steps: t.Sequence[Change[str]], reading: Reading[State], kept: Kept
    ) -> Written[State, str]:
        raise AssertionError("Nothing is changed for practice.")


def practise() -> dict[str, t.Any]:
    """Describe the site and plan its lock, and forget both; gives the plan, for a test."""
    result: dict[str, t.Any] = {}
    around = Surroundings(
        host="practice", playbook="drift", site_hosts=("practice",), selected=("practice",)
    )
    networks = SiteNetworks(
        provider=RangeSet.parse(_NETWORKS["provider_ranges"]),
        own_networks=RangeSet.parse(_NETWORKS["own_networks"]),
        inbound_lock=True,
    )
    for _round in range(_ROUNDS):
        describe(dict(_VARIABLES), around, _WHEN.date())
        layer = ExchangeLayer(networks, lambda state: recipes.inbound_lock(state, _NETWORKS))
        result = execute(layer, _NoServer(layer), Task(check_mode=True))
        forget()
    return result
