# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of a selection a later play has something to do for."""

from __future__ import annotations

import typing as t

import pytest
from ansible import context
from ansible.parsing.dataloader import DataLoader
from ansible.utils.context_objects import CLIArgs

from ansible_collections.mailedge.lockdown.plugins.lookup.subset import (
    LookupModule,
    _failing,
    _with_more_layers,
    _with_names,
)

HOSTS = ["ex1", "ex2", "ex3"]


class Hostvars(dict[str, dict[str, t.Any]]):
    """The variables of every host, as ansible-core gives them without rendering them."""

    def raw_get(self, host: str) -> dict[str, t.Any]:
        return self.get(host, {})


@pytest.mark.parametrize(
    ("failed", "chosen"),
    [
        ([], []),
        # With one that does not fail, so that ansible-core goes on with the next play.
        (["ex1"], ["ex1", "ex2"]),
        (["ex2", "ex3"], ["ex2", "ex3", "ex1"]),
        (HOSTS, HOSTS),
    ],
)
def test_those_that_fail_and_one_that_does_not(failed: list[str], chosen: list[str]) -> None:
    report = {"__mailedge_report": {"failed_hosts": dict.fromkeys(failed, "It is open.")}}
    # The first one was lost before the report.
    assert _failing(HOSTS, Hostvars(ex2=report, ex3=report)) == chosen


def test_without_a_report_nobody_can_fail_by_it() -> None:
    assert _failing(HOSTS, Hostvars()) == []


def test_hosts_of_which_more_than_the_server_is_managed() -> None:
    layers = {"ex1": ["exchange"], "ex2": ["exchange", "outside"], "ex3": ["dns", "outside"]}
    known = {
        host: {
            "__mailedge_result_host": {"unreachable": True, "description": {"layers": described}}
        }
        for host, described in layers.items()
    }
    assert _with_more_layers([*HOSTS, "lost"], Hostvars(known)) == ["ex2", "ex3"]
    assert _with_names([*HOSTS, "lost"], Hostvars(known)) == ["ex3"]


@pytest.mark.parametrize("option", ["listhosts", "listtasks", "listtags", "syntax"])
@pytest.mark.parametrize("which", ["failing", "names", "more_layers"])
def test_what_would_be_run_is_listed_before_anybody_has_results(
    option: str, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "CLIARGS", CLIArgs({option: True}))
    lookup = LookupModule(loader=DataLoader())
    monkeypatch.setattr(lookup, "set_options", lambda **_options: None)
    monkeypatch.setattr(lookup, "get_option", lambda _name: which)
    assert lookup.run(["mailedge"], {}) == ["mailedge"]
