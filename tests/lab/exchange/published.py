# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server publishes: its certificates, as Get-ExchangeCertificate prints them.

Setup makes one of its own for the server's two names; a public one is an administrator's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Server
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
