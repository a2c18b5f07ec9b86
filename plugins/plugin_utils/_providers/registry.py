# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a range, by netaddr's copy of the tables of IANA.

They are as old as the netaddr that is installed.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import (
    ProviderError,
)

_GIVEN_OUT = frozenset({"allocated", "legacy"})


@dataclass(frozen=True)
class Block:
    """The block of a registry that a range is in.

    `holder` is a registry, or who had the block before there was one.
    """

    prefix: str
    holder: str
    status: str

    @property
    def allocated(self) -> bool:
        """Whether the block was given out, so that somebody may send from it."""
        return self.status in _GIVEN_OUT

    def words(self) -> str:
        """For a sentence: `ARIN's block 198/8, legacy`."""
        holder = self.holder.removeprefix("Administered by ")
        return f"{holder}'s block {self.prefix}, {self.status}"


def block_of(cidr: str) -> Block | None:
    """The block of a CIDR prefix; None where it is in none.

    Raises ProviderError where netaddr is missing.
    """
    try:
        import netaddr
    except ImportError:
        raise ProviderError(
            "Saying who holds a range needs the Python library netaddr on the controller. Install "
            "it: pip install netaddr."
        ) from None
    info = netaddr.IPNetwork(cidr).info
    # "IPv6" has the eighth of the space that is unicast; which registry has a part of it is in
    # another table.
    for record in [*(info["IPv4"] or ()), *(info["IPv6_unicast"] or ())]:
        return Block(
            str(record["prefix"]),
            str(record["designation"] or record["description"]),
            str(record["status"]).lower(),
        )
    return None


def told(ranges: RangeSet, what: str) -> list[str]:
    """A sentence for each range.

    `what`: what is done with it, for the beginning of the sentence.
    """
    sentences = []
    for cidr in ranges.to_cidrs():
        block = block_of(cidr)
        where = f"in {block.words()}" if block else "in no block of any registry"
        sentences.append(f"{what} {cidr}, {where}.")
    return sentences


def unallocated(ranges: RangeSet) -> t.Iterator[str]:
    """Those of the ranges that no registry has given to anybody, as CIDR prefixes."""
    for cidr in ranges.to_cidrs():
        block = block_of(cidr)
        if block is None or not block.allocated:
            yield cidr
