# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connectors cannot stand side by side: one sweep over all finds what a look at each pair
does.
"""

from __future__ import annotations

import itertools
import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.conflicts import (
    between,
    conflicts,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    RangeSet,
    parse_endpoint,
)

_RANGES = [
    "10.0.0.0/8",
    "10.0.0.0-10.1.0.5",
    "10.1.0.0/16",
    "10.1.0.0/24",
    "10.1.0.0-10.2.0.0",
    "::/0",
    "2001:db8::/32",
]
_BINDINGS = list(map(parse_endpoint, ("0.0.0.0:25", "10.1.0.1:25", "[::]:25", "0.0.0.0:2525")))


@st.composite
def _connector(draw: st.DrawFn) -> dict[str, t.Any]:
    ranges = draw(st.lists(st.sampled_from(_RANGES), max_size=3, unique=True))
    return {
        "bindings": draw(st.frozensets(st.sampled_from(_BINDINGS), max_size=3)),
        "remote_ip_ranges": RangeSet.parse(ranges),
        "transport_role": draw(st.sampled_from([None, "FrontendTransport", "HubTransport"])),
    }


@given(st.lists(_connector(), max_size=6))
def test_one_sweep_finds_the_conflicts_of_all_pairs(some: list[dict[str, t.Any]]) -> None:
    connectors = [{"name": f"C{number}", **connector} for number, connector in enumerate(some)]
    pairs = [between(one, other) for one, other in itertools.combinations(connectors, 2)]
    assert conflicts(connectors) == [conflict for conflict in pairs if conflict is not None]
