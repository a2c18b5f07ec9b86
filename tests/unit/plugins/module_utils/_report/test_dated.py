# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Old reports go, the files of a run all or none, and nothing else does."""

from __future__ import annotations

import os
import pathlib
import time
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._report import dated
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.folder import (
    FORMATS,
    ReportFolder,
)
from ansible_collections.mailedge.lockdown.tests.support import reports

DAY = 86_400
NOW = "2026-11-24T10:00:00Z"
# Of runs 31, 30 (to the second) and 29 days before.
OLD, EDGE, YOUNG = "20261024T095959Z", "20261025T100000Z", "20261026T100000Z"
NOT_OURS = [
    "latest.html",
    "state.json",
    "mailedge.prom",
    "notes.txt",
    f"report-{OLD}-drift.pdf",
    f"report-{OLD}-drift.notes.html",
    f"report-{OLD}-drift.html.gz",
    f"report-{OLD}-drift-mine.html",
    f"report-{OLD}-audit.html",
    f"report-{OLD}.html",
    f"my-report-{OLD}-drift.html",
    f"report-{OLD}-drift.html\n",
    "report-20269924T100000Z-drift.html",
    f".report-{OLD}-drift.html",
]


def put(folder: pathlib.Path, name: str, days: float = 40) -> pathlib.Path:
    path = folder / name
    path.write_text("x", encoding="utf-8")
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def write(folder: pathlib.Path, keep_days: int | None = 30) -> dict[str, t.Any]:
    whole = reports.report({"birke": "drift"}, at=NOW)
    return ReportFolder(str(folder), keep_days=keep_days).write(whole, FORMATS, partial=False)


def old_names(folder: pathlib.Path) -> set[str]:
    return {path.name for path in folder.iterdir()} & {
        *NOT_OURS,
        *(f"report-{at}-drift.json" for at in (OLD, EDGE, YOUNG)),
    }


def test_what_is_older_goes_and_everything_stays_where_nobody_asked(tmp_path: pathlib.Path) -> None:
    for at in (OLD, EDGE, YOUNG):
        put(tmp_path, f"report-{at}-drift.json")
    for name in ("drift-2.html", "drift-2.md", "refresh-ranges.csv", "apply.xml"):
        put(tmp_path, f"report-{OLD}-{name}")
    before = {path.name for path in tmp_path.iterdir()}
    assert write(tmp_path, None)["removed"] == []
    assert before <= {path.name for path in tmp_path.iterdir()}
    told = write(tmp_path)
    assert told["warnings"] == []
    assert {pathlib.Path(path).name for path in told["removed"]} == {
        name for name in before if OLD in name
    }
    assert old_names(tmp_path) >= {f"report-{at}-drift.json" for at in (EDGE, YOUNG)}
    assert not list(tmp_path.glob(f"*{OLD}*"))
    assert not list(tmp_path.glob(".old-*"))
    assert len(list(tmp_path.glob("report-20261124*"))) == 10, "of both runs of this test"


def test_a_file_that_is_not_ours_stays(tmp_path: pathlib.Path) -> None:
    for name in NOT_OURS:
        put(tmp_path, name, days=400)
    (tmp_path / f"report-{OLD}-apply.html").mkdir()
    outside = put(tmp_path, "outside")
    (tmp_path / f"report-{OLD}-probe.html").symlink_to(outside)
    put(tmp_path, f"report-{OLD}-probe.json")
    told = write(tmp_path)
    assert told["removed"] == []
    names = {path.name for path in tmp_path.iterdir()}
    assert {*NOT_OURS, "outside", f"report-{OLD}-apply.html"} <= names
    assert {f"report-{OLD}-probe.html", f"report-{OLD}-probe.json"} <= names, "all or none"


def test_a_clock_or_a_copy_alone_removes_nothing(tmp_path: pathlib.Path) -> None:
    """The name is old, the file is not: somebody has put it there, or this clock is wrong."""
    put(tmp_path, f"report-{OLD}-drift.json", days=40)
    put(tmp_path, f"report-{OLD}-drift.html", days=1)
    put(tmp_path, f"report-{YOUNG}-drift.json", days=400)
    assert write(tmp_path)["removed"] == []


def test_of_a_run_that_cannot_be_removed_all_files_stay_and_the_report_is_there(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [put(tmp_path, f"report-{OLD}-drift.{end}") for end in ("csv", "html", "json")]
    rename = os.rename

    def stuck(source: t.Any, target: t.Any) -> None:
        if str(source).endswith(f"{OLD}-drift.json"):
            raise PermissionError(1, "Operation not permitted")
        rename(source, target)

    monkeypatch.setattr(os, "rename", stuck)
    told = write(tmp_path)
    assert told["removed"] == []
    assert all(path.exists() for path in files)
    (warning,) = told["warnings"]
    assert "could not be removed (Operation not permitted" in warning
    assert (tmp_path / "latest.html").exists()
    assert not list(tmp_path.glob(".old-*"))


@pytest.mark.parametrize(
    ("days", "right"), [(None, True), (1, True), (36_500, True), (0, False), (-1, False)]
)
def test_days_are_days(days: int | None, right: bool) -> None:
    assert (dated.check_days(days) == "") is right
