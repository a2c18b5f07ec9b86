# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All layers of a server in one run of a playbook: read at once, refused as a whole, given back."""

from __future__ import annotations

import functools
import json
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.control import LabClient
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost
from ansible_collections.mailedge.lockdown.tests.lab.playing import module, play
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import ALLOW, Rule
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis
from ansible_collections.mailedge.lockdown.tests.support.host_layers import (
    HOST,
    SITE,
    STRANGER,
    layers,
    reaches,
    whole,
)
from ansible_collections.mailedge.lockdown.tests.support.marking import long_after

COLLEAGUE, PROVIDER = "10.20.3.4", "198.51.100.7"
LAYERS = {"exchange", "iis", "windows firewall", "windows tls"}


def _save(iis: Iis, comment: str) -> None:
    iis.text += comment


def test_locked_again_reopened_and_given_back(lab: Lab, host: LabHost, client: LabClient) -> None:
    start = whole(host)
    assert reaches(host, STRANGER) == (True, True)

    run = play("apply", lab.inventory, variables=SITE)
    assert run.code == 0, run.output
    assert {name: layer["state"] for name, layer in layers(run).items()} == dict.fromkeys(
        LAYERS, "in order"
    )
    assert "Looked at: exchange, windows firewall, iis, windows tls." in run.output
    assert reaches(host, STRANGER) == (False, False)
    assert reaches(host, COLLEAGUE) == (True, True)
    assert reaches(host, PROVIDER) == (True, False)

    client.reset_counters(HOST)
    again = play("apply", lab.inventory, variables=SITE)
    assert (again.code, again.changed) == (0, [])
    counted = client.counters(HOST)
    assert (counted["powershell_starts"], counted["exchange_shells"]) == (1, 1), (
        "all layers in one call"
    )

    opened = Rule(name="Opened by hand", ports=[(25, 25)], remote=["*"], enabled=True, action=ALLOW)
    host.exchange.windows.firewall.add(opened)
    assert reaches(host, STRANGER) == (True, False)
    drift = play("drift", lab.inventory, variables=SITE)
    assert drift.code != 0
    assert layers(drift)["windows firewall"]["state"] == "open"
    assert {layers(drift)[name]["state"] for name in LAYERS - {"windows firewall"}} == {"in order"}
    assert play("apply", lab.inventory, variables=SITE).code == 0
    assert reaches(host, STRANGER) == (False, False)

    back = play(
        "rollback", lab.inventory, variables={**SITE, **dict.fromkeys(ORIGINAL, "original")}
    )
    assert back.code == 0, back.output
    assert "was passed over" not in back.output, "the snapshot of another layer is none to speak of"
    host.exchange.windows.firewall.rules.remove(opened)
    assert whole(host) == start


ORIGINAL = [
    f"mailedge_{layer}_snapshot" for layer in ("exchange", "iis", "windows_firewall", "windows_tls")
]


def test_nothing_is_written_where_one_of_them_is_refused(lab: Lab, host: LabHost) -> None:
    start = whole(host)
    # Nobody has said which domain controllers there are.
    unsaid = {name: value for name, value in SITE.items() if "domain_controllers" not in name}
    run = play("apply", lab.inventory, variables=unsaid)
    assert run.code != 0
    assert "domain_controllers_unnamed" in run.output
    assert "Nothing was changed here, because windows firewall cannot be changed." in run.output
    assert whole(host) == start
    # Who is to blame comes first, wherever one line is all that is read.
    why = "The option domain_controllers does not say which domain controllers there are"
    (line,) = [text for text in run.output.splitlines() if text.startswith("birke: ")]
    assert line.startswith(f"birke: open. birke-ex1, windows firewall: {why}"), line
    (failed,) = run.of("Fail the host")
    assert f"outside: not looked at). {why}" in failed.result["msg"]
    (locking,) = run.of("Lock the layers of the server")
    assert locking.result["msg"].startswith(why)


def test_a_later_layer_that_fails_has_the_earlier_ones_undone(lab: Lab, host: LabHost) -> None:
    start = whole(host)
    iis = host.exchange.windows.iis
    # A colleague saves the file of IIS whenever we are about to; connectors and rules were written
    # before.
    for comment in ("<!-- saved -->", "<!-- saved again -->"):
        iis.once_before_commit(functools.partial(_save, iis, comment))
    run = play("apply", lab.inventory, variables=SITE)
    assert run.code != 0
    print(run.output)
    assert "What this run had changed was undone." in run.output
    assert (whole(host)[0], whole(host)[3]) == (start[0], start[3])
    assert layers(run)["exchange"]["restored"]


