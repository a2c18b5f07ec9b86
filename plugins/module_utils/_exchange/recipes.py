# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe of the lock on the way in: from what a site wants to the connectors that make it so,
on what is there.

A connector of its own hears the provider, and every connector through which the internet at large
may send anonymously is closed to it. Adding the narrow connector alone would lock nothing, because
everybody else still meets the wide one. outbound.py has the way out.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    _recipe_adopt,
    _recipe_keep,
    builtin_connectors,
    doors,
    limits,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.conflicts import between
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    ANONYMOUS,
    Answer,
    answer_of,
    is_loopback,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING_V4,
    EVERYTHING_V6,
    LOOPBACK,
    Address,
    Endpoint,
    RangeError,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

Options = t.Mapping[str, t.Any]
Connector = t.Mapping[str, t.Any]
Entry = dict[str, t.Any]

INBOUND_NAME = "Mail from filter"
METHODS = ("auto", "strip_anonymous", "narrow", "disable")
_NAME_LIMIT = 64
_OWN, _HYBRID = "own networks", "hybrid"
# Narrow connectors of one kind: one, or one for each set of local addresses that differ.
_MOST_KEEPERS = 20
_PORT = 25
# Options of inbound_lock that are handed to the provider's connector as they are.
_PASSED = ("fqdn", "banner", "require_tls", "tls_certificate_name", *limits.OVERRIDABLE)
# What a site may say of the provider's connector. One that differs in any of them is not adopted.
_DESCRIBED = (
    *_PASSED,
    "auth_mechanism",
    "max_inbound_connection_per_source",
    "max_inbound_connection_percentage_per_source",
    "protocol_logging_level",
)


def keeper_names(lock: str, kind: str) -> list[str]:
    """What the narrow connectors of a lock's connector `lock` may be called, in this order."""
    endings = [f" ({kind})", *(f" ({kind} {number})" for number in range(2, _MOST_KEEPERS + 1))]
    return [lock[: _NAME_LIMIT - len(ending)] + ending for ending in endings]


def own_keepers(lock: str | None) -> tuple[str, ...]:
    """The names that nobody but a lock gives to a connector, whatever its comment says."""
    return tuple(keeper_names(lock or INBOUND_NAME, kind)[0] for kind in (_OWN, _HYBRID))


def inbound_lock(state: State, options: Options) -> tuple[Desired[str], ...]:
    """The wish of the lock on the way in.

    `options` are those of the module's inbound_lock with provider_ranges (required), own_networks,
    exchange_servers and hybrid_ranges beside them, as texts, and keep_unnamed: whether what was
    named for an earlier lock and is not any more is kept. Raises PlanError where they cannot be
    used.
    """
    return _Inbound(state, options).wish()


