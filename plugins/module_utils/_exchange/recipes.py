# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of the lock: from what a site wants to the connectors that make it so, on what is
there.

The way in: a connector of its own hears the provider, and every connector through which the
internet at large may send anonymously is closed to it. Adding the narrow connector alone would lock
nothing, because everybody else still meets the wide one. The way out: one connector hands all mail
to the smart hosts, and the others that carry mail to the internet are disabled and kept.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    builtin_connectors,
    doors,
    rights,
    routing,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.conflicts import between
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import ANONYMOUS, is_loopback
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import apply_all, desired, plan
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    LOOPBACK,
    Endpoint,
    Interval,
    RangeError,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

Options = t.Mapping[str, t.Any]
Connector = t.Mapping[str, t.Any]

INBOUND_NAME = "Mail from filter"
OUTBOUND_NAME = "Mail to filter"
METHODS = ("auto", "strip_anonymous", "narrow", "disable")
_NAME_LIMIT = 64
_OWN, _HYBRID = " (own networks)", " (hybrid)"
_PORT = 25
# Read again by a later lock, to know what the connector stands for.
_COMMENT = "Keeps what '{}' gave these senders before it was locked."

_NOBODY = RangeSet(())

# Options of inbound_lock that are handed to the provider's connector as they are.
_PASSED = ("fqdn", "banner", "require_tls", "tls_certificate_name", "tls_domain_capabilities")
# What is kept of a closed connector for senders that are to meet what they meet today. Not fqdn:
# with ExchangeServer authentication it may only be the server's own name, which is also what it is
# where nothing is said (Set-ReceiveConnector.md).
_KEPT = (
    "auth_mechanism",
    "require_tls",
    "max_message_size",
    "max_header_size",
    "max_hop_count",
    "max_local_hop_count",
    "max_recipients_per_message",
    "max_inbound_connection_per_source",
    "max_inbound_connection_percentage_per_source",
    "message_rate_limit",
    "connection_timeout",
    "connection_inactivity_timeout",
    "tarpit_interval",
    "protocol_logging_level",
)
_KEPT_HYBRID = (*_KEPT, "tls_certificate_name", "tls_domain_capabilities")


def inbound_lock(state: State, options: Options) -> tuple[Desired[str], ...]:
    """The wish of the lock on the way in.

    `options` are those of the module's inbound_lock with provider_ranges (required), own_networks,
    exchange_servers and hybrid_ranges beside them, as texts. Raises PlanError where they cannot be
    used.
    """
    return _Inbound(state, options).wish()


