# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Exchange would refuse about a receive connector because of what else there is: the server's
names, the organization's accepted domains, the capabilities that the version knows.

Sources: Set-ReceiveConnector.md; for the names of capabilities office-docs-powershell issue 6292,
which lists those of the type itself. rules.py has what a connector breaks by itself.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.values import CAPABILITIES
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version

Connector = t.Mapping[str, t.Any]

_MOST_NAMED = 8


def check(connector: Connector, state: State) -> list[str]:
    """One sentence for each rule that the connector, as it would be after a change, breaks."""
    where = f"The receive connector '{connector['name']}'"
    reasons = (
        *_fqdn(connector, state),
        *_default_domain(connector, state),
        *_capabilities(connector, state),
    )
    return [f"{where} {reason} Nothing was changed." for reason in reasons]


def _fqdn(connector: Connector, state: State) -> t.Iterator[str]:
    fqdn, server = connector.get("fqdn"), state.server
    if not fqdn or "ExchangeServer" not in (connector.get("auth_mechanism") or ()):
        return
    if fqdn.casefold() not in (server.fqdn.casefold(), server.name.casefold()):
        yield (
            f"has the fqdn {fqdn}. Beside ExchangeServer in auth_mechanism Exchange takes only the "
            f"server's own name there, {server.fqdn} or {server.name}, or none. Leave "
            "ExchangeServer out, or name the fqdn on a connector without it."
        )


def _default_domain(connector: Connector, state: State) -> t.Iterator[str]:
    domain = connector.get("default_domain")
    if not domain or state.accepted_domains is None:
        return
    known = [
        accepted
        for accepted in state.accepted_domains
        if domain.casefold() in (accepted.domain, accepted.name.casefold())
    ]
    if not known and state.accepted_domains:
        named = [accepted.domain for accepted in state.accepted_domains]
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        yield (
            f"has the default_domain {domain}, which is not an accepted domain of the "
            f"organization. Those are {', '.join(named[:_MOST_NAMED])}{more}."
        )


def _capabilities(connector: Connector, state: State) -> t.Iterator[str]:
    asked = _names(connector)
    # What a connector of this server has is there, whatever it is.
    held = frozenset[str]().union(*(_names(connector) for connector in state.receive.values()))
    version = state.server.version
    known = {name for name, since in CAPABILITIES.items() if since is None or version >= since}
    for name in sorted(asked - held - known):
        since = CAPABILITIES.get(name)
        if since is not None:
            yield (
                f"has the capability {name} in tls_domain_capabilities, which came with "
                f"{Version(since)}."
            )
        else:
            yield (
                f"has the capability {name} in tls_domain_capabilities, which Exchange does not "
                "know. "
                f"It is one of {', '.join(sorted(known))}."
            )


def _names(connector: Connector) -> frozenset[str]:
    return frozenset(
        text.rpartition(":")[2] for text in connector.get("tls_domain_capabilities") or ()
    )
