# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a set of ranges costs at a FortiGate, beside the vendor's collection doing the same on the
same device in the same run.

40 addresses and a group by fortios_address_group, in one task, and by fortinet.fortios, one task
for each object as it is used. Seconds are net of a playbook whose task does nothing (ping). Seconds
and ratios are printed, and judged by whoever reads them: a time depends on what else the machine
does. Fails where a count is not as promised: at most 5 requests where nothing is to be done,
whatever the size, and everything there afterwards. Without MAILEDGE_PEER_PYTHON (see `make peer`)
the comparison is left out.
"""

from __future__ import annotations

import ipaddress
import json
import os
import pathlib
import sys
import tempfile
import time
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.lab.playing import play

OBJECTS, MANY = 40, 10_000
# Of the peer, which takes more than a second for each.
FEW = 10
# Three tables, and two that say whether a change would stay.
REQUESTS = 5
Playbook = list[dict[str, t.Any]]


def addresses(count: int) -> list[str]:
    """So many addresses that cannot be joined to a wider range."""
    first = int(ipaddress.IPv4Address("198.18.0.0"))
    return [str(ipaddress.IPv4Address(first + 2 * number)) for number in range(count)]


def inventory(server: FortiGateServer, folder: str) -> pathlib.Path:
    """One host for each of both: ours runs the module on this machine, the vendor's connects to the
    device.
    """
    vendor = {
        "ansible_connection": "ansible.netcommon.httpapi",
        "ansible_network_os": "fortinet.fortios.fortios",
        "ansible_host": "127.0.0.1",
        "ansible_httpapi_port": server.port,
        "ansible_httpapi_use_ssl": True,
        "ansible_httpapi_validate_certs": False,
    }
    ours = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    path = pathlib.Path(folder, "hosts.yml")
    path.write_text(
        json.dumps({"all": {"hosts": {"ours": ours, "vendor": vendor}}}), encoding="utf-8"
    )
    return path


def book(host: str, *tasks: dict[str, t.Any]) -> Playbook:
    """A playbook of these tasks."""
    return [{"name": "Bench", "hosts": host, "gather_facts": False, "tasks": list(tasks)}]


def our_task(
    server: FortiGateServer, folder: str, ranges: t.Sequence[str], name: str = "ours"
) -> dict[str, t.Any]:
    """All of it in one task."""
    return {
        "name": "Ranges",
        "mailedge.lockdown.fortios_address_group": {
            "host": "127.0.0.1",
            "api_port": server.port,
            "token": server.token,
            "ca_path": str(server.ca_path),
            "snapshot_folder": folder,
            "name": name,
            "ranges": list(ranges),
        },
    }


def vendor_tasks(server: FortiGateServer, ranges: t.Sequence[str]) -> list[dict[str, t.Any]]:
    """One object at a time."""
    shared = {"vdom": "root", "access_token": server.token, "state": "present"}
    each = {"name": "vendor-{{ item }}", "subnet": "{{ item }} 255.255.255.255"}
    group = {"name": "vendor", "member": [{"name": f"vendor-{text}"} for text in ranges]}
    return [
        {
            "name": "Addresses",
            "fortinet.fortios.fortios_firewall_address": {**shared, "firewall_address": each},
            "loop": list(ranges),
        },
        {
            "name": "Group",
            "fortinet.fortios.fortios_firewall_addrgrp": {**shared, "firewall_addrgrp": group},
        },
    ]


class DidNotRun(Exception):
    """A playbook ended otherwise than well; the end of what it said."""


def main() -> int:
    """Print a table; give 1 where a promise is broken."""
    peer = os.environ.get("MAILEDGE_PEER_PYTHON", "")
    broken: list[str] = []
    print(f"{'run':52}{'requests':>9}{'seconds':>9}{'ms/object':>11}{'ratio':>8}")
    with FortiGateServer(Device()) as server, tempfile.TemporaryDirectory() as folder:
        hosts = inventory(server, folder)

        def timed(playbook: Playbook, python: str = sys.executable) -> float:
            server.reset_counters()
            begun = time.monotonic()
            run = play(playbook, hosts, python=python, timeout=900)
            if run.code:
                raise DidNotRun(run.output[-4000:])
            return time.monotonic() - begun

        def compared() -> None:
            few = addresses(FEW)
            net = timed(book("vendor", *vendor_tasks(server, few)), peer)
            requests = server.requests
            net -= timed(empty, peer)
            theirs = net / (FEW + 1)
            task = f"  peer: fortinet.fortios, {FEW} addresses, a task for each"
            times = f"{net:9.2f}{1000 * theirs:11.1f}{theirs / ours:8.0f}"
            print(f"{task:52}{requests:>9}{times}")
            members = server.device.rows("root", "firewall/addrgrp")["vendor"]["member"]
            if len(members) != FEW:
                broken.append(f"{FEW} addresses in the vendor's group")

        empty = book("ours", {"name": "Nothing", "ansible.builtin.ping": {}})
        ranges = addresses(OBJECTS)
        # The best of three of what takes less than a second, so that the machine's other work
        # counts little.
        runs = [
            (timed(book("ours", our_task(server, folder, ranges, name))), server.requests)
            for name in ("a", "b", "c")
        ]
        seconds, requests = min(runs)
        nothing = min(timed(empty) for _time in range(3))
        net = max(seconds - nothing, 0.01)
        ours = net / (OBJECTS + 1)
        task = f"{OBJECTS} addresses and a group, one task"
        print(f"{task:52}{requests:>9}{net:9.2f}{1000 * ours:11.1f}")
        if peer:
            try:
                compared()
            except DidNotRun as reason:
                # Its connections are processes of their own, which may not start in time on a busy
                # machine. That says nothing of ours.
                print(f"  peer: left out, it did not run to its end: ...{str(reason)[-300:]}")
        else:
            print("  peer: left out, MAILEDGE_PEER_PYTHON is not set (make peer)")
        for count, name in ((OBJECTS, "a"), (MANY, "many")):
            ranges = addresses(count)
            if count == MANY:
                seconds = timed(book("ours", our_task(server, folder, ranges, name)))
                task = f"{count} addresses and their groups, one task"
                times = f"{seconds:9.2f}{1000 * seconds / count:11.1f}"
                print(f"{task:52}{server.requests:>9}{times}")
            seconds = timed(book("ours", our_task(server, folder, ranges, name)))
            print(f"{f'  {count} of them, nothing to do':52}{server.requests:>9}{seconds:9.2f}")
            if server.requests > REQUESTS:
                broken.append(f"at most {REQUESTS} requests where nothing is to be done")
    for promise in broken:
        print(f"A promise is broken: {promise}.", file=sys.stderr)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
