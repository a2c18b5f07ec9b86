# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed run has taken back beside the server, as the report tells it."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._propagation import UNDONE


def as_before(
    locked: t.Mapping[str, t.Any], undone: t.Mapping[str, t.Any]
) -> t.Mapping[str, t.Any]:
    """The result of a layer whose change was undone: it stands as it was read before."""
    if undone.get("failed") or undone.get("unreachable") or not undone:
        return undone
    if not {"state", "strangers"} & set(locked):
        # Nobody has read how it was before.
        return locked
    before = list((locked.get("strangers") or {}).get("before") or ())
    edge = locked.get("edge") or {}
    # What was not written to is as it was read.
    earlier = edge.get("before") or (None if locked.get("changed") else edge)
    return {
        "state": "open" if before else "drift",
        "strangers": {"before": before, "after": before},
        "plan": [],
        **({"edge": earlier} if earlier else {}),
    }


def taken_back(variables: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """What became of the undo of a tenant, empty where there was none."""
    undone = variables.get(UNDONE) or {}
    return {} if undone.get("skipped") else undone
