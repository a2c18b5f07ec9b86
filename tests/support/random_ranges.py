# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random ranges, and the same as netaddr sees them."""

from __future__ import annotations

import typing as t

import netaddr
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import Interval

LAST = {4: (1 << 32) - 1, 6: (1 << 128) - 1}


@st.composite
def wide_intervals(draw: st.DrawFn, version: int | None = None) -> Interval:
    family = version or draw(st.sampled_from((4, 6)))
    ends = st.one_of(
        st.integers(0, LAST[family]), st.sampled_from((0, 1, LAST[family] - 1, LAST[family]))
    )
    first, last = sorted((draw(ends), draw(ends)))
    return Interval(family, first, last)


def as_netaddr(intervals: t.Iterable[Interval]) -> netaddr.IPSet:
    return netaddr.IPSet(
        block
        for interval in intervals
        for block in netaddr.iprange_to_cidrs(
            netaddr.IPAddress(interval.first, interval.version),
            netaddr.IPAddress(interval.last, interval.version),
        )
    )


def blocks(cidrs: t.Iterable[t.Any]) -> list[tuple[int, int, int]]:
    """CIDRs as numbers: netaddr writes some IPv6 addresses with dots."""
    networks = [netaddr.IPNetwork(cidr) for cidr in cidrs]
    return sorted((network.version, network.first, network.prefixlen) for network in networks)


wide = st.lists(wide_intervals(), max_size=8)
