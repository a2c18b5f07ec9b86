# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What locks a tenant, as rows that are desired; on a tenant as it is, whatever its names."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import model
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.model import Named
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.resources import (
    AUDIT,
    CONNECTOR,
    ENFORCE,
    ORGANIZATION,
    OUTSIDE,
    PARTNER,
    RULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.state import (
    Canonical,
    TenantState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

BY_CONNECTOR, BY_RULE, NOTHING = "connector", "rule", "none"
METHODS = (BY_CONNECTOR, BY_RULE, NOTHING)
LAST_HOP, RANGES, OFF = "last_hop", "provider_ranges", "off"
FILTERING = (LAST_HOP, RANGES, OFF)


@dataclass(frozen=True)
class Wish:
    """What the options ask for. `direct_send`: whether RejectDirectSend is to be set, None: as it
    is. `filtering` is Enhanced Filtering, None: as it is. `certificate_only`: the provider is
    named by its certificate, and its addresses are for the rule and Enhanced Filtering alone.
    """

    name: str
    method: str
    named: Named = field(default_factory=Named)
    enforce: bool = False
    require_tls: bool = True
    direct_send: bool | None = None
    filtering: str | None = None

    @property
    def rule_name(self) -> str:
        """The rule of ours."""
        return f"{self.name}: only through the filter"

    @property
    def address_name(self) -> str:
        """Our connector that admits by address."""
        return f"{self.name} by address"

    def certificate_name(self, number: int) -> str:
        """Our connectors that admit by certificate."""
        return f"{self.name} by certificate" + (f" {number}" if number > 1 else "")


def check(wish: Wish) -> None:
    """Raise PlanError for a wish that would shut out all mail, or cannot be made."""
    named = wish.named
    if wish.method == BY_CONNECTOR and not (named.provider_certificate or named.provider.v4):
        raise PlanError(
            "Nothing says who the filtering provider is, so that a lock would refuse all mail. "
            "Nothing was changed. Name its certificate in provider_certificate, or its addresses "
            "(IPv4) in provider_ranges."
        )
    if wish.method == BY_RULE and not named.provider.v4:
        raise PlanError(
            "A transport rule knows senders by their addresses alone, and provider_ranges names "
            "none (IPv4). Nothing was changed. Name them, or lock by a connector."
        )
    if wish.filtering == RANGES and not named.provider.v4:
        raise PlanError(
            "Enhanced Filtering is to skip the provider's addresses, and provider_ranges names "
            "none (IPv4). Nothing was changed."
        )


def desired(wish: Wish, state: TenantState) -> list[Desired[str]]:
    """The rows that lock the tenant. Raises PlanError."""
    check(wish)
    rows: list[Desired[str]] = []
    if wish.method == BY_CONNECTOR:
        rows += _connectors(wish, state)
    elif wish.method == BY_RULE:
        rows.append(_rule(wish, state))
    if wish.direct_send is not None:
        rows.append(
            Desired(
                ORGANIZATION.name,
                ORGANIZATION.name,
                {"reject_direct_send": wish.direct_send},
            )
        )
    return rows


def admitted_by_address(wish: Wish) -> RangeSet:
    """Whom the connector by address is to admit: those who are not known by a certificate."""
    named = wish.named
    ranges = RangeSet() if named.provider_certificate else named.provider.v4
    if not named.on_premises_certificate:
        ranges = ranges | named.on_premises.v4
    return ranges


def _connectors(wish: Wish, state: TenantState) -> t.Iterator[Desired[str]]:
    named, ours = wish.named, {wish.address_name.casefold()}
    ranges = admitted_by_address(wish)
    certificates = list(
        dict.fromkeys(filter(None, (named.provider_certificate, named.on_premises_certificate)))
    )
    used: set[str] = set()
    for number, certificate in enumerate(certificates, 1):
        name = wish.certificate_name(number)
        if name.casefold() not in state.connectors:
            name = _held_by_certificate(certificate, state) or name
        used.add(name.casefold())
        of_provider = certificate == named.provider_certificate
        yield Desired(
            CONNECTOR.name,
            name,
            {
                **_PARTNER,
                "tls_sender_certificate_name": certificate,
                "restrict_domains_to_certificate": True,
                "restrict_domains_to_ip_addresses": False,
                "sender_ip_addresses": [],
                "require_tls": True,
                **(_filtering(wish) if of_provider else {}),
            },
        )
    if ranges:
        name = wish.address_name
        if name.casefold() not in state.connectors:
            name = _held_by_address(ranges, state, used) or name
        used.add(name.casefold())
        yield Desired(
            CONNECTOR.name,
            name,
            {
                **_PARTNER,
                "sender_ip_addresses": ranges.to_cidrs(),
                "restrict_domains_to_ip_addresses": True,
                "restrict_domains_to_certificate": False,
                "tls_sender_certificate_name": "",
                "require_tls": wish.require_tls,
                **({} if named.provider_certificate else _filtering(wish)),
            },
        )
    ours |= {wish.certificate_name(number).casefold() for number in (1, 2)}
    # What an earlier description has made and this one does not need.
    for key in sorted((ours - used) & set(state.connectors)):
        yield Desired(CONNECTOR.name, state.connectors[key]["name"], None)


_PARTNER: t.Mapping[str, t.Any] = {
    "enabled": True,
    "connector_type": PARTNER,
    "sender_domains": ["*"],
    "associated_accepted_domains": [],
}


def _filtering(wish: Wish) -> dict[str, t.Any]:
    if wish.filtering is None:
        return {}
    return {
        "ef_skip_last_ip": wish.filtering == LAST_HOP,
        "ef_skip_ips": wish.named.provider.v4.to_cidrs() if wish.filtering == RANGES else [],
    }


def _candidates(state: TenantState) -> list[Canonical]:
    """The connectors that a colleague may have made for the same, in a steady order."""
    return [
        row
        for _key, row in sorted(state.connectors.items())
        if row.get("enabled")
        and row.get("connector_type") == PARTNER
        and "*" in (row.get("sender_domains") or ())
        and not model.is_of_wizard(row)
    ]


def _held_by_certificate(certificate: str, state: TenantState) -> str:
    """The connector that is about this certificate already; empty where there is none."""
    for row in _candidates(state):
        if row.get("tls_sender_certificate_name") == certificate:
            return str(row["name"])
    return ""


def _held_by_address(ranges: RangeSet, state: TenantState, used: t.Collection[str]) -> str:
    """The connector whose addresses are the most of these; empty where none has any of them.

    One that names others as well is not taken: what it names is somebody's, and is told.
    """
    best, most = "", 0
    for row in _candidates(state):
        held = model.ranges_of(row, "sender_ip_addresses")
        size = (held & ranges).size
        if held and held <= ranges and size > most and str(row["name"]).casefold() not in used:
            best, most = str(row["name"]), size
    return best


# Mail that comes straight from outside though it is in order (facts on the public recipes): left
# voice messages, and invitations that somebody forwards. The last is a text that anybody can write.
MEETING_HEADER, MEETING_WORD = "x-ms-exchange-meetingforward-message", "forward"


def _rule(wish: Wish, state: TenantState) -> Desired[str]:
    named = wish.named
    held = next(
        (
            str(row["name"])
            for _key, row in sorted(state.rules.items())
            if model.is_lock(row)
            and model.ranges_of(row, "except_if_sender_ip_ranges") <= named.ranges
        ),
        "",
    )
    return Desired(
        RULE.name,
        held or wish.rule_name,
        {
            "enabled": True,
            "priority": 0,
            "mode": ENFORCE if wish.enforce else AUDIT,
            "from_scope": OUTSIDE,
            "sender_address_location": "Header",
            "quarantine": True,
            "except_if_sender_ip_ranges": named.ranges.v4.to_cidrs(),
            "except_if_message_type_matches": "Voicemail",
            "except_if_header_contains_message_header": MEETING_HEADER,
            "except_if_header_contains_words": [MEETING_WORD],
        },
    )
