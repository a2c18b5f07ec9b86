# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan that somebody has approved: what tells it from another one, and why a run stops that has
another one.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Change,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.tables import Tables
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.templates import (
    unrendered,
)

OPTION: dict[str, dict[str, t.Any]] = {
    "approved_plan": {
        "type": "dict",
        "options": {
            "digest": {"type": "str", "default": ""},
            "plan": {"type": "list", "elements": "str"},
        },
    }
}
"""The option of every module that has a plan."""

# 128 bits: nobody finds a second plan of the same digest.
_LENGTH = 32
_REMEDY = (
    "Nothing was changed by this task. Plan again in check mode, read that plan, and have it "
    "approved; or run without an approved plan."
)


@dataclass(frozen=True)
class Approved:
    """What was approved of a layer: the digest of its plan, empty where it had none, and the plan
    in sentences; None where only the digest is known.
    """

    digest: str
    plan: tuple[str, ...] | None = None


def given(option: t.Mapping[str, t.Any] | None) -> Approved | None:
    """The value of the option approved_plan; None where every plan may be carried out."""
    if option is None:
        return None
    plan = option.get("plan")
    return Approved(str(option.get("digest") or ""), None if plan is None else tuple(plan))


def digest(
    tables: Tables[t.Any, t.Any],
    changes: t.Iterable[Change[t.Any]],
    *,
    layer: str,
    of: t.Mapping[str, str],
) -> str:
    """What tells a plan from every other: which rows are changed, from what and to what, of which
    layer, and `of` which server, device or tenant.

    Independent of the order and of words. Empty for a plan of no change. Secrets are not in it, nor
    what a read does not show.
    """
    entries = sorted(
        json.dumps(_entry(tables, change), sort_keys=True, default=str) for change in changes
    )
    if not entries:
        return ""
    # Names of servers and tenants are compared without case.
    whose = sorted((name, text.casefold()) for name, text in of.items())
    told = "\n".join([json.dumps([layer, whose]), *entries])
    return hashlib.sha256(told.encode()).hexdigest()[:_LENGTH]


def _entry(tables: Tables[t.Any, t.Any], change: Change[t.Any]) -> list[t.Any]:
    table = tables[change.table]
    # Where a row that moves stood is told by a name alone, which is no option.
    moves = change.action == Action.MOVE
    before, after = ({}, {}) if moves else (table.plain(change.before), table.plain(change.after))
    place = None if change.place is None else str(table.identity(change.place))
    key = str(table.identity(change.key))
    return [change.table, change.action.value, key, before, after, place]


def refusal(approved: Approved | None, made: str, plan: t.Sequence[str]) -> str:
    """Why a plan with the digest `made` may not be carried out; empty where it may.

    What changes nothing needs no approval: what was approved may be done by now.
    """
    if approved is None or made in ("", approved.digest):
        return ""
    if not approved.digest:
        return f"No change was approved here, but one would be made: {_some(plan)} {_REMEDY}"
    what = "The plan is not the one that was approved."
    if approved.plan is None:
        return f"{what} It is now: {_some(plan)} {_REMEDY}"
    # As a plan is handed on.
    now, then = unrendered(plan), unrendered(approved.plan)
    more = [sentence for sentence in now if sentence not in then]
    less = [sentence for sentence in then if sentence not in now]
    told = [
        *([f"Planned now, and not approved: {_some(more)}"] if more else []),
        *([f"Approved, and not planned any more: {_some(less)}"] if less else []),
    ]
    same = (
        "It reads the same, but what is there now is not what was there then, or it is another "
        f"server, device or tenant: {_some(plan)}"
    )
    return f"{what} {' '.join(told) or same} {_REMEDY}"


_MOST_TOLD = 20


def _some(sentences: t.Sequence[str]) -> str:
    more = len(sentences) - _MOST_TOLD
    return " ".join([*sentences[:_MOST_TOLD], *([f"And {more} more."] if more > 0 else [])])
