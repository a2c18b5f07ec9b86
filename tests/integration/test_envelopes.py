# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests against the size that WinRM takes at once, 150 KB on Windows Server 2008 R2."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import module, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site

HOST = "birke-ex1"


def ranges(count: int) -> list[str]:
    """So many networks that are nowhere near each other, as IPv6 because the examples of IPv4 are
    few.
    """
    chance = random.Random(count)
    numbers = chance.sample(range(1 << 32), count)
    return [f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::/64" for number in numbers]


def lock(count: int) -> dict[str, object]:
    return {
        "provider_ranges": ["198.51.100.0/24", *ranges(count)],
        "own_networks": ["10.20.0.0/16"],
        "inbound_lock": {},
    }


def result_of(count: int, connection: str, max_envelope_kb: int = 0) -> dict[str, t.Any]:
    """What a lock gives on a server that was set up with Windows Server 2008 R2."""
    with Lab([Site("birke", ("2010",))], pwsh="") as lab:
        assert lab.hosts[HOST].winrm.max_envelope_kb == 150
        if max_envelope_kb:
            lab.hosts[HOST].winrm.max_envelope_kb = max_envelope_kb
        task = module("exchange_mail_flow", HOST, lock(count))
        run = play(task, lab.inventory, variables={"lab_connection": connection}, timeout=300)
        result: dict[str, t.Any] = run.tasks[-1].result
        return result


@pytest.mark.core
@pytest.mark.parametrize(
    ("count", "connection"),
    [(2700, "winrm"), (2700, "psrp"), pytest.param(10_000, "winrm", marks=pytest.mark.long)],
)
def test_a_lock_with_many_ranges_goes_through_at_windows_server_2008_r2(
    count: int, connection: str
) -> None:
    """As IPv6 that nothing makes shorter, 10,000 are more than an envelope, however packed."""
    result = result_of(count, connection)
    assert not result.get("failed"), result["msg"][:2000]
    assert result["changed"]


def test_a_server_that_takes_less_is_told_which_setting_to_raise() -> None:
    result = result_of(2700, "winrm", max_envelope_kb=32)
    assert result["unreachable"]
    assert "MaxEnvelopeSizekb" in result["msg"]
