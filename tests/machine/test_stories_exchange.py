# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long stories on an Exchange server, judged by the lab's own entries."""

from __future__ import annotations

import pathlib
import tempfile
import typing as t

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.exchange.mutex import Mutexes
from ansible_collections.mailedge.lockdown.tests.machine import judge
from ansible_collections.mailedge.lockdown.tests.machine.searching import examples
from ansible_collections.mailedge.lockdown.tests.machine.server import ExchangeServer, Result

PROVIDERS = {
    "198.51.100.7": "198.51.100.0/25",
    "198.51.100.200": "198.51.100.128/25",
    "203.0.113.9": "203.0.113.0/25",
}
OWN = {"10.20.0.5": "10.20.0.0/16", "192.168.40.9": "192.168.40.0/24"}
STRANGERS = ("203.0.113.200", "198.18.0.9", "2001:db8:bad::1")
ITSELF = "127.0.0.1"
SENDERS = (*PROVIDERS, *OWN, *STRANGERS, ITSELF)
RULES = (
    "apply",
    "broken apply",
    "check",
    "rollback",
    "original",
    "named",
    "colleague opens",
    "colleague edits",
    "colleague makes",
    "clock",
    "reboot",
    "more ranges",
)
Rights = dict[tuple[str, int], judge.Granted]


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, t.Any]:
    """What a site describes."""
    wish: dict[str, t.Any] = {
        "own_networks": sorted(draw(st.sets(st.sampled_from(sorted(OWN.values())), min_size=1))),
        "inbound_lock": {
            "method": draw(
                st.sampled_from(["auto", "auto", "strip_anonymous", "disable", "narrow"])
            )
        },
    }
    if draw(st.booleans()):
        wish["outbound_lock"] = {"smart_hosts": ["127.0.0.1"], "port": 9}
        # Nothing listens there; nothing outside of this machine is ever asked.
        wish["accept_risks"] = ["smart_host_unreachable"]
    if draw(st.booleans()):
        scanner = {
            "name": "Scanner",
            "bindings": ["0.0.0.0:2526"],
            "remote_ip_ranges": ["10.20.9.9"],
        }
        comment = draw(st.sampled_from(["first floor", "second floor"]))
        wish["receive_connectors"] = [{**scanner, "comment": comment}]
    return wish


@st.composite
def faults(draw: st.DrawFn) -> dict[str, t.Any]:
    """What goes wrong during a run."""
    kind = draw(st.sampled_from(["die", "cut", "crash", "error"]))
    at = draw(
        st.sampled_from(
            ["call:write", "call:write", "call:*", *(["start", "end", "shell"] * (kind != "error"))]
        )
    )
    fault = {
        "kind": kind,
        "at": at,
        "nth": draw(st.integers(1, 2 if at in ("start", "end", "shell") else 12)),
    }
    if kind == "error":
        return {
            **fault,
            "error": draw(st.sampled_from(["ADTransientException", "ADOperationException"])),
        }
    return {**fault, "moment": draw(st.sampled_from(["before", "during", "after"])), "seconds": 0}


def outcome_words(result: Result, *, check: bool, rollback: bool) -> str:
    """How a run ended, for hypothesis's statistics."""
    end = "failed" if result["failed"] else "changed" if result["changed"] else "nothing to do"
    half = " half way" if result["failed"] and result["changed"] else ""
    return f"{'check of ' if check else ''}{'rollback' if rollback else 'apply'}: {end}{half}"


