# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the provider's connector lets through, beside whom it hears: sizes, recipients, hops,
connections, timeouts, TLS.

A new connector has Exchange's own limits. The provider had those of the connector that it met, so
a new one takes them over, as far as the description does not name them. Later the connector must
let through at least what the one does that it stands for: the first is told by the comment of the
second, and where that is gone, by whom the provider would meet without it. So a limit that starves
the provider is a change to make, named or not; one that lets more through is nobody's loss.
"""

from __future__ import annotations

import functools
import itertools
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import doors
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.kinds import UNLIMITED

Connector = t.Mapping[str, t.Any]
Options = t.Mapping[str, t.Any]

# Of which the bigger value lets more through.
_BIGGER = (
    "max_message_size",
    "max_header_size",
    "max_hop_count",
    "max_local_hop_count",
    "max_recipients_per_message",
    "max_inbound_connection",
    "max_protocol_errors",
    "message_rate_limit",
    "connection_timeout",
    "connection_inactivity_timeout",
)
# Of which the smaller one does, and False.
_SMALLER = (
    "tarpit_interval",
    "require_tls",
    "require_ehlo_domain",
    "bare_linefeed_rejection_enabled",
    "reject_reserved_top_level_recipient_domains",
    "reject_reserved_second_level_recipient_domains",
    "reject_single_label_recipient_domains",
)
# What a new connector has at least, by any version (Set-ReceiveConnector.md; 10 MB before 2013, and
# on an Edge server the rate and the times). Who made one by hand has meant that, or nothing.
_USUAL: t.Mapping[str, t.Any] = {
    "max_message_size": 10 << 20,
    "max_header_size": 128 << 10,
    "max_hop_count": 30,
    "max_local_hop_count": 5,
    "max_recipients_per_message": 200,
    "max_inbound_connection": 5000,
    "max_protocol_errors": 5,
    "message_rate_limit": 600,
    "connection_timeout": 300,
    "connection_inactivity_timeout": 60,
    "tarpit_interval": 5,
    **dict.fromkeys(_SMALLER[1:], False),
}
# Of which none is more. Taken over by a new connector, and later anybody's own business.
_AS_IT_IS = (
    "fqdn",
    "banner",
    "default_domain",
    "tls_certificate_name",
    "tls_domain_capabilities",
    "domain_secure_enabled",
    "message_rate_source",
    "max_acknowledgement_delay",
    "size_enabled",
    "pipelining_enabled",
    "chunking_enabled",
    "binary_mime_enabled",
    "eight_bit_mime_enabled",
    "delivery_status_notification_enabled",
    "enhanced_status_codes_enabled",
)
OVERRIDABLE = (*_BIGGER, "tarpit_interval", "domain_secure_enabled", "tls_domain_capabilities")
"""Options of inbound_lock that say what the provider's connector lets through."""

_HEAD, _TAIL = "Hears the provider in place of '", "'."


def of_provider(
    state: State,
    provider: RangeSet,
    entry: Options,
    ports: t.Iterable[int],
    *,
    hybrid: bool = False,
) -> dict[str, t.Any]:
    """What the wish `entry` for the provider's connector needs beside what it says itself, in input
    form.

    `ports` are those that the provider may come by, the likeliest first. `hybrid`: the provider is
    Exchange Online, so that the connector follows what the hybrid wizard does to its own one.
    """
    ours = state.receive.get(entry["name"].casefold())
    sources = _sources(state, ours, entry["name"], provider, ports)
    if not sources:
        return {}
    if ours is None:
        limits = {**_first(sources[0], state), **_widest(sources)}
        limits = {
            option: value
            for option, value in limits.items()
            if not RECEIVE.properties[option].set_only
        }
        limits["comment"] = f"{_HEAD}{sources[0]['name']}{_TAIL}"
    else:
        widest = _widest(sources)
        limits = {
            option: value
            for option, value in widest.items()
            if _starves(option, ours.get(option), value)
        }
        limits.update(_of_the_wizard(ours, sources[0]) if hybrid else {})
    shown = {
        option: value if option == "comment" else RECEIVE.properties[option].kind.show(value)
        for option, value in limits.items()
        if option not in entry
    }
    return {option: value for option, value in shown.items() if _goes_with(option, value, entry)}


class Starved(t.NamedTuple):
    """A connector that lets less through than the one which the provider would meet without it.

    `less`: option, what it has, what the other one has, in input form.
    """

    name: str
    source: str
    less: tuple[tuple[str, t.Any, t.Any], ...]


