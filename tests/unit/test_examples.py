# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the documentation: their options exist, and what is to prove can fail."""

from __future__ import annotations

import importlib
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.task import (
    ARGUMENTS as NAMES,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import (
    ARGUMENTS as PROBE,
)
from ansible_collections.mailedge.lockdown.tests.tools.documentation import REPOSITORY

OURS = "mailedge.lockdown."
PLUGINS = "ansible_collections.mailedge.lockdown.plugins"
MODULES = sorted(
    path.stem for path in (REPOSITORY / "plugins/modules").glob("*.py") if path.stem != "__init__"
)
SECTIONS = ("block", "rescue", "always")

Task = dict[str, t.Any]


def tasks_of(entries: t.Iterable[Task]) -> t.Iterator[Task]:
    """All tasks, also those of plays and blocks."""
    for entry in entries:
        nested = [
            entry[key] for key in (*SECTIONS, "tasks", "pre_tasks", "post_tasks") if key in entry
        ]
        for tasks in nested:
            yield from tasks_of(tasks)
        if not nested:
            yield entry


def calls_of(module: str) -> list[tuple[str, str, Task]]:
    """Name, module and options of the tasks that call a module of ours, in `module`'s examples."""
    examples = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{module}").EXAMPLES)
    return [
        (str(task["name"]), key[len(OURS) :], task[key] or {})
        for task in tasks_of(examples)
        for key in task
        if key.startswith(OURS)
    ]


def options_of(module: str) -> t.Mapping[str, t.Any]:
    """The argument spec of a module, which its file names."""
    names = vars(importlib.import_module(f"{PLUGINS}.modules.{module}"))
    specs = [
        value for value in names.values() if isinstance(value, dict) and "argument_spec" in value
    ]
    return t.cast(
        "t.Mapping[str, t.Any]",
        specs[0]["argument_spec"]
        if specs
        else {"mail_edge_names": NAMES, "mail_edge_probe": PROBE}[module],
    )


def unknown(options: t.Any, spec: t.Mapping[str, t.Any], where: str) -> t.Iterator[str]:
    """The names of options, and of options inside of them, that are none."""
    for entry in options if isinstance(options, list) else [options]:
        for name, value in entry.items() if isinstance(entry, dict) else ():
            known = spec.get(name) or next(
                (option for option in spec.values() if name in option.get("aliases", ())), None
            )
            if known is None:
                yield f"{where}.{name}"
            elif known.get("options"):
                yield from unknown(value, known["options"], f"{where}.{name}")


@pytest.mark.parametrize("module", MODULES)
def test_an_example_names_only_options_that_there_are(module: str) -> None:
    wrong = [
        name
        for title, called, options in calls_of(module)
        for name in unknown(options, options_of(called), title)
    ]
    assert wrong == []


@pytest.mark.parametrize("module", MODULES)
def test_what_an_example_calls_a_proof_can_fail(module: str) -> None:
    for title, called, options in calls_of(module):
        if called == "mail_edge_probe" and title.startswith("Prove"):
            looks = options.get("looks") or [options]
            assert all(look.get("expect", "any") != "any" for look in looks), title
