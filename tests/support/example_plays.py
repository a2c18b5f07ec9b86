# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of modules and lookups as plays on a lab: invented names, addresses and secrets are
those of the lab; everything else is as it stands in the documentation.
"""

from __future__ import annotations

import importlib
import re
import typing as t

import yaml

from ansible_collections.mailedge.lockdown.tests.support.examples import (
    OURS,
    PLUGINS,
    SECTIONS,
    Task,
)
from ansible_collections.mailedge.lockdown.tests.tools.documentation import REPOSITORY

Play = dict[str, t.Any]


def plugins_of(kind: str) -> list[str]:
    """The modules or lookups that there are."""
    folder = REPOSITORY / "plugins" / kind
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def plays_of(kind: str, name: str, hosts: str) -> list[Play]:
    """The examples of a module or lookup as plays; tasks alone are a play on `hosts`."""
    entries = yaml.safe_load(importlib.import_module(f"{PLUGINS}.{kind}.{name}").EXAMPLES)
    plays = [entry for entry in entries if "hosts" in entry]
    tasks = [entry for entry in entries if "hosts" not in entry]
    if tasks:
        plays.append({"name": f"Of {name}", "hosts": hosts, "gather_facts": False, "tasks": tasks})
    return plays


def named_in(plays: t.Iterable[Play]) -> list[str]:
    """The names of all tasks, in their order."""
    return [str(task["name"]) for play in plays for task in _tasks(play["tasks"])]


def _tasks(tasks: t.Iterable[Task]) -> t.Iterator[Task]:
    for task in tasks:
        nested = [task[section] for section in SECTIONS if section in task]
        for inner in nested:
            yield from _tasks(inner)
        if not nested:
            yield task


def on_the_lab(value: t.Any, played: t.Mapping[str, t.Any]) -> t.Any:
    """A value with all that is invented in it replaced by what plays it."""
    if isinstance(value, dict):
        return {name: on_the_lab(inner, played) for name, inner in value.items()}
    if isinstance(value, list):
        return [on_the_lab(inner, played) for inner in value]
    if not isinstance(value, str) or value in played:
        return played.get(value, value)
    for invented, there in played.items():
        pieces = re.split(rf"(?<![\w.@]){re.escape(invented)}(?![\w.])", value)
        value = str(there).join(pieces)
    return value


def without(play: Play, names: t.Collection[str]) -> Play:
    """A play without the tasks of some names at its top."""
    return {**play, "tasks": [task for task in play["tasks"] if task["name"] not in names]}


def apart(play: Play, elsewhere: t.Mapping[str, str]) -> list[Play]:
    """A play as several where some tasks at its top, by name, are for other hosts."""
    plays: list[Play] = []
    for task in play["tasks"]:
        hosts = elsewhere.get(task["name"], play["hosts"])
        if not plays or plays[-1]["hosts"] != hosts:
            plays.append({**play, "hosts": hosts, "tasks": []})
        plays[-1]["tasks"].append(task)
    return plays


def with_more(play: Play, more: t.Mapping[str, t.Mapping[str, t.Any]]) -> Play:
    """A play with further options of some tasks at its top, by their names: what only a lab has."""

    def added(task: Task) -> Task:
        options = more.get(task["name"])
        if options is None:
            return task
        (module,) = (key for key in task if key.startswith(OURS))
        return {**task, module: _merged(task[module], options)}

    return {**play, "tasks": [added(task) for task in play["tasks"]]}


def _merged(options: t.Mapping[str, t.Any], more: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    both = dict(options)
    for name, value in more.items():
        inner = both.get(name)
        both[name] = _merged(inner, value) if isinstance(inner, dict) else value
    return both
