# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the description of a site means for a server, as options of exchange_mail_flow."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.convert import is_unset

_RANGES = ("provider_ranges", "own_networks", "exchange_servers", "hybrid_ranges")
_SHELL = ("exchange_shell", "exchange_username")
# The site's name of it has the layer in front.
_LAYER = ("accept_risks", "snapshot_copy", "domain_controller", "time_limit")
_CREDENTIAL = "authentication_credential"

Values = dict[str, t.Any]


def lock_options(
    host: str,
    described: t.Mapping[str, t.Any],
    variable: t.Callable[[str], t.Any],
    lease: t.Mapping[str, t.Any] | None = None,
) -> Values:
    """The options that lock the connectors of `host`, under `lease` where the run writes.

    `variable` gives a templated variable of the host, None where it is not set: logins and
    connectors in full are not in the description, which is handed around.
    """
    owns_outbound = described["exchange_outbound_owner"] == host
    options: Values = {
        **_given(described, _RANGES),
        **_given(described, _SHELL),
        **{name: described.get(f"exchange_{name}") for name in _LAYER},
        "exchange_password": variable("mailedge_exchange_password"),
        "receive_connectors": variable("mailedge_exchange_receive_connectors"),
        "send_connectors": variable("mailedge_exchange_send_connectors") if owns_outbound else None,
        "lease": lease,
    }
    if described["exchange_inbound_enabled"]:
        options["inbound_lock"] = described["exchange_inbound"]
    if described["exchange_outbound_enabled"] and owns_outbound:
        outbound = variable("mailedge_exchange_outbound")
        login = variable("mailedge_exchange_outbound_credential") or (
            outbound.get(_CREDENTIAL) if isinstance(outbound, t.Mapping) else None
        )
        options["outbound_lock"] = {
            **described["exchange_outbound"],
            **({_CREDENTIAL: login} if login else {}),
        }
    return {name: value for name, value in options.items() if not is_unset(value)}


def _given(described: t.Mapping[str, t.Any], names: t.Iterable[str]) -> Values:
    return {name: described.get(name) for name in names}
