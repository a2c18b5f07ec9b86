# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is and what is wished to the list of changes. The diff, check mode, apply and rollback
all come from that list.
"""

from __future__ import annotations

import dataclasses
import types
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import server_rules
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import (
    new_connector as new_receive,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.routing import Claim
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.rules import (
    check_connector,
    check_supported,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import (
    new_connector as new_send,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import Server, State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.values import Login
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING_V4,
    LOOPBACK,
    PRIVATE,
    RangeSet,
    parse_endpoint,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import Resource
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    change as transaction,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Desired,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.tables import (
    Table,
    Tables,
)

Options = t.Mapping[str, t.Any]
Connector = t.Mapping[str, t.Any]

CREDENTIAL = "authentication_credential"
# Options of a description that say something about itself, or can be nothing else than they are.
_ABOUT = frozenset({"name", "state", "update_credential", "server"})


@dataclass(frozen=True)
class SiteNetworks:
    """Whom the site's description names. `inbound_lock`: the run claims to shut the internet out on
    port 25. `outbound_lock`: which outgoing mail it claims to send through one connector.
    `itself`: the server's own addresses, without its loopback ones; see on().
    `unnamed_until`: the day until which what is not named any more is kept; empty where it is not.
    `keepers`: names that a connector has from a lock only, whatever its comment says.
    """

    provider: RangeSet = field(default_factory=lambda: RangeSet(()))
    own_networks: RangeSet = field(default_factory=lambda: RangeSet(()))
    exchange_servers: RangeSet = field(default_factory=lambda: RangeSet(()))
    hybrid: RangeSet = field(default_factory=lambda: RangeSet(()))
    inbound_lock: bool = False
    outbound_lock: Claim | None = None
    itself: RangeSet = field(default_factory=lambda: RangeSet(()))
    unnamed_until: str = ""
    keepers: tuple[str, ...] = ()

    def on(self, server: Server) -> SiteNetworks:
        """The same on a server: itself it is no stranger to."""
        return dataclasses.replace(self, itself=server.itself)

    @property
    def named(self) -> RangeSet:
        """All of them together."""
        return self.provider | self.own_networks | self.exchange_servers | self.hybrid

    @property
    def unnamed(self) -> RangeSet:
        """Private addresses that nobody has named and that are not the server's own."""
        return PRIVATE - LOOPBACK - self.named - self.itself


Change = transaction.Change[str]
"""A change of a connector: the table is the name of its resource, the key its name.

A connector that is created is enabled unless it says otherwise. One whose wish names `enabled`
says so, and may be created disabled and enabled in a step of its own, because the next run then
finishes a run that was cut in between.
"""


def table(resource: str) -> Resource:
    """The table behind the name of a resource."""
    return RECEIVE if resource == RECEIVE.name else SEND


