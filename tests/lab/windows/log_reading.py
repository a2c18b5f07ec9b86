# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation log_summary of the agent, as the stand-in answers it: over the same files."""

from __future__ import annotations

import csv
import datetime
import io
import pathlib
import re
import time
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.transport_logs import (
    TransportLogs,
    stamp,
)

Row = dict[str, t.Any]
Step = t.Mapping[str, t.Any]
_CLASSES = {
    PermissionError: "UnauthorizedAccessException",
    IsADirectoryError: "UnauthorizedAccessException",
}


class _Sum:
    """What one rule has counted."""

    def __init__(self, rule: Step, step: Step) -> None:
        self.rule, self.most, self.values = rule, step["most"], step["most_values"]
        self.rows: dict[tuple[str, ...], list[t.Any]] = {}
        self.over = 0

    def count(self, key: tuple[str, ...], moment: str, value: str) -> None:
        row = self.rows.get(key)
        if row is None:
            if len(self.rows) >= self.most:
                self.over += 1
                return
            row = self.rows[key] = [list(key), 0, moment, moment, set()]
        row[1] += 1
        row[2], row[3] = min(row[2], moment), max(row[3], moment)
        if len(row[4]) < self.values:
            row[4].add(value)

    def told(self) -> Row:
        rows = [[*row[:4], len(row[4])] for row in self.rows.values()]
        return {"name": self.rule["name"], "rows": rows, "over": self.over}


def summary(logs: TransportLogs, step: Step, done: t.Callable[[str], t.Sequence[Row]]) -> list[Row]:
    """The answer to a step; `done` gives the rows of an earlier one."""
    reading = _Reading(logs, step)
    for source in step["folder"]:
        rows = done(source["step"])
        if rows:
            reading.told["from"] = source["step"]
            # A null is no text there.
            reading.told["folder"] = str(rows[0].get(source["property"]) or "")
            break
    if reading.told["folder"]:
        try:
            reading.folder(pathlib.Path(reading.told["folder"]))
        except OSError as error:
            reading.told["error"] = _class(error, "DirectoryNotFoundException")
    return [{**reading.told, "rules": [each.told() for each in reading.sums]}]


def _class(error: OSError, missing: str) -> str:
    named = missing if isinstance(error, FileNotFoundError) else "IOException"
    return _CLASSES.get(type(error), named)


