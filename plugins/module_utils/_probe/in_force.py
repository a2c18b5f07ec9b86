# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look at a tenant of Exchange Online is worth while a change of it is not in force yet.

A tenant takes half an hour until all its servers go by what was changed. What they say until then
is neither an open door nor a lock.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import (
    HTTPS,
    all_together,
    asked,
    summed_up,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import INCONCLUSIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._tenant_names import is_tenant

Plain = t.Mapping[str, t.Any]
REASON = "not_in_force"


def is_of_tenant(address: Plain) -> bool:
    """Whether it is a tenant that takes mail at an address of a result: by a name that leads there,
    or by the name that it greets with.
    """
    if address.get("protocol") == HTTPS:
        return False
    greeting = str(address.get("banner") or "").split()
    names = [*(address.get("targets") or ()), *greeting[:2]]
    return any(is_tenant(str(name)) for name in names)


def awaited(result: Plain, until: str) -> Plain:
    """A result in which nothing is said of a tenant before `until`; empty: nothing is awaited."""
    addresses = result.get("addresses") or ()
    if not until or not any(map(is_of_tenant, addresses)):
        return result
    return all_together(
        {
            **result,
            "addresses": [
                _awaited(address, until) if is_of_tenant(address) else address
                for address in addresses
            ],
        }
    )


def _awaited(address: Plain, until: str) -> Plain:
    why = (
        f"The tenant was changed a moment ago. Until {until} that may not be in force here, so "
        "that this says nothing of it yet."
    )
    cases = {
        case: {
            **answer,
            "verdict": INCONCLUSIVE,
            "reason": REASON,
            "needs_positive_control": False,
            "sentence": f"{why} {answer['sentence']}",
        }
        for case, answer in asked(address)
    }
    return summed_up({**address, "cases": {**address["cases"], **cases}})


def only(result: Plain, wanted: t.Callable[[Plain], bool]) -> Plain | None:
    """A result with some of its addresses alone; None where none of them is left."""
    addresses = result.get("addresses") or ()
    kept = [address for address in addresses if wanted(address)]
    if len(kept) == len(addresses):
        return result
    return all_together({**result, "addresses": kept}) if kept else None


def is_awaited(address: Plain) -> bool:
    """Whether nothing is said of an address yet, see awaited()."""
    return any(answer["reason"] == REASON for _case, answer in asked(address))