class Story(RuleBasedStateMachine):
    """One server, from the state in which setup left it."""

    def __init__(self) -> None:
        super().__init__()
        self._temporary = tempfile.TemporaryDirectory(prefix="mailedge-story-")
        self.off: frozenset[str] = frozenset()
        self.written: list[Rights] = []
        self.touched: set[str] = set()
        self.ranges: list[str] = []
        self.started = False

    def teardown(self) -> None:
        """Remove what stood for the server's disk."""
        self._temporary.cleanup()

    @initialize(
        edition=st.sampled_from(["2007", "2016", "2010", "edge", "sbs-2011", "2007-rtm", "se"]),
        off=st.sets(st.sampled_from(RULES[1:]), min_size=len(RULES) // 2, max_size=len(RULES) // 2),
        ranges=st.sets(st.sampled_from(sorted(PROVIDERS.values())), min_size=1, max_size=2),
    )
    def begin(self, edition: str, off: set[str], ranges: set[str]) -> None:
        """A server, with a random half of the rules switched off."""
        self.server = ExchangeServer(edition, pathlib.Path(self._temporary.name))
        self.host = self.server.host
        self.off = frozenset(off)
        self.ranges = sorted(ranges)
        self.host.hooks.append(self._watch)
        self.first = judge.configuration(self.host)
        self.started = True

    def on(self, name: str) -> bool:
        """Whether a rule takes part in this story."""
        return self.started and name not in self.off

    def _watch(self, moment: str, cmdlet: str, _parameters: t.Mapping[str, t.Any]) -> None:
        if moment == "after" and cmdlet.startswith(("New-", "Set-", "Remove-", "Add-")):
            self.written.append(self.rights())

    def rights(self) -> Rights:
        """Who may do what on every port at this moment."""
        ports = judge.ports(self.host)
        return {
            (sender, port): judge.granted(self.host, sender, port)
            for sender in SENDERS
            for port in ports
        }

    # ------------------------------------------------------------ runs

    def run(self, *, check: bool = False, **arguments: t.Any) -> Result:
        """One run; what a refused or checked one has left must be what it met."""
        self.written = []
        before, at_first = judge.configuration(self.host), self.rights()
        result = self.server.run(check=check, **arguments)
        if check or (result["failed"] and not result["changed"]):
            assert judge.configuration(self.host) == before, (
                "it has changed something, and says that it has not"
            )
            assert not self.written or not check
        self._steps(at_first, whole=not result["failed"])
        event(outcome_words(result, check=check, rollback="snapshot" in arguments))
        return result

    def _steps(self, before: Rights, *, whole: bool) -> None:
        """No step takes what is there before and after, or gives what is neither."""
        after = self.rights()
        for number, moment in enumerate(self.written if whole else [], 1):
            for key in {**before, **after, **moment}:
                had, has, will = (
                    rights.get(key, judge.NOTHING) for rights in (before, moment, after)
                )
                assert had & will <= has <= had | will, (number, key, had, has, will)

    def _networks(self, wish: t.Mapping[str, t.Any], before: Rights) -> None:
        """What no run of ours may do, and not a broken one either."""
        named = {**PROVIDERS, **OWN}
        for moment in [*self.written, self.rights()]:
            for (sender, port), has in moment.items():
                had = before.get((sender, port), judge.NOTHING)
                network = named.get(sender)
                if sender == ITSELF or network in wish["own_networks"]:
                    assert had <= has, ("lost", sender, port, had - has)
                elif network in wish["provider_ranges"]:
                    assert (had & {judge.SEND}) <= has, ("lost", sender, port)
                    assert not (has - had) & {judge.RELAY}, ("may relay now", sender, port)
                else:
                    # Whoever leaves a narrow connector may log in at the wide one, as everybody.
                    gained = (
                        has - had
                        if sender in STRANGERS
                        else (has - had) & {judge.SEND, judge.RELAY}
                    )
                    assert not gained, ("gained", sender, port, gained)

    def wish(self, drawn: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """The description with the ranges of today."""
        wish = {**drawn, "provider_ranges": list(self.ranges)}
        if self.host.edition.key == "2007-rtm":
            return wish
        return {**wish, "provider_ranges": [*self.ranges, "2001:db8:100::/48"]}

    @precondition(lambda self: self.on("apply"))
    @rule(drawn=wishes())
    def apply(self, drawn: dict[str, t.Any]) -> None:
        """Check mode says what the run does, no promise is broken, a second run is empty."""
        wish, before = self.wish(drawn), self.rights()
        checked = self.run(check=True, **wish)
        done = self.run(**wish)
        self._networks(wish, before)
        assert (checked["failed"], checked["plan"]) == (done["failed"], done["plan"]), (
            checked,
            done,
        )
        if done["failed"]:
            assert not done["changed"], done["msg"]
            assert any(guard["severity"] == "stop" for guard in done.get("guards", [])), done["msg"]
            return
        after = self.rights()
        strangers = {
            (sender, port): after[sender, port] & {judge.SEND, judge.RELAY}
            for sender, port in after
            if sender in STRANGERS
        }
        if done["state"] == "in order":
            assert not any(strangers.values()), strangers
        for sender, network in PROVIDERS.items():
            assert network not in self.ranges or judge.SEND in after[sender, 25], (
                f"{sender} is shut out"
            )
        again = self.run(check=True, **wish)
        assert not again["failed"], again["msg"]
        assert not again["changed"], again["plan"]

    @precondition(lambda self: self.on("broken apply"))
    @rule(drawn=wishes(), fault=faults())
    def broken_apply(self, drawn: dict[str, t.Any], fault: dict[str, t.Any]) -> None:
        """However far a run has come, nobody has lost or gained more than by a whole one."""
        wish, before = self.wish(drawn), self.rights()
        self.server.faults.add(**fault)
        self.run(**wish)
        self.server.faults.clear()
        self._networks(wish, before)

    @precondition(lambda self: self.on("check"))
    @rule(drawn=wishes())
    def check(self, drawn: dict[str, t.Any]) -> None:
        """Drift is looked for: nothing is written, no snapshot either."""
        files, writes = self.server.snapshots(), self.host.counters["writes"]
        self.run(check=True, **self.wish(drawn))
        assert (self.server.snapshots(), self.host.counters["writes"]) == (files, writes)

    def _restore(self, name: str) -> Result:
        """A rollback in check mode, in earnest, and once more."""
        checked = self.run(check=True, snapshot=name)
        done = self.run(snapshot=name)
        assert (checked["failed"], checked.get("plan")) == (done["failed"], done.get("plan")), (
            checked,
            done,
        )
        if done["failed"]:
            assert not done["changed"], done["msg"]
            # Where nobody else has worked, there is a way back from whatever the runs have done.
            assert self.touched or not self._applied(), done["msg"]
            return done
        again = self.run(check=True, snapshot=name)
        assert not again["changed"], again["plan"]
        return done

    def _applied(self) -> list[str]:
        return [name for name in self.server.snapshots() if name.endswith("-apply.json")]

    @precondition(lambda self: self.on("rollback"))
    @rule()
    def rollback(self) -> None:
        """The newest snapshot is given back, and those before it are named."""
        done = self._restore("latest")
        if not done["failed"]:
            assert [done["restored"], *done["further"]] == self._applied()[::-1]

    @precondition(lambda self: self.on("rollback"))
    @rule(drawn=wishes())
    def apply_and_undo(self, drawn: dict[str, t.Any]) -> None:
        """The undo of a run, by the name that it has told, gives back what it met."""
        before = judge.configuration(self.host)
        done = self.run(**self.wish(drawn))
        if done["failed"] or not done["changed"]:
            return
        back = self.run(snapshot=done["snapshot"]["name"])
        assert not back["failed"], back["msg"]
        assert judge.configuration(self.host) == before

    @precondition(lambda self: self.on("original"))
    @rule()
    def original(self) -> None:
        """What no colleague has touched is as it was before the first run."""
        done = self._restore("original")
        if done["failed"]:
            return
        now = judge.configuration(self.host)
        for key in sorted({*self.first, *now} - self.touched):
            assert now.get(key) == self.first.get(key), key

    @precondition(lambda self: self.on("named") and self.server.snapshots())
    @rule(data=st.data())
    def named(self, data: st.DataObject) -> None:
        """Any snapshot that is there can be given back by its name."""
        names = [name for name in self.server.snapshots() if name.endswith(".json")]
        if names:
            self._restore(data.draw(st.sampled_from(names), "snapshot"))

    # ------------------------------------------------------------ others

    def colleague(self, cmdlet: str, key: str, **parameters: t.Any) -> None:
        """What somebody does at the server; what the server refuses him, he leaves."""
        try:
            self.host.colleague(cmdlet, parameters)
        except ExchangeError:
            return
        self.touched.add(key)

    def _receiving(self) -> list[str]:
        return sorted(
            key.split(" ", 1)[1]
            for key in judge.configuration(self.host)
            if key.startswith("receive ")
        )

    @precondition(lambda self: self.on("colleague opens"))
    @rule(data=st.data())
    def colleague_opens(self, data: st.DataObject) -> None:
        """A connector is opened to everybody, taken out of service, or removed."""
        name = data.draw(st.sampled_from(self._receiving()), "connector")
        key, identity = f"receive {name}", f"{self.host.name}\\{name}"
        how = data.draw(st.sampled_from(["open", "disable", "remove"]), "how")
        if how == "open":
            groups = "AnonymousUsers, ExchangeUsers, ExchangeServers"
            self.colleague("Set-ReceiveConnector", key, Identity=identity, PermissionGroups=groups)
        elif how == "disable":
            self.colleague("Set-ReceiveConnector", key, Identity=identity, Enabled=False)
        elif name.startswith(("Mail from filter", "Scanner", "Copier")):
            self.colleague("Remove-ReceiveConnector", key, Identity=identity)

    @precondition(lambda self: self.on("colleague edits"))
    @rule(data=st.data(), comment=st.sampled_from(["seen", "checked"]))
    def colleague_edits(self, data: st.DataObject, comment: str) -> None:
        """A setting of a connector is changed that is nobody's door."""
        name = data.draw(st.sampled_from(self._receiving()), "connector")
        self.colleague(
            "Set-ReceiveConnector",
            f"receive {name}",
            Identity=f"{self.host.name}\\{name}",
            Comment=comment,
        )

    @precondition(lambda self: self.on("colleague makes"))
    @rule(network=st.sampled_from(["10.20.9.0/24", "203.0.113.200"]), relay=st.booleans())
    def colleague_makes(self, network: str, relay: bool) -> None:
        """A connector for a copier, or for a friend on the internet."""
        new = {
            "Bindings": ["0.0.0.0:25"],
            "RemoteIPRanges": [network],
            "PermissionGroups": "AnonymousUsers",
        }
        if self.host.edition.frontend:
            new["TransportRole"] = t.cast("t.Any", "FrontendTransport")
        self.colleague("New-ReceiveConnector", "receive Copier", Name="Copier", Custom=True, **new)
        if relay and "receive Copier" in self.touched:
            user, right = self.host.rights.anonymous, "ms-Exch-SMTP-Accept-Any-Recipient"
            self.colleague(
                "Add-ADPermission",
                "receive Copier",
                Identity="Copier",
                User=user,
                ExtendedRights=right,
            )

    @precondition(lambda self: self.on("clock"))
    @rule(seconds=st.sampled_from([0.5, 60.0, 86_400.0]))
    def clock_jumps(self, seconds: float) -> None:
        """The server's clock is put forward."""
        self.host.clock_ahead += seconds

    @precondition(lambda self: self.on("reboot"))
    @rule()
    def reboot(self) -> None:
        """Sessions and mutexes are gone; a file that was being written is left half way."""
        self.host.sessions.opened.clear()
        self.host.mutexes = Mutexes()
        folder = self.server.snapshot_folder
        if folder:
            (folder / "20260101T000000.000Z-aaaaaa-apply.json.tmp").write_text(
                '{"meta": {', encoding="utf-8"
            )

    @precondition(lambda self: self.on("more ranges"))
    @rule(ranges=st.sets(st.sampled_from(sorted(PROVIDERS.values())), min_size=1))
    def ranges_change(self, ranges: set[str]) -> None:
        """The provider delivers from elsewhere."""
        self.ranges = sorted(ranges)


Story.TestCase.settings = examples(7, stateful_step_count=10)
TestStory = Story.TestCase
