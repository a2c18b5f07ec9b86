# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every action does that brings one layer of a server into a described state: its options
become a layer, which the transaction runs over the agent.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    approval,
    snapshot,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Registry
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.layer import HostLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.lease import (
    Hold,
    check_minutes,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import Refused
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.run import (
    Task,
    execute,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure, HostAction
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_lease import who
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_port import (
    AgentPort,
    Options,
)

WITHOUT_EXCHANGE: t.Mapping[str, t.Any] = {"way": "none"}
"""The request's part named shell where nothing of Exchange is asked."""

_NO_NAME = (
    "The option snapshot is empty. Name the snapshot to give back, latest, or original, or leave "
    "the option out."
)


@dataclass(frozen=True)
class Prepared:
    """A task's options, understood: nothing was sent yet."""

    layer: HostLayer[t.Any]
    options: Options
    task: Task


class LayerAction(HostAction):
    """Brings one layer of a server into a described state. A subclass says what its options mean.

    Its module has, as far as it wants them, the options accept_risks, snapshot, snapshot_copy,
    keep_later_changes, time_limit, lease and approved_plan, with the meaning that they have in
    exchange_mail_flow.
    """

    guards: t.ClassVar[Registry]
    """The guards that the option accept_risks may name."""
    lease: dict[str, t.Any] | None = None
    """The lease that the run has after the task, as in the result."""

    def understand(self, args: dict[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
        params, errors = super().understand(args)
        if params.get("snapshot") is not None and not str(params["snapshot"]).strip():
            # A variable that was to name one and is empty must not become a run that does
            # something else, or nothing, and ends well.
            errors = [*errors, _NO_NAME]
        return params, errors

    def check(self, params: dict[str, t.Any]) -> list[str]:
        errors = [self.guards.unknown(params.get("accept_risks") or [])]
        if params.get("snapshot"):
            errors.append(snapshot.check_wanted(params["snapshot"]))
        lease = params.get("lease")
        if lease:
            errors += [
                snapshot.check_run_id(str(lease["run_id"])),
                check_minutes(int(lease["minutes"])),
            ]
        return [error for error in errors if error]

    def layer(self, params: dict[str, t.Any]) -> HostLayer[t.Any]:
        """The layer with the task's options. Raises Failure for what cannot be understood."""
        raise Failure(f"{type(self).__name__} does not say what it describes. Nothing was changed.")

    def shell(self, params: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
        """The part of a request that says how the Exchange shell is opened, if it is."""
        return WITHOUT_EXCHANGE

    def hold(self, params: t.Mapping[str, t.Any]) -> Hold | None:
        """The lease that the task's options ask for."""
        lease = params.get("lease")
        if not lease:
            return None
        return Hold(
            str(lease["run_id"]),
            int(lease["minutes"]),
            who(self._variables),
            bool(lease["goes_on"]),
        )

    def prepare(self, params: dict[str, t.Any]) -> Prepared:
        """Understand checked options. Raises Failure."""
        options = Options(
            shell=self.shell(params),
            time_limit=float(params.get("time_limit") or 300),
            snapshot=params.get("snapshot") or None,
            snapshot_copy=params.get("snapshot_copy"),
            hold=self.hold(params),
            by=who(self._variables),
        )
        task = Task(
            check_mode=bool(self._task.check_mode),
            diff=bool(self._task.diff),
            accept_risks=params.get("accept_risks") or [],
            snapshot=options.snapshot,
            keep_later_changes=bool(params.get("keep_later_changes")),
            run_id=options.hold.run_id if options.hold else None,
            approved=approval.given(params.get("approved_plan")),
        )
        return Prepared(self.layer(params), options, task)

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        """Read, plan, judge; write and read again unless in check mode."""
        prepared = self.prepare(params)
        port = AgentPort(agent, prepared.layer, prepared.options)
        try:
            return execute(prepared.layer, port, prepared.task)
        except Refused as refused:
            raise Failure(str(refused), **refused.result) from None
        finally:
            # Also where the connection was lost, and there is no result.
            self.lease = port.lease()
