# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A FortiGate module as a program: its options, its client, and the transaction that it runs."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.argspec import Spec
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import FortiOS
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import FortiOSError
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.layer import FortiOSLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.port import CONTENT, FortiOSPort
from ansible_collections.mailedge.lockdown.plugins.module_utils._module import Module
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import snapshot as snapshots
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.folder import Folder
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import Refused, Result, shortened
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.run import Task, execute


def spec(options: Spec, **keywords: t.Any) -> dict[str, t.Any]:
    """The keyword arguments of AnsibleModule."""
    return {"argument_spec": options, "supports_check_mode": True, **keywords}


def connect(params: t.Mapping[str, t.Any]) -> FortiOS:
    """The client that the options describe; nothing is sent yet."""
    return FortiOS(
        params["host"],
        params["token"],
        port=params["api_port"],
        vdom=params["vdom"],
        validate_certs=params["validate_certs"],
        ca_path=params["ca_path"],
        timeout=float(params["timeout"]),
    )


def run(arguments: t.Mapping[str, t.Any], layer_of: t.Callable[..., FortiOSLayer]) -> None:
    """A whole module that writes."""
    module = Module(**arguments)
    params = module.params
    wanted = CONTENT if params.get("content") else params.get("snapshot")
    wrong = [
        *([snapshots.check_wanted(params["snapshot"])] if wanted not in (None, CONTENT) else []),
        *([snapshots.check_run_id(params["run_id"])] if params.get("run_id") else []),
    ]
    if any(wrong):
        module.fail_json(msg=f"{' '.join(filter(None, wrong))} Nothing was sent to the device.", changed=False)
    with connect(params) as client:
        try:
            layer = layer_of(params, client, check_mode=module.check_mode)
            port = FortiOSPort(
                client, layer, Folder(params["snapshot_folder"]), wanted=wanted, content=params.get("content")
            )
            task = Task(
                check_mode=module.check_mode,
                diff=module._diff,
                accept_risks=params["accept_risks"],
                snapshot=wanted,
                keep_later_changes=bool(params.get("keep_later_changes")),
                run_id=params.get("run_id"),
            )
            result = execute(layer, port, task)
        except Refused as refused:
            module.fail_json(msg=str(refused), **shortened(refused.result))
        except (FortiOSError, PlanError, RangeError) as error:
            module.fail_json(msg=str(error), changed=False, cost={"requests": client.requests})
    module.exit_json(**result)


def ask(arguments: t.Mapping[str, t.Any], look: t.Callable[[t.Mapping[str, t.Any], FortiOS], Result]) -> None:
    """A whole module that only reads; `look` gives its result."""
    module = Module(**arguments)
    with connect(module.params) as client:
        try:
            result = look(module.params, client)
        except (FortiOSError, PlanError, RangeError) as error:
            module.fail_json(msg=str(error), changed=False, cost={"requests": client.requests})
    module.exit_json(changed=False, cost={"requests": client.requests}, **result)
