# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks as users run them: ansible-playbook, a real connection plugin, a lab behind it, probes from every side."""

from __future__ import annotations

import concurrent.futures
import pathlib
import time
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, module, play
from ansible_collections.mailedge.lockdown.tests.lab.runner import find_pwsh
from ansible_collections.mailedge.lockdown.tests.lab.site import Site

HOST = "birke-ex1"

STAND_IN = ""
REAL = pytest.param(
    None, marks=pytest.mark.skipif(not find_pwsh(), reason="no PowerShell: set PWSH or put pwsh on PATH")
)


def site(edition: str, pwsh: str | None = STAND_IN) -> Lab:
    return Lab([Site("birke", (edition,))], pwsh=pwsh)


def connectors(lab: Lab) -> tuple[t.Any, t.Any]:
    dump = lab.client().ask("dump", host=HOST)
    return dump["receive_connectors"], dump["send_connectors"]


def recap(run: Run, host: str = HOST) -> dict[str, int]:
    """The numbers of the last line of a run."""
    line = next(line for line in reversed(run.output.splitlines()) if line.startswith(f"{host} "))
    return {key: int(value) for key, value in (part.split("=") for part in line.split(":", 1)[1].split())}


def only(run: Run) -> dict[str, t.Any]:
    """The result of a playbook of one task."""
    assert len(run.tasks) == 1, run.output
    return run.tasks[0].result


@pytest.mark.parametrize(
    ("edition", "connection", "pwsh"),
    [
        ("2007-rtm", "winrm", STAND_IN),
        ("2010", "psrp", STAND_IN),
        ("sbs-2011", "winrm", STAND_IN),
        ("2013", "winrm", STAND_IN),
        ("2019", "psrp", STAND_IN),
        ("edge", "psrp", STAND_IN),
        pytest.param("2007", "psrp", None, marks=REAL.marks),
        pytest.param("se", "winrm", None, marks=REAL.marks),
    ],
)
def test_a_site_is_locked_proven_checked_and_given_back(edition: str, connection: str, pwsh: str | None) -> None:
    with site(edition, pwsh) as lab:
        client, how = lab.client(), {"mailedge_lab_connection": connection}
        start = connectors(lab)

        run = play("apply", lab.inventory, variables=how)
        assert run.code == 0, run.output
        counted = client.ask("counters", host=HOST)
        assert (counted["powershell_starts"], counted["exchange_shells"]) == (2, 2)
        locked = connectors(lab)

        client.ask("reset_counters", host=HOST)
        run = play("apply", lab.inventory, variables=how)
        assert run.code == 0, run.output
        assert recap(run)["changed"] == 0
        counted = client.ask("counters", host=HOST)
        assert (counted["powershell_starts"], counted["exchange_shells"], counted["writes"]) == (1, 1, 0)

        client.ask("open_door", host=HOST)
        run = play("drift", lab.inventory, variables=how)
        assert run.code != 0
        assert recap(run, "localhost")["failed"] == 1
        assert any("anonymous mail accepted → refused" in line for line in run.mail_flow()["exposure"]["words"])
        assert play("apply", lab.inventory, variables=how).code == 0
        # The connector that a colleague made is closed, not removed: it is not ours.
        assert {name: locked[0][name] for name in locked[0]} == {name: connectors(lab)[0][name] for name in locked[0]}

        name = next(iter(sorted(one for one in client.ask("files", host=HOST) if one.endswith("-apply.json"))))
        run = play("rollback", lab.inventory, variables={**how, "mailedge_snapshot": name.rsplit("/", 1)[-1]})
        assert run.code == 0, run.output
        found = connectors(lab)
        assert {name: found[0][name] for name in start[0]} == start[0]
        assert found[1] == start[1]
        for conversation in client.ask("conversations", host=HOST):
            assert not {"DATA", "BDAT", "VRFY", "AUTH"} & {
                command.split(" ")[0].upper() for command in conversation["commands"]
            }


