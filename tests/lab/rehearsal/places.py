# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a lab that plays a site which was read: its own names and addresses, and somebody for
each who comes to it.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.exchange import edition_of
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.file import (
    FirewallReading,
    HostReading,
    Row,
    SiteReading,
)
from ansible_collections.mailedge.lockdown.tests.lab.site import ROLES, Place, Site

IPAddress = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

# Addresses of documentation, of whom nobody is a client.
_STRANGERS: t.Mapping[int, t.Sequence[str]] = {
    4: ("203.0.113.9", "198.51.100.9", "192.0.2.9"),
    6: ("2001:db8:bad::9", "2001:db8:bad:1::9", "3fff:bad::9"),
}
_PROVIDERS = {4: "198.51.100.25", 6: "2001:db8:100::25"}
_NOWHERE = {4: "192.0.2.254", 6: "2001:db8:ffff::254"}


@dataclass(frozen=True)
class ReadSite(Site):
    """A site that was read. Its name is its own, whatever a lab's sites are called otherwise."""

    mail_domain: str = ""

    def __post_init__(self) -> None:
        """Nothing of it is chosen."""

    @property
    def domain(self) -> str:
        return self.mail_domain


@dataclass(frozen=True)
class ReadPlace(Place):
    """A server that was read. `played`: version of IP → role → address."""

    named: str = ""
    inventory_name: str = ""
    own: tuple[str, str] = ("", "")
    networks: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    public: str = ""
    played: t.Mapping[int, t.Mapping[str, str]] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.named

    @property
    def host(self) -> str:
        return self.inventory_name

    @property
    def own_networks(self) -> tuple[str, ...]:
        return self.networks

    @property
    def addresses(self) -> tuple[str, str]:
        return self.own

    @property
    def public_address(self) -> str:
        return self.public

    def exchange_servers(self) -> tuple[str, ...]:
        return self.servers

    def players(self, version: int) -> dict[str, str]:
        return dict(self.played[version])


def plan(reading: SiteReading) -> tuple[ReadSite, list[ReadPlace]]:
    """The site and its places. Raises NoReading."""
    hosts = reading.hosts
    domains = [
        str(row.get("DomainName"))
        for told in hosts.values()
        for row in told.of("accepted-domains")
        if "." in str(row.get("DomainName")) and "*" not in str(row.get("DomainName"))
    ]
    editions = tuple(_key(told) for told in hosts.values())
    version = reading.firewall.version if reading.firewall else ""
    domain = domains[0] if domains else "site.example"
    site = ReadSite(reading.site, editions, version, mail_domain=domain)
    own = {name: _own(told) for name, told in hosts.items()}
    cast = _cast(reading.described)
    places = []
    for number, (name, told) in enumerate(hosts.items(), 1):
        others = [addresses for other, addresses in own.items() if other != name]
        played = {
            version: _players(version, own[name][at], [pair[at] for pair in others], cast)
            for at, version in enumerate((4, 6))
        }
        servers = tuple(dict.fromkeys(pair[0] for pair in (own[name], *others)))
        networks = [text for text in cast["own_networks"] if text]
        places.append(
            ReadPlace(
                site,
                1,
                number,
                str(told.facts["name"]),
                name,
                own[name],
                tuple(networks) or (_around(own[name][0]),),
                servers,
                _public(reading.firewall, own[name][0]),
                played,
            )
        )
    return site, places


def _key(told: HostReading) -> str:
    generation = edition_of(told.facts)
    small = any(str(row.get("Name")).startswith("Windows SBS ") for row in told.of("receive"))
    if small and generation.key in ("2007", "2010"):
        return "sbs-2008" if generation.key == "2007" else "sbs-2011"
    return generation.key


def _own(told: HostReading) -> tuple[str, str]:
    """The addresses that senders of each family come to."""
    own = {4: _NOWHERE[4], 6: _NOWHERE[6]}
    for text in reversed([str(text) for text in told.facts.get("addresses") or ()]):
        address = _address(text)
        if address and not (address.is_link_local or address.is_loopback):
            own[address.version] = str(address)
    return own[4], own[6]


def _address(text: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _cast(described: Row) -> dict[str, list[str]]:
    """Who is who, by the inventory of the site."""
    names = ("provider_ranges", "own_networks", "exchange_servers", "hybrid_ranges")
    return {
        name: [str(text) for text in described[name]]
        if isinstance(described.get(name), list)
        else []
        for name in names
    }


def _span(text: str) -> tuple[int, int, int] | None:
    """Version, first and last of a range or network; None for what is none."""
    try:
        if "-" in text:
            start, end = (ipaddress.ip_address(part.strip()) for part in text.split("-"))
            return start.version, int(start), int(end)
        network = ipaddress.ip_network(text, strict=False)
        return network.version, int(network[0]), int(network[-1])
    except ValueError:
        return None


def _in(number: int, version: int, texts: t.Iterable[str]) -> bool:
    spans = (_span(text) for text in texts)
    return any(span and span[0] == version and span[1] <= number <= span[2] for span in spans)


def _members(texts: t.Iterable[str], version: int) -> t.Iterator[str]:
    """Some addresses of these ranges."""
    make = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    for text in texts:
        span = _span(text)
        if span and span[0] == version:
            yield from (str(make(at)) for at in range(span[1], min(span[1] + 300, span[2] + 1)))


def _around(address: str) -> str:
    version = 6 if ":" in address else 4
    length = 64 if version == 6 else 24
    return str(ipaddress.ip_network(f"{address}/{length}", strict=False))


def _players(
    version: int, own: str, others: t.Sequence[str], cast: t.Mapping[str, list[str]]
) -> dict[str, str]:
    named = [text for texts in cast.values() for text in texts]
    servers = [*others, *_members(cast["exchange_servers"], version)]
    taken = {own, *servers}
    near = [text for text in _members([_around(own)], version) if text not in taken][5:]
    lan = [text for text in _members(cast["own_networks"], version) if text not in taken][1:]
    strangers = [
        text
        for text in _STRANGERS[version]
        if not _in(int(ipaddress.ip_address(text)), version, named)
    ]
    provider = [*_members(cast["provider_ranges"], version)][:1]
    internet = next(iter(strangers), _STRANGERS[version][0])
    played = (
        internet,
        provider[0] if provider else _PROVIDERS[version],
        lan[0] if lan else near[0],
        next((text for text in servers if text != own), near[1]),
    )
    return dict(zip(ROLES, played))


def _public(firewall: FirewallReading | None, own: str) -> str:
    """The address on the internet that leads to a server's port 25; its own without one."""
    for row in firewall.table("firewall/vip") if firewall else ():
        mapped = row.get("mappedip")
        texts = [
            str(part.get("range", "")) if isinstance(part, dict) else str(part)
            for part in (mapped if isinstance(mapped, list) else [mapped])
        ]
        number = int(ipaddress.ip_address(own))
        leads = row.get("portforward") != "enable" or str(row.get("mappedport")) == "25"
        if leads and _in(number, 4, texts) and _address(str(row.get("extip"))):
            return str(row["extip"])
    return own
