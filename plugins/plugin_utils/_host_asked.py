# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task of host_lock may be asked, before anything is sent."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    COMPARING,
    LEFT_OUT,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import lease as leases
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._host_results import listed
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host_layers import HOST_LAYERS


def accept_one_lease(params: t.Collection[dict[str, t.Any]]) -> None:
    """A server has one lease: who accepts it for one of its layers accepts it for all."""
    if any(leases.GUARD in (options.get("accept_risks") or ()) for options in params):
        for options in params:
            options["accept_risks"] = [*(options.get("accept_risks") or []), leases.GUARD]


def refusal_of(
    asked: t.Mapping[str, t.Any], about: t.Mapping[str, t.Any], *, check_mode: bool
) -> str:
    """What is wrong with the task's options, in sentences: where it would end well and would have
    done nothing, or would write where nobody asked for it.
    """
    own, parts = [layer.name for layer in HOST_LAYERS], about["parts"]
    wrong = []
    for option in ("layers", "undo"):
        names = [name for name in asked[option] or () if name not in own and name not in parts]
        if names:
            wrong.append(
                f"The option {option} names {listed(list(map(repr, names)))}, which is no layer. "
                f"The layers are: {', '.join(own)}."
            )
    if asked["playbook"] in COMPARING and asked["undo"] is None and not check_mode:
        wrong.append(
            f"The playbook {asked['playbook']} only looks: set check_mode to true for the task."
        )
    if asked["undo"] is None:
        named = own if asked["layers"] is None else asked["layers"]
        left_out = [parts[name]["why"] for name in named if _left_out(parts, name)]
        if not set(named) & set(about["layers"]):
            wrong += left_out
    return " ".join(wrong)


def _left_out(parts: t.Mapping[str, t.Mapping[str, str]], name: str) -> bool:
    return name in parts and parts[name]["how"] == LEFT_OUT
