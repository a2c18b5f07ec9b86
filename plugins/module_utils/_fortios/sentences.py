# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches what, in sentences for the operator."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import (
    NOBODY,
    Sources,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import Model, Target
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import POLICY


def reaching(model: Model, target: Target) -> list[str]:
    """Who reaches a target, in sentences for the operator."""
    sentences = []
    for admission in model.admissions(target):
        row = model.state.table(POLICY).get(admission.policy, {})
        name = f" '{row['name']}'" if row.get("name") and isinstance(admission.policy, int) else ""
        shown = (
            f"policy {admission.policy}{name}"
            if isinstance(admission.policy, int)
            else f"policy '{admission.policy}'"
        )
        sentences.append(f"{words(admission.sources)} → {target}, by {shown}")
    sentences += [
        f"whoever comes from another interface of the zone '{zone}' → {target}, without any policy"
        for zone in model.free_zones(target)
    ]
    return sentences or [f"nobody → {target}"]


def exposure(before: t.Sequence[str], after: t.Sequence[str]) -> dict[str, list[str]]:
    """Who reaches what before and after the changes, and both in one list of sentences."""
    gone = [f"until now: {sentence}" for sentence in before if sentence not in after]
    return {"before": list(before), "after": list(after), "words": [*gone, *after]}


def words(sources: Sources) -> str:
    """Sources for sentences: everybody, or the first few of them."""
    if sources == NOBODY:
        return "nobody"
    parts = []
    for version in (4, 6):
        ranges = sources.known.v4 if version == 4 else sources.known.v6
        everybody = 1 << (32 if version == 4 else 128)
        if ranges.size * 2 >= everybody:
            nearly = "nearly " if ranges.size < everybody else ""
            parts.append(f"{nearly}everybody{'' if version == 4 else ' over IPv6'}")
        elif ranges:
            shown = [str(interval) for interval in ranges.intervals[:4]]
            more = len(ranges.intervals) - len(shown)
            parts.append(", ".join(shown) + (f" and {more} more ranges" if more else ""))
    return ", ".join([*parts, *sorted(map(str, sources.opaque))])
