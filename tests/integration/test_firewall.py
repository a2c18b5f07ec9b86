# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites behind a FortiGate, through the playbooks: both layers locked, proven by what passes the
firewall, caught, given back.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play
from ansible_collections.mailedge.lockdown.tests.lab.site import SOURCES, Site

HOST = "birke-ex1"


@pytest.fixture
def lab() -> t.Iterator[Lab]:
    with Lab([Site("birke", ("2016",), "7.4.4")], pwsh="") as running:
        yield running


def looks(run: Run) -> dict[str, str]:
    """Who looked → what was found, in the last look of each."""
    return {name: look["verdict"] for name, look in run.looks().items()}


# Nobody looks from outside where that is not what a test is about.
NO_LOOK = {"mailedge_probe_targets": ""}


def summary(run: Run) -> str:
    """The report of the run, in one text."""
    return "\n".join(run.of("Say what was found")[-1].result["msg"])


def state(lab: Lab, host: str = HOST) -> t.Any:
    dump, firewall = lab.client().dump(host), lab.client().firewall_dump(host)
    return (
        dump["receive_connectors"],
        dump["send_connectors"],
        firewall["policies"],
        firewall["groups"],
    )


def requests(lab: Lab) -> int:
    return int(lab.client().firewall_dump(HOST)["requests"])


@pytest.mark.long
def test_a_site_with_two_servers_is_locked_at_one_firewall() -> None:
    with Lab([Site("birke", ("2016", "2019"), "7.4.4")], pwsh="") as lab:
        before = {host: state(lab, host) for host in lab.hosts}
        run = play("apply", lab.inventory)
        assert run.code == 0, run.output
        did = {task.host for task in run.of("Let only the provider reach") if task.status == "ok"}
        assert did == {HOST}, "one host of the site does it"
        verdicts = looks(run)
        assert verdicts["a stranger on the internet"] == "closed"
        assert verdicts["the filtering provider"] == "open"
        run = play("apply", lab.inventory, variables=NO_LOOK)
        assert run.code == 0, run.output
        assert not run.changed
        run = play("rollback", lab.inventory)
        assert run.code == 0, run.output
        assert {host: state(lab, host) for host in lab.hosts} == before


def _web(lab: Lab, role: str = "internet") -> int:
    web = lab.hosts[HOST].web
    assert web
    try:
        return web.browse(SOURCES[role], seconds=1.5).status
    except TimeoutError:
        return 0


@pytest.mark.long
def test_the_web_is_left_alone(lab: Lab) -> None:
    """Where one policy serves both; where each has its own, `make demo` looks at the web too."""
    device = lab.firewalls["birke"].device
    config = device.configs["root"]
    keys = {row["name"]: str(key) for key, row in device.rows("root", "firewall/policy").items()}
    config.update("firewall/policy", keys["Web in"], {"status": "disable"})
    lab.refresh()
    assert (_web(lab), _web(lab, "lan")) == (0, 302), "the firewall judges the web too"
    both = {"dstaddr": [{"name": "VIP-mail"}, {"name": "VIP-web"}], "service": [{"name": "ALL"}]}
    config.update("firewall/policy", keys["Mail in"], both)
    lab.refresh()
    assert _web(lab) == 302
    run = play("apply", lab.inventory)
    assert run.code == 0, run.output
    assert looks(run)["a stranger on the internet"] == "closed"
    assert looks(run)["the filtering provider"] == "open"
    assert _web(lab) == 302
    run = play("apply", lab.inventory, variables=NO_LOOK)
    assert run.code == 0, run.output
    assert not run.changed
    assert _web(lab) == 302
    run = play("rollback", lab.inventory)
    assert run.code == 0, run.output
    assert _web(lab) == 302


def test_a_second_way_past_the_lock_is_green_only_where_it_leads_to_another_server(
    lab: Lab,
) -> None:
    """Nobody looks from outside, nobody manages what is behind the firewall."""
    only = {"mailedge_exchange_enabled": False, **NO_LOOK}
    assert play("apply", lab.inventory, variables=only).code == 0
    config = lab.firewalls["birke"].device.configs["root"]
    ports = {"portforward": "enable", "extport": "25", "mappedport": "25", "extintf": "wan1"}
    config.create(
        "firewall/vip",
        {
            "name": "VIP-second",
            "extip": "203.0.113.82",
            "mappedip": [{"range": "10.20.1.99"}],
            **ports,
        },
    )
    config.create(
        "firewall/policy",
        {
            "name": "Second way in",
            "action": "accept",
            "srcintf": [{"name": "wan1"}],
            "dstintf": [{"name": "internal"}],
            "srcaddr": [{"name": "all"}],
            "dstaddr": [{"name": "VIP-second"}],
            "service": [{"name": "ALL"}],
        },
    )
    told = "a stranger at 203.0.113.82 port 25 (VIP-second) gets: taken, unless refused by"
    run = play("drift", lab.inventory, variables=only)
    assert run.code == 0, run.output
    somewhere = {"type": "fqdn", "mapped-addr": "mail", "mappedip": []}
    to_server = {"type": "static-nat", "mappedip": [{"range": "10.20.1.11"}]}
    for leads_to, state in ((somewhere, "unknown"), (to_server, "open")):
        config.update("firewall/vip", "VIP-second", leads_to)
        run = play("drift", lab.inventory, variables=only)
        assert run.code != 0, run.output
        assert summary(run).startswith(f"birke: {state}."), summary(run)
        assert told in summary(run), "without -v"


