# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names by which somebody may reach the mail servers of a site, and where they lead.

From its domains: MX hosts, the domain itself, the names that people forget, what SPF and
autodiscover hint at, the name of its tenant; and what the site and its server name. Only names
under the domains are looked at, and the tenant's: anything else is somebody else's.
"""

from __future__ import annotations

import secrets
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.resolver import (
    NOT_THERE,
    Answer,
    Resolver,
    ascii_name,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.spf import hosts_named
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._tenant_names import (
    SUFFIXES,
    is_tenant,
)

FORGOTTEN = (
    "mail", "webmail", "owa", "exchange", "smtp", "mx", "mx1", "mx2", "remote", "autodiscover",
    "legacy", "vpn", "relay", "mailgate", "imap", "pop", "edge", "hybrid",
)  # fmt: skip
"""What companies call their mail servers. The last six are judgement; nobody has counted them."""

TENANT = "mail.protection.outlook.com"
# Names of a site that are Microsoft's servers: autodiscover of a tenant, and its web mail.
_MICROSOFTS = (*SUFFIXES, "outlook.com", "office365.com", "office.com")
KINDS = {"ipv4": "A", "ipv6": "AAAA"}
_AT_ONCE, _IN_A_ROW = 8, 256

MX, APEX, GUESS, SPF, SRV, OF_TENANT, SERVER, NAMED, WILDCARD = (
    "mx", "domain", "forgotten", "spf", "autodiscover", "tenant", "server", "named", "wildcard",
)  # fmt: skip
# Asked for before what is guessed, because the time may end.
_FIRST = (NAMED, SERVER, MX, APEX)


def under(name: str, suffixes: t.Iterable[str]) -> bool:
    """Whether a name is one of the suffixes or below one."""
    return any(name == suffix or name.endswith(f".{suffix}") for suffix in suffixes)


def domain_of(name: str, domains: t.Collection[str]) -> str:
    """The nearest of the domains that a name is or is below of; empty where it is none's.

    By the name's own labels: a site may have hundreds of domains.
    """
    above = name
    while above and above not in domains:
        above = above.partition(".")[2]
    return above


def to_tenant(host: str) -> bool:
    """Whether an MX host is Exchange Online's."""
    return is_tenant(host)


def tenant_name(domain: str) -> str:
    """The name that Exchange Online has for a domain.

    Domains added since July 2026 have one under mx.microsoft that cannot be derived: only MX, or
    Microsoft's Graph, tells it.
    """
    return f"{domain.replace('.', '-')}.{TENANT}"


@dataclass
class Name:
    """One name: why it is asked for, what DNS says by family, and whether it is looked at."""

    name: str
    sources: list[str]
    answers: dict[str, Answer] = field(default_factory=dict)
    look: bool = True
    why: str = ""

    @property
    def addresses(self) -> list[str]:
        """All addresses, IPv4 first."""
        return [
            str(record.address)
            for family in KINDS
            for record in (self.answers[family].records if family in self.answers else ())
        ]

    @property
    def there(self) -> bool:
        """Whether DNS has the name, or could not say."""
        return any(answer.status != NOT_THERE for answer in self.answers.values())

    @property
    def unknown(self) -> list[Answer]:
        """The families of which DNS does not say where they lead."""
        return [answer for answer in self.answers.values() if not answer.known]

    def as_dict(self) -> dict[str, t.Any]:
        """The name in a result."""
        return {
            "name": self.name,
            "sources": self.sources,
            "aliases": list(next(iter(self.answers.values())).aliases) if self.answers else [],
            "addresses": self.addresses,
            **{family: self.answers[family].status for family in self.answers},
            "looked_at": bool(self.look and self.addresses),
            "why": self.why,
        }


@dataclass(frozen=True)
class Wanted:
    """What a site says of its names, all of it as DNS has it (ascii_name)."""

    domains: tuple[str, ...]
    names: tuple[str, ...] = ()
    of_server: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    mx_suffixes: tuple[str, ...] = ()
    provider_ranges: RangeSet = field(default_factory=RangeSet)