@pytest.mark.long
def test_the_lease_of_a_dead_run_is_taken_over_once_for_all_layers(lab: Lab, host: LabHost) -> None:
    assert play("apply", lab.inventory, variables=SITE).code == 0
    (file,) = lab.inventory.parent.rglob("0-lease.json")
    held = json.loads(file.read_text(encoding="utf-8"))
    over = {"since": "2026-01-01T00:00:00.000Z", "until": "2026-01-01T01:00:00.000Z"}
    file.write_text(
        json.dumps({**held, **over, "run_id": "dead42", "ended": False}), encoding="utf-8"
    )
    # The connectors are in order, the rules are not, and the two layers behind them are.
    opened = Rule(name="Opened by hand", ports=[(25, 25)], remote=["*"], enabled=True, action=ALLOW)
    host.exchange.windows.firewall.add(opened)
    run = play("apply", lab.inventory, variables=SITE)
    assert run.code == 0, run.output
    assert reaches(host, STRANGER) == (False, False)
    # What the rules were written under is still the run's own, until it is proven.
    written = layers(run)["windows firewall"]["lease"]["run_id"]
    left = json.loads(file.read_text(encoding="utf-8"))
    assert (left["run_id"], left["ended"]) == (written, True)


@pytest.mark.parametrize("named", long_after(1, ["iis", "windows_tls"]))
def test_a_rollback_of_one_layer_leaves_the_others(lab: Lab, host: LabHost, named: str) -> None:
    start = whole(host)
    assert play("apply", lab.inventory, variables=SITE).code == 0
    locked = whole(host)
    run = play(
        "rollback", lab.inventory, variables={**SITE, f"mailedge_{named}_snapshot": "latest"}
    )
    assert run.code == 0, run.output
    place = {"iis": 2, "windows_tls": 1}[named]
    assert whole(host) == (*locked[:place], start[place], *locked[place + 1 :])


@pytest.mark.long
def test_the_snapshots_of_every_layer_are_listed_as_its_own(
    lab: Lab, host: LabHost, client: LabClient
) -> None:
    assert play("snapshots", lab.inventory, variables=SITE).code == 0, "none at all is no failure"
    assert play("apply", lab.inventory, variables=SITE).code == 0
    locked = whole(host)
    client.reset_counters(HOST)
    run = play("snapshots", lab.inventory, variables=SITE)
    assert run.code == 0, run.output
    assert whole(host) == locked
    counted = client.counters(HOST)
    assert (counted["powershell_starts"], counted["exchange_shells"]) == (1, 0)
    assert "birke: listed. Looked at: exchange, windows firewall, iis, windows tls." in run.output
    for name, layer in layers(run).items():
        assert [kept["state"] for kept in layer["snapshots"]] == ["usable"], (name, layer)
        (kept,) = layer["snapshots"]
        back = play(
            "rollback",
            lab.inventory,
            variables={**SITE, f"mailedge_{name.replace(' ', '_')}_snapshot": kept["name"]},
        )
        assert back.code == 0, back.output


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param(
            {"mailedge_iis_accept_risks": ["nonsense"]}, "nonsense", marks=pytest.mark.long
        ),
        pytest.param(
            {"mailedge_iis_snapshot": "the one of yesterday"},
            "is not the name of a snapshot",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"mailedge_iis_snapshot": "20260114T101500.250Z-4f1c2a-apply.json"},
            "There is no snapshot named",
            marks=pytest.mark.long,
        ),
        ({"mailedge_iis_site": "Elsewhere"}, "There is no site 'Elsewhere'"),
    ],
)
def test_a_rollback_goes_as_far_as_it_can(
    lab: Lab, host: LabHost, wrong: dict[str, t.Any], said: str
) -> None:
    start = whole(host)
    assert play("apply", lab.inventory, variables=SITE).code == 0
    locked = whole(host)
    named = {**dict.fromkeys(ORIGINAL, "latest"), **wrong}
    run = play("rollback", lab.inventory, variables={**SITE, **named})
    assert whole(host) == (*start[:2], locked[2], start[3]), run.output
    assert run.code != 0, "that one was not given back is told"
    assert said in layers(run)["iis"]["msg"]


