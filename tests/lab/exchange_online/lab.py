# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's Exchange Online as a whole: what a test starts."""

from __future__ import annotations

import pathlib
import tempfile
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.clock import Clock
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online import objects, tokens
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.api import AdminApi, armed
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.attribution import Hop
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.authority import (
    EXCHANGE_ADMINISTRATOR,
    GLOBAL_READER,
    App,
    Authority,
    LoginFaults,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.cmdlets import call
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.graph import Graph
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.mail import MailFront
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.messages import (
    Fate,
    Message,
    deliver,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.tenant import Tenant
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.web import WebServer
from ansible_collections.mailedge.lockdown.tests.lab.wsman.certificate import make_certificate

WORLDWIDE = "https://outlook.office365.com"
SECRET = "lab-secret-of-the-writer"
READER_SECRET = "lab-secret-of-the-reader"
STRANGER, PROVIDER, OFFICE = "192.0.2.77", "198.51.100.7", "203.0.113.25"
SOURCES = {"127.0.2.1": STRANGER, "127.0.3.1": PROVIDER, "127.0.4.1": OFFICE}
SOURCES_6 = {"internet": "2001:db8:ffff::77", "provider": "2001:db8:100::7"}
OTHER_TENANT = "11111111-2222-3333-4444-555555555555"


class ExchangeOnline:
    """One tenant with its login host, its Admin API and its managed identity, for as long as the
    context lasts. The interface is told in the docstring of the package.
    """

    def __init__(
        self,
        name: str = "hafen-lab",
        domains: t.Sequence[str] = ("hafen.example",),
        *,
        audience: str = WORLDWIDE,
        folder: pathlib.Path | None = None,
    ) -> None:
        self._temporary = (
            tempfile.TemporaryDirectory(prefix="mailedge-online-") if folder is None else None
        )
        self.folder = folder or pathlib.Path(t.cast("t.Any", self._temporary).name)
        self.clock = Clock()
        self.audience = audience
        self.tenant = Tenant(name, *domains, clock=self.clock)
        names = [row["DomainName"] for row in self.tenant.rows("AcceptedDomain")]
        self.authority = Authority(self.tenant.id, names, audience, self.clock)
        self.api = AdminApi(self.tenant, self.authority)
        certificate = make_certificate("online.lab.example", self.folder)
        self.ca_path = certificate.path
        self.certificate = tokens.app_certificate("mailedge-lab-app", self.folder)
        self.writer = self._app("0a", SECRET, EXCHANGE_ADMINISTRATOR)
        self.writer.certificates.append(self.certificate)
        self.reader = self._app("0b", READER_SECRET, GLOBAL_READER)
        self.without_role = self._app("0c", "lab-secret-without-role")
        self.without_grant = self._app("0d", "lab-secret-without-grant")
        self.without_grant.app_roles.clear()
        self.authority.machine = self._app("0e", "", EXCHANGE_ADMINISTRATOR)
        self.graph = Graph(self.tenant.id, self.authority)
        self._servers = [
            WebServer(self.authority.answer, certificate.context),
            WebServer(self.api.answer, certificate.context, self.api.now),
            WebServer(self.authority.answer_identity),
            WebServer(self.graph.answer, certificate.context),
        ]
        self.login_url, self.api_url, self.identity_url, self.graph.url = (
            server.url for server in self._servers
        )
        self.authority.url, self.api.url = self.login_url, self.api_url
        self.tenants = [self.tenant]
        self._mail: MailFront | None = None

    def _app(self, number: str, secret: str, *roles: str) -> App:
        app = App(f"{number}000000-0000-4000-8000-00000000{number}00", secret)
        app.directory_roles.update(roles)
        self.authority.apps[app.client_id] = app
        return app

    def __enter__(self) -> ExchangeOnline:
        for server in self._servers:
            server.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        for server in self._servers:
            server.stop()
        if self._mail is not None:
            self._mail.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    # ------------------------------------------------------------ for tests

    @property
    def mail(self) -> MailFront:
        """Port 25, which listens from the first time that it is asked for."""
        if self._mail is None:
            self._mail = MailFront(
                self.tenants, self.folder, self.clock, dict(SOURCES), STRANGER, SOURCES_6
            )
        return self._mail

    def deliver(self, hop: Hop, message: Message) -> Fate:
        """What would become of a message, rules and filters included."""
        return deliver(self.tenant, hop, message)

    @property
    def requests(self) -> int:
        """Requests to the Admin API, those that were cut or thrown back too; a batch is one."""
        return self.api.requests

    @property
    def logins(self) -> int:
        """Requests to the login host and to the managed identity."""
        return self.authority.requests

    @property
    def writes(self) -> int:
        """Calls of cmdlets that change something, refused ones too."""
        return self.api.writes

    def seed_hybrid(self) -> None:
        """A site as it may be found: HybridWizard's connectors (never to be touched), printers that
        send by their address, a rule that marks mail from outside, and what lets mail past the
        filter: a rule, the allow list, the perimeter.
        """
        tenant, server = self.tenant, "mail.hafen.example"
        tenant.inbound(
            f"Inbound from {tenant.id}",
            ConnectorType="OnPremises",
            ConnectorSource="HybridWizard",
            SenderDomains=["smtp:*;1"],
            TlsSenderCertificateName=server,
            CloudServicesMailEnabled=True,
        )
        tenant.inbound(
            "printers",
            ConnectorType="OnPremises",
            ConnectorSource="AdminUI",
            SenderDomains=["smtp:*;1"],
            SenderIPAddresses=[OFFICE],
            RequireTls=False,
        )
        tenant.add(
            "OutboundConnector",
            objects.OUTBOUND,
            f"Outbound to {tenant.id}",
            ConnectorType="OnPremises",
            ConnectorSource="HybridWizard",
            RecipientDomains=[tenant.rows("AcceptedDomain")[-1]["DomainName"]],
            SmartHosts=[server],
            UseMXRecord=False,
            TlsDomain=server,
            TlsSettings="DomainValidation",
            CloudServicesMailEnabled=True,
        )
        marks = {"FromScope": "NotInOrganization", "PrependSubject": "[outside] "}
        call(tenant, "New-TransportRule", {"Name": "mark mail from outside", **marks})
        trusts = {"SenderIpRanges": ["198.51.100.0/24"], "SetSCL": -1}
        call(tenant, "New-TransportRule", {"Name": "trust the filter", **trusts})
        tenant.rows("HostedConnectionFilterPolicy")[0]["IPAllowList"] = ["198.51.100.0/24"]
        tenant.rows("PerimeterConfig")[0]["GatewayIPAddresses"] = [OFFICE]
        tenant.changed()

    def reset_counters(self) -> None:
        """Count from here."""
        self.api.reset_counters()
        self.authority.requests = 0

    def arm(self, **faults: t.Any) -> None:
        """Let something go wrong at the Admin API from now on; without arguments nothing any more.
        The names are those of api.Faults.
        """
        self.api.faults = armed(**faults)

    def arm_login(self, **faults: t.Any) -> None:
        """The same at the login host; the names are those of authority.LoginFaults."""
        self.authority.faults = LoginFaults(**faults)

    def expire_tokens(self) -> None:
        """Every token that was given until now is answered 401."""
        self.authority.expire()

    def identity_environment(self, service: str = "vm") -> dict[str, str]:
        """The environment in which msal finds the managed identity: that of a `vm`, or of an
        `app_service`.
        """
        if service == "vm":
            return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self.identity_url}
        return {
            "IDENTITY_ENDPOINT": f"{self.identity_url}/msi/token",
            "IDENTITY_HEADER": self.authority.identity_header,
        }
