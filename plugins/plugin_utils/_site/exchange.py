# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the description of a site means for a server, as options of exchange_mail_flow."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host import SiteOfHost, Values

_RANGES = ("provider_ranges", "own_networks", "exchange_servers", "hybrid_ranges")
_SHELL = ("exchange_shell", "exchange_username")
# The site's name of it has the layer in front.
_LAYER = ("accept_risks", "domain_controller", "time_limit")
_RECENT_SENDERS = ("days", "messages", "megabytes", "seconds", "addresses")
_CREDENTIAL = "authentication_credential"


def lock_options(site: SiteOfHost) -> Values:
    """The options that lock the connectors of a server."""
    described = site.described
    owns_outbound = described["exchange_outbound_owner"] == site.host
    options: Values = {
        **_common(site),
        "snapshot_copy": described.get("exchange_snapshot_copy"),
        "receive_connectors": site.variable("mailedge_exchange_receive_connectors"),
        "send_connectors": site.variable("mailedge_exchange_send_connectors")
        if owns_outbound
        else None,
    }
    if described["exchange_recent_senders_days"]:
        options["recent_senders"] = {
            name: described[f"exchange_recent_senders_{name}"] for name in _RECENT_SENDERS
        }
    if described["exchange_inbound_enabled"]:
        options["inbound_lock"] = described["exchange_inbound"]
    if described["exchange_outbound_enabled"] and owns_outbound:
        outbound = site.variable("mailedge_exchange_outbound")
        login = site.variable("mailedge_exchange_outbound_credential") or (
            outbound.get(_CREDENTIAL) if isinstance(outbound, t.Mapping) else None
        )
        options["outbound_lock"] = {
            **described["exchange_outbound"],
            **({_CREDENTIAL: login} if login else {}),
        }
    return options


def restore_options(site: SiteOfHost) -> Values:
    """The options that give back a snapshot of a server's connectors; they do not name it."""
    return _common(site)


def _common(site: SiteOfHost) -> Values:
    described = site.described
    return {
        **{name: described.get(name) for name in (*_RANGES, *_SHELL)},
        **{name: described.get(f"exchange_{name}") for name in _LAYER},
        "exchange_password": site.variable("mailedge_exchange_password"),
        "lease": site.lease,
    }
