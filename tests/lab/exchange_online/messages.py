# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a message that was taken at RCPT: transport rules, and who is not filtered.

Known from: facts exchange_online §1.4 (a rule takes the message at SMTP and acts afterwards; in
mode Audit it only says so; voicemail and forwarded meetings need exceptions), §1.2 (Enhanced
Filtering: EFSkipLastIP, EFSkipIPs, EFUsers; addresses that are let past the filter: the allow list
of the connection filter, the perimeter's gateways, rules that set SCL -1), Microsoft's
documentation of FromScope (who is not authenticated is not in the organization, whatever domain is
claimed). How Enhanced Filtering and a rule's SenderIpRanges meet is unverified: here a rule looks
at the server that delivers.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.attribution import (
    ACCEPTED,
    Hop,
    answer,
    attributed,
    domain_of,
    within,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.objects import Row
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.tenant import Tenant

DELIVERED, REFUSED, QUARANTINED = "delivered", "refused", "quarantined"
DELETED, BOUNCED, REROUTED = "deleted", "bounced", "rerouted"
_ENDS: t.Mapping[str, str] = {
    "DeleteMessage": DELETED,
    "Quarantine": QUARANTINED,
    "RejectMessageReasonText": BOUNCED,
    "RedirectMessageTo": REROUTED,
    "RouteMessageOutboundConnector": REROUTED,
}


@dataclass(frozen=True)
class Message:
    """A message and its envelope. `header_from`: the sender that people see, the envelope's where
    nothing is said. `kind`: Voicemail and so on. `path`: the servers that it came by before, the
    first one first.
    """

    sender: str
    recipient: str
    header_from: str = ""
    subject: str = ""
    kind: str = ""
    headers: t.Mapping[str, str] = field(default_factory=dict)
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fate:
    """What became of it. `reply` is that of RCPT; `end` one of the words above; `rules` acted,
    `audited` would have; `filtered`: whether the spam filter was asked; `judged_as`: whose address
    it was asked about.
    """

    reply: str
    end: str
    rules: tuple[str, ...] = ()
    audited: tuple[str, ...] = ()
    filtered: bool = True
    judged_as: str = ""


def deliver(tenant: Tenant, hop: Hop, message: Message) -> Fate:
    """Hand a message to the tenant's mail servers."""
    reply = answer([tenant], hop, message.sender, message.recipient)
    if reply != ACCEPTED:
        return Fate(reply, REFUSED, filtered=False, judged_as=hop.address)
    tables = tenant.in_force()
    connector = attributed(tables, hop, message.sender, message.recipient)
    (policy,) = tables["HostedConnectionFilterPolicy"]
    (perimeter,) = tables["PerimeterConfig"]
    filtered = not within(hop.address, (*policy["IPAllowList"], *perimeter["GatewayIPAddresses"]))
    rules, audited, end = [], [], DELIVERED
    for rule in sorted(tables["TransportRule"], key=lambda row: int(row["Priority"])):
        if rule["State"] != "Enabled" or not _applies(tenant, rule, hop, message, connector):
            continue
        if rule["Mode"] != "Enforce":
            audited.append(rule["Name"])
            continue
        rules.append(rule["Name"])
        if rule["SetSCL"] == -1:
            filtered = False
        ends = [word for action, word in _ENDS.items() if rule[action]]
        end = ends[0] if ends and end == DELIVERED else end
        if rule["StopRuleProcessing"] or end == DELETED:
            break
    return Fate(
        reply,
        end,
        tuple(rules),
        tuple(audited),
        filtered,
        _seen(connector, hop, message),
    )


def _seen(connector: Row | None, hop: Hop, message: Message) -> str:
    """The address that Enhanced Filtering, or nothing, makes of the way."""
    way = [*message.path, hop.address]
    if connector is None:
        return hop.address
    users = [user.casefold() for user in connector["EFUsers"]]
    if users and message.recipient.casefold() not in users:
        return hop.address
    if connector["EFSkipLastIP"]:
        return way[-2] if len(way) > 1 else hop.address
    while len(way) > 1 and connector["EFSkipIPs"] and within(way[-1], connector["EFSkipIPs"]):
        way.pop()
    return way[-1]


def _applies(tenant: Tenant, rule: Row, hop: Hop, message: Message, connector: Row | None) -> bool:
    known = _facts(tenant, rule, hop, message, connector)
    conditions_met = [
        test(rule[name]) for name, test in known.items() if rule[name] not in (None, False, [])
    ]
    excepted = [
        test(rule[f"ExceptIf{name}"])
        for name, test in known.items()
        if rule[f"ExceptIf{name}"] not in (None, False, [])
    ]
    return all(conditions_met) and not any(excepted) and _headers(rule, message)


def _facts(
    tenant: Tenant, rule: Row, hop: Hop, message: Message, connector: Row | None
) -> dict[str, t.Callable[[t.Any], bool]]:
    """Each condition that the lab knows → whether a message meets a value of it."""
    seen = message.header_from or message.sender
    senders = {"Header": [seen], "Envelope": [message.sender]}.get(
        rule["SenderAddressLocation"], [seen, message.sender]
    )
    trusted = connector is not None and (
        connector["CloudServicesMailEnabled"] or connector["TreatMessagesAsInternal"]
    )
    inside = trusted and any(tenant.accepts(domain_of(sender)) is not None for sender in senders)
    scope = "InOrganization" if inside else "NotInOrganization"
    to_scope = (
        "InOrganization" if tenant.accepts(domain_of(message.recipient)) else "NotInOrganization"
    )

    def words(texts: t.Iterable[str]) -> t.Callable[[t.Any], bool]:
        held = [text.casefold() for text in texts]
        return lambda value: any(word.casefold() in text for word in value for text in held)

    def patterns(texts: t.Sequence[str]) -> t.Callable[[t.Any], bool]:
        return lambda value: any(
            re.search(pattern, text, re.IGNORECASE) for pattern in value for text in texts
        )

    def domains(addresses: t.Iterable[str]) -> t.Callable[[t.Any], bool]:
        held = [domain_of(address) for address in addresses]
        return lambda value: any(
            subdomain == domain.casefold() or subdomain.endswith(f".{domain.casefold()}")
            for domain in value
            for subdomain in held
        )

    return {
        "FromScope": lambda value: bool(value == scope),
        "SentToScope": lambda value: bool(value == to_scope),
        "SenderIpRanges": lambda value: within(hop.address, value),
        "MessageTypeMatches": lambda value: bool(value == message.kind),
        "SenderDomainIs": domains(senders),
        "RecipientDomainIs": domains([message.recipient]),
        "FromAddressContainsWords": words(senders),
        "FromAddressMatchesPatterns": patterns(senders),
        "RecipientAddressContainsWords": words([message.recipient]),
        "SubjectContainsWords": words([message.subject]),
        "SentTo": lambda value: message.recipient.casefold() in map(str.casefold, value),
        "HasNoClassification": lambda value: True,
        "SCLOver": lambda value: False,
    }


def _headers(rule: Row, message: Message) -> bool:
    """Conditions and exceptions about a header, which are pairs of parameters."""
    held = {name.casefold(): text for name, text in message.headers.items()}

    def meets(prefix: str) -> list[bool]:
        matches = []
        name, words = (
            rule[f"{prefix}HeaderContainsMessageHeader"],
            rule[f"{prefix}HeaderContainsWords"],
        )
        if name:
            text = held.get(name.casefold(), "").casefold()
            matches.append(any(word.casefold() in text for word in words))
        name, patterns = (
            rule[f"{prefix}HeaderMatchesMessageHeader"],
            rule[f"{prefix}HeaderMatchesPatterns"],
        )
        if name:
            text = held.get(name.casefold(), "")
            matches.append(any(re.search(pattern, text, re.IGNORECASE) for pattern in patterns))
        return matches

    return all(meets("")) and not any(meets("ExceptIf"))
