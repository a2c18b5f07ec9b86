# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the documentation: the tasks in them, and whether their options exist."""

from __future__ import annotations

import importlib
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.task import (
    ARGUMENTS as NAMES,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import (
    ARGUMENTS as PROBE,
)

OURS = "mailedge.lockdown."
PLUGINS = "ansible_collections.mailedge.lockdown.plugins"
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
