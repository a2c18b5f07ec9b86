# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards about accepted domains. See guards.py."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import strangers
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    Change,
    SiteNetworks,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.words import listed
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    WARN,
    Finding,
)

UNREAD = "accepted_domains_unread"


def check(
    _before: State,
    after: State,
    networks: SiteNetworks,
    _changes: t.Sequence[Change],
    _unreachable: frozenset[str],
) -> t.Iterator[Finding]:
    """What the guards find. No plan changes anything of it, so that nothing stops one."""
    if not strangers.judged(networks):
        return
    if after.accepted_domains is None:
        yield Finding(
            UNREAD,
            WARN,
            f"The accepted domains could not be read on {after.server.name}, so that nobody knows "
            "whether it relays for everybody who may send. "
            "Give the user of this task a role that may run Get-AcceptedDomain.",
        )
        return
    everything = [str(domain) for domain in after.accepted_domains if domain.is_everything]
    if everything:
        plural = len(everything) > 1
        yield Finding(
            "every_domain_accepted",
            WARN,
            f"The accepted {'domains' if plural else 'domain'} {listed(everything)} "
            f"{'stand' if plural else 'stands'} for the internet at large, so that whoever may "
            "send to this server may relay through it to any recipient, the provider's other "
            "customers included. Accepted domains are not changed here: name the site's own ones, "
            "and take this away with Remove-AcceptedDomain.",
        )
