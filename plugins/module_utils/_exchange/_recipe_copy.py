# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a narrow connector copies of the wide one that it stands for: groups, rights and limits."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import rights
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    ANONYMOUS,
    EXTERNAL,
    answer_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE

Connector = t.Mapping[str, t.Any]
Entry = dict[str, t.Any]


def groups(connector: Connector) -> frozenset[str]:
    """The permission groups, with that of the users as far as they may send."""
    held: frozenset[str] = connector["permission_groups"] - {rights.USERS_GROUP}
    return held | (answer_of(connector).groups & {rights.USERS_GROUP})


def as_it_is(
    source: Connector, groups: frozenset[str], kept: t.Sequence[str], *, relaying: bool
) -> Entry:
    """The options of a copy of `source` that has the permission groups `groups`; without
    `relaying` it lets nobody relay.
    """
    # A right that the source inherits, or has with all others at once, a copy needs outright.
    relays = bool(source.get("anonymous_relay")) or (
        rights.ANY_RECIPIENT in (source.get("fixed_rights") or ())
        and EXTERNAL not in (source.get("auth_mechanism") or ())
    )
    entry: Entry = {"anonymous_relay": relaying and relays}
    # What the group gives is read as the group.
    given = (
        {f"{rights.ANONYMOUS}:{right}" for right in rights.PRESET} if ANONYMOUS in groups else set()
    )
    beyond = (source.get("anonymous_rights") or frozenset()) - given
    beyond = beyond if relaying else _without_relay(beyond)
    if beyond:
        entry["anonymous_rights"] = sorted(beyond)
    if source.get("transport_role"):
        entry["transport_role"] = source["transport_role"]
    for option in kept:
        if source.get(option) is not None:
            entry[option] = RECEIVE.properties[option].kind.show(source[option])
    if not relaying and EXTERNAL in (source.get("auth_mechanism") or ()):
        entry["auth_mechanism"] = ["Tls"]
    return entry


def lets_send(connector: Connector) -> bool:
    """Whether its groups and rights let a session without a login send, as far as a copy of it has
    them too: what is inherited or denied, or given with all rights at once, is the original's.
    """
    own: Connector = {**connector, "fixed_rights": frozenset(), "denied_rights": frozenset()}
    return rights.SUBMIT in rights.held(own)


def _without_relay(held: frozenset[str]) -> frozenset[str]:
    return frozenset(right for right in held if right.partition(":")[2] != rights.ANY_RECIPIENT)


def relay_taken(there: Connector) -> Entry:
    """What takes the right to relay from a connector; empty where it has none that can be taken."""
    entry: Entry = {}
    if there.get("anonymous_relay"):
        entry["anonymous_relay"] = False
    held = there.get("anonymous_rights") or frozenset()
    if _without_relay(held) != held:
        entry["anonymous_rights"] = sorted(_without_relay(held))
    if EXTERNAL in (there.get("auth_mechanism") or ()):
        entry["auth_mechanism"] = ["Tls"]
    return entry
