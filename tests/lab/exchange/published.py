# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server publishes: certificates, and the URLs of its virtual directories, as they print.

Setup makes one of its own for the server's two names; a public one is an administrator's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Server
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import Edition, Generation
from ansible_collections.mailedge.lockdown.tests.lab.exchange.shapes import Shown

_SERVICES = "Microsoft.Exchange.Management.SystemConfigurationTasks.AllowedServices"
_DOMAIN = "Microsoft.Exchange.Data.SmtpDomainWithSubdomains"
_BITS = {"IMAP": 1, "POP": 2, "UM": 4, "IIS": 8, "SMTP": 16}


@dataclasses.dataclass(frozen=True)
class Certificate:
    """A certificate with Exchange's services on it. An unreadable one tells no names."""

    domains: tuple[str, ...]
    services: tuple[str, ...] = ()
    subject: str = ""

    @property
    def thumbprint(self) -> str:
        """Its thumbprint."""
        text = "|".join(("certificate", *self.domains, *self.services))
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().upper()


def own(server: Server) -> Certificate:
    """The one of setup."""
    return Certificate((server.name, server.fqdn), ("SMTP",), f"CN={server.name}")


def certificate_rows(
    server: Server, certificates: t.Iterable[Certificate]
) -> list[dict[str, t.Any]]:
    """What Get-ExchangeCertificate gives for that server."""
    return [
        {
            "Thumbprint": certificate.thumbprint,
            "Subject": certificate.subject,
            "CertificateDomains": [Shown(domain, _DOMAIN) for domain in certificate.domains],
            "Services": Shown(
                ", ".join(certificate.services) or "None",
                _SERVICES,
                sum(_BITS[service] for service in certificate.services),
            ),
        }
        for certificate in (own(server), *certificates)
    ]


_G = Generation
# Cmdlet → the first generation that has it, and the path of its directory.
_DIRECTORIES = {
    "Get-OwaVirtualDirectory": (_G.RTM2007, "owa"),
    "Get-EcpVirtualDirectory": (_G.E2010, "ecp"),
    "Get-WebServicesVirtualDirectory": (_G.RTM2007, "EWS/Exchange.asmx"),
    "Get-ActiveSyncVirtualDirectory": (_G.RTM2007, "Microsoft-Server-ActiveSync"),
    "Get-OabVirtualDirectory": (_G.RTM2007, "OAB"),
    "Get-AutodiscoverVirtualDirectory": (_G.RTM2007, ""),
    "Get-MapiVirtualDirectory": (_G.E2013, "mapi"),
    "Get-OutlookAnywhere": (_G.RTM2007, "Rpc"),
}


def commands(edition: Edition) -> dict[str, tuple[str, ...]]:
    """The cmdlets of this module that an edition has, and their parameters.

    2007 has no ADPropertiesOnly (TechNet aa998588), and that 2010 has none is unverified.
    """
    if edition.edge:
        return {}
    fast = ("ADPropertiesOnly",) if edition.generation >= _G.E2013 else ()
    held = {
        cmdlet: ("Identity", "Server", *fast, "DomainController")
        for cmdlet, (since, _path) in _DIRECTORIES.items()
        if edition.generation >= since
    }
    held["Get-ClientAccessServer"] = ("Identity", "DomainController")
    if edition.generation >= _G.E2016:
        held["Get-ClientAccessService"] = ("Identity", "DomainController")
    if edition.generation >= _G.E2010:
        held["Get-HybridConfiguration"] = ("DomainController",)
    return held


def rows(cmdlet: str, server: Server, external: str, hybrid: t.Sequence[str]) -> list[t.Any]:
    """What one of them gives; `external` is the host that clients outside are told, '' for none."""
    if cmdlet == "Get-HybridConfiguration":
        name = "Microsoft.Exchange.Data.Directory.SystemConfiguration.AutoDiscoverSmtpDomain"
        return [{"Domains": [Shown(domain, name) for domain in hybrid]}] if hybrid else []
    if cmdlet.startswith("Get-ClientAccess"):
        uri = f"https://autodiscover.{server.fqdn.split('.', 1)[1]}/Autodiscover/Autodiscover.xml"
        return [{"Name": server.name, "AutoDiscoverServiceInternalUri": Shown(uri, "System.Uri")}]
    path = _DIRECTORIES[cmdlet][1]
    if cmdlet == "Get-OutlookAnywhere":
        host = "Microsoft.Exchange.Data.Hostname"
        return [
            {
                "Name": "Rpc (Default Web Site)",
                "InternalHostname": Shown(server.fqdn, host),
                "ExternalHostname": Shown(external, host) if external else None,
            }
        ]
    urls = {"InternalUrl": server.fqdn, "ExternalUrl": external}
    return [
        {
            "Name": f"{path or 'Autodiscover'} (Default Web Site)",
            # Autodiscover's directory has none.
            **{
                key: Shown(f"https://{host}/{path}", "System.Uri") if host and path else None
                for key, host in urls.items()
            },
        }
    ]
