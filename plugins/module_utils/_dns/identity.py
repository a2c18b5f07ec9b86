# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a mail server is called the same by its greeting, its PTR record and its certificate.

What it shows is what a look from outside has heard; nothing of it opens or closes a door.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.finding import (
    NOTE,
    OK,
    DnsFinding,
)

Plain = t.Mapping[str, t.Any]


def greeted_as(banner: str | None) -> str:
    """The host that a greeting names, which is its first word (RFC 5321, 4.2)."""
    word = (banner or "").split(" ")[0].strip().rstrip(".").lower()
    return word if "." in word else ""


def _fits(host: str, names: t.Iterable[str]) -> bool:
    """Whether a certificate's names hold a host: itself, or by a `*` for one label (RFC 6125)."""
    parent = host.partition(".")[2]
    given = {name.lower().rstrip(".") for name in names}
    return host in given or (bool(parent) and f"*.{parent}" in given)


def findings(pointers: t.Mapping[str, Plain], looked: t.Iterable[Plain]) -> list[DnsFinding]:
    """One finding for each address that greeted. `looked`: the addresses of all looks."""
    findings: dict[str, DnsFinding] = {}
    for seen in looked:
        address, greeting = str(seen.get("address") or ""), greeted_as(seen.get("banner"))
        if not greeting or address not in pointers:
            continue
        back = list(pointers[address]["back"])
        certificate = list((seen.get("tls") or {}).get("names") or ())
        wrong = []
        if greeting not in back:
            wrong.append(f"its PTR record says {' and '.join(back) or 'nothing that leads back'}")
        if certificate and not _fits(greeting, certificate):
            wrong.append(f"its certificate is for {' and '.join(certificate)}")
        if wrong:
            sentence = f"{address} greets as {greeting}, but {', and '.join(wrong)}."
            remedy = "Where it sends by itself, give all of them one name."
            findings[address] = DnsFinding("identity", NOTE, address, sentence, remedy)
        elif address not in findings and certificate:
            sentence = f"{address} is {greeting} by greeting, PTR record and certificate."
            findings[address] = DnsFinding("identity", OK, address, sentence)
    return list(findings.values())
