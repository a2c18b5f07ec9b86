# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports in a folder: all files of a run or none, and since when each finding is there."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import REPORT_FILES
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.folder import (
    FORMATS,
    FolderError,
    ReportFolder,
)
from ansible_collections.mailedge.lockdown.tests.support import reports

MONDAY, TUESDAY, WEDNESDAY = (f"2026-11-{day}T10:00:00Z" for day in (23, 24, 25))
Plain = dict[str, t.Any]


def run(at: str, sites: dict[str, str], **more: t.Any) -> Plain:
    return reports.report(sites, at=at, **more)


def names(path: pathlib.Path) -> set[str]:
    return {entry.name for entry in path.iterdir()}


def test_the_formats_are_those_that_may_be_asked_for() -> None:
    assert sorted(REPORT_FILES["argument_spec"]["formats"]["choices"]) == sorted(FORMATS)


def test_every_run_has_files_of_its_own_and_the_last_one_a_name_that_stays(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "not" / "there"
    folder = ReportFolder(str(path))
    first = folder.write(run(MONDAY, {"birke": "drift"}), FORMATS, partial=False)
    assert names(path) == {
        *(f"report-20261123T100000Z-drift.{end}" for end in ("json", "html", "md", "csv", "xml")),
        *(f"latest.{end}" for end in ("json", "html", "md", "csv", "xml")),
        "mailedge.prom",
        "state.json",
        ".lock",
    }
    assert {pathlib.Path(name).name for name in first["files"]} == names(path) - {
        "state.json",
        ".lock",
    }
    assert all(entry.stat().st_mode & 0o777 == 0o640 for entry in path.glob("[!.]*"))
    again = folder.write(run(MONDAY, {"birke": "open"}), ["json"], partial=False)
    assert pathlib.Path(again["files"][0]).name == "report-20261123T100000Z-drift-2.json"
    latest = json.loads((path / "latest.json").read_text(encoding="utf-8"))
    assert latest["sites"]["birke"]["state"] == "open"


def test_what_changed_is_told_and_a_finding_keeps_its_time(tmp_path: pathlib.Path) -> None:
    folder = ReportFolder(str(tmp_path))
    first = folder.write(run(MONDAY, {"birke": "drift", "erle": "open"}), ["json"], partial=False)
    assert first["changes"] is None
    second = folder.write(
        run(TUESDAY, {"birke": "in order", "erle": "open"}), ["json", "markdown"], partial=False
    )
    changes = second["changes"]
    assert (changes["since"], changes["states"]) == (MONDAY, {"birke": ["drift", "in order"]})
    assert {each["site"] for each in changes["gone"]} == {"birke"}
    assert changes["appeared"] == []
    since = {each["since"] for each in second["report"]["sites"]["erle"]["findings"]}
    assert since == {each["since"] for each in first["report"]["sites"]["erle"]["findings"]}
    assert f"Changed since {MONDAY}" in (tmp_path / "latest.md").read_text(encoding="utf-8")


def test_a_run_with_a_limit_forgets_no_site(tmp_path: pathlib.Path) -> None:
    folder = ReportFolder(str(tmp_path))
    folder.write(run(MONDAY, {"birke": "accepted", "erle": "open"}), FORMATS, partial=False)
    part = folder.write(run(TUESDAY, {"birke": "in order"}), FORMATS, partial=True)
    assert part["changes"]["missing_sites"] == []
    metrics = (tmp_path / "mailedge.prom").read_text(encoding="utf-8")
    assert 'mailedge_site_state{site="erle",layer="all"} 4' in metrics
    assert 'mailedge_site_state{site="birke",layer="all"} 0' in metrics
    assert 'seconds{site="erle"} 1795428000' in metrics
    assert 'seconds{site="birke"} 1795514400' in metrics
    later = folder.write(run(WEDNESDAY, {"birke": "in order", "erle": "open"}), [], partial=False)
    assert (later["changes"]["new_sites"], later["changes"]["appeared"]) == ([], [])
    assert later["changes"]["missing_sites"] == []
    gone = folder.write(run(WEDNESDAY, {"birke": "in order"}), [], partial=False)
    assert gone["changes"]["missing_sites"] == ["erle"]


def test_a_limit_to_one_host_makes_no_site_green(tmp_path: pathlib.Path) -> None:
    folder = ReportFolder(str(tmp_path))
    folder.write(run(MONDAY, {"birke": "drift"}), FORMATS, partial=False)
    # The site in order has the first of the two servers only.
    part = folder.write(run(TUESDAY, {"birke": "in order"}), FORMATS, partial=True)
    assert part["changes"]["states"] == {}
    assert {each["host"] for each in part["changes"]["gone"]} == {"birke-ex1"}
    metrics = (tmp_path / "mailedge.prom").read_text(encoding="utf-8")
    assert 'mailedge_site_state{site="birke",layer="all"} 2' in metrics
    assert 'mailedge_findings{site="birke",severity="warning"} 2' in metrics
    assert 'seconds{site="birke"} 1795428000' in metrics


def test_a_part_is_not_put_in_the_place_of_a_whole_that_cannot_be_read(
    tmp_path: pathlib.Path,
) -> None:
    folder = ReportFolder(str(tmp_path))
    folder.write(run(MONDAY, {"birke": "drift", "erle": "open"}), FORMATS, partial=False)
    (tmp_path / "state.json").write_text("{", encoding="utf-8")
    metrics = (tmp_path / "mailedge.prom").read_bytes()
    part = folder.write(run(TUESDAY, {"birke": "in order"}), FORMATS, partial=True)
    assert (tmp_path / "state.json").read_text(encoding="utf-8") == "{"
    assert (tmp_path / "mailedge.prom").read_bytes() == metrics
    assert not any(name.endswith(("prom", "state.json")) for name in part["files"])
    assert "state.json and mailedge.prom are left as they are" in part["warnings"][1]
    # Nor where nobody has said that it is the whole.
    perhaps = folder.write(run(TUESDAY, {"birke": "in order"}), FORMATS, partial=None)
    assert (tmp_path / "state.json").read_text(encoding="utf-8") == "{"
    assert (tmp_path / "mailedge.prom").read_bytes() == metrics
    assert "may have seen a part" in perhaps["warnings"][1]
    whole = folder.write(run(WEDNESDAY, {"birke": "in order"}), FORMATS, partial=False)
    assert str(tmp_path / "mailedge.prom") in whole["files"]
    # What could not be read may be mended by hand.
    assert (tmp_path / "state.json.unreadable").read_text(encoding="utf-8") == "{"
    assert "kept as state.json.unreadable" in whole["warnings"][1]


def test_a_slice_or_another_inventory_forgets_no_site_unless_somebody_says_so(
    tmp_path: pathlib.Path,
) -> None:
    folder = ReportFolder(str(tmp_path))
    first = folder.write(run(MONDAY, {"birke": "drift", "erle": "open"}), FORMATS, partial=None)
    assert first["warnings"] == []
    # Of birke it has the first of the two servers only, and nothing of erle.
    part = folder.write(run(TUESDAY, {"birke": "in order"}), FORMATS, partial=None)
    (warning,) = part["warnings"]
    assert "birke-ex2 of birke; erle" in warning
    assert part["changes"]["missing_sites"] == ["erle"]
    metrics = (tmp_path / "mailedge.prom").read_text(encoding="utf-8")
    assert 'mailedge_site_state{site="erle",layer="all"} 4' in metrics
    assert 'mailedge_site_state{site="birke",layer="all"} 2' in metrics
    assert 'seconds{site="erle"} 1795428000' in metrics
    again = folder.write(run(WEDNESDAY, {"birke": "drift", "erle": "open"}), FORMATS, partial=None)
    assert again["warnings"] == again["changes"]["new_sites"] == []
    folder.write(run(WEDNESDAY, {"birke": "in order"}), FORMATS, partial=False)
    metrics = (tmp_path / "mailedge.prom").read_text(encoding="utf-8")
    assert "erle" not in metrics
    assert 'mailedge_site_state{site="birke",layer="all"} 0' in metrics


@pytest.mark.parametrize("playbook", ["rollback", "probe", "snapshots"])
def test_a_run_that_judges_no_description_says_nothing_of_what_changed(
    playbook: str, tmp_path: pathlib.Path
) -> None:
    folder = ReportFolder(str(tmp_path))
    folder.write(run(MONDAY, {"birke": "drift"}), FORMATS, partial=False)
    state, metrics = (
        (tmp_path / name).read_text(encoding="utf-8") for name in ("state.json", "mailedge.prom")
    )
    told = folder.write(run(TUESDAY, {}, playbook=playbook), FORMATS, partial=False)
    assert told["changes"] is None
    assert (tmp_path / "state.json").read_text(encoding="utf-8") == state
    assert (tmp_path / "mailedge.prom").read_text(encoding="utf-8") == metrics
    assert f"report-20261124T100000Z-{playbook}.json" in names(tmp_path)


def test_of_the_files_of_a_run_all_are_there_or_none(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ReportFolder(str(tmp_path))
    folder.write(run(MONDAY, {"birke": "drift"}), FORMATS, partial=False)
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    written: list[int] = []

    def full(handle: int) -> None:
        written.append(handle)
        if len(written) == 4:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FolderError, match="No space left on device.*is as it was"):
        folder.write(run(TUESDAY, {"birke": "open"}), FORMATS, partial=False)
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before


def test_a_folder_that_is_none_is_told(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(FolderError, match="cannot be written to"):
        ReportFolder(str(tmp_path / "file")).write(run(MONDAY, {}), ["json"], partial=False)
    (tmp_path / "latest.json").mkdir()
    with pytest.raises(FolderError, match=r"latest\.json is a folder"):
        ReportFolder(str(tmp_path)).write(run(MONDAY, {}), ["json"], partial=False)
    assert names(tmp_path) == {"file", "latest.json", ".lock"}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": 1}', "[" * 100_000, "\x00", '{"format": 2}']
)
def test_what_somebody_made_of_the_state_is_told_and_stops_nothing(
    text: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "state.json").write_text(text, encoding="utf-8")
    folder = ReportFolder(str(tmp_path))
    told = folder.write(run(MONDAY, {"birke": "drift"}), ["json"], partial=False)
    assert told["changes"] is None
    warning, _kept = told["warnings"]
    assert "state.json cannot be read" in warning
    assert folder.write(run(TUESDAY, {"birke": "drift"}), [], partial=False)["warnings"] == []


def test_two_runs_at_once_wait_for_each_other_and_not_for_ever(tmp_path: pathlib.Path) -> None:
    with open(tmp_path / ".lock", "a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(FolderError, match=r"Another run has been writing.*was not written"):
            ReportFolder(str(tmp_path), patience=0).write(run(MONDAY, {}), ["json"], partial=False)
    assert names(tmp_path) == {".lock"}


def test_unlikely_names_are_written_too(tmp_path: pathlib.Path) -> None:
    whole = {**reports.hostile(), "playbook": "drift"}
    told = ReportFolder(str(tmp_path)).write(whole, FORMATS, partial=False)
    assert len(told["files"]) == 11
    assert all(os.path.dirname(name) == str(tmp_path) for name in told["files"])
