# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may deliver to a tenant, and what refuses everybody else.

There are two holes, and people take the one for the other. Direct delivery: anybody may hand mail
to the tenant's own endpoint, past the filter that the MX names. Direct Send: the same with a sender
of the tenant's own domains. RejectDirectSend closes the second alone; a Partner connector for all
senders that restricts, or a rule in force, closes both. A connector of the type OnPremises
identifies senders and refuses nobody.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.resources import (
    CONNECTOR_SOURCE,
    ENFORCE,
    FURTHER,
    HYBRID_WIZARD,
    ON_PREMISES,
    OUTSIDE,
    PARTNER,
    STOPS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.state import (
    Canonical,
    TenantState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet

ENOUGH = 6
"""So many ranges stand in a sentence."""


@dataclass(frozen=True)
class Named:
    """Whom the site's description names: by their addresses (IPv4) or by the names of their
    certificates, in lower case.
    """

    provider: RangeSet = field(default_factory=RangeSet)
    provider_certificate: str = ""
    on_premises: RangeSet = field(default_factory=RangeSet)
    on_premises_certificate: str = ""

    @property
    def ranges(self) -> RangeSet:
        """All addresses."""
        return self.provider | self.on_premises

    @property
    def certificates(self) -> frozenset[str]:
        """All names of certificates."""
        return frozenset(filter(None, (self.provider_certificate, self.on_premises_certificate)))


def ranges_of(row: Canonical, option: str) -> RangeSet:
    """A list of ranges of an object, empty where it has none."""
    value = row.get(option)
    return value if isinstance(value, RangeSet) else RangeSet()


def by_address(row: Canonical) -> RangeSet:
    """Whom a connector admits by address where it refuses others by it."""
    if not row.get("restrict_domains_to_ip_addresses"):
        return RangeSet()
    return ranges_of(row, "sender_ip_addresses")


def by_certificate(row: Canonical) -> str:
    """Whom it admits by certificate where it refuses others by it."""
    if not row.get("restrict_domains_to_certificate"):
        return ""
    return str(row.get("tls_sender_certificate_name") or "")


def certain(row: Canonical) -> tuple[RangeSet, str]:
    """Whom a connector certainly admits: one that wants an address and a certificate, nobody whose
    other half is not known.
    """
    ranges, certificate = by_address(row), by_certificate(row)
    both = row.get("restrict_domains_to_ip_addresses") and row.get(
        "restrict_domains_to_certificate"
    )
    return (RangeSet(), "") if both else (ranges, certificate)


def restricts(row: Canonical) -> bool:
    """Whether a connector refuses whoever it does not name, of all senders."""
    return bool(admits(row) and "*" in (row.get("sender_domains") or ()))


def admits(row: Canonical) -> bool:
    """Whether a connector refuses whoever it does not name, of some senders at least, and lets the
    others past connectors that refuse all (unverified: of several, one has to be met).
    """
    return bool(
        row.get("enabled")
        and row.get("connector_type") == PARTNER
        and (by_address(row) or by_certificate(row))
    )


def is_of_wizard(row: Canonical) -> bool:
    """Whether Microsoft's hybrid wizard has made a connector, and makes it again."""
    return str(row.get(CONNECTOR_SOURCE) or "").casefold() == HYBRID_WIZARD.casefold()


def covers(row: Canonical, domain: str) -> bool:
    """Whether a connector is about mail to a domain of the tenant."""
    only = row.get("associated_accepted_domains") or frozenset()
    return not only or domain in only


def covering(state: TenantState, domain: str) -> list[Canonical]:
    """The connectors that refuse strangers who send to a domain."""
    return [row for row in state.connectors.values() if restricts(row) and covers(row, domain)]


def closing(state: TenantState) -> list[Canonical]:
    """The connectors that refuse strangers who send to any domain of the tenant."""
    return [
        row
        for row in state.connectors.values()
        if restricts(row) and not row.get("associated_accepted_domains")
    ]


def uncovered(state: TenantState) -> list[str]:
    """The domains to which strangers may send; "" where the domains are not known."""
    if closing(state):
        return []
    return [domain for domain in state.domains or ("",) if not covering(state, domain)]


def rules_in_force(state: TenantState) -> list[Canonical]:
    """The rules that quarantine what comes from outside, except from addresses that they name."""
    return [
        row
        for row in state.rules.values()
        if row.get("enabled")
        and row.get("mode") == ENFORCE
        and is_lock(row)
        and not _passed_over(row, state)
    ]


def _passed_over(rule: Canonical, state: TenantState) -> bool:
    """Whether a rule before this one may end the rules for a message."""
    return any(
        row.get("enabled")
        and row.get(STOPS)
        and row is not rule
        and (row.get("priority") or 0) <= (rule.get("priority") or 0)
        for row in state.rules.values()
    )


def is_lock(row: Canonical) -> bool:
    """Whether a rule is about all mail from outside but that of some addresses."""
    return bool(
        row.get("from_scope") == OUTSIDE
        and row.get("quarantine")
        and ranges_of(row, "except_if_sender_ip_ranges")
        and not row.get(FURTHER)
    )


def admitting(state: TenantState) -> list[Canonical]:
    """The connectors that let somebody past those that refuse all others: also those for a part of
    the senders, or of the domains.
    """
    return [row for row in state.connectors.values() if admits(row)] if closing(state) else []


def admitted(state: TenantState) -> tuple[RangeSet, frozenset[str]]:
    """Whom connectors and rules that refuse others let through: addresses and certificates."""
    ranges = RangeSet()
    certificates: set[str] = set()
    for row in admitting(state):
        ranges = ranges | by_address(row)
        certificates |= {by_certificate(row)} - {""}
    if not closing(state):
        for row in rules_in_force(state):
            ranges = ranges | ranges_of(row, "except_if_sender_ip_ranges")
    return ranges, frozenset(certificates)


def certainly_admitted(state: TenantState) -> tuple[RangeSet, frozenset[str]]:
    """The same, of whom it is certain: what a lock needs for those whom it must not shut out."""
    if not closing(state):
        return admitted(state)
    ranges = RangeSet()
    certificates: set[str] = set()
    for row in closing(state):
        its_ranges, its_certificate = certain(row)
        ranges = ranges | its_ranges
        certificates |= {its_certificate} - {""}
    return ranges, frozenset(certificates)


def names(rows: t.Iterable[Canonical]) -> str:
    """Objects for a sentence."""
    return " and ".join(f"'{row['name']}'" for row in rows)


def some(ranges: RangeSet) -> str:
    """Ranges for a sentence."""
    texts = ranges.to_texts()
    more = len(texts) - ENOUGH
    return ", ".join(texts[:ENOUGH]) + (f" and {more} more ranges" if more > 0 else "")


def strangers(state: TenantState, named: Named) -> list[str]:
    """Who may deliver and is not named, in sentences, each once; empty where nobody may."""
    ways_in: list[str] = []
    if not closing(state) and not rules_in_force(state):
        where = _to(state)
        ways_in.append(
            f"Anybody on the internet may deliver{where} straight to the tenant, past the filter "
            "(direct delivery): no Partner connector for all senders refuses them, and no rule "
            "that is in force quarantines it."
        )
        if not state.organization.get("reject_direct_send"):
            ways_in.append(
                f"Anybody on the internet may do so with a sender of the tenant's own domains "
                f"(Direct Send){where}: RejectDirectSend is not set."
            )
    ranges, certificates = admitted(state)
    if ranges - named.ranges:
        ways_in.append(
            f"{some(ranges - named.ranges)} may deliver past the filter, by "
            f"{_by(state, named)}, and the description names them nowhere."
        )
    for certificate in sorted(certificates - named.certificates):
        rows = [row for row in admitting(state) if by_certificate(row) == certificate]
        ways_in.append(
            f"Whoever has a certificate for {certificate} may deliver past the filter, by the "
            f"connector {names(rows)}, and the description names it nowhere."
        )
    return ways_in


def ways_past_rules(state: TenantState) -> list[str]:
    """How a stranger gets past what refuses or quarantines all others, in sentences: where that is
    a rule alone, by what it spares, which anybody can write into a message.
    """
    if closing(state):
        return []
    return [
        f"The rule '{row['name']}' spares what says of itself that it is a voice message or a "
        "forwarded meeting, and anybody can write that into a message."
        for row in rules_in_force(state)
        if row.get("except_if_header_contains_words") or row.get("except_if_message_type_matches")
    ]


def unnamed_on_premises(state: TenantState, named: Named) -> list[str]:
    """Whom connectors of the type OnPremises know, and the description does not name, in sentences.

    Whether Exchange Online lets them past a lock is unverified: they could get in. A certificate
    for a domain of the tenant is the organization's own.
    """
    if not closing(state) and not rules_in_force(state):
        return []
    sentences = []
    for row in on_premises(state):
        ranges = ranges_of(row, "sender_ip_addresses") - named.ranges
        certificate = str(row.get("tls_sender_certificate_name") or "")
        own = any(f".{certificate}".endswith(f".{domain}") for domain in state.domains if domain)
        unnamed = [some(ranges)] if ranges else []
        if certificate and not own and certificate not in named.certificates:
            unnamed.append(f"whoever has a certificate for {certificate}")
        if unnamed:
            sentences.append(
                f"The connector '{row['name']}' of the type OnPremises knows "
                f"{' and '.join(unnamed)}, whom the description does not name. Whether Exchange "
                "Online lets them past a lock is not known."
            )
    return sentences


def _to(state: TenantState) -> str:
    open_domains = uncovered(state)
    if not open_domains or open_domains == [""] or len(open_domains) == len(state.domains):
        return ""
    return f" mail to {', '.join(open_domains[:ENOUGH])}"


def _by(state: TenantState, named: Named) -> str:
    rows = [row for row in admitting(state) if by_address(row) - named.ranges]
    if rows:
        return f"the connector {names(rows)}"
    rows = [
        row
        for row in rules_in_force(state)
        if ranges_of(row, "except_if_sender_ip_ranges") - named.ranges
    ]
    return f"an exception of the rule {names(rows)}"


def on_premises(state: TenantState) -> list[Canonical]:
    """The connectors by which the organization's own servers deliver."""
    return [
        row
        for row in state.connectors.values()
        if row.get("enabled") and row.get("connector_type") == ON_PREMISES
    ]


def is_admitted(row: Canonical, state: TenantState) -> bool:
    """Whether the senders of a connector get through the connectors that refuse others."""
    ranges, certificates = certainly_admitted(state)
    own = ranges_of(row, "sender_ip_addresses")
    certificate = str(row.get("tls_sender_certificate_name") or "")
    if certificate and _matches(certificate, certificates):
        return True
    return bool(own) and own <= ranges


def _matches(name: str, certificates: t.Collection[str]) -> bool:
    """Whether the certificate of a name is one of those; ``*.x`` is for every name right in x."""
    wildcard = f"*.{name.partition('.')[2]}"
    return name in certificates or wildcard in certificates


def bypasses(state: TenantState) -> list[str]:
    """What goes past the tenant's own filtering, in sentences."""
    sentences = []
    if state.allowed:
        sentences.append(
            f"The connection filter lets {', '.join(state.allowed[:ENOUGH])} past spam filtering "
            "(IPAllowList)."
        )
    if state.gateways:
        sentences.append(
            f"The perimeter configuration names the gateways {', '.join(state.gateways[:ENOUGH])}, "
            "whose own senders are judged in their place."
        )
    rows = [
        row
        for row in state.rules.values()
        if row.get("enabled") and str(row.get("set_scl")) == "-1"
    ]
    if rows:
        sentences.append(f"The rule {names(rows)} lets mail past spam filtering (SetSCL -1).")
    return sentences
