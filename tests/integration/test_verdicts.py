# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No run is green that has not looked: selections, limits, tags, empty answers, misspelt names,
hosts that never ran.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import sys
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.options import options
from ansible_collections.mailedge.lockdown.tests.integration.playbook_runs import NO_LOOK, summary
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import COLLECTIONS, Run, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site

PLAYBOOKS = ("apply", "drift", "rollback", "probe", "refresh_ranges", "publish_ranges")
EX1, EX2 = "birke-ex1", "birke-ex2"


@pytest.fixture(scope="module")
def lab() -> t.Iterator[Lab]:
    """Two servers behind one firewall and one without; what it is asked here leaves it open, as it
    was.
    """
    with Lab(
        [Site("birke", ("2016", "2016"), "7.4.4"), Site("hafen", ("2019",))], pwsh=""
    ) as running:
        yield running


def untouched(lab: Lab) -> dict[str, t.Any]:
    return {
        host: (lab.client().dump(host)["receive_connectors"], lab.client().counters(host)["writes"])
        for host in lab.hosts
    }


def states(run: Run) -> dict[str, str]:
    return t.cast("dict[str, str]", run.of("Say what was found")[-1].result["verdicts"])


@pytest.mark.core
@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_run_that_selects_nobody_is_an_error(playbook: str, lab: Lab) -> None:
    run = play(playbook, lab.inventory, variables={"mailedge_hosts": "birch"})
    assert run.code != 0, run.output
    assert "The pattern 'birch' selects no host" in " ".join(run.output.split())


def test_however_nobody_is_selected_it_is_an_error(lab: Lab, tmp_path: pathlib.Path) -> None:
    for arguments, variables in (
        (("--limit", "localhost"), {}),
        (("--limit", "hafen"), {"mailedge_hosts": "birke"}),
        ((), {"mailedge_hosts": "birke,!birke"}),
        ((), {"mailedge_hosts": ["birch", "elm"]}),
    ):
        run = play("drift", lab.inventory, *arguments, variables=variables)
        assert run.code != 0, run.output
    assert play("drift", tmp_path / "no-such-inventory.yml").code != 0


def test_a_name_that_nobody_has_is_an_error_beside_one_that_somebody_has(lab: Lab) -> None:
    for arguments, variables, told in (
        ((), {"mailedge_hosts": "hafen, ghost"}, "mailedge_hosts names 'ghost'"),
        (("--limit", "hafen,hafen-ex9"), {}, "--limit names 'hafen-ex9'"),
    ):
        run = play("drift", lab.inventory, *arguments, variables=variables)
        assert run.code != 0
        assert told in " ".join(run.output.split())
        assert not run.tasks
    run = play("drift", lab.inventory, "--limit", "ha*,!birke,localhost", variables=NO_LOOK)
    assert states(run) == {"hafen-ex1": "open"}


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_part_of_a_run_is_refused(playbook: str, lab: Lab) -> None:
    before = untouched(lab)
    run = play(
        playbook,
        lab.inventory,
        "--tags",
        "lock",
        "--skip-tags",
        "always",
        "--start-at-task",
        "Fail the host",
    )
    assert run.code != 0, run.output
    for option in ("--tags 'lock'", "--skip-tags 'always'", "--start-at-task 'Fail the host'"):
        assert f"{option} would leave out a part of the run" in " ".join(run.output.split()), (
            run.output
        )
    assert not run.tasks
    assert untouched(lab) == before


def test_psrp_as_an_extra_variable_is_refused_and_says_where_to_set_it(lab: Lab) -> None:
    run = play("apply", lab.inventory, "-e", "ansible_connection=psrp")
    assert run.code != 0
    assert "Set it in the inventory" in " ".join(run.output.split())
    assert not run.tasks


def test_a_limit_tells_of_those_it_selects_and_of_no_others(lab: Lab) -> None:
    for limit in ("hafen", "hafen,localhost"):
        run = play("drift", lab.inventory, "--limit", limit, variables=NO_LOOK)
        assert run.code != 0
        assert states(run) == {"hafen-ex1": "open"}
        assert summary(run)[0].startswith("hafen: open. hafen-ex1, exchange: ")
        assert "birke" not in " ".join(summary(run))


def test_what_a_limit_leaves_out_is_told_and_the_site_is_not_called_in_order(lab: Lab) -> None:
    outwards = {
        **NO_LOOK,
        "mailedge_exchange_outbound": {"smart_hosts": ["127.0.0.1"], "port": 9},
        "mailedge_exchange_accept_risks": ["smart_host_unreachable"],
    }
    run = play("drift", lab.inventory, "--limit", EX2, variables=outwards)
    assert run.code != 0
    told = " ".join(summary(run))
    assert f"managed through {EX1}, which was not selected" in told
    assert "Not looked at: exchange way out" in told
    assert "fortigate" in told


