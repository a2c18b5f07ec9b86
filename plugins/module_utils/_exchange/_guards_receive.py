# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of the way in. See guards.py."""

from __future__ import annotations

import types
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    _guards_provider,
    _recipe_keep,
    builtin_connectors,
    doors,
    rights,
    strangers,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange._guards_sides import (
    NOBODY,
    Sides,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    Answer,
    is_loopback,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    Change,
    SiteNetworks,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.words import (
    listed,
    ranges,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING_V4,
    LOOPBACK,
    PRIVATE,
    Interval,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    WARN,
    Finding,
)

_SERVER_GROUPS = frozenset({"ExchangeServers", "ExchangeLegacyServers"})


def check(
    before: State,
    after: State,
    networks: SiteNetworks,
    changes: t.Sequence[Change],
    _unreachable: frozenset[str],
) -> t.Iterator[Finding]:
    """What the guards find."""
    view = Sides(before, after, networks)
    yield from _ranges_guards.check(networks.provider, "The option provider_ranges")
    for named, option in (
        (networks.own_networks, "own_networks"),
        (networks.exchange_servers, "exchange_servers"),
        (networks.hybrid, "hybrid_ranges"),
    ):
        yield from _ranges_guards.check_friends(named, f"The option {option}")
    yield from _guards_provider.check(view)
    yield from _own_networks(view)
    yield from _own_networks_refused(view)
    yield from _unnamed(view)
    yield from _no_longer_named(view)
    yield from _server_itself(view)
    yield from _exchange_servers(view)
    yield from _logins(view)
    yield from _hybrid(view)
    yield from _internet(view)
    yield from _relay(view)
    yield from _wizard(view, changes)


def _users(answer: Answer) -> bool:
    return "ExchangeUsers" in answer.groups


def _servers(answer: Answer) -> bool:
    return "ExchangeServers" in answer.groups


_BY_RIGHT: t.Mapping[str, t.Callable[[Answer], bool]] = types.MappingProxyType(
    {
        "send without a login": doors.accepts_anonymous,
        "log in as a user": _users,
        "log in as an Exchange server": _servers,
        "relay without a login": strangers.relays,
    }
)
_FAR_SERVERS = "Exchange servers"
_LOGINS: t.Mapping[str, frozenset[str]] = types.MappingProxyType(
    {
        "users": frozenset({"ExchangeUsers"}),
        "partners": frozenset({"Partners"}),
        _FAR_SERVERS: _SERVER_GROUPS,
    }
)


def _own_networks(view: Sides) -> t.Iterator[Finding]:
    own = view.networks.own_networks - view.networks.provider
    for right, text in (
        (doors.accepts_anonymous, "send without a login"),
        (_users, "send with a login"),
        (strangers.relays, "relay without a login"),
    ):
        losing = view.losing(right) & own
        if losing:
            yield Finding(
                "own_networks_shut_out",
                STOP,
                f"The own networks {ranges(losing)} could no longer {text}, which they can today.",
            )


def _unnamed(view: Sides) -> t.Iterator[Finding]:
    """Scanners, applications and other servers in networks that the site has not named."""
    unnamed, networks = view.networks.unnamed, view.networks
    sending = view.losing(doors.accepts_anonymous) & unnamed
    if sending and not networks.own_networks - networks.provider:
        yield Finding(
            "own_networks_shut_out",
            STOP,
            "No own_networks are named, and internal senders could no longer send without a login, "
            "which they can today: scanners and applications that do so would be refused.",
        )
        sending = NOBODY
    losing = {
        "send without a login": sending,
        "log in as users": view.losing(_users) & unnamed,
        # Where no server is named at all, that is another guard's.
        "log in as Exchange servers": (_loses_group(view) & unnamed)
        if networks.exchange_servers
        else NOBODY,
        "relay": (view.losing(strangers.relays) & unnamed) - view.losing(doors.accepts_anonymous),
    }
    verbs = [verb for verb, senders in losing.items() if senders]
    if verbs:
        who = RangeSet(interval for senders in losing.values() for interval in senders.intervals)
        yield Finding(
            "unnamed_senders_shut_out",
            WARN,
            f"Private addresses that nobody has named, {ranges(who)}, could no longer "
            f"{listed(verbs)}, which they can today. Name them in own_networks where somebody "
            "there does so.",
        )


def _no_longer_named(view: Sides) -> t.Iterator[Finding]:
    """Told as long as the site gives them time."""
    networks = view.networks
    named = networks.named | networks.itself | LOOPBACK
    for key, connector in sorted(view.after.receive.items()):
        still = _recipe_keep.unnamed(view.after.receive, key, named, networks.keepers)
        if still and networks.unnamed_until:
            yield Finding(
                "no_longer_named",
                WARN,
                f"The receive connector '{connector['name']}' still hears {ranges(still)}, which "
                "the site does not name any more. The first lock after "
                f"{networks.unnamed_until} takes it out.",
            )


def _server_itself(view: Sides) -> t.Iterator[Finding]:
    """What runs on the server, and the probes of Managed Availability, which come by loopback
    (letsexchange.blogspot.com, 2013/09).
    """
    if view.same:
        return
    losing: dict[str, list[Interval]] = {}
    for port in view.ports:
        for senders, (old, new) in doors.answers_by_server(
            (view.old, view.new), view.networks.itself, port
        ):
            for verb, right in _BY_RIGHT.items():
                if right(old) and not right(new):
                    losing.setdefault(verb, []).extend(senders.intervals)
    for verb, senders_found in losing.items():
        yield Finding(
            "server_shut_out",
            STOP,
            f"The server itself, from {ranges(RangeSet(senders_found))}, could no longer {verb}, "
            "which it can today.",
        )


def _taken(groups: frozenset[str]) -> t.Callable[[tuple[Answer, ...]], bool]:
    """Whether an answer before has one of these groups, and the one after has not."""
    return lambda answers: not answers[0].groups & groups <= answers[1].groups


def _logins(view: Sides) -> t.Iterator[Finding]:
    """Who logs in from the internet: travelling users, partners, servers of another site."""
    public = doors.public(view.named | view.networks.itself)
    for port in [] if view.same else view.ports:
        views = (doors.view_of(view.old, port), doors.view_of(view.new, port))
        losing = {
            noun: doors.where(views, _taken(groups)) & public for noun, groups in _LOGINS.items()
        }
        # That a narrow connector is none for servers goes without saying.
        who = [
            noun
            for noun, senders in losing.items()
            if senders and (noun != _FAR_SERVERS or builtin_connectors.is_wide(senders))
        ]
        if who:
            yield Finding(
                "logins_shut_out",
                WARN,
                f"{listed(who)[:1].upper()}{listed(who)[1:]} on the internet could no longer log "
                f"in on port {port}, which they can today.",
            )


def _own_networks_refused(view: Sides) -> t.Iterator[Finding]:
    """Told from 2013 on, where setup lets everybody send without a login, and wherever an earlier
    lock has let other own networks in: else a refusal is how setup leaves it.
    """
    own = view.networks.own_networks - view.networks.provider
    narrow = [
        view.after.receive[key]["name"]
        for key in map(str.casefold, view.networks.keepers[:1])
        if key in view.after.receive
    ]
    expected = narrow or builtin_connectors.is_mailbox_2013(view.after.server)
    if not view.networks.inbound_lock or not expected:
        return
    refused = _left_over(view.new, own) & _left_over(view.old, own)
    if refused:
        yield Finding(
            "own_networks_refused",
            WARN,
            f"The own networks {ranges(refused)} are refused without a login, and this lock leaves "
            "that as it is. If scanners or applications there could send before the site was "
            "first locked, give back its first snapshot and lock it with them named"
            + (f", or add them to the ranges of '{narrow[0]}'." if narrow else "."),
        )


def _left_over(connectors: t.Sequence[t.Mapping[str, t.Any]], group: RangeSet) -> RangeSet:
    """The part of a group that is refused without a login on port 25, and that no connector was
    made for: nobody hears it, or a wide one.
    """
    listening = {
        endpoint.version
        for endpoint in doors.view_of(connectors, 25).endpoints
        if not is_loopback(endpoint)
    }
    wide = {
        connector["name"]
        for connector in connectors
        if builtin_connectors.hears_internet(connector)
    }
    shut_out = NOBODY
    for answer, part in doors.answers_of(connectors, group).items():
        if not doors.accepts_anonymous(answer) and (
            answer.connector is None or answer.connector in wide
        ):
            shut_out = shut_out | part
    return RangeSet(interval for interval in shut_out.intervals if interval.version in listening)


def _exchange_servers(view: Sides) -> t.Iterator[Finding]:
    if view.same:
        return
    losing = NOBODY
    for port in view.ports:
        views = (doors.view_of(view.old, port), doors.view_of(view.new, port))
        losing = losing | doors.where(views, lambda answers: _server_loses(answers[0], answers[1]))
    named = losing & view.networks.exchange_servers
    if named:
        yield Finding(
            "exchange_servers_shut_out",
            STOP,
            f"The Exchange servers {ranges(named)} could no longer send to this server as today.",
        )
    elif not view.networks.exchange_servers and _loses_group(view) & (PRIVATE - LOOPBACK):
        # A site with one server has none to name, and nothing that is read tells it from one with
        # several. The method `auto` takes the group from nobody, so that a first lock is not
        # stopped here; where own networks are named, they keep it.
        yield Finding(
            "exchange_servers_shut_out",
            WARN if view.networks.own_networks else STOP,
            "No exchange_servers are named, and other Exchange servers in the internal network, "
            "if there are any, could no longer send to this server as such.",
        )


def _server_loses(before: Answer, after: Answer) -> bool:
    """As a server where it is known as one, else as anybody."""
    held = before.groups & _SERVER_GROUPS
    if held:
        return not held <= after.groups
    return doors.accepts_anonymous(before) and not doors.accepts_anonymous(after)


def _loses_group(view: Sides) -> RangeSet:
    return view.losing(_servers)


def _hybrid(view: Sides) -> t.Iterator[Finding]:
    hybrid = view.networks.hybrid
    losing = view.losing(doors.accepts_anonymous, [25])
    for port in view.ports:
        shut_out = view.losing(doors.accepts_anonymous, [port]) & hybrid
        if shut_out:
            yield Finding(
                "hybrid_shut_out",
                STOP,
                f"Exchange Online's {ranges(shut_out)} would no longer be accepted on port {port}.",
            )
    if view.same:
        return
    old = {
        name: builtin_connectors.hybrid_capabilities(connector)
        for name, connector in view.before.receive.items()
    }
    new = {
        name: builtin_connectors.hybrid_capabilities(connector)
        for name, connector in view.after.receive.items()
    }
    if not any(old.values()):
        return

    def tag(of: t.Mapping[str, frozenset[str]], answer: Answer) -> frozenset[str]:
        return (
            of.get((answer.connector or "").casefold(), frozenset())
            if doors.accepts_anonymous(answer)
            else frozenset()
        )

    views = (doors.view_of(view.old, 25), doors.view_of(view.new, 25))
    untagged = doors.where(views, lambda answers: not tag(old, answers[0]) <= tag(new, answers[1]))
    if hybrid and (untagged & hybrid) - losing:
        yield Finding(
            "hybrid_shut_out",
            STOP,
            f"Exchange Online's {ranges((untagged & hybrid) - losing)} would meet a connector "
            "without the hybrid capability.",
        )
    if not hybrid and untagged & doors.public(view.named):
        names = listed(
            f"'{view.before.receive[name]['name']}'" for name, tags in old.items() if tags
        )
        yield Finding(
            "hybrid_shut_out",
            STOP,
            f"The receive connector {names} is the hybrid path from Exchange Online, which would "
            "be shut. Name its ranges in hybrid_ranges; where Exchange Online is the filtering "
            "provider itself, name them in provider_ranges and in hybrid_ranges.",
        )


def _internet(view: Sides) -> t.Iterator[Finding]:
    locks = view.networks.inbound_lock
    for port in view.ports:
        opening = strangers.sending(view.new, view.networks, port)
        # A lock claims to shut port 25. What is open elsewhere is told, and keeps the site from
        # being called in order.
        if (
            port == 25
            and builtin_connectors.is_wide(opening.senders.v6)
            and not builtin_connectors.is_wide(opening.senders.v4)
        ):
            four = doors.public(view.named) & EVERYTHING_V4
            if locks or view.losing(doors.accepts_anonymous, [port]) & four:
                yield Finding(
                    "ipv6_open", STOP, f"{opening.words('could still')[:-1]}, while IPv4 is shut."
                )
                opening = opening.only(EVERYTHING_V4)
        if opening and strangers.judged(view.networks):
            severity = (
                STOP
                if port == 25 and locks and builtin_connectors.is_wide(opening.senders)
                else WARN
            )
            hint = _how_to_close(view, opening) if locks else ""
            yield Finding(
                "still_open",
                severity,
                f"{opening.words('could still')}{hint}{_not_ours(view, opening)}",
            )


def _how_to_close(view: Sides, opening: strangers.Opening) -> str:
    """What closes a door that a lock leaves: a firewall may map port 25 to any other one, and who
    is heard by a narrow connector was let in by somebody.
    """
    names = [name for name, part in sorted(opening.parts.items()) if part]
    connectors = [view.after.receive[name.casefold()] for name in names]
    if any(
        builtin_connectors.inner_reason(connector, view.after.server) for connector in connectors
    ):
        return ""
    if opening.port != 25:
        return f" To close port {opening.port} as well, name it in the bindings of inbound_lock."
    if builtin_connectors.is_wide(opening.senders):
        return ""
    closing = listed(_taken_out(view, name, opening.parts[name]) for name in names)
    return f" If they are not meant to, write in receive_connectors {closing}."


def _taken_out(view: Sides, name: str, senders: RangeSet) -> str:
    """What is to be written so that a narrow connector hears some senders no more. A provider's
    range that has left the description is one of these: nothing tells it from a partner's.
    """
    quoted = name.replace("'", "''")
    # Exchange has no connector without a range.
    if not view.after.receive[name.casefold()]["remote_ip_ranges"] - senders:
        return f"{{name: '{quoted}', enabled: false}}"
    return f"{{name: '{quoted}', remote_ip_ranges: {{remove: [{', '.join(senders.to_texts())}]}}}}"


def _not_ours(view: Sides, opening: strangers.Opening) -> str:
    """What keeps a connector open that no change of the connector takes away."""
    behind = [
        f"'{name}' has {listed(entries)}"
        for name, part in sorted(opening.parts.items())
        for entries in [rights.fixed_entries(view.after.receive[name.casefold()])]
        if part and entries
    ]
    if not behind:
        return ""
    return (
        f" {'; '.join(behind)}: this is not taken away here. "
        "Remove it where it was given, with Remove-ADPermission."
    )


def _relay(view: Sides) -> t.Iterator[Finding]:
    for port in view.ports:
        opening = strangers.relaying(view.new, view.networks, port)
        fresh = opening.senders - strangers.relaying(view.old, view.networks, port).senders
        if fresh:
            yield Finding("open_relay", STOP, opening.only(fresh).words("could"))
        elif opening:
            yield Finding("open_relay", WARN, f"{opening.words('can')[:-1]}, as before.")


def _wizard(view: Sides, changes: t.Sequence[Change]) -> t.Iterator[Finding]:
    """Told by what a first lock never meets: the provider has its narrow connector already, and the
    hybrid one is wide again.
    """
    provider = view.networks.provider
    if not provider:
        return
    closed = {
        change.key.casefold()
        for change in changes
        if change.table == RECEIVE.name and change.action != Action.CREATE
    }
    answers = doors.answers_of(view.old, provider)
    narrow = [answer for answer in answers if doors.accepts_anonymous(answer) and answer.connector]
    if not narrow or len(narrow) != len(answers):
        return
    for answer in narrow:
        if builtin_connectors.hears_internet(
            view.before.receive[t.cast(str, answer.connector).casefold()]
        ):
            return
    for answer, part in doors.answers_of(view.old, doors.public(view.named)).items():
        key = (answer.connector or "").casefold()
        if (
            not doors.accepts_anonymous(answer)
            or not builtin_connectors.is_wide(part)
            or key not in view.before.receive
        ):
            continue
        if builtin_connectors.hybrid_capabilities(view.before.receive[key]) and key in closed:
            yield Finding(
                "hybrid_wizard_undone",
                WARN,
                f"The receive connector '{answer.connector}' carries the hybrid path and hears the "
                "whole internet again beside the provider's own connector. The hybrid wizard does "
                "that when it is run again; tell it to leave receive connectors alone.",
            )
