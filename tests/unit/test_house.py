# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which room of the collection knows which: no circle, no layer that knows its sibling, no judge
that asks the judged.
"""

from __future__ import annotations

import ast
import functools
import graphlib
import pathlib
import re
import subprocess

import pytest

ROOT = next(
    folder for folder in pathlib.Path(__file__).parents if (folder / "galaxy.yml").is_file()
)
PLUGINS, TESTS = ROOT / "plugins", ROOT / "tests"
COLLECTION = "ansible_collections.mailedge.lockdown."
PREFIX = f"{COLLECTION}plugins."
# With a dot, because a name may begin as another one does.
LAYERS = (
    "module_utils._exchange.",
    "module_utils._exchange_online.",
    "module_utils._fortios.",
    "module_utils._iis.",
    "module_utils._windows.",
    "module_utils._windows_firewall.",
)


@functools.cache
def graph() -> dict[str, set[str]]:
    """Module → the modules of the collection that it imports, those for types alone included. Made
    by the first test that asks, not by each process that collects tests.
    """
    names = {
        ".".join(path.relative_to(PLUGINS).with_suffix("").parts): path
        for path in PLUGINS.rglob("*.py")
    }
    needed: dict[str, set[str]] = {}
    for name, path in names.items():
        needed[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX):
                module = str(node.module)[len(PREFIX) :]
                # What is imported may be a module itself, or something in one.
                inside = {f"{module}.{alias.name}" for alias in node.names} & set(names)
                needed[name] |= inside or {module}
    return needed


# What the judges may know of the judged, each with its reason. Nothing here decides who gets in,
# what is a change, or whether it is safe.
LAB_MAY_IMPORT = {
    "plugins.plugin_utils._codec": (
        "the wire between action and agent: the stand-in speaks it in the agent's place"
    ),
}
ORACLE_MAY_IMPORT = {
    "plugins.module_utils._exchange.plan.Change": (
        "the type of what it judges, for annotations alone"
    ),
    "plugins.module_utils._exchange.state.State": (
        "the type of what it judges, for annotations alone"
    ),
}


@functools.cache
def imported(path: pathlib.Path) -> frozenset[str]:
    """What of the collection a file imports, wherever in it, as ``package.module.name``."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports something by its place"
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    return frozenset(name[len(COLLECTION) :] for name in modules if name.startswith(COLLECTION))


def of_the_product(path: pathlib.Path) -> set[str]:
    return {name for name in imported(path) if name.startswith("plugins")}


def test_there_is_something_to_look_at() -> None:
    assert "module_utils._exchange.plan" in graph()["module_utils._exchange.words"]


def test_no_two_modules_need_each_other() -> None:
    try:
        graphlib.TopologicalSorter(graph()).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"These import each other: {' ← '.join(error.args[1])}")


def test_the_engine_knows_no_layer() -> None:
    for name, needed in graph().items():
        if name.startswith("module_utils._transaction"):
            assert {
                module for module in needed if not module.startswith("module_utils._transaction")
            } == set(), name


def test_the_whole_edge_knows_no_layer() -> None:
    """Nor the engine, nor the probe: the layers tell it what they are."""
    known = ("module_utils._edge", "module_utils._ranges")
    for name, needed in graph().items():
        if name.startswith("module_utils._edge"):
            assert [module for module in needed if not module.startswith(known)] == [], name


def test_no_layer_knows_its_sibling() -> None:
    for name, needed in graph().items():
        mine = [layer for layer in LAYERS if name.startswith(layer)]
        others = [layer for layer in LAYERS if mine and layer not in mine]
        assert [
            module for module in needed if module.startswith(tuple(others) or ("nothing",))
        ] == [], name


def test_the_lab_knows_nothing_of_the_product_that_decides() -> None:
    """It would judge the product by the product: what is wrong in both is seen in neither."""
    files = sorted((TESTS / "lab").rglob("*.py"))
    assert len(files) > 30
    known = {name for path in files for name in of_the_product(path)}
    forbidden = {name for name in known if name.rpartition(".")[0] not in LAB_MAY_IMPORT}
    assert forbidden == set()
    assert {name.rpartition(".")[0] for name in known} == set(LAB_MAY_IMPORT), (
        "a reason without an import"
    )


def test_the_oracle_knows_nothing_of_the_product_but_its_types() -> None:
    (oracle,) = TESTS.rglob("oracle.py")
    assert of_the_product(oracle) == set(ORACLE_MAY_IMPORT)


def test_no_judge_is_imported_by_its_text() -> None:
    """importlib, exec and the like would get past the two above."""
    for path in [*(TESTS / "lab").rglob("*.py"), *TESTS.rglob("oracle.py")]:
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert "lockdown.plugins" not in node.value, path


def test_no_test_imports_a_test() -> None:
    """What two tests need is in a helper: tests/support, or a file with an underscore."""
    files = [path for path in TESTS.rglob("*.py") if "output" not in path.parts]
    assert any(path.name.startswith("test_") for path in files)
    for path in files:
        names = [part for name in imported(path) for part in name.split(".")]
        assert [name for name in names if name.startswith("test_")] == [], path


def test_every_file_fits_on_a_few_screens() -> None:
    for path in [*TESTS.rglob("*.py"), *PLUGINS.rglob("*.py")]:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, path


