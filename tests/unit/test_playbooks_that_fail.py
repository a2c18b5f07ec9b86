# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a playbook still runs where one of its tasks fails, by Ansible's rule: a list of tasks
ends at the first that fails, be it the one of a block, of a `rescue` or of an `always`.
"""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

import pytest
import yaml

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
Task = dict[str, t.Any]
# The tasks, by the file that holds them, that take back what a run has done, and the report.
UNDO = ("fortigate restore", "exchange_online undo", "site undo")
REPORT = "report.yml"


class Run:
    """Runs a list of tasks of which one fails, and keeps the names of what was begun."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.begun: list[str] = []

    def tasks(self, tasks: t.Sequence[Task]) -> bool:
        """Whether all of them went well; the others behind a failed one are not begun."""
        return all(self._task(task) for task in tasks)

    def _task(self, task: Task) -> bool:
        if "block" in task:
            well = self.tasks(task["block"])
            if not well and "rescue" in task:
                well = self.tasks(task["rescue"])
            # It runs in any case, and fails the block with it.
            well = self.tasks(task.get("always", ())) and well
            return well or bool(task.get("ignore_errors"))
        name = _name(task)
        self.begun.append(name)
        included = PLAYBOOKS / "tasks" / name
        if name not in self.failing and included.suffix == ".yml" and included.is_file():
            return self.tasks(_content(included))
        return name not in self.failing or bool(task.get("ignore_errors"))


@functools.cache
def _content(path: Path) -> list[Task]:
    content: list[Task] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def _name(task: Task) -> str:
    """Of a role: which one, and its file of tasks."""
    for how in ("include_role", "import_role"):
        role = task.get(f"ansible.builtin.{how}")
        if role:
            return f"{role['name'].rpartition('.')[2]} {role.get('tasks_from', 'main')}"
    for how in ("include_tasks", "import_tasks"):
        if f"ansible.builtin.{how}" in task:
            return Path(task[f"ansible.builtin.{how}"]).name
    return str(task["name"])


def _tasks(playbook: str) -> list[Task]:
    plays = _content(PLAYBOOKS / f"{playbook}.yml")
    return [task for play in plays for task in play.get("tasks", ())]


@pytest.mark.parametrize("undo", UNDO)
def test_what_a_run_changed_is_taken_back_whatever_becomes_of_another_undo(undo: str) -> None:
    run = Run("Undo what is not proven", undo)
    assert not run.tasks(_tasks("apply"))
    assert {*UNDO, "fortigate release", "site release", REPORT} <= {*run.begun}


def test_two_undos_that_fail_keep_the_third_from_nothing() -> None:
    run = Run("Undo what is not proven", *UNDO[:2])
    run.tasks(_tasks("apply"))
    assert {*UNDO, REPORT} <= {*run.begun}


def test_a_tenant_that_is_not_given_back_after_the_wait_is_reported() -> None:
    run = Run("Undo what is not proven of the tenant", "exchange_online undo")
    assert not run.tasks(_tasks("apply"))
    assert run.begun.index("exchange_online undo") < run.begun.index(REPORT)


@pytest.mark.parametrize(
    "playbook",
    sorted(
        path.stem
        for path in PLAYBOOKS.glob("*.yml")
        if "rescue:" in path.read_text(encoding="utf-8")
    ),
)
def test_every_run_ends_in_its_report_whatever_failed(playbook: str) -> None:
    well = Run()
    assert well.tasks(_tasks(playbook))
    reports = [name for name in well.begun if name == REPORT] or well.begun[-1:]
    for name in dict.fromkeys(well.begun[: well.begun.index(reports[0])]):
        run = Run(name)
        run.tasks(_tasks(playbook))
        assert reports[0] in run.begun, name


@pytest.mark.parametrize("path", sorted(PLAYBOOKS.glob("*.yml")), ids=lambda path: path.stem)
def test_one_host_that_fails_ends_no_other_whatever_a_configuration_says(path: Path) -> None:
    """With any_errors_fatal in ansible.cfg the undo of a proof that failed was never begun, and the
    server stayed locked.
    """
    plays = [play for play in _content(path) if "hosts" in play]
    assert plays
    assert [play.get("any_errors_fatal") for play in plays] == [False] * len(plays)
    assert {play["strategy"] for play in plays} == {"ansible.builtin.linear"}
