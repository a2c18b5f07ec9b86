# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send connectors: parameters by version and what each takes, and what Exchange holds against a
whole one.

Sources: New-SendConnector.md and Set-SendConnector.md (2010 and later), TechNet aa998294 (2007 SP1
to SP3), bb691066 and bb629547 (2007 RTM). Not made from the collection's own tables, so that a
mistake there shows.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import Edition, Generation
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import invalid
from ansible_collections.mailedge.lockdown.tests.lab.exchange.lists import (
    AddressSpaces,
    Names,
    SmartHosts,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Setting
from ansible_collections.mailedge.lockdown.tests.lab.exchange.shapes import (
    Choice,
    Fqdn,
    Login,
    Number,
    Size,
    Span,
    Text,
    Words,
)

_G = Generation
_MOST = 2147483647
_DAY = 86400

_HOST_AUTHENTICATION = {
    "None": 0,
    "BasicAuth": 2,
    "BasicAuthRequireTLS": 4,
    "ExchangeServer": 8,
    "ExternalAuthoritative": 16,
}
_POLICIES = {"DowngradeDnsFailures": 1, "DowngradeCustomFailures": 2, "UpgradeCustomFailures": 4}

SETTINGS: tuple[Setting, ...] = (
    # TechNet bb629547: only 2007 RTM has the scope in front of an address space.
    Setting("AddressSpaces", AddressSpaces(scoped=True), (), until=_G.RTM2007),
    Setting("AddressSpaces", AddressSpaces(scoped=False), (), since=_G.SP2007),
    Setting("SmartHosts", SmartHosts(), ()),
    Setting("DNSRoutingEnabled", default=True),
    Setting("SourceTransportServers", Names(), (), edge=False),
    Setting("SourceIPAddress", Text("", r"[0-9.]+", "an IPv4 address"), "", edge=True),
    Setting("Port", Number(0, 65535), 25),
    Setting("Enabled", default=True),
    Setting("Comment", Text(), ""),
    Setting("Fqdn", Fqdn(), None),
    Setting("ForceHELO"),
    Setting("IgnoreSTARTTLS"),
    Setting("RequireTLS"),
    Setting("DomainSecureEnabled"),
    Setting("UseExternalDNSServersEnabled"),
    Setting(
        "SmartHostAuthMechanism",
        Choice("SmtpSendConnectorConfig+AuthMechanisms", _HOST_AUTHENTICATION),
        "None",
    ),
    Setting("AuthenticationCredential", Login(), None),
    Setting(
        "ProtocolLoggingLevel", Choice("ProtocolLoggingLevel", {"None": 0, "Verbose": 1}), "None"
    ),
    # Small values are rounded up to a kilobyte (New-SendConnector.md).
    Setting("MaxMessageSize", Size(0, _MOST, unlimited=True, unit=1024), 35 << 20),
    Setting("ConnectionInactivityTimeOut", Span(1, _DAY), 600.0),
    Setting("LinkedReceiveConnector", Text(None), None, until=_G.E2010),
    Setting("IsScopedConnector", since=_G.SP2007),
    Setting(
        "TlsAuthLevel",
        Choice(
            "TlsAuthLevel",
            {"EncryptionOnly": 1, "CertificateValidation": 2, "DomainValidation": 3},
            optional=True,
        ),
        None,
        since=_G.E2010,
    ),
    Setting("TlsDomain", Fqdn(), None, since=_G.E2010),
    Setting(
        "ErrorPolicies",
        Words("ErrorPolicies", _POLICIES, zero="Default"),
        frozenset(),
        since=_G.E2010,
    ),
    Setting("SmtpMaxMessagesPerConnection", Number(0, _MOST), 20, since=_G.E2010),
    Setting("RequireOorg", since=_G.E2010),
    Setting("IsCoexistenceConnector", since=_G.E2010, until=_G.E2010),
    Setting("CloudServicesMailEnabled", since=_G.E2013),
    Setting("FrontendProxyEnabled", since=_G.E2013),
    Setting(
        "TlsCertificateName",
        Text(None, r"<I>.+<S>.+", "of the form <I>Issuer<S>Subject"),
        None,
        since=_G.E2013,
    ),
    Setting(
        "ConnectorType",
        Choice("TenantConnectorType", {"Default": 0, "XPremises": 1}),
        "Default",
        since=_G.E2016,
    ),
)

USAGES = ("Custom", "Internal", "Internet", "Partner")
USAGE = Choice("NewSendConnectorUsageType", {name: number for number, name in enumerate(USAGES)})

Values = t.Mapping[str, t.Any]


def settings(edition: Edition) -> dict[str, Setting]:
    """The settings that this version has, by name."""
    return {setting.name: setting for setting in SETTINGS if setting.exists(edition)}


def defaults(edition: Edition) -> dict[str, t.Any]:
    """What a new connector has before its parameters. An object of Exchange 2019 had 35 MB where
    the documents say 25.
    """
    values = {name: setting.default for name, setting in settings(edition).items()}
    if edition.generation < _G.E2013:
        values["MaxMessageSize"] = 10 << 20
    return values


def check(values: Values, given: t.Container[str], edition: Edition) -> None:
    """Refuse a connector that breaks a rule. `given` are the parameters of this command line.
    Raises ExchangeError.
    """
    _routing(values, given)
    _spaces(values, edition)
    _smart_host_login(values)
    _tls(values)


def _routing(values: Values, given: t.Container[str]) -> None:
    """New-SendConnector.md, SmartHosts and DNSRoutingEnabled: either, and both on the same command
    line.
    """
    hosts, by_dns = values["SmartHosts"], values["DNSRoutingEnabled"]
    if hosts and by_dns:
        raise invalid("If you specify SmartHosts, DNSRoutingEnabled must be $false.")
    if not hosts and not by_dns:
        raise invalid("If DNSRoutingEnabled is $false, you must specify SmartHosts.")
    if not by_dns and ("SmartHosts" in given) != ("DNSRoutingEnabled" in given):
        raise invalid(
            "SmartHosts and DNSRoutingEnabled must be specified on the same command line."
        )
    if values["DomainSecureEnabled"] and not by_dns:
        # Set-SendConnector.md, DomainSecureEnabled.
        raise invalid("DomainSecureEnabled requires DNSRoutingEnabled.")


def _spaces(values: Values, edition: Edition) -> None:
    """New-SendConnector.md, AddressSpaces."""
    if not values["AddressSpaces"]:
        raise invalid("AddressSpaces can't be empty.")
    if any(space.kind != "smtp" for space in values["AddressSpaces"]):
        if edition.edge:
            raise invalid("On an Edge Transport server the address space type must be SMTP.")
        if not values["SmartHosts"]:
            raise invalid("An address space whose type isn't SMTP requires SmartHosts.")


def _smart_host_login(values: Values) -> None:
    """New-SendConnector.md, SmartHostAuthMechanism and AuthenticationCredential."""
    mechanism = values["SmartHostAuthMechanism"]
    if (
        mechanism in ("BasicAuth", "BasicAuthRequireTLS")
        and values["AuthenticationCredential"] is None
    ):
        raise invalid(
            f"The smart host authentication mechanism {mechanism} requires "
            "AuthenticationCredential."
        )
    if mechanism != "None" and not values["SmartHosts"]:
        # That it needs a smart host is unverified.
        raise invalid(f"The smart host authentication mechanism {mechanism} requires SmartHosts.")


def _tls(values: Values) -> None:
    """New-SendConnector.md, RequireTLS, IgnoreSTARTTLS, TlsAuthLevel, TlsDomain and
    DomainSecureEnabled.
    """
    ignored = values["IgnoreSTARTTLS"]
    if ignored and (values["RequireTLS"] or values["DomainSecureEnabled"]):
        raise invalid("RequireTLS and DomainSecureEnabled require that IgnoreSTARTTLS is $false.")
    level, domain = values.get("TlsAuthLevel"), values.get("TlsDomain")
    if level and (ignored or not values["RequireTLS"]):
        raise invalid(
            "TlsAuthLevel can't be set if IgnoreSTARTTLS is $true or RequireTLS is $false."
        )
    if domain and level != "DomainValidation":
        raise invalid("TlsDomain can be set only if TlsAuthLevel is DomainValidation.")
    if level == "DomainValidation" and values["SmartHosts"] and not domain:
        raise invalid("TlsAuthLevel DomainValidation with SmartHosts requires TlsDomain.")
