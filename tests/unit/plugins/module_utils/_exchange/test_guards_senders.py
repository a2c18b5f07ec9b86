# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of senders that a site does not name, of the server itself, and of who logs in."""

from __future__ import annotations

import dataclasses

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import recipes
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    apply_all,
    plan,
)
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites
from ansible_collections.mailedge.lockdown.tests.support.guarded import (
    DEFAULT,
    FILTER,
    HUB,
    NAMED,
    STRIP,
    networks_of,
    sentences_of,
    severities_of,
)

LAN_ONLY = {**FILTER, "name": "LAN", "remote_ip_ranges": [sites.LAN]}


def test_guard_unnamed_senders_shut_out() -> None:
    told = networks_of(**NAMED, itself=[sites.LAN_ADDRESS])

    assert (
        severities_of(sites.modern(), told, STRIP, FILTER, LAN_ONLY)["unnamed_senders_shut_out"]
        == "warn"
    )
    said = sentences_of(sites.modern(), told, STRIP, FILTER, LAN_ONLY)
    assert "Private addresses that nobody has named, 10.0.0.0-10.19.255.255" in said
    assert "could no longer send without a login, which they can today" in said
    assert "unnamed_senders_shut_out" not in severities_of(sites.modern(), told, FILTER)
    # Another server of the organization that nobody has named, and its relay.
    narrowed = {"name": DEFAULT, "remote_ip_ranges": [sites.LAN, "127.0.0.0/8", "::1"]}
    said = sentences_of(sites.modern(anonymous_relay=True), told, narrowed, FILTER)
    assert "could no longer send without a login and log in as Exchange servers" in said
    deaf = {"name": DEFAULT, "anonymous_relay": False}
    assert "could no longer relay, which they can today" in sentences_of(
        sites.modern(anonymous_relay=True), told, deaf
    )


def test_guard_no_longer_named() -> None:
    state = sites.modern()
    wish = recipes.inbound_lock(
        state, {"provider_ranges": [sites.PROVIDER], "own_networks": [sites.LAN, "10.30.0.0/16"]}
    )
    locked = apply_all(plan(state, wish), state)
    told = dataclasses.replace(networks_of(**NAMED, inbound_lock=True), unnamed_until="2027-01-31")

    assert severities_of(locked, told) == {"no_longer_named": "warn"}
    assert "still hears 10.30.0.0/16" in sentences_of(locked, told)
    assert severities_of(locked, dataclasses.replace(told, unnamed_until="")) == {}


def test_guard_server_shut_out() -> None:
    told = networks_of(**NAMED, itself=[sites.LAN_ADDRESS])

    assert severities_of(sites.modern(), told, STRIP, FILTER, LAN_ONLY)["server_shut_out"] == "stop"
    said = sentences_of(sites.modern(), told, STRIP, FILTER, LAN_ONLY)
    assert (
        "The server itself, from 127.0.0.0/8 and ::1, could no longer send without a login" in said
    )
    itself = {**LAN_ONLY, "remote_ip_ranges": ["127.0.0.0/8", "::1"]}
    said = sentences_of(sites.modern(), told, STRIP, FILTER, itself)
    assert (
        f"The server itself, from {sites.LAN_ADDRESS}, could no longer send without a login" in said
    )
    whole = {**LAN_ONLY, "remote_ip_ranges": ["127.0.0.0/8", "::1", sites.LAN_ADDRESS]}
    # It logs in as an Exchange server there too, which the whole of a new connector has to take.
    whole["permission_groups"] = ["AnonymousUsers", "ExchangeServers"]
    assert "server_shut_out" not in severities_of(sites.modern(), told, STRIP, FILTER, whole)


def test_guard_logins_shut_out() -> None:
    told = networks_of(**NAMED)
    state = sites.older()

    assert (
        severities_of(state, told, {"name": HUB, "enabled": False}, FILTER)["logins_shut_out"]
        == "warn"
    )
    said = sentences_of(state, told, {"name": HUB, "enabled": False}, FILTER)
    assert "Users and Exchange servers on the internet could no longer log in on port 25" in said
    strip = {"name": HUB, "permission_groups": {"remove": ["AnonymousUsers"]}}
    assert "logins_shut_out" not in severities_of(state, told, strip, FILTER)
