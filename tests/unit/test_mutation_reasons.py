# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why some mutants are left alive: no reason outlives its code, and none hides another mutant."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.mailedge.lockdown.tests.tools.documentation import REPOSITORY
from ansible_collections.mailedge.lockdown.tests.tools.mutation_reasons import (
    FILE,
    Reason,
    reason_of,
    reasons,
    wrong_with,
)

KNOWN = reasons(FILE.read_text(encoding="utf-8"))
CODE = "def most():\n    if size > 3:\n        return size\n    return 3\n"
BOUND = Reason("a.py", "if size > 3:", ("if size >= 3:",), "At the bound both give the same.")


def test_every_reason_is_a_sentence_about_a_line_that_still_stands() -> None:
    assert KNOWN
    modules = {each.module for each in KNOWN}
    code = {name: (REPOSITORY / name).read_text(encoding="utf-8") for name in modules}
    assert [problem for each in KNOWN for problem in wrong_with(each, code[each.module])] == []


@pytest.mark.parametrize(
    ("change", "code", "problem"),
    [
        ({}, CODE, None),
        ({"before": "if size > 4:"}, CODE, "it stands there 0 times"),
        ({"before": "if size > 3"}, CODE, "it stands there 0 times"),
        ({}, CODE + CODE, "it stands there 2 times"),
        ({}, CODE.replace("        return size\n", "    if size > 3:\n"), "there 2 times"),
        ({"after": ()}, CODE, "does not say what becomes of it"),
        ({"after": ("if size > 3:",)}, CODE, "does not say what becomes of it"),
        ({"reason": "Equivalent."}, CODE, "no sentence"),
        ({"reason": "it means the same"}, CODE, "no sentence"),
    ],
)
def test_what_is_wrong_with_a_reason_is_told(
    change: dict[str, object], code: str, problem: str | None
) -> None:
    problems = wrong_with(dataclasses.replace(BOUND, **change), code)  # type: ignore[arg-type]
    assert len(problems) == (problem is not None)
    assert all(str(problem) in each for each in problems)


def test_a_reason_is_for_exactly_one_change_of_one_module() -> None:
    at_the_bound = CODE.replace("> 3", ">= 3")
    assert reason_of([BOUND], "a.py", CODE, at_the_bound) is BOUND
    assert reason_of([BOUND], "b.py", CODE, at_the_bound) is None
    for other in (CODE, CODE.replace("> 3", "< 3"), at_the_bound.replace("return 3", "return 4")):
        assert reason_of([BOUND], "a.py", CODE, other) is None


def test_a_line_that_stands_twice_is_told_by_its_neighbours() -> None:
    twice = "if a:\n    return 1\nif b:\n    return 1\n"
    second = Reason("a.py", "if b:\n  return 1", ("if b:\n  return 2",), "It is a sentence.")
    assert wrong_with(second, twice) == []
    assert reason_of([second], "a.py", twice, "if a:\n    return 1\nif b:\n    return 2\n")
    assert not reason_of([second], "a.py", twice, "if a:\n    return 2\nif b:\n    return 1\n")