def starved(state: State, provider: RangeSet) -> list[Starved]:
    """Connectors that take the provider's mail and that no lock has made, which widens its own."""
    limits_reached = []
    for answer in doors.answers_of(state.receive.values(), provider):
        held = state.receive.get((answer.connector or "").casefold())
        if held is None or not doors.accepts_anonymous(answer) or _source_named(held):
            continue
        for source in _sources(
            state, None, held["name"], provider & held["remote_ip_ranges"], (25,)
        )[:1]:
            kind = {option: RECEIVE.properties[option].kind for option in (*_BIGGER, *_SMALLER)}
            less = [
                (option, kind[option].show(held[option]), kind[option].show(value))
                for option, value in _widest([source]).items()
                if _starves(option, held.get(option), value)
                and _starves(option, held[option], _USUAL[option])
            ]
            if less:
                limits_reached.append(Starved(held["name"], source["name"], tuple(less)))
    return sorted(limits_reached)


def _source_named(connector: Connector) -> str:
    """The name that the comment of a lock's own connector says; empty for any other one."""
    comment = str(connector.get("comment") or "")
    return (
        comment[len(_HEAD) : -len(_TAIL)]
        if comment.startswith(_HEAD) and comment.endswith(_TAIL)
        else ""
    )


def _sources(
    state: State, ours: Connector | None, name: str, provider: RangeSet, ports: t.Iterable[int]
) -> list[Connector]:
    """The connectors that heard the provider until ours did, the one that heard most first."""
    named = state.receive.get(_source_named(ours or {}).casefold())
    if named is not None:
        return [named]
    others = [connector for key, connector in state.receive.items() if key != name.casefold()]
    # On an older server the lock may have taken the one out of service.
    pools: tuple[list[Connector], ...] = (
        others,
        [{**connector, "enabled": True} for connector in others],
    )
    for pool, port in itertools.product(pools, ports):
        answers = doors.answers_of(pool, provider, port)
        heard = {answer: part for answer, part in answers.items() if answer.connector is not None}
        accepting = {
            answer: part for answer, part in heard.items() if doors.accepts_anonymous(answer)
        }
        ranked = sorted(
            (accepting or heard).items(), key=lambda item: (-item[1].size, item[0].names)
        )
        if ranked:
            names = dict.fromkeys(str(answer.connector).casefold() for answer, _part in ranked)
            return [state.receive[key] for key in names]
    return []


def _first(source: Connector, state: State) -> dict[str, t.Any]:
    limits = {option: source[option] for option in _AS_IT_IS if source.get(option)}
    limits.update((option, False) for option in _AS_IT_IS if source.get(option) is False)
    if limits.get("fqdn") in (state.server.fqdn.casefold(), state.server.name.casefold()):
        # What a new connector calls itself where nothing is said.
        del limits["fqdn"]
    return limits


def _widest(sources: t.Sequence[Connector]) -> dict[str, t.Any]:
    """Of each limit the value that lets most through, so that no part of the provider loses any."""
    widest: dict[str, t.Any] = {}
    for option in (*_BIGGER, *_SMALLER):
        values = [source[option] for source in sources if source.get(option) is not None]
        if values:
            widest[option] = max(values, key=functools.partial(_room, option))
    return widest


def _room(option: str, value: t.Any) -> float:
    """How much a value lets through; bigger is more."""
    if value == UNLIMITED:
        return float("inf")
    return float(value) if option in _BIGGER else -float(value)


def _of_the_wizard(ours: Connector, source: Connector) -> dict[str, t.Any]:
    """By the certificate the wizard's connector is known to Exchange Online, and Exchange Online by
    the capabilities to it (Set-ReceiveConnector.md). Each run of the wizard sets both.
    """
    limits: dict[str, t.Any] = {}
    option = "tls_domain_capabilities"
    held, wanted = (connector.get(option) or frozenset() for connector in (ours, source))
    if wanted - held:
        limits[option] = held | wanted
    certificate = source.get("tls_certificate_name")
    if certificate and certificate != ours.get("tls_certificate_name"):
        limits["tls_certificate_name"] = certificate
    return limits


def _starves(option: str, held: t.Any, source: t.Any) -> bool:
    return held is not None and _room(option, held) < _room(option, source)


def _goes_with(option: str, value: t.Any, entry: Options) -> bool:
    """Whether Exchange takes the option beside what the description says (rules.py)."""
    mechanisms = RECEIVE.properties["auth_mechanism"].parse(entry.get("auth_mechanism") or [])
    if option == "fqdn":
        return "ExchangeServer" not in mechanisms
    if option in ("require_tls", "domain_secure_enabled") and value:
        secure = "Tls" in mechanisms
        return secure and (option == "require_tls" or "ExternalAuthoritative" not in mechanisms)
    if option == "connection_inactivity_timeout" and entry.get("connection_timeout") is not None:
        parse = RECEIVE.properties["connection_timeout"].parse
        return bool(parse(value) < parse(entry["connection_timeout"]))
    return True
