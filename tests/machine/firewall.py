# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs on one FortiGate of the lab, one between two requests of the other."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
import typing as t
import unittest.mock

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_lease_end,
    fortios_outbound_lock,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import (
    FortiGateServer,
    Profile,
)
from ansible_collections.mailedge.lockdown.tests.machine.turns import Turns
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Firewall, Result

STRANGER, PROVIDER = "192.0.2.77", "198.51.100.7"
DOORS = {"VIP-mail": "203.0.113.80", "VIP-mail-b": "203.0.113.81"}
RANGES = ("198.51.100.0/24",)
EARLIER = "the snapshot of the run before"

Task = tuple[t.Any, dict[str, t.Any]]


def lock(name: str = "birke", vip: str = "VIP-mail", ranges: t.Sequence[str] = RANGES) -> Task:
    """The task of a way in."""
    return fortios_inbound_lock, {
        "name": name,
        "vips": [vip],
        "ranges": list(ranges),
        "own_networks": ["10.20.0.0/16"],
    }


def way_out() -> Task:
    """The task of a way out."""
    return fortios_outbound_lock, {
        "name": "birke",
        "mail_servers": ["10.20.1.11"],
        "smart_hosts": ["198.51.100.25"],
        "interfaces": ["wan1"],
    }


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two runs, and one that came before both."""

    first: Task
    second: Task
    before: Task | None = None


@dataclasses.dataclass
class End:
    """What two runs have told and left: the configuration, and which packets get through."""

    told: dict[str, Result]
    configuration: dict[str, t.Any]
    packets: dict[tuple[str, str], bool]
    events: str

    @property
    def green(self) -> str:
        """The runs that did not fail."""
        return "".join(sorted(name for name, result in self.told.items() if not result["failed"]))


def story(
    pair: Pair,
    schedule: str,
    only: str = "ab",
    version: str = "v7.4.4",
    *,
    undo: bool = False,
    unproven: str | None = None,
) -> End:
    """Both runs, or one of them, on a device as an installer leaves it.

    `undo`: each takes back what it did where it failed, as the playbook does. `unproven`: so does
    each of these runs, whose proof fails; all of them lease the device as the playbook does.
    """
    turns = Turns(schedule)
    with (
        FortiGateServer(Device(version=version)) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        server.device.seed_mail_site(external=DOORS["VIP-mail"])
        server.device.seed_mail_site(external=DOORS["VIP-mail-b"], mapped="10.20.1.12", name="b")
        firewall = Firewall(server, pathlib.Path(folder))
        earlier = ""
        if pair.before:
            earlier = firewall.done(pair.before[0], **pair.before[1])["snapshot"]["name"]
        server.tokens.update({f"token-{name}": Profile() for name in only})
        answer = server.answer

        def waiting(method: str, target: str, headers: t.Mapping[str, str], body: bytes) -> t.Any:
            turns.at(headers["authorization"][-1])
            return answer(method, target, headers, body)

        def run(name: str, task: Task) -> Result:
            named = {"snapshot": earlier} if task[1].get("snapshot") == EARLIER else {}
            jobs = unproven is not None
            lease = {"run_id": f"job{name}", "lease_minutes": 60} if jobs else {}
            told = firewall.run(task[0], token=f"token-{name}", **{**task[1], **named, **lease})
            failed = told["failed"] or name in (unproven or "")
            if (undo or jobs) and failed and "snapshot" in told:
                back = {"snapshot": told["snapshot"]["name"], "keep_later_changes": True, **lease}
                told["undone"] = firewall.run(fortios_rollback, token=f"token-{name}", **back)
            if "lease" in told:
                assert firewall.done(fortios_lease_end, run_id=f"job{name}")["ended"]
            return {**told, "failed": failed}

        runs = {"a": lambda: run("a", pair.first), "b": lambda: run("b", pair.second)}
        with unittest.mock.patch.object(server, "answer", waiting):
            told = turns.play({name: runs[name] for name in only})
        packets = {
            (source, place): server.device.admits(source, address, 25)
            for source in (STRANGER, PROVIDER)
            for place, address in DOORS.items()
        }
        return End(told, firewall.dump(), packets, "".join(turns.events))


def ends(pair: Pair, version: str = "v7.4.4") -> dict[str, End]:
    """What the runs leave one after the other, and alone."""
    stories = {only: story(pair, "", only, version) for only in ("ab", "a", "b", "")}
    stories["ba"] = story(pair, "b" * 200, "ab", version)
    assert all(end.green == "".join(sorted(order)) for order, end in stories.items())
    return stories


def check(pair: Pair, known: t.Mapping[str, End], schedule: str, version: str = "v7.4.4") -> End:
    """The packets go as if one run came after the other, or alone where the other one failed."""
    end = story(pair, schedule, version=version)
    possible = ("ab", "ba") if end.green == "ab" else (end.green,)
    assert any(end.packets == known[order].packets for order in possible), (end.events, end.green)
    assert any(end.configuration == known[order].configuration for order in possible), (
        end.events,
        end.green,
    )
    assert end.green, "each has stopped the other"
    return end
