# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs on one FortiGate, one between two requests of the other; packets judge."""

from __future__ import annotations

import random

import pytest

from ansible_collections.mailedge.lockdown.tests.machine.firewall import (
    PROVIDER,
    STRANGER,
    Pair,
    check,
    ends,
    lock,
    story,
    way_out,
)
from ansible_collections.mailedge.lockdown.tests.machine.searching import MORE
from ansible_collections.mailedge.lockdown.tests.support.marking import long_after

PAIRS = {
    "the same lock": Pair(lock(), lock()),
    "locks of two servers": Pair(lock("birke"), lock("hafen", "VIP-mail-b")),
    "the way in and the way out": Pair(lock(), way_out()),
}


@pytest.mark.parametrize("version", ["v7.4.4", "v6.2.9"] if MORE else ["v7.4.4"])
@pytest.mark.parametrize("name", long_after(1, PAIRS))
def test_a_whole_run_between_any_two_requests_of_another(name: str, version: str) -> None:
    pair = PAIRS[name]
    known = ends(pair, version)
    for number in range(0, known["a"].events.count("a") + 1, 1 if MORE else 2):
        check(pair, known, "a" * number + "b" * 200, version)
        if MORE:
            check(pair, known, "b" * number + "a" * 200, version)


def test_two_slices_of_one_site_twenty_times() -> None:
    """Never is a lock gone behind a green job, however the requests of two jobs mix."""
    pair = PAIRS["the same lock"]
    chance = random.Random("two slices")
    for _number in range(max(20, MORE)):
        end = story(pair, "".join(chance.choices("ab", k=60)))
        assert end.green, "each has stopped the other"
        for place in ("VIP-mail",):
            assert not end.packets[STRANGER, place], f"{end.events}: open behind a green job"
            assert end.packets[PROVIDER, place], f"{end.events}: the provider is shut out"
