# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of send connectors.

Sources: New-SendConnector.md and Set-SendConnector.md (Exchange 2010 and later), TechNet aa998294
(2007 SP1 to SP3), bb691066 and bb629547 (2007 RTM).
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.values import (
    AddressSpaces,
    LoginKind,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import (
    EVERYWHERE,
    SINCE_2010,
    SINCE_2013,
    SINCE_2016,
    Version,
    Where,
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
    Flags,
    Hosts,
    ServerNames,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import (
    Property,
    resource,
)

_DAY = 86400
_MOST = 2147483647
_NOT_EDGE = Where(edge=False)

SMART_HOST_AUTH_MECHANISMS = (
    "None",
    "BasicAuth",
    "BasicAuthRequireTLS",
    "ExchangeServer",
    "ExternalAuthoritative",
)
TLS_AUTH_LEVELS = ("EncryptionOnly", "CertificateValidation", "DomainValidation")
ERROR_POLICIES = ("DowngradeDnsFailures", "DowngradeCustomFailures", "UpgradeCustomFailures")

SEND = resource(
    "send_connector",
    "send connector",
    "SendConnector",
    [
        Property("enabled", "Enabled", Bool(), EVERYWHERE),
        Property("address_spaces", "AddressSpaces", AddressSpaces(), EVERYWHERE),
        Property("smart_hosts", "SmartHosts", Hosts(), EVERYWHERE),
        Property("dns_routing_enabled", "DNSRoutingEnabled", Bool(), EVERYWHERE),
        Property("source_transport_servers", "SourceTransportServers", ServerNames(), _NOT_EDGE),
        Property("port", "Port", Int(0, 65535), EVERYWHERE),
        Property(
            "smart_host_auth_mechanism",
            "SmartHostAuthMechanism",
            Choice(*SMART_HOST_AUTH_MECHANISMS),
            EVERYWHERE,
        ),
        Property("authentication_credential", "AuthenticationCredential", LoginKind(), EVERYWHERE),
        Property("require_tls", "RequireTLS", Bool(), EVERYWHERE),
        Property("ignore_starttls", "IgnoreSTARTTLS", Bool(), EVERYWHERE),
        Property("tls_auth_level", "TlsAuthLevel", Choice(*TLS_AUTH_LEVELS), SINCE_2010),
        Property("tls_domain", "TlsDomain", Host(), SINCE_2010),
        Property("tls_certificate_name", "TlsCertificateName", Text(), SINCE_2013),
        Property("cloud_services_mail_enabled", "CloudServicesMailEnabled", Bool(), SINCE_2013),
        Property("connector_type", "ConnectorType", Choice("Default", "XPremises"), SINCE_2016),
        Property("frontend_proxy_enabled", "FrontendProxyEnabled", Bool(), SINCE_2013),
        Property(
            "use_external_dns_servers_enabled", "UseExternalDNSServersEnabled", Bool(), EVERYWHERE
        ),
        Property("domain_secure_enabled", "DomainSecureEnabled", Bool(), EVERYWHERE),
        Property("force_helo", "ForceHELO", Bool(), EVERYWHERE),
        Property("fqdn", "Fqdn", Host(), EVERYWHERE),
        Property("comment", "Comment", Text(), EVERYWHERE),
        # Exchange 2007 RTM has no such parameter, but a scope in front of each address space.
        Property("is_scoped_connector", "IsScopedConnector", Bool(), EVERYWHERE),
        # Rounded up to whole kilobytes by Exchange (New-SendConnector.md, MaxMessageSize).
        Property(
            "max_message_size",
            "MaxMessageSize",
            Size(0, _MOST, unlimited=True, unit=1024),
            EVERYWHERE,
        ),
        Property(
            "connection_inactivity_time_out",
            "ConnectionInactivityTimeOut",
            TimeSpan(1, _DAY),
            EVERYWHERE,
        ),
        Property(
            "smtp_max_messages_per_connection",
            "SmtpMaxMessagesPerConnection",
            Int(0, _MOST),
            SINCE_2010,
        ),
        Property(
            "error_policies", "ErrorPolicies", Flags(*ERROR_POLICIES, zero="Default"), SINCE_2010
        ),
        Property(
            "protocol_logging_level", "ProtocolLoggingLevel", Choice("None", "Verbose"), EVERYWHERE
        ),
        Property("source_ip_address", "SourceIPAddress", Text(), Where(edge=True)),
    ],
)


def new_connector(
    version: Version, edge: bool = False, server: str | None = None
) -> dict[str, t.Any]:
    """What a new connector has before anything is said about it, as canonical options. `server` is
    the one that creates it.
    """
    options: dict[str, t.Any] = {
        "enabled": True,
        "smart_hosts": frozenset(),
        "dns_routing_enabled": True,
        "port": 25,
        "smart_host_auth_mechanism": "None",
        "authentication_credential": None,
        "require_tls": False,
        "ignore_starttls": False,
        "domain_secure_enabled": False,
        "use_external_dns_servers_enabled": False,
        "force_helo": False,
        "is_scoped_connector": False,
    }
    if version >= Version.E2010:
        options["tls_auth_level"] = options["tls_domain"] = None
        options["error_policies"] = frozenset()
    if version >= Version.E2013:
        options["cloud_services_mail_enabled"] = options["frontend_proxy_enabled"] = False
    if version >= Version.E2016:
        options["connector_type"] = "Default"
    if server and not edge:
        options["source_transport_servers"] = frozenset({server.lower()})
    return options
