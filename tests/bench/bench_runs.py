# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run costs: PowerShell starts, Exchange shells, HTTP posts, and time beside a playbook that asks no server anything.

The peer is that playbook, with one task of ansible.builtin.debug, in the same run of this program: what Ansible costs without us. The lab is
about as slow as a real server: 0.6 s to start a PowerShell, 2 s to open the Exchange shell. Fails where a count is not as promised, or where
a run with nothing to do takes longer than these two and twice the peer.
"""

from __future__ import annotations

import statistics
import sys
import time
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import module, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site

HOST = "birke-ex1"
RUNS = 3
START, SHELL = 0.6, 2.0
LOCK: dict[str, t.Any] = {
    "provider_ranges": "{{ mailedge_provider_ranges }}",
    "own_networks": "{{ mailedge_own_networks }}",
    "exchange_servers": "{{ mailedge_exchange_servers }}",
    "inbound_lock": {},
}
EMPTY = [{"hosts": "mailedge", "gather_facts": False, "tasks": [{"name": "Say", "ansible.builtin.debug": {}}]}]


def main() -> int:
    """Print a table; give 1 where a promise is broken."""
    with Lab([Site("birke", ("2016",))], pwsh="", start_seconds=START, shell_seconds=SHELL) as lab:
        client = lab.client()

        def timed(playbook: list[dict[str, t.Any]]) -> tuple[float, dict[str, int]]:
            client.ask("reset_counters", host=HOST)
            begun = time.monotonic()
            run = play(playbook, lab.inventory)
            if run.code:
                raise SystemExit(run.output)
            return time.monotonic() - begun, client.ask("counters", host=HOST)

        lock = module("exchange_mail_flow", "mailedge", LOCK)
        change_seconds, change = timed(lock)
        nothing = [timed(lock) for _run in range(RUNS)]
        peer = [timed(EMPTY)[0] for _run in range(RUNS)]
    nothing_seconds, peer_seconds = statistics.median(one for one, _counted in nothing), statistics.median(peer)
    print(f"{'run':24}{'starts':>8}{'shells':>8}{'posts':>8}{'seconds':>9}{'ratio to peer':>15}")
    for name, counted, seconds in (
        ("a change", change, change_seconds),
        ("nothing to do", nothing[0][1], nothing_seconds),
    ):
        numbers = [counted[key] for key in ("powershell_starts", "exchange_shells", "http_requests")]
        print(f"{name:24}{numbers[0]:8}{numbers[1]:8}{numbers[2]:8}{seconds:9.1f}{seconds / peer_seconds:15.2f}")
    print(f"{'peer: an empty playbook':24}{'':24}{peer_seconds:9.1f}{1.0:15.2f}")
    broken = [
        (change["powershell_starts"], change["exchange_shells"]) != (2, 2),
        any((counted["powershell_starts"], counted["exchange_shells"]) != (1, 1) for _seconds, counted in nothing),
        any(counted["writes"] for _seconds, counted in nothing),
        nothing_seconds > START + SHELL + 2 * peer_seconds,
    ]
    if any(broken):
        print("A promise about the cost of a run is broken.", file=sys.stderr)
    return int(any(broken))


if __name__ == "__main__":
    sys.exit(main())
