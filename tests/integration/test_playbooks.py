# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks as users run them: ansible-playbook, a real connection plugin, a lab behind it,
probes from every side.
"""

from __future__ import annotations

import concurrent.futures
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.playbook_runs import (
    HOST,
    NO_LOOK,
    REAL,
    STAND_IN,
    connectors,
    only,
    recap,
    report,
    site,
)
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, module, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site


def states(run: Run) -> dict[str, str]:
    """Host → the state that the run gave it."""
    return t.cast("dict[str, str]", run.of("Say what was found")[-1].result["verdicts"])


@pytest.mark.parametrize(
    ("editions", "pwsh"),
    [
        # One over each connection; every edition in process, in test_every_edition.py.
        pytest.param({"ten": "2010", "nineteen": "2019"}, STAND_IN, marks=pytest.mark.core),
        pytest.param(
            {
                "rtm": "2007-rtm",
                "ten": "2010",
                "sbs": "sbs-2011",
                "thirteen": "2013",
                "nineteen": "2019",
                "edge": "edge",
            },
            STAND_IN,
            marks=pytest.mark.long,
        ),
        # tests/integration/test_standin_agrees.py holds the stand-in against the engine, edition by
        # edition.
        pytest.param({"se": "se"}, None, marks=[*REAL.marks, pytest.mark.long]),
    ],
)
def test_sites_are_locked_proven_checked_and_given_back(
    editions: dict[str, str], pwsh: str | None
) -> None:
    """Every other site over winrm, the others over psrp; the looks from outside, before and after,
    are what proves it.
    """
    with Lab([Site(name, (edition,)) for name, edition in editions.items()], pwsh=pwsh) as lab:
        client, hosts = lab.client(), [f"{name}-ex1" for name in editions]
        how = {
            (
                "lab_connection"
            ): f"{{{{ 'psrp' if inventory_hostname in {hosts[::2]!r} else 'winrm' }}}}"
        }
        forks = ("--forks", "6")

        def dump(host: str) -> tuple[t.Any, t.Any]:
            connectors = client.dump(host)
            return connectors["receive_connectors"], connectors["send_connectors"]

        def cost(host: str) -> tuple[int, int, bool]:
            counted = client.counters(host)
            return counted["powershell_starts"], counted["exchange_shells"], counted["writes"] > 0

        start = {host: dump(host) for host in hosts}
        run = play("apply", lab.inventory, *forks, variables=how)
        assert run.code == 0, run.output
        assert states(run) == dict.fromkeys(hosts, "in order")
        assert report(run).count("a stranger on the internet at") >= len(hosts)
        looks = [task for task in run.of("Look at the server") if task.status == "item_ok"]
        assert len(looks) == 2 * len(hosts), (
            "one task a host that looks, before and after, whatever number of looks"
        )
        assert "open → closed" in report(run)
        # Read and write; and a start without an Exchange shell, which ends the lease after the
        # proof.
        assert {host: cost(host) for host in hosts} == dict.fromkeys(hosts, (3, 2, True))
        locked = {host: dump(host) for host in hosts}

        for host in hosts:
            client.reset_counters(host)
        run = play("apply", lab.inventory, *forks, variables=how)
        assert run.code == 0, run.output
        assert not run.changed
        assert {host: cost(host) for host in hosts} == dict.fromkeys(hosts, (1, 1, False))

        # The real engine takes seconds for each of these, and reads and writes as above.
        if pwsh == STAND_IN:
            for host in hosts:
                client.open_door(host)
            run = play("drift", lab.inventory, *forks, variables={**how, **NO_LOOK})
            assert run.code != 0
            assert states(run) == dict.fromkeys(hosts, "open")
            assert {
                task.host for task in run.of("Fail the host") if task.status == "failed"
            } == set(hosts)
            for host in hosts:
                words = run.mail_flow(host)["exposure"]["words"]
                assert any(
                    "anonymous mail accepted" in line and " → refused" in line for line in words
                )
            assert play("apply", lab.inventory, *forks, variables={**how, **NO_LOOK}).code == 0
            for host in hosts:
                # The connector that a colleague made is closed, not removed: it is not ours.
                now = dump(host)[0]
                assert {name: now[name] for name in locked[host][0]} == locked[host][0]

        run = play(
            "rollback",
            lab.inventory,
            *forks,
            variables={**how, "mailedge_exchange_snapshot": "original"},
        )
        assert run.code == 0, run.output
        for host in hosts:
            now = dump(host)
            assert {name: now[0][name] for name in start[host][0]} == start[host][0]
            assert now[1] == start[host][1]
            for conversation in client.conversations(host):
                verbs = {command.split(" ")[0].upper() for command in conversation["commands"]}
                assert not {"DATA", "BDAT", "VRFY", "EXPN", "AUTH"} & verbs


@pytest.mark.long
@pytest.mark.parametrize("editions", [("2007", "2013"), ("2010", "2016")])
def test_two_versions_in_one_organization(editions: tuple[str, str]) -> None:
    with Lab([Site("birke", editions)], pwsh=STAND_IN) as lab:

        def state() -> t.Any:
            dumps = {host: lab.client().dump(host) for host in lab.hosts}
            return {
                host: (dump["receive_connectors"], dump["send_connectors"])
                for host, dump in dumps.items()
            }

        start = state()
        run = play("apply", lab.inventory)
        assert run.code == 0, run.output
        assert [len(run.mail_flow(task.host)["plan"]) for task in run.changed] == [3, 3]
        run = play("apply", lab.inventory, variables=NO_LOOK)
        assert run.code == 0, run.output
        assert not run.changed
        run = play("rollback", lab.inventory)
        assert run.code == 0, run.output
        assert state() == start


def test_a_network_that_is_named_after_the_lock_is_let_in_and_one_that_cannot_be_is_told() -> None:
    keeper, more = (
        "Mail from filter (own networks)",
        ["10.20.0.0/16", "2001:db8:20::/48", "192.168.40.0/24"],
    )
    with site("2016") as lab:
        assert play("apply", lab.inventory, variables=NO_LOOK).code == 0
        run = play("apply", lab.inventory, variables={**NO_LOOK, "mailedge_own_networks": more})
        assert run.code == 0, run.output
        plan = run.mail_flow()["plan"]
        assert plan == [
            f"Change the receive connector '{keeper}': remote_ip_ranges gains 192.168.40.0/24."
        ]

        lab.client().tamper(
            HOST, "Remove-ReceiveConnector", Identity=f"EX1\\{keeper}", Confirm=False
        )
        run = play("drift", lab.inventory, variables={**NO_LOOK, "mailedge_own_networks": more})
        assert not run.mail_flow()["plan"]
        assert [finding["id"] for finding in run.mail_flow()["guards"]] == ["own_networks_refused"]
        assert "are refused without a login, and this lock leaves that as it is" in " ".join(
            run.output.split()
        )


A_PROOF_THAT_FAILS = {
    "mailedge_probe_looks": [
        {
            "name": "a stranger who is expected to get in",
            "source_address": "127.0.2.1",
            "expect": "open",
        }
    ]
}


def test_a_proof_that_fails_undoes_what_the_run_changed() -> None:
    with site("2016") as lab:
        start = connectors(lab)
        run = play("apply", lab.inventory, variables=A_PROOF_THAT_FAILS)
        assert run.code != 0
        assert "What this run had changed was undone." in report(run)
        assert "A look" not in report(run)
        assert "a stranger who is expected to get in: " in report(run)
        assert states(run) == {HOST: "open"}, "as it was before"
        assert connectors(lab) == start
        lease = only(play(module("exchange_mail_flow_info", "mailedge", {}), lab.inventory))[
            "lease"
        ]
        assert not lease["held"], "nothing is undone any more"


def test_an_apply_and_a_drift_that_meet_another_run_say_whose_the_server_is() -> None:
    with site("2016") as lab:
        lock = {
            "provider_ranges": "{{ mailedge_provider_ranges }}",
            "own_networks": "{{ mailedge_own_networks }}",
            "inbound_lock": {},
            "lease": {"run_id": "night42"},
        }
        done = only(play(module("exchange_mail_flow", "mailedge", lock), lab.inventory))
        assert done["lease"]["held"], done
        writes = lab.client().counters(HOST)["writes"]
        for playbook in ("drift", "apply"):
            run = play(playbook, lab.inventory, variables=NO_LOOK)
            assert run.code != 0
            assert states(run) == {HOST: "unknown"}
            assert "leased by the run night42" in report(run)
        assert lab.client().counters(HOST)["writes"] == writes
        over = {**NO_LOOK, "mailedge_exchange_accept_risks": ["leased"]}
        run = play("apply", lab.inventory, variables=over)
        assert run.code == 0, run.output
        assert play("drift", lab.inventory, variables=NO_LOOK).code == 0


@pytest.mark.long
def test_a_proof_that_fails_where_nothing_was_changed_undoes_nothing() -> None:
    with site("2016") as lab:
        assert play("apply", lab.inventory, variables=NO_LOOK).code == 0
        locked = connectors(lab)
        run = play("apply", lab.inventory, variables=A_PROOF_THAT_FAILS)
        assert run.code != 0
        assert "nothing was undone" in report(run)
        assert connectors(lab) == locked


def test_two_runs_at_once_leave_one_consistent_lock() -> None:
    with site("2016") as lab:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            runs = list(
                pool.map(lambda _number: play("apply", lab.inventory, variables=NO_LOOK), range(2))
            )
        assert any(run.code == 0 for run in runs), runs[0].output
        for run in runs:
            if run.code:
                result = run.mail_flow()
                refusals = [
                    guard["id"] for guard in result.get("guards", []) if guard["severity"] == "stop"
                ]
                refused = ("Mailedge.StateChanged", "Mailedge.Busy", "Mailedge.SnapshotFailed")
                assert refusals == ["leased"] or result["error"]["class"] in refused, run.output
        run = play("apply", lab.inventory, variables=NO_LOOK)
        assert run.code == 0, run.output
        assert recap(run)["changed"] == 0


@pytest.mark.long
def test_several_sites_at_once_and_one_owner_of_each_sites_send_connectors() -> None:
    with Lab(pwsh=STAND_IN) as lab:
        outbound = {
            **NO_LOOK,
            "mailedge_exchange_outbound": {"smart_hosts": ["127.0.0.1"], "port": 9},
            "mailedge_exchange_accept_risks": ["smart_host_unreachable"],
        }
        run = play("apply", lab.inventory, variables=outbound)
        assert run.code == 0, run.output
        made = {
            host: "Mail to filter" in " ".join(run.mail_flow(host)["plan"]) for host in lab.hosts
        }
        assert made == {
            "birke-ex1": True,
            "birke-ex2": False,
            "hafen-ex1": True,
            "nordlicht-ex1": True,
        }
        run = play("apply", lab.inventory, variables=outbound)
        assert {host: recap(run, host)["changed"] for host in lab.hosts} == dict.fromkeys(
            lab.hosts, 0
        ), run.output
        # Each site is reported, also where only one differs.
        lab.client().ask("open_door", host="hafen-ex1")
        run = play("drift", lab.inventory, variables=outbound)
        assert [line.partition(".")[0] for line in report(run).splitlines()[:3]] == [
            "hafen: open",
            "birke: in order",
            "nordlicht: in order",
        ]


@pytest.mark.core
def test_the_example_inventory_describes_sites_that_can_be_locked() -> None:
    examples = pathlib.Path(__file__).parents[2] / "docs" / "example_inventory"
    vault = {
        "vault_nordlicht_smart_host_password": "from a vault",
        "vault_birke_fortigate_token": "from a vault",
    }
    tasks = [
        {"name": "Describe", "ansible.builtin.include_role": {"name": "mailedge.lockdown.site"}}
    ]
    book = [
        {
            "name": "Check",
            "hosts": "mailedge",
            "gather_facts": False,
            "connection": "local",
            "tasks": tasks,
        }
    ]
    run = play(book, examples / "hosts.yml", variables=vault)
    assert run.code == 0, run.output
    layers = {task.host: task.result["layers"] for task in run.of("Check and convert")}
    assert layers == {
        "birke-ex1": ["exchange", "fortigate way in", "outside"],
        "birke-ex2": ["exchange", "outside"],
        "hafen-ex1": ["exchange", "outside"],
        "nordlicht-sbs": ["exchange", "outside"],
    }
