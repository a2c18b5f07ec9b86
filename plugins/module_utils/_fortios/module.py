# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A FortiGate module as a program: its options, its client, and the transaction that it runs."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import connection, lease
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.argspec import Spec
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.backed_up import BackedUp
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import FortiOS
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import FortiOSError
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.layer import FortiOSLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.port import (
    FortiOSPort,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._module import (
    made,
    tell_warnings,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import approval
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    snapshot as snapshots,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.folder import (
    CONTENT,
    Folder,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.lease import (
    Hold,
    check_minutes,
    local_name,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    Refused,
    Result,
    shortened,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.run import (
    Task,
    execute,
)


def spec(options: Spec, **keywords: t.Any) -> dict[str, t.Any]:
    """The keyword arguments of AnsibleModule."""
    return {"argument_spec": options, "supports_check_mode": True, **keywords}


def connect(params: t.Mapping[str, t.Any]) -> FortiOS:
    """The client that the options describe; nothing is sent yet. Raises FortiOSError for a backup
    that cannot be used.
    """
    if params.get("backup"):
        return BackedUp(params["backup"], vdom=params["vdom"], days=params["backup_days"])
    return FortiOS(
        params["host"],
        params["token"],
        port=params["api_port"],
        vdom=params["vdom"],
        validate_certs=params["validate_certs"],
        ca_path=params["ca_path"],
        timeout=float(params["timeout"]),
    )


def _client(module: t.Any) -> FortiOS:
    """The same, for a module that fails where that cannot be."""
    try:
        return connect(module.params)
    except FortiOSError as error:
        module.fail_json(msg=str(error), changed=False, cost={"requests": 0})
        raise


def _refuse_unusable(module: t.Any, *, writes: bool = False) -> None:
    problems = connection.problems(module.params)
    if writes and module.params.get("backup") and not module.check_mode:
        problems = "A backup is read and never written. Run the task in check mode."
    if problems:
        module.fail_json(msg=problems, changed=False, cost={"requests": 0})


def run(arguments: t.Mapping[str, t.Any], layer_of: t.Callable[..., FortiOSLayer]) -> None:
    """A whole module that writes."""
    module = made(**arguments)
    params = module.params
    _refuse_unusable(module, writes=True)
    wanted = CONTENT if params.get("content") else params.get("snapshot")
    wrong = [
        *([snapshots.check_wanted(params["snapshot"])] if wanted not in (None, CONTENT) else []),
        *([snapshots.check_run_id(params["run_id"])] if params.get("run_id") else []),
        *([_check_lease(params)] if params.get("lease_minutes") is not None else []),
    ]
    if any(wrong):
        module.fail_json(
            msg=f"{' '.join(filter(None, wrong))} Nothing was sent to the device.", changed=False
        )
    with _client(module) as client:
        try:
            layer = layer_of(params, client, check_mode=module.check_mode)
            run_id, hold = params.get("run_id"), None
            if params.get("lease_minutes"):
                hold = Hold(run_id, params["lease_minutes"], local_name())
            folder = Folder(params["snapshot_folder"])
            content = params.get("content")
            port = FortiOSPort(
                client, layer, folder, wanted=wanted, content=content, run_id=run_id, hold=hold
            )
            task = Task(
                check_mode=module.check_mode,
                diff=module._diff,
                accept_risks=params["accept_risks"],
                snapshot=wanted,
                keep_later_changes=bool(params.get("keep_later_changes")),
                run_id=run_id,
                approved=approval.given(params["approved_plan"]),
            )
            result = execute(layer, port, task)
        except Refused as refused:
            tell_warnings(module, refused.result)
            module.fail_json(msg=str(refused), **shortened(refused.result))
        except (FortiOSError, PlanError, RangeError) as error:
            module.fail_json(msg=str(error), changed=False, cost={"requests": client.requests})
    tell_warnings(module, result)
    module.exit_json(**result)


def end_lease(arguments: t.Mapping[str, t.Any]) -> None:
    """A whole module that ends the lease of a run. Nothing is sent to the device."""
    module = made(**arguments)
    params = module.params
    where = f"{params['host']}:{params['api_port']}"
    problem = ""
    if not module.check_mode:
        problem = lease.end(
            Folder(params["snapshot_folder"]), where, params["vdom"], params["run_id"]
        )
    if problem:
        module.warn(
            f"The lease of the FortiGate {where} by the run {params['run_id']} was not ended. "
            f"{problem}"
        )
    module.exit_json(changed=False, ended=not problem and not module.check_mode)


def _check_lease(params: t.Mapping[str, t.Any]) -> str:
    if not params.get("run_id"):
        return "lease_minutes is set without run_id, which says whose the lease is."
    return check_minutes(params["lease_minutes"])


def ask(
    arguments: t.Mapping[str, t.Any], look: t.Callable[[t.Mapping[str, t.Any], FortiOS], Result]
) -> None:
    """A whole module that only reads; `look` gives its result."""
    module = made(**arguments)
    _refuse_unusable(module)
    with _client(module) as client:
        try:
            result = look(module.params, client)
        except (FortiOSError, PlanError, RangeError) as error:
            module.fail_json(msg=str(error), changed=False, cost={"requests": client.requests})
    tell_warnings(module, result)
    module.exit_json(changed=False, cost={"requests": client.requests}, **result)