@pytest.mark.parametrize(
    "name", ["mailedge_own_network", "mailedge_fortigate_hosts", "mailedge_probe_target"]
)
def test_a_misspelt_variable_stops_the_run_before_anything_is_sent(name: str, lab: Lab) -> None:
    before = untouched(lab)
    lab.client().reset_counters(EX1)
    run = play("apply", lab.inventory, "--limit", "birke", variables={name: "10.20.0.0/16"})
    assert run.code != 0
    assert (
        f"No role knows the variable {name}. Is {name}s meant?" in run.output
        or f"Is {name[:-1]} meant?" in run.output
    )
    assert states(run) == {EX1: "unknown", EX2: "unknown"}
    assert lab.client().counters(EX1)["http_requests"] == 0
    assert untouched(lab) == before


def test_a_lock_file_that_is_not_there_stops_every_playbook_but_the_one_that_writes_it(
    lab: Lab,
) -> None:
    variables = {
        "mailedge_provider": "hornetsecurity",
        "mailedge_provider_region": "eu",
        "mailedge_provider_ranges": "",
        **NO_LOOK,
    }
    named = {**variables, "mailedge_ranges_lock": "/no/such/ranges.lock.yml"}
    run = play("drift", lab.inventory, "--limit", "hafen", variables=named)
    assert run.code != 0
    assert "/no/such/ranges.lock.yml" in " ".join(summary(run))
    assert lab.client().counters("hafen-ex1")["writes"] == 0
    # Without one, the catalogue is asked.
    run = play("apply", lab.inventory, "--check", "--limit", "hafen", variables=variables)
    assert len(run.mail_flow("hafen-ex1")["plan"]) > 1, run.output


@pytest.mark.long
def test_lists_may_be_texts_of_a_survey_in_every_layer(lab: Lab) -> None:
    given = lab.inventory.read_text(encoding="utf-8")
    site = yaml.safe_load(given)["mailedge"]["children"]["birke"]["vars"]
    names = (
        "mailedge_provider_ranges",
        "mailedge_own_networks",
        "mailedge_exchange_servers",
        "mailedge_fortigate_vips",
        "mailedge_fortigate_addresses",
    )
    lists = play("apply", lab.inventory, "--check", "--limit", "birke", variables=NO_LOOK)
    for joint in (", ", "\n"):
        texts = {**NO_LOOK, **{name: joint.join(site[name]) for name in names}}
        run = play("apply", lab.inventory, "--check", "--limit", "birke", variables=texts)
        for task in ("Exchange connectors", "Let only the provider"):
            plans = [
                {task_result.host: task_result.result.get("plan") for task_result in each.of(task)}
                for each in (run, lists)
            ]
            assert plans[0] == plans[1], run.output


@pytest.mark.long
def test_an_empty_answer_counts_as_not_set() -> None:
    """All variables that a survey could leave empty, at once, in every playbook; what it needs
    comes from the inventory.
    """
    with Lab([Site("birke", ("2016",))], pwsh="") as lab:
        described = yaml.safe_load(lab.inventory.read_text(encoding="utf-8"))["mailedge"][
            "children"
        ]["birke"]
        set_there = {*described["vars"], *described["hosts"][EX1]}
        # One variable is no survey's, and an empty one of it approves nothing.
        set_there.add("mailedge_approved_plan")
        empty = {name: "" for name in options() if name not in set_there}
        assert "mailedge_exchange_snapshot" in empty
        assert "mailedge_exchange_time_limit" in empty
        run = play("apply", lab.inventory, variables=empty)
        assert run.code == 0, run.output
        locked = lab.client().dump(EX1)["receive_connectors"]
        run = play("drift", lab.inventory, variables=empty)
        assert run.code == 0, run.output
        run = play("probe", lab.inventory, variables=empty)
        assert run.code == 0, run.output
        run = play("rollback", lab.inventory, variables=empty)
        assert run.code == 0, run.output
        assert lab.client().dump(EX1)["receive_connectors"] != locked, (
            "an unanswered survey must not mean: nothing to restore"
        )
        for playbook in ("refresh_ranges", "publish_ranges"):
            assert play(playbook, lab.inventory, variables=empty).code != 0, "nothing was looked at"


def test_a_wrong_token_is_found_before_the_connectors_are_written(lab: Lab) -> None:
    before = untouched(lab)
    run = play(
        "apply",
        lab.inventory,
        "--limit",
        "birke",
        variables={**NO_LOOK, "mailedge_fortigate_token": "canary-wrong"},
    )
    assert run.code != 0
    assert "does not accept the token" in " ".join(summary(run))
    assert "canary-wrong" not in run.output
    assert lab.client().dump(EX1)["receive_connectors"] == before[EX1][0]
    assert lab.client().counters(EX1)["writes"] == before[EX1][1]


