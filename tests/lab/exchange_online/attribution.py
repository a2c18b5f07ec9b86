# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets mail into a tenant: connectors, RejectDirectSend and lists, by the lab's own reading.

Known from: facts exchange_online §1.1 to §1.3 (an OnPremises connector knows a sender and refuses
nobody; a Partner connector with a restriction refuses who does not meet it, whatever other
connectors say of the sender's domain; Direct Send is about the envelope's sender alone; the two
texts), §3.3 (5.4.1, 5.7.64, 5.7.510, 5.7.513), proof_and_cloud §3.1 (the recipient decides whose
tenant it is, not the name that was called), §5 (5.7.51 for mail to onmicrosoft.com).

Unverified, and decided against the product where it could be either way: an unknown recipient is
refused before anything else; a connector with both restrictions wants both; of several restricting
connectors one has to be met; an OnPremises connector does not lead past them (`on_premises_first`
says that it does); a certificate's subject counts and its other names do not, for Partner; 5.7.51
comes before 5.7.68; the words of 5.4.1, 5.7.3, 5.7.510 and 5.7.513; who may relay.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.objects import Row
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.tenant import Tables, Tenant

ACCEPTED = "250 2.1.5 Recipient OK"
NOT_BY_THE_FILTER = (
    "550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the "
    "message's recipient domain. The connector had either the RestrictDomainsToIPAddresses or "
    "RestrictDomainsToCertificate set"
)
NO_DIRECT_SEND = (
    "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from "
    "unauthorized sources"
)
NO_RELAY = "550 5.7.64 TenantAttribution; Relay Access Denied SMTP"
NO_SUCH_RECIPIENT = "550 5.4.1 Recipient address rejected: Access denied."
NO_IPV6 = "550 5.7.510 Access denied, {domain} does not accept email over IPv6"
BLOCKED = "550 5.7.513 Service unavailable, Client host [{address}] blocked by {domain} using "
BLOCKED += "Customer Block list"
TLS_FIRST = "451 5.7.3 STARTTLS is required to send mail"


@dataclass(frozen=True)
class Hop:
    """The server that delivers. `subject` and `names` are of the certificate that it shows, if it
    does; a certificate needs TLS.
    """

    address: str
    tls: bool = False
    subject: str = ""
    names: tuple[str, ...] = ()


def domain_of(address: str) -> str:
    """What stands behind the @; '' for the empty sender of a bounce."""
    return address.rpartition("@")[2].casefold() if "@" in address else ""


def within(address: str, listed: t.Iterable[str]) -> bool:
    """Whether an address is one of those, or in one of those ranges or networks."""
    wanted = ipaddress.ip_address(address)
    for text in listed:
        first, dash, last = text.partition("-")
        if dash:
            low, high = (ipaddress.ip_address(part.strip()) for part in (first, last))
            if low.version == wanted.version and int(low) <= int(wanted) <= int(high):
                return True
        elif wanted in ipaddress.ip_network(text, strict=False):
            return True
    return False


def certificate_meets(pattern: str | None, names: t.Iterable[str]) -> bool:
    """Whether one of the names is what a connector wants; `*.x` stands for one label."""
    wanted = (pattern or "").casefold()
    for name in map(str.casefold, names):
        if wanted and name == wanted:
            return True
        _label, dot, rest = name.partition(".")
        if wanted.startswith("*.") and dot and rest == wanted[2:]:
            return True
    return False


def sends_for(connector: Row, sender: str) -> bool:
    """Whether a connector's SenderDomains hold the domain of the envelope's sender; `*` holds the
    empty one as well.
    """
    domain = domain_of(sender)
    for space in connector["SenderDomains"]:
        held = space.removeprefix("smtp:").rpartition(";")[0].casefold()
        if held in ("*", domain):
            return True
        if held.startswith("*.") and (domain == held[2:] or domain.endswith(held[1:])):
            return True
    return False


