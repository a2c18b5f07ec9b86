# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""windows_firewall_rules on the lab: locked, again, widened by a colleague, given back; by the
stand-in and by the real agent.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import module, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site
from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall import packets, store
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.com import FwRule, FwRules
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import ALLOW, Rule
from ansible_collections.mailedge.lockdown.tests.support.lab_answers import LONG_WAYS, WAYS
from ansible_collections.mailedge.lockdown.tests.support.windows_firewall import (
    COLLEAGUE,
    EXCHANGE,
    LOCK,
    PROVIDER,
    STRANGER,
    Server,
)

# What takes more than a few starts of the engine.
EVERYBODY = (PROVIDER, STRANGER, COLLEAGUE, EXCHANGE)
FRONTEND_RULE = "MSExchangeFrontendTransport (TCP-In)"


def heard(server: Server, port: int = 25) -> set[str]:
    """Who gets in, by whatever listens."""
    listeners = ("MSExchangeFrontendTransport.exe", "EdgeTransport.exe", "System")
    return {
        sender
        for sender in EVERYBODY
        if any(server.admits(sender, port, listener) for listener in listeners)
    }


def done(result: dict[str, t.Any]) -> dict[str, t.Any]:
    assert not result.get("failed"), result["msg"]
    return result


@pytest.mark.parametrize("engine", LONG_WAYS)
def test_locked_again_widened_seen_put_back_and_given_back(engine: bool) -> None:
    server = Server(engine=engine)
    # Twins, of which one is not for us, and one whose addresses do not count.
    for remote, tokens in (
        (["*"], ()),
        (["*"], ()),
        ([(4, 0x0A140005, 0x0A140005)], ()),
        (["*"], (store.IGNORES_ADDRESSES,)),
    ):
        twin = Rule(
            name="Twin", ports=[(25, 25)], remote=remote, enabled=True, action=ALLOW, tokens=tokens
        )
        server.firewall.add(twin)
    start = server.firewall.shown()
    assert heard(server) == set(EVERYBODY)

    checked = done(server.do(LOCK, check=True))
    assert (checked["changed"], checked["state"], server.starts) == (True, "open", 1)
    assert server.firewall.shown() == start

    locked = done(server.do(LOCK))
    assert locked["plan"] == checked["plan"]
    assert (locked["changed"], locked["state"], server.starts) == (True, "in order", 3)
    assert locked["cost"] == {"powershell_starts": 2, "exchange_shells": 0}
    assert locked["strangers"]["before"]
    assert locked["strangers"]["after"] == []
    assert heard(server) == {PROVIDER, COLLEAGUE, EXCHANGE}
    # Other ports of the same rules are as they were.
    assert heard(server, 587) == set(EVERYBODY)
    # COM does not tell which of three it is.
    assert sum(rule.name == "Twin" and not rule.enabled for rule in server.firewall.rules) == 3
    made = server.firewall.shown()

    again = done(server.do(LOCK))
    assert (again["changed"], again["state"], again["plan"], server.starts) == (
        False,
        "in order",
        [],
        4,
    )

    colleague = next(rule for rule in server.firewall.rules if rule.name == FRONTEND_RULE)
    colleague.ports = [(25, 25), *(colleague.ports or [])]
    drift = done(server.do(LOCK, check=True))
    assert drift["state"] == "open"
    assert FRONTEND_RULE in drift["strangers"]["before"][0]
    assert [FRONTEND_RULE in sentence for sentence in drift["plan"]] == [True]
    assert done(server.do(LOCK))["state"] == "in order"
    assert server.firewall.shown() == made

    back = done(server.do({"snapshot": "original"}))
    assert (back["changed"], back["restored"]) == (True, "original")
    assert server.firewall.shown() == start


@pytest.mark.parametrize("edition", ["2007", "2010", "2019"])
@pytest.mark.parametrize("method", ["narrow", "disable"])
def test_every_edition_is_locked_and_given_back(edition: str, method: str) -> None:
    server = Server(edition)
    server.firewall.version = {"2007": (2, 1), "2010": (2, 10)}.get(edition, (2, 30))
    server.firewall.add(Rule(name="SMTP", ports=[(25, 25)], enabled=True, action=ALLOW))
    start = server.firewall.shown()
    done(server.do({**LOCK, "method": method}))
    assert heard(server) == {PROVIDER, COLLEAGUE, EXCHANGE}
    assert not done(server.do({**LOCK, "method": method}))["changed"]
    done(server.do({"snapshot": "latest"}))
    assert server.firewall.shown() == start


