# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard about limits of connectors that hear the provider and are not the lock's own. See
guards.py.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import limits
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


def check(
    _before: State,
    after: State,
    networks: SiteNetworks,
    _changes: t.Sequence[Change],
    _unreachable: frozenset[str],
) -> t.Iterator[Finding]:
    """What the guard finds. Somebody made such a connector by hand, and may have meant it."""
    if not networks.inbound_lock:
        return
    for starved in limits.starved(after, networks.provider):
        less = listed(f"{option} {held} and not {wider}" for option, held, wider in starved.less)
        yield Finding(
            "provider_starved",
            WARN,
            f"The receive connector '{starved.name}' lets less of the provider's mail through than "
            f"'{starved.source}' would: {less}. It is not the lock's own, so that it is left as it "
            "is. Raise what is not meant, or name it in receive_connectors.",
        )
