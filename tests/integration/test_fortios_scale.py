# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan costs grows with the policies, and not with their square; `make bench` has the
seconds. Counted in calls of functions, which do not depend on what else the machine does.
"""

from __future__ import annotations

import cProfile
import pathlib
import pstats
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import fortios_inbound_lock
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    LOCK,
    POLICY,
    Firewall,
    touched,
)
from ansible_collections.mailedge.lockdown.tests.support.hub import make_hub

WIDE = 40


def calls(wide: int, tmp_path: pathlib.Path, *, anywhere: bool, options: dict[str, t.Any]) -> int:
    """Of the check of a lock, where the device does not tell the way to the server and every wide
    policy gets a fence. `anywhere`: all wide policies are from any interface.
    """
    with FortiGateServer(Device()) as server:
        make_hub(server.device, 5 * wide, wide)
        if anywhere:
            for row in server.device.configs["root"].all(POLICY).values():
                if row["dstaddr"] == ["all"]:
                    row["srcintf"] = ["any"]
        server.arm(gone=("router/lookup", "router/ipv4"))
        firewall = Firewall(server, tmp_path)
        profile = cProfile.Profile()
        with firewall.without_network():
            profile.enable()
            result = firewall.done(fortios_inbound_lock, **options, check=True)
            profile.disable()
        assert len(touched(result)) > wide / 2
        return t.cast("int", t.cast("t.Any", pstats.Stats(profile)).total_calls)


@pytest.mark.long
@pytest.mark.parametrize("anywhere", [False, True], ids=["between two networks", "from any"])
@pytest.mark.parametrize(
    "options",
    [LOCK, {**LOCK, "vips": [], "addresses": ["10.20.1.77"]}],
    ids=["virtual IP", "address"],
)
def test_twice_the_policies_cost_little_more_than_twice(
    tmp_path: pathlib.Path, anywhere: bool, options: dict[str, t.Any]
) -> None:
    few = calls(WIDE, tmp_path, anywhere=anywhere, options=options)
    many = calls(2 * WIDE, tmp_path, anywhere=anywhere, options=options)
    assert many / few < 2.1