def test_a_new_range_of_the_provider_gets_in_and_one_that_is_gone_does_not() -> None:
    server = Server()
    done(server.do(LOCK))
    done(server.do({**LOCK, "remote_addresses": ["203.0.113.0/28"]}))
    assert heard(server) == {STRANGER, COLLEAGUE, EXCHANGE}


def test_of_a_run_only_what_is_as_it_left_it_is_taken_back() -> None:
    server = Server()
    lease = {"run_id": "4f1c2a90", "minutes": 10}
    done(server.do({**LOCK, "lease": lease}))
    changed = server.firewall.named(FRONTEND_RULE)
    changed.ports = [(717, 717)]
    back = done(server.do({"snapshot": "latest", "keep_later_changes": True, "lease": lease}))
    assert FRONTEND_RULE in back["not_restored"][0]
    assert changed.ports == [(717, 717)]
    assert server.firewall.named("MSExchangeTransportWorker (TCP-In)").ports == ["*"]


def test_what_somebody_else_changes_between_the_calls_stops_the_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server()
    run = Server.__call__

    def meddled(self: Server, stdin: bytes) -> tuple[int, bytes, bytes]:
        if self.starts == 1:
            self.firewall.named(FRONTEND_RULE).enabled = False
        return run(self, stdin)

    monkeypatch.setattr(Server, "__call__", meddled)
    refused = server.do(LOCK)
    assert refused["failed"]
    assert refused["error"]["class"] == "Mailedge.StateChanged"
    assert "mailedge" not in str(server.firewall.shown())


@pytest.mark.parametrize("engine", LONG_WAYS)
def test_what_the_server_refuses_half_way_is_told_with_the_way_back(engine: bool) -> None:
    server = Server("2010", engine)
    server.firewall.version = (2, 0)
    # Server 2008 takes no ranges of ports, and a rule for any port would need them.
    start = server.firewall.shown()
    refused = server.do(LOCK)
    assert refused["failed"]
    assert refused["changed"]
    assert refused["error"]["class"] == "ArgumentException"
    assert "restore the previous state with the snapshot" in refused["msg"]
    # Nobody who is named has lost anything on the way.
    assert heard(server) >= {PROVIDER, COLLEAGUE, EXCHANGE}
    done(server.do({"snapshot": "latest"}))
    assert server.firewall.shown() == start
    server = Server("2010", engine)
    server.firewall.version = (2, 0)
    whole = {**LOCK, "other_ports": "narrow", "accept_risks": ["other_ports_shut_out"]}
    assert done(server.do(whole))["state"] == "in order"


@pytest.mark.parametrize("engine", WAYS)
def test_a_rule_of_ours_that_has_a_twin_goes_and_the_twin_stays(engine: bool) -> None:
    server = Server(engine=engine)
    server.firewall.rules = [
        Rule(name="SMTP", ports=[(25, 25), (587, 587)], enabled=True, action=ALLOW)
    ]
    server.firewall.rules[0].id = "{smtp}"
    done(server.do(LOCK))
    (own,) = [rule for rule in server.firewall.rules if rule.name.startswith("mailedge: ")]
    twin = own.copy()
    twin.id, twin.grouping, twin.ports = "", "somebody's", [(7, 7)]
    server.firewall.rules.insert(0, twin)
    twin.id = "{twin}"
    done(server.do({"snapshot": "latest"}))
    assert sorted(rule.id for rule in server.firewall.rules) == ["{smtp}", "{twin}"]


@pytest.mark.parametrize("words", ["", "Es sind keine weiteren Endpunkte verfügbar."])
def test_a_firewall_whose_service_is_not_running_is_an_error(words: str) -> None:
    server = Server()
    server.firewall.running = False
    server.firewall.no_endpoints = words or server.firewall.no_endpoints
    refused = server.do(LOCK)
    assert refused["failed"]
    assert refused["error"]["class"] == "COMException"
    assert refused["msg"].startswith(
        "The Windows Firewall service (MpsSvc) of the server does not answer, "
    )
    assert "Start it (Start-Service MpsSvc)" in refused["msg"]
    assert "Nothing was changed. On the server" in refused["msg"]
    assert "0x800706D9" in refused["msg"]


def with_one_rule(engine: bool, refused_key: str) -> Server:
    """A server with a rule for everybody, and a key of the registry that cannot be read."""
    server = Server(engine=engine)
    server.firewall.rules = []
    server.firewall.add(Rule(name="SMTP", ports=[(25, 25)], enabled=True, action=ALLOW))
    server.firewall.refused_keys = {refused_key}
    return server


