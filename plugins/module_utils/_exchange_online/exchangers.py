# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the MX of a tenant's domains points: as it is named, or as DNS says."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.resolver import (
    FOUND,
    DnsError,
    Resolver,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._tenant_names import is_tenant

# The domains that Microsoft gives; their MX is always the tenant. Unverified: the last two.
GIVEN = (".onmicrosoft.com", ".onmicrosoft.us", ".partner.onmschina.cn")
HYBRID = tuple(f".mail{suffix}" for suffix in GIVEN)
"""Where the servers of a hybrid organization deliver to."""


@dataclass(frozen=True)
class Exchangers:
    """The MX `hosts`, in sentences why others are not known, and those that only DNS has where
    others are named.
    """

    hosts: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()


def _plain(host: str) -> str:
    return host.strip().lower().rstrip(".")


@dataclass(frozen=True)
class Source:
    """Whom to believe. `named` are hosts that the description names; `ask`: DNS is asked as well,
    the server `resolver` where it is named.
    """

    named: tuple[str, ...] = ()
    ask: bool = False
    resolver: str | None = None
    port: int = 53

    def of(self, domains: t.Sequence[str]) -> Exchangers:
        """The MX hosts of these domains. What DNS does not tell is unknown whatever is named: it
        may have been moved.
        """
        if not self.ask:
            return Exchangers(self.named)
        told = self._by_dns([domain for domain in domains if not domain.endswith(GIVEN)])
        hosts = dict.fromkeys([*self.named, *told.hosts])
        named = set(map(_plain, self.named))
        return Exchangers(
            tuple(hosts),
            told.unknown,
            tuple(
                host
                for host in told.hosts
                if named and _plain(host) not in named and not is_tenant(host)
            ),
        )

    def _by_dns(self, domains: t.Sequence[str]) -> Exchangers:
        if not domains:
            return Exchangers(unknown=("The tenant tells no domain of its own.",))
        try:
            resolver = Resolver(self.resolver, self.port)
        except DnsError as error:
            return Exchangers(unknown=(str(error),))
        hosts: list[str] = []
        unknown: list[str] = []
        for domain in domains:
            answer = resolver.ask(domain, "MX")
            if not answer.known:
                unknown.append(f"DNS does not tell the MX of {domain}: {answer.why}.")
            if answer.status == FOUND:
                named = [each.exchange.to_text(omit_final_dot=True) for each in answer.records]
                # A host without a name says that the domain takes no mail (RFC 7505).
                hosts += [name.lower() for name in named if name.strip(".")]
        if not hosts and not unknown:
            unknown.append(f"DNS has no MX for {' and '.join(domains)}.")
        return Exchangers(tuple(dict.fromkeys(hosts)), tuple(unknown))
