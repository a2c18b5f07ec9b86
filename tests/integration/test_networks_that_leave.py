# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network that the site names no more is taken out of the narrow connectors of a lock, and one
that it names since gets what the others have or is told, whatever somebody has tidied up.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.in_process import (
    COLLEAGUE,
    INBOUND,
    Wire,
    do,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost

OWN = "Mail from filter (own networks)"
BRANCH = "10.30.0.0/16"
MORE: dict[str, t.Any] = {**INBOUND, "own_networks": [*INBOUND["own_networks"], BRANCH]}


def _write_another_comment(host: ExchangeHost, _source: str) -> None:
    host.colleague("Set-ReceiveConnector", {"Identity": f"EX1\\{OWN}", "Comment": "The LAN"})


def _rename_the_old_door(host: ExchangeHost, source: str) -> None:
    host.colleague("Set-ReceiveConnector", {"Identity": f"EX1\\{source}", "Name": "Old door"})


def _remove_the_old_door(host: ExchangeHost, source: str) -> None:
    host.colleague("Remove-ReceiveConnector", {"Identity": f"EX1\\{source}"})


tidied = pytest.mark.parametrize(
    "tidy", [_write_another_comment, _rename_the_old_door, _remove_the_old_door]
)
editions = pytest.mark.parametrize(
    ("edition", "method", "source"),
    [
        ("2019", "auto", "Default Frontend EX1"),
        ("2019", "disable", "Default Frontend EX1"),
        ("2010", "disable", "Default EX1"),
    ],
)


@tidied
@editions
def test_it_is_taken_out_though_the_old_door_is_gone_or_the_comment_is_another(
    edition: str,
    method: str,
    source: str,
    tidy: t.Callable[[ExchangeHost, str], None],
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site(edition, folder=tmp_path)
    wire = Wire(host)
    lock = {"inbound_lock": {"method": method}, "accept_risks": ["exchange_servers_shut_out"]}
    done = do(wire, {**MORE, **lock})
    assert not done.get("failed"), done["msg"]
    assert host.admission("10.30.0.5").submit
    tidy(host, source)
    fewer = {**INBOUND, **lock}
    seen = do(wire, fewer, check=True)
    assert f"Change the receive connector '{OWN}': remote_ip_ranges loses {BRANCH}." in seen["plan"]
    assert seen["state"] == "drift"
    done = do(wire, fewer)
    assert not done.get("failed"), done["msg"]
    assert not host.admission("10.30.0.5").submit
    assert host.admission(COLLEAGUE).submit
    assert host.admission("127.0.0.1").submit
    again = do(wire, fewer)
    assert (again["changed"], again["state"]) == (False, "in order")


@tidied
@editions
def test_one_that_is_named_since_and_gets_nothing_is_told(
    edition: str,
    method: str,
    source: str,
    tidy: t.Callable[[ExchangeHost, str], None],
    tmp_path: pathlib.Path,
) -> None:
    """What it would have had before the lock can be told no more."""
    host = defaults.site(edition, folder=tmp_path)
    wire = Wire(host)
    lock = {"inbound_lock": {"method": method}, "accept_risks": ["exchange_servers_shut_out"]}
    done = do(wire, {**INBOUND, **lock})
    assert not done.get("failed"), done["msg"]
    assert "own_networks_refused" not in {guard["id"] for guard in done["guards"]}
    tidy(host, source)
    done = do(wire, {**MORE, **lock})
    assert not done.get("failed"), done["msg"]
    [told] = [guard for guard in done["guards"] if guard["id"] == "own_networks_refused"]
    assert BRANCH in told["sentence"]
    assert f"add them to the ranges of '{OWN}'" in told["sentence"]
    (ranges,) = (
        connector.values["RemoteIPRanges"]
        for connector in host.receive_connectors()
        if connector.name == OWN
    )
    host.colleague(
        "Set-ReceiveConnector",
        {
            "Identity": f"EX1\\{OWN}",
            "RemoteIPRanges": [*(held.expression for held in ranges), BRANCH],
        },
    )
    assert host.admission("10.30.0.5").submit
    again = do(wire, {**MORE, **lock})
    assert (again["changed"], again["state"]) == (False, "in order")
    assert "own_networks_refused" not in {guard["id"] for guard in again["guards"]}


@tidied
def test_the_site_gives_it_time_and_is_told_whatever_was_tidied_up(
    tidy: t.Callable[[ExchangeHost, str], None], tmp_path: pathlib.Path
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    wire = Wire(host)
    assert not do(wire, MORE).get("failed")
    tidy(host, "Default Frontend EX1")
    waiting = do(wire, {**INBOUND, "inbound_lock": {"keep_unnamed_until": "2999-12-31"}})
    assert (waiting["changed"], waiting["state"]) == (False, "in order")
    [told] = [guard for guard in waiting["guards"] if guard["id"] == "no_longer_named"]
    assert f"still hears {BRANCH}" in told["sentence"]