def test_a_firewall_variable_of_the_wrong_type_is_found_before_the_connectors_are_written(
    lab: Lab,
) -> None:
    before = untouched(lab)
    run = play(
        "apply", lab.inventory, "--limit", "birke", variables={"mailedge_fortigate_port": "https"}
    )
    assert run.code != 0
    assert "mailedge_fortigate_port" in " ".join(summary(run))
    assert untouched(lab) == before


@pytest.mark.long
def test_a_stranger_is_the_control_of_its_own_look_where_a_firewall_drops_packets() -> None:
    with Lab([Site("birke", ("2016",), "7.4.4")], pwsh="") as lab:
        text = yaml.safe_load(lab.inventory.read_text(encoding="utf-8"))
        for name in ("mailedge_probe_control_host", "mailedge_probe_control_port"):
            del text["mailedge"]["children"]["birke"]["vars"][name]
        host = text["mailedge"]["children"]["birke"]["hosts"][EX1]
        host["mailedge_probe_looks"] = [
            {key: value for key, value in look.items() if key != "control_host"}
            for look in host["mailedge_probe_looks"]
        ]
        lab.inventory.write_text(yaml.safe_dump(text), encoding="utf-8")
        run = play("apply", lab.inventory)
        assert run.code == 0, run.output
        assert any(
            "a stranger on the internet" in line and "open → closed" in line
            for line in summary(run)
        ), summary(run)
        # Now silence is all that there is, and nothing tells it from a network that lets nothing
        # out.
        lab.client().open_door(EX1)
        before = untouched(lab)
        run = play("apply", lab.inventory)
        assert run.code != 0
        assert "mailedge_probe_control_host" in " ".join(
            summary(run)
        ) or "control_host" in " ".join(summary(run))
        assert untouched(lab) == before


def test_an_unreachable_host_has_its_reason_and_nothing_else() -> None:
    with Lab([Site("birke", ("2016",)), Site("hafen", ("2016",))], pwsh="") as lab:
        lab.client().fault(EX1, kind="refuse_login", times=0)
        run = play("drift", lab.inventory, variables=NO_LOOK)
        assert run.code != 0
        assert states(run)[EX1] == "unknown"
        assert "Traceback" not in run.output
        assert "has no attribute" not in run.output
        assert any("birke: unknown. birke-ex1, exchange: " in line for line in summary(run))
        run = play("apply", lab.inventory, variables=NO_LOOK)
        assert states(run) == {EX1: "unknown", "hafen-ex1": "in order"}
        assert lab.client().counters(EX1)["writes"] == 0


@pytest.fixture
def own_signals() -> t.Iterator[None]:
    """ansible-runner handles signals itself, and leaves it so: what is forked later could not be
    ended any more.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.long
@pytest.mark.usefixtures("own_signals")
def test_as_awx_calls_it(tmp_path: pathlib.Path) -> None:
    """By ansible-runner, with AWX's arguments: a wrapper playbook, a limit, a generated inventory,
    answers of a survey.
    """
    runner = pytest.importorskip("ansible_runner", reason="ansible-runner is not installed")
    with Lab([Site("birke", ("2016",)), Site("hafen", ("2016",))], pwsh="") as lab:
        path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
        (tmp_path / "project").mkdir()
        (tmp_path / "inventory").mkdir()
        (tmp_path / "inventory" / "hosts.yml").write_text(
            lab.inventory.read_text(encoding="utf-8"), encoding="utf-8"
        )
        for playbook in PLAYBOOKS:
            wrapper = [{"name": "Run", "import_playbook": f"mailedge.lockdown.{playbook}"}]
            (tmp_path / "project" / f"{playbook}.yml").write_text(
                json.dumps(wrapper), encoding="utf-8"
            )

        def job(playbook: str, *, limit: str = "", **answers: t.Any) -> t.Any:
            answers = {**NO_LOOK, **answers} if playbook != "probe" else answers
            command = f"-i {tmp_path}/inventory --diff" + (f" -l {limit}" if limit else "")
            return runner.run(
                private_data_dir=str(tmp_path),
                playbook=f"{playbook}.yml",
                cmdline=command,
                extravars=answers,
                envvars={
                    "PATH": path,
                    "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
                quiet=True,
                timeout=200,
            )

        assert job("drift", limit="birke").status == "failed", "the site is open"
        assert job("drift", limit="elm").status == "failed"
        assert (
            job(
                "apply",
                limit="birke",
                mailedge_exchange_snapshot="",
                mailedge_exchange_accept_risks="",
            ).status
            == "successful"
        )
        assert job("drift", limit="birke").status == "successful"
        for playbook in PLAYBOOKS:
            assert job(playbook, mailedge_hosts="elm").status == "failed", playbook
        locked = lab.client().dump(EX1)["receive_connectors"]
        assert job("rollback", limit="birke", mailedge_exchange_snapshot="").status == "successful"
        assert lab.client().dump(EX1)["receive_connectors"] != locked
        assert lab.client().counters("hafen-ex1")["writes"] == 0