# ruff judges Python. What may be wider than 100 columns beside it, each with its reason.
WIDE = {
    "COPYING": "the licence as it is published",
    "LICENSES/GPL-3.0-or-later.txt": "the same, where REUSE looks for it",
    "changelogs/changelog.yaml": "generated from the fragments",
    "tests/support/replies.txt": "recorded answers of mail servers, a line each",
}


def too_wide(text: str) -> list[str]:
    """Lines of more than 100 columns, but for a word that cannot be broken, as an address is."""
    return [
        line
        for line in text.splitlines()
        if len(line) > 100 and not re.fullmatch(r"[\s#*|-]*(?:[\w.]+: )?\S+", line)
    ]


@pytest.mark.parametrize(
    ("line", "wide"),
    [
        ("x " * 50, False),
        ("x " * 51, True),
        ("é" * 50 + " " + "é" * 49, False),
        ("  source: https://example.com/" + "x" * 100, False),
        ("see https://example.com/" + "x" * 100 + " there", True),
    ],
)
def test_a_wide_line_is_seen(line: str, wide: bool) -> None:
    assert bool(too_wide(f"short\n{line}\n")) is wide


def test_no_line_is_wider_than_100_columns_outside_of_python() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("which files belong to the repository is known where git has it")
    listed = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [path for path in listed.split("\0") if path and (ROOT / path).is_file()]
    assert len(paths) > 500
    assert set(WIDE) - {"changelogs/changelog.yaml"} <= set(paths), "a reason without a file"
    wide = {
        path: too_wide((ROOT / path).read_text(encoding="utf-8"))
        for path in paths
        if path not in WIDE and not path.endswith((".py", ".png", ".svg"))
    }
    assert {path: lines for path, lines in wide.items() if lines} == {}
    agent = ROOT / "plugins/plugin_utils/agent.ps1"
    assert len(agent.read_text(encoding="ascii").splitlines()) < 500


# A name says what the thing is; these say nothing.
FILLERS = {"found", "lost", "met", "one", "spoken"}


def fillers_in(text: str) -> set[str]:
    """The filler words that a file has as variables, parameters, attributes or names of its own."""
    # Most files have none of the words anywhere, and need not be read as Python.
    if not re.search(rf"\b({'|'.join(FILLERS)})\b", text):
        return set()
    names: set[str | None] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.alias):
            names.add(node.asname)
        elif isinstance(
            node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler)
        ):
            names.add(node.name)
    return {name for name in names if name in FILLERS}


@pytest.mark.parametrize(
    ("text", "fillers"),
    [
        ("[one for one in range(3)]", {"one"}),
        ("found: int = 1", {"found"}),
        ("(met := 1)", {"met"}),
        ("def f(*, lost): ...", {"lost"}),
        ("def spoken(): ...", {"spoken"}),
        ("import os as found", {"found"}),
        ("self.lost = f'{one}'", {"lost", "one"}),
        ("try: ...\nexcept OSError as met: ...", {"met"}),
        ("f(one=1, two='one')  # one is found", set()),
    ],
)
def test_a_filler_is_seen(text: str, fillers: set[str]) -> None:
    assert fillers_in(text) == fillers


def test_names_say_what_a_thing_is() -> None:
    paths = [path for folder in (ROOT / "plugins", TESTS) for path in folder.rglob("*.py")]
    assert len(paths) > 500
    fillers = {
        str(path.relative_to(ROOT)): fillers_in(path.read_text(encoding="utf-8")) for path in paths
    }
    assert {path: names for path, names in fillers.items() if names} == {}


def test_unit_tests_mirror_the_code() -> None:
    folders = {
        path.parent.relative_to(TESTS / "unit") for path in (TESTS / "unit").rglob("test_*.py")
    }
    assert len(folders) > 5
    assert [str(folder) for folder in folders if not (ROOT / folder).is_dir()] == []


def test_what_is_called_unit_needs_no_running_lab() -> None:
    """The lab's Exchange and Windows are models in memory; whatever else of the lab a test takes
    listens somewhere.
    """
    for path in (TESTS / "unit").rglob("test_*.py"):
        lab = {name for name in imported(path) if name.startswith("tests.lab.")}
        models = ("tests.lab.exchange.", "tests.lab.windows.")
        assert {name for name in lab if not name.startswith(models)} == set(), path


# Its tests need an environment of their own, so that a target of its own runs them.
BESIDE = {"tests/page": "page", "tests/eda": "eda"}
# Not by .ci/run, each with its reason.
BY_HAND = {"eda": "it needs a Java, and minutes; what decides is tested in tests/unit/extensions"}


def test_every_folder_of_tests_is_run() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    folders = {f"tests/{path.relative_to(TESTS).parts[0]}" for path in TESTS.rglob("test_*.py")}
    for folder, target in BESIDE.items():
        (recipe,) = re.findall(rf"^{target}: .*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
        assert f" {folder}\n" in recipe
        run = f"make {target}" in (ROOT / ".ci/run").read_text("utf-8")
        assert run != (target in BY_HAND)
    folders -= set(BESIDE)
    (named,) = [line for line in makefile.splitlines() if line.startswith("TESTS ?= ")]
    assert set(named.split()[2:]) == folders
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    assert all(f'"{folder}"' in settings for folder in folders)
