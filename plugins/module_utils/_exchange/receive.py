# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of receive connectors.

Sources: New-ReceiveConnector.md and Set-ReceiveConnector.md (Exchange 2010 and later), TechNet
bb125139 and bb125140 (2007 SP1 to SP3), bb629576 and bb629582 (2007 RTM).
"""

from __future__ import annotations

import types
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.rights import (
    AnonymousRights,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.values import Capabilities
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import (
    EVERYWHERE,
    SINCE_2007_SP1,
    SINCE_2010,
    SINCE_2013,
    SINCE_2016,
    Version,
    Where,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING_V4,
    parse_endpoint,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.kinds import (
    Bool,
    Choice,
    Host,
    Int,
    Size,
    Text,
    TimeSpan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.lists import (
    Bindings,
    Flags,
    Ranges,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import (
    Property,
    resource,
)

_MOST = 2147483647
_DAY = 86400
_LONGEST_TARPIT = 600
_MAILBOX_2013 = Where(Version.E2013, edge=False)

PERMISSION_GROUPS = (
    "AnonymousUsers",
    "ExchangeUsers",
    "ExchangeServers",
    "ExchangeLegacyServers",
    "Partners",
)
AUTH_MECHANISMS = (
    "Tls",
    "Integrated",
    "BasicAuth",
    "BasicAuthRequireTLS",
    "ExchangeServer",
    "ExternalAuthoritative",
)
USAGES = ("Client", "Custom", "Internal", "Internet", "Partner")

RECEIVE = resource(
    "receive_connector",
    "receive connector",
    "ReceiveConnector",
    [
        Property("enabled", "Enabled", Bool(), EVERYWHERE),
        Property("bindings", "Bindings", Bindings(), EVERYWHERE),
        Property("remote_ip_ranges", "RemoteIPRanges", Ranges(), EVERYWHERE),
        # Custom appears by itself where the connector has rights beyond its groups
        # (dsccommunity/ExchangeDsc issue 39).
        Property(
            "permission_groups",
            "PermissionGroups",
            Flags(*PERMISSION_GROUPS, dropped=["Custom"]),
            EVERYWHERE,
        ),
        Property("auth_mechanism", "AuthMechanism", Flags(*AUTH_MECHANISMS), EVERYWHERE),
        # No parameter of the connector, but a right of ANONYMOUS LOGON on it (learn.microsoft.com,
        # allow-anonymous-relay).
        Property("anonymous_relay", "", Bool(), EVERYWHERE),
        # Nor these, which are entries of its access control list beyond its groups.
        Property("anonymous_rights", "", AnonymousRights(), EVERYWHERE),
        Property(
            "transport_role",
            "TransportRole",
            Choice("FrontendTransport", "HubTransport"),
            _MAILBOX_2013,
        ),
        Property("usage", "Usage", Choice(*USAGES), EVERYWHERE, create_only=True, readable=False),
        Property("fqdn", "Fqdn", Host(), EVERYWHERE),
        Property("banner", "Banner", Text(), EVERYWHERE),
        Property("comment", "Comment", Text(), EVERYWHERE),
        Property("default_domain", "DefaultDomain", Host(), EVERYWHERE),
        Property("require_tls", "RequireTLS", Bool(), EVERYWHERE),
        Property("require_ehlo_domain", "RequireEHLODomain", Bool(), EVERYWHERE),
        Property("domain_secure_enabled", "DomainSecureEnabled", Bool(), EVERYWHERE),
        Property("tls_certificate_name", "TlsCertificateName", Text(), SINCE_2013),
        Property("tls_domain_capabilities", "TlsDomainCapabilities", Capabilities(), SINCE_2010),
        Property("service_discovery_fqdn", "ServiceDiscoveryFqdn", Host(), SINCE_2013),
        Property(
            "extended_protection_policy",
            "ExtendedProtectionPolicy",
            Choice("None", "Allow", "Require"),
            SINCE_2010,
        ),
        Property("enable_auth_gssapi", "EnableAuthGSSAPI", Bool(), SINCE_2007_SP1),
        Property("suppress_x_anonymous_tls", "SuppressXAnonymousTls", Bool(), SINCE_2010),
        Property("advertise_client_settings", "AdvertiseClientSettings", Bool(), SINCE_2010),
        Property(
            "protocol_logging_level", "ProtocolLoggingLevel", Choice("None", "Verbose"), EVERYWHERE
        ),
        Property(
            "max_inbound_connection",
            "MaxInboundConnection",
            Int(1, _MOST, unlimited=True),
            EVERYWHERE,
        ),
        Property(
            "max_inbound_connection_per_source",
            "MaxInboundConnectionPerSource",
            Int(1, 10000, unlimited=True),
            EVERYWHERE,
        ),
        Property(
            "max_inbound_connection_percentage_per_source",
            "MaxInboundConnectionPercentagePerSource",
            Int(1, 100),
            EVERYWHERE,
        ),
        Property("max_message_size", "MaxMessageSize", Size(65536, _MOST), EVERYWHERE),
        Property("max_header_size", "MaxHeaderSize", Size(1, _MOST), EVERYWHERE),
        Property("max_hop_count", "MaxHopCount", Int(1, 500), EVERYWHERE),
        Property("max_local_hop_count", "MaxLocalHopCount", Int(0, 50), EVERYWHERE),
        Property("max_logon_failures", "MaxLogonFailures", Int(0, 10), EVERYWHERE),
        Property(
            "max_protocol_errors", "MaxProtocolErrors", Int(0, _MOST, unlimited=True), EVERYWHERE
        ),
        Property(
            "max_recipients_per_message", "MaxRecipientsPerMessage", Int(1, 512000), EVERYWHERE
        ),
        Property(
            "max_acknowledgement_delay", "MaxAcknowledgementDelay", TimeSpan(0, _DAY), SINCE_2010
        ),
        Property(
            "message_rate_limit", "MessageRateLimit", Int(1, _MOST, unlimited=True), EVERYWHERE
        ),
        Property(
            "message_rate_source",
            "MessageRateSource",
            Choice("None", "IPAddress", "User", "All"),
            SINCE_2010,
        ),
        Property("connection_timeout", "ConnectionTimeout", TimeSpan(1, _DAY), EVERYWHERE),
        Property(
            "connection_inactivity_timeout",
            "ConnectionInactivityTimeout",
            TimeSpan(1, _DAY),
            EVERYWHERE,
        ),
        Property("tarpit_interval", "TarpitInterval", TimeSpan(0, _LONGEST_TARPIT), EVERYWHERE),
        Property(
            "auth_tarpit_interval", "AuthTarpitInterval", TimeSpan(0, _LONGEST_TARPIT), SINCE_2016
        ),
        Property(
            "size_enabled",
            "SizeEnabled",
            Choice("Enabled", "Disabled", "EnabledWithoutValue"),
            EVERYWHERE,
        ),
        Property("pipelining_enabled", "PipeliningEnabled", Bool(), EVERYWHERE),
        Property("chunking_enabled", "ChunkingEnabled", Bool(), EVERYWHERE),
        Property("binary_mime_enabled", "BinaryMimeEnabled", Bool(), EVERYWHERE),
        Property("eight_bit_mime_enabled", "EightBitMimeEnabled", Bool(), EVERYWHERE),
        Property(
            "delivery_status_notification_enabled",
            "DeliveryStatusNotificationEnabled",
            Bool(),
            EVERYWHERE,
        ),
        Property("enhanced_status_codes_enabled", "EnhancedStatusCodesEnabled", Bool(), EVERYWHERE),
        Property("long_addresses_enabled", "LongAddressesEnabled", Bool(), SINCE_2007_SP1),
        Property("orar_enabled", "OrarEnabled", Bool(), SINCE_2007_SP1),
        Property("smtp_utf8_enabled", "SmtpUtf8Enabled", Bool(), SINCE_2013, set_only=True),
        Property(
            "bare_linefeed_rejection_enabled",
            "BareLinefeedRejectionEnabled",
            Bool(),
            SINCE_2010,
            set_only=True,
        ),
        Property(
            "reject_reserved_top_level_recipient_domains",
            "RejectReservedTopLevelRecipientDomains",
            Bool(),
            SINCE_2016,
        ),
        Property(
            "reject_reserved_second_level_recipient_domains",
            "RejectReservedSecondLevelRecipientDomains",
            Bool(),
            SINCE_2016,
        ),
        Property(
            "reject_single_label_recipient_domains",
            "RejectSingleLabelRecipientDomains",
            Bool(),
            SINCE_2016,
        ),
    ],
)

# Usage → permission groups, authentication, and the port of the bindings where they may be left out
# (receive-connectors.md).
_CLIENT = ("Tls", "Integrated", "BasicAuth", "BasicAuthRequireTLS")
_PRESETS: t.Mapping[str, tuple[tuple[str, ...], tuple[str, ...], int]] = types.MappingProxyType(
    {
        "Client": (("ExchangeUsers",), _CLIENT, 587),
        "Internal": (("ExchangeServers", "ExchangeLegacyServers"), ("Tls", "ExchangeServer"), 25),
        "Internet": (("AnonymousUsers",), ("Tls",), 0),
        "Partner": (("Partners",), ("Tls",), 0),
        "Custom": ((), ("Tls",), 0),
    }
)


def new_connector(usage: str | None, version: Version, edge: bool = False) -> dict[str, t.Any]:
    """What a new connector has before anything is said about it but its usage, as canonical
    options.

    Without `bindings` or `remote_ip_ranges` where Exchange demands that they are said.
    """
    groups, mechanisms, port = _PRESETS[usage or "Custom"]
    if edge:
        # An Edge server's directory has no legacy servers.
        groups = tuple(group for group in groups if group != "ExchangeLegacyServers")
    options: dict[str, t.Any] = {
        "usage": usage or "Custom",
        "enabled": True,
        "permission_groups": frozenset(groups),
        "auth_mechanism": frozenset(mechanisms),
        "anonymous_relay": False,
        "require_tls": False,
        "domain_secure_enabled": False,
        "connection_timeout": 300 if edge else 600,
        "connection_inactivity_timeout": 60 if edge else 300,
    }
    if port:
        options["bindings"] = frozenset({parse_endpoint(f"0.0.0.0:{port}")})
    if usage == "Internet":
        options["remote_ip_ranges"] = EVERYTHING_V4
    if _MAILBOX_2013(version, edge):
        # Never left to Exchange, which may choose the hub transport service; that one then takes
        # port 25 from the front end (unverified).
        options["transport_role"] = "FrontendTransport"
    return options
