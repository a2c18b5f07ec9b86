# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Narrow connectors for those who would lose by a lock what they have today: the own networks, the
server itself, Exchange Online.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import _recipe_adopt, doors, rights
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import ANONYMOUS, Answer
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import apply_all, desired, plan
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import Endpoint, RangeSet

Connector = t.Mapping[str, t.Any]
Entry = dict[str, t.Any]

_NOBODY = RangeSet(())
# Read again by a later lock, to know what the connector stands for.
_COMMENT = "Keeps what '{}' gave these senders before it was locked."
_PORT = 25
# What is kept of a closed connector for senders that are to meet what they meet today. Not fqdn:
# with ExchangeServer authentication it may only be the server's own name, which is also what it is
# where nothing is said (Set-ReceiveConnector.md).
KEPT = (
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
KEPT_HYBRID = (*KEPT, "tls_certificate_name", "tls_domain_capabilities")


def after(state: State, entries: t.Iterable[Entry]) -> State:
    """The state after a wish."""
    return apply_all(plan(state, desired(receive=tuple(entries))), state)


def keeper(
    state: State,
    entries: t.Sequence[Entry],
    ports: t.Iterable[int],
    name: str,
    group: RangeSet,
    kept: t.Sequence[str],
    *,
    whole: RangeSet = _NOBODY,
    keep_unnamed: bool = False,
) -> Entry | None:
    """A connector called `name` for the part of `group` from which the wish `entries` would take
    the anonymous right on one of the ports, or a login from who is in `whole` and has that right;
    None where nothing is to be done.

    It gives what the closed connector gives: permission groups (other Exchange servers live in
    those networks too), authentication, limits, and the right to relay only where it is there
    today. One that is there already gets the part added, and loses what is not in the group any
    more unless `keep_unnamed`.
    """
    before, goal = _before(state, name), after(state, entries)
    losing = _losing(before, goal.receive, ports, group, whole)
    leaving = _NOBODY if keep_unnamed else unnamed(state.receive, name, group)
    if not losing:
        return _without(state.receive[name.casefold()], group) if leaving else None
    sources = {one.source: state.receive[one.source] for one in losing}
    part = RangeSet(interval for one in losing for interval in one.senders.intervals)
    there = state.receive.get(name.casefold())
    held: frozenset[Endpoint] = there["bindings"] if there else frozenset()
    fresh = frozenset(one.where for one in losing) - held
    if there is None:
        fresh |= frozenset(endpoint for source in sources.values() for endpoint in source["bindings"])
    # Also beside what is there until the last step: a range may move here from another connector.
    others = [one for side in (state, goal) for one in sharing(side.receive, held | fresh, name)]
    ranges = [str(one) for one in _recipe_adopt.beside(group, part, others).entries]
    if there is not None:
        entry: Entry = {
            "name": name,
            "enabled": True,
            "permission_groups": {"add": [ANONYMOUS]},
            "remote_ip_ranges": [*_staying(there, group), *ranges] if leaving else {"add": ranges},
        }
        return {**entry, "bindings": {"add": [str(one) for one in sorted(fresh)]}} if fresh else entry
    # Of several, that of port 25 is the model for the rest; who may log in at any of them may do so
    # here.
    sizes = {
        key: RangeSet(interval for one in losing if one.source == key for interval in one.senders.intervals).size
        for key in sources
    }
    source = sources[max(sources, key=lambda key: (*_as_model(sources[key]), sizes[key], key))]
    groups = frozenset().union(*(one["permission_groups"] for one in sources.values()))
    if rights.SUBMIT not in rights.held({**source, "permission_groups": groups}):
        groups |= {ANONYMOUS}
    return {
        "name": name,
        "state": "present",
        "enabled": True,
        "bindings": [str(one) for one in sorted(fresh)],
        "remote_ip_ranges": ranges,
        "permission_groups": RECEIVE.properties["permission_groups"].kind.show(groups),
        "anonymous_relay": bool(source.get("anonymous_relay")),
        "comment": _COMMENT.format(source["name"]),
        **_as_it_is(source, groups, kept),
    }


def _as_it_is(source: Connector, groups: frozenset[str], kept: t.Sequence[str]) -> Entry:
    entry: Entry = {}
    # What the group gives is read as the group.
    given = {f"{rights.ANONYMOUS}:{right}" for right in rights.PRESET} if ANONYMOUS in groups else set()
    beyond = sorted((source.get("anonymous_rights") or frozenset()) - given)
    if beyond:
        entry["anonymous_rights"] = beyond
    if source.get("transport_role"):
        entry["transport_role"] = source["transport_role"]
    for option in kept:
        if source.get(option) is not None:
            entry[option] = RECEIVE.properties[option].kind.show(source[option])
    return entry


def _as_model(connector: Connector) -> tuple[bool, bool]:
    # Of two with the same claim nobody knows which one the senders met: the one that trusts them
    # less.
    return _PORT in doors.ports([connector]), "ExternalAuthoritative" not in (connector.get("auth_mechanism") or ())


def sharing(connectors: t.Mapping[str, Connector], bindings: frozenset[Endpoint], name: str) -> list[Connector]:
    """The other connectors on one of the bindings, in service or not."""
    return [
        one
        for key, one in connectors.items()
        if key != name.casefold() and (one.get("bindings") or frozenset()) & bindings
    ]


def _source_of(connectors: t.Mapping[str, Connector], name: str) -> Connector | None:
    """The connector that the narrow one of an earlier lock stands for, by its comment."""
    head, tail = _COMMENT.split("{}")
    comment = connectors.get(name.casefold(), {}).get("comment") or ""
    source = comment[len(head) : -len(tail)]
    return connectors.get(source.casefold()) if comment == _COMMENT.format(source) else None


def unnamed(connectors: t.Mapping[str, Connector], name: str, group: RangeSet) -> RangeSet:
    """What the narrow connector of an earlier lock hears beyond a group; nothing where it is
    none.
    """
    if _source_of(connectors, name) is None:
        return _NOBODY
    heard: RangeSet = connectors[name.casefold()]["remote_ip_ranges"]
    return heard - group


def _staying(there: Connector, group: RangeSet) -> list[str]:
    """The ranges of a connector as far as they are in the group; whole ones as they are written."""
    return [
        str(interval)
        for entry in there["remote_ip_ranges"].entries
        for interval in ([entry] if entry in group else (RangeSet([entry]) & group).intervals)
    ]


def _without(there: Connector, group: RangeSet) -> Entry:
    staying = _staying(there, group)
    # Exchange has no connector without a range.
    return {"name": there["name"], **({"remote_ip_ranges": staying} if staying else {"state": "absent"})}


def _before(state: State, name: str) -> t.Mapping[str, Connector]:
    """The receive connectors as they are; where the narrow one of an earlier lock is there, as
    before that lock.

    That is without the narrow one, and with the one that it stands for open. So networks that are
    named since get what they had then, as after a change of Exchange Online's ranges, and a narrow
    one that somebody has taken out of service is missed.
    """
    source = _source_of(state.receive, name)
    if source is None:
        return state.receive
    groups = source["permission_groups"] | {ANONYMOUS}
    others = {key: one for key, one in state.receive.items() if key != name.casefold()}
    return {**others, source["name"].casefold(): {**source, "enabled": True, "permission_groups": groups}}


@dataclass(frozen=True)
class _Loss:
    """`senders` come to `where` and may send there by the connector `source` (a key) before."""

    source: str
    where: Endpoint
    senders: RangeSet


def _losing(
    old: t.Mapping[str, Connector],
    new: t.Mapping[str, Connector],
    ports: t.Iterable[int],
    group: RangeSet,
    whole: RangeSet,
) -> list[_Loss]:
    """Where and by which connectors a group may send anonymously before and no longer after; those
    in `whole` also where they only could log in as somebody else too.
    """
    found: list[_Loss] = []
    for port in ports:
        views = (doors.view_of(old.values(), port), doors.view_of(new.values(), port))
        listening = doors.endpoints(views)
        for endpoint in listening:
            coming = doors.coming_to(endpoint, listening)
            spans: dict[tuple[Answer, bool], list[tuple[int, int]]] = {}
            for first, last, (then, now) in doors.walk(views, endpoint):
                keeps = doors.accepts_anonymous(now)
                if doors.accepts_anonymous(then) and not (keeps and then.groups <= now.groups):
                    spans.setdefault((then, keeps), []).append((first, last))
            losing: dict[tuple[str, bool], RangeSet] = {}
            for (then, only_logins), parts in spans.items():
                senders = RangeSet.of_spans(endpoint.version, parts)
                for name in doors.openers(then, old, doors.accepts_anonymous):
                    key = (name.casefold(), only_logins)
                    losing[key] = losing.get(key, RangeSet(())) | senders
            for (source, only_logins), lost in losing.items():
                part = lost & coming & (whole if only_logins else group)
                if part:
                    found.append(_Loss(source, endpoint, part))
    return found
