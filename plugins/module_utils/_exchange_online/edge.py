# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tenant as a stage of the whole edge: who may hand mail to it past the filter, domain by domain.

The recipient decides which tenant a message is for, so that any of its names is the same door. Mail
with a sender of the tenant's own domains (Direct Send) may be refused where other mail is not.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import (
    DELIVER,
    Door,
    Groups,
    Plain,
    stage,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import model
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.model import Named
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.state import (
    Canonical,
    TenantState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import EVERYTHING, RangeSet

_MAIL = 25


def of(state: TenantState, named: Named) -> Plain:
    """What is taken at RCPT, by what is in the tenant's configuration: a change is in force within
    30 minutes.
    """
    doors = [_door(state, domain, family) for domain in state.domains for family in (4, 6)]
    return stage("exchange online", Groups(named.ranges, named.provider), doors)


def _door(state: TenantState, domain: str, family: int) -> Door:
    refusing = model.covering(state, domain)
    known = [
        row
        for row in state.connectors.values()
        if model.covers(row, domain) and (model.admits(row) or row in model.on_premises(state))
    ]
    might, certain, untold = (EVERYTHING, EVERYTHING, False) if not refusing else _past(known)
    if any(model.admits(row) and not model.restricts(row) for row in known):
        # It refuses mail of some domains of senders, and nobody knows whose mail it will be.
        certain = RangeSet()
    if state.unread:
        # A connector that was not read may let in, or refuse.
        might, certain = EVERYTHING, RangeSet()
    rules = model.rules_in_force(state)
    then = f"and quarantined by the rule {model.names(rules)}" if rules else ""
    rights = {DELIVER: (might, certain)}
    return Door((family,), (_MAIL,), rights, name=domain, untold=untold, then=then)


def _past(known: t.Sequence[Canonical]) -> tuple[RangeSet, RangeSet, bool]:
    """Who might be let past a connector that refuses all others: by address; and whether somebody
    might by a certificate, whose address nobody knows. That a connector of the type OnPremises does
    it is unverified, so that nobody certainly is.
    """
    might = RangeSet()
    for row in known:
        might |= model.ranges_of(row, "sender_ip_addresses")
    return might, RangeSet(), any(row.get("tls_sender_certificate_name") for row in known)
