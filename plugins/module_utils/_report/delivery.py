# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the provider's mail has proven after a change, as a record beside those of the layers."""

from __future__ import annotations

import types
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    NOT_LOOKED_AT,
    Record,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    DRIFT,
    IN_ORDER,
    UNKNOWN,
)

DELIVERY = "delivery"

# What was seen → the state of the record. Who is refused in part is somebody whom the description
# lets in.
_STATES: t.Mapping[str, str] = types.MappingProxyType(
    {"delivered": IN_ORDER, "partly": DRIFT, "unknown": UNKNOWN}
)


def proven(
    host: str, given: t.Mapping[str, t.Any] | None, *, minutes: int, changed: bool
) -> Record | None:
    """The record of a proof that the site asks for by `minutes`; None where it does not.

    `given` is what the task registered that waited, and `changed` whether there was anything to
    wait for.
    """
    if minutes <= 0:
        return None
    if not given or given.get("skipped"):
        if changed:
            why = "The provider's mail was not waited for, because the run ended before."
            return Record(DELIVERY, host, UNKNOWN, (why,))
        return Record(DELIVERY, host, NOT_LOOKED_AT, ("nothing was changed that it comes by",))
    state = _STATES.get(str(given.get("verdict")), UNKNOWN)
    broken = bool(given.get("failed") or given.get("unreachable"))
    if broken and state == IN_ORDER:
        state = UNKNOWN
    why = str(given.get("msg") or "It does not say what was seen.")
    return Record(DELIVERY, host, state, () if state == IN_ORDER else (why,), failed=broken)
