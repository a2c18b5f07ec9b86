# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of an organization: its connectors and servers, and its domain controllers, which
do not agree at once.
"""

from __future__ import annotations

import copy
import random
import threading
import time
import typing as t
import uuid

from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import task_error
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Stored, escape_rdn

_GROUPS = "CN=Exchange Administrative Group (FYDIBOHF23SPDLT),CN=Administrative Groups"


class Server(t.NamedTuple):
    """A server that the directory knows."""

    name: str
    fqdn: str
    edge: bool


class Directory:
    """The connectors of one organization. An Edge server has a directory of its own (ADAM), without
    domain controllers.

    With a `lag` in seconds, a write on one domain controller is seen on the others only later; so
    one is named in every call of a run.
    """

    def __init__(
        self,
        domain: str,
        controllers: t.Sequence[str] = ("dc1",),
        *,
        organization: str = "First Organization",
    ) -> None:
        self.domain = domain
        self.organization = organization
        self.controllers = tuple(f"{name}.{domain}" for name in controllers)
        # Domain, or *, or *.domain → its type.
        self.accepted_domains: dict[str, str] = {domain: "Authoritative"}
        # Server → certificates beside setup's own.
        self.certificates: dict[str, list[t.Any]] = {}
        # Server → the host in its external URLs; and the domains of the hybrid configuration.
        self.external: dict[str, str] = {}
        self.hybrid: list[str] = []
        # Of a server that was read: its Windows domain's short name, the names of its accepted
        # domains, and (server, cmdlet) → what a cmdlet answers that reads what nothing here
        # writes.
        self.short_name = ""
        self.domain_names: dict[str, str] = {}
        self.replayed: dict[tuple[str, str], list[dict[str, t.Any]]] = {}
        # Whether objects that are not valid refuse to be set is unverified; both are played.
        self.refuses_invalid = False
        self.servers: dict[str, Server] = {}
        self.lag = 0.0
        self.lock = threading.RLock()
        self.random = random.Random(domain)
        self._edge_root = f"CN={{{str(uuid.uuid5(uuid.NAMESPACE_DNS, domain)).upper()}}}"
        self._connectors: list[Stored] = []
        self._stale: dict[str, tuple[float, list[Stored]]] = {}

    @property
    def netbios(self) -> str:
        """The short name of the Windows domain; '' without one."""
        if self.short_name:
            return self.short_name
        return self.domain.split(".", 1)[0].upper() if self.controllers else ""

    def accepts(self, domain: str) -> bool:
        """Whether mail for this domain is taken at all (learn.microsoft.com, "Accepted
        domains").
        """
        asked = domain.casefold()
        return any(
            known in ("*", asked) or (known.startswith("*.") and asked.endswith(known[1:]))
            for known in (accepted.casefold() for accepted in self.accepted_domains)
        )

    @property
    def accepts_strangers(self) -> bool:
        """Whether that is so for domains that are nobody's here."""
        return any(
            self.accepts(f"nobody.of-this-site.{top}") for top in ("com", "net", "org", "de")
        )

    def controller(self, named: str | None) -> str:
        """The domain controller for one call: the one that was named, else any. Raises
        ExchangeError for one that does not answer.
        """
        if not self.controllers:
            return "localhost"
        if named is None:
            return self.random.choice(self.controllers)
        for controller in self.controllers:
            if named.casefold() in (controller.casefold(), controller.split(".", 1)[0].casefold()):
                return controller
        # Class and words are unverified.
        raise task_error(
            "SuitabilityDirectoryException",
            "An Active Directory error 0x51 occurred when trying to check the suitability of "
            f"server '{named}'. Error: 'Active directory response: The LDAP server is "
            "unavailable.'",
            "ResourceUnavailable",
        )

    def view(self, controller: str) -> list[Stored]:
        """All connectors as this domain controller sees them. Not to be changed."""
        until, old = self._stale.get(controller, (0.0, []))
        return old if time.monotonic() < until else self._connectors

    def _writing(self, controller: str) -> None:
        if not self.lag:
            return
        now = time.monotonic()
        for other in self.controllers:
            if other != controller and self._stale.get(other, (0.0, []))[0] < now:
                self._stale[other] = (now + self.lag, copy.deepcopy(self._connectors))

    def put(self, connector: Stored, controller: str = "") -> None:
        """Add a connector, or put it in the place of the one with its GUID."""
        self._writing(controller)
        connector.touch()
        for at, held in enumerate(self._connectors):
            if held.guid == connector.guid:
                self._connectors[at] = connector
                return
        self._connectors.append(connector)

    def drop(self, connector: Stored, controller: str = "") -> None:
        """Remove a connector."""
        self._writing(controller)
        self._connectors = [held for held in self._connectors if held.guid != connector.guid]

    def _root(self) -> str:
        if not self.controllers:
            return (
                "CN=First Organization,CN=Microsoft "
                f"Exchange,CN=Services,CN=Configuration,{self._edge_root}"
            )
        parts = ",".join(f"DC={part}" for part in self.domain.split("."))
        return (
            f"CN={escape_rdn(self.organization)},CN=Microsoft "
            f"Exchange,CN=Services,CN=Configuration,{parts}"
        )

    def receive_dn(self, server: str, name: str) -> str:
        """The distinguished name of a receive connector."""
        return (
            f"CN={escape_rdn(name)},CN=SMTP Receive "
            f"Connectors,CN=Protocols,CN={escape_rdn(server)},CN=Servers,{_GROUPS},{self._root()}"
        )

    def send_dn(self, name: str) -> str:
        """The distinguished name of a send connector."""
        return (
            f"CN={escape_rdn(name)},CN=Connections,CN=Exchange Routing Group "
            f"(DWBGZMFD01QNBJR),CN=Routing Groups,{_GROUPS},{self._root()}"
        )
