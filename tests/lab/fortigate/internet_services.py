# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The internet service database of the lab's FortiGate: names of the vendor's for addresses."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.tests.lab.fortigate import packets


class Network(t.Protocol):
    """What can be asked whether an address is in it."""

    def __contains__(self, address: object) -> bool:
        """Whether `address` is in it."""


@dataclass(frozen=True)
class InternetService:
    """An entry of the internet service database; `direction` as real devices list it (see the table
    of the site's seed).
    """

    id: int
    direction: str
    ranges: tuple[str, ...]

    def __contains__(self, address: object) -> bool:
        return any(packets.within(str(address), text) for text in self.ranges)


NOWHERE = InternetService(0, "both", ())

# Numbers and directions as facts about real devices list them; the ranges are the lab's.
SERVICES: t.Mapping[str, InternetService] = {
    "Microsoft-Outlook": InternetService(
        327791, "both", ("40.92.0.0/15", "40.107.0.0/16", "52.100.0.0/14")
    ),
    "Microsoft-Azure": InternetService(327786, "both", ("20.33.0.0/16", "40.112.0.0/13")),
    "Microsoft-Outbound_Email": InternetService(327684, "dst", ("40.92.0.0/15",)),
    "Microsoft-Office365": InternetService(327782, "dst", ("52.96.0.0/14",)),
    "Mimecast-Mimecast": InternetService(5046403, "both", ("198.18.40.0/24",)),
}