@pytest.mark.parametrize("editions", [("2007", "2013"), ("2010", "2016")])
def test_two_versions_in_one_organization(editions: tuple[str, str]) -> None:
    with Lab([Site("birke", editions)], pwsh=STAND_IN) as lab:

        def state() -> t.Any:
            dumps = {host: lab.client().dump(host) for host in lab.hosts}
            return {host: (dump["receive_connectors"], dump["send_connectors"]) for host, dump in dumps.items()}

        start = state()
        run = play("apply", lab.inventory)
        assert run.code == 0, run.output
        assert [len(task.result["plan"]) for task in run.changed] == [3, 3]
        run = play("apply", lab.inventory)
        assert run.code == 0, run.output
        assert not run.changed
        run = play("rollback", lab.inventory)
        assert run.code == 0, run.output
        assert state() == start


def test_a_network_that_is_named_after_the_lock_is_let_in_and_one_that_cannot_be_is_told() -> None:
    keeper, more = "Mail from filter (own networks)", ["10.20.0.0/16", "2001:db8:20::/48", "192.168.40.0/24"]
    with site("2016") as lab:
        assert play("apply", lab.inventory).code == 0
        run = play("apply", lab.inventory, variables={"mailedge_own_networks": more})
        assert run.code == 0, run.output
        plan = run.mail_flow()["plan"]
        assert plan == [f"Change the receive connector '{keeper}': remote_ip_ranges gains 192.168.40.0/24."]

        lab.client().tamper(HOST, "Remove-ReceiveConnector", Identity=f"EX1\\{keeper}", Confirm=False)
        run = play("drift", lab.inventory, variables={"mailedge_own_networks": more})
        assert not run.mail_flow()["plan"]
        assert [one["id"] for one in run.mail_flow()["guards"]] == ["own_networks_refused"]
        assert "are refused without a login, and this lock leaves that as it is" in " ".join(run.output.split())


A_PROOF_THAT_FAILS = {
    "mailedge_probes": [
        {"name": "a stranger who is expected to get in", "source_address": "127.0.2.1", "expect": "open"}
    ]
}


def test_a_proof_that_fails_undoes_what_the_run_changed() -> None:
    with site("2016") as lab:
        start = connectors(lab)
        run = play("apply", lab.inventory, variables=A_PROOF_THAT_FAILS)
        assert run.code != 0
        assert "What this run had changed was undone." in run.output
        assert connectors(lab) == start


def test_a_proof_that_fails_where_nothing_was_changed_undoes_nothing() -> None:
    with site("2016") as lab:
        assert play("apply", lab.inventory).code == 0
        locked = connectors(lab)
        run = play("apply", lab.inventory, variables=A_PROOF_THAT_FAILS)
        assert run.code != 0
        assert "nothing was undone" in run.output
        assert connectors(lab) == locked


@pytest.mark.parametrize("connection", ["winrm", "psrp"])
def test_a_host_that_refuses_the_login_is_unreachable_and_the_drift_report_says_so(connection: str) -> None:
    with site("2016") as lab:
        lab.client().fault(HOST, kind="refuse_login", times=0)
        how = {"mailedge_lab_connection": connection}
        run = play(module("exchange_mail_flow_info", "mailedge", {}), lab.inventory, variables=how)
        assert recap(run)["unreachable"] == 1, run.output
        run = play("drift", lab.inventory, variables=how)
        assert run.code != 0
        assert f"{HOST}: unknown" in run.output


def test_become_is_refused_before_anything_is_sent() -> None:
    with site("2016") as lab:
        task = module(
            "exchange_mail_flow_info", "mailedge", {}, become=True, become_method="runas", become_user="SYSTEM"
        )
        result = only(play(task, lab.inventory))
        assert result["failed"]
        assert "become" in result["msg"]
        assert lab.client().ask("counters", host=HOST)["http_requests"] == 0


