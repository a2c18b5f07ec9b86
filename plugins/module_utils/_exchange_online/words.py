# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model in words: what a stranger, the provider and the own servers get."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import model
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.resources import (
    ORGANIZATION,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.state import (
    TenantState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.tables import (
    RESOURCES,
    Change,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.diff import (
    field_lines,
    text_diff,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action


def answers(state: TenantState) -> list[str]:
    """Who gets what, a sentence each."""
    closing, rules = model.closing(state), model.rules_in_force(state)
    direct_send = state.organization.get("reject_direct_send")
    if closing:
        refused = f"refused by the connector {model.names(closing)}"
        told = [
            f"a stranger, straight to the tenant (direct delivery): {refused}",
            f"a stranger with a sender of the own domains (Direct Send): {refused}"
            + (", and by RejectDirectSend" if direct_send else ""),
        ]
    else:
        taken = f"taken, and quarantined by the rule {model.names(rules)}" if rules else "delivered"
        own = "refused by RejectDirectSend" if direct_send else taken
        told = [
            f"a stranger, straight to the tenant (direct delivery): {taken}",
            f"a stranger with a sender of the own domains (Direct Send): {own}",
        ]
    ranges, certificates = model.admitted(state)
    if ranges:
        told.append(f"{model.some(ranges)}: let through")
    told += [f"a certificate for {name}: let through" for name in sorted(certificates)]
    for row in model.on_premises(state):
        shut_out = bool(closing) and not model.is_admitted(row, state)
        told.append(
            f"the own servers of the connector '{row['name']}': "
            + ("refused" if shut_out else "let through")
        )
    return told


def exposure(before: TenantState, after: TenantState) -> dict[str, t.Any]:
    """Who gets what before and after the changes, and both in one list of sentences."""
    then, now = answers(before), answers(after)
    gone = [f"until now: {sentence}" for sentence in then if sentence not in now]
    return {"before": then, "after": now, "words": [*gone, *now]}


def sentence(change: Change) -> str:
    """One change in one sentence."""
    if change.table == ORGANIZATION.name:
        before, after = change.before["reject_direct_send"], change.after["reject_direct_send"]
        return f"Set RejectDirectSend to {_text(after)} (was {_text(before)})."
    noun = RESOURCES[change.table].noun
    if change.action == Action.CREATE:
        return f"Create the {noun} '{change.key}': {_options(change)}."
    if change.action == Action.REMOVE:
        return f"Remove the {noun} '{change.key}'."
    return f"Change the {noun} '{change.key}': {_options(change)}."


def _options(change: Change) -> str:
    shown = _shown(change, change.after)
    return ", ".join(
        f"{name} {_text(value)}" for name, value in shown.items() if value not in (None, "", [])
    ) or ", ".join(f"{name} not set" for name in shown)


def _text(value: t.Any) -> str:
    if value is None:
        return "not told"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        more = len(value) - model.ENOUGH
        return ", ".join(map(str, value[: model.ENOUGH])) + (
            f" and {more} more" if more > 0 else ""
        )
    return str(value)


def _shown(change: Change, row: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options of a row for people."""
    properties = RESOURCES[change.table].properties
    return {
        option: properties[option].kind.show(row[option]) for option in row if option in properties
    }


def diff(told: t.Mapping[str, t.Any], changes: t.Sequence[Change]) -> dict[str, str]:
    """What --diff shows: who gets what, and the options that change."""
    before = field_lines("tenant", {"": told["exposure"]["before"]})
    after = field_lines("tenant", {"": told["exposure"]["after"]})
    for change in changes:
        subject = f"{RESOURCES[change.table].noun} '{change.key}'"
        if change.action != Action.CREATE:
            before += field_lines(subject, _shown(change, change.before))
        if change.action != Action.REMOVE:
            after += field_lines(subject, _shown(change, change.after))
    return text_diff(before, after)