class Names:
    """All names of a site, read once."""

    def __init__(self, resolver: Resolver, wanted: Wanted) -> None:
        self._resolver, self._wanted = resolver, wanted
        self._domains = frozenset(wanted.domains)
        self.names: dict[str, Name] = {}
        self.outside: dict[str, Name] = {}
        self.mx: dict[str, Answer] = {}
        self.wildcards: dict[str, Name] = {}
        self._by_any_name: set[str] = set()

    def read(self) -> None:
        """Ask, first what tells of further names, then where all of them lead."""
        domains = self._wanted.domains
        self._at_once([(domain, kind) for domain in domains for kind in ("MX", "TXT")])
        for domain in domains:
            self._of_domain(domain)
        for source, names in ((SERVER, self._wanted.of_server), (NAMED, self._wanted.names)):
            for name in names:
                self._add(name, source)
        everything = [*self.names.values(), *self.wildcards.values()]
        everything.sort(key=lambda each: set(each.sources).isdisjoint(_FIRST))
        self._at_once([(each.name, kind) for each in everything for kind in KINDS.values()])
        for each in everything:
            for family, kind in KINDS.items():
                each.answers[family] = self._resolver.ask(each.name, kind)
        mail_by_tenant = any(to_tenant(host) for each in self.mx for host in self.hosts_of(each))
        for each in self.names.values():
            self._judge(each, mail_by_tenant=mail_by_tenant)

    @property
    def looked_at(self) -> list[Name]:
        """The names with an address to look at."""
        return [each for each in self.names.values() if each.look and each.addresses]

    def hosts_of(self, domain: str) -> list[str]:
        """The MX hosts of a domain, best first; `.` where it says that it takes no mail."""
        records = sorted(self.mx[domain].records, key=lambda record: int(record.preference))
        return [record.exchange.to_text(omit_final_dot=True).lower() or "." for record in records]

    def _of_domain(self, domain: str) -> None:
        self.mx[domain] = self._resolver.ask(domain, "MX")
        for host in self.hosts_of(domain):
            if host != ".":
                self._add(host, MX)
        self._add(domain, APEX)
        for label in FORGOTTEN:
            self._add(f"{label}.{domain}", GUESS)
        for host in hosts_named(self._resolver.ask(domain, "TXT"), domain):
            self._add(host, SPF)
        for record in self._resolver.ask(f"_autodiscover._tcp.{domain}", "SRV").records:
            self._add(record.target.to_text(omit_final_dot=True), SRV)
        self._add(tenant_name(domain), OF_TENANT)
        # Nobody has this name: what answers for it answers for every name.
        anything = f"{secrets.token_hex(8)}.{domain}"
        self.wildcards[domain] = Name(anything, [WILDCARD])

    def _add(self, text: str, source: str) -> None:
        try:
            name = ascii_name(text)
        except (ValueError, UnicodeError):
            self.outside.setdefault(text, Name(text, [source], look=False, why="it is no name"))
            return
        known = self.names if domain_of(name, self._domains) or source == OF_TENANT else None
        if known is None:
            known = self.outside
            known.setdefault(
                name, Name(name, [], look=False, why="it is not under the site's domains")
            )
        entry = known.setdefault(name, Name(name, []))
        if source not in entry.sources:
            entry.sources.append(source)

    def _at_once(self, questions: t.Sequence[tuple[str, str]]) -> None:
        """Ask several questions at the same time. The resolver keeps the answers."""
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            for start in range(0, len(questions), _IN_A_ROW):
                if self._resolver.left <= 0:
                    break
                row = questions[start : start + _IN_A_ROW]
                list(pool.map(lambda question: self._resolver.ask(*question), row))

    def _judge(self, entry: Name, *, mail_by_tenant: bool) -> None:
        """Whether the name is the site's to look at, or a guess that is not there."""
        ends = {answer.owner for answer in entry.answers.values()}
        elsewhere = sorted(end for end in ends if under(end, self._elsewhere()))
        domain = domain_of(entry.name, self._domains) or entry.name
        if entry.name in self._wanted.left_out:
            entry.look, entry.why = False, "the site says that it is somebody else's"
        elif OF_TENANT in entry.sources:
            if mail_by_tenant:
                entry.look, entry.why = False, "mail comes by way of the tenant, whose name it is"
        elif elsewhere:
            entry.look = False
            entry.why = f"it leads to {elsewhere[0]}, which is no server of the site"
        elif entry.addresses and all(
            address in self._wanted.provider_ranges for address in entry.addresses
        ):
            entry.look, entry.why = False, "its addresses are the provider's"
        elif entry.sources == [GUESS] and self._by_wildcard(entry, domain):
            # One of them is enough to look at what answers.
            entry.look = domain not in self._by_any_name
            self._by_any_name.add(domain)
            entry.why = f"DNS answers so for every name below {domain}"

    def _elsewhere(self) -> tuple[str, ...]:
        return (*_MICROSOFTS, *self._wanted.mx_suffixes)

    def _by_wildcard(self, entry: Name, domain: str) -> bool:
        """Whether a name that was guessed is answered for as any name is."""
        wildcard = self.wildcards.get(domain)
        if wildcard is None or not wildcard.addresses:
            return False

        def as_seen(name: Name, family: str) -> tuple[t.Any, ...]:
            answer = name.answers[family]
            aliases = answer.owner if answer.aliases else ""
            return answer.status, sorted(map(str, answer.records)), aliases

        return all(as_seen(entry, family) == as_seen(wildcard, family) for family in KINDS)


def known_as(names: t.Iterable[Name]) -> dict[str, list[str]]:
    """Name → its addresses, for who looks at them: no other resolver is asked again."""
    return {each.name: each.addresses for each in names}