@pytest.mark.parametrize("connection", ["winrm", "psrp"])
def test_a_call_that_hangs_ends_in_a_clear_error_inside_the_time_limit(connection: str) -> None:
    with site("2016") as lab:
        lab.client().fault(HOST, kind="hang", at="call:Get-ReceiveConnector", seconds=600)
        begun = time.monotonic()
        task = module("exchange_mail_flow_info", "mailedge", {"time_limit": 6})
        run = play(task, lab.inventory, variables={"mailedge_lab_connection": connection}, timeout=90)
        assert time.monotonic() - begun < 60
        assert "within 6 seconds" in only(run)["msg"], run.output


def test_two_runs_at_once_leave_one_consistent_lock() -> None:
    with site("2016") as lab:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            runs = list(pool.map(lambda _number: play("apply", lab.inventory), range(2)))
        assert any(run.code == 0 for run in runs), runs[0].output
        for run in runs:
            if run.code:
                assert run.mail_flow()["error"]["class"] in ("Mailedge.StateChanged", "Mailedge.Busy"), run.output
        run = play("apply", lab.inventory)
        assert run.code == 0, run.output
        assert recap(run)["changed"] == 0


def test_a_site_without_a_provider_is_refused_before_anything_is_sent() -> None:
    with site("2016") as lab:
        run = play("apply", lab.inventory, variables={"mailedge_provider_ranges": []})
        assert run.code != 0
        assert "names no provider range" in run.output
        assert lab.client().ask("counters", host=HOST)["http_requests"] == 0


SENTENCES: list[tuple[str, dict[str, t.Any], str]] = [
    ("exchange_mail_flow", {"inbound_lock": {}, "provider_ranges": ["198.51.100.0/33"]}, "198.51.100.0/33"),
    ("exchange_mail_flow", {"inbound_lock": {}, "provider_ranges": ["198.51.100.9-198.51.100.1"]}, "198.51.100.9"),
    ("exchange_mail_flow", {"inbound_lock": {}, "provider_ranges": ["198.51.100.1-2001:db8::1"]}, "2001:db8::1"),
    ("exchange_receive_connector", {"name": "x", "permission_groups": ["Everybody"]}, "Everybody"),
    ("exchange_receive_connector", {"name": "x", "max_hop_count": 501}, "max_hop_count"),
]
REFUSED: list[tuple[str, dict[str, t.Any], str]] = [
    ("exchange_mail_flow", {"inbound_lock": {}, "provider_ranges": ["0.0.0.0/0"]}, "range_too_wide"),
    (
        "exchange_receive_connector",
        {"name": "Client Frontend EX1", "auth_mechanism": ["BasicAuthRequireTLS"]},
        "BasicAuth",
    ),
    (
        "exchange_receive_connector",
        {"name": "x" * 65, "remote_ip_ranges": ["10.0.0.1"], "bindings": ["0.0.0.0:25"]},
        "64",
    ),
]


def test_bad_input_gets_one_sentence_each_and_writes_nothing() -> None:
    with site("2016") as lab:
        client = lab.client()
        for number, (name, arguments, clause) in enumerate([*SENTENCES, *REFUSED]):
            result = only(play(module(name, "mailedge", arguments), lab.inventory))
            assert result["failed"], arguments
            assert clause in result["msg"], result["msg"]
            assert "Traceback" not in str(result)
            if number < len(SENTENCES):
                assert client.ask("counters", host=HOST)["http_requests"] == 0
        assert client.ask("counters", host=HOST)["writes"] == 0


def test_a_parameter_that_the_version_lacks_is_named_before_anything_is_written() -> None:
    with site("2010") as lab:
        arguments = {"name": "Client EX1", "tls_certificate_name": "<I>CN=a<S>CN=b"}
        result = only(play(module("exchange_receive_connector", "mailedge", arguments), lab.inventory))
        assert result["failed"]
        assert "tls_certificate_name" in result["msg"]
        assert "2013" in result["msg"]
        assert lab.client().ask("counters", host=HOST)["writes"] == 0