@pytest.mark.long
def test_the_firewall_alone_keeps_a_stranger_from_an_open_server(lab: Lab) -> None:
    only = {"mailedge_exchange_enabled": False}
    connectors = lab.client().dump(HOST)["receive_connectors"]
    lab.client().reset_counters(HOST)
    applied = play("apply", lab.inventory, variables=only)
    assert applied.code == 0, applied.output
    assert looks(applied)["a stranger on the internet"] == "closed"
    assert looks(applied)["the filtering provider, over IPv6"] == "open"
    assert lab.client().dump(HOST)["receive_connectors"] == connectors
    assert lab.client().counters(HOST)["powershell_starts"] == 0
    run = play("drift", lab.inventory, variables={**only, **NO_LOOK})
    assert run.code == 0, run.output
    # As where the folder was in a container that is gone.
    kept = applied.of("Let only the provider reach")[-1].result["snapshot"]
    pathlib.Path(kept["folder"], kept["name"]).unlink()
    run = play("rollback", lab.inventory, variables=only)
    assert run.code != 0
    assert "no snapshot" in run.output
    run = play(
        "rollback",
        lab.inventory,
        variables={**only, "mailedge_fortigate_snapshot_content": kept["content"]},
    )
    assert run.code == 0, run.output
    run = play("probe", lab.inventory, variables={"mailedge_probe_expect": "any"})
    assert looks(run)["a stranger on the internet"] == "open"


@pytest.mark.long
@pytest.mark.core
def test_drift_of_the_firewall_alone_is_caught(lab: Lab) -> None:
    assert play("apply", lab.inventory, variables=NO_LOOK).code == 0
    # A policy that is widened, and one more beside the narrow one.
    for beside in (False, True):
        told = lab.client().open_firewall(HOST, beside=beside)
        assert "firewall" in told
        open_again = state(lab)
        run = play("drift", lab.inventory, variables=NO_LOOK if beside else {})
        assert run.code != 0
        assert summary(run).startswith(
            "birke: open. birke-ex1, fortigate way in: Everybody else can reach port 25"
        )
        assert state(lab) == open_again, "a drift check changes nothing"
        if not beside:
            # Exchange alone holds while the firewall is open.
            assert "outside: open" not in summary(run)
            assert looks(run)["a stranger on the internet"] == "closed"
        assert play("apply", lab.inventory, variables=NO_LOOK).code == 0
    assert play("drift", lab.inventory, variables=NO_LOOK).code == 0


@pytest.mark.core
def test_a_failed_proof_gives_both_layers_back(lab: Lab) -> None:
    before = state(lab)
    # Somebody else's feed has the provider's own address refused above everything, which the model
    # is told to accept.
    config = lab.firewalls["birke"].device.configs["root"]
    config.create("firewall/address", {"name": "blacklist", "subnet": "198.51.100.25/32"})
    key = config.create(
        "firewall/policy",
        {
            "name": "Blacklist",
            "srcintf": [{"name": "wan1"}],
            "dstintf": [{"name": "internal"}],
            "srcaddr": [{"name": "blacklist"}],
            "dstaddr": [{"name": "all"}],
            "service": [{"name": "ALL"}],
            "match-vip": "enable",
        },
    )
    config.move("firewall/policy", str(key), before="1")
    lab.refresh()
    middle = state(lab)
    run = play("apply", lab.inventory, variables=NO_LOOK)
    assert run.code != 0
    assert "provider_shut_out" in run.output
    assert lab.client().counters(HOST)["writes"] == 0, (
        "the firewall is tried before the connectors are written"
    )
    assert state(lab) == middle, (
        "a guard stops before anything is written; what was done before it is undone"
    )
    accepted = {
        "mailedge_fortigate_accept_risks": ["provider_shut_out"],
        "mailedge_fortigate_snapshot_content": "what is left from another night",
    }
    run = play("apply", lab.inventory, variables=accepted)
    assert run.code != 0
    assert "What this run had changed was undone." in summary(run)
    assert "the filtering provider: " in summary(run), "the reason is told"
    assert summary(run).startswith("birke: open."), "as it was before"
    assert state(lab) == middle != before


