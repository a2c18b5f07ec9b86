# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of the Exchange Online layer."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import model
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.exchangers import (
    GIVEN,
    HYBRID,
    Source,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.model import Named
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.recipe import (
    BY_CONNECTOR,
    LAST_HOP,
    RANGES,
    Wish,
    admitted_by_address,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.resources import (
    CONNECTOR,
    ORGANIZATION,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.state import (
    TenantState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.tables import (
    Change,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._tenant_names import is_tenant
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    WARN,
    Finding,
    Registry,
)

GUARDS = Registry(
    {
        **_ranges_guards.GUARDS,
        "mx_here": (
            "The MX of the domains is Exchange Online itself, so that a lock refuses the mail of "
            "the whole internet."
        ),
        "mx_elsewhere": (
            "DNS has an MX that the description does not name, so that its mail may be refused."
        ),
        "mx_unknown": (
            "Whether the MX of the domains is the filter is not known, and where it is Exchange "
            "Online itself a lock refuses the mail of the whole internet."
        ),
        "ipv6_shut_out": (
            "The provider has IPv6 addresses, which a connector or a rule cannot name: what it "
            "delivers over IPv6 would be refused."
        ),
        "provider_shut_out": "The provider, or a part of its addresses, would be refused.",
        "on_premises_shut_out": (
            "The organization's own servers deliver by a connector of the type OnPremises, and "
            "would be refused."
        ),
        "no_safe_order": (
            "Two connectors are needed, and the first that is made refuses what only the second "
            "lets in, until that one is in force."
        ),
        "hybrid_connector": (
            "A connector of Microsoft's hybrid wizard would be changed, which the wizard makes "
            "again as it was."
        ),
        "others_refused": "Who delivers straight to the tenant today would be refused.",
        "own_senders_refused": (
            "Mail with a sender of the own domains would be refused from whoever no connector "
            "knows: forwarders without SRS, cloud mailers, devices."
        ),
        "service_domains_refused": (
            "Mail to the onmicrosoft.com domains, hybrid mail among it, would be refused from "
            "whoever is not named, because no filter relays it."
        ),
        "rule_can_be_passed": (
            "What keeps strangers out is a rule, and a header that anybody can write takes mail "
            "past it."
        ),
        "on_premises_unnamed": (
            "A connector of the type OnPremises knows senders that the description does not name; "
            "whether they get past the lock is not known."
        ),
        "filter_bypass": "The tenant lets some mail past its own filtering.",
        "not_all_read": (
            "A part of the tenant that decides who gets in, or past its filtering, was not read, "
            "or not in whole."
        ),
    }
)

UNREAD = frozenset({"not_all_read", "rule_can_be_passed", "on_premises_unnamed", "mx_unknown"})
"""Strangers may get in by these, or nobody at all: unknown, unless the site accepts it by name."""
ABOUT_STATE = frozenset(GUARDS) - {"hybrid_connector"}
"""About the state that there would be."""


def judge(
    wish: Wish | None,
    mx: Source,
    before: TenantState,
    after: TenantState,
    changes: t.Sequence[Change],
) -> t.Iterator[Finding]:
    """What the guards find. `wish` is None for what a snapshot gives back."""
    yield from _hybrid(before, changes)
    for sentence in after.unread:
        yield Finding("not_all_read", WARN, sentence)
    yield from _filtering(wish, after)
    named = wish.named if wish else None
    newly = closes(after) and not closes(before)
    if wish and named:
        if wish.method != "none" and not named.provider_certificate:
            yield from _ranges_guards.check(named.provider, "The provider's list")
            yield from _ipv6(wish)
        yield from _ranges_guards.check_friends(named.on_premises, "The own servers' list")
        yield from _provider(wish, after)
        yield from _order(wish, before, changes)
    if newly or (wish and closes(after)):
        yield from _mx(mx, after, newly=newly)
    yield from _others(before, after, named)
    yield from _on_premises(before, after)
    for sentence in model.ways_past_rules(after):
        yield Finding(
            "rule_can_be_passed",
            WARN,
            f"{sentence} Seen from outside, the tenant accepts the mail and quarantines it, so "
            "that the lock is proven by its configuration alone. A connector refuses strangers.",
        )
    if named:
        for sentence in model.unnamed_on_premises(after, named):
            yield Finding(
                "on_premises_unnamed",
                WARN,
                f"{sentence} Name them in on_premises_ranges or on_premises_certificate, or take "
                "them out of the connector.",
            )


def closes(state: TenantState) -> bool:
    """Whether strangers are refused or quarantined."""
    return bool(model.closing(state) or model.rules_in_force(state))


def _hybrid(before: TenantState, changes: t.Sequence[Change]) -> t.Iterator[Finding]:
    for change in changes:
        row = before.connectors.get(change.key.casefold())
        if change.table == CONNECTOR.name and row and model.is_of_wizard(row):
            yield Finding(
                "hybrid_connector",
                STOP,
                f"The inbound connector '{change.key}' is one of the hybrid wizard, which makes it "
                "again as it was.",
                final=True,
            )


def _ipv6(wish: Wish) -> t.Iterator[Finding]:
    six = wish.named.provider.v6
    if six:
        yield Finding(
            "ipv6_shut_out",
            STOP,
            f"The provider has {model.some(six)}, and SenderIPAddresses takes IPv4 alone, so that "
            "what it delivers over IPv6 would be refused. Exchange Online answers over IPv6 by "
            "default.",
            remedy=(
                "name the provider's certificate in provider_certificate, or turn IPv6 off for the "
                "accepted domains"
            ),
        )


def _provider(wish: Wish, after: TenantState) -> t.Iterator[Finding]:
    if not closes(after):
        return
    ranges, certificates = model.certainly_admitted(after)
    named = wish.named
    if named.provider_certificate and named.provider_certificate in certificates:
        return
    missing = named.provider.v4 - ranges
    if missing or not named.provider.v4:
        who = model.some(missing) if missing else f"its certificate {named.provider_certificate}"
        by = model.closing(after) or model.rules_in_force(after)
        yield Finding(
            "provider_shut_out",
            STOP,
            f"The provider's mail ({who}) would be refused by {model.names(by)}.",
        )


def _order(wish: Wish, before: TenantState, changes: t.Sequence[Change]) -> t.Iterator[Finding]:
    """Two that restrict cannot come into force at the same moment."""
    made = [
        change
        for change in changes
        if change.table == CONNECTOR.name and change.action == Action.CREATE
    ]
    if len(made) > 1 and not model.closing(before):
        yield Finding(
            "no_safe_order",
            STOP,
            f"The connectors '{made[0].key}' and '{made[1].key}' cannot be made at the same "
            "moment: until the second is in force, the first refuses what only that one lets in, "
            "for good.",
            remedy=(
                "name the provider and the own servers both by addresses, which is one connector"
                if admitted_by_address(wish)
                else "run it at an hour without mail"
            ),
        )


def _mx(mx: Source, after: TenantState, *, newly: bool) -> t.Iterator[Finding]:
    """Whether the MX is the filter: before a lock, and as long as there is one, since it may be
    moved. Without a name and without DNS nobody knows more of a lock than before.
    """
    if not newly and not (mx.named or mx.ask):
        return
    told = mx.of(after.domains)
    here = list(filter(is_tenant, told.hosts))
    if here:
        yield Finding(
            "mx_here",
            STOP,
            f"The MX {' and '.join(here)} is Exchange Online itself, so that "
            f"{'the lock would refuse' if newly else 'the tenant refuses'} the mail of the whole "
            "internet. Where Exchange Online is the filter, it is the on-premises servers that are "
            "locked, to this tenant.",
            remedy=(
                "let the MX point to the filter first"
                if newly
                else "let the MX point to the filter, or give the tenant back as it was"
            ),
        )
    elif told.unknown or not told.hosts:
        yield Finding(
            "mx_unknown",
            STOP if newly and not mx.named else WARN,
            f"{' '.join(told.unknown) or _NOTHING_SAYS} If it is Exchange Online itself, "
            f"{'the lock would refuse' if newly else 'the tenant refuses'} the mail of the whole "
            "internet.",
            remedy=(
                "see that DNS answers where the module runs, which alone tells of an MX that is "
                "moved"
                if mx.named
                else "name the MX hosts in mx_hosts"
            ),
        )
    if told.unnamed:
        yield Finding(
            "mx_elsewhere",
            STOP,
            f"DNS has {' and '.join(told.unnamed)} as MX, which mx_hosts does not name. Whoever "
            "takes mail there is let into the tenant only where it is the described filter.",
            remedy="name it in mx_hosts where it is the filter's, and the provider as it is now",
        )


_NOTHING_SAYS = "Nothing says where the MX of the tenant's domains points."


def _others(before: TenantState, after: TenantState, named: Named | None) -> t.Iterator[Finding]:
    """What else bounces that nobody has named: known from reports of tenants that were locked."""
    newly = closes(after) and not closes(before)
    what = "refused" if model.closing(after) else "quarantined"
    if newly:
        yield Finding(
            "others_refused",
            WARN,
            f"Who delivers straight to the tenant today would be {what}: senders of partners and "
            "services that were told the tenant's own endpoint, mail from one tenant to another "
            f"past the filter. {_LATER}",
        )
        service = [domain for domain in after.domains if domain.endswith(GIVEN)]
        if service:
            yield Finding("service_domains_refused", WARN, _service(service, what, named))
    direct_send = bool(after.organization.get("reject_direct_send"))
    if newly or (direct_send and not before.organization.get("reject_direct_send")):
        yield Finding(
            "own_senders_refused",
            WARN,
            "Mail with a sender of the tenant's own domains would be "
            f"{'refused' if direct_send else what} from whoever no connector knows by address or "
            "certificate: forwarders without SRS, so that it bounces there and nobody here sees "
            "it; cloud mailers and services, whatever SPF and DKIM say of them; devices and "
            "relays. Name their addresses in on_premises_ranges, or let them send by a subdomain "
            f"that the tenant does not accept. {_LATER}",
        )


_LATER = "It may take up to 30 minutes until it is in force."


def _service(domains: t.Sequence[str], what: str, named: Named | None) -> str:
    """What becomes of mail to the domains that Microsoft gives, which no MX of ours leads to."""
    own = [model.some(named.on_premises.v4)] if named and named.on_premises.v4 else []
    if named and named.on_premises_certificate:
        own.append(f"a certificate for {named.on_premises_certificate}")
    hybrid = [domain for domain in domains if domain.endswith(HYBRID)]
    sentence = (
        f"Mail to {' and '.join(domains)} comes past the filter, which does not relay it, and "
        f"would be {what} from everybody else than the filter"
        + (f" and {' and '.join(own)}." if own else ".")
    )
    if hybrid and not own:
        sentence += (
            f" {' and '.join(hybrid)} is where on-premises servers deliver to in a hybrid "
            "organization, and the description names none: name what they send from in "
            "on_premises_certificate or on_premises_ranges."
        )
    return sentence


def _on_premises(before: TenantState, after: TenantState) -> t.Iterator[Finding]:
    if not model.closing(after):
        return
    for row in model.on_premises(after):
        if model.is_admitted(row, after):
            continue
        had = before.connectors.get(str(row["name"]).casefold())
        admitted_before = had is None or not model.closing(before) or model.is_admitted(had, before)
        who = (
            f"certificate {row['tls_sender_certificate_name']}"
            if row.get("tls_sender_certificate_name")
            else model.some(model.ranges_of(row, "sender_ip_addresses")) or "no address"
        )
        yield Finding(
            "on_premises_shut_out",
            STOP if admitted_before else WARN,
            f"The own servers of the connector '{row['name']}' ({who}) are let in by none of "
            f"{model.names(model.closing(after))}, so that their mail to the tenant "
            f"{'would be' if admitted_before else 'is'} refused.",
            remedy=(
                "name their certificate in on_premises_certificate, or their addresses in "
                "on_premises_ranges"
            ),
        )


def _filtering(wish: Wish | None, after: TenantState) -> t.Iterator[Finding]:
    for sentence in model.bypasses(after):
        yield Finding("filter_bypass", WARN, sentence)
    if (
        wish
        and wish.method == BY_CONNECTOR
        and wish.filtering in (LAST_HOP, RANGES)
        and any(str(row.get("set_scl")) == "-1" for row in after.rules.values())
    ):
        yield Finding(
            "filter_bypass",
            WARN,
            "Enhanced Filtering is on, and a rule with SetSCL -1 takes what it finds out away "
            "again: turn that rule off.",
        )


def is_about_organization(change: Change) -> bool:
    """Whether a change is one of the setting that closes Direct Send."""
    return change.table == ORGANIZATION.name
