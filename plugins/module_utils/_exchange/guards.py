# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of the Exchange layer."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    _guards_accepted as accepted_domains,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    _guards_connectors as connectors_side,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    _guards_invalid as invalid,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    _guards_limits as starving,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    _guards_receive as receive_side,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    _guards_send as send_side,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    Change,
    SiteNetworks,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import lease
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    Finding,
    Registry,
)

GUARDS = Registry(
    {
        **_ranges_guards.GUARDS,
        lease.GUARD: lease.SENTENCE,
        "no_provider_range": (
            "Nobody on the internet could deliver mail any more, because no usable provider range "
            "is accepted."
        ),
        "provider_shut_out": "The provider, or a part of its ranges, would not be accepted.",
        "provider_starved": (
            "A connector that is not the lock's own lets less of the provider's mail through than "
            "another one would."
        ),
        "own_networks_shut_out": (
            "The own networks, or internal senders where none are named, would lose something that "
            "is accepted from them today."
        ),
        "unnamed_senders_shut_out": (
            "Private addresses that nobody has named would lose something that is accepted from "
            "them today."
        ),
        "no_longer_named": (
            "A connector that an earlier lock made or narrowed still hears senders that the site "
            "does not name any more."
        ),
        "server_shut_out": (
            "The server itself would lose something that is accepted today from its loopback or "
            "its own addresses."
        ),
        "logins_shut_out": (
            "Users, partners or Exchange servers on the internet that log in could no longer do so."
        ),
        "own_networks_refused": (
            "Own networks are refused without a login already, which a lock before they were named "
            "may have done."
        ),
        "exchange_servers_shut_out": (
            "Other Exchange servers would lose what they are accepted with today."
        ),
        "hybrid_shut_out": "Exchange Online would lose the hybrid path into the server.",
        "ipv6_open": "IPv4 is shut to the internet, and IPv6 is left open.",
        "still_open": (
            "Internet addresses other than the provider's may still send anonymously after the "
            "lock."
        ),
        "protected_connector": (
            "A receive connector that Exchange itself needs would be removed, disabled or "
            "restricted."
        ),
        "open_relay": "Strangers, or the provider's addresses, could relay to any recipient.",
        "every_domain_accepted": (
            "An accepted domain stands for the internet at large, so that whoever may send may "
            "relay."
        ),
        "accepted_domains_unread": (
            "The accepted domains could not be read, so that nobody knows whether the server "
            "relays."
        ),
        "foreign_binding": (
            "A connector would listen on an address that the server does not have; the service "
            "would not start again."
        ),
        "invalid_connector": (
            "A connector that Exchange calls invalid would be changed, which it may refuse."
        ),
        "transport_role_conflict": (
            "Connectors of different transport roles would listen on one port, or port 25 would go "
            "to the wrong role."
        ),
        "range_conflict": (
            "Two connectors hear the same addresses, or would overlap in part, on one binding, "
            "which Exchange refuses."
        ),
        "recent_senders_refused": (
            "Senders who delivered lately, as the server's logs have it, would be refused."
        ),
        "recent_senders_unknown": (
            "The logs do not tell, or not in full, who delivered lately, though the task asks whom "
            "the lock would refuse."
        ),
        "send_leak": "Outgoing mail would go past the connector that is meant to carry it.",
        "mail_stranded": (
            "Outgoing mail that a send connector carries today would be carried by none after the "
            "lock on the way out."
        ),
        "source_servers_lost": (
            "Servers that send mail to the internet by themselves would have to hand it to another "
            "one."
        ),
        "smart_host_unreachable": "A smart host does not answer the server.",
        "hybrid_wizard_undone": (
            "The hybrid wizard has put back the wide ranges or the anonymous right of a connector "
            "that was locked."
        ),
        "protected_send_connector": (
            "A send connector of the hybrid wizard or of an edge subscription would be changed."
        ),
    }
)


ABOUT_STATE = frozenset(GUARDS) - {
    "protected_connector",
    "foreign_binding",
    "transport_role_conflict",
    "range_conflict",
    "protected_send_connector",
    lease.GUARD,
    "invalid_connector",
}
"""About the state that there would be. The others are about what Exchange refuses, or does not
survive, and about other runs.
"""


def findings(
    before: State,
    after: State,
    networks: SiteNetworks,
    changes: t.Sequence[Change],
    unreachable: t.Collection[str] = (),
) -> t.Iterator[Finding]:
    """What the guards find about making `after` of `before`.

    `unreachable` are smart hosts that were tried from the server and did not answer, as names or
    addresses.
    """
    for side in (receive_side, connectors_side, accepted_domains, send_side, invalid, starving):
        yield from side.check(before, after, networks, changes, frozenset(unreachable))
