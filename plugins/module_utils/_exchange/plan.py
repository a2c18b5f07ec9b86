# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is and what is wished to the list of changes. The diff, check mode, apply and rollback all come from that list."""

from __future__ import annotations

import dataclasses
import types
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.rules import check_connector, check_supported
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.values import Login
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import EVERYTHING_V4, RangeSet, parse_endpoint
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import OptionError, Resource
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import change as transaction
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

Options = t.Mapping[str, t.Any]
Connector = t.Mapping[str, t.Any]

CREDENTIAL = "authentication_credential"
# Options of a wish that say something about the wish itself, or can be nothing else than they are.
_ABOUT = frozenset({"name", "state", "update_credential", "server"})


@dataclass(frozen=True)
class Wish:
    """Described connectors in the modules' input form. An option that is None or missing is not wished."""

    receive: t.Sequence[Options] = ()
    send: t.Sequence[Options] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "receive", tuple(self.receive))
        object.__setattr__(self, "send", tuple(self.send))

    def __bool__(self) -> bool:
        return bool(self.receive or self.send)


@dataclass(frozen=True)
class Promises:
    """Whom the site's description names. `inbound_lock`: the run claims to shut the internet out on port 25."""

    provider: RangeSet = field(default_factory=lambda: RangeSet(()))
    own_networks: RangeSet = field(default_factory=lambda: RangeSet(()))
    exchange_servers: RangeSet = field(default_factory=lambda: RangeSet(()))
    hybrid: RangeSet = field(default_factory=lambda: RangeSet(()))
    inbound_lock: bool = False


Change = transaction.Change[str]
"""A change of a connector: the table is the name of its resource, the key its name.

A connector that is created is enabled unless it says otherwise. One whose wish names `enabled` says so, and may be created disabled
and enabled in a step of its own, because the next run then finishes a run that was cut in between.
"""


def apply(change: Change, state: State) -> State:
    """The state after a change, as it would be read back."""
    connectors = dict(state.receive if change.table == RECEIVE.name else state.send)
    key = change.key.casefold()
    if change.action == Action.REMOVE:
        connectors.pop(key, None)
    else:
        base = connectors[key] if change.action == Action.MODIFY else {"enabled": True}
        connectors[key] = {**base, **as_read(change.after)}
    if change.table == RECEIVE.name:
        return dataclasses.replace(state, receive=connectors)
    return dataclasses.replace(state, send=connectors)


def apply_all(changes: t.Iterable[Change], state: State) -> State:
    """The state after all the changes."""
    for change in changes:
        state = apply(change, state)
    return state


def table(resource: str) -> Resource:
    """The table behind the name of a resource."""
    return RECEIVE if resource == RECEIVE.name else SEND