NASTY = "\u2018one\u2019 \u201atwo\u201b \u201cthree\u201e 'four' \"five\" `$(boom) $env:x ; | & %PATH% {0} ~n ü 漢字 \U0001f4ee"


@pytest.mark.parametrize("connection", ["winrm", "psrp"])
@pytest.mark.parametrize("pwsh", [STAND_IN, REAL])
def test_quotes_and_metacharacters_arrive_unharmed(connection: str, pwsh: str | None) -> None:
    with site("2016", pwsh) as lab:
        options = {"remote_ip_ranges": ["10.9.9.9"], "bindings": ["0.0.0.0:25"], "permission_groups": ["ExchangeUsers"]}
        texts = {"comment": NASTY, "banner": f"220 {NASTY}", "tls_certificate_name": f"<I>CN={NASTY}<S>CN={NASTY}"}
        given = {"name": "Scanner \u20181\u2019 $(x)", **texts, **options}
        task = module("exchange_receive_connector", "mailedge", given)
        run = play(task, lab.inventory, variables={"mailedge_lab_connection": connection})
        assert run.code == 0, run.output
        found = connectors(lab)[0]["Scanner \u20181\u2019 $(x)"]
        assert {option: found[option] for option in texts} == texts
        again = play(task, lab.inventory, variables={"mailedge_lab_connection": connection})
        assert recap(again)["changed"] == 0, again.output


def test_several_sites_at_once_and_one_owner_of_each_sites_send_connectors() -> None:
    with Lab(pwsh=STAND_IN) as lab:
        outbound = {
            "mailedge_outbound": {"smart_hosts": ["127.0.0.1"], "port": 9},
            "mailedge_accept_risks": ["smart_host_unreachable"],
        }
        run = play("apply", lab.inventory, variables=outbound)
        assert run.code == 0, run.output
        made = {host: "Mail to filter" in " ".join(run.mail_flow(host)["plan"]) for host in lab.hosts}
        assert made == {"birke-ex1": True, "birke-ex2": False, "hafen-ex1": True, "nordlicht-ex1": True}
        run = play("apply", lab.inventory, variables=outbound)
        assert {host: recap(run, host)["changed"] for host in lab.hosts} == dict.fromkeys(lab.hosts, 0), run.output
        # Each site is reported, also where only one differs.
        lab.client().ask("open_door", host="hafen-ex1")
        run = play("drift", lab.inventory, variables=outbound)
        assert "Not as described: hafen-ex1." in run.output
        assert "birke-ex2: in order" in run.output


def test_the_example_inventory_describes_what_the_role_takes() -> None:
    examples = pathlib.Path(__file__).parents[2] / "docs" / "example_inventory"
    check = [
        {
            "name": "Check",
            "hosts": "mailedge",
            "gather_facts": False,
            "connection": "local",
            "tasks": [
                {
                    "name": "Validate",
                    "ansible.builtin.validate_argument_spec": {
                        "argument_spec": "{{ options }}",
                        "provided_arguments": "{{ dict(names | zip(names | map('extract', vars))) }}",
                    },
                    "vars": {
                        "names": "{{ vars.keys() | select('in', options) }}",
                        "vault_nordlicht_smart_host_password": "from a vault",
                        "vault_birke_fortigate_token": "from a vault",
                    },
                }
            ],
        }
    ]
    options: dict[str, object] = {}
    for role in ("site", "exchange", "fortigate", "probe"):
        spec = examples.parents[1] / "roles" / role / "meta" / "argument_specs.yml"
        options |= yaml.safe_load(spec.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    run = play(check, examples / "hosts.yml", variables={"options": options})
    assert run.code == 0, run.output
    assert {task.host for task in run.tasks} == {"birke-ex1", "birke-ex2", "hafen-ex1", "nordlicht-sbs"}
