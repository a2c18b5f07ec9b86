# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a firewall publishes a mail server, as it tells as a stage of the whole edge: a known door
has to be looked at, whatever leads to it in DNS.
"""

from __future__ import annotations

import typing as t

Plain = t.Mapping[str, t.Any]
Place = tuple[str, int]
"""A published address and port."""

_MAIL, _WEB = 25, 443


def web_at(front: Plain | None) -> list[str]:
    """The addresses at which the web of a server is published to which the firewall lets mail
    come.
    """
    return [address for address, port in _places(front, _WEB) if port == _WEB]


def mail_at(front: Plain | None) -> list[Place]:
    """Every address and port that leads to port 25 of a server."""
    return _places(front, _MAIL)


def _places(front: Plain | None, behind: int) -> list[Place]:
    doors = [
        (_behind(door), port, door)
        for door in (front or {}).get("doors") or ()
        for port in door["ports"]
    ]
    servers = {
        inside
        for port_behind, _port, door in doors
        if port_behind == _MAIL
        for inside in door.get("leads_to") or ()
    }
    told = [
        (str(address), port)
        for port_behind, port, door in doors
        if port_behind == behind and servers.intersection(door.get("leads_to") or ())
        for address in door.get("at") or ()
        if address
    ]
    return list(dict.fromkeys(told))


def _behind(door: Plain) -> int:
    return int(door.get("port_behind") or door["ports"][0])
