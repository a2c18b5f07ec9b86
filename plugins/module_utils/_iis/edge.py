# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web of a server as the last stage of the whole edge: who gets through IIS, path by path."""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import (
    Groups,
    Plain,
    stage,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis import bindings, words
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.model import Passing, passing
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.recipes import Wish
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.senders import (
    EVERYBODY,
    NOBODY,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet


def of(state: State, wish: Wish) -> Plain:
    """Who gets through to each path of Exchange, and to each that is or shall be blocked, where the
    site has a binding.
    """
    named = wish.own_networks | wish.exchange_servers | state.server.itself
    for block in wish.on(state):
        named = named | block.networks
    rights = {path: _seen(wish, passing(state, path)) for path in words.paths(wish, state)}
    doors = bindings.doors(state.bindings, state.other_bindings, rights)
    return stage("iis", Groups(named, RangeSet()), doors, addresses=state.server.addresses)


def _seen(wish: Wish, through: Passing) -> tuple[RangeSet, RangeSet]:
    """Who might get through, and who certainly does. Behind a reverse proxy IIS sees its address,
    whoever asks.
    """
    if not wish.proxies:
        return through.at_most, through.certain
    might = EVERYBODY if wish.proxies & through.at_most else NOBODY
    return might, EVERYBODY if wish.proxies <= through.certain else NOBODY
