# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutation score: change what decides at random places, and see whether a unit test notices.

cosmic-ray makes mutants of guards, order, models and verdicts. This draws a sample of them, and
runs the tests that are nearest to the module concerned, in a copy of the repository. What survives
is printed as a diff: it gets a test, or a reason in mutation_reasons.yml, which is counted apart
and not printed again.

Runs in .venv-mutation (make mutation). The tests run by the Python that --python names.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import difflib
import os
import pathlib
import random
import re
import subprocess
import sys
import time

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from ansible_collections.mailedge.lockdown.tests.tools.mutation_reasons import (
    FILE,
    reason_of,
    reasons,
)

# What decides: whether a run stops, in which order it writes, who gets in, what is said in the end.
MODULES = (
    "plugins/module_utils/_ranges_guards.py",
    "plugins/module_utils/_transaction/*guard*.py",
    "plugins/module_utils/_transaction/*order*.py",
    "plugins/module_utils/_exchange/*guards*.py",
    "plugins/module_utils/_exchange/order.py",
    "plugins/module_utils/_exchange/mailflow.py",
    "plugins/module_utils/_exchange/doors.py",
    "plugins/module_utils/_exchange/conflicts.py",
    "plugins/module_utils/_exchange/remember.py",
    "plugins/module_utils/_exchange/routing.py",
    "plugins/module_utils/_exchange/strangers.py",
    "plugins/module_utils/_fortios/*guards*.py",
    "plugins/module_utils/_fortios/folds.py",
    "plugins/module_utils/_fortios/model.py",
    "plugins/module_utils/_fortios/plan.py",
    "plugins/module_utils/_report/*.py",
    "plugins/module_utils/_probe/verdict.py",
    "plugins/module_utils/_probe/proof.py",
)
# These need to be told names, or do what no test should rest on, such as identity instead of
# equality.
_LEFT_OUT = re.compile(r"/(Variable|NoOp|RemoveDecorator)|_Is(Not)?$")
_LONGEST = 120.0
# What no unit test reaches, because its judge is a firewall: the lab's, in the same process.
_BY_THE_LAB = {
    "_fortios/guards.py": ("test_fortios_inbound_lock.py", "test_fortios_outbound_lock.py"),
    "_fortios/inbound_guards.py": ("test_fortios_inbound_lock.py", "test_fortios_strangers.py"),
}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change: an operator of cosmic-ray at one of the places that it fits."""

    path: pathlib.Path
    operator: str
    occurrence: int


def mutants(path: pathlib.Path) -> list[Mutant]:
    """All mutants of a module."""
    tree = get_ast(path.read_text(encoding="utf-8"))
    nodes = list(ast_nodes(tree))
    places = []
    for name in operator_names():
        if _LEFT_OUT.search(name):
            continue
        operator = get_operator(name)()
        count = sum(len(list(operator.mutation_positions(node))) for node in nodes)
        places += [Mutant(path, name, occurrence) for occurrence in range(count)]
    return places


class _Bare(ast.NodeTransformer):
    """Takes annotations away, which nothing looks at."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        node.annotation = ast.Constant(None)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        return node


def means(code: str) -> str:
    """A module without its annotations, for comparing."""
    return ast.dump(_Bare().visit(ast.parse(code)))


def importers(path: pathlib.Path, folder: pathlib.Path) -> list[pathlib.Path]:
    """The Python files below a folder that import a module."""
    package, stem = re.escape(path.parent.name), re.escape(path.stem)
    names = rf"\b{package}(\.{stem}\b| import [^\n(]*\b{stem}\b| import \([^)]*\b{stem}\b)"
    files = sorted(folder.rglob("*.py"))
    return [
        file
        for file in files
        if file != path and re.search(names, file.read_text(encoding="utf-8"))
    ]