class _Reading:
    def __init__(self, logs: TransportLogs, step: Step) -> None:
        self.logs, self.step = logs, step
        since = step.get("since")
        if not since:
            since = stamp(logs.now() - datetime.timedelta(days=step["days"]))
        self.sums = [_Sum(rule, step) for rule in step["rules"]]
        self.told: Row = {
            "folder": None,
            "from": None,
            "error": None,
            "files": 0,
            "read": 0,
            "left": 0,
            "lines": 0,
            "unreadable": 0,
            "covered_from": None,
            "last": None,
            "stopped": None,
            "oldest": None,
            "bytes": 0,
            "unread": [],
            "since": since,
        }
        self._end = time.monotonic() + step["seconds"]

    def folder(self, folder: pathlib.Path) -> None:
        """All files of the days that are asked for, the newest first."""
        if self.logs.is_denied(str(folder)):
            raise PermissionError
        form = re.compile(
            rf"{re.escape(self.step['prefix'])}([0-9]{{8}})([0-9]{{2}})?-([0-9]{{1,9}})\.log",
            re.IGNORECASE,
        )
        named = [(form.fullmatch(path.name), path) for path in folder.iterdir() if path.is_file()]
        files = sorted(
            ((match[1], match[2] or "00", int(match[3])), path) for match, path in named if match
        )
        day = datetime.date.fromisoformat(self.told["since"][:10]) - datetime.timedelta(days=1)
        for (name_day, _hour, _number), path in reversed(files):
            self.told["oldest"] = name_day
            if name_day < f"{day:%Y%m%d}":
                continue
            self.told["files"] += 1
            if self.told["bytes"] >= self.step["bytes"]:
                self.told["stopped"] = "bytes"
            elif time.monotonic() > self._end:
                self.told["stopped"] = "seconds"
            if self.told["stopped"]:
                self.told["left"] += 1
                continue
            try:
                if self.logs.is_denied(str(path)):
                    raise PermissionError
                self._file(path)
            except OSError as error:
                failed = _class(error, "FileNotFoundException")
                self.told["unread"].append({"name": path.name, "error": failed})
            except LookupError:
                self.told["unread"].append({"name": path.name, "error": "Mailedge.NoHeader"})

    def _file(self, path: pathlib.Path) -> None:
        raw = path.read_bytes()
        columns = {name: at for at, name in enumerate(_header(raw))}
        if columns.get(self.step["time"]) != 0:
            raise LookupError
        for rule in self.step["rules"]:
            if any(condition["field"] not in columns for condition in rule["where"]):
                raise LookupError
        room = min(len(raw), self.step["bytes"] - self.told["bytes"])
        self.told["bytes"] += room
        whole = room == len(raw)
        text = raw[len(raw) - room :].decode("utf-8-sig", "replace")
        lines = list(io.StringIO(text, newline=None))
        first, last = "", ""
        counted = 0
        for line in lines if whole else lines[1:]:
            line = line.rstrip("\n")
            counted += 1
            if counted % 256 == 0 and time.monotonic() > self._end:
                self.told["stopped"] = "seconds"
                self.told["left"] += 1
                break
            if len(line) < 24 or line[0] == "#":
                continue
            first = first or line[:24]
            if line >= self.told["since"]:
                last = line[:24]
                self._line(line, columns)
        self.told["lines"] += counted
        if last and last > (self.told["last"] or ""):
            self.told["last"] = last
        if self.told["stopped"]:
            return
        self.told["read"] += 1
        self.told["covered_from"] = first or self.told["covered_from"]
        if not whole:
            self.told["stopped"] = "bytes"

    def _line(self, line: str, columns: t.Mapping[str, int]) -> None:
        fields: list[str] | None = None
        for each in self.sums:
            if not any(needle in line for needle in each.rule["needles"]):
                continue
            fields = fields or next(csv.reader([line]), [])
            conditions = [
                (columns[condition["field"]], condition) for condition in each.rule["where"]
            ]
            verdict: bool | None = True
            for at, condition in conditions:
                if at >= len(fields):
                    verdict = None
                elif not _holds(fields[at], condition):
                    verdict = False
                if not verdict:
                    break
            if verdict is None:
                self.told["unreadable"] += 1
                return
            if verdict:
                asked = str(each.rule.get("distinct") or "")
                value = fields[columns[asked]] if asked in columns else ""
                each.count(self._key(fields, columns), fields[0], value)

    def _key(self, fields: t.Sequence[str], columns: t.Mapping[str, int]) -> tuple[str, ...]:
        key = []
        for part in self.step["key"]:
            places = [columns[name] for name in part["fields"] if name in columns]
            texts = [fields[at] for at in places if at < len(fields) and fields[at]]
            text = texts[0] if texts else ""
            until = part.get("until_last")
            key.append(text.rpartition(until)[0] if until and until in text else text)
        return tuple(key)


def _header(raw: bytes) -> list[str]:
    for line in raw[:4096].decode("utf-8-sig", "replace").split("\n"):
        text = line.strip("\r \ufeff")
        if text and not text.startswith("#"):
            break
        if text.casefold().startswith("#fields:"):
            return text[8:].replace(" ", "").split(",")
    return []


def _holds(text: str, condition: Step) -> bool:
    here, wanted = text.casefold(), str(condition["text"]).casefold()
    if condition["how"] == "is":
        return here == wanted
    return here.startswith(wanted) if condition["how"] == "starts" else wanted in here