@pytest.mark.long
def test_a_firewall_that_reboots_in_the_middle(lab: Lab) -> None:
    before = state(lab)
    lab.client().firewall_fault(HOST, reboot_after=requests(lab) + 45)
    run = play("apply", lab.inventory)
    assert run.code != 0
    assert list(pathlib.Path(lab.folder, "birke-firewall", "snapshots").glob("*-apply.json")), (
        "in the middle"
    )
    assert "cannot be reached" in summary(run)
    dump = lab.client().dump(HOST)
    assert (dump["receive_connectors"], dump["send_connectors"]) == before[:2], (
        "the connectors are given back"
    )
    lab.client().firewall_fault(HOST)
    assert play("rollback", lab.inventory).code == 0
    assert state(lab) == before
    run = play("apply", lab.inventory)
    assert run.code == 0, run.output


def test_a_firewall_that_does_not_answer_is_unknown_and_not_in_order(lab: Lab) -> None:
    assert play("apply", lab.inventory, variables=NO_LOOK).code == 0
    lab.client().firewall_fault(HOST, reboot_after=1)
    lab.client().firewall_fault(HOST, html=401)
    run = play("drift", lab.inventory, variables=NO_LOOK)
    assert run.code != 0
    assert summary(run).startswith("birke: unknown. birke-ex1, fortigate way in: ")
    assert "does not accept the token" in summary(run)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["push", "poll"])
def test_ranges_by_a_feed(lab: Lab, mode: str, tmp_path: pathlib.Path) -> None:
    feed: dict[str, t.Any] = {"mode": mode}
    if mode == "poll":
        feed["url"] = "https://lists.example/birke-ipv4.txt"
        # What the device has polled by then.
        device = lab.firewalls["birke"].device
        config = device.configs["root"]
        assert (
            play(
                "apply", lab.inventory, variables={**NO_LOOK, "mailedge_fortigate_feed": feed}
            ).code
            != 0
        ), "an empty feed stops the mail"
        config.create(
            "system/external-resource",
            {
                "name": "birke-feed",
                "resource": feed["url"],
                "type": "address",
                "comments": "mailedge: x",
            },
        )
        config.entries["birke-feed"] = ["198.51.100.0/24", "2001:db8:100::/48"]
    run = play("apply", lab.inventory, variables={"mailedge_fortigate_feed": feed})
    assert run.code == 0, run.output
    assert looks(run)["the filtering provider"] == "open"
    assert looks(run)["a stranger on the internet"] == "closed"
    run = play("apply", lab.inventory, variables={**NO_LOOK, "mailedge_fortigate_feed": feed})
    assert not run.changed, run.output


@pytest.mark.long
def test_outwards_only_from_the_mail_server(lab: Lab) -> None:
    place = lab.hosts[HOST].place
    wish = {
        **NO_LOOK,
        "mailedge_fortigate_outbound": {
            "mail_servers": [place.addresses[0]],
            "smart_hosts": ["198.51.100.0/24"],
            "interfaces": ["wan1"],
        },
    }
    run = play("apply", lab.inventory, variables=wish)
    assert run.code == 0, run.output
    device = lab.firewalls["birke"].device
    assert device.admits(place.addresses[0], "198.51.100.25", 25, "internal")
    assert not device.admits("10.20.9.9", "198.51.100.25", 25, "internal")
    assert not play("apply", lab.inventory, variables=wish).changed
    before = state(lab)
    assert play("rollback", lab.inventory).code == 0
    assert state(lab) != before
    assert device.admits("10.20.9.9", "198.51.100.25", 25, "internal")


def test_the_modules_run_in_check_mode_and_by_module_defaults(lab: Lab) -> None:
    firewall = lab.firewalls["birke"]
    access = {
        "host": "127.0.0.1",
        "api_port": firewall.port,
        "token": firewall.token,
        "ca_path": str(firewall.ca_path),
    }
    tasks: list[dict[str, t.Any]] = [
        {
            "name": "Group",
            "mailedge.lockdown.fortios_address_group": {
                "name": "partners",
                "ranges": ["192.0.2.0/25"],
            },
        },
        {
            "name": "Feed",
            "mailedge.lockdown.fortios_range_feed": {
                "name": "f",
                "mode": "push",
                "ranges": ["192.0.2.0/25"],
            },
        },
        {
            "name": "Outbound",
            "mailedge.lockdown.fortios_outbound_lock": {
                "mail_servers": ["10.20.1.11"],
                "smart_hosts": ["out.filter.example"],
                "interfaces": ["wan1"],
            },
        },
        {
            "name": "Info",
            "mailedge.lockdown.fortios_info": {"sources": ["192.0.2.77"], "interface": "wan1"},
        },
    ]
    book = [
        {
            "name": "All",
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {"group/mailedge.lockdown.fortigate": access},
            "tasks": tasks,
        }
    ]
    before = state(lab)
    run = play(book, lab.inventory, "--check", "--diff")
    assert run.code == 0, run.output
    assert state(lab) == before
    assert [task.result.get("changed") for task in run.tasks] == [True, True, True, False]
    assert run.tasks[-1].result["exposure"][0].startswith("everybody")
