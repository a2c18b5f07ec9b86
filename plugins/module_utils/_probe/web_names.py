# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web of a site that names none: where to look for it, and what of such a look counts.

A name of a mail server is most often a name of its web, too. Where something else answers there (a
hoster's pages, a portal of the firewall), nothing is asked of it that a description of Exchange
says.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import (
    HTTPS,
    all_together,
    asked,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import OPEN
from ansible_collections.mailedge.lockdown.plugins.module_utils._tenant_names import is_tenant

Plain = t.Mapping[str, t.Any]

_MOST_NAMES = 3
"""By so many names an address is asked, beside those that the site names and the address itself."""
# Who says so knows that the server is there: virtual directories and certificates, or the site.
_SURE = frozenset({"server", "named"})
# Most often the pages of a company, at a hoster.
_DOMAIN = frozenset({"domain"})


def web_targets(
    named: t.Iterable[str],
    dns: Plain | None,
    beside: t.Iterable[str] = (),
    published: t.Iterable[str] = (),
) -> list[str]:
    """What to look at: names, and each of their addresses, by which scanners come.

    `named`: the targets of the site; `dns`: the result of mail_edge_names; `beside`: what is looked
    at already; `published`: addresses at which a firewall is known to publish the web.
    """
    addresses = (dns or {}).get("target_addresses") or {}
    sources = {each["name"]: frozenset(each["sources"]) for each in (dns or {}).get("names") or ()}

    def leads_to(name: str) -> t.Collection[str]:
        return addresses.get(name) or [name]

    def shared(name: str, among: t.Iterable[str]) -> bool:
        own = set(leads_to(name))
        return any(name != other and own.intersection(leads_to(other)) for other in among)

    mine = list(dict.fromkeys(str(name) for name in named))
    in_dns = [str(name) for name in (dns or {}).get("targets") or () if name not in mine]
    in_dns.sort(key=lambda name: not _SURE & sources.get(name, frozenset()))
    everything = [*mine, *in_dns]
    elsewhere = {name for name in everything if is_tenant(name)}
    elsewhere.update(address for name in tuple(elsewhere) for address in leads_to(name))
    seen = {str(target).lower().rstrip(".") for target in beside}
    seen.update(*(leads_to(name) for name in tuple(seen)))
    kept: list[str] = []
    held: dict[str, int] = {}
    for name in everything:
        if name in elsewhere | seen or (elsewhere | seen).issuperset(leads_to(name)):
            continue
        if name in in_dns:
            if sources.get(name) == _DOMAIN and not shared(name, everything):
                continue
            if all(held.get(address, 0) >= _MOST_NAMES for address in leads_to(name)):
                continue
        kept.append(name)
        for address in leads_to(name):
            held[address] = held.get(address, 0) + 1
    by_address = [address for name in kept for address in addresses.get(name) or ()]
    by_address += [address for address in published if address not in seen]
    return list(dict.fromkeys([*kept, *by_address]))


def shows_exchange(result: Plain | None) -> bool:
    """Whether Exchange, or a demand for a login, answered at any address of a look at the web."""
    return any(map(_shown, (result or {}).get("addresses") or ()))


def of_exchange(result: Plain) -> Plain:
    """A result in which nothing is expected of an address at which no path answered as Exchange."""
    addresses = result.get("addresses") or ()
    if all(map(_shown, addresses)):
        return result
    return all_together(
        {
            **result,
            "addresses": [
                address if _shown(address) else _unjudged(address) for address in addresses
            ],
        }
    )


def _shown(address: Plain) -> bool:
    return address.get("protocol") == HTTPS and any(
        answer["verdict"] == OPEN for _path, answer in asked(address)
    )


def _unjudged(address: Plain) -> Plain:
    cases = {path: {**answer, "expect": None} for path, answer in asked(address)}
    return {**address, "cases": {**address["cases"], **cases}}
