# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module without a process of its own: where it runs so, and what it tells."""

from __future__ import annotations

import datetime
import json
import sys
import types
import typing as t

import pytest
from ansible.module_utils.basic import env_fallback
from ansible.plugins.action import normal

from ansible_collections.mailedge.lockdown.plugins.action.fortios_info import ActionModule
from ansible_collections.mailedge.lockdown.plugins.module_utils._module import Module, made
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._controller_module import (
    ControllerModule,
    plain,
)

CANARY = "Zw1ebel-canary"
SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["PROBE_TOKEN"])},
        "port": {"type": "int", "default": 443},
        "names": {"type": "list", "elements": "str"},
    },
    "supports_check_mode": True,
}


def ended(
    end: t.Callable[[t.Any], t.Any], check: bool = False, **options: t.Any
) -> dict[str, t.Any]:
    return ControllerModule(options, check, False).result_of(lambda: end(made(**SPEC)))


def test_a_module_gets_its_options_as_ansible_would_give_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROBE_TOKEN", CANARY)
    result = ended(
        lambda module: module.exit_json(
            changed=True,
            got=[module.params["port"], module.params["names"], module.check_mode],
            known=module.params["token"] == CANARY,
            pair=(1, 2),
        ),
        check=True,
        port="8443",
        names="a,b",
    )
    assert result["got"] == [8443, ["a", "b"], True]
    assert (result["changed"], result["known"], result["pair"]) == (True, True, [1, 2])
    assert CANARY not in json.dumps(result)


def test_every_option_that_is_wrong_is_told_and_no_secret() -> None:
    result = ended(
        lambda module: pytest.fail("it began"), port="many", pasword=CANARY, token=CANARY
    )
    assert result["failed"]
    assert "Unsupported parameters: pasword." in result["msg"]
    assert "port" in result["msg"]
    assert CANARY not in json.dumps(result)


def test_what_a_module_warns_of_and_fails_with_stands_in_its_result() -> None:
    def fail(module: t.Any) -> None:
        module.warn("Look here.")
        module.fail_json(msg=f"It answered {CANARY}.", changed=False, cost={"requests": 1})

    result = ended(fail, token=CANARY)
    assert (result["failed"], result["changed"], result["cost"]) == (True, False, {"requests": 1})
    assert result["warnings"] == ["Look here."]
    assert result["msg"].startswith("It answered ")
    assert CANARY not in json.dumps(result)


def test_a_module_that_breaks_off_fails_the_task_and_tells_no_secret() -> None:
    def broken(module: t.Any) -> None:
        raise ValueError(f"no number: {module.params['token']}")

    result = ended(broken, token=CANARY)
    assert result["failed"]
    assert "ValueError: no number" in result["msg"]
    assert "test_controller_module" in result["exception"]
    assert CANARY not in json.dumps(result)
    assert ended(lambda module: None)["failed"], "it ended without a result"


def test_afterwards_modules_are_processes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ended(lambda module: module.exit_json(changed=False))
    begun: list[dict[str, t.Any]] = []
    monkeypatch.setattr(Module, "__init__", lambda self, **arguments: begun.append(arguments))
    assert isinstance(made(**SPEC), Module)
    assert begun == [SPEC]


class Marked(str):
    """A text of Ansible's, which remembers where it is from."""


def test_no_type_of_ansible_s_own_reaches_a_module() -> None:
    given = {
        "a": Marked("text"),
        "b": (Marked("x"), {1: True, "none": None}),
        "day": datetime.date(2026, 11, 30),
        "half": 0.5,
    }
    told = plain(given)
    assert told == {
        "a": "text",
        "b": ["x", {"1": True, "none": None}],
        "day": "2026-11-30",
        "half": 0.5,
    }
    assert type(told["a"]) is type(told["b"][0]) is str  # pylint: disable=unidiomatic-typecheck


@pytest.mark.parametrize(
    ("task", "connection", "variables", "here"),
    [
        ({}, {}, {}, True),
        ({}, {}, {"ansible_python_interpreter": sys.executable}, True),
        ({}, {}, {"ansible_python_interpreter": "auto_silent"}, True),
        ({}, {}, {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}, True),
        ({}, {}, {"ansible_python_interpreter": "{{ another }}"}, False),
        ({}, {}, {"ansible_python_interpreter": "/usr/bin/another"}, False),
        ({}, {"transport": "ssh"}, {}, False),
        ({}, {"become": object()}, {}, False),
        ({"async_val": 60}, {}, {}, False),
        ({"environment": [{"https_proxy": "proxy.example"}]}, {}, {}, False),
        ({"environment": [{}]}, {}, {}, True),
        # Of a host that a task is delegated to, that host's Python counts.
        (
            {"delegate_to": "localhost"},
            {},
            {
                "ansible_python_interpreter": "/usr/bin/another",
                "ansible_delegated_vars": {"localhost": {"ansible_connection": "local"}},
            },
            True,
        ),
        (
            {"delegate_to": "watchtower"},
            {},
            {
                "ansible_delegated_vars": {
                    "watchtower": {"ansible_python_interpreter": "/usr/bin/another"}
                },
            },
            False,
        ),
    ],
)
def test_it_runs_here_only_where_ansible_would_start_the_same_python_for_the_same_user(
    task: dict[str, t.Any],
    connection: dict[str, t.Any],
    variables: dict[str, t.Any],
    here: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {"{{ ansible_playbook_python }}": sys.executable, "{{ another }}": "/usr/bin/another"}
    usual = {"async_val": 0, "environment": None, "delegate_to": None}
    rest = {"args": {}, "check_mode": False, "diff": False}
    action = ActionModule(
        task=types.SimpleNamespace(**{**usual, **rest, **task}),
        connection=types.SimpleNamespace(**{"transport": "local", "become": None, **connection}),
        play_context=None,
        loader=None,
        templar=types.SimpleNamespace(template=known.__getitem__),
        shared_loader_obj=None,
    )
    monkeypatch.setattr(normal.ActionModule, "run", lambda *_arguments: {"process": True})
    result = action.run(task_vars=variables)
    assert ("process" not in result) == here
    if here:
        assert "host" in result["msg"], "the module itself refuses what is missing"