@pytest.mark.parametrize(
    "key",
    [f"{store.POLICY_KEY}\\FirewallRules", f"{store.POLICY_KEY}\\DomainProfile", store.MDM_KEY],
)
@pytest.mark.parametrize("engine", WAYS)
def test_a_key_of_group_policy_that_cannot_be_read_is_not_taken_for_none(
    key: str, engine: bool
) -> None:
    server = with_one_rule(engine, key)
    start = server.firewall.shown()
    refused = server.do(LOCK)
    assert refused["failed"], refused
    assert refused["error"]["class"] == "SecurityException"
    assert server.firewall.shown() == start


@pytest.mark.parametrize("engine", WAYS)
def test_rules_whose_texts_cannot_be_read_are_never_called_in_order(engine: bool) -> None:
    result = done(with_one_rule(engine, store.LOCAL_KEY).do(LOCK))
    assert result["state"] == "unknown"


@pytest.mark.parametrize("engine", WAYS)
def test_what_group_policy_may_do_and_cannot_be_read_is_never_in_order(engine: bool) -> None:
    for spoil in ("property", "exception"):
        server = Server(engine=engine)
        done(server.do(LOCK))
        if spoil == "property":
            server.firewall.refused_properties.add("LocalPolicyModifyState")
        else:
            key = "DomainProfile\\GloballyOpenPorts\\List"
            server.firewall.old_policy[key] = {"25:TCP": "25:TCP:*:enabled:SMTP"}
            assert heard(server) == set(EVERYBODY)
        seen = done(server.do(LOCK))
        assert (seen["state"], [guard["id"] for guard in seen["guards"]]) == (
            "unknown",
            ["policy_unread"],
        ), spoil
        accepted = done(server.do({**LOCK, "accept_risks": ["policy_unread"]}))
        assert accepted["state"] == "in order"


def test_a_port_that_clients_use_is_not_closed_to_them() -> None:
    server = Server()
    server.firewall.add(Rule(name="HTTPS", ports=[(443, 443)], enabled=True, action=ALLOW))
    start = server.firewall.shown()
    refused = server.do({**LOCK, "ports": [25, 443], "ports_in_use": [443]})
    assert refused["failed"]
    assert "The internet would no longer reach port 443" in refused["msg"]
    assert server.firewall.shown() == start


