# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of a client's server that comes back as a variable is text, on every ansible-core."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible import template
from ansible.parsing.dataloader import DataLoader
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.mailedge.lockdown.plugins.action.run_report import _snapshots, _statistics
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.plan import handed_on
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.description import (
    _templated,
    describe_host,
)
from ansible_collections.mailedge.lockdown.tests.support.described import WHOLE

pytestmark = pytest.mark.core

HOST = "birke-ex1"
_TRUST = getattr(template, "trust_as_template", str)


def trusted(value: t.Any) -> t.Any:
    """As the variables of a command line and of a file are."""
    if isinstance(value, dict):
        return {key: trusted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [trusted(inner) for inner in value]
    return _TRUST(value) if isinstance(value, str) else value


def templar(variables: dict[str, t.Any]) -> t.Any:
    return template.Templar(DataLoader(), variables=variables)


@pytest.fixture
def canary(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "canary"


def names(canary: pathlib.Path) -> list[str]:
    """Names that run a command on the controller where somebody renders them."""
    call = f"lookup('pipe', 'touch {canary}')"
    header = "#jinja2: variable_start_string:'[%', variable_end_string:'%]'\n"
    return [
        f"{{{{ {call} }}}}",
        f"{{% if {call} %}}{{% endif %}}",
        f"{header}[% {call} %]",
    ]


@pytest.mark.parametrize("index", range(3))
def test_the_canary_runs_where_it_is_rendered(canary: pathlib.Path, index: int) -> None:
    templar({}).template(trusted(names(canary)[index]))
    assert canary.exists()


@pytest.mark.parametrize("index", range(3))
def test_nothing_that_is_handed_on_is_a_template(canary: pathlib.Path, index: int) -> None:
    name = names(canary)[index]
    layer = {"plan_digest": "1" * 32, "plan": [name, f"Create '{name}'."]}
    content = json.dumps({"format": 1, "rows": [{"name": name}]}, indent=2) + "\n"
    saved = {"snapshot": {"name": "birke.json", "content": content}}
    snapshots = _snapshots({HOST: {"__mailedge_result_fortigate_way_in": saved}})
    assert json.loads(snapshots[HOST]["fortigate"]["content"]) == json.loads(content)
    stats = {
        **_statistics("apply", {"sites": {name: [name]}}, snapshots)["data"],
        "mailedge_plan": handed_on({HOST: {"exchange": layer}}),
    }
    templar({}).template(trusted(stats))
    templar(trusted(stats)).template(trusted("{{ mailedge_plan.digest ~ mailedge_report }}"))
    assert not canary.exists()


def given(name: str) -> dict[str, dict[str, t.Any]]:
    """How an older run's text may come in, by hand or from a file."""
    plan = {"digest": "x", "hosts": {HOST: {}}, "summary": [f"{HOST}, exchange: {name}"]}
    plan["hosts"][HOST] = {"exchange": "1" * 32}  # type: ignore[index]
    entry = {"name": "birke.json", "content": name}
    return {
        "the plan": {"mailedge_plan": plan, "mailedge_approved_plan": "{{ mailedge_plan }}"},
        "a mapping": {"mailedge_approved_plan": plan},
        "JSON": {"mailedge_approved_plan": json.dumps(plan)},
        "snapshots": {"mailedge_snapshots": {HOST: {"exchange": name, "fortigate": entry}}},
        "a report": {"mailedge_report": {"sites": [name]}},
    }


@pytest.mark.parametrize("form", given(""))
def test_what_was_handed_on_is_never_rendered(canary: pathlib.Path, form: str) -> None:
    name = names(canary)[0]
    variables = trusted({"inventory_hostname": HOST, **WHOLE, **given(name)[form]})
    playbook = "rollback" if form == "snapshots" else "apply"
    about = describe_host(templar(variables), variables, playbook, {"birke": [HOST]})
    assert not about.get("failed"), about["msg"]
    assert (name in str(about)) == (form != "a report"), "the text gets where it is read"
    # As a task reads it. Before 2.19 Ansible marks what a task has returned; since then it trusts
    # what is marked as trusted, also by that.
    of_task = {"__mailedge": about if hasattr(template, "trust_as_template") else wrap_var(about)}
    read = "{{ __mailedge.described.approved_plan | default({}) }} {{ __mailedge.described }}"
    templar(of_task).template(trusted(read))
    templar(of_task).template(of_task["__mailedge"])
    assert not canary.exists()


@pytest.mark.parametrize("other", ["x", [], ["x"], 5, True])
def test_snapshots_that_no_run_has_handed_on_are_refused_and_not_left_out(other: t.Any) -> None:
    """Left out, the latest of every layer would be given back in their place."""
    variables = trusted({"inventory_hostname": HOST, **WHOLE, "mailedge_snapshots": other})
    about = describe_host(templar(variables), variables, "rollback", {"birke": [HOST]})
    assert about["failed"]
    assert "mailedge_snapshots" in about["msg"]
    assert not describe_host(templar(variables), variables, "drift", {"birke": [HOST]}).get(
        "failed"
    )


def test_snapshots_may_be_given_as_the_text_of_a_command_line() -> None:
    text = json.dumps({HOST: {"exchange": "20260114T101500.250Z-4f1c2a-apply.json"}})
    variables = trusted({"inventory_hostname": HOST, **WHOLE, "mailedge_snapshots": text})
    about = describe_host(templar(variables), variables, "rollback", {"birke": [HOST]})
    assert about["described"]["exchange_snapshot"] == "20260114T101500.250Z-4f1c2a-apply.json"
    assert about["layers"] == ["exchange"]


@pytest.mark.parametrize(
    "value",
    [
        "a plain text",
        ["192.0.2.0/24", "# no heading"],
        [{"name": "a", "targets": ["::1"]}, None, True, 25, 0.5],
        {"until": "{{ day }}", "days": ["{{ day }}", "2027-01-31"]},
        "#jinja2: variable_start_string:'[%', variable_end_string:'%]'\n[% day %]",
        ["#jinja2: variable_start_string:'[%', variable_end_string:'%]'\n[% day %]"],
        "{% if day %}yes{% endif %}",
    ],
)
def test_a_variable_is_templated_where_it_has_a_template_and_else_stays(value: t.Any) -> None:
    known = templar({"day": "2027-01-01"})
    assert _templated(known, trusted(value)) == known.template(trusted(value))


def test_what_is_encrypted_is_no_plain_text() -> None:
    class Encrypted:
        """As Ansible keeps a text of a vault: no text before it is asked for."""

    asked: list[t.Any] = []

    class Templar:
        """Notes what it was asked for."""

        def template(self, value: t.Any) -> str:
            asked.append(value)
            return "a text"

    values = [Encrypted(), [Encrypted()], {"token": Encrypted()}]
    assert [_templated(Templar(), value) for value in values] == ["a text"] * 3
    assert asked == values
