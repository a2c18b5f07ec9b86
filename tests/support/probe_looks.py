# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at servers on loopback."""

from __future__ import annotations

import socket
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import (
    Door,
    Egress,
    find_doors,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import (
    Look,
    Question,
    look_at,
)
from ansible_collections.mailedge.lockdown.tests.support.smtp_server import Answer, Street

SENDER, RECIPIENT = "probe@watchtower.example", "postmaster@hafen.example"
RELAY, OWN = "probe@elsewhere.example", "office@hafen.example"
# Replies come at once here; only who waits for silence is in a hurry.
QUESTION = Question(SENDER, RECIPIENT, RELAY, OWN, connect_seconds=0.5, reply_seconds=10.0)
NO_CONTROL = Egress(None, 25, None, 0.5, 0.5)

NOT_ANONYMOUS = "530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM"


def door(port: int, address: str = "127.0.0.1") -> Door:
    doors, unresolved = find_doors([address], port, "any", 1.0)
    assert not unresolved
    return doors[0]


def look(
    street: Street, answers: t.Mapping[str, Answer], question: Question = QUESTION, **others: t.Any
) -> Look:
    return look_at(door(street.server(answers, **others).port), question, NO_CONTROL)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
