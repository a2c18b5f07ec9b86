# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run as files: what cannot be written is told, and takes nothing from the run."""

from __future__ import annotations

import json
import pathlib
import types
import typing as t

import pytest
from ansible import template
from ansible.errors import AnsibleConnectionFailure
from ansible.parsing.dataloader import DataLoader

from ansible_collections.mailedge.lockdown.plugins.action import report_files
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import REPORT_FILES
from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _controller_module
from ansible_collections.mailedge.lockdown.tests.support import reports


class Screen:
    """What is shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def display(self, text: str) -> None:
        self.shown.append(text)

    warning = display


def kept(
    args: dict[str, t.Any], screen: Screen | None = None, **variables: t.Any
) -> dict[str, t.Any]:
    """The result of the task, on the controller."""
    action = object.__new__(report_files.ActionModule)
    action._task = types.SimpleNamespace(
        args=args,
        check_mode=False,
        diff=False,
        delegate_to="localhost",
        async_val=0,
        environment=[],
    )
    action._connection = types.SimpleNamespace(transport="local", become=None)
    action._display = screen or Screen()
    whole = reports.report({"birke": "open"})
    return action.run(None, {"__mailedge_report": {"report": whole}, **variables})


def test_the_report_is_handed_on_with_what_changed(tmp_path: pathlib.Path) -> None:
    screen = Screen()
    args = {"folder": str(tmp_path), "formats": "json, markdown"}
    first = kept(args, screen)
    assert "failed" not in first
    assert [line.rpartition(".")[2] for line in screen.shown] == ["json", "json", "md", "md"]
    second = kept(args)
    report = second["ansible_stats"]["data"]["mailedge_report"]
    assert report["changes"]["since"] == reports.AT
    assert all(each["since"] for each in report["sites"]["birke"]["findings"])
    assert set(second["ansible_stats"]["data"]) == {"mailedge_report"}
    assert "report" not in second
    assert json.loads(json.dumps(second)) == second


@pytest.mark.parametrize(
    ("variables", "missing"),
    [
        ({}, ["birke"]),
        ({"ansible_limit": "erle"}, []),
        ({"mailedge_hosts": "erle"}, []),
        ({"mailedge_hosts": "mailedge"}, ["birke"]),
    ],
)
def test_a_site_that_the_run_was_not_to_see_is_not_missing(
    variables: dict[str, t.Any], missing: list[str], tmp_path: pathlib.Path
) -> None:
    args = {"folder": str(tmp_path)}
    kept(args)
    other = {"report": reports.report({"erle": "open"})}
    assert kept(args, __mailedge_report=other, **variables)["changes"]["missing_sites"] == missing


NOT_SET = object()


@pytest.mark.parametrize(
    ("given", "missing", "known"),
    [
        # Nobody has said that the run sees every site.
        (NOT_SET, ["birke"], ["birke", "erle"]),
        (None, ["birke"], ["birke", "erle"]),
        ("", ["birke"], ["birke", "erle"]),
        (False, ["birke"], ["erle"]),
        ("no", ["birke"], ["erle"]),
        (True, [], ["birke", "erle"]),
        ("yes", [], ["birke", "erle"]),
    ],
)
def test_a_slice_or_another_inventory_takes_no_site_away_unless_somebody_says_so(
    given: t.Any, missing: list[str], known: list[str], tmp_path: pathlib.Path
) -> None:
    """By the task of the role, as Ansible templates it."""
    role = pathlib.Path(__file__).parents[4] / "roles" / "report" / "tasks" / "keep.yml"
    (task,) = DataLoader().load_from_file(str(role))
    # Since ansible-core 2.19 only what somebody trusts is a template.
    trusted = getattr(template, "trust_as_template", str)
    text = trusted(str(task["mailedge.lockdown.report_files"]["partial"]))
    omit = "__omit__"
    variables = {} if given is NOT_SET else {"mailedge_report_partial": given}
    partial = template.Templar(DataLoader(), variables={**variables, "omit": omit}).template(text)
    args = {"folder": str(tmp_path), **({} if partial == omit else {"partial": partial})}
    kept({"folder": str(tmp_path)})
    other = {"report": reports.report({"erle": "open"})}
    assert kept(args, __mailedge_report=other)["changes"]["missing_sites"] == missing
    state = json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))
    assert sorted(state["sites"]) == known


def test_a_limit_is_a_part_whatever_else_is_said(tmp_path: pathlib.Path) -> None:
    kept({"folder": str(tmp_path)})
    other = {"report": reports.report({"erle": "open"})}
    args = {"folder": str(tmp_path), "partial": False}
    kept(args, __mailedge_report=other, ansible_limit="erle")
    state = json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))
    assert sorted(state["sites"]) == ["birke", "erle"]


def test_the_report_is_kept_from_the_log_of_the_host_that_keeps_it() -> None:
    assert REPORT_FILES["argument_spec"]["report"]["no_log"] is True


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"folder": "{file}/in/a/file"}, "cannot be written to"),
        ({"folder": "{folder}", "formats": ["pdf"]}, "pdf"),
        ({"folder": "{folder}", "mode": "rw"}, "The mode 'rw'"),
        ({"folder": ["reports"]}, "is no path"),
        ({"folder": 5}, "is no path"),
        ({"folder": "{folder}", "report": "[]"}, "is no report"),
        ({}, "folder"),
    ],
)
def test_what_cannot_be_written_is_told_and_fails_nothing(
    args: dict[str, t.Any], why: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    places = {"file": str(tmp_path / "file"), "folder": str(tmp_path / "folder")}
    given = {
        name: value.format_map(places) if isinstance(value, str) else value
        for name, value in args.items()
    }
    screen = Screen()
    result = kept(given, screen)
    assert not result.get("failed")
    assert not result["changed"]
    assert why in result["msg"]
    assert "The verdicts stand" in result["msg"]
    assert screen.shown == [result["msg"]]
    assert "ansible_stats" not in result, "what run_report has handed on stays"
    assert not (tmp_path / "folder").exists()


def test_a_host_that_does_not_answer_fails_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: t.Any) -> t.NoReturn:
        raise AnsibleConnectionFailure("no route to reports.example")

    monkeypatch.setattr(_controller_module.ControllerModuleAction, "run", away)
    result = kept({"folder": str(tmp_path)})
    assert "no route to reports.example" in result["msg"]
    assert not {"failed", "unreachable"} & set(result)


def test_without_a_report_nothing_is_written(tmp_path: pathlib.Path) -> None:
    assert kept({"folder": str(tmp_path / "x")}, __mailedge_report={})["skipped"]
    assert not (tmp_path / "x").exists()