def test_why_one_layer_was_not_given_back_is_not_that_others_were_left_alone(lab: Lab) -> None:
    run = play("rollback", lab.inventory, variables={**SITE, "mailedge_iis_snapshot": "latest"})
    assert run.code != 0
    (failure,) = run.of("Fail the host")
    assert "There is no snapshot of a change" in failure.result["msg"]
    assert "Only mailedge_iis_snapshot is named" not in failure.result["msg"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"layers": ["windows_firewall"]},
            "The layers are: exchange, windows firewall, iis, windows tls.",
        ),
        ({"undo": {"web site": "latest"}}, "The option undo names 'web site', which is no layer."),
        (
            {"playbook": "drift"},
            "The playbook drift only looks: set check_mode to true for the task.",
        ),
    ],
)
def test_a_task_that_would_do_nothing_or_too_much_is_refused(
    lab: Lab, host: LabHost, options: dict[str, t.Any], said: str
) -> None:
    start = whole(host)
    run = play(module("host_lock", HOST, options), lab.inventory, variables=SITE)
    assert run.code != 0, run.output
    assert said in run.tasks[-1].result["msg"]
    assert whole(host) == start


def test_a_task_that_lists_snapshots_writes_nothing(lab: Lab, host: LabHost) -> None:
    start = whole(host)
    run = play(module("host_lock", HOST, {"playbook": "snapshots"}), lab.inventory, variables=SITE)
    assert (run.code, run.changed, whole(host)) == (0, [], start)


@pytest.mark.parametrize(
    "name", ["exchange_mail_flow", "iis_path_blocks", "windows_firewall_rules", "windows_tls"]
)
def test_a_snapshot_without_a_name_is_refused(lab: Lab, host: LabHost, name: str) -> None:
    """As a variable that was to have one is empty; TLS was set where it was to be given back."""
    start = whole(host)
    run = play(module(name, HOST, {"snapshot": " "}), lab.inventory)
    assert run.code != 0, run.output
    assert "The option snapshot is empty." in run.tasks[-1].result["msg"]
    assert whole(host) == start


@pytest.mark.long
def test_a_snapshot_of_a_layer_that_is_not_managed_is_not_passed_over(
    lab: Lab, host: LabHost
) -> None:
    assert play("apply", lab.inventory, variables=SITE).code == 0
    described = {name: value for name, value in SITE.items() if name != "mailedge_exchange_publish"}
    named = {**described, "mailedge_iis_snapshot": "latest"}
    back = [
        {
            "ansible.builtin.include_role": {
                "name": "mailedge.lockdown.iis",
                "tasks_from": "rollback",
            }
        }
    ]
    roles = [{"hosts": HOST, "gather_facts": False, "tasks": back}]
    for run in (
        play(roles, lab.inventory, variables=named),
        play("rollback", lab.inventory, variables=named),
    ):
        assert run.code != 0, run.output
        assert "set mailedge_iis_enabled to true for this run." in run.output
    # Also where another layer is given back, and stands open then.
    both = {**named, "mailedge_exchange_snapshot": "latest"}
    assert play("rollback", lab.inventory, variables=both).code != 0
    assert play(roles, lab.inventory, variables={**named, "mailedge_iis_enabled": True}).code == 0
    assert reaches(host, STRANGER) == (False, True)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("windows_tls", {"time_limit": -1}, "The option time_limit is -1: name 1 to 86400"),
        (
            "iis_path_blocks",
            {"blocks": [{"path": "/ecp"}], "time_limit": 10**12},
            "The option time_limit is 1000000000000: name 1 to 86400 seconds.",
        ),
        (
            "windows_firewall_rules",
            {"ports": [True], "remote_addresses": ["198.51.100.0/24"]},
            "must list TCP ports from 1 to 65535, not True",
        ),
    ],
)
def test_a_number_that_is_none_is_refused_before_the_server_is_asked(
    lab: Lab, client: LabClient, name: str, options: dict[str, t.Any], said: str
) -> None:
    client.reset_counters(HOST)
    run = play(module(name, HOST, options), lab.inventory)
    assert run.code != 0, run.output
    assert said in run.tasks[-1].result["msg"]
    assert client.counters(HOST)["powershell_starts"] == 0
