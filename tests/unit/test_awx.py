# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/awx: held against the API of a controller, against the roles, and against its own
repository of sites.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import re
import shlex
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.describe import SECRETS
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.options import options
from ansible_collections.mailedge.lockdown.tests.awx.content import (
    FOLDER,
    KINDS,
    LINKS,
    NODE_OWN,
    REPOSITORY,
    Kind,
    Object,
    Unsafe,
    load,
    names,
    questions,
    template,
)
from ansible_collections.mailedge.lockdown.tests.support.described import WHOLE, described

CONTENT = load()
FIXTURES = pathlib.Path(os.environ.get("MAILEDGE_FIXTURES") or "/nonexistent") / "awx_options"
needs_options = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason="no answers of a controller's API: set MAILEDGE_FIXTURES"
)
OBJECTS = [(kind, thing) for kind in KINDS for thing in CONTENT.get(kind.variable, [])]
NODES = [
    (workflow, node)
    for workflow in CONTENT["controller_workflows"]
    for node in workflow["simplified_workflow_nodes"]
]
SURVEYED = [thing for thing in CONTENT["controller_templates"] if questions(thing)]
each_object = pytest.mark.parametrize(
    ("kind", "thing"), OBJECTS, ids=lambda value: value["name"] if isinstance(value, dict) else ""
)
PYTHON = {"string": str, "boolean": bool, "integer": int, "json": dict}


