# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state that findings make."""

from __future__ import annotations

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows import finding
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.catalogue import FINDINGS
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.finding import (
    PostureFinding,
)


def posture_finding(name: str, severity: str) -> PostureFinding:
    return FINDINGS.make(name, severity, "A sentence.")


@pytest.mark.parametrize(
    ("severities", "state"),
    [
        ([], "unknown"),
        (["ok"], "in order"),
        (["ok", "warning"], "drift"),
        (["critical", "ok"], "drift"),
        (["warning", "unknown", "critical"], "unknown"),
    ],
)
def test_unknown_comes_before_everything_else(severities: list[str], state: str) -> None:
    assert finding.state([posture_finding("memory", severity) for severity in severities]) == state


def test_what_is_accepted_is_told_and_does_not_count() -> None:
    both = [posture_finding("memory", "warning"), posture_finding("processors", "warning")]
    assert finding.state(both, ["memory"]) == "drift"
    assert finding.state(both, ["memory", "processors"]) == "in order"
    assert both[0].as_dict(["memory"])["accepted"] is True
    assert both[1].as_dict(["memory"])["accepted"] is False


def test_an_id_that_is_none_is_refused_with_those_that_there_are() -> None:
    assert FINDINGS.unknown(["memory"]) == ""
    wrong = FINDINGS.unknown(["memmory", "cpu"])
    assert "'cpu' and 'memmory', which are no findings" in wrong
    assert "processors" in wrong


def test_the_worst_comes_first() -> None:
    mixed = [
        posture_finding("memory", severity) for severity in ("ok", "warning", "critical", "unknown")
    ]
    assert [subject.severity for subject in finding.ordered(mixed)] == [
        "critical",
        "unknown",
        "warning",
        "ok",
    ]


def test_a_finding_that_nobody_could_read_about_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        posture_finding("no_such_finding", "ok")
