# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long stories on a FortiGate, judged packet by packet."""

from __future__ import annotations

import contextlib
import pathlib
import tempfile
import typing as t

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_outbound_lock,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import POLICY, Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.schema import Refused
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.machine.searching import examples
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Firewall, Result

PUBLIC, SERVER, SMART_HOST = "203.0.113.80", "10.20.1.11", "198.51.100.25"
PROVIDERS = {
    "198.51.100.7": "198.51.100.0/25",
    "198.51.100.200": "198.51.100.128/25",
    "203.0.113.9": "203.0.113.0/26",
}
OWN = {"10.20.0.5": "10.20.0.0/16", "192.168.40.9": "192.168.40.0/24"}
STRANGERS = ("192.0.2.77", "203.0.113.200")
SOURCES = (*PROVIDERS, *OWN, *STRANGERS)
# Who sends to where by which port and interface: the way in, webmail, and the ways out.
IN = [(source, PUBLIC, 25, "wan1") for source in SOURCES]
WEB = [(source, PUBLIC, 443, "wan1") for source in SOURCES]
OUT = [
    (source, to, 25, "internal")
    for source in (SERVER, "10.20.0.5")
    for to in (SMART_HOST, "192.0.2.77")
]
REST = [*WEB, *((source, to, 443, "internal") for source, to, _port, _interface in OUT)]
RULES = (
    "way in",
    "way out",
    "broken",
    "check",
    "rollback",
    "original",
    "named",
    "new policy",
    "edit",
    "move",
    "objects",
    "more ranges",
)
Packets = dict[tuple[str, str, int, str], bool]


def refs(*names: str) -> list[dict[str, str]]:
    """Names as the device takes them."""
    return [{"name": name} for name in names]


