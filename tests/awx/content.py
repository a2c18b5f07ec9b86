# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/awx/controller.yml describes, and what each of its objects is in the API of a
controller.
"""

from __future__ import annotations

import pathlib
import typing as t
from dataclasses import dataclass, field

import yaml

# Not resolved: see tests/lab/playing.py.
FOLDER = pathlib.Path(__file__).absolute().parents[2] / "docs" / "awx"
REPOSITORY = FOLDER / "site-repository"

Object = dict[str, t.Any]

_TOLD = {
    f"notification_templates_{when}": "notification_templates"
    for when in ("started", "success", "error", "approvals")
}


@dataclass(frozen=True)
class Kind:
    """A kind of object. `references` are fields that name one other object, `lists` those that name
    several, which the API takes at a place of their own; `own` are neither, and are no field.
    """

    variable: str
    endpoint: str
    references: t.Mapping[str, str] = field(default_factory=dict)
    lists: t.Mapping[str, str] = field(default_factory=dict)
    own: frozenset[str] = frozenset()


_OF_AN_ORGANIZATION = {"organization": "organizations"}

# In an order in which each finds what it names.
KINDS: t.Sequence[Kind] = (
    Kind("aap_organizations", "organizations"),
    Kind("controller_execution_environments", "execution_environments", _OF_AN_ORGANIZATION),
    Kind("controller_instance_groups", "instance_groups"),
    Kind("controller_credential_types", "credential_types"),
    Kind(
        "controller_credentials",
        "credentials",
        {**_OF_AN_ORGANIZATION, "credential_type": "credential_types"},
    ),
    Kind(
        "controller_projects",
        "projects",
        {
            **_OF_AN_ORGANIZATION,
            "credential": "credentials",
            "default_environment": "execution_environments",
        },
    ),
    Kind("controller_inventories", "inventories", _OF_AN_ORGANIZATION),
    Kind(
        "controller_inventory_sources",
        "inventory_sources",
        {
            "inventory": "inventories",
            "source_project": "projects",
            "execution_environment": "execution_environments",
        },
        own=frozenset({"organization"}),
    ),
    Kind("controller_notifications", "notification_templates", _OF_AN_ORGANIZATION),
    Kind(
        "controller_templates",
        "job_templates",
        {
            "project": "projects",
            "inventory": "inventories",
            "execution_environment": "execution_environments",
        },
        {"credentials": "credentials", "instance_groups": "instance_groups", **_TOLD},
        frozenset({"organization", "survey_spec"}),
    ),
    Kind(
        "controller_workflows",
        "workflow_job_templates",
        {**_OF_AN_ORGANIZATION, "inventory": "inventories"},
        _TOLD,
        frozenset({"simplified_workflow_nodes", "survey_spec"}),
    ),
    Kind(
        "controller_schedules",
        "schedules",
        {"unified_job_template": "unified_job_templates"},
        own=frozenset({"organization"}),
    ),
)

LINKS = ("success_nodes", "failure_nodes", "always_nodes")
NODE_OWN = frozenset({*LINKS, "approval_node"})


class _Loader(yaml.SafeLoader):
    """YAML with Ansible's tag for a text that is no template of Ansible."""


class Unsafe(str):
    """A text that was tagged so."""


_Loader.add_constructor("!unsafe", lambda _loader, node: Unsafe(node.value))


def load(path: pathlib.Path = FOLDER / "controller.yml") -> dict[str, list[Object]]:
    """The objects, by the variable of their kind."""
    content: dict[str, list[Object]] = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    return content


def names(content: t.Mapping[str, list[Object]], endpoint: str) -> set[str]:
    """The names of the objects of a kind."""
    if endpoint == "unified_job_templates":
        return names(content, "job_templates") | names(content, "workflow_job_templates")
    (kind,) = [kind for kind in KINDS if kind.endpoint == endpoint]
    return {thing["name"] for thing in content.get(kind.variable, [])}


def template(content: t.Mapping[str, list[Object]], name: str) -> Object:
    """A job template by its name."""
    (described,) = [thing for thing in content["controller_templates"] if thing["name"] == name]
    return described


def questions(thing: Object) -> list[Object]:
    """The questions of a template's survey."""
    spec: list[Object] = thing.get("survey_spec", {}).get("spec", [])
    return spec
