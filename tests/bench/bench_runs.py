# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run costs: PowerShell starts, Exchange shells, HTTP posts and seconds, beside the same
work as one task per object.

The peer does the same changes in the same run of this program, with one task of
exchange_receive_connector for each connector that the lock touches, as a playbook of modules for
single objects would. The lab is as slow as a real server: 0.6 s to start a PowerShell, 8 s to open
the Exchange shell. Fails where a count is not as promised; seconds and ratios are printed, and
judged by whoever reads them.
"""

from __future__ import annotations

import sys
import time
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import module, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site
from ansible_collections.mailedge.lockdown.tests.support.reading import read

HOST = "birke-ex1"
START, SHELL = 0.6, 8.0
COUNTED = ("powershell_starts", "exchange_shells", "http_requests", "writes")
LOCK: dict[str, t.Any] = {
    "provider_ranges": "{{ mailedge_provider_ranges }}",
    "own_networks": "{{ mailedge_own_networks }}",
    "exchange_servers": "{{ mailedge_exchange_servers }}",
    "inbound_lock": {},
}
Playbook = list[dict[str, t.Any]]
Cost = tuple[float, dict[str, int]]


def connectors(lab: Lab) -> dict[str, dict[str, t.Any]]:
    """The receive connectors by name, as a user writes them."""
    held = read(lab.hosts[HOST].exchange).receive.values()
    return {connector["name"]: RECEIVE.show(connector) for connector in held}


def one_by_one(before: dict[str, dict[str, t.Any]], after: dict[str, dict[str, t.Any]]) -> Playbook:
    """A playbook that makes `after` of `before`, with one task for each connector that differs; new
    ones first, as is safe.
    """
    tasks = []
    for name in sorted(after, key=lambda name: (name in before, name)):
        differs = {
            key: value
            for key, value in after[name].items()
            if before.get(name, {}).get(key) != value
        }
        if differs:
            wish = {
                **differs,
                "name": name,
                "accept_risks": [
                    "still_open",
                    "provider_shut_out",
                    "own_networks_shut_out",
                    "exchange_servers_shut_out",
                ],
            }
            tasks.append(
                {"name": f"Set {name}", "mailedge.lockdown.exchange_receive_connector": wish}
            )
    return [{"name": "One task per object", "hosts": HOST, "gather_facts": False, "tasks": tasks}]


def main() -> int:
    """Print a table; give 1 where a promise is broken."""
    with Lab([Site("birke", ("2016",))], pwsh="", start_seconds=START, shell_seconds=SHELL) as lab:
        client = lab.client()

        def timed(playbook: Playbook) -> Cost:
            client.reset_counters(HOST)
            begun = time.monotonic()
            run = play(playbook, lab.inventory)
            seconds = time.monotonic() - begun
            if run.code:
                raise SystemExit(run.output)
            return seconds, client.counters(HOST)

        start = connectors(lab)
        lock = module("exchange_mail_flow", HOST, LOCK)
        costs = {"a change": timed(lock), "nothing to do": timed(lock)}
        locked = connectors(lab)
        timed(module("exchange_mail_flow", HOST, {"snapshot": "latest"}))
        if connectors(lab) != start:
            raise SystemExit("The rollback has not given back the start.")
        single = one_by_one(start, locked)
        peers = {"a change": timed(single), "nothing to do": timed(single)}
        if connectors(lab) != locked:
            raise SystemExit("The peer has not done the same work.")
    objects = len(single[0]["tasks"])
    print(
        f"{'run':42}{'starts':>8}{'shells':>8}{'posts':>8}{'writes':>8}{'seconds':>9}{'ratio':>7}"
    )
    for name, (seconds, counted) in costs.items():
        peer_seconds, peer_counted = peers[name]
        _line(name, seconds, counted, seconds / peer_seconds)
        _line(f"  peer: one task per object, {objects} objects", peer_seconds, peer_counted, 1.0)
    broken = [
        [costs["a change"][1][key] for key in COUNTED[:2]] != [2, 2],
        [costs["nothing to do"][1][key] for key in COUNTED[:2]] != [1, 1],
        costs["nothing to do"][1]["writes"] != 0,
        objects < 2,
        # A lock in one transaction opens the shell twice, whatever it changes; one task for each
        # object does so for each.
        *(costs[name][1]["exchange_shells"] >= peers[name][1]["exchange_shells"] for name in costs),
    ]
    if any(broken):
        print("A promise about the cost of a run is broken.", file=sys.stderr)
    return int(any(broken))


def _line(name: str, seconds: float, counted: dict[str, int], ratio: float) -> None:
    numbers = "".join(f"{counted[key]:8}" for key in COUNTED)
    print(f"{name:42}{numbers}{seconds:9.1f}{ratio:7.2f}")


if __name__ == "__main__":
    sys.exit(main())
