# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hub of many networks with thousands of policies, some of which let everything through between
two networks.
"""

from __future__ import annotations

import itertools

from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import POLICY, Device

NETWORKS = 40


def network(number: int) -> str:
    """The interface of a network."""
    return f"vlan{number + 1}"


def make_hub(device: Device, policies: int = 1000, wide: int = 200) -> None:
    """The mail site of the lab, its server in the first of many networks, and so many policies.

    `wide` of them let everything through between two networks; the rest are for one service of one
    server. The virtual IP is for any interface, so that those into the first network lead to it.
    """
    config = device.configs["root"]
    device.interfaces += [network(number) for number in range(NETWORKS)]
    device.routing.connected = [
        (f"10.20.{number + 1}.0/24", network(number)) for number in range(NETWORKS)
    ]
    device.seed_mail_site()
    for row in config.all("firewall/vip").values():
        row["extintf"] = "any"
    for row in config.all(POLICY).values():
        row["dstintf"] = [network(0) if name == "internal" else name for name in row["dstintf"]]
    for number in range(NETWORKS):
        config.create(
            "firewall/address", {"name": f"srv{number + 1}", "subnet": f"10.20.{number + 1}.80/32"}
        )
    pairs = list(itertools.permutations(range(NETWORKS), 2))
    # Spread over the device, as they come to be over the years.
    step = max(1, (policies - 3) // wide)
    for number in range(policies - 3):
        pair_first, right = (
            pairs[(number // step) * 7 % len(pairs)]
            if number % step == 0
            else pairs[number % len(pairs)]
        )
        row = {
            "name": f"rule {number}",
            "action": "accept",
            "srcintf": [{"name": network(pair_first)}],
            "dstintf": [{"name": network(right)}],
            "srcaddr": [{"name": "all"}],
            "dstaddr": [{"name": f"srv{right + 1}"}],
            "service": [{"name": "HTTPS"}],
        }
        if number % step == 0 and number // step < wide:
            row.update(dstaddr=[{"name": "all"}], service=[{"name": "ALL"}])
        config.create(POLICY, row)


def into_the_first(device: Device) -> set[int]:
    """The policies that lead into the network of the server."""
    rows = device.configs["root"].all(POLICY)
    return {int(key) for key, row in rows.items() if network(0) in row["dstintf"]}
