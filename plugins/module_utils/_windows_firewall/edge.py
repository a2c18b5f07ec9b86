# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows Firewall as a stage of the whole edge."""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import (
    PORTS,
    REACH,
    Door,
    Groups,
    Plain,
    stage,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall import (
    model,
    recipe,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.state import State


def of(state: State, site: recipe.Site) -> Plain:
    """Who reaches the ports of the site, and those that a mail server may have besides."""
    told = []
    for port in sorted({*site.ports, *PORTS}):
        reach = model.reach_of(state, port)
        rights = {REACH: (reach.possible, reach.certain)}
        told += [Door((family,), (port,), rights) for family in (4, 6)]
    return stage("windows firewall", Groups(site.named, site.remote), told)
