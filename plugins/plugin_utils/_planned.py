# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run in check mode would change on all its hosts, to be approved."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report import plan as plans

Variables = t.Mapping[str, t.Any]


def planned(
    of_hosts: t.Mapping[str, Variables],
    about: t.Callable[[Variables], Variables],
    result_of: t.Callable[[str, Variables], t.Any],
) -> dict[str, t.Any]:
    """{digest, hosts, summary}. `about` gives the description among the variables of a host, and
    `result_of` the result of a layer.
    """
    of_layers: dict[str, dict[str, t.Any]] = {}
    for host, variables in of_hosts.items():
        results = {
            layer: result_of(layer, variables) for layer in about(variables).get("parts") or {}
        }
        of_layers[host] = {
            layer: result for layer, result in results.items() if isinstance(result, t.Mapping)
        }
    return plans.handed_on(of_layers)