class Story(RuleBasedStateMachine):
    """One firewall, as an installer leaves it."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = contextlib.ExitStack()
        self.off: frozenset[str] = frozenset()
        self.written: list[Packets] = []
        self.touched: set[tuple[str, str]] = set()
        self.ranges: list[str] = []
        # Whether something older than the newest snapshot was given back; a newer one may refer to
        # objects that are gone with it.
        self.further_back = False
        self.started = False

    def teardown(self) -> None:
        """End the device."""
        self._stack.close()

    @initialize(
        version=st.sampled_from(["v7.4.4", "v7.2.3", "v6.4.14", "v6.2.9", "v6.0.12", "v7.6.2"]),
        off=st.sets(st.sampled_from(RULES[1:]), min_size=len(RULES) // 2, max_size=len(RULES) // 2),
        ranges=st.sets(st.sampled_from(sorted(PROVIDERS.values())), min_size=1, max_size=2),
    )
    def begin(self, version: str, off: set[str], ranges: set[str]) -> None:
        """A device, with a random half of the rules switched off."""
        server = self._stack.enter_context(FortiGateServer(Device(version=version)))
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="mailedge-story-"))
        server.device.seed_mail_site()
        server.changed = lambda: self.written.append(self.packets())
        self.firewall = Firewall(server, pathlib.Path(folder))
        self.off = frozenset(off)
        self.ranges = sorted(ranges)
        self.first = self.firewall.dump()
        self.started = True

    def on(self, name: str) -> bool:
        """Whether a rule takes part in this story."""
        return self.started and name not in self.off

    def packets(self) -> Packets:
        """Which packets get through at this moment."""
        admits = self.firewall.device.admits
        return {packet: admits(*packet) for packet in (*IN, *OUT, *REST)}

    # ------------------------------------------------------------ runs

    def run(self, called: t.Any, *, check: bool = False, **options: t.Any) -> Result:
        """One run; what a refused or checked one has left must be what it met."""
        self.written = []
        before, at_first = self.firewall.dump(), self.packets()
        result = self.firewall.run(called, check=check, **options)
        # What it says of a write whose answer was lost is not looked at here.
        if check or (
            result["failed"] and not result["changed"] and "is not known" not in result["msg"]
        ):
            assert self.firewall.dump() == before, (
                "it has changed something, and says that it has not"
            )
        if check:
            assert not self.written
        after = self.packets()
        for number, moment in enumerate(self.written, 1):
            for packet, through in moment.items():
                if packet in REST:
                    assert through == at_first[packet], ("not ours", number, packet)
                elif not result["failed"]:
                    had, will = at_first[packet], after[packet]
                    assert (had and will) <= through <= (had or will), (
                        number,
                        packet,
                        had,
                        through,
                        will,
                    )
        return result

    def lock(self, own: t.Iterable[str]) -> dict[str, t.Any]:
        """The options of the way in, with the ranges of today."""
        return {
            "name": "birke",
            "vips": ["VIP-mail"],
            "ranges": list(self.ranges),
            "own_networks": sorted(own),
        }

    def _way_in_promises(self, options: t.Mapping[str, t.Any], before: Packets) -> None:
        for moment in [*self.written, self.packets()]:
            for packet in IN:
                network = {**PROVIDERS, **OWN}.get(packet[0])
                if network in (*options["ranges"], *options["own_networks"]):
                    assert before[packet] <= moment[packet], ("lost", packet)
                else:
                    assert moment[packet] <= before[packet], ("gained", packet)
            assert all(moment[packet] == before[packet] for packet in OUT)

    def _twice(self, called: t.Any, **options: t.Any) -> Result:
        """Check mode says what the run does, and a second run finds nothing to do."""
        checked = self.run(called, check=True, **options)
        done = self.run(called, **options)
        assert (checked["failed"], checked.get("plan")) == (done["failed"], done.get("plan")), (
            checked,
            done,
        )
        if done["failed"]:
            assert not done["changed"], done["msg"]
            return done
        moments = list(self.written)
        again = self.run(called, check=True, **options)
        assert not again["failed"], again["msg"]
        assert not again["changed"], again["plan"]
        self.written = moments
        return done

    @precondition(lambda self: self.on("way in"))
    @rule(own=st.sets(st.sampled_from(sorted(OWN.values()))))
    def way_in(self, own: set[str]) -> None:
        """The lock of the mail server."""
        options, before = self.lock(own), self.packets()
        done = self._twice(fortios_inbound_lock, **options)
        self._way_in_promises(options, before)
        if done["failed"]:
            assert "Nothing was changed" in done["msg"]
        elif done["state"] == "in order":
            now = self.packets()
            assert not any(now[packet] for packet in IN if packet[0] in STRANGERS)
            assert all(now[packet] for packet in IN if PROVIDERS.get(packet[0]) in self.ranges)

    @precondition(lambda self: self.on("way out"))
    @rule(smart_hosts=st.sampled_from([[SMART_HOST], ["198.51.100.0/24"]]))
    def way_out(self, smart_hosts: list[str]) -> None:
        """The lock of the way out."""
        before = self.packets()
        options = {
            "name": "birke",
            "mail_servers": [SERVER],
            "smart_hosts": smart_hosts,
            "interfaces": ["wan1"],
        }
        done = self._twice(fortios_outbound_lock, **options)
        way = (SERVER, SMART_HOST, 25, "internal")
        for moment in [*self.written, self.packets()]:
            assert before[way] <= moment[way]
            assert all(moment[packet] == before[packet] for packet in IN)
            assert all(moment[packet] <= before[packet] for packet in OUT if packet != way)
        if not done["failed"] and done["state"] == "in order":
            assert not any(self.packets()[packet] for packet in OUT if packet != way)

    @precondition(lambda self: self.on("broken"))
    @rule(
        own=st.sets(st.sampled_from(sorted(OWN.values()))),
        how=st.sampled_from(["cut_before", "cut_after", "reboot_after"]),
        number=st.integers(1, 25),
    )
    def broken(self, own: set[str], how: str, number: int) -> None:
        """However far a run has come, nobody has lost or gained more than by a whole one."""
        options, before = self.lock(own), self.packets()
        self.firewall.server.arm(**{how: number})
        self.run(fortios_inbound_lock, **options)
        self.firewall.server.arm()
        # What was begun and not committed, the device gives up by itself.
        self.firewall.device.transactions.clear()
        self._way_in_promises(options, before)

    @precondition(lambda self: self.on("check"))
    @rule(own=st.sets(st.sampled_from(sorted(OWN.values()))))
    def check(self, own: set[str]) -> None:
        """Drift is looked for: nothing is written, no snapshot either."""
        files = self.snapshots()
        self.run(fortios_inbound_lock, check=True, **self.lock(own))
        assert self.snapshots() == files

    # ------------------------------------------------------------ the way back

    def snapshots(self) -> list[str]:
        """The files of the folder."""
        folder = self.firewall.snapshots
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def _applied(self) -> list[str]:
        return [name for name in self.snapshots() if not name.endswith("-rollback.json")]

    def _restore(self, name: str) -> Result:
        checked = self.run(fortios_rollback, check=True, snapshot=name)
        done = self.run(fortios_rollback, snapshot=name)
        assert (checked["failed"], checked.get("plan")) == (done["failed"], done.get("plan")), (
            checked,
            done,
        )
        if done["failed"]:
            # Where nobody else has worked, there is a way back from whatever the runs have done.
            assert self.touched or self.further_back or not self._applied(), done["msg"]
            return done
        if not any("left" in text for text in done["warnings"]):
            again = self.run(fortios_rollback, check=True, snapshot=name)
            assert not again["changed"], again["plan"]
        return done

    @precondition(lambda self: self.on("rollback"))
    @rule()
    def rollback(self) -> None:
        """The newest snapshot is given back, and those before it are named."""
        done = self._restore("latest")
        if not done["failed"]:
            assert [done["restored"], *done["further"]] == self._applied()[::-1]

    @precondition(lambda self: self.on("rollback"))
    @rule(own=st.sets(st.sampled_from(sorted(OWN.values()))))
    def lock_and_undo(self, own: set[str]) -> None:
        """The undo of a run, by the name that it has told, gives back what it met."""
        before = self.firewall.dump()
        done = self.run(fortios_inbound_lock, **self.lock(own))
        if done["failed"] or not done["changed"]:
            return
        back = self.run(fortios_rollback, snapshot=done["snapshot"]["name"])
        assert not back["failed"], back["msg"]
        assert self.firewall.dump() == before

    @precondition(lambda self: self.on("original"))
    @rule()
    def original(self) -> None:
        """What no colleague has touched is as it was before the first run."""
        done = self._restore("original")
        self.further_back = True
        now = self.firewall.dump()
        if done["failed"]:
            return
        if not self.touched:
            assert now == self.first
        for path in {*self.first["tables"], *now["tables"]}:
            was, rows = self.first["tables"].get(path, {}), now["tables"].get(path, {})
            for key in sorted({*was, *rows}):
                if (path, key) not in self.touched:
                    assert rows.get(key) == was.get(key), (path, key)

    @precondition(lambda self: self.on("named") and self.snapshots())
    @rule(data=st.data())
    def named(self, data: st.DataObject) -> None:
        """Any snapshot that is there can be given back by its name."""
        self._restore(data.draw(st.sampled_from(self.snapshots()), "snapshot"))
        self.further_back = True

    # ------------------------------------------------------------ others

    def colleague(
        self, path: str, name: str, *arguments: t.Any, key: str = "", **keywords: t.Any
    ) -> None:
        """What somebody does on the device; what the device refuses him, he leaves."""
        try:
            made = getattr(self.firewall.device.configs["root"], name)(path, *arguments, **keywords)
        except Refused:
            return
        self.touched.add((path, key or str(made)))

    def _policies(self) -> list[str]:
        return [str(key) for key in self.firewall.device.rows("root", POLICY)]

    @precondition(lambda self: self.on("new policy"))
    @rule(
        action=st.sampled_from(["accept", "deny"]),
        source=st.sampled_from(["all", "birke-provider"]),
        where=st.sampled_from(["VIP-mail", "VIP-web", "all"]),
        service=st.sampled_from(["SMTP", "ALL"]),
        top=st.booleans(),
    )
    def new_policy(self, action: str, source: str, where: str, service: str, top: bool) -> None:
        """A policy of a colleague's."""
        way = {"srcintf": refs("wan1"), "dstintf": refs("internal"), "srcaddr": refs(source)}
        row = {
            "name": "Colleague",
            "action": action,
            "dstaddr": refs(where),
            "service": refs(service),
            **way,
        }
        known = self._policies()
        self.colleague(POLICY, "create", row)
        new = [key for key in self._policies() if key not in known]
        if top and new and known:
            self.colleague(POLICY, "move", new[0], before=known[0], key=new[0])

    @precondition(lambda self: self.on("edit"))
    @rule(
        data=st.data(),
        field=st.sampled_from(
            [
                {"status": "disable"},
                {"status": "enable"},
                {"srcaddr": refs("all")},
                {"comments": "seen"},
            ]
        ),
    )
    def edit_policy(self, data: st.DataObject, field: dict[str, t.Any]) -> None:
        """A policy is changed, ours or another."""
        key = data.draw(st.sampled_from(self._policies()), "policy")
        self.colleague(POLICY, "update", key, field, key=key)

    @precondition(lambda self: self.on("move"))
    @rule(data=st.data())
    def move_policy(self, data: st.DataObject) -> None:
        """A policy is moved, or removed where it is not the installer's."""
        key = data.draw(st.sampled_from(self._policies()), "policy")
        place = data.draw(
            st.sampled_from(
                ["remove", *(policy_key for policy_key in self._policies() if policy_key != key)]
            ),
            "place",
        )
        if place != "remove":
            self.colleague(POLICY, "move", key, before=place, key=key)
        elif key not in self.first["tables"][POLICY]:
            self.colleague(POLICY, "delete", key, key=key)

    @precondition(lambda self: self.on("objects"))
    @rule(data=st.data())
    def edit_objects(self, data: st.DataObject) -> None:
        """A group loses or wins a member, or something refers to a group of ours."""
        groups = sorted(map(str, self.firewall.device.rows("root", "firewall/addrgrp")))
        if not groups:
            return
        name = data.draw(st.sampled_from(groups), "group")
        members = [
            str(member)
            for member in self.firewall.device.rows("root", "firewall/addrgrp")[name]["member"]
        ]
        if data.draw(st.booleans(), "loses"):
            self.colleague(
                "firewall/addrgrp", "update", name, {"member": refs(*members[1:])}, key=name
            )
        else:
            self.colleague(
                "firewall/addrgrp", "update", name, {"member": refs(*members, "all")}, key=name
            )

    @precondition(lambda self: self.on("more ranges"))
    @rule(ranges=st.sets(st.sampled_from(sorted(PROVIDERS.values())), min_size=1))
    def ranges_change(self, ranges: set[str]) -> None:
        """The provider delivers from elsewhere."""
        self.ranges = sorted(ranges)


Story.TestCase.settings = examples(12, stateful_step_count=12)
TestStory = pytest.mark.long(Story.TestCase)