def known_by(connector: Row, hop: Hop) -> bool:
    """Whether a connector knows a sender by address or certificate."""
    if connector["ConnectorType"] == "OnPremises":
        return within(hop.address, connector["SenderIPAddresses"]) or certificate_meets(
            connector["TlsSenderCertificateName"], (hop.subject, *hop.names)
        )
    return _restricts(connector) and _met(connector, hop)


def _restricts(connector: Row) -> bool:
    return bool(
        connector["ConnectorType"] == "Partner"
        and (connector["RestrictDomainsToIPAddresses"] or connector["RestrictDomainsToCertificate"])
    )


def _met(connector: Row, hop: Hop) -> bool:
    by_address = within(hop.address, connector["SenderIPAddresses"])
    by_name = certificate_meets(connector["TlsSenderCertificateName"], (hop.subject,))
    return (by_address or not connector["RestrictDomainsToIPAddresses"]) and (
        by_name or not connector["RestrictDomainsToCertificate"]
    )


def connectors(tables: Tables, kind: str, recipient: str) -> list[Row]:
    """The enabled connectors of a type that mail for a recipient may meet."""
    domain = domain_of(recipient)
    return [
        row
        for row in tables["InboundConnector"]
        if row["Enabled"]
        and row["ConnectorType"] == kind
        and (
            not row["AssociatedAcceptedDomains"]
            or domain in map(str.casefold, row["AssociatedAcceptedDomains"])
        )
    ]


def attributed(tables: Tables, hop: Hop, sender: str, recipient: str) -> Row | None:
    """The connector that a message is taken to have come by."""
    for row in connectors(tables, "OnPremises", recipient):
        if known_by(row, hop):
            return row
    partners = [row for row in connectors(tables, "Partner", recipient) if sends_for(row, sender)]
    for row in partners:
        if known_by(row, hop):
            return row
    return next((row for row in partners if not _restricts(row)), None)


def answer(tenants: t.Iterable[Tenant], hop: Hop, sender: str, recipient: str) -> str:
    """What is said to RCPT, without the brackets that follow a refusal."""
    tenants = list(tenants)
    for tenant in tenants:
        domain = tenant.accepts(domain_of(recipient))
        if domain is not None:
            return _of_tenant(tenant, domain, hop, sender, recipient)
    for tenant in tenants:
        if tenant.accepts(domain_of(sender)) is not None and any(
            known_by(row, hop) for row in connectors(tenant.in_force(), "OnPremises", recipient)
        ):
            return ACCEPTED
    return NO_RELAY


def _of_tenant(tenant: Tenant, domain: Row, hop: Hop, sender: str, recipient: str) -> str:
    tables = tenant.in_force()
    known = recipient.casefold() in {address.casefold() for address in tenant.recipients}
    if domain["DomainType"] == "Authoritative" and not known:
        return NO_SUCH_RECIPIENT
    name = domain["DomainName"]
    if ":" in hop.address and not tenant.ipv6:
        return NO_IPV6.format(domain=name)
    (policy,) = tables["HostedConnectionFilterPolicy"]
    if within(hop.address, policy["IPBlockList"]):
        return BLOCKED.format(domain=name, address=hop.address)
    on_premises = [row for row in connectors(tables, "OnPremises", recipient) if known_by(row, hop)]
    partners = [row for row in connectors(tables, "Partner", recipient) if sends_for(row, sender)]
    if not (on_premises and tenant.on_premises_first):
        restricting = [row for row in partners if _restricts(row)]
        matching = [row for row in restricting if _met(row, hop)]
        if restricting and not matching:
            return NOT_BY_THE_FILTER
        if not hop.tls and any(row["RequireTls"] for row in matching or partners):
            return TLS_FIRST
    own = tenant.accepts(domain_of(sender)) is not None if sender else False
    (organization,) = tables["OrganizationConfig"]
    known_sender = on_premises or any(known_by(row, hop) for row in partners)
    if own and organization.get("RejectDirectSend") is True and not known_sender:
        return NO_DIRECT_SEND
    return ACCEPTED
