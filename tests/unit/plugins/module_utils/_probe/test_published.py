# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A door that a firewall is known to have is looked at, whatever DNS says."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.looks import at_names
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.published import (
    mail_at,
    web_at,
)

SERVER = "10.20.1.11"


def door(address: str, port: int, behind: int, inside: str = SERVER) -> dict[str, t.Any]:
    return {"at": [address], "ports": [port], "port_behind": behind, "leads_to": [inside]}


FRONT = {
    "doors": [
        door("203.0.113.80", 25, 25),
        door("203.0.113.82", 2525, 25),
        door("203.0.113.83", 25, 25),
        door("203.0.113.81", 443, 443),
        door("203.0.113.81", 587, 587),
        # Another server's.
        door("203.0.113.90", 443, 443, "10.20.1.90"),
    ]
}
STRANGER = {"name": "a stranger", "expect": "closed", "port": 25}
DOORS = {**STRANGER, "name": "at the doors", "targets": [], "at_doors": True}


def looks(*described: dict[str, t.Any], front: t.Any = None, dns: t.Any = None) -> list[t.Any]:
    (point,) = at_names([{"from": "localhost", "looks": described}], dns, front)
    return list(point["looks"])


def test_what_leads_to_the_mail_server_is_told_by_the_firewall() -> None:
    assert web_at(FRONT) == ["203.0.113.81"]
    assert mail_at(FRONT) == [("203.0.113.80", 25), ("203.0.113.82", 2525), ("203.0.113.83", 25)]
    assert web_at(None) == web_at({"doors": []}) == []
    assert mail_at(None) == []


def test_the_web_is_looked_at_where_the_firewall_publishes_it() -> None:
    look = {"name": "w", "protocol": "https", "derived": True, "targets": []}
    assert looks(look, front=FRONT)[0]["targets"] == ["203.0.113.81"]
    # From where only something that stands for it can be reached, nobody goes there.
    assert looks({**look, "stands_in": True}, front=FRONT) == []
    assert looks(look) == [], "there is nothing to look at"


def test_each_door_of_mail_that_no_look_is_at_gets_one() -> None:
    dns = {"target_addresses": {"mail.birke.example": ["203.0.113.80"]}}
    named = {**STRANGER, "targets": ["mail.birke.example"]}
    told = looks(named, DOORS, front=FRONT, dns=dns)
    assert [(look["name"], look["targets"], look["port"]) for look in told] == [
        ("a stranger", ["mail.birke.example"], 25),
        ("at the doors", ["203.0.113.83"], 25),
        ("at the doors", ["203.0.113.82"], 2525),
    ]
    assert looks(named, DOORS, dns=dns) == [named], "nobody has read the firewall"
    # What stands for a door, is to find it open, or is at its web.
    beside = [
        {**STRANGER, "targets": ["10.0.0.9"], "stands_for": "203.0.113.82:2525"},
        {**STRANGER, "targets": ["203.0.113.83"], "expect": "open"},
        {**STRANGER, "targets": ["203.0.113.83"], "protocol": "https"},
    ]
    left = [look["targets"] for look in looks(named, *beside, DOORS, front=FRONT, dns=dns)[4:]]
    assert left == [["203.0.113.83"]]
