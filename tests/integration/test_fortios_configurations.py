# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole configurations of the kinds that public ones are of, read from their text: the model and
the packets agree, and a lock touches only the policies that lead to the server.
"""

from __future__ import annotations

import pathlib
import typing as t
from dataclasses import dataclass

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_info,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate import cli
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Firewall, touched

FOLDER = pathlib.Path(cli.__file__).parent / "configurations"
PROVIDERS, OWN, STRANGERS = (
    ("198.51.100.7",),
    ("10.20.5.5", "10.30.0.9"),
    ("192.0.2.77", "203.0.113.200"),
)
SOURCES = (*PROVIDERS, *OWN, *STRANGERS)
RANGES = {"ranges": ["198.51.100.0/24"], "own_networks": ["10.20.0.0/16", "10.30.0.0/16"]}


@dataclass(frozen=True)
class Kind:
    """A configuration: its virtual IPs for mail, other doors, and the policies that lead to the
    server. `doors`: virtual IP → address outside.
    """

    name: str
    doors: t.Mapping[str, str]
    others: t.Sequence[tuple[str, int]]
    leading: frozenset[int]


KINDS = (
    Kind(
        "sdwan",
        {"VIP-mail": "203.0.113.80"},
        [("203.0.113.80", 443), ("10.30.0.9", 25)],
        frozenset({2}),
    ),
    Kind(
        "two_isps",
        {"mail-1": "203.0.113.80", "mail-2": "192.0.2.140"},
        [("203.0.113.80", 443), ("192.0.2.66", 25), ("10.20.5.9", 25), ("10.20.1.11", 25)],
        frozenset({10, 11}),
    ),
    Kind(
        "hub",
        {"VIP-mail": "203.0.113.80"},
        [("203.0.113.80", 443), ("10.20.3.10", 25), ("10.20.4.7", 25), ("192.0.2.66", 25)],
        frozenset({1, 4, 20}),
    ),
    Kind(
        "virtual_server",
        {"VIP-mail": "203.0.113.80"},
        [("203.0.113.80", 443), ("10.20.2.21", 25), ("10.20.1.11", 443), ("192.0.2.66", 25)],
        frozenset({1}),
    ),
)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def site(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path
) -> t.Iterator[tuple[Kind, Firewall]]:
    kind: Kind = request.param
    with FortiGateServer(Device()) as server:
        cli.load(server.device, (FOLDER / f"{kind.name}.conf").read_text(encoding="utf-8"))
        yield kind, Firewall(server, tmp_path / "snapshots")


def passing(device: Device, doors: t.Iterable[tuple[str, int]]) -> set[tuple[str, str, str, int]]:
    """Which packets get through, by source, interface and door."""
    return {
        (source, interface, *door)
        for source in SOURCES
        for interface in device.interfaces
        for door in doors
        if device.admits(source, *door, interface)
    }


def test_model_and_packets_agree_and_only_what_leads_there_is_touched(
    site: tuple[Kind, Firewall],
) -> None:
    kind, firewall = site
    device = firewall.device
    before, mail = firewall.dump(), [(address, 25) for address in kind.doors.values()]
    agree(kind, firewall)
    others = passing(device, kind.others)
    assert any(source in STRANGERS for source, _interface, _door, _port in passing(device, mail))
    lock = {"name": "birke", "vips": list(kind.doors), **RANGES}
    result = firewall.done(fortios_inbound_lock, **lock)
    assert touched(result) == kind.leading
    assert result["guards"] == []
    assert passing(device, kind.others) == others
    through = passing(device, mail)
    assert not [packet for packet in through if packet[0] in STRANGERS]
    assert {packet[2] for packet in through if packet[0] in PROVIDERS} == set(kind.doors.values())
    agree(kind, firewall)
    again = firewall.done(fortios_inbound_lock, **lock)
    assert (again["changed"], again["state"]) == (False, "in order")
    firewall.done(fortios_rollback)
    assert firewall.dump() == before


def agree(kind: Kind, firewall: Firewall) -> None:
    """The model says of each source what the packets do, by whatever interface they come."""
    told = firewall.done(fortios_info, vips=list(kind.doors), sources=list(SOURCES))["sources"]
    packets = passing(firewall.device, [(address, 25) for address in kind.doors.values()])
    for vip, address in kind.doors.items():
        answers = {answer["source"]: answer for answer in told if f"'{vip}'" in answer["target"]}
        assert {source for source, answer in answers.items() if answer["passes"]} == {
            source for source, _interface, place, _port in packets if place == address
        }
        assert all(answer["certain"] for answer in answers.values())


def test_the_text_comes_out_as_it_went_in(site: tuple[Kind, Firewall]) -> None:
    _kind, firewall = site
    text = cli.show(firewall.device)
    other = Device()
    other.interfaces, other.zones, other.sdwan = (
        firewall.device.interfaces,
        firewall.device.zones,
        firewall.device.sdwan,
    )
    cli.load(other, text)
    assert cli.show(other) == text
    assert [list(rows) for rows in other.configs["root"].rows.values()]
    assert other.configs["root"].rows == firewall.device.configs["root"].rows
