# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the description of a site means for the Windows of a server, as options of its modules."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host import SiteOfHost, Values

_RUN = ("accept_risks", "time_limit")
_HTTPS = 443


def _of_layer(site: SiteOfHost, prefix: str, names: t.Iterable[str]) -> Values:
    """Options of a layer's module that the site names with the layer in front."""
    return {name: site.described.get(f"{prefix}_{name}") for name in names}


def _run(site: SiteOfHost, prefix: str) -> Values:
    return {**_of_layer(site, prefix, _RUN), "lease": site.lease}


def firewall_options(site: SiteOfHost) -> Values:
    """The options of windows_firewall_rules that lock the ports of a server."""
    described, prefix = site.described, "windows_firewall"
    named = described.get("windows_firewall_remote_addresses")
    return {
        **_run(site, prefix),
        **_of_layer(site, prefix, ("ports", "method", "other_ports", "snapshot_copy")),
        **_of_layer(site, prefix, ("ignore_programs",)),
        "remote_addresses": named or [*described["provider_ranges"], *described["hybrid_ranges"]],
        "own_networks": described["own_networks"],
        "exchange_servers": _said(site, "exchange_servers"),
        "domain_controllers": _said(site, "windows_firewall_domain_controllers"),
        # Whatever of Exchange clients come for from the internet, they come for by HTTPS.
        "ports_in_use": [_HTTPS] if described["exchange_in_use"] else [],
    }


def firewall_restore_options(site: SiteOfHost) -> Values:
    """Those that give back a snapshot, which they do not name."""
    return {**_run(site, "windows_firewall"), "own_networks": site.described["own_networks"]}


def iis_options(site: SiteOfHost) -> Values:
    """The options of iis_path_blocks that close the web site of a server."""
    described = site.described
    blocks, publish = described["iis_blocks"], described["exchange_publish"]
    return {
        **_iis(site),
        **_of_layer(site, "iis", ("method", "snapshot_copy")),
        "blocks": blocks,
        # A site that names blocks alone says nothing of the other paths.
        "publish": publish if publish or not blocks else None,
    }


def iis_restore_options(site: SiteOfHost) -> Values:
    """Those that give back a snapshot, which they do not name."""
    return _iis(site)


def _iis(site: SiteOfHost) -> Values:
    described = site.described
    return {
        **_run(site, "iis"),
        "site": described["iis_site"],
        "in_use": described["exchange_in_use"],
        "own_networks": described["own_networks"],
        "exchange_servers": described["exchange_servers"],
        "reverse_proxies": described["iis_reverse_proxies"],
    }


def tls_options(site: SiteOfHost) -> Values:
    """The options of windows_tls that switch TLS 1.2 on."""
    copy = _of_layer(site, "windows_tls", ("snapshot_copy",))
    return {**_run(site, "windows_tls"), **copy, **site.described["windows_tls"]}


def tls_restore_options(site: SiteOfHost) -> Values:
    """Those that give back a snapshot, which they do not name."""
    return _run(site, "windows_tls")


_OF_POSTURE = (
    "min_processors",
    "min_memory_gb",
    "max_update_age_days",
    "warn_before_days",
    "paid_updates",
    "exchange_builds",
    "exchange_builds_as_of",
    "windows_versions",
    "ignored_certificates",
    "accept_findings",
    "time_limit",
)


def posture_options(site: SiteOfHost) -> Values:
    """The options of windows_posture_info: what the site asks of a server."""
    return {
        **_of_layer(site, "windows_posture", _OF_POSTURE),
        "hybrid": site.described["hybrid"].get("kind"),
    }


def _said(site: SiteOfHost, name: str) -> t.Any:
    """A list of the description; None where the site has not said that there are none."""
    entries = site.described.get(name)
    return entries if entries or site.variable(f"mailedge_{name}") is not None else None