@functools.cache
def asked(endpoint: str) -> dict[str, t.Any]:
    """What the API takes of a kind of object."""
    text = (FIXTURES / f"{endpoint}.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def wrong_fields(endpoint: str, thing: Object, beside: t.AbstractSet[str]) -> list[str]:
    """What of an object the API would refuse."""
    known, wrong = asked(endpoint), []
    for name, value in thing.items():
        if name in beside:
            continue
        spec = known.get(name)
        if spec is None:
            wrong.append(f"{name} is no field")
        elif spec["type"] == "choice":
            if value not in [choice for choice, _label in spec["choices"]]:
                wrong.append(f"{name} cannot be {value!r}")
        elif spec["type"] in PYTHON and not isinstance(value, PYTHON[spec["type"]]):
            wrong.append(f"{name} is no {spec['type']}")
        elif isinstance(value, str) and len(value) > spec.get("max_length", 10**6):
            wrong.append(f"{name} is too long")
        elif spec["type"] == "integer" and not (
            spec.get("min_value", value) <= value <= spec.get("max_value", value)
        ):
            wrong.append(f"{name} is out of bounds")
    wrong += [
        f"{name} is missing"
        for name, spec in known.items()
        if spec["required"] and name not in thing
    ]
    return wrong


def test_the_content_has_nothing_that_no_test_looks_at() -> None:
    assert set(CONTENT) == {kind.variable for kind in KINDS}
    assert all(CONTENT.values())


@needs_options
@each_object
def test_the_api_takes_every_field(kind: Kind, thing: Object) -> None:
    assert wrong_fields(kind.endpoint, thing, kind.own | set(kind.lists)) == []


@needs_options
def test_what_the_api_does_not_take_is_noticed() -> None:
    thing = {"name": "x", "job_type": "dry", "forks": "5", "colour": "red", "job_slice_count": -1}
    assert wrong_fields("job_templates", thing, set()) == [
        "job_type cannot be 'dry'",
        "forks is no integer",
        "colour is no field",
        "job_slice_count is out of bounds",
    ]
    assert "rrule is missing" in wrong_fields("schedules", {"name": "x" * 600}, set())
    assert "name is too long" in wrong_fields("schedules", {"name": "x" * 600}, set())


@each_object
def test_what_an_object_names_is_there(kind: Kind, thing: Object) -> None:
    for name, endpoint in kind.references.items():
        if name in thing:
            there = names(CONTENT, endpoint) | ({"Machine"} if name == "credential_type" else set())
            assert thing[name] in there, name
    for name, endpoint in kind.lists.items():
        assert set(thing.get(name, [])) <= names(CONTENT, endpoint), name


@needs_options
@pytest.mark.parametrize(("workflow", "node"), NODES, ids=lambda value: "")
def test_a_node_runs_a_template_with_what_that_asks_for(workflow: Object, node: Object) -> None:
    given = {**node, "workflow_job_template": workflow["name"]}
    assert wrong_fields("workflow_job_template_nodes", given, NODE_OWN) == []
    identifiers = {other["identifier"] for other in workflow["simplified_workflow_nodes"]}
    for link in LINKS:
        assert set(node.get(link, [])) <= identifiers
    assert ("unified_job_template" in node) != ("approval_node" in node)
    if "approval_node" in node:
        return
    runs = template(CONTENT, node["unified_job_template"])
    # A prompt that a template does not ask for is dropped without a word.
    assert runs["ask_limit_on_launch"]
    assert set(node) - NODE_OWN - {"identifier", "unified_job_template"} <= {"limit"}


def test_the_workflow_goes_on_as_the_page_says() -> None:
    (workflow,) = [thing for thing in CONTENT["controller_workflows"] if "lock" in thing["name"]]
    links = {
        node["identifier"]: {link: node[link] for link in LINKS if node.get(link)}
        for node in workflow["simplified_workflow_nodes"]
    }
    assert links == {
        "refresh": {"always_nodes": ["check"]},
        "check": {"success_nodes": ["approval"], "failure_nodes": ["report"]},
        "approval": {"success_nodes": ["apply"]},
        "apply": {"success_nodes": ["prove"], "failure_nodes": ["rollback"]},
        "prove": {"success_nodes": ["report"], "failure_nodes": ["rollback"]},
        "rollback": {"always_nodes": ["report"]},
        "report": {},
    }
    runs = {
        node["identifier"]: template(CONTENT, node["unified_job_template"])
        for node in workflow["simplified_workflow_nodes"]
        if "unified_job_template" in node
    }
    assert runs["check"]["job_type"] == "check"
    # Refused or not, those who approve have its plan or its reasons; nothing makes it green.
    assert "mailedge approvals" in runs["check"]["notification_templates_success"]
    assert "mailedge approvals" in runs["check"]["notification_templates_error"]
    assert "extra_vars" not in runs["check"]
    assert runs["check"]["playbook"] == runs["apply"]["playbook"] == "apply.yml"
    # Nothing is a default of it: without a plan that was handed on, nothing is applied.
    assert runs["apply"]["extra_vars"] == {"mailedge_approved_plan": "{{ mailedge_plan }}"}
    assert runs["prove"]["instance_groups"] == ["mailedge outside"]
    assert runs["prove"]["prevent_instance_group_fallback"]
    assert {thing["survey_spec"]["name"] for thing in (runs["check"], runs["apply"])} == {
        "mailedge apply"
    }, "answers to the one count for the other"


@pytest.mark.parametrize("thing", SURVEYED, ids=lambda thing: thing["name"])
def test_a_survey_asks_for_what_a_role_knows_and_may_stay_empty(thing: Object) -> None:
    assert thing["survey_enabled"]
    for question in questions(thing):
        spec = options()[question["variable"]]
        assert question["required"] is False, "a launch by API would be refused without an answer"
        assert question["default"] == ""
        assert question["variable"] not in SECRETS, "an answer is no place for a secret"
        kinds = {
            "integer": {"int"},
            "multiplechoice": {"str"},
            "text": {"str"},
            "textarea": {"list", "str", "raw"},
        }
        assert spec["type"] in kinds[question["type"]], question["variable"]
        if question["type"] == "multiplechoice":
            assert sorted(question["choices"]) == sorted(spec["choices"])
    playbook = thing["playbook"].removesuffix(".yml")
    empty = {question["variable"]: "" for question in questions(thing)}
    with_answers, without = (
        described({**WHOLE, **answers}, playbook=playbook) for answers in (empty, {})
    )
    assert not with_answers.errors
    assert with_answers.values == without.values


def test_a_template_sets_what_a_role_knows() -> None:
    for thing in CONTENT["controller_templates"]:
        assert set(thing.get("extra_vars", {})) <= set(options())


def test_every_playbook_is_a_file_of_the_repository_and_runs_one_of_the_collection() -> None:
    ours = {path.stem for path in (FOLDER.parents[1] / "playbooks").glob("*.yml")} - {"closing"}
    runs = {}
    for path in REPOSITORY.glob("*.yml"):
        plays = yaml.safe_load(path.read_text(encoding="utf-8"))
        imported = [play["import_playbook"] for play in plays if "import_playbook" in play]
        runs[path.name] = [name for name in imported if name.startswith("mailedge.lockdown.")]
        for name in runs[path.name]:
            assert name.rpartition(".")[2] in ours
            assert name.rpartition(".")[2] == path.stem
    asked_for = {thing["playbook"] for thing in CONTENT["controller_templates"]}
    assert asked_for <= set(runs)
    assert all(runs[name] for name in asked_for)


def test_a_credential_gives_its_secrets_to_variables_that_hold_secrets() -> None:
    repository = "".join(path.read_text("utf-8") for path in REPOSITORY.rglob("*.yml"))
    for kind in CONTENT["controller_credential_types"]:
        fields = {field["id"]: field for field in kind["inputs"]["fields"]}
        assert set(kind["inputs"]["required"]) <= set(fields)
        texts = [
            (name, text) for group in kind["injectors"].values() for name, text in group.items()
        ]
        used: set[str] = set()
        for name, text in texts:
            assert isinstance(text, Unsafe), f"{name} would be templated while it is applied"
            used |= set(re.findall(r"\{\{ (\w+) \}\}", text))
            if name.startswith("mailedge_"):
                (source,) = re.findall(r"\{\{ (\w+) \}\}", text)
                assert bool(fields[source].get("secret")) == (name in SECRETS), name
        assert used == set(fields)
        for name in kind["injectors"].get("extra_vars", {}):
            assert name in options() or name in repository
    for credential in CONTENT["controller_credentials"]:
        kinds = {
            kind["name"]: {field["id"] for field in kind["inputs"]["fields"] if field.get("secret")}
            for kind in CONTENT["controller_credential_types"]
        }
        secret = kinds.get(credential["credential_type"], {"password", "ssh_key_data"})
        assert not secret & set(credential.get("inputs", {})), "a secret stands in a file"


def test_a_job_that_pushes_by_ssh_knows_the_server_that_it_pushes_to() -> None:
    """Its home is new, and ssh that may ask nobody refuses a host that it does not know."""
    (kind,) = [
        kind for kind in CONTENT["controller_credential_types"] if "file" in kind["injectors"]
    ]
    files = {
        f"tower.filename.{name.removeprefix('template.')}" for name in kind["injectors"]["file"]
    }
    command = kind["injectors"]["env"]["GIT_SSH_COMMAND"]
    for name in files:
        assert command.count(f"{{{{ {name} }}}}") == 1
        command = command.replace(f"{{{{ {name} }}}}", f"/runner/{name}")
    words = shlex.split(command)
    assert words[:3] == ["ssh", "-i", "/runner/tower.filename.key"]
    assert dict(word.split("=") for word in words if "=" in word) == {
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": "/runner/tower.filename.known_hosts",
    }


def test_what_is_told_is_json_and_no_template_of_ansible() -> None:
    for thing in CONTENT["controller_notifications"]:
        assert set(thing["messages"]) <= {"started", "success", "error", "workflow_approval"}
        for message in thing["messages"].values():
            assert all(isinstance(text, (Unsafe, dict)) for text in message.values())
        if thing["notification_type"] == "webhook":
            assert {message["body"] for message in thing["messages"].values()} == {
                "{{ job.artifacts | tojson }}"
            }


def test_the_repository_of_sites_knows_no_folder_of_its_own() -> None:
    for path in (REPOSITORY / "inventory").rglob("*.yml"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert "inventory_dir" not in "".join(line for line in lines if "#" not in line), path
