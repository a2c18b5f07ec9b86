# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which send connector a message leaves, as the lab's transport service chooses.

Source: learn.microsoft.com, mail-routing: those in service that take the size; the closest address
space, the lowest cost, a source server that is near, the first name. Nothing of the collection has
a say here.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Stored


def leaves_by(
    connectors: t.Iterable[Stored], domain: str, server: str, size: int = 0
) -> Stored | None:
    """The connector that carries mail of `size` bytes that waits on `server`; None: it goes on
    waiting.
    """
    candidates = []
    for connector in connectors:
        largest = connector.values["MaxMessageSize"]
        if not connector.values["Enabled"] or (isinstance(largest, int) and size > largest):
            continue
        fits = [
            (-closeness, space.cost)
            for space in connector.values["AddressSpaces"]
            if space.kind == "smtp"
            for closeness in (_closeness(space.space.casefold(), domain.casefold()),)
            if closeness >= 0
        ]
        if fits:
            sources = {
                str(name).casefold() for name in connector.values.get("SourceTransportServers", ())
            }
            candidates.append(
                (*min(fits), server.casefold() not in sources, connector.name.casefold(), connector)
            )
    return min(candidates, key=lambda entry: entry[:4])[4] if candidates else None


def _closeness(space: str, domain: str) -> int:
    """The number of labels that an address space names of a domain, its own one counting most; -1:
    none of it.
    """
    if space == domain:
        return 1000
    if space == "*":
        return 0
    if space.startswith("*.") and f".{domain}".endswith(space[1:]):
        return len(space.split(".")) - 1
    return -1
