# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make awx` does with a controller, on one that is played."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.awx.__main__ import (
    LAUNCHED,
    apply_content,
    main,
)
from ansible_collections.mailedge.lockdown.tests.awx.api import Api, ApiError
from ansible_collections.mailedge.lockdown.tests.awx.content import load, names
from ansible_collections.mailedge.lockdown.tests.support.awx_api import TOKEN, FakeController

OPTIONS = pathlib.Path(os.environ.get("MAILEDGE_FIXTURES") or "/nonexistent") / "awx_options"
pytestmark = pytest.mark.skipif(
    not OPTIONS.is_dir(), reason="no answers of a controller's API: set MAILEDGE_FIXTURES"
)


@pytest.fixture
def controller() -> t.Iterator[FakeController]:
    with FakeController(OPTIONS) as running:
        yield running


def api_of(controller: FakeController) -> Api:
    return Api(controller.url, TOKEN, pause=0.01)


def test_the_content_is_applied_once(controller: FakeController) -> None:
    content = load()
    changed = apply_content(api_of(controller), content)
    assert len(changed) == sum(map(len, content.values()))
    things = controller.objects["job_templates"].values()
    assert {thing["name"] for thing in things} == names(content, "job_templates")
    approved = [text for thing in things if (text := thing.get("extra_vars"))]
    assert approved == ['{"mailedge_approved_plan": "{{ mailedge_plan }}"}']
    kinds = {key[2] for key in controller.lists}
    assert {"credentials", "instance_groups", "success_nodes", "always_nodes"} <= kinds
    assert "create_approval_template" in {key[2] for key in controller.documents}

    controller.log.clear()
    assert apply_content(api_of(controller), content) == []
    assert {method for method, _path in controller.log} == {"GET"}


def test_what_somebody_has_changed_is_changed_back(controller: FakeController) -> None:
    content = load()
    apply_content(api_of(controller), content)
    number, thing = next(
        (number, thing)
        for number, thing in controller.objects["job_templates"].items()
        if thing["name"] == "mailedge probe"
    )
    thing["prevent_instance_group_fallback"] = False
    controller.lists["job_templates", number, "instance_groups"].append(1)
    assert apply_content(api_of(controller), content) == ["job_templates: mailedge probe"]
    assert thing["prevent_instance_group_fallback"]
    assert 1 not in controller.lists["job_templates", number, "instance_groups"]


def test_applied_twice_and_launched_without_a_word_of_the_token(
    controller: FakeController, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    monkeypatch.setattr(
        "ansible_collections.mailedge.lockdown.tests.awx.api.Api.over",
        lambda api, path: str(api.ask("GET", path) and api.ask("GET", path)["status"]),
    )
    assert main([controller.url, "--limit", "birke"]) == 0
    told = capsys.readouterr()
    assert "Applied again: nothing was to be changed." in told.out
    assert [line for line in told.out.splitlines() if line.endswith(": successful")] == [
        f"{name}: successful" for name in LAUNCHED
    ]
    assert [job["limit"] for job in controller.objects["jobs"].values()] == ["birke"] * 4
    assert TOKEN not in told.out + told.err

    monkeypatch.setenv("TOKEN", "another-canary")
    assert main([controller.url]) == 1
    told = capsys.readouterr()
    assert "the controller answered 401" in told.err
    assert "canary" not in told.out + told.err


def test_a_token_goes_to_nobody_in_clear_and_none_is_an_error() -> None:
    with pytest.raises(ApiError, match="in clear"):
        Api("http://awx.example", TOKEN)
    with pytest.raises(ApiError, match="no token"):
        Api("https://awx.example", "")
    with pytest.raises(ApiError, match="did not answer"):
        Api("http://127.0.0.1:9", TOKEN).ask("GET", "ping/")