def tests_of(path: pathlib.Path, root: pathlib.Path) -> list[pathlib.Path]:
    """The unit tests that import a module, or else those that import what uses it, or what uses
    that in turn, or what tests share of these. The one that is named like the module comes first:
    nearly every mutant ends there.
    """
    by_the_lab = _BY_THE_LAB.get(f"{path.parent.name}/{path.name}")
    if by_the_lab:
        return [root / "tests" / "integration" / name for name in by_the_lab]
    unit, plugins, support = (root / name for name in ("tests/unit", "plugins", "tests/support"))
    seen, ring = {path}, {path}
    while ring:
        tests = {test for module in ring for test in importers(module, unit)}
        tests = {test for test in tests if test.name.startswith("test_")}
        if tests:
            name = f"test_{path.stem.strip('_')}"
            return sorted(tests, key=lambda test: (test.stem != name, test))
        users = {user for module in ring for user in importers(module, plugins)} | ring
        ring = users | {helper for module in users for helper in importers(module, support)}
        ring -= seen
        seen |= ring
    return []


def passes(python: str, root: pathlib.Path, tests: list[pathlib.Path], limit: float) -> bool:
    """Whether the tests pass, within so many seconds."""
    environment = {**os.environ, "PYTHONPATH": str(root.parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [python, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *map(str, tests)]
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env=environment,
            timeout=limit,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main() -> None:
    """Draw, mutate, test; print what survived and the score."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "root", type=pathlib.Path, help="the copy of the repository that is changed"
    )
    parser.add_argument("--python", required=True, help="the Python that has what the tests need")
    parser.add_argument("--mutants", type=int, default=60, help="how many are drawn")
    parser.add_argument(
        "--seconds", type=float, default=1200, help="no new one is tried after that"
    )
    parser.add_argument("--seed", default="mailedge", help="another one draws others")
    parser.add_argument("--only", default="", help="only modules whose path contains this")
    given = parser.parse_args()
    root = given.root.resolve()
    modules = sorted(
        {path for pattern in MODULES for path in root.glob(pattern) if given.only in str(path)}
    )
    if not modules:
        sys.exit("No module is there to be mutated.")
    everything = [mutant for path in modules for mutant in mutants(path)]
    drawn = random.Random(given.seed).sample(everything, min(given.mutants, len(everything)))
    print(
        f"{len(everything)} mutants of {len(modules)} modules; {len(drawn)} of them are tried.",
        flush=True,
    )
    limits: dict[pathlib.Path, float] = {}
    known = reasons(FILE.read_text(encoding="utf-8"))
    killed, survived, explained, end = 0, 0, 0, time.monotonic() + given.seconds
    for mutant in sorted(
        drawn,
        key=lambda mutant_drawn: (
            mutant_drawn.path,
            mutant_drawn.operator,
            mutant_drawn.occurrence,
        ),
    ):
        if time.monotonic() > end:
            print("The time is over.")
            break
        name, tests = mutant.path.relative_to(root), tests_of(mutant.path, root)
        if mutant.path not in limits:
            began = time.monotonic()
            if not tests or not passes(given.python, root, tests, 10 * _LONGEST):
                sys.exit(f"{name}: its unit tests do not pass as it is, or there are none.")
            limits[mutant.path] = 10 + 4 * (time.monotonic() - began)
        original = mutant.path.read_text(encoding="utf-8")
        changed = mutate_code(original, get_operator(mutant.operator)(), mutant.occurrence)
        try:
            if means(changed) == means(original):
                continue
        except SyntaxError:
            # The asterisk of a signature, taken for a product.
            continue
        try:
            mutant.path.write_text(changed, encoding="utf-8")
            alive = passes(given.python, root, tests, limits[mutant.path])
        finally:
            mutant.path.write_text(original, encoding="utf-8")
        if not alive:
            killed += 1
        elif reason_of(known, name.as_posix(), original, changed):
            explained += 1
        else:
            survived += 1
            lines = difflib.unified_diff(
                original.splitlines(), changed.splitlines(), "", "", "", "", n=1, lineterm=""
            )
            print(f"\nsurvived: {name} ({mutant.operator})", *list(lines)[2:], sep="\n", flush=True)
    if killed + survived:
        print(
            f"\n{killed} of {killed + survived} mutants were noticed "
            f"({100 * killed // (killed + survived)} %)."
        )
    if explained:
        print(f"{explained} more were not, and mutation_reasons.yml says why.")


if __name__ == "__main__":
    main()