class _Inbound:
    """One reading of the options against one state."""

    def __init__(self, state: State, options: Options) -> None:
        self.state, self.options = state, options
        self.name = options.get("name") or INBOUND_NAME
        # Told from the connectors of the site by their names: they are this recipe's own.
        self.own_names, self.hybrid_names = (
            keeper_names(self.name, kind) for kind in (_OWN, _HYBRID)
        )
        self.our_keys = {
            self.name.casefold(),
            *(
                key
                for names in (self.own_names, self.hybrid_names)
                for key in _recipe_keep.ours(state.receive, names)
            ),
        }
        self.provider = self._ranges("provider_ranges")
        self.own, self.servers, self.hybrid = (
            self._ranges(option) for option in ("own_networks", "exchange_servers", "hybrid_ranges")
        )
        self.method = options.get("method") or "auto"
        if self.method not in METHODS:
            raise PlanError(
                f"The method of inbound_lock is '{self.method}'. Nothing was changed. "
                f"It can be {', '.join(METHODS)}."
            )
        self._usable_provider()
        bindings = options.get("bindings")
        # Where the provider comes in.
        self.where = (
            frozenset(RECEIVE.properties["bindings"].parse(bindings))
            if bindings
            else self._bindings()
        )
        self.ports = sorted({_PORT} | {endpoint.port for endpoint in self.where})

    def _ranges(self, option: str) -> RangeSet:
        try:
            ranges = RangeSet.parse(self.options.get(option) or [])
        except RangeError as error:
            raise PlanError(
                f"The option {option} cannot be used as given: {error} Nothing was changed."
            ) from None
        return ranges.v4 if self.state.server.version is Version.E2007RTM else ranges

    def _usable_provider(self) -> None:
        if not self.provider:
            raise PlanError(
                "The lock on the way in has no usable provider range, so that it would shut out "
                "all mail. Nothing was changed. Name in provider_ranges the addresses that the "
                "filtering provider delivers from."
            )

    def wish(self) -> tuple[Desired[str], ...]:
        """The provider's connector, the closed ones, and narrow ones for those who would lose what
        they have today.
        """
        entries = self._provider_entries()
        # The server itself goes with the own networks: what runs on it sends from its own
        # addresses.
        itself = RangeSet([*LOOPBACK.entries, *self.state.server.itself.entries])
        closed = self._closings(entries)
        entries += closed.values()
        entries += self._leaving(
            closed, self.provider | self.own | self.servers | self.hybrid | itself
        )
        inside = RangeSet([*self.own.entries, *itself.entries])
        # Every tenant's mail comes from the ranges of Exchange Online: to let them relay would be
        # an open relay.
        for names, group, whole, kept, relaying in (
            (self.own_names, inside, itself, _recipe_keep.KEPT, True),
            (self.hybrid_names, self.hybrid, RangeSet(()), _recipe_keep.KEPT_HYBRID, False),
        ):
            entries += _recipe_keep.keepers(
                self.state,
                entries,
                self.ports,
                names,
                group,
                kept,
                whole=whole,
                keep_unnamed=bool(self.options.get("keep_unnamed")),
                relaying=relaying,
            )
        return desired(receive=tuple(entries))

    def _provider_entries(self) -> list[Entry]:
        """The connector that hears the provider, for what of it no adopted connector hears; none
        where that is nothing.
        """
        receive = self.state.receive
        described = {
            option: self.options[option]
            for option in _DESCRIBED
            if self.options.get(option) is not None
        }
        adoptable = {
            key
            for key, connector in receive.items()
            if not self._is_ours(connector)
            and _recipe_adopt.is_adoptable(connector, described, self.state.server)
        }
        pending = _recipe_adopt.pending(receive, self.provider, self.where, adoptable)
        # Without the lock's own ones, which answer in place of an adopted one where they cut its
        # ranges: what is bound today must not depend on what this recipe has made.
        others_alone = {
            key: connector for key, connector in receive.items() if not self._is_ours(connector)
        }
        everything = _recipe_adopt.pending({}, self.provider, self.where, ())
        adopts_nothing = (
            _recipe_adopt.pending(others_alone, self.provider, self.where, adoptable) == everything
        )
        bindings = (
            self.where
            if adopts_nothing
            else frozenset(endpoint for endpoint, part in pending.items() if part)
        )
        if not bindings:
            return []
        part = (
            RangeSet(interval for senders in pending.values() for interval in senders.intervals)
            or self.provider
        )
        others = _recipe_keep.sharing(receive, bindings, self.name)
        return [self._provider_entry(bindings, _recipe_adopt.beside(self.provider, part, others))]

    def _provider_entry(self, bindings: frozenset[Endpoint], ranges: RangeSet) -> Entry:
        options = self.options
        logins = options.get("max_inbound_connection_per_source")
        share = options.get("max_inbound_connection_percentage_per_source")
        entry: Entry = {
            "name": self.name,
            "state": "present",
            "enabled": True,
            "bindings": [str(endpoint) for endpoint in sorted(bindings)],
            "remote_ip_ranges": RECEIVE.properties["remote_ip_ranges"].kind.show(ranges),
            "permission_groups": [ANONYMOUS],
            "auth_mechanism": options.get("auth_mechanism") or ["Tls"],
            "anonymous_relay": False,
            # A provider delivers from few addresses; 20 connections and 2 % each throttle it (event
            # 1021, "421 4.3.2").
            "max_inbound_connection_per_source": "unlimited" if logins is None else logins,
            "max_inbound_connection_percentage_per_source": 100 if share is None else share,
            "protocol_logging_level": options.get("protocol_logging_level") or "Verbose",
            **{option: options[option] for option in _PASSED if options.get(option) is not None},
        }
        if self.state.receive.get(self.name.casefold(), {}).get("anonymous_rights"):
            # Its groups are all that it is meant to give.
            entry["anonymous_rights"] = []
        if builtin_connectors.is_mailbox_2013(self.state.server):
            entry["transport_role"] = "FrontendTransport"
        ports = sorted(self.ports, key=lambda port: (port != _PORT, port))
        hybrid = bool(self.hybrid & self.provider)
        return {**limits.of_provider(self.state, ranges, entry, ports, hybrid=hybrid), **entry}

    def _is_ours(self, connector: Connector) -> bool:
        return connector["name"].casefold() in self.our_keys

    def _bindings(self) -> frozenset[Endpoint]:
        """Where the site's connectors in service listen for mail: there the provider comes in.

        A connector on all addresses would be passed over where another one is bound to the very
        address (unverified), as on a Small Business Server. For the same reason no binding of a
        disabled connector is taken: who comes to that address would meet nobody else any more. What
        our own one has is kept, because the connector that it was taken from may be disabled since.
        All addresses where nothing listens yet.
        """
        endpoints = {
            endpoint
            for connector in self.state.receive.values()
            if connector.get("enabled") is not False and not self._is_ours(connector)
            for endpoint in connector.get("bindings") or ()
        }
        server = self.state.server
        endpoints |= {
            endpoint
            for endpoint in self.state.receive.get(self.name.casefold(), {}).get("bindings") or ()
            if endpoint.is_wildcard
            or Address(endpoint.version, endpoint.address) in server.addresses
        }
        heard = {
            endpoint
            for endpoint in endpoints
            if endpoint.port == _PORT and not is_loopback(endpoint)
        }
        families = (4,) if server.version is Version.E2007RTM else (4, 6)
        return frozenset(heard or {Endpoint(version, 0, _PORT) for version in families})

    def _strangers(self) -> RangeSet:
        return doors.public(self.provider | self.own | self.servers | self.hybrid)

    def _closings(self, opened: list[Entry]) -> dict[str, Entry]:
        """One wish for each connector through which the internet may send anonymously, found by
        what strangers meet.

        Closing one may uncover another, so it looks again until nothing is found. Connectors that
        hear only some public addresses, such as a partner's, are the administrator's own decision:
        the guard still_open tells of them.
        """
        closed: dict[str, Entry] = {}
        while True:
            state = _recipe_keep.after(self.state, [*opened, *closed.values()])
            fresh = {
                name: self._closing(state.receive[name])
                for name in self._wide(state)
                if name not in closed
            }
            if not fresh:
                return closed
            closed.update(fresh)

    def _wide(self, state: State) -> list[str]:
        """Keys of the connectors through which strangers may send anonymously, as far as they may
        be touched.
        """
        letting_in: dict[str, RangeSet] = {}
        for port in self.ports:
            view = doors.view_of(state.receive.values(), port)
            for endpoint in view.endpoints:
                spans: dict[Answer, list[tuple[int, int]]] = {}
                for first, last, answer in () if is_loopback(endpoint) else view.at(endpoint):
                    if doors.accepts_anonymous(answer):
                        spans.setdefault(answer, []).append((first, last))
                for answer, parts in spans.items():
                    senders = RangeSet.of_spans(endpoint.version, parts)
                    for name in doors.openers(answer, state.receive, doors.accepts_anonymous):
                        key = name.casefold()
                        letting_in[key] = letting_in.get(key, RangeSet(())) | senders
        strangers = self._strangers()
        return [
            key
            for key, senders in sorted(letting_in.items())
            if builtin_connectors.is_wide(senders & strangers)
            and not self._is_ours(state.receive[key])
            and builtin_connectors.inner_reason(state.receive[key], state.server) is None
        ]

    def _closing(self, connector: Connector) -> Entry:
        """How one wide connector is closed.

        In 2013 and later the wide connector is also the door of other servers, and before that of
        whichever groups it has beside the anonymous one: only the anonymous right goes. An Internet
        connector of 2007 or 2010 with no other use is disabled, and kept for the way back.
        """
        entry: Entry = {"name": connector["name"]}
        method = self.method
        if self._has_rival(connector):
            # All that Exchange lets be changed while two connectors conflict are their rights.
            method = "strip_anonymous"
        if method == "auto":
            shared = answer_of(connector).groups - {ANONYMOUS}
            method = (
                "strip_anonymous"
                if self.state.server.version >= Version.E2013 or shared
                else "disable"
            )
        if method == "disable":
            return {**entry, "enabled": False}
        narrowed = self._narrowed(connector) if method == "narrow" else []
        if narrowed:
            return {
                **entry,
                "remote_ip_ranges": narrowed,
                "comment": _recipe_keep.narrowed_comment(connector),
            }
        return self._stripped(connector)

    def _stripped(self, connector: Connector) -> Entry:
        entry: Entry = {"name": connector["name"]}
        entry["permission_groups"] = {"remove": [ANONYMOUS]}
        if "ExternalAuthoritative" in (connector.get("auth_mechanism") or ()):
            entry["auth_mechanism"] = {"remove": ["ExternalAuthoritative"]}
        if connector.get("anonymous_rights"):
            entry["anonymous_rights"] = []
        if connector.get("anonymous_relay"):
            # Asleep without AnonymousUsers, but whoever gives that back would open a relay to the
            # world.
            entry["anonymous_relay"] = False
        return entry

    def _leaving(self, closed: t.Collection[str], named: RangeSet) -> list[Entry]:
        """A wish for each connector that an earlier lock has narrowed and that hears who is not
        named any more.
        """
        entries: list[Entry] = []
        for key, connector in self.state.receive.items():
            if (
                self.options.get("keep_unnamed")
                or key in closed
                or not _recipe_keep.is_narrowed(connector)
            ):
                continue
            if _recipe_keep.unnamed(self.state.receive, key, named):
                ranges = _recipe_keep.staying(connector, named)
                # Exchange has no connector without a range.
                narrowed = {"name": connector["name"], "remote_ip_ranges": ranges}
                entries.append(narrowed if ranges else self._stripped(connector))
        return entries

    def _has_rival(self, connector: Connector) -> bool:
        return any(
            between(connector, other)
            for other in self.state.receive.values()
            if other["name"] != connector["name"]
        )

    def _narrowed(self, connector: Connector) -> list[str]:
        """The named networks, and the server itself, as far as they meet the connector today: what
        another one has of them is its own.
        """
        named = self.own | self.servers | self.hybrid
        if not named:
            raise PlanError(
                f"The receive connector '{connector['name']}' cannot be narrowed, because neither "
                "own_networks nor exchange_servers nor hybrid_ranges are named. "
                "Nothing was changed. Name them, or choose another method."
            )
        friends = named | LOOPBACK | self.state.server.itself
        meeting = self._meeting(connector)
        part = friends & RangeSet(
            interval for senders in meeting.values() for interval in senders.intervals
        )
        for endpoint, heard in meeting.items():
            family = doors.coming_to(endpoint, meeting) & (
                EVERYTHING_V4 if endpoint.version == 4 else EVERYTHING_V6
            )
            if (part & family) - heard:
                # Narrowed, it would take from another connector who meets that one there today.
                return []
        others = _recipe_keep.sharing(self.state.receive, connector["bindings"], connector["name"])
        return [str(entry) for entry in _recipe_adopt.beside(part, part, others).entries]

    def _meeting(self, connector: Connector) -> dict[Endpoint, RangeSet]:
        """Where a connector listens, and who meets it there."""
        ranges: dict[Endpoint, RangeSet] = {}
        for port in sorted(doors.ports([connector])):
            view = doors.view_of(self.state.receive.values(), port)
            for endpoint in sorted(connector["bindings"]):
                if endpoint.port == port:
                    spans = [
                        (first, last)
                        for first, last, answer in view.at(endpoint)
                        if connector["name"] in answer.names
                    ]
                    heard = RangeSet.of_spans(endpoint.version, spans)
                    ranges[endpoint] = heard & doors.coming_to(endpoint, view.endpoints)
        return ranges
