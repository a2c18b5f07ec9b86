# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue of filtering providers: its data, and which of its entries a site may use."""

from __future__ import annotations

import difflib
import functools
import pathlib
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._yaml import read_yaml

GRADES = ("A", "B", "C")
MECHANISMS = ("json", "dns", "spf", "static", "customer")
CUSTOMER = "customer"

SHARED_WARNING = (
    "The ranges of '{provider}' are shared by all its customers, so that any of them can send from "
    "there. A lock to them is necessary and not sufficient: let the server ask for a second proof "
    "as well, such as the name in the sender's TLS certificate."
)


class ProviderError(Exception):
    """What was wrong, as one sentence or more for the operator."""


@dataclass(frozen=True)
class Entry:
    """One region of a provider. `ranges` is empty where the catalogue has none."""

    provider: str
    product: str
    region: str
    mechanism: str
    source: str
    grade: str
    as_of: str
    ranges: RangeSet
    shared: bool = False
    ask: str = ""
    tls_cert_names: tuple[str, ...] = ()
    smart_hosts: tuple[str, ...] = ()
    mx_suffixes: tuple[str, ...] = ()


@functools.lru_cache(maxsize=1)
def load() -> tuple[Entry, ...]:
    """All entries, by provider and region."""
    document = read_yaml(pathlib.Path(__file__).with_name("catalogue.yml"))
    return tuple(entry for provider in document["providers"] for entry in _entries(provider))


def _entries(provider: t.Mapping[str, t.Any]) -> t.Iterator[Entry]:
    for region in provider.get("regions") or [{"id": "", "grade": "C", "as_of": ""}]:
        both = {**provider, **region}
        yield Entry(
            provider=provider["id"],
            product=provider["product"],
            region=region["id"],
            mechanism=both["mechanism"],
            source=both["source"],
            grade=region["grade"],
            as_of=region["as_of"],
            ranges=RangeSet.parse([*both.get("ipv4", ()), *both.get("ipv6", ())]),
            shared=bool(provider.get("shared")),
            ask=provider.get("ask", ""),
            tls_cert_names=tuple(both.get("tls_cert_names", ())),
            smart_hosts=tuple(both.get("smart_hosts", ())),
            mx_suffixes=tuple(both.get("mx_suffixes", ())),
        )


def find(provider: str, region: str = "") -> Entry:
    """The entry of a provider's region; the region may be left out where there is one only.

    Raises ProviderError.
    """
    entries = [entry for entry in load() if entry.provider == provider]
    if not entries:
        names = sorted({entry.provider for entry in load()})
        near = difflib.get_close_matches(provider, names, n=3, cutoff=0.5)
        like = f" Did you mean {' or '.join(near)}?" if near else ""
        raise ProviderError(
            f"The catalogue has no provider '{provider}'.{like} It has: {', '.join(names)}."
        )
    if region:
        entries = [entry for entry in entries if entry.region == region]
    if len(entries) != 1:
        known = [entry.region for entry in load() if entry.provider == provider and entry.region]
        more = next(
            (f" {entry.ask}" for entry in load() if entry.provider == provider and entry.ask), ""
        )
        if not known:
            raise ProviderError(f"'{provider}' has no regions: leave out '{region}'.")
        missing = (
            f"has no region '{region}'"
            if region
            else "delivers from other addresses in each region"
        )
        raise ProviderError(
            f"'{provider}' {missing}. Name one of its regions: {', '.join(known)}.{more}"
        )
    return entries[0]


def mx_suffixes(provider: str) -> list[str]:
    """What the names of a provider's MX hosts end with, of all its regions; none if not known."""
    suffixes = [
        suffix for entry in load() if entry.provider == provider for suffix in entry.mx_suffixes
    ]
    return list(dict.fromkeys(suffixes))


def usable(entry: Entry, accept_grade: str) -> RangeSet:
    """The ranges of the catalogue, where they are good enough for the site.

    Raises ProviderError.
    """
    if not entry.ranges:
        raise ProviderError(
            f"The ranges of '{entry.provider}' are supplied to each customer. {entry.ask} Name "
            "them in mailedge_provider_ranges, or keep them in the site's lock file."
        )
    if GRADES.index(entry.grade) > GRADES.index(accept_grade):
        raise ProviderError(
            f"The catalogue's ranges of '{entry.provider}', region '{entry.region}', are of grade "
            f"{entry.grade} ({entry.source}, {entry.as_of}), and the site accepts {accept_grade} "
            "or better. Compare them with what the provider says, and then keep them in the site's "
            f"lock file or accept grade {entry.grade} by its name."
        )
    return entry.ranges
