# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/awx/controller.yml describes, run as a controller runs it: green and red where it
should be.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.awx.content import REPOSITORY
from ansible_collections.mailedge.lockdown.tests.integration.playbook_runs import HOST
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import environment, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site
from ansible_collections.mailedge.lockdown.tests.support.awx_like import Artifacts, Controller

pytest.importorskip("ansible_runner", reason="ansible-runner is not installed")

WORKFLOW = "mailedge lock a site"
REPORT = ("report", False)


@pytest.fixture
def lab() -> t.Iterator[Lab]:
    with Lab([Site("birke", ("2016",), "7.4.4")], pwsh="") as running:
        yield running


def controller_of(lab: Lab, **variables: t.Any) -> Controller:
    return Controller(lab.inventory, (lab.hosts[HOST].username, lab.password), variables)


def state(lab: Lab) -> tuple[t.Any, ...]:
    dump, firewall = lab.client().dump(HOST), lab.client().firewall_dump(HOST)
    return dump["receive_connectors"], firewall["policies"], firewall["groups"]


def test_a_job_needs_no_home_no_answers_and_no_login_in_its_inventory(lab: Lab) -> None:
    job = controller_of(lab).launch("mailedge drift", limit="birke")
    assert not job.successful, "the site is open"
    assert "birke: open." in job.output, job.output
    assert set(job.artifacts) == {"mailedge_report"}
    assert lab.password not in job.output


def test_the_playbooks_of_the_repository_are_read() -> None:
    """A project is all that a controller chooses playbooks from."""
    books = sorted(path.name for path in REPOSITORY.glob("*.yml"))
    command = ["-m", "ansible", "playbook", "-i", "inventory", "--syntax-check", *books]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("playbook: ") == len(books) > 6


def test_the_sites_of_the_repository_can_be_locked() -> None:
    task = {"name": "Describe", "ansible.builtin.include_role": {"name": "mailedge.lockdown.site"}}
    book = [{"hosts": "mailedge", "gather_facts": False, "connection": "local", "tasks": [task]}]
    given = {
        "mailedge_fortigate_token": "from a credential",
        "smart_host_username": "nordlicht@filter.example",
        "smart_host_password": "from a credential",
        # The working directory of this run is another one.
        "mailedge_ranges_lock": str(REPOSITORY / "inventory" / "ranges.lock.yml"),
    }
    run = play(book, REPOSITORY / "inventory" / "hosts.yml", variables=given)
    assert run.code == 0, run.output
    layers = {task.host: task.result["layers"] for task in run.of("Check and convert")}
    assert set(layers) == {"birke-ex1", "birke-ex2", "hafen-ex1", "nordlicht-sbs"}
    assert all({"exchange", "outside"} <= set(of_host) for of_host in layers.values())
    assert "fortigate way in" in layers["birke-ex1"]


@pytest.mark.core
@pytest.mark.long
def test_the_story_of_a_site(lab: Lab) -> None:
    """The demo's: check, apply what was approved, prove, somebody opens the door, caught, back."""
    controller, start = controller_of(lab), state(lab)
    shown: list[Artifacts] = []

    def approve(artifacts: Artifacts) -> bool:
        shown.append(artifacts)
        assert state(lab) == start, "a check changes nothing"
        return True

    told = controller.run_workflow(WORKFLOW, "birke", approve)
    assert told == [
        # It names its ranges itself, so that there is nothing to refresh, which is not green.
        ("refresh", False),
        ("check", True),
        ("approval", True),
        ("apply", True),
        ("prove", True),
        ("report", True),
    ], controller.last
    assert set(shown[0]["mailedge_plan"]["hosts"][HOST]) == {"exchange", "fortigate way in"}
    assert any(
        line.startswith(f"{HOST}, exchange: ") for line in shown[0]["mailedge_plan"]["summary"]
    )

    lab.client().open_door(HOST)
    drift = controller.launch("mailedge drift", limit="birke")
    assert not drift.successful
    assert "birke: open." in drift.output
    back = controller.launch("mailedge rollback", limit="birke")
    assert back.successful, back.output
    assert state(lab) == start


@pytest.mark.long
def test_a_site_that_changes_after_the_approval_is_left_as_it_is(lab: Lab) -> None:
    controller = controller_of(lab)

    def meanwhile(node: str) -> None:
        if node == "apply":
            lab.client().open_firewall(HOST, beside=True)
            controller.changed = state(lab)  # type: ignore[attr-defined]

    told = controller.run_workflow(WORKFLOW, "birke", lambda _artifacts: True, meanwhile)
    assert told[1:] == [
        ("check", True),
        ("approval", True),
        ("apply", False),
        # Nothing was handed on to be given back, and nothing looked at is not green.
        ("rollback", False),
        REPORT,
    ]
    assert state(lab) == controller.changed  # type: ignore[attr-defined]


