# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accepted domains: for which recipients the organization takes mail. They are read, and never
changed.

One of them may be `*` (CSS-Exchange's HealthChecker looks for it): then every recipient is taken,
so that whoever may send to the server may relay through it, with no right to relay at all.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import routing

Rows = t.Iterable[t.Mapping[str, t.Any]]
Connectors = t.Mapping[str, t.Mapping[str, t.Any]]

STEP = "accepted-domains"
"""The id of the step that reads them."""

EVERY_RECIPIENT = "every_recipient"
"""Key of a receive connector, no option of it: every recipient is in an accepted domain."""


class AcceptedDomain(t.NamedTuple):
    """`domain` is in small letters, a wildcard for domains below one included; `type` as Exchange
    prints it.
    """

    name: str
    domain: str
    type: str

    @property
    def is_everything(self) -> bool:
        """Whether it stands for the internet at large and not for domains of the site."""
        return routing.is_generic(self.domain)

    def __str__(self) -> str:
        return f"'{self.domain}' ({self.type})"


def step(domain_controller: str | None, *, prefix: str, always: bool) -> dict[str, t.Any]:
    """The step of the agent; optional, because not every role may have it (unverified)."""
    return {
        "op": "call",
        "id": f"{prefix}{STEP}",
        "cmdlet": "Get-AcceptedDomain",
        "parameters": {"DomainController": domain_controller} if domain_controller else {},
        "select": ["Name", "DomainName", "DomainType"],
        "always": always,
        "optional": True,
    }


def read(rows: Rows | None) -> tuple[AcceptedDomain, ...] | None:
    """The accepted domains of the rows; None where they could not be read."""
    if rows is None:
        return None
    domains = (
        AcceptedDomain(
            *(str(row.get(key) or "").strip() for key in ("Name", "DomainName", "DomainType"))
        )
        for row in rows
    )
    return tuple(sorted(domain._replace(domain=domain.domain.lower()) for domain in domains))


def marked(connectors: Connectors, domains: t.Iterable[AcceptedDomain] | None) -> Connectors:
    """The receive connectors, told of an accepted domain that is everything."""
    if not any(domain.is_everything for domain in domains or ()):
        return connectors
    return {
        key: connector if connector.get(EVERY_RECIPIENT) else {**connector, EVERY_RECIPIENT: True}
        for key, connector in connectors.items()
    }
