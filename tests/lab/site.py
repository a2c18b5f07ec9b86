# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a lab: which sites, which servers, and who plays whom on the loopback interface."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS

PROVIDER_RANGES = ("198.51.100.0/24", "2001:db8:100::/48")
"""Where the filtering provider delivers from, for every site."""

ROLES = ("internet", "provider", "lan", "exchange")
"""Who looks: a stranger on the internet, the provider, the site's own network, another Exchange
server of the site.
"""

SOURCES: t.Mapping[str, str] = {role: f"127.0.{number}.1" for number, role in enumerate(ROLES, 2)}
"""Role → the loopback address that plays it. Every other address plays the internet."""

_VERSION = re.compile(r"[5-9]\.\d{1,2}\.\d{1,2}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,20}")
# A Small Business Server's connectors are written for this network (exchange/defaults.py).
_SBS_LAN = "192.0.2"


@dataclass(frozen=True)
class Site:
    """A site: its name, the editions of its servers (keys of EDITIONS), which share one
    organization, and the FortiOS of its firewall.

    Without a version of FortiOS, such as 7.4.4, there is no firewall in front of the site.
    """

    name: str
    editions: tuple[str, ...]
    firewall: str = ""

    def __post_init__(self) -> None:
        if self.firewall and not _VERSION.fullmatch(self.firewall):
            raise ValueError(f"'{self.firewall}' is no version of FortiOS, such as 7.4.4.")
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"'{self.name}' is no name for a site: small letters, digits and dashes, a letter "
                "first."
            )
        unknown = [edition for edition in self.editions if edition not in EDITIONS]
        if unknown:
            raise ValueError(
                f"There is no edition '{unknown[0]}'. Those that there are: {', '.join(EDITIONS)}."
            )
        if not 1 <= len(self.editions) <= 9:
            raise ValueError(f"The site '{self.name}' needs one to nine servers.")

    @property
    def domain(self) -> str:
        """Its mail and Windows domain."""
        return f"{self.name}.example"


DEFAULT_SITES = (
    Site("birke", ("2016", "2016")),
    Site("hafen", ("2019",)),
    Site("nordlicht", ("sbs-2011",)),
)
"""Three sites, as in docs/example_inventory."""


def parse_sites(texts: t.Iterable[str]) -> tuple[Site, ...]:
    """Sites from texts such as ``birke=2016,2016`` or, behind a FortiGate, ``birke=2016/7.4.4``.
    Raises ValueError.
    """
    sites = []
    for text in texts:
        name, equals, rest = text.partition("=")
        editions, _slash, firewall = rest.partition("/")
        if not equals:
            raise ValueError(
                f"'{text}' describes no site: name=edition, as birke=2016,2016 or birke=2016/7.4.4."
            )
        sites.append(Site(name, tuple(part.strip() for part in editions.split(",")), firewall))
    names = [site.name for site in sites]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"The site '{name}' is described twice.")
    return tuple(sites)


@dataclass(frozen=True)
class Place:
    """A server in its site: addresses, and who comes to it from where. `index` counts sites,
    `number` servers, both from 1.
    """

    site: Site
    index: int
    number: int

    @property
    def edition(self) -> str:
        """Its edition's key."""
        return self.site.editions[self.number - 1]

    @property
    def name(self) -> str:
        """The server's name."""
        return f"EX{self.number}"

    @property
    def host(self) -> str:
        """Its name in the inventory."""
        return f"{self.site.name}-{self.name.lower()}"

    @property
    def _small(self) -> bool:
        return EDITIONS[self.edition].sbs

    @property
    def _lan(self) -> str:
        return _SBS_LAN if self._small else f"10.{20 * self.index}.1"

    @property
    def own_networks(self) -> tuple[str, ...]:
        """The site's own networks."""
        if self._small:
            return (f"{_SBS_LAN}.0/24",)
        return (f"10.{20 * self.index}.0.0/16", f"2001:db8:{20 * self.index}::/48")

    @property
    def addresses(self) -> tuple[str, str]:
        """The server's own addresses."""
        return self._address(self.number)

    def _address(self, number: int) -> tuple[str, str]:
        # Hexadecimal digits that read like the decimal ones of the IPv4 address.
        return f"{self._lan}.{10 + number}", f"2001:db8:{20 * self.index}:1::{10 + number}"

    @property
    def public_address(self) -> str:
        """The address on the internet that the firewall has for it."""
        return f"203.0.113.{80 + 10 * self.index + self.number}"

    @property
    def virtual_ip(self) -> str:
        """The firewall's virtual IP for its port 25."""
        return f"VIP-mail-{self.name.lower()}" if len(self.site.editions) > 1 else "VIP-mail"

    @property
    def other_server(self) -> int:
        """The number of another Exchange server; one that the lab does not have where the site has
        a single server.
        """
        return 1 if self.number > 1 else 2

    def exchange_servers(self) -> tuple[str, ...]:
        """The addresses of all Exchange servers of the site."""
        numbers = range(1, max(2, len(self.site.editions)) + 1)
        return tuple(self._address(number)[0] for number in numbers)

    def players(self, version: int) -> dict[str, str]:
        """Role → the address that it has in this site, of IPv4 or IPv6."""
        if version == 4:
            inside = "192.0.2.77" if self._small else f"10.{20 * self.index}.5.7"
            addresses = (
                "203.0.113.9",
                "198.51.100.25",
                inside,
                self._address(self.other_server)[0],
            )
        else:
            inside = f"2001:db8:{20 * self.index}:5::7"
            addresses = (
                "2001:db8:bad::9",
                "2001:db8:100::25",
                inside,
                self._address(self.other_server)[1],
            )
        return dict(zip(ROLES, addresses))


def places(sites: t.Sequence[Site]) -> list[Place]:
    """All servers of all sites, in order."""
    return [
        Place(site, index, number)
        for index, site in enumerate(sites, 1)
        for number in range(1, len(site.editions) + 1)
    ]