@pytest.mark.long
def test_what_cannot_be_proven_is_given_back_by_what_the_apply_handed_on(lab: Lab) -> None:
    controller, start = controller_of(lab), state(lab)

    def meanwhile(node: str) -> None:
        if node == "prove":
            lab.client().open_door(HOST)
            lab.client().open_firewall(HOST)

    told = controller.run_workflow(WORKFLOW, "birke", lambda _artifacts: True, meanwhile)
    assert told[1:] == [
        ("check", True),
        ("approval", True),
        ("apply", True),
        ("prove", False),
        ("rollback", True),
        REPORT,
    ]
    assert state(lab) == start


@pytest.mark.long
def test_after_an_apply_that_was_killed_nothing_is_given_back_by_guess(lab: Lab) -> None:
    """It could not hand on what it has made. The latest snapshot may be one of another run."""
    controller, start = controller_of(lab), state(lab)

    def has_written() -> bool:
        return state(lab) != start

    told = controller.run_workflow(
        WORKFLOW, "birke", lambda _artifacts: True, killed={"apply": has_written}
    )
    assert told[1:] == [
        ("check", True),
        ("approval", True),
        ("apply", False),
        ("rollback", False),
        REPORT,
    ]
    assert controller.jobs["apply"].artifacts == {}
    assert state(lab) != start
    # In one of a screen's lines.
    words = " ".join(controller.jobs["rollback"].output.split())
    assert "or was cut before it could tell. Look with the playbook snapshots" in words
    # Its lease lasts, and somebody says that it is dead.
    back = {"mailedge_exchange_snapshot": "latest"}
    assert not controller.launch("mailedge rollback", limit="birke", answers=back).successful
    back["mailedge_exchange_accept_risks"] = "leased"
    job = controller.launch("mailedge rollback", limit="birke", answers=back)
    assert job.successful, job.output
    assert state(lab) == start


@pytest.mark.long
def test_a_check_that_a_guard_refuses_is_told_and_nobody_is_asked(lab: Lab) -> None:
    """There is nothing to approve; and whoever would have been asked has to know why not."""
    controller = controller_of(lab, mailedge_provider_ranges=["0.0.0.0/1"])
    asked: list[Artifacts] = []

    def approve(artifacts: Artifacts) -> bool:
        asked.append(artifacts)
        return True

    told = controller.run_workflow(WORKFLOW, "birke", approve)
    assert told[1:] == [("check", False), REPORT]
    assert asked == []
    artifacts = controller.jobs["check"].artifacts
    assert artifacts["mailedge_plan"]["hosts"][HOST] == {}
    site = artifacts["mailedge_report"]["sites"]["birke"]
    assert any("0.0.0.0/1" in finding["words"] for finding in site["findings"]), site


@pytest.mark.long
def test_what_a_job_has_written_is_offered_as_a_branch(lab: Lab, tmp_path: pathlib.Path) -> None:
    """Its folders are gone when it is over."""
    controller, remote = controller_of(lab), tmp_path / "sites.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)
    # As the injectors of the credential type are.
    controller.environment = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "remote.site.url",
        "GIT_CONFIG_VALUE_0": str(remote),
    }
    for _twice in range(2):
        job = controller.launch("mailedge discover", limit="birke")
        assert job.successful, job.output

    def git(*words: str) -> str:
        return subprocess.check_output(["git", "-C", str(remote), *words], text=True)

    (branch,) = git("branch", "--format", "%(refname:short)").split()
    assert branch.startswith("mailedge/")
    assert "drafts/birke.yml" in git("ls-tree", "-r", "--name-only", branch).split()
    assert "mailedge_site: birke" in git("show", f"{branch}:drafts/birke.yml")
    assert lab.password not in job.output + git("show", f"{branch}:drafts/birke.yml")


@pytest.mark.long
def test_without_a_plan_that_was_handed_on_nothing_is_applied(lab: Lab) -> None:
    start = state(lab)
    job = controller_of(lab).launch("mailedge apply what was approved", limit="birke")
    assert not job.successful
    assert "mailedge_approved_plan" in job.output
    assert state(lab) == start
    denied = controller_of(lab).run_workflow(WORKFLOW, "birke", lambda _artifacts: False)
    assert denied[-1] == ("approval", False)
    assert state(lab) == start
