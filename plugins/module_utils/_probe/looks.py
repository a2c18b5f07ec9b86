# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks as a play takes and registers them: a loop over the hosts that look, several looks each."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import LOOK_OPTIONS

# The variable of the loop: {from: a host of the inventory, looks: [{name, expect, options of
# mail_edge_probe}]}.
VANTAGE = "__mailedge_vantage"
EXPECTED = "closed"

Plain = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Taken:
    """One look: who looked, what it was to find, and what mail_edge_probe returned for it."""

    name: str
    expect: str
    result: Plain


def taken(registered: Plain | None) -> list[Taken]:
    """Every look of the loop, in its order.

    Where a host could not look at all, what its task said stands for each of its looks.
    """
    return [look for item in (registered or {}).get("results") or [] for look in _of_host(item)]


def _of_host(item: Plain) -> t.Iterator[Taken]:
    results = item.get("looks") or []
    for index, look in enumerate((item.get(VANTAGE) or {}).get("looks") or [{}]):
        yield Taken(
            str(look.get("name") or "A look"),
            str(look.get("expect") or EXPECTED),
            results[index] if index < len(results) else {name: item.get(name) for name in ("msg", "skipped")},
        )


def to_take(looks: t.Iterable[Plain], before: Plain | None) -> list[dict[str, t.Any]]:
    """The option `looks` of mail_edge_probe.

    `before`: what the same host found when it looked before.
    """
    earlier = (before or {}).get("looks") or []
    asked = []
    for index, look in enumerate(looks):
        # What answered in the look before proves that this host gets out, as a control host does.
        reached = earlier[index].get("reachable_addresses") if index < len(earlier) else None
        asked.append(
            {
                "name": look["name"],
                **{option: look[option] for option in LOOK_OPTIONS if look.get(option) is not None},
                **({"reached_before": reached} if reached else {}),
            }
        )
    return asked