def as_read(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Options as a read would give them back: without what only a creation takes, and a login without its password."""
    return {
        option: Login(value.username) if isinstance(value, Login) else value
        for option, value in options.items()
        if option not in _ONLY_AT_CREATION
    }


_ONLY_AT_CREATION = frozenset(
    prop.option for one in (RECEIVE, SEND) for prop in one.properties.values() if prop.create_only and not prop.readable
)


def fold(*wishes: Wish) -> Wish:
    """One wish of several: per connector the options of all, the later wish winning where two name the same option."""
    return Wish(_folded(one.receive for one in wishes), _folded(one.send for one in wishes))


def _folded(groups: t.Iterable[t.Sequence[Options]]) -> tuple[Options, ...]:
    merged: dict[str, dict[str, t.Any]] = {}
    for group in groups:
        for entry in _single(group):
            key = entry["name"].casefold()
            named = {option: value for option, value in entry.items() if value is not None}
            if "absent" in (entry.get("state"), merged.get(key, {}).get("state")):
                merged[key] = named
            else:
                merged[key] = {**merged.get(key, {}), **named}
    return tuple(merged.values())


def _single(entries: t.Sequence[Options]) -> t.Sequence[Options]:
    """The entries, each with a usable name and no name twice."""
    seen: set[str] = set()
    for entry in entries:
        name = entry.get("name")
        if not isinstance(name, str) or not name.strip():
            raise PlanError("A connector is described without a name. Nothing was changed. Give it one.")
        if name.casefold() in seen:
            raise PlanError(f"The connector '{name}' is described twice. Nothing was changed. Describe it once.")
        seen.add(name.casefold())
    return entries


def plan(state: State, wish: Wish) -> tuple[Change, ...]:
    """The changes that make `state` what is wished, in the order of the wish. Raises PlanError with every reason at once.

    Only the options that are named are compared, by what they mean. See order.order() for a safe order.
    """
    changes: list[Change] = []
    problems: list[str] = []
    for resource, existing, entries in ((RECEIVE, state.receive, wish.receive), (SEND, state.send, wish.send)):
        for entry in _single(entries):
            try:
                change = _change(resource, state, existing.get(entry["name"].casefold()), entry)
            except (OptionError, PlanError) as error:
                problems.append(str(error))
                continue
            if change is not None:
                problems.extend(_complaints(resource, state, change))
                changes.append(change)
    if problems:
        raise PlanError(" ".join(dict.fromkeys(problems)))
    return tuple(changes)


def _change(resource: Resource, state: State, current: Connector | None, entry: Options) -> Change | None:
    named = {option: value for option, value in entry.items() if value is not None and option not in _ABOUT}
    if isinstance(named.get(CREDENTIAL), t.Mapping) and named[CREDENTIAL]:
        named[CREDENTIAL] = {**named[CREDENTIAL], "update": entry.get("update_credential") or "on_create"}
    unknown = sorted(set(named) - set(resource.properties))
    if unknown:
        raise PlanError(
            f"The {resource.noun} '{entry['name']}' is described with {_and(unknown)}, which no {resource.noun} has. Nothing was changed."
        )
    wanted = entry.get("state") or "present"
    if wanted not in ("present", "absent"):
        raise PlanError(
            f"The {resource.noun} '{entry['name']}' is described with the state '{wanted}'. Nothing was changed. It can be present or absent."
        )
    if wanted == "absent":
        return None if current is None else Change(resource.name, Action.REMOVE, current["name"], dict(current), {})
    if current is None:
        return _creation(resource, state, entry, named)
    return _modification(resource, current, named)


def _modification(resource: Resource, current: Connector, named: Options) -> Change | None:
    wished = {
        option: resource.properties[option].resolve(held(resource, current, option), value)
        for option, value in named.items()
        if not resource.properties[option].create_only
    }
    _match_dns_routing(wished)
    after = {option: value for option, value in wished.items() if held(resource, current, option) != value}
    before = {option: held(resource, current, option) for option in after}
    return Change(resource.name, Action.MODIFY, current["name"], before, after) if after else None


def held(resource: Resource, connector: Connector, option: str) -> t.Any:
    """The canonical value of an option; of one that was not read, the value that means unset."""
    return connector[option] if option in connector else resource.properties[option].parse("")


def _match_dns_routing(wished: dict[str, t.Any]) -> None:
    """Smart hosts and DNS routing exclude each other and change on one command line (learn.microsoft.com, Set-SendConnector)."""
    if "smart_hosts" in wished:
        wished.setdefault("dns_routing_enabled", not wished["smart_hosts"])


# Usage → permission groups, authentication, and the binding where it may be left out (receive-connectors.md, "usage types").
_PRESETS: t.Mapping[str, tuple[frozenset[str], frozenset[str], str | None]] = types.MappingProxyType(
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


def _creation(resource: Resource, state: State, entry: Options, named: Options) -> Change:
    """A new connector, with all that decides who meets it said outright, so that the plan does not hang on defaults of Exchange."""
    after: dict[str, t.Any] = {"name": entry["name"]}
    for option, value in named.items():
        prop = resource.properties[option]
        after[option] = prop.resolve(prop.parse(""), value)
    needed = _complete_receive(state, after) if resource is RECEIVE else _complete_send(state, after)
    if needed:
        raise PlanError(
            f"There is no {resource.noun} '{entry['name']}' yet, and a new one needs {_and(needed)}. Nothing was changed. "
            f"Describe it with {'them' if len(needed) > 1 else 'it'}, or correct the name."
        )
    return Change(resource.name, Action.CREATE, entry["name"], {}, after)


def _complete_receive(state: State, after: dict[str, t.Any]) -> list[str]:
    """Put in what Exchange would give a new receive connector; name what it cannot do without."""
    server = state.server
    groups, mechanisms, binding = _PRESETS[after.get("usage") or "Custom"]
    after["server"] = server.name
    after.setdefault("anonymous_relay", False)
    # There are no legacy servers in an Edge server's directory (receive-connectors.md).
    after.setdefault("permission_groups", groups - {"ExchangeLegacyServers"} if server.edge else groups)
    after.setdefault("auth_mechanism", mechanisms)
    if binding:
        after.setdefault("bindings", frozenset({parse_endpoint(binding)}))
    if after.get("usage") == "Internet":
        after.setdefault("remote_ip_ranges", EVERYTHING_V4)
    if RECEIVE.properties["transport_role"].exists(server.version, server.edge):
        # Left to Exchange, it may become the transport service, which then takes port 25 from the front end (unverified).
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
            "source_transport_servers", SEND.properties["source_transport_servers"].parse([state.server.name])
        )
    return [] if after.get("address_spaces") else ["address_spaces"]


def _complaints(resource: Resource, state: State, change: Change) -> list[str]:
    """What Exchange would refuse about the change. What was wrong before the change is not held against it."""
    if change.action == Action.REMOVE:
        return []
    server = state.server
    existing = state.receive if resource is RECEIVE else state.send
    current = existing.get(change.key.casefold(), {})
    old = set(check_connector(resource, current, server.version, server.edge)) if current else set()
    new = check_connector(resource, {**current, **change.after}, server.version, server.edge)
    return [*check_supported(resource, change, state), *(sentence for sentence in new if sentence not in old)]


def _and(names: t.Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
