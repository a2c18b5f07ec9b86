# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder where reports are kept: dated files, which are the history, and what is known of every
site, by which a finding has the time since when it is there.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import tempfile
import time
import types
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.changes import (
    ReportError,
    absent,
    checked,
    compared,
    merged,
    with_since,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.dated import (
    old_runs,
    remove,
    stem_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render import (
    as_csv,
    as_html,
    as_json,
    as_junit,
    as_markdown,
    as_prometheus,
)

Plain = dict[str, t.Any]
Report = t.Mapping[str, t.Any]

PROMETHEUS = "prometheus"
# Format → the end of its files, and what renders it.
_FORMATS: t.Mapping[str, tuple[str, t.Callable[[Report, Report | None], str]]] = (
    types.MappingProxyType(
        {
            "json": ("json", as_json.render),
            "html": ("html", as_html.render),
            "markdown": ("md", as_markdown.render),
            "csv": ("csv", as_csv.render),
            "junit": ("xml", as_junit.render),
            PROMETHEUS: ("prom", as_prometheus.render),
        }
    )
)
FORMATS = tuple(_FORMATS)
# Playbooks whose reports say how a site is, and are compared with each other.
_COMPARED = ("apply", "drift")
_STATE, _LOCK, _METRICS = "state.json", ".lock", "mailedge.prom"
_UNREADABLE = "state.json.unreadable"
_MOST_TOLD = 20
_LONGEST = 256 << 20


def rendered(name: str, report: Report, changes: Report | None) -> str:
    """A report in one of FORMATS."""
    return _FORMATS[name][1](report, changes)


class FolderError(Exception):
    """A report cannot be kept; a sentence that says why, and what was left as it was."""


class ReportFolder:
    """A folder of reports. Several runs may write to it at once."""

    def __init__(
        self, path: str, mode: int = 0o640, patience: float = 30, keep_days: int | None = None
    ) -> None:
        self.path = pathlib.Path(os.path.expanduser(path))
        self._mode, self._patience, self._keep_days = mode, patience, keep_days

    def compare(
        self, report: Report, *, partial: bool | None
    ) -> tuple[Plain, Plain | None, list[str]]:
        """The report with the times of its findings, what is another than before, and warnings.

        No changes where there is nothing to compare with. `partial`: whether the run was to see a
        part of the sites only; None where nobody knows.
        """
        if report.get("playbook") not in _COMPARED:
            return dict(report), None, []
        before, warnings = self._state()
        if warnings and partial is False:
            warnings.append(f"It is kept as {_UNREADABLE}.")
        elif warnings:
            saw = "saw" if partial else "may have seen"
            warnings.append(
                f"This run {saw} a part of the sites only, so that {_STATE} and {_METRICS} are "
                f"left as they are. Move {_STATE} away, and let a run see every site."
            )
        elif partial is None and (missing := absent(before, report)):
            warnings.append(
                f"This run did not have what is known from before: {_some(missing)}. That stays as "
                "it was, because a slice of a job or another inventory may hide it. Where it is "
                "not looked after any more, let one run see every site with -e "
                "mailedge_report_partial=false, which forgets it."
            )
        changes = compared(before, report, partial=partial) if before else None
        return with_since(report, before), changes, warnings

    def write(self, report: Report, formats: t.Sequence[str], *, partial: bool | None) -> Plain:
        """Write the report in these formats, all of them or none; give {files, removed, changes,
        report, warnings}. `partial`: see compare(). Raises FolderError.
        """
        removed: list[str] = []
        checked(dict(report))
        try:
            self.path.mkdir(mode=0o750, parents=True, exist_ok=True)
            with self._alone():
                told, changes, warnings = self.compare(report, partial=partial)
                whole = self._whole(told, partial=partial)
                texts = self._texts(told, changes, whole, formats)
                self._put(texts, aside=whole is not None and bool(self._state()[1]))
                if self._keep_days is not None:
                    ends = {end for end, _render in _FORMATS.values()}
                    old = old_runs(self.path, ends, str(told["at"]), self._keep_days)
                    removed, left = remove(self.path, old)
                    warnings = [*warnings, *left]
        except OSError as error:
            raise FolderError(
                f"The report cannot be written to {self.path} ({error.strerror or error}). What "
                "was there is as it was."
            ) from None
        files = [str(self.path / name) for name in texts if name != _STATE]
        return {
            "files": files,
            "removed": removed,
            "changes": changes,
            "report": told,
            "warnings": warnings,
        }

    def _whole(self, told: Report, *, partial: bool | None) -> Plain | None:
        """What is known of every site by now; None where this run says nothing of that, or not all
        of it, and the rest cannot be read.
        """
        if told.get("playbook") not in _COMPARED:
            return None
        before, warnings = self._state()
        if warnings and partial is not False:
            return None
        return merged(before, told, partial=partial)

    def _texts(
        self,
        told: Report,
        changes: Report | None,
        whole: Report | None,
        formats: t.Sequence[str],
    ) -> dict[str, str]:
        """Name → content of every file."""
        stem = self._stem(told)
        texts = {}
        for name in formats:
            end, render = _FORMATS[name]
            if name == PROMETHEUS:
                # Of all sites, under one name: a collector reads every file that it finds.
                if whole is not None:
                    texts[_METRICS] = render(whole, None)
                continue
            texts[f"{stem}.{end}"] = texts[f"latest.{end}"] = render(told, changes)
        if whole is not None:
            texts[_STATE] = as_json.render(whole)
        return texts

    def _stem(self, told: Report) -> str:
        """The first part of the dated names: no file of another run has it."""
        stem = stem_of(str(told["at"]), str(told.get("playbook") or ""))
        number, free = 2, stem
        taken = {path.name.partition(".")[0] for path in self.path.iterdir()}
        while free in taken:
            number, free = number + 1, f"{stem}-{number}"
        return free

    def _state(self) -> tuple[Plain | None, list[str]]:
        """What was known of every site before, and why it cannot be read."""
        path = self.path / _STATE
        try:
            if path.stat().st_size > _LONGEST:
                raise ReportError("It is far longer than any report.")
            return checked(json.loads(path.read_text(encoding="utf-8"))), []
        except FileNotFoundError:
            return None, []
        except (OSError, ValueError, RecursionError, ReportError) as error:
            why = str(getattr(error, "strerror", None) or error).rstrip(".")
            return None, [
                f"{path} cannot be read ({why}), so that nothing is compared with the run before, "
                "and every finding is there since this run."
            ]

    def _put(self, texts: t.Mapping[str, str], *, aside: bool) -> None:
        """Write every file beside its place first, and then put all of them there. `aside`: what
        was known, and cannot be read, is kept under another name.
        """
        with contextlib.ExitStack() as waste:
            ready = []
            for name, text in texts.items():
                handle, beside = tempfile.mkstemp(dir=str(self.path), prefix=".new-")
                waste.callback(_gone, beside)
                with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="") as file:
                    file.write(text)
                    file.flush()
                    os.fchmod(file.fileno(), self._mode)
                    os.fsync(file.fileno())
                ready.append((beside, self.path / name))
            for _beside, path in ready:
                if path.is_dir():
                    raise IsADirectoryError(0, f"{path.name} is a folder")
            if aside:
                os.replace(self.path / _STATE, self.path / _UNREADABLE)
            for beside, path in ready:
                os.replace(beside, path)

    @contextlib.contextmanager
    def _alone(self) -> t.Iterator[None]:
        """Meanwhile no other run reads or writes what is known of the sites."""
        with open(self.path / _LOCK, "a", encoding="utf-8") as lock:
            until = time.monotonic() + self._patience
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if time.monotonic() >= until:
                        raise FolderError(
                            f"Another run has been writing to {self.path} for {self._patience:g} "
                            "seconds, so that this report was not written."
                        ) from None
                    time.sleep(0.05)
            yield


def _some(names: t.Sequence[str]) -> str:
    more = len(names) - _MOST_TOLD
    return "; ".join([*names[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])])


def _gone(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
