# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module that locks says of its layer: its state in one word, who gets in, and what of it a failure repeats."""

from __future__ import annotations

import typing as t

OPEN, DRIFT, IN_ORDER = "open", "drift", "in order"

_WHOLE_TREES = ("before", "after", "diff")


def verdict(strangers: t.Collection[str] | None, *, unfinished: bool) -> str:
    """The state of a layer as it is now.

    `strangers`: who gets in that should not, in sentences; None where the task does not judge that. `unfinished`: something that is
    described is not so.
    """
    if strangers:
        return OPEN
    return DRIFT if unfinished else IN_ORDER


def judged(
    before: t.Sequence[str] | None, after: t.Sequence[str] | None, now: t.Sequence[str] | None, *, unfinished: bool
) -> dict[str, t.Any]:
    """The keys `strangers` and `state` of a result; `now` is whichever of the two holds at the moment.

    Without `strangers` where the task does not judge who gets in.
    """
    found: dict[str, t.Any] = {"state": verdict(now, unfinished=unfinished)}
    if before is not None and after is not None:
        found["strangers"] = {"before": list(before), "after": list(after)}
    return found


def forget(result: dict[str, t.Any]) -> None:
    """Take back what was said of the layer, where it was written to and could not be read again."""
    for key in ("state", "strangers"):
        result.pop(key, None)


def shortened(result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What a failure repeats of a result: ansible prints a failed one in whole, and a screen is for reading."""
    short = {key: value for key, value in result.items() if key not in _WHOLE_TREES}
    exposure = result.get("exposure")
    if isinstance(exposure, t.Mapping):
        short["exposure"] = {"words": exposure["words"]}
    return short
