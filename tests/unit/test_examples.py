# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the documentation: their options exist, and what is to prove can fail."""

from __future__ import annotations

import importlib

import pytest
import yaml

from ansible_collections.mailedge.lockdown.tests.support.examples import (
    OURS,
    PLUGINS,
    Task,
    options_of,
    tasks_of,
    unknown,
)
from ansible_collections.mailedge.lockdown.tests.tools.documentation import REPOSITORY

MODULES = sorted(
    path.stem for path in (REPOSITORY / "plugins/modules").glob("*.py") if path.stem != "__init__"
)


def calls_of(module: str) -> list[tuple[str, str, Task]]:
    """Name, module and options of the tasks that call a module of ours, in `module`'s examples."""
    examples = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{module}").EXAMPLES)
    return [
        (str(task["name"]), key[len(OURS) :], task[key] or {})
        for task in tasks_of(examples)
        for key in task
        if key.startswith(OURS)
    ]


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
