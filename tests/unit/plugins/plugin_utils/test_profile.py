# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MAILEDGE_PROFILE: what an action does is added to one file, and harms none."""

from __future__ import annotations

import pathlib
import pstats
import stat
import typing as t

import pytest
from ansible.utils.display import Display

from ansible_collections.mailedge.lockdown.plugins.action import (
    exchange_mail_flow,
    host_lock,
    run_report,
    site_description,
    site_hosts,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._profile import VARIABLE, profiled


def work() -> dict[str, t.Any]:
    return {"changed": False}


@profiled
def inner() -> dict[str, t.Any]:
    return work()


@profiled
def outer() -> dict[str, t.Any]:
    return inner()


def calls(path: pathlib.Path, name: str) -> int:
    """How often a function was called, by the profile."""
    stats = pstats.Stats(str(path)).stats  # type: ignore[attr-defined]
    return sum(
        numbers[0] for (_file, _line, function), numbers in stats.items() if function == name
    )


def test_every_action_adds_to_one_file_that_is_its_users_own(
    tmp_path: pathlib.Path, monkeypatch: t.Any
) -> None:
    path = tmp_path / "profile"
    monkeypatch.setenv(VARIABLE, str(path))
    for _again in range(3):
        assert inner() == {"changed": False}
    assert calls(path, "work") == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_action_that_is_built_on_another_one_is_one_profile(
    tmp_path: pathlib.Path, monkeypatch: t.Any
) -> None:
    path = tmp_path / "profile"
    monkeypatch.setenv(VARIABLE, str(path))
    outer()
    assert calls(path, "work") == 1
    assert calls(path, "inner") == 1


def test_without_the_variable_nothing_is_written(
    tmp_path: pathlib.Path, monkeypatch: t.Any
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert inner() == {"changed": False}
    assert not list(tmp_path.iterdir())


def test_an_action_that_fails_is_profiled_and_fails_as_before(
    tmp_path: pathlib.Path, monkeypatch: t.Any
) -> None:
    @profiled
    def failing() -> dict[str, t.Any]:
        raise LookupError("as before")

    path = tmp_path / "profile"
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(LookupError, match="as before"):
        failing()
    assert calls(path, "failing") == 1
    assert inner() == {"changed": False}
    assert calls(path, "work") == 1, "the next one is profiled as well"


@pytest.mark.parametrize("name", ["no/such/folder/profile", "text"])
def test_a_file_that_cannot_take_a_profile_is_told_and_left_as_it_is(
    name: str, tmp_path: pathlib.Path, monkeypatch: t.Any
) -> None:
    (tmp_path / "text").write_text("not a profile", encoding="utf-8")
    told: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _self, text: told.append(text))
    monkeypatch.setenv(VARIABLE, str(tmp_path / name))
    assert inner() == {"changed": False}
    assert (tmp_path / "text").read_text(encoding="utf-8") == "not a profile"
    assert len(told) == 1
    assert str(tmp_path / name) in told[0]


@pytest.mark.parametrize(
    ("action"), [host_lock, exchange_mail_flow, run_report, site_description, site_hosts]
)
def test_actions_are_profiled(action: t.Any) -> None:
    assert hasattr(action.ActionModule.run, "__wrapped__")
