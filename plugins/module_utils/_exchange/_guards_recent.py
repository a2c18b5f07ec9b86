# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards about who delivered lately and would be refused. See guards.py."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import doors, recent
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange._guards_sides import Sides
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    WARN,
    Finding,
)

REFUSED, UNKNOWN = "recent_senders_refused", "recent_senders_unknown"


def check(
    before: State,
    after: State,
    networks: SiteNetworks,
    senders: recent.Recent,
    asked: recent.Asked,
) -> t.Iterator[Finding]:
    """What the guards find, where the change takes from anybody the right to send without a login:
    on a server that is locked already there is nothing to lose, whoever came before.
    """
    losing = Sides(before, after, networks).losing(doors.surely_accepts_anonymous)
    if not losing:
        return
    refused = recent.refused(senders, losing, asked.messages)
    if refused:
        yield Finding(
            REFUSED,
            STOP,
            recent.sentence(refused, asked),
            remedy="name those who are to be heard in the site's networks",
        )
    if senders.unknown or not senders.told:
        whole = "Who delivered lately is not known" if senders.told else "Nobody knows who delivers"
        yield Finding(
            UNKNOWN,
            WARN if senders.told else STOP,
            f"{whole + ' in full' if senders.told else whole}, so that it is not known whom the "
            f"lock would refuse. {' '.join(senders.unknown)}".strip(),
            remedy="see that the logs can tell it",
        )
