# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inbound and outbound connectors: what New, Set and Remove take and refuse.

Known from: New-InboundConnector and Set-InboundConnector in Microsoft's documentation of 2026
(facts exchange_online §1.2: values and widths of SenderIPAddresses, no embedded wildcard, EFSkipIPs
without private and Microsoft's addresses, TreatMessagesAsInternal, mandatory SenderDomains),
ORCA-233 (how SenderDomains read back), Microsoft's FAQ on inbound connectors (the two warnings).
Unverified: the words and classes of all refusals here; that a restriction without anything to
restrict to is refused; that connectors are OnPremises where nobody said which (facts: "always send
ConnectorType explicitly", so the lab takes what shows who did not).
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online import objects
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.objects import Row
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.parameters import (
    COMMON,
    Kind,
    Many,
    Values,
    boolean,
    many,
    one_of,
    text,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.refusals import (
    EXISTS,
    INVALID,
    INVALID_OPERATION,
    CmdletError,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.tenant import (
    E5_DEVELOPER,
    RESTRICTED,
    Tenant,
)

_HYBRID = "Microsoft.Exchange.Data.Directory.SystemConfiguration."
SOURCE = one_of(f"{_HYBRID}TenantConnectorSource", "Default", "Migrated", "HybridWizard", "AdminUI")
TYPE = one_of(f"{_HYBRID}TenantConnectorType", "OnPremises", "Partner")
CREATED_DISABLED = (
    "Inbound connector for this service offering is created in a disabled state. Contact Support "
    "to enable it."
)
STAYS_DISABLED = (
    "For this service offering, you can't enable an inbound connector. Contact Support to enable "
    "it."
)
NO_CONNECTORS = (
    "Creation of inbound connectors is restricted in Microsoft 365 E5 developer subscriptions."
)
_DOMAIN = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?")
_SENDER = re.compile(r"(?:smtp:)?([^;]+?)(?:;(\d{1,3}))?", re.IGNORECASE)
_MICROSOFT = ("40.92.0.0/15", "40.107.0.0/16", "52.100.0.0/14", "104.47.0.0/17")
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")

INBOUND: t.Mapping[str, Kind] = {
    **COMMON,
    "AssociatedAcceptedDomains": many,
    "ClientHostNames": many,
    "CloudServicesMailEnabled": boolean,
    "Comment": text,
    "ConnectorSource": SOURCE,
    "ConnectorType": TYPE,
    "EFSkipIPs": many,
    "EFSkipLastIP": boolean,
    "EFSkipMailGateway": many,
    "EFTestMode": boolean,
    "EFUsers": many,
    "Enabled": boolean,
    "Name": text,
    "RequireTls": boolean,
    "RestrictDomainsToCertificate": boolean,
    "RestrictDomainsToIPAddresses": boolean,
    "ScanAndDropRecipients": many,
    "SenderDomains": many,
    "SenderIPAddresses": many,
    "TlsSenderCertificateName": text,
    "TreatMessagesAsInternal": boolean,
    "TrustedOrganizations": many,
}
OUTBOUND: t.Mapping[str, Kind] = {
    **COMMON,
    "AllAcceptedDomains": boolean,
    "CloudServicesMailEnabled": boolean,
    "Comment": text,
    "ConnectorSource": SOURCE,
    "ConnectorType": TYPE,
    "Enabled": boolean,
    "IsTransportRuleScoped": boolean,
    "MtaStsMode": one_of(f"{_HYBRID}MtaStsMode", "None", "Opportunistic", "Mandatory"),
    "Name": text,
    "RecipientDomains": many,
    "RouteAllMessagesViaOnPremises": boolean,
    "SmartHosts": many,
    "SmtpDaneMode": one_of(f"{_HYBRID}SmtpDaneMode", "None", "Opportunistic", "Mandatory"),
    "TlsDomain": text,
    "TlsSettings": one_of(
        "Microsoft.Exchange.Data.TlsAuthLevel",
        "EncryptionOnly",
        "CertificateValidation",
        "DomainValidation",
    ),
    "UseMXRecord": boolean,
}


def invalid(message: str) -> CmdletError:
    """Something about a value."""
    return CmdletError(INVALID, message)


def new_inbound(tenant: Tenant, values: Values, warnings: list[str]) -> list[Row]:
    """New-InboundConnector."""
    if tenant.subscription == E5_DEVELOPER:
        raise CmdletError(INVALID_OPERATION, NO_CONNECTORS)
    name = _free_name(tenant, "InboundConnector", values["Name"])
    row = objects.made(
        "InboundConnector",
        tenant.initial,
        {**objects.INBOUND, "ConnectorType": "OnPremises"},
        name,
        objects.stamp(tenant.clock.now()),
    )
    _write_inbound(tenant, row, values)
    if tenant.subscription == RESTRICTED and row["ConnectorType"] == "OnPremises":
        row["Enabled"] = False
        warnings.append(CREATED_DISABLED)
    tenant.rows("InboundConnector").append(row)
    return [row]


def set_inbound(tenant: Tenant, values: Values, warnings: list[str]) -> list[Row]:
    """Set-InboundConnector."""
    row = tenant.row_of("InboundConnector", values["Identity"])
    was_enabled = row["Enabled"]
    if values.get("Name"):
        if values["Name"].casefold() != row["Name"].casefold():
            _free_name(tenant, "InboundConnector", values["Name"])
        _rename(row, values["Name"])
    _write_inbound(tenant, row, values)
    restricted = tenant.subscription == RESTRICTED and row["ConnectorType"] == "OnPremises"
    if restricted and row["Enabled"] and not was_enabled:
        row["Enabled"] = False
        warnings.append(STAYS_DISABLED)
    row["WhenChanged"] = row["WhenChangedUTC"] = objects.stamp(tenant.clock.now())
    return []


def remove(table: str) -> t.Callable[[Tenant, Values, list[str]], list[Row]]:
    """Remove- of a table."""

    def cmdlet(tenant: Tenant, values: Values, warnings: list[str]) -> list[Row]:
        row = tenant.row_of(table, values["Identity"])
        tenant.rows(table).remove(row)
        if table == "TransportRule":
            for position, rule in enumerate(tenant.rows(table)):
                rule["Priority"] = position
        return []

    return cmdlet


def new_outbound(tenant: Tenant, values: Values, warnings: list[str]) -> list[Row]:
    """New-OutboundConnector."""
    name = _free_name(tenant, "OutboundConnector", values["Name"])
    when = objects.stamp(tenant.clock.now())
    row = objects.made("OutboundConnector", tenant.initial, objects.OUTBOUND, name, when)
    _write_outbound(row, values)
    tenant.rows("OutboundConnector").append(row)
    return [row]


def set_outbound(tenant: Tenant, values: Values, warnings: list[str]) -> list[Row]:
    """Set-OutboundConnector."""
    row = tenant.row_of("OutboundConnector", values["Identity"])
    if values.get("Name"):
        _rename(row, values["Name"])
    _write_outbound(row, values)
    row["WhenChanged"] = row["WhenChangedUTC"] = objects.stamp(tenant.clock.now())
    return []


def _write_outbound(row: Row, values: Values) -> None:
    for name, value in values.items():
        if name in OUTBOUND and name not in ("Name", *COMMON):
            row[name] = value.of(row[name]) if isinstance(value, Many) else value
    if not row["UseMXRecord"] and not row["SmartHosts"]:
        raise invalid("You must specify SmartHosts when UseMXRecord is false.")
    if row["TlsSettings"] == "DomainValidation" and not row["TlsDomain"]:
        raise invalid("You must specify TlsDomain when TlsSettings is DomainValidation.")


def _free_name(tenant: Tenant, table: str, name: str) -> str:
    if len(name) > 64:
        raise invalid(
            f"The length of the property Name is too long. The maximum length is 64: {name}"
        )
    if any(row["Name"].casefold() == name.casefold() for row in tenant.rows(table)):
        raise CmdletError(EXISTS, f"The connector name '{name}' already exists.")
    return name


def _rename(row: Row, name: str) -> None:
    row["DistinguishedName"] = row["DistinguishedName"].replace(
        f"CN={row['Name']},", f"CN={name},", 1
    )
    row["Name"] = row["Identity"] = row["Id"] = name


# ---------------------------------------------------------------- values of inbound connectors


def _write_inbound(tenant: Tenant, row: Row, values: Values) -> None:
    for name, value in values.items():
        if name == "SenderDomains":
            given = value._replace(
                new=None if value.new is None else tuple(map(_sender_domain, value.new)),
                add=tuple(map(_sender_domain, value.add)),
                remove=tuple(map(_sender_domain, value.remove)),
            )
            row[name] = given.of(row[name])
        elif name in INBOUND and name not in ("Name", *COMMON):
            row[name] = value.of(row[name]) if isinstance(value, Many) else value
    row["Comment"] = row["Comment"] or ""
    _check_inbound(tenant, row)


def _check_inbound(tenant: Tenant, row: Row) -> None:
    if not row["SenderDomains"]:
        raise invalid("You must specify at least one value in SenderDomains.")
    for address in row["SenderIPAddresses"]:
        _sender_address(address)
    for address in row["EFSkipIPs"]:
        _skipped(address)
    for domain in row["AssociatedAcceptedDomains"]:
        if tenant.accepts(domain) is None:
            raise invalid(f"The accepted domain '{domain}' couldn't be found in your organization.")
    certificate = row["TlsSenderCertificateName"]
    if certificate is not None and not _DOMAIN.fullmatch(certificate.casefold()):
        raise invalid(f"'{certificate}' isn't a valid value for TlsSenderCertificateName.")
    if row["RestrictDomainsToIPAddresses"] and not row["SenderIPAddresses"]:
        raise invalid(
            "You must specify SenderIPAddresses when RestrictDomainsToIPAddresses is true."
        )
    if row["RestrictDomainsToCertificate"] and not (certificate and row["RequireTls"]):
        raise invalid(
            "You must specify TlsSenderCertificateName and set RequireTls to true when "
            "RestrictDomainsToCertificate is true."
        )
    if row["TreatMessagesAsInternal"] and row["CloudServicesMailEnabled"]:
        raise invalid(
            "TreatMessagesAsInternal can't be set to true when CloudServicesMailEnabled is true."
        )
    if row["TreatMessagesAsInternal"] and row["ConnectorType"] != "OnPremises":
        raise invalid("TreatMessagesAsInternal can only be true for connectors of type OnPremises.")


def _sender_domain(given: str) -> str:
    """A domain as it reads back: `smtp:*;1`."""
    parts = _SENDER.fullmatch(given.strip())
    domain = parts[1].casefold() if parts else ""
    if parts is None or (domain != "*" and not _DOMAIN.fullmatch(domain)):
        raise invalid(
            f"'{given}' isn't a valid address space. Embedded wildcards aren't supported."
        )
    return f"smtp:{domain};{int(parts[2] or 1)}"


def _sender_address(given: str) -> None:
    """One address, or a CIDR of 24 to 32 bits; host bits do no harm (192.168.0.1/25 is Microsoft's
    own example).
    """
    try:
        network = ipaddress.ip_network(given, strict=False)
    except ValueError:
        raise invalid(
            f"The IP address or range '{given}' isn't valid. Use a single IPv4 address or CIDR."
        ) from None
    if network.version == 6:
        raise invalid(f"'{given}': IPv6 addresses aren't supported.")
    if network.prefixlen < 24:
        raise invalid(f"'{given}': valid subnet mask values are /24 through /32.")


def _skipped(given: str) -> None:
    """An address, a range or a CIDR, none private, none of Microsoft's."""
    first, dash, last = given.partition("-")
    try:
        if dash:
            ends = [ipaddress.ip_address(part.strip()) for part in (first, last)]
            networks = list(ipaddress.summarize_address_range(*ends))  # type: ignore[call-overload]
        else:
            networks = [ipaddress.ip_network(given, strict=False)]
    except (ValueError, TypeError):
        raise invalid(f"The IP address or range '{given}' isn't valid.") from None
    for network in networks:
        _not_within(network, (*_PRIVATE, *_MICROSOFT), given)


def _not_within(network: t.Any, others: t.Iterable[str], given: str) -> None:
    for other in map(ipaddress.ip_network, others):
        if network.version == other.version and network.overlaps(other):
            raise invalid(f"The IP address or range '{given}' isn't allowed: it is in {other}.")
