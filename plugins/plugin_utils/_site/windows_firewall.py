# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the description of a site means for a server's own firewall, as options of
windows_firewall_rules.
"""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host import SiteOfHost, Values

_LAYER = ("method", "other_ports", "ignore_programs", "accept_risks", "time_limit", "snapshot_copy")
_MAIL = (25,)


def lock_options(site: SiteOfHost) -> Values:
    """The options that lock the ports of a server: for the provider, and for Exchange Online in a
    hybrid, unless the site says for whom.
    """
    described = site.described
    mail = [*(described.get("provider_ranges") or []), *(described.get("hybrid_ranges") or [])]
    return {
        **restore_options(site),
        "ports": described.get("windows_firewall_ports") or list(_MAIL),
        "remote_addresses": described.get("windows_firewall_remote_addresses") or mail,
        "own_networks": described.get("own_networks"),
        "exchange_servers": described.get("exchange_servers"),
        "domain_controllers": described.get("windows_firewall_domain_controllers"),
        **{name: described.get(f"windows_firewall_{name}") for name in _LAYER},
    }


def restore_options(site: SiteOfHost) -> Values:
    """The options that give back a snapshot of a server's firewall; they do not name it."""
    described = site.described
    return {
        "accept_risks": described.get("windows_firewall_accept_risks"),
        "time_limit": described.get("windows_firewall_time_limit"),
        "lease": site.lease,
    }
