# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Receive connectors: parameters by version and what each takes, defaults of new ones, usages.

Sources: New-ReceiveConnector.md and Set-ReceiveConnector.md (2010 and later), TechNet bb125139 and
bb125140 (2007 SP1 to SP3), bb629576 and bb629582 (2007 RTM). Not made from the collection's own
tables, so that a mistake there shows.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.addresses import IPBinding, IPRange
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import Edition, Generation
from ansible_collections.mailedge.lockdown.tests.lab.exchange.lists import (
    Bindings,
    Capabilities,
    Names,
    Ranges,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Setting
from ansible_collections.mailedge.lockdown.tests.lab.exchange.shapes import (
    UNLIMITED,
    Choice,
    Fqdn,
    Limit,
    Number,
    Size,
    Span,
    Text,
    Words,
)

_G = Generation
_MOST = 2147483647
_DAY = 86400

EVERY_V4 = "0.0.0.0-255.255.255.255"
EVERY_V6 = "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

# The numbers were read from a real object; those of ExternalAuthoritative, Partners and Custom are
# unverified.
MECHANISMS = {
    "Tls": 1,
    "Integrated": 2,
    "BasicAuth": 4,
    "BasicAuthRequireTLS": 8,
    "ExchangeServer": 16,
    "ExternalAuthoritative": 32,
}
GROUPS = {
    "AnonymousUsers": 1,
    "ExchangeUsers": 2,
    "ExchangeServers": 4,
    "ExchangeLegacyServers": 8,
    "Partners": 16,
    "Custom": 32,
}
ROLES = {"HubTransport": 32, "FrontendTransport": 16384}

# Members of the type beside the documented ones (office-docs-powershell issue 6292); since when
# there are is unverified.
_UNDOCUMENTED = (
    "AcceptCrossForestMail",
    "AcceptOrgHeaders",
    "AcceptProxyProtocol",
    "AcceptXAttrProtocol",
    "AllowSubmit",
)

SETTINGS: tuple[Setting, ...] = (
    Setting("Bindings", Bindings(), ()),
    Setting("RemoteIPRanges", Ranges(), ()),
    Setting("AuthMechanism", Words("AuthMechanisms", MECHANISMS), frozenset({"Tls"})),
    Setting("PermissionGroups", Words("PermissionGroups", GROUPS), frozenset()),
    Setting("Enabled", default=True),
    Setting("Banner", Text("", r"220.*", "a valid banner: it has to begin with 220"), ""),
    Setting("Fqdn", Fqdn(), None),
    Setting("Comment", Text(), ""),
    Setting("DefaultDomain", Text(None), None),
    Setting("RequireTLS"),
    Setting("RequireEHLODomain"),
    Setting("DomainSecureEnabled"),
    Setting(
        "ProtocolLoggingLevel", Choice("ProtocolLoggingLevel", {"None": 0, "Verbose": 1}), "None"
    ),
    Setting(
        "SizeEnabled",
        Choice("SizeMode", {"Disabled": 0, "Enabled": 1, "EnabledWithoutValue": 2}),
        "Enabled",
    ),
    Setting("ConnectionTimeout", Span(1, _DAY), 600.0),
    Setting("ConnectionInactivityTimeout", Span(1, _DAY), 300.0),
    Setting("TarpitInterval", Span(0, 600), 5.0),
    Setting("MaxHeaderSize", Size(1, _MOST), 256 << 10),
    Setting("MaxMessageSize", Size(65536, _MOST), 36 << 20),
    Setting("MaxHopCount", Number(1, 500), 30),
    Setting("MaxLocalHopCount", Number(0, 50), 8),
    Setting("MaxInboundConnection", Limit(1, _MOST), 5000),
    Setting("MaxInboundConnectionPerSource", Limit(1, 10000), 20),
    Setting("MaxInboundConnectionPercentagePerSource", Number(1, 100), 2),
    Setting("MaxLogonFailures", Number(0, 10), 3),
    Setting("MaxProtocolErrors", Limit(0, _MOST), 5),
    Setting("MaxRecipientsPerMessage", Number(1, 512000), 200),
    Setting("MessageRateLimit", Limit(1, _MOST), UNLIMITED),
    Setting("BinaryMimeEnabled", default=True),
    Setting("ChunkingEnabled", default=True),
    Setting("DeliveryStatusNotificationEnabled", default=True),
    Setting("EightBitMimeEnabled", default=True),
    Setting("EnhancedStatusCodesEnabled", default=True),
    Setting("PipeliningEnabled", default=True),
    Setting("EnableAuthGSSAPI", since=_G.SP2007),
    Setting("LongAddressesEnabled", since=_G.SP2007),
    Setting("OrarEnabled", since=_G.SP2007),
    Setting("AdvertiseClientSettings", since=_G.E2010),
    Setting("BareLinefeedRejectionEnabled", since=_G.E2010, new=False),
    Setting(
        "ExtendedProtectionPolicy",
        Choice("ExtendedProtectionPolicySetting", {"None": 0, "Allow": 1, "Require": 2}),
        "None",
        since=_G.E2010,
    ),
    Setting("LiveCredentialEnabled", since=_G.E2010),
    Setting("MaxAcknowledgementDelay", Span(0, _DAY), 30.0, since=_G.E2010),
    Setting(
        "MessageRateSource",
        Choice("MessageRateSourceFlags", {"None": 0, "IPAddress": 1, "User": 2, "All": 3}),
        "IPAddress",
        since=_G.E2010,
    ),
    Setting("SuppressXAnonymousTls", since=_G.E2010),
    # AcceptCloudServicesMail is of 2013; before it the capability is AcceptOorgProtocol.
    Setting(
        "TlsDomainCapabilities",
        Capabilities("AcceptOorgProtocol", "AcceptOorgHeader"),
        (),
        since=_G.E2010,
        until=_G.E2010,
    ),
    Setting(
        "TlsDomainCapabilities",
        Capabilities(
            "AcceptCloudServicesMail", "AcceptOorgProtocol", "AcceptOorgHeader", *_UNDOCUMENTED
        ),
        (),
        since=_G.E2013,
    ),
    # Which role a new connector gets where none is named is unverified. HubTransport, the dangerous
    # one, is what was seen in 2013.
    Setting(
        "TransportRole", Choice("ServerRole", ROLES), "HubTransport", since=_G.E2013, edge=False
    ),
    Setting(
        "TlsCertificateName",
        Text(None, r"<I>.+<S>.+", "of the form <I>Issuer<S>Subject"),
        None,
        since=_G.E2013,
    ),
    Setting("ServiceDiscoveryFqdn", Fqdn(), None, since=_G.E2013),
    Setting("ProxyEnabled", since=_G.E2013),
    Setting("SmtpUtf8Enabled", default=True, since=_G.E2013, new=False),
    Setting("AuthTarpitInterval", Span(0, 600), 5.0, since=_G.E2016),
    Setting("RejectReservedSecondLevelRecipientDomains", since=_G.E2016),
    Setting("RejectReservedTopLevelRecipientDomains", since=_G.E2016),
    Setting("RejectSingleLabelRecipientDomains", since=_G.E2016),
)

# Of New- alone, and none of them can be read back.
USAGES = ("Client", "Custom", "Internal", "Internet", "Partner")
USAGE = Choice("NewReceiveConnectorUsageType", {name: number for number, name in enumerate(USAGES)})
SERVER = Names()


class Usage(t.NamedTuple):
    """What a usage sets (receive-connectors.md, New-ReceiveConnector.md). Bindings are mandatory
    where it names none.
    """

    groups: tuple[str, ...]
    mechanisms: tuple[str, ...]
    binding: str
    takes_ranges: bool = True


PRESETS: t.Mapping[str, Usage] = {
    "Client": Usage(
        ("ExchangeUsers",), ("Tls", "BasicAuth", "BasicAuthRequireTLS", "Integrated"), "0.0.0.0:587"
    ),
    "Internal": Usage(
        ("ExchangeServers", "ExchangeLegacyServers"), ("Tls", "ExchangeServer"), "0.0.0.0:25"
    ),
    "Internet": Usage(("AnonymousUsers",), ("Tls",), "", takes_ranges=False),
    "Partner": Usage(("Partners",), ("Tls",), ""),
    "Custom": Usage((), ("Tls",), ""),
}


def settings(edition: Edition) -> dict[str, Setting]:
    """The settings that this version has, by name."""
    return {setting.name: setting for setting in SETTINGS if setting.exists(edition)}


def defaults(edition: Edition, server_fqdn: str) -> dict[str, t.Any]:
    """What a new connector has before its usage and parameters."""
    values = {name: setting.default for name, setting in settings(edition).items()}
    values["Fqdn"] = server_fqdn
    if edition.generation < _G.E2016:
        # New-ReceiveConnector.md gives 128 KB for 2013 and before.
        values["MaxHeaderSize"] = 128 << 10
    if edition.generation < _G.E2013:
        values["MaxMessageSize"] = 10 << 20
    if edition.edge:
        values["ConnectionTimeout"], values["ConnectionInactivityTimeout"] = 300.0, 60.0
        values["MessageRateLimit"] = 600
    return values


def preset(usage: str, edition: Edition) -> dict[str, t.Any]:
    """What the usage sets."""
    chosen = PRESETS[usage]
    # An Edge server has no legacy servers.
    groups = frozenset(
        group for group in chosen.groups if not edition.edge or group != "ExchangeLegacyServers"
    )
    values: dict[str, t.Any] = {
        "PermissionGroups": groups,
        "AuthMechanism": frozenset(chosen.mechanisms),
    }
    if chosen.binding:
        values["Bindings"] = (IPBinding.parse(chosen.binding),)
    if not chosen.takes_ranges:
        values["RemoteIPRanges"] = (IPRange.parse(EVERY_V4),)
    return values
