# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who sent by a right that no lock can copy keeps it by one of its own: inherited, or given with
all rights at once.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.in_process import (
    COLLEAGUE,
    INBOUND,
    PROVIDER,
    STRANGER,
    Wire,
    do,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults, rights
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import ALL, FULL, Ace

FRONTEND = "Default Frontend EX1"
MECHANISMS = ["Tls", "Tls, ExternalAuthoritative"]


@pytest.mark.parametrize("mechanisms", MECHANISMS)
@pytest.mark.parametrize("groups", ["ExchangeServers", "ExchangeServers, AnonymousUsers"])
@pytest.mark.parametrize(
    ("what", "where"),
    [
        (ALL, "rights"),
        (FULL, "rights"),
        (rights.SUBMIT, "inherited"),
        (rights.SUBMIT, "rights"),
        (ALL, "inherited"),
    ],
)
def test_the_own_networks_send_and_relay_as_before_and_the_next_run_changes_nothing(
    what: str, where: str, groups: str, mechanisms: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    identity = f"EX1\\{FRONTEND}"
    values = {"PermissionGroups": groups, "AuthMechanism": mechanisms, "DomainSecureEnabled": False}
    host.colleague("Set-ReceiveConnector", {"Identity": identity, **values})
    [wide] = [connector for connector in host.receive_connectors() if connector.name == FRONTEND]
    setattr(wide, where, (*getattr(wide, where), Ace("Everyone", what)))
    before = [_door(host, sender) for sender in (COLLEAGUE, "127.0.0.1")]
    assert before[0][0]
    assert _door(host, STRANGER) == before[0]
    wire = Wire(host)
    lock: dict[str, t.Any] = {**INBOUND, "inbound_lock": {"method": "disable"}}
    done = do(wire, lock)
    assert not done.get("failed"), done["msg"]
    assert [_door(host, sender) for sender in (COLLEAGUE, "127.0.0.1")] == before
    assert (_door(host, PROVIDER), _door(host, STRANGER)) == ((True, False), (False, False))
    again = do(wire, lock)
    assert (again["changed"], again["plan"]) == (False, [])


def _door(host: t.Any, sender: str) -> tuple[bool, bool]:
    door = host.admission(sender)
    return door.submit, door.relays