def as_read(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Options as a read would give them back: without what only a creation takes, and a login
    without its password.
    """
    return {
        option: Login(value.username) if isinstance(value, Login) else value
        for option, value in options.items()
        if option not in _ONLY_AT_CREATION
    }


_ONLY_AT_CREATION = frozenset(
    prop.option
    for resource in (RECEIVE, SEND)
    for prop in resource.properties.values()
    if prop.create_only and not prop.readable
)


def desired(
    receive: t.Iterable[Options] = (), send: t.Iterable[Options] = ()
) -> tuple[Desired[str], ...]:
    """What described connectors, in the modules' input form, ask for. An option that is None or
    missing is not asked for.

    Raises PlanError with every reason at once.
    """
    rows: list[Desired[str]] = []
    problems: list[str] = []
    for resource, entries in ((RECEIVE, receive), (SEND, send)):
        described: set[str] = set()
        for entry in entries:
            try:
                row = _described(resource, entry)
                if row.key.casefold() in described:
                    raise PlanError(
                        f"The connector '{row.key}' is described twice. Nothing was changed. "
                        "Describe it once."
                    )
            except PlanError as error:
                problems.append(str(error))
                continue
            described.add(row.key.casefold())
            rows.append(row)
    if problems:
        raise PlanError(" ".join(dict.fromkeys(problems)))
    return tuple(rows)


def _described(resource: Resource, entry: Options) -> Desired[str]:
    name, state = entry.get("name"), entry.get("state") or "present"
    if not isinstance(name, str) or not name.strip():
        raise PlanError(
            "A connector is described without a name. Nothing was changed. Give it one."
        )
    if state not in ("present", "absent"):
        raise PlanError(
            f"The {resource.noun} '{name}' is described with the state '{state}'. "
            "Nothing was changed. It can be present or absent."
        )
    if state == "absent":
        return Desired(resource.name, name, None)
    named = {
        option: value
        for option, value in entry.items()
        if value is not None and option not in _ABOUT
    }
    if isinstance(named.get(CREDENTIAL), t.Mapping) and named[CREDENTIAL]:
        named[CREDENTIAL] = {
            **named[CREDENTIAL],
            "update": entry.get("update_credential") or "on_create",
        }
    return Desired(resource.name, name, named)


class Connectors(Table[State, str]):
    """The receive or the send connectors of a server."""

    def __init__(self, resource: Resource) -> None:
        self.noun = resource.noun
        self._resource = resource

    def identity(self, key: str) -> str:
        return key.casefold()

    def find(self, state: State, key: str) -> tuple[str, Connector] | None:
        connector = state.connectors(self._resource.name).get(key.casefold())
        return None if connector is None else (connector["name"], connector)

    def created(self, state: State, desired: Desired[str]) -> Connector:
        return _creation(
            self._resource, state, desired.key, self._known(desired.key, desired.options or {})
        )

    def differing(self, row: Connector, options: Options) -> tuple[Options, Options]:
        return _modification(self._resource, row, self._known(row["name"], options))

    def _known(self, name: str, options: Options) -> Options:
        unknown = sorted(set(options) - set(self._resource.properties))
        if unknown:
            raise PlanError(
                f"The {self.noun} '{name}' is described with {_and(unknown)}, "
                f"which no {self.noun} has. Nothing was changed."
            )
        return options

    def apply(self, change: Change, state: State) -> State:
        connectors = dict(state.connectors(self._resource.name))
        key = change.key.casefold()
        if change.action == Action.REMOVE:
            connectors.pop(key, None)
        else:
            base = connectors[key] if change.action == Action.MODIFY else {"enabled": True}
            connectors[key] = {**base, **as_read(change.after)}
        return state.with_connectors(self._resource.name, connectors)

    def plain(self, row: Options) -> dict[str, t.Any]:
        properties = self._resource.properties
        readable = {
            option: properties[option].kind.show(value)
            for option, value in sorted(row.items())
            if option in properties
            and option != CREDENTIAL
            and (properties[option].readable or not properties[option].create_only)
        }
        return {option: value for option, value in readable.items() if value is not None}

    def undone(self, change: Change) -> tuple[Desired[str], t.Sequence[str]]:
        if change.action == Action.CREATE:
            return Desired(change.table, change.key, None), ()
        options = self.plain(change.before)
        not_restorable = _undone_login(change, options) if CREDENTIAL in change.before else []
        return Desired(change.table, change.key, options), not_restorable

    def complaints(self, state: State, change: Change) -> list[str]:
        return _complaints(self._resource, state, change)


def _undone_login(change: Change, options: dict[str, t.Any]) -> list[str]:
    """What becomes of the login, whose password is known to nobody any more."""
    removed, held = change.action == Action.REMOVE, change.before[CREDENTIAL]
    if held is None:
        if not removed:
            options[CREDENTIAL] = ""
        return []
    if removed:
        # Without a login Exchange would refuse the connector as it was; in service it would only
        # collect mail.
        options["smart_host_auth_mechanism"] = "None"
        options["enabled"] = False
    return [
        (
            f"The login of the send connector '{change.key}' as '{held.username}' is not in this "
            "snapshot, because Exchange gives no password back. Set it again after a rollback."
        )
    ]


def _modification(
    resource: Resource, current: Connector, named: Options
) -> tuple[Options, Options]:
    wished = {
        option: resource.properties[option].resolve(held(resource, current, option), value)
        for option, value in named.items()
        if not resource.properties[option].create_only
    }
    _match_dns_routing(wished)
    after = {
        option: value
        for option, value in wished.items()
        if held(resource, current, option) != value
    }
    return {option: held(resource, current, option) for option in after}, after


def held(resource: Resource, connector: Connector, option: str) -> t.Any:
    """The canonical value of an option; of one that was not read, the value that means unset."""
    return connector[option] if option in connector else resource.properties[option].parse("")


def _match_dns_routing(wished: dict[str, t.Any]) -> None:
    """Smart hosts and DNS routing exclude each other and change on one command line
    (learn.microsoft.com, Set-SendConnector).
    """
    if "smart_hosts" in wished:
        wished.setdefault("dns_routing_enabled", not wished["smart_hosts"])


# Usage → permission groups, authentication, and the binding where it may be left out
# (receive-connectors.md, "usage types").
_PRESETS: t.Mapping[str, tuple[frozenset[str], frozenset[str], str | None]] = (
    types.MappingProxyType(
        {
            "Client": (
                frozenset({"ExchangeUsers"}),
                frozenset({"Tls", "BasicAuth", "BasicAuthRequireTLS", "Integrated"}),
                "0.0.0.0:587",
            ),
            "Internal": (
                frozenset({"ExchangeServers", "ExchangeLegacyServers"}),
                frozenset({"Tls", "ExchangeServer"}),
                "0.0.0.0:25",
            ),
            "Internet": (frozenset({"AnonymousUsers"}), frozenset({"Tls"}), None),
            "Partner": (frozenset({"Partners"}), frozenset({"Tls"}), None),
            "Custom": (frozenset(), frozenset({"Tls"}), None),
        }
    )
)


def _creation(resource: Resource, state: State, name: str, named: Options) -> Connector:
    """A new connector, with all that decides who meets it said outright, so that the plan does not
    hang on defaults of Exchange.
    """
    after: dict[str, t.Any] = {"name": name}
    for option, value in named.items():
        prop = resource.properties[option]
        after[option] = prop.resolve(prop.parse(""), value)
    needed = (
        _complete_receive(state, after) if resource is RECEIVE else _complete_send(state, after)
    )
    if needed:
        raise PlanError(
            f"There is no {resource.noun} '{name}' yet, and a new one needs {_and(needed)}. "
            f"Nothing was changed. Describe it with {'them' if len(needed) > 1 else 'it'}, or "
            "correct the name."
        )
    return after


def _complete_receive(state: State, after: dict[str, t.Any]) -> list[str]:
    """Put in what Exchange would give a new receive connector; name what it cannot do without."""
    server = state.server
    groups, mechanisms, binding = _PRESETS[after.get("usage") or "Custom"]
    after["server"] = server.name
    after.setdefault("anonymous_relay", False)
    # There are no legacy servers in an Edge server's directory (receive-connectors.md).
    after.setdefault(
        "permission_groups", groups - {"ExchangeLegacyServers"} if server.edge else groups
    )
    after.setdefault("auth_mechanism", mechanisms)
    if binding:
        after.setdefault("bindings", frozenset({parse_endpoint(binding)}))
    if after.get("usage") == "Internet":
        after.setdefault("remote_ip_ranges", EVERYTHING_V4)
    if RECEIVE.properties["transport_role"].exists(server.version, server.edge):
        # Left to Exchange, it may become the transport service, which then takes port 25 from the
        # front end (unverified).
        after.setdefault("transport_role", "FrontendTransport")
    return [option for option in ("bindings", "remote_ip_ranges") if not after.get(option)]


def _complete_send(state: State, after: dict[str, t.Any]) -> list[str]:
    """The same for a send connector."""
    _match_dns_routing(after)
    after.setdefault("smart_hosts", frozenset())
    after.setdefault("dns_routing_enabled", True)
    if after.get("smart_host_auth_mechanism"):
        after.setdefault(CREDENTIAL, None)
    if SEND.properties["source_transport_servers"].exists(state.server.version, state.server.edge):
        after.setdefault(
            "source_transport_servers",
            SEND.properties["source_transport_servers"].parse([state.server.name]),
        )
    return [] if after.get("address_spaces") else ["address_spaces"]


def _complaints(resource: Resource, state: State, change: Change) -> list[str]:
    """What Exchange would refuse about the change. What was wrong before the change is not held
    against it.
    """
    if change.action == Action.REMOVE:
        return []
    current = state.connectors(resource.name).get(change.key.casefold(), {})
    old = set(_broken(resource, current, state)) if current else set()
    base = _untold(resource, state, change.after) if change.action == Action.CREATE else current
    new = _broken(resource, {**base, **change.after}, state)
    return [
        *check_supported(resource, change, state),
        *(sentence for sentence in new if sentence not in old),
    ]


def _broken(resource: Resource, connector: Connector, state: State) -> list[str]:
    """The rules that a whole connector breaks."""
    server = state.server
    problems = check_connector(resource, connector, server.version, server.edge)
    return [*problems, *(server_rules.check(connector, state) if resource is RECEIVE else ())]


def _untold(resource: Resource, state: State, after: Connector) -> Connector:
    """What a new connector has where nothing is said: rules hold for that as well."""
    server = state.server
    if resource is RECEIVE:
        return new_receive(after.get("usage"), server.version, server.edge)
    return new_send(server.version, server.edge, server.name)


def _and(names: t.Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


TABLES: Tables[State, str] = Tables(
    {RECEIVE.name: Connectors(RECEIVE), SEND.name: Connectors(SEND)}
)
plan, apply, apply_all, fold = TABLES.plan, TABLES.apply, TABLES.apply_all, TABLES.fold
