# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of a server that a site may have, and what its description means for each of them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site import windows
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.convert import is_unset
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.exchange import (
    lock_options,
    restore_options,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host import SiteOfHost, Values

ACTIONS = "ansible_collections.mailedge.lockdown.plugins.action."
"""What stands before the name of a layer's module in the name of its action."""


@dataclass(frozen=True)
class HostLayerOfSite:
    """One layer: its name in verdicts, and the module that locks it and gives its snapshots back.

    `lock` are the options that lock, `restore` those that all but name the snapshot.
    """

    name: str
    module: str
    lock: t.Callable[[SiteOfHost], Values]
    restore: t.Callable[[SiteOfHost], Values]

    def locking(self, site: SiteOfHost) -> Values:
        """The module's options that lock; nothing that is not set among them."""
        options = _given(self.lock(site))
        approved = site.described.get("approved_plan")
        return options if approved is None else {**options, "approved_plan": approved[self.name]}

    def restoring(self, site: SiteOfHost, snapshot: str) -> Values:
        """The module's options that give a snapshot back."""
        return {**_given(self.restore(site)), "snapshot": snapshot}

    @property
    def prefix(self) -> str:
        """What stands before its variables, behind the one of the collection."""
        return self.name.replace(" ", "_")

    def snapshot(self, described: t.Mapping[str, t.Any]) -> str:
        """The snapshot that a rollback gives back."""
        return str(described.get(f"{self.prefix}_snapshot") or "latest")


def _given(options: Values) -> Values:
    return {name: value for name, value in options.items() if not is_unset(value)}


# In the order in which they are locked. A rollback goes the other way.
HOST_LAYERS: t.Sequence[HostLayerOfSite] = (
    HostLayerOfSite("exchange", "exchange_mail_flow", lock_options, restore_options),
    HostLayerOfSite(
        "windows firewall",
        "windows_firewall_rules",
        windows.firewall_options,
        windows.firewall_restore_options,
    ),
    HostLayerOfSite("iis", "iis_path_blocks", windows.iis_options, windows.iis_restore_options),
    HostLayerOfSite("windows tls", "windows_tls", windows.tls_options, windows.tls_restore_options),
)

POSTURE = "windows posture"
"""How the server is kept. It is read with the layers and judged, and nothing of it is written."""

POSTURE_MODULE = "windows_posture_info"

HYBRID = "hybrid"
"""How Exchange Online comes in: read with the layers too, and never written."""

HOST_PARTS = frozenset({*(layer.name for layer in HOST_LAYERS), POSTURE, HYBRID})
"""All that one task does or looks at on the server."""


def posture_options(site: SiteOfHost) -> Values:
    """The options of windows_posture_info that say what the site asks of a server."""
    return _given(windows.posture_options(site))
