# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which room of the collection knows which: no circle, and no layer that knows its sibling."""

from __future__ import annotations

import ast
import graphlib
import pathlib

import pytest

PLUGINS = pathlib.Path(__file__).parents[2] / "plugins"
PREFIX = "ansible_collections.mailedge.lockdown.plugins."
LAYERS = ("module_utils._exchange", "module_utils._fortios")


def imports() -> dict[str, set[str]]:
    """Module → the modules of the collection that it imports, those for types alone included."""
    names = {".".join(path.relative_to(PLUGINS).with_suffix("").parts): path for path in PLUGINS.rglob("*.py")}
    found: dict[str, set[str]] = {}
    for name, path in names.items():
        found[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX):
                module = str(node.module)[len(PREFIX) :]
                # What is imported may be a module itself, or something in one.
                inside = {f"{module}.{one.name}" for one in node.names} & set(names)
                found[name] |= inside or {module}
    return found


GRAPH = imports()


def test_there_is_something_to_look_at() -> None:
    assert "module_utils._exchange.plan" in GRAPH["module_utils._exchange.words"]


def test_no_two_modules_need_each_other() -> None:
    try:
        graphlib.TopologicalSorter(GRAPH).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"These import each other: {' ← '.join(error.args[1])}")


def test_the_engine_knows_no_layer() -> None:
    for name, needed in GRAPH.items():
        if name.startswith("module_utils._transaction"):
            assert {one for one in needed if not one.startswith("module_utils._transaction")} == set(), name


def test_no_layer_knows_its_sibling() -> None:
    for name, needed in GRAPH.items():
        mine = [layer for layer in LAYERS if name.startswith(layer)]
        others = [layer for layer in LAYERS if mine and layer not in mine]
        assert [one for one in needed if one.startswith(tuple(others) or ("nothing",))] == [], name
