# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an approved plan concerns one host, layer by layer."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report import plan as plans
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    MANAGED,
    Part,
)

NOTHING_APPROVED: t.Mapping[str, t.Any] = {"digest": "", "plan": []}


def no_text(given: t.Any) -> list[str]:
    """What is wrong with an approved plan that is an empty text, as of a script whose check has
    failed: taken for none at all, it would let any plan through.
    """
    if not isinstance(given, str) or given.strip():
        return []
    return [
        "mailedge_approved_plan is an empty text, which approves nothing. Give it what a check has "
        f"handed on, which is '{plans.NOTHING}' where nothing was to be changed, or do not set it."
    ]


def approved_for(
    given: t.Any, host: str, parts: t.Mapping[str, Part]
) -> tuple[plans.Plans, list[str]]:
    """Every layer that is managed at the host → what was approved of it, and what is wrong.

    A layer that was approved and is not managed any more is wrong: what was read with it, and
    approved with it, would be carried out without it.
    """
    try:
        approved = plans.approved(given, host)
    except plans.NoPlan as error:
        return {}, [f"mailedge_approved_plan cannot be used. {error}"]
    managed = [name for name, part in parts.items() if part.how == MANAGED]
    gone = [name for name in approved if name not in managed]
    if gone:
        return {}, [
            f"The plan that was approved for {host} changes {' and '.join(gone)}, which this run "
            "does not manage there. Plan again in check mode, and have that plan approved."
        ]
    return {name: approved.get(name, dict(NOTHING_APPROVED)) for name in managed}, []
