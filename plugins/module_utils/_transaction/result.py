# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of every module that locks: its shape, and what of it a failure repeats.

``changed``, ``plan`` (sentences), ``plan_digest`` (see approval.py), ``differences`` (what is not
as it shall be, see difference()), ``guards`` (findings), ``state`` and ``strangers`` (see
judged()), ``edge`` (see _edge.stage), ``exposure``, ``before``, ``after`` and ``diff``,
``snapshot`` (where the state before is kept), ``lease`` (of this run), ``cost``, ``warnings``; of a
rollback ``restored``, ``further`` and ``not_restored``; of a write that ended early ``done`` and
``not_done``.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Change,
)

Result = dict[str, t.Any]

OPEN, UNKNOWN, DRIFT, IN_ORDER = "open", "unknown", "drift", "in order"

_WHOLE_TREES = ("before", "after", "diff")


class Refused(Exception):
    """The task fails: one sentence or more for the operator, and what is known by then."""

    def __init__(self, message: str, result: t.Mapping[str, t.Any] | None = None) -> None:
        super().__init__(message)
        self.result = dict(result or {})


def verdict(
    strangers: t.Collection[str] | None, *, unfinished: bool, unsettled: bool = False
) -> str:
    """The state of a layer as it is now.

    `strangers`: who gets in that should not, in sentences; None where the task does not judge that.
    `unfinished`: something that is described is not so. `unsettled`: another run may still take
    back what was found, or strangers may get in by what was not read, so that neither is said.
    """
    if strangers:
        return OPEN
    if unsettled:
        return UNKNOWN
    return DRIFT if unfinished else IN_ORDER


def judged(
    before: t.Sequence[str] | None,
    after: t.Sequence[str] | None,
    now: t.Sequence[str] | None,
    *,
    unfinished: bool,
    unsettled: bool = False,
) -> Result:
    """The keys `strangers` and `state` of a result; `now` is whichever of the two holds at the
    moment.

    Without `strangers` where the task does not judge who gets in.
    """
    keys: Result = {"state": verdict(now, unfinished=unfinished, unsettled=unsettled)}
    if before is not None and after is not None:
        keys["strangers"] = {"before": list(before), "after": list(after)}
    return keys


def difference(change: Change[t.Any], noun: str) -> Result:
    """One row that is not as it shall be: {table, noun, object, action, properties}, by names that
    no language and no value changes.
    """
    properties = sorted({*change.before, *change.after}) if change.action == Action.MODIFY else []
    return {
        "table": change.table,
        "noun": noun,
        "object": str(change.key),
        "action": change.action.value,
        "properties": list(map(str, properties)),
    }


def forget(result: Result) -> None:
    """Take back what was said of the layer, where it was written to and could not be read again."""
    for key in ("state", "strangers", "edge", "differences"):
        result.pop(key, None)


def shortened(result: t.Mapping[str, t.Any]) -> Result:
    """What a failure repeats of a result: ansible prints a failed one in whole, and a screen is for
    reading.
    """
    short = {key: value for key, value in result.items() if key not in _WHOLE_TREES}
    exposure = result.get("exposure")
    if isinstance(exposure, t.Mapping):
        short["exposure"] = {"words": exposure["words"]}
    return short
