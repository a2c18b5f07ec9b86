# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a play: refused where hosts would be lost, with a sentence that is true then."""

from __future__ import annotations

import resource
import typing as t

import pytest
from ansible import context
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.utils.context_objects import CLIArgs

from ansible_collections.mailedge.lockdown.plugins.lookup import selection

HOSTS = [f"ex{number}" for number in range(20)]
VARIABLES: dict[str, t.Any] = {"groups": {"mailedge": HOSTS}, "hostvars": {}, "ansible_forks": 20}


@pytest.fixture(name="limit")
def _limit(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[int], None]:
    monkeypatch.setattr(selection, "preload", lambda _hosts: None)
    monkeypatch.setattr(selection, "share", lambda _hosts: None)
    monkeypatch.setattr(selection.LookupModule, "begun", False)
    files = [1024]
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (files[0], files[0]))
    return lambda most: files.__setitem__(0, most)


def select() -> list[str]:
    return selection.LookupModule(loader=DataLoader()).run(["mailedge"], VARIABLES)


def test_too_few_files_before_the_first_play_leave_everything_untouched(limit: t.Any) -> None:
    limit(100)
    with pytest.raises(AnsibleLookupError) as refused:
        select()
    assert "20 forks need about 150 open files, and the limit is 100" in str(refused.value)
    assert "Nothing was looked at and nothing was changed." in str(refused.value)


def test_too_few_files_in_the_middle_of_a_run_do_not_make_what_was_done_unsaid(
    limit: t.Any,
) -> None:
    assert select() == ["mailedge"]
    limit(100)
    with pytest.raises(AnsibleLookupError) as refused:
        select()
    assert "Nothing was looked at" not in str(refused.value)
    assert "What it has done so far stays, and has no verdict" in str(refused.value)
    assert "--forks 10" in str(refused.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [({"start_at_task": "Report"}, "--start-at-task 'Report'"), ({"step": True}, "--step")],
)
def test_what_leaves_tasks_out_is_refused(
    given: dict[str, t.Any], told: str, limit: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer "n" to each question of --step ended green, and nobody had looked."""
    monkeypatch.setattr(context, "CLIARGS", CLIArgs(given))
    with pytest.raises(AnsibleLookupError) as refused:
        select()
    assert f"{told} would leave out a part of the run" in str(refused.value)


def test_what_a_run_keeps_for_itself_is_no_extra_variable(
    limit: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a report among them an open site ended green: no task could put its own in its place."""
    monkeypatch.setattr(selection, "load_extra_vars", lambda _loader: {"mailedge_site": "birke"})
    assert select() == ["mailedge"]
    given = {"__mailedge_report": {"verdicts": {}}, "mailedge_site": "birke"}
    monkeypatch.setattr(selection, "load_extra_vars", lambda _loader: given)
    with pytest.raises(AnsibleLookupError, match="__mailedge_report stands among the extra"):
        select()


def test_what_was_loaded_is_shared_once_and_before_anything_of_a_host_is_there(
    limit: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(selection, "preload", lambda _hosts: done.append("load"))
    monkeypatch.setattr(selection, "share", lambda hosts: done.append(f"share for {hosts}"))
    limit(1024)
    select()
    select()
    assert done == ["load", f"share for {len(HOSTS)}", "load"]
