# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tenant of the lab's Exchange Online: what is configured, and what of it is in force already.

Known from: Microsoft and reports on RejectDirectSend (a change is in force after up to 30 minutes;
the lab takes all of them unless it is told otherwise),
Microsoft's FAQ on inbound connectors (some subscriptions get connectors that are disabled, with a
warning), New-InboundConnector (none at all in Microsoft 365 E5 developer subscriptions; the words
of that refusal are unverified). That reading shows a change at once is unverified.
"""

from __future__ import annotations

import copy
import typing as t
import uuid

from ansible_collections.mailedge.lockdown.tests.lab.clock import Clock
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online import objects
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.objects import Row
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.refusals import (
    NOT_FOUND,
    CmdletError,
)

Tables = dict[str, list[Row]]

PROPAGATION = 1800.0
LONG_AGO = "2024-08-16T12:09:31Z"
BUSINESS, E5_DEVELOPER, RESTRICTED = "business", "e5_developer", "restricted"


class Tenant:
    """One organization.

    `subscription`: BUSINESS; E5_DEVELOPER gets no inbound connector; RESTRICTED gets those of type
    OnPremises disabled. `propagation`: so many seconds pass before the mail servers know of what a
    cmdlet has changed; what a test sets up is known at once, as if it had always been there.
    `recipients`: who has a mailbox; mail to others of an authoritative domain is refused.
    `on_premises_first`: whether mail that an OnPremises connector knows is let past a restricting
    Partner connector; facts §1.2 say that it bounces. `ipv6`: whether its names have AAAA records.
    """

    def __init__(self, name: str, *domains: str, clock: Clock | None = None) -> None:
        self.name = name
        self.clock = clock or Clock()
        self.id = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.example"))
        self.initial = f"{name}.onmicrosoft.com"
        self.hybrid = f"{name}.mail.onmicrosoft.com"
        self.subscription = BUSINESS
        self.propagation = PROPAGATION
        self.on_premises_first = False
        self.ipv6 = True
        self.ignores_writes = False
        self.tables: Tables = {}
        self._history: list[tuple[float, bool, Tables]] = []
        names = (self.initial, self.hybrid, *domains)
        for position, domain in enumerate(names):
            self.add(
                "AcceptedDomain",
                objects.DOMAIN,
                domain,
                DomainName=domain,
                InitialDomain=domain == self.initial,
                IsCoexistenceDomain=domain == self.hybrid,
                Default=position == (2 if domains else 0),
            )
        self.recipients = {
            f"postmaster@{domain}" for domain in (self.initial, self.hybrid, *domains)
        }
        self.add(
            "OrganizationConfig",
            objects.ORGANIZATION,
            self.initial,
            DisplayName=name,
            WhenChanged=LONG_AGO,
            WhenChangedUTC=LONG_AGO,
        )
        self.add("HostedConnectionFilterPolicy", objects.CONNECTION_FILTER, "Default")
        self.add("PerimeterConfig", objects.PERIMETER, "Tenant Perimeter Settings")
        self.add("TransportConfig", objects.TRANSPORT, "Transport Settings")
        for table in ("InboundConnector", "OutboundConnector", "TransportRule"):
            self.tables[table] = []
        self._history = [(float("-inf"), False, copy.deepcopy(self.tables))]

    # ------------------------------------------------------------ rows

    def rows(self, table: str) -> list[Row]:
        """The rows of a table, as they are held."""
        return self.tables[table]

    def add(self, table: str, defaults: t.Mapping[str, t.Any], name: str, **values: t.Any) -> Row:
        """A new row, whatever any rule says of it: how a test sets a site up."""
        row = objects.made(table, self.initial, defaults, name, objects.stamp(self.clock.now()))
        row.update(copy.deepcopy(values))
        self.tables.setdefault(table, []).append(row)
        self.changed()
        return row

    def inbound(self, name: str, **values: t.Any) -> Row:
        """An inbound connector that somebody made before."""
        return self.add("InboundConnector", objects.INBOUND, name, **values)

    def row_of(self, table: str, identity: str | None) -> Row:
        """The row with this name, number or distinguished name. Raises CmdletError."""
        for row in self.tables[table]:
            names = (row["Name"], row["Identity"], row["Guid"], row["DistinguishedName"])
            if identity is not None and identity.casefold() in (
                known_by.casefold() for known_by in names
            ):
                return row
        raise CmdletError(
            NOT_FOUND,
            f"The operation couldn't be performed because object '{identity}' couldn't be found on "
            "'LAB01A01DC001.LABPR01A001.PROD.OUTLOOK.COM'.",
        )

    def accepts(self, domain: str) -> Row | None:
        """The accepted domain that mail to `domain` is for."""
        wanted = domain.casefold()
        for row in self.tables["AcceptedDomain"]:
            held = row["DomainName"].casefold()
            if wanted == held or (row["MatchSubDomains"] and wanted.endswith(f".{held}")):
                return row
        return None

    @property
    def organization(self) -> Row:
        """Its settings."""
        return self.tables["OrganizationConfig"][0]

    # ------------------------------------------------------------ time

    def draft(self) -> Tenant:
        """The same tenant, for trying a write on."""
        draft = copy.copy(self)
        draft.tables = copy.deepcopy(self.tables)
        draft._history = []
        return draft

    def take(self, draft: Tenant) -> None:
        """What a cmdlet has made is held from now on."""
        if not self.ignores_writes:
            self.tables = draft.tables
            self._history.append((self.clock.monotonic(), True, copy.deepcopy(self.tables)))

    def changed(self) -> None:
        """A test has set something up; the mail servers know all that is held."""
        self._history.append((self.clock.monotonic(), False, copy.deepcopy(self.tables)))

    def in_force(self) -> Tables:
        """The configuration that the mail servers go by at this moment."""
        now = self.clock.monotonic()
        known = [
            tables
            for moment, by_cmdlet, tables in self._history
            if moment + (self.propagation if by_cmdlet else 0.0) <= now
        ]
        return known[-1] if known else self._history[0][2]