class _Inbound:
    """One reading of the options against one state."""

    def __init__(self, state: State, options: Options) -> None:
        self.state, self.options = state, options
        self.name = options.get("name") or INBOUND_NAME
        # Told from the connectors of the site by their names: they are this recipe's own.
        self.own_name, self.hybrid_name = (
            self.name[: _NAME_LIMIT - len(_OWN)] + _OWN,
            self.name[: _NAME_LIMIT - len(_HYBRID)] + _HYBRID,
        )
        self.provider = self._ranges("provider_ranges")
        self.own, self.servers, self.hybrid = (
            self._ranges(one) for one in ("own_networks", "exchange_servers", "hybrid_ranges")
        )
        self.method = options.get("method") or "auto"
        if self.method not in METHODS:
            raise PlanError(
                f"The method of inbound_lock is '{self.method}'. Nothing was changed. It can be {', '.join(METHODS)}."
            )
        self._usable_provider()

    def _ranges(self, option: str) -> RangeSet:
        try:
            found = RangeSet.parse(self.options.get(option) or [])
        except RangeError as error:
            raise PlanError(f"The option {option} cannot be used as given: {error} Nothing was changed.") from None
        return found.v4 if self.state.server.version is Version.E2007RTM else found

    def _usable_provider(self) -> None:
        if not self.provider:
            raise PlanError(
                "The lock on the way in has no usable provider range, so that it would shut out all mail. Nothing was changed. "
                "Name in provider_ranges the addresses that the filtering provider delivers from."
            )

    def wish(self) -> tuple[Desired[str], ...]:
        """The provider's connector, the closed ones, and narrow ones for those who would lose what
        they have today.
        """
        entries = [self._provider_entry()]
        closed = self._closings(entries)
        entries += closed.values()
        for keep in (self._own_entry(entries), self._hybrid_entry(entries)):
            if keep is not None:
                entries.append(keep)
        return desired(receive=tuple(entries))

    def _provider_entry(self) -> dict[str, t.Any]:
        options = self.options
        logins = options.get("max_inbound_connection_per_source")
        share = options.get("max_inbound_connection_percentage_per_source")
        entry: dict[str, t.Any] = {
            "name": self.name,
            "state": "present",
            "enabled": True,
            "bindings": options.get("bindings") or self._bindings(),
            "remote_ip_ranges": RECEIVE.properties["remote_ip_ranges"].kind.show(self.provider),
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
        return entry

    def _is_ours(self, connector: Connector) -> bool:
        return connector["name"].casefold() in {one.casefold() for one in (self.name, self.own_name, self.hybrid_name)}

    def _bindings(self) -> list[str]:
        """Where the site's connectors listen for mail today, in service or not: there the provider
        comes in.

        A connector on all addresses would be passed over where another one is bound to the very
        address (unverified), as on a Small Business Server. All addresses where nothing listens
        yet.
        """
        found = {
            endpoint
            for connector in self.state.receive.values()
            if not self._is_ours(connector)
            for endpoint in connector.get("bindings") or ()
            if endpoint.port == _PORT and not is_loopback(endpoint)
        }
        everywhere = [f"0.0.0.0:{_PORT}"]
        if self.state.server.version is not Version.E2007RTM:
            everywhere.append(f"[::]:{_PORT}")
        return [str(one) for one in sorted(found)] or everywhere

    def _ports(self, entry: Options) -> list[int]:
        return sorted({_PORT} | doors.ports([{"bindings": RECEIVE.properties["bindings"].parse(entry["bindings"])}]))

    def _strangers(self) -> RangeSet:
        return doors.public(self.provider | self.own | self.servers | self.hybrid)

    def _closings(self, opened: list[dict[str, t.Any]]) -> dict[str, dict[str, t.Any]]:
        """One wish for each connector through which the internet may send anonymously, found by
        what strangers meet.

        Closing one may uncover another, so it looks again until nothing is found. Connectors that
        hear only some public addresses, such as a partner's, are the administrator's own decision:
        the guard still_open tells of them.
        """
        closed: dict[str, dict[str, t.Any]] = {}
        while True:
            state = self._after([*opened, *closed.values()])
            fresh = {
                name: self._closing(state.receive[name]) for name in self._wide(state, opened[0]) if name not in closed
            }
            if not fresh:
                return closed
            closed.update(fresh)

    def _after(self, entries: list[dict[str, t.Any]]) -> State:
        return apply_all(plan(self.state, desired(receive=tuple(entries))), self.state)

    def _wide(self, state: State, provider: Options) -> list[str]:
        """Keys of the connectors through which strangers may send anonymously, as far as they may
        be touched.
        """
        found: dict[str, list[Interval]] = {}
        for port in self._ports(provider):
            view = doors.View(state.receive.values(), port)
            for endpoint in view.endpoints:
                for first, last, answer in () if is_loopback(endpoint) else view.at(endpoint):
                    if doors.accepts_anonymous(answer):
                        for name in doors.openers(answer, state.receive, doors.accepts_anonymous):
                            found.setdefault(name.casefold(), []).append(Interval(endpoint.version, first, last))
        strangers = self._strangers()
        return [
            key
            for key, senders in sorted(found.items())
            if builtin_connectors.is_wide(RangeSet(senders) & strangers)
            and not self._is_ours(state.receive[key])
            and builtin_connectors.inner_reason(state.receive[key], state.server) is None
        ]

    def _closing(self, connector: Connector) -> dict[str, t.Any]:
        """How one wide connector is closed.

        In 2013 and later the wide connector is also the door of other servers and users, so only
        the anonymous right goes. Before that, `Default <server>` is such a door, and the others are
        Internet connectors with no other use: disabled, and kept for the way back.
        """
        entry: dict[str, t.Any] = {"name": connector["name"]}
        method = self.method
        if self._has_rival(connector):
            # All that Exchange lets be changed while two connectors conflict are their rights.
            method = "strip_anonymous"
        if method == "auto":
            shared = "ExchangeServers" in (connector.get("permission_groups") or ())
            method = "strip_anonymous" if self.state.server.version >= Version.E2013 or shared else "disable"
        if method == "disable":
            return {**entry, "enabled": False}
        if method == "narrow":
            return {**entry, "remote_ip_ranges": self._narrowed(connector)}
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

    def _has_rival(self, connector: Connector) -> bool:
        return any(between(connector, one) for one in self.state.receive.values() if one["name"] != connector["name"])

    def _narrowed(self, connector: Connector) -> list[str]:
        """The named networks, and the server itself, as far as the connector hears them today."""
        named = self.own | self.servers | self.hybrid
        if not named:
            raise PlanError(
                f"The receive connector '{connector['name']}' cannot be narrowed, because neither own_networks nor exchange_servers nor "
                "hybrid_ranges are named. Nothing was changed. Name them, or choose another method."
            )
        itself = RangeSet(Interval(one.version, one.value, one.value) for one in self.state.server.addresses)
        heard: RangeSet = connector["remote_ip_ranges"]
        return ((named | LOOPBACK | itself) & heard).to_texts()

    def _before(self, name: str) -> t.Mapping[str, Connector]:
        """The receive connectors as they are; where the narrow one of an earlier lock is there, as
        before that lock.

        That is without the narrow one, and with the one that it stands for open. So networks that
        are named since get what they had then, as after a change of Exchange Online's ranges, and a
        narrow one that somebody has taken out of service is missed.
        """
        found = dict(self.state.receive)
        keeper = found.pop(name.casefold(), None)
        head, tail = _COMMENT.split("{}")
        comment = (keeper or {}).get("comment") or ""
        source = found.get(comment[len(head) : -len(tail)].casefold())
        if source is None or comment != _COMMENT.format(comment[len(head) : -len(tail)]):
            return self.state.receive
        groups = source["permission_groups"] | {ANONYMOUS}
        return {**found, source["name"].casefold(): {**source, "enabled": True, "permission_groups": groups}}

    def _losing(self, entries: list[dict[str, t.Any]], name: str, group: RangeSet) -> dict[str, RangeSet]:
        """Connector (key) → the part of a group that may send anonymously through it before the
        lock and no longer would.

        `name` is the group's narrow connector.
        """
        old, new = self._before(name), self._after(entries)
        found: dict[str, list[Interval]] = {}
        for port in self._ports(entries[0]):
            views = (doors.View(old.values(), port), doors.View(new.receive.values(), port))
            for endpoint in doors.endpoints(views):
                for first, last, (then, now) in doors.walk(views, endpoint):
                    if doors.accepts_anonymous(then) and not doors.accepts_anonymous(now):
                        for source in doors.openers(then, old, doors.accepts_anonymous):
                            found.setdefault(source.casefold(), []).append(Interval(endpoint.version, first, last))
        parts = {key: RangeSet(intervals) & group for key, intervals in found.items()}
        return {key: part for key, part in parts.items() if part}

    def _own_entry(self, entries: list[dict[str, t.Any]]) -> dict[str, t.Any] | None:
        """A connector on which the own networks keep all they have today; None where they lose
        nothing.

        The server itself goes with them: what runs on it sends from loopback addresses.
        """
        if not self._losing(entries, self.own_name, self.own):
            return None
        return self._keeper(entries, self.own_name, RangeSet([*self.own.entries, *LOOPBACK.entries]), _KEPT)

    def _hybrid_entry(self, entries: list[dict[str, t.Any]]) -> dict[str, t.Any] | None:
        """The same for Exchange Online, with what makes a connector the hybrid path."""
        if not self._losing(entries, self.hybrid_name, self.hybrid):
            return None
        return self._keeper(entries, self.hybrid_name, self.hybrid, _KEPT_HYBRID)

    def _keeper(
        self, entries: list[dict[str, t.Any]], name: str, group: RangeSet, kept: t.Sequence[str]
    ) -> dict[str, t.Any]:
        """A narrow connector for the part of `group` that the lock would take the anonymous right
        from.

        It gives what the closed connector gives: permission groups (other Exchange servers live in
        those networks too), authentication, limits, and the right to relay only where it is there
        today. One that is there already gets the part added.
        """
        losing = self._losing(entries, name, group)
        sources = {key: self.state.receive[key] for key in losing}
        # Of several, that of port 25 is the model for the rest; who may log in at any of them may
        # do so here.
        source = sources[max(losing, key=lambda key: (*self._as_model(sources[key]), losing[key].size, key))]
        groups = frozenset().union(*(one["permission_groups"] for one in sources.values()))
        if rights.SUBMIT not in rights.held({**source, "permission_groups": groups}):
            groups |= {ANONYMOUS}
        part = RangeSet(interval for one in losing.values() for interval in one.intervals)
        bindings = self._closed_bindings(losing)
        there = self.state.receive.get(name.casefold(), {}).get("bindings") or frozenset()
        ranges = self._entries(entries, name, group, part, bindings | there)
        if name.casefold() in self.state.receive:
            return {
                "name": name,
                "enabled": True,
                "permission_groups": {"add": [ANONYMOUS]},
                "remote_ip_ranges": {"add": ranges},
            }
        entry: dict[str, t.Any] = {
            "name": name,
            "state": "present",
            "enabled": True,
            "bindings": [str(one) for one in sorted(bindings)],
            "remote_ip_ranges": ranges,
            "permission_groups": RECEIVE.properties["permission_groups"].kind.show(groups),
            "anonymous_relay": bool(source.get("anonymous_relay")),
            "comment": _COMMENT.format(source["name"]),
        }
        if source.get("anonymous_rights"):
            entry["anonymous_rights"] = sorted(source["anonymous_rights"])
        if source.get("transport_role"):
            entry["transport_role"] = source["transport_role"]
        for option in kept:
            if source.get(option) is not None:
                entry[option] = RECEIVE.properties[option].kind.show(source[option])
        return entry

    @staticmethod
    def _as_model(connector: Connector) -> tuple[bool, bool]:
        # Of two with the same claim nobody knows which one the senders met: the one that trusts
        # them less.
        return _PORT in doors.ports([connector]), "ExternalAuthoritative" not in (connector.get("auth_mechanism") or ())

    def _closed_bindings(self, losing: t.Mapping[str, RangeSet]) -> frozenset[Endpoint]:
        return frozenset(one for key in losing for one in self.state.receive[key]["bindings"])

    def _entries(
        self,
        entries: list[dict[str, t.Any]],
        name: str,
        group: RangeSet,
        part: RangeSet,
        bindings: frozenset[Endpoint],
    ) -> list[str]:
        """`part` as ranges: the entries as the site wrote them where those are legal beside the
        others, else what they leave.
        """
        whole = [entry for entry in group.entries if not RangeSet([entry]).isdisjoint(part)]
        others = [one for key, one in self._after(entries).receive.items() if key != name.casefold()]
        trial = {"name": name, "bindings": bindings, "remote_ip_ranges": RangeSet(whole)}
        legal = whole and not any(between(trial, one) for one in others)
        return [str(one) for one in (whole if legal else part.intervals)]


def outbound_lock(state: State, options: Options) -> tuple[Desired[str], ...]:
    """The wish of the lock on the way out.

    Every other enabled connector for the internet at large (`*`, `*.com`) or for one of the lock's
    own spaces is disabled and kept for the way back. One for a partner's domain stays, because the
    partner may be reachable no other way; the guard send_leak tells of it. Connectors of the hybrid
    wizard and of EdgeSync are never touched. Raises PlanError where the options cannot be used.
    """
    name = options.get("name") or OUTBOUND_NAME
    if not options.get("smart_hosts"):
        raise PlanError(
            "outbound_lock names no smart_hosts. Nothing was changed. Name the hosts that take the site's outgoing mail."
        )
    close = options.get("close") or "disable"
    if close not in ("disable", "keep"):
        raise PlanError(
            f"The option close of outbound_lock is '{close}'. Nothing was changed. It can be disable or keep."
        )
    spaces = options.get("address_spaces") or ["SMTP:*;1"]
    entry: dict[str, t.Any] = {"name": name, "state": "present", "enabled": True, "address_spaces": spaces}
    # Not taken from the rest: name, close and what is not an option of a send connector.
    entry.update(
        {
            option: value
            for option, value in options.items()
            if value is not None
            and option not in ("name", "close", "address_spaces")
            and (option in SEND.properties or option == "update_credential")
        }
    )
    if not entry.get("source_transport_servers") and not state.server.edge:
        current = state.send.get(name.casefold())
        if current is None:
            entry["source_transport_servers"] = [state.server.name]
        else:
            entry.pop("source_transport_servers", None)
    return desired(send=(entry, *(_rivals(state, name, spaces) if close == "disable" else ())))


def _rivals(state: State, name: str, spaces: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """A wish to disable each connector that carries the same mail."""
    wanted = {(one.type, one.space) for one in SEND.properties["address_spaces"].parse(spaces)}
    everything = ("smtp", "*") in wanted
    for key, connector in sorted(state.send.items()):
        if key == name.casefold() or not connector.get("enabled", True) or routing.protected_reason(connector):
            continue
        own = {(one.type, one.space) for one in connector.get("address_spaces") or ()}
        if own & wanted or (everything and any(kind == "smtp" and routing.is_generic(space) for kind, space in own)):
            yield {"name": connector["name"], "enabled": False}
