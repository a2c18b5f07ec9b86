# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What drift costs on many sites, beside as many ansible.builtin.raw over the same connection.

All sites are one server of the lab under many names, which answers what it has answered before, so
that Ansible's own price is what is measured. They are in order, have no firewall, and nobody looks
from outside: what most sites cost in most nights. 100 sites as a rule. `MAILEDGE_SCALE="100 300"
make bench` takes other numbers, and shows how memory grows. Fails where a count is not as promised;
seconds, ratios and memory are printed, and judged by whoever reads them. The goal is a ratio of
0.8. The clock also tells how busy the machine is with other things; the processor time, of Ansible
and all of its workers, hardly does.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from dataclasses import dataclass

import yaml

from ansible_collections.mailedge.lockdown.tests.lab.control import LabClient
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import environment, play
from ansible_collections.mailedge.lockdown.tests.lab.runner import Machine
from ansible_collections.mailedge.lockdown.tests.lab.site import Site

HOST = "birke-ex1"
FORKS = 20
NO_LOOK = {"mailedge_probe_targets": ""}
RAW = [
    {
        "name": "The floor",
        "hosts": "mailedge",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.raw": "hostname"}],
    }
]
_RECAP = re.compile(r"^(site\d+)\s+: ok=(\d+) .*failed=(\d+)\s+skipped=(\d+)", re.MULTILINE)
_Run = t.Callable[[str, bytes, bool, threading.Event], tuple[int, bytes, bytes]]


def without_thinking(run: _Run, machine: Machine) -> _Run:
    """The machine's `run`, which gives what it gave before, and a word to other commands."""
    lock = threading.Lock()
    given: dict[bytes, tuple[int, bytes, bytes]] = {}

    def quick(
        text: str, stdin: bytes, is_script: bool, cancelled: threading.Event
    ) -> tuple[int, bytes, bytes]:
        with lock:
            if stdin and stdin not in given:
                given[stdin] = run(text, stdin, is_script, cancelled)
            else:
                machine.host.counters["powershell_starts"] += 1
        return given[stdin] if stdin else (0, b"EX1\r\n", b"")

    return quick


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds, processor time, MiB of the largest process, and counts."""

    seconds: float
    processor: float
    memory: float
    starts: int
    requests: int
    tasks: frozenset[int]


def inventory_of(lab: Lab, count: int) -> dict[str, t.Any]:
    """So many sites, each of which is the lab's one server."""
    data = yaml.safe_load(lab.inventory.read_text(encoding="utf-8"))["mailedge"]
    group = data["children"]["birke"]
    shared = {**data["vars"], **group["vars"], **group["hosts"][HOST], **NO_LOOK}
    hosts = {f"site{number:04}": {"mailedge_site": f"site{number:04}"} for number in range(count)}
    return {"mailedge": {"vars": shared, "hosts": hosts}}


def measured(target: str, folder: pathlib.Path, client: LabClient) -> Cost:
    """What a playbook costs on the inventory in `folder`."""
    configuration = folder / "ansible.cfg"
    configuration.touch()
    env = environment(ANSIBLE_CONFIG=str(configuration))
    # The one that records results for tests would be measured too.
    del env["ANSIBLE_CALLBACKS_ENABLED"]
    client.reset_counters(HOST)
    command = ["-m", "ansible", "playbook", "-i", "inventory.yml", "--forks", str(FORKS), target]
    begun = time.monotonic()
    with open(folder / "output", "w+b") as output:
        process = subprocess.Popen(
            [sys.executable, *command], env=env, cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
        # Not wait(): this one says what the process and its workers have used.
        _pid, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begun
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if process.returncode:
        raise SystemExit(text[-5000:])
    counted = client.counters(HOST)
    recap = {
        host: int(ok) + int(failed) + int(skipped)
        for host, ok, failed, skipped in _RECAP.findall(text)
    }
    # The first host also has what is done once for all of them.
    return Cost(
        seconds,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / 1024,
        counted["powershell_starts"],
        counted["http_requests"],
        frozenset(sorted(recap.values())[:-1]),
    )


def main() -> int:
    """Print a table; give 1 where a promise is broken."""
    sizes = [
        int(text) for text in (sys.argv[1:] or os.environ.get("MAILEDGE_SCALE", "100").split())
    ]
    broken = False
    print(
        f"{'run':24}{'seconds':>9}{'CPU s':>8}{'MiB':>6}{'starts':>8}{'posts':>8}"
        f"{'tasks a host':>14}{'raw / drift: clock':>20}{'CPU':>6}"
    )
    with Lab([Site("birke", ("2016",))], pwsh="") as lab, tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run = play("apply", lab.inventory, variables=NO_LOOK)
        if run.code:
            raise SystemExit(run.output)
        machine = lab.hosts[HOST].machine
        machine.run = without_thinking(machine.run, machine)  # type: ignore[method-assign,assignment]
        (folder / "raw.yml").write_text(json.dumps(RAW), encoding="utf-8")
        for size in sizes:
            (folder / "inventory.yml").write_text(
                yaml.safe_dump(inventory_of(lab, size)), encoding="utf-8"
            )
            raw = measured("raw.yml", folder, lab.client())
            drift = measured("mailedge.lockdown.drift", folder, lab.client())
            _line(f"raw on {size} hosts", raw)
            _line(f"drift of {size} sites", drift, raw)
            broken |= (raw.starts, drift.starts) != (size, size)
            broken |= drift.tasks != {1}
            # pywinrm: shell, command, send, receive, signal, delete; where the process has not
            # ended yet when its output is fetched, another receive.
            broken |= drift.requests > 7 * size
    if broken:
        print("A promise about the cost of a run on many hosts is broken.", file=sys.stderr)
    return int(broken)


def _line(name: str, cost: Cost, floor: Cost | None = None) -> None:
    tasks = "/".join(map(str, sorted(cost.tasks)))
    text = (
        f"{name:24}{cost.seconds:9.1f}{cost.processor:8.1f}{cost.memory:6.0f}"
        f"{cost.starts:8}{cost.requests:8}{tasks:>14}"
    )
    if floor:
        by_clock, by_processor = (
            floor.seconds / cost.seconds,
            floor.processor / cost.processor,
        )
        text += f"{by_clock:20.2f}{by_processor:6.2f}"
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