BAD: dict[str, tuple[dict[str, t.Any], str]] = {
    "everybody": ({"remote_addresses": ["0.0.0.0/0"]}, "remote_addresses cannot be used as given"),
    "everybody in halves": (
        {"own_networks": ["0.0.0.0/1", "128.0.0.0/1"]},
        "own_networks cannot be used as given",
    ),
    "loopback alone": (
        {"remote_addresses": ["127.0.0.1", "::1"]},
        "names nobody whom a firewall could let in",
    ),
    "nobody": ({"remote_addresses": []}, "names nobody whom a firewall could let in"),
    "no address": ({"remote_addresses": ["mail.example"]}, "'mail.example'"),
    "a netmask": ({"own_networks": ["10.20.0.0", "255.255.0.0"]}, "netmask"),
    "port 0": ({"ports": [0]}, "must list TCP ports from 1 to 65535, not 0"),
    "a port in use that is none": (
        {"ports_in_use": [99999]},
        "The option ports_in_use must list TCP ports from 1 to 65535, not 99999",
    ),
    "no port": ({"ports": []}, "must list TCP ports from 1 to 65535, not nothing"),
    "no program": (
        {"ignore_programs": ["C:\\Windows\\System32\\svchost.exe"]},
        "which runs many services",
    ),
    "a guard that there is not": (
        {"accept_risks": ["everything"]},
        "'everything', which is no guard",
    ),
    "both": ({"snapshot": "latest"}, "mutually exclusive"),
    "a word": (
        {"snapshot": "yesterday", "ports": None, "remote_addresses": None},
        "'yesterday' is not the name of a snapshot",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_options_are_told_and_nothing_is_sent(name: str) -> None:
    server = Server()
    options, sentence = BAD[name]
    refused = server.do(
        {option: value for option, value in {**LOCK, **options}.items() if value is not None}
    )
    assert refused["failed"]
    assert sentence in refused["msg"]
    assert "othing was sent to the server" in refused["msg"]
    assert server.starts == 0


def test_a_guard_stops_before_anything_is_written() -> None:
    server = Server()
    start = server.firewall.shown()
    server.firewall.policy[store.DOMAIN]["AllowLocalPolicyMerge"] = 0
    refused = server.do(LOCK)
    assert "(guard local_rules_ignored)" in refused["msg"]
    assert (server.starts, server.firewall.shown()) == (1, start)
    unsaid = {
        name: value
        for name, value in LOCK.items()
        if name not in ("exchange_servers", "domain_controllers")
    }
    server = Server()
    refused = server.do(unsaid)
    assert (
        "name exchange_servers_unnamed and domain_controllers_unnamed in accept_risks"
        in refused["msg"]
    )
    assert done(
        server.do(
            {**unsaid, "accept_risks": ["exchange_servers_unnamed", "domain_controllers_unnamed"]}
        )
    )["changed"]


@pytest.mark.parametrize(
    "value",
    ["::1", "::", "0.0.0.0/0", "10.20.0.5/16", "*,10.0.0.0/8", "10.0.0.1 - 10.0.0.9", "ALL", ""],
)
def test_the_lab_refuses_addresses_that_a_server_refuses(value: str) -> None:
    rule = FwRule(Server().firewall)
    with pytest.raises(ComError):
        rule.set("RemoteAddresses", value)


def test_the_lab_is_no_kinder_than_a_server() -> None:
    firewall = Server().firewall
    rule = FwRule(firewall)
    assert rule.get("Enabled") is False
    with pytest.raises(ComError):
        rule.set("LocalPorts", "25")
    rule.set("Protocol", 6)
    rule.set("LocalPorts", "25")
    for name in ("a|b", "ALL", ""):
        with pytest.raises(ComError):
            rule.set("Name", name)
    with pytest.raises(ComError):
        rule.set("ApplicationName", None)
    with pytest.raises(ComError):
        rule.set(
            "RemoteAddresses",
            ",".join(f"10.0.{number // 256}.{number % 256}" for number in range(0, 2002, 2)),
        )
    rule.set("Name", "SMTP")
    rule.set("RemoteAddresses", "10.20.0.0/16,198.51.100.7")
    assert rule.get("RemoteAddresses") == "198.51.100.7/255.255.255.255,10.20.0.0/255.255.0.0"
    rules = FwRules(firewall)
    count = rules.get("Count")
    rules.call("Remove", "No such rule")
    with pytest.raises(ComError) as caught:
        rules.call("Item", "No such rule")
    assert caught.value.hresult == 0x80070002
    rules.call("Add", rule)
    rules.call("Add", rule)
    assert rules.get("Count") == t.cast("int", count) + 2
    assert len({rule.id for rule in firewall.rules}) == len(firewall.rules)
    firewall.version = (2, 0)
    assert "SecureFlags" not in FwRule(firewall).properties


def test_loopback_is_not_filtered() -> None:
    server = Server()
    server.firewall.settings[store.DOMAIN].blocks_all = True
    assert packets.admits(server.firewall, packets.Packet("127.0.0.1", 25))
    assert not packets.admits(server.firewall, packets.Packet(PROVIDER, 25))


def test_a_playbook_locks_a_server_over_winrm() -> None:
    with Lab([Site("birke", ("2016",))], pwsh="") as lab:
        firewall = lab.hosts["birke-ex1"].exchange.windows.firewall
        for changed in (True, False):
            run = play(module("windows_firewall_rules", "birke-ex1", LOCK), lab.inventory, "--diff")
            assert run.code == 0, run.output
            (task,) = [task for task in run.tasks if "invocation" in task.result]
            assert task.result["changed"] is changed
            assert task.result["state"] == "in order"
        assert not packets.admits(firewall, packets.Packet(STRANGER, 25))
        assert packets.admits(firewall, packets.Packet(PROVIDER, 25, listener="System"))


def test_a_program_that_does_not_listen_there_keeps_its_rule() -> None:
    server = Server()
    agent = Rule(
        name="Backup",
        protocol=store.ANY_PROTOCOL,
        program="C:\\Backup\\agent.exe",
        enabled=True,
        action=ALLOW,
    )
    server.firewall.add(agent)
    assert "(guard other_ports_shut_out)" in server.do(LOCK)["msg"]
    locked = done(server.do({**LOCK, "ignore_programs": ["AGENT.EXE"]}))
    assert locked["state"] == "in order"
    assert agent.remote == ["*"]
    assert server.admits(STRANGER, 7000, "agent.exe")
    assert not done(server.do({**LOCK, "ignore_programs": ["agent.exe"]}))["changed"]


def test_a_rule_that_names_the_port_counts_whatever_program_is_to_be_ignored() -> None:
    server = Server()
    done(server.do({**LOCK, "ignore_programs": ["MSExchangeFrontendTransport.exe"]}))
    assert STRANGER not in heard(server)


def test_a_value_of_group_policy_that_is_no_number_is_told_and_nothing_is_written() -> None:
    server = Server()
    start = server.firewall.shown()
    server.firewall.policy[store.DOMAIN]["EnableFirewall"] = t.cast("int", "")
    refused = server.do(LOCK)
    assert "something else than a number as EnableFirewall of the domain profile" in refused["msg"]
    assert server.firewall.shown() == start
