# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a tenant, with the properties that a real one has around what is configured.

Known from: the configuration of a tenant that ScubaGear publishes as a sample (CC0): the names of
properties, `ConnectorSource`, null and empty lists. `@data.type` and `@odata.type` beside a
property and dates in ISO form are from memory: unverified.
"""

from __future__ import annotations

import copy
import datetime
import typing as t
import uuid

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.rule_shape import (
    NOT_OF_RULES,
)

Row = dict[str, t.Any]

_PLACES = {
    "InboundConnector": "Transport Settings",
    "OutboundConnector": "Transport Settings",
    "TransportRule": "TransportVersioned,CN=Rules,CN=Transport Settings",
    "AcceptedDomain": "Accepted Domains,CN=Transport Settings",
    "HostedConnectionFilterPolicy": "Hosted Connection Filter,CN=Transport Settings",
}
_CLASSES = {
    "InboundConnector": "msExchSMTPInboundConnector",
    "OutboundConnector": "msExchSMTPOutboundConnector",
    "AcceptedDomain": "msExchAcceptedDomain",
    "HostedConnectionFilterPolicy": "msExchHostedConnectionFilterPolicy",
}

INBOUND: t.Mapping[str, t.Any] = {
    "NameHashGuid": "00000000-0000-4000-8000-000000000000",
    "OrganizationalUnitRootInternal": "",
    "AdminDisplayName": "",
    "AssociatedAcceptedDomains": [],
    "ClientHostNames": [],
    "CloudServicesMailEnabled": False,
    "Comment": "",
    "ConnectorSource": "Default",
    "ConnectorType": "Partner",
    "EFSkipIPs": [],
    "EFSkipLastIP": False,
    "EFSkipMailGateway": [],
    "EFTestMode": False,
    "EFUsers": [],
    "Enabled": True,
    "RequireTls": True,
    "RestrictDomainsToCertificate": False,
    "RestrictDomainsToIPAddresses": False,
    "ScanAndDropRecipients": [],
    "SenderDomains": [],
    "SenderIPAddresses": [],
    "TlsSenderCertificateName": None,
    "TreatMessagesAsInternal": False,
    "TrustedOrganizations": [],
}
OUTBOUND: t.Mapping[str, t.Any] = {
    "AllAcceptedDomains": False,
    "CloudServicesMailEnabled": False,
    "Comment": "",
    "ConnectorSource": "Default",
    "ConnectorType": "Partner",
    "Enabled": True,
    "IsTransportRuleScoped": False,
    "IsValidated": False,
    "LastValidationTimestamp": None,
    "MtaStsMode": "Opportunistic",
    "RecipientDomains": [],
    "RouteAllMessagesViaOnPremises": False,
    "SenderRewritingEnabled": False,
    "SmartHosts": [],
    "SmtpDaneMode": "Opportunistic",
    "TestMode": False,
    "TlsDomain": None,
    "TlsSettings": None,
    "UseMXRecord": True,
    "ValidationRecipients": [],
}
DOMAIN: t.Mapping[str, t.Any] = {
    "AddressBookEnabled": True,
    "AdminDisplayName": "",
    "AzureProvisioningRegion": "",
    "CanHaveCloudCache": False,
    "CatchAllRecipientID": None,
    "EmailOnly": False,
    "EnableNego2Authentication": False,
    "ExternallyManaged": False,
    "FederatedOrganizationLink": "Federation",
    "IsDefaultFederatedDomain": False,
    "LiveIdInstanceType": "Business",
    "MailFlowPartner": None,
    "MailFlowRegion": "",
    "PendingCompletion": False,
    "PendingFederatedAccountNamespace": False,
    "PendingFederatedDomain": False,
    "PerimeterDuplicateDetected": False,
    "RawAuthenticationType": "Managed",
    "AuthenticationType": "Managed",
    "Default": False,
    "DomainType": "Authoritative",
    "InitialDomain": False,
    "IsCoexistenceDomain": False,
    "MatchSubDomains": False,
    "OutboundOnly": False,
    "PendingRemoval": False,
    "SendingFromDomainDisabled": False,
    "SendingToDomainDisabled": False,
    "SmtpDaneStatus": "Disabled",
}
ORGANIZATION: t.Mapping[str, t.Any] = {
    "ActivityBasedAuthenticationTimeoutEnabled": True,
    "ConnectorsEnabledForTeams": True,
    "ActivityBasedAuthenticationTimeoutInterval": "06:00:00",
    "AuditDisabled": False,
    "BookingsEnabled": True,
    "ConnectorsEnabled": True,
    "CustomerLockboxEnabled": False,
    "DefaultAuthenticationPolicy": None,
    "HybridConfigurationStatus": "Unknown",
    "OAuth2ClientProfileEnabled": True,
    "RejectDirectSend": False,
    "SendFromAliasEnabled": False,
    "SmtpActionableMessagesEnabled": True,
}
CONNECTION_FILTER: t.Mapping[str, t.Any] = {
    "AdminDisplayName": "",
    "DirectoryBasedEdgeBlockMode": "Default",
    "EnableSafeList": False,
    "IPAllowList": [],
    "IPBlockList": [],
    "IsDefault": True,
}
PERIMETER: t.Mapping[str, t.Any] = {
    "AdminDisplayName": "",
    "GatewayIPAddresses": [],
    "InternalServerIPAddresses": [],
    "PartnerConnectorDomain": None,
    "PartnerRoutingDomain": None,
    "PerimeterOrgId": "",
    "RoutingOverrideEnabled": True,
    "IPSafelistingSyncEnabled": True,
}
TRANSPORT: t.Mapping[str, t.Any] = {
    "ExternalPostmasterAddress": None,
    "InternalSMTPServers": [],
    "JournalArchivingEnabled": False,
    "MaxReceiveSize": "Unlimited",
    "MessageExpiration": "1.00:00:00",
    "SmtpClientAuthenticationDisabled": True,
    "TLSReceiveDomainSecureList": [],
    "TransportRuleLimit": 300,
    "TransportRuleSizeLimit": "8 KB (8,192 bytes)",
}


def made(
    table: str, organization: str, defaults: t.Mapping[str, t.Any], name: str, when: str
) -> Row:
    """A new row of a table, with what the directory adds."""
    number = str(uuid.uuid4())
    forest = "LABPR01A001.PROD.OUTLOOK.COM"
    unit = (
        f"CN=Configuration,CN={organization},CN=ConfigurationUnits,DC=LABPR01A001,DC=PROD,"
        "DC=OUTLOOK,DC=COM"
    )
    place = _PLACES.get(table, "Transport Settings")
    row = {
        **copy.deepcopy(dict(defaults)),
        "Name": name,
        "Identity": name,
        "Id": name,
        "Guid": number,
        "ExchangeObjectId": number,
        "ExchangeVersion": "0.1 (8.0.535.0)",
        "DistinguishedName": f"CN={name},CN={place},{unit}",
        "IsValid": True,
        "ObjectCategory": f"{forest}/Configuration/Schema/{table}",
        "ObjectClass": ["top", _CLASSES.get(table, "container")],
        "ObjectState": "Unchanged",
        "OrganizationId": f"{forest}/Microsoft Exchange Hosted Organizations/{organization} - "
        f"{forest}/ConfigurationUnits/{organization}/Configuration",
        "OrganizationalUnitRoot": organization,
        "OriginatingServer": f"LAB01A01DC001.{forest}",
        "WhenChanged": when,
        "WhenChangedUTC": when,
        "WhenCreated": when,
        "WhenCreatedUTC": when,
    }
    if table == "TransportRule":
        for key in NOT_OF_RULES:
            del row[key]
    return row


def stamp(moment: datetime.datetime) -> str:
    """A moment as rows tell it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(row: Row, select: t.Collection[str]) -> Row:
    """A row in an answer: with the types beside it, and with what was asked for."""
    wanted = {name.casefold() for name in select}
    answer: Row = {}
    for name, value in row.items():
        if wanted and name.casefold() not in wanted:
            continue
        if isinstance(value, list):
            answer[f"{name}@odata.type"] = "#Collection(String)"
        elif name.startswith("When"):
            answer[f"{name}@data.type"] = "System.DateTime"
        elif name.endswith("Guid") or name == "ExchangeObjectId":
            answer[f"{name}@data.type"] = "System.Guid"
        answer[name] = value
    return answer
