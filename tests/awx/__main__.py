# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply docs/awx/controller.yml to a real controller, twice, and launch check, apply, probe and
rollback there. Opt-in: nothing else of this repository does, and no test reaches one.

    TOKEN=... make awx URL=https://awx.example LIMIT=birke

The token comes by the environment, so that no command line has it. Written by the API's own
description, and not run against a real controller here.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
import typing as t

from ansible_collections.mailedge.lockdown.tests.awx.api import Api, ApiError
from ansible_collections.mailedge.lockdown.tests.awx.content import (
    FOLDER,
    KINDS,
    LINKS,
    Kind,
    Object,
    load,
)

LAUNCHED = ("mailedge check", "mailedge apply", "mailedge probe", "mailedge rollback")
# Kept by the API as a text.
_TEXTS = ("extra_vars", "variables")


def apply_content(api: Api, content: t.Mapping[str, list[Object]]) -> list[str]:
    """Bring every object to where it is described; the names of those that were changed."""
    changed: list[str] = []
    for kind in KINDS:
        for thing in content.get(kind.variable, []):
            if _apply(api, kind, thing):
                changed.append(f"{kind.endpoint}: {thing['name']}")
    return changed


def _apply(api: Api, kind: Kind, thing: Object) -> bool:
    fields = {
        name: value
        for name, value in thing.items()
        if name not in kind.own and name not in kind.lists and name != "name"
    }
    for name, endpoint in kind.references.items():
        if name in fields:
            fields[name] = api.id_of(endpoint, fields[name])
    for name in _TEXTS:
        if isinstance(fields.get(name), dict):
            fields[name] = json.dumps(fields[name], sort_keys=True)
    number, done = api.brought(kind.endpoint, {"name": thing["name"]}, fields)
    place = f"{kind.endpoint}/{number}"
    if kind.endpoint == "projects":
        # A template names a playbook that has to be there.
        status = api.over(f"{place}/")
        if status != "successful":
            raise ApiError(f"The project '{thing['name']}' could not be fetched: {status}.")
    for name, endpoint in kind.lists.items():
        if name in thing:
            wished = [api.id_of(endpoint, other) for other in thing[name]]
            done |= api.linked(f"{place}/{name}", wished)
    if "survey_spec" in thing:
        survey = json.loads(json.dumps(thing["survey_spec"]))
        if api.ask("GET", f"{place}/survey_spec/") != survey:
            api.ask("POST", f"{place}/survey_spec/", survey)
            done = True
    if "simplified_workflow_nodes" in thing:
        done |= _apply_nodes(api, number, thing["simplified_workflow_nodes"])
    return done


def _apply_nodes(api: Api, workflow: int, nodes: t.Sequence[Object]) -> bool:
    done, numbers = False, {}
    for node in nodes:
        fields = {
            name: value
            for name, value in node.items()
            if name not in (*LINKS, "approval_node", "identifier")
        }
        if "unified_job_template" in fields:
            fields["unified_job_template"] = api.id_of(
                "unified_job_templates", fields["unified_job_template"]
            )
        by = {"workflow_job_template": workflow, "identifier": node["identifier"]}
        number, changed = api.brought("workflow_job_template_nodes", by, fields)
        if changed and "approval_node" in node:
            api.ask(
                "POST",
                f"workflow_job_template_nodes/{number}/create_approval_template/",
                node["approval_node"],
            )
        numbers[node["identifier"]] = number
        done |= changed
    for node in nodes:
        for link in LINKS:
            wished = [numbers[other] for other in node.get(link, [])]
            place = f"workflow_job_template_nodes/{numbers[node['identifier']]}/{link}"
            done |= api.linked(place, wished)
    return done


def launch(api: Api, name: str, limit: str) -> str:
    """Launch a job template with a limit; its status when it is over."""
    number = api.id_of("job_templates", name)
    job = api.ask("POST", f"job_templates/{number}/launch/", {"limit": limit})
    return api.over(f"jobs/{job['id']}/")


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Give 1 where something is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--content", type=pathlib.Path, default=FOLDER / "controller.yml")
    parser.add_argument("--limit", default="", help="the site that jobs are launched for")
    asked = parser.parse_args(arguments)
    try:
        api = Api(asked.url, os.environ.get("TOKEN", ""))
        content = load(asked.content)
        print(f"Applied: {len(apply_content(api, content))} objects were made or changed.")
        again = apply_content(api, content)
        print(f"Applied again: {', '.join(again) or 'nothing was to be changed'}.")
        bad = bool(again)
        for name in LAUNCHED if asked.limit else ():
            status = launch(api, name, asked.limit)
            print(f"{name}: {status}")
            bad |= status != "successful"
    except ApiError as error:
        print(error, file=sys.stderr)
        return 1
    if not asked.limit:
        print("No site was named (LIMIT=...), so that no job was launched.")
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
