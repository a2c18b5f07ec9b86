# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""host_lock: describe a site, and lock all layers of one of its servers, or give them back, in one
task.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import secrets
import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import HOST_LOCK
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import OFFLINE
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import Refused
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.run import execute
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.snapshot import LATEST
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.finding import OK, UNKNOWN
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure, HostAction
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_port import (
    AgentPort,
    ServerLease,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_reading import (
    Reader,
    read_together,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._host_asked import (
    accept_one_lease,
    refusal_of,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._host_results import (
    Result,
    handed_on,
    in_trouble,
    listed,
    not_done,
    whole_of,
    without_snapshots,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._hybrid import HybridReader
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._layer_action import (
    LayerAction,
    Prepared,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._offline.host import OfflineHost
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._posture import PostureReader
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._profile import profiled
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.description import (
    DESCRIPTION,
    describe_host,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host import SiteOfHost
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host_layers import (
    ACTIONS,
    HOST_LAYERS,
    HOST_PARTS,
    HYBRID,
    POSTURE,
    POSTURE_MODULE,
    HostLayerOfSite,
    posture_options,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._snapshots import KeptFiles

# Layers that write what the posture is judged by.
_JUDGED = frozenset({"windows tls"})
_OPTIONS = ArgumentSpecValidator(**HOST_LOCK)


@dataclasses.dataclass
class _Layer:
    """One layer of the host on its way through the task."""

    of_site: HostLayerOfSite
    action: LayerAction
    params: dict[str, t.Any]
    errors: list[str]
    prepared: Prepared | None = None
    port: AgentPort[t.Any] | None = None

    @property
    def name(self) -> str:
        return self.of_site.name

    def prepare(self) -> Prepared:
        """The options, understood. Raises Failure for what is wrong with them."""
        if self.errors:
            raise Failure(f"{' '.join(self.errors)} Nothing was sent to the server.")
        if self.prepared is None:
            self.prepared = self.action.prepare(self.params)
        return self.prepared

    def run(self, *, check_mode: bool) -> Result:
        """Plan and, unless in check mode, write. Raises AnsibleConnectionFailure."""
        prepared, port = self.prepared, self.port
        if prepared is None or port is None:
            raise Failure("The layer was run before it was prepared. Nothing was changed.")
        task = dataclasses.replace(prepared.task, check_mode=check_mode)

        def work() -> Result:
            try:
                return execute(prepared.layer, port, task)
            except Refused as refused:
                raise Failure(str(refused), **refused.result) from None

        return self.action.guarded(work)


@dataclasses.dataclass
class _Posture:
    """How the server is kept, on its way through the task. It is read with the layers."""

    params: dict[str, t.Any]
    errors: list[str]
    reader: PostureReader | None = None

    def result(self) -> Result:
        """What is not as the site asks: {changed, state, findings}. Raises what a read raises."""
        if self.reader is None:
            raise Failure("The server was judged before it was read. Nothing was changed.")
        whole = self.reader.read()
        # Ansible visits every value several times; what is as it should be is most of them.
        findings = [each for each in whole["findings"] if each["severity"] != OK]
        return {"changed": False, "state": whole["state"], "findings": findings}


class ActionModule(HostAction):
    """The action behind the module of the same name."""

    _offline: OfflineHost | None = None

    def agent(self, errors: t.Sequence[str], *params: t.Mapping[str, t.Any]) -> Agent:
        if self._offline is None or errors:
            return super().agent(errors, *params)
        return self._offline.agent()

    @profiled
    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        """Describe the site unless that was done; bring every layer that is managed here where it
        is to be.
        """
        super(HostAction, self).run(tmp, task_vars)
        variables = task_vars or {}
        checked = _OPTIONS.validate(dict(self._task.args))
        if checked.error_messages:
            return {
                "failed": True,
                "msg": " ".join(f"{str(error).rstrip('.')}." for error in checked.error_messages),
            }
        asked = checked.validated_parameters
        told: Result = {}
        about = variables.get(DESCRIPTION)
        if not about:
            about = describe_host(self._templar, variables, asked["playbook"], None)
            told["description"] = handed_on(about, HOST_PARTS)
            told["warnings"] = about.get("warnings") or []
        if about.get("failed"):
            return {"failed": True, "msg": about["msg"], **told}
        refusal = refusal_of(asked, about, check_mode=bool(self._task.check_mode))
        if refusal:
            return {"failed": True, "msg": f"{refusal} Nothing was sent to the server.", **told}
        if asked["playbook"] == "snapshots" and asked["undo"] is None:
            return {**self._list_snapshots(asked, about, variables), **told}
        undo = {str(name): str(snapshot) for name, snapshot in (asked["undo"] or {}).items()}
        managed = [
            layer
            for layer in HOST_LAYERS
            if layer.name in about["layers"]
            and (asked["layers"] is None or layer.name in asked["layers"])
            and (asked["undo"] is None or layer.name in undo)
        ]
        looks = [
            part
            for part in (HYBRID, POSTURE)
            if part in about["layers"]
            and (asked["layers"] is None or part in asked["layers"])
            and asked["undo"] is None
        ]
        if not managed and not looks:
            return {"changed": False, "skipped": True, "layers": {}, **told}
        self.begin(variables, {})
        if asked["playbook"] == OFFLINE:
            self._offline = OfflineHost(about["described"], variables)
        lease = self._lease_of(asked, about)
        site = SiteOfHost(
            str(variables["inventory_hostname"]),
            about["described"],
            lambda name: self._templar.template(variables[name]) if name in variables else None,
            lease,
        )
        layers = [
            self._layer(of_site, self._options(of_site, site, asked, undo), variables)
            for of_site in managed
        ]
        posture = self._posture(site, variables) if POSTURE in looks else None
        restores = asked["undo"] is not None or asked["playbook"] == "rollback"
        # A layer that is locked alone closes 443 just as well.
        self._hybrid = None if restores else HybridReader(site.described, told=HYBRID in looks)
        if asked["undo"] is None:
            accept_one_lease([layer.params for layer in layers])
        shared = ServerLease()
        goes_on = lease is not None and lease.get("goes_on", False)
        if restores:
            layers.reverse()
            layers, posture, results = self._usable(layers, posture)
        else:
            results = {}
        results |= self._run_all(layers, posture, shared, goes_on=goes_on, restores=restores)
        if restores:
            results = without_snapshots(results, asked["perhaps"] or ())
        if self._offline is not None:
            results = self._offline.dated(results)
        # The description is without a mask: no secret is in it, and a password "relay" would change
        # the name relay.filter.example for other layers.
        whole = self.scrubbed(whole_of(results))
        if shared.own is not None:
            whole["lease"] = shared.own.told()
        warnings = [*told.pop("warnings", ()), *whole.pop("warnings", ())]
        return {**whole, **({"warnings": warnings} if warnings else {}), **told}

    def _options(
        self,
        of_site: HostLayerOfSite,
        site: SiteOfHost,
        asked: t.Mapping[str, t.Any],
        undo: t.Mapping[str, str],
    ) -> Result:
        if asked["undo"] is not None:
            options = of_site.restoring(site, undo[of_site.name])
            # What a run undoes by itself, another one may have found in order: nobody has looked.
            accepted = [risk for risk in options.get("accept_risks") or [] if risk != "leased"]
            return {**options, "accept_risks": accepted, "keep_later_changes": True}
        if asked["playbook"] == "rollback":
            return of_site.restoring(site, of_site.snapshot(site.described))
        return of_site.locking(site)

    def _layer(
        self, of_site: HostLayerOfSite, options: Result, variables: dict[str, t.Any]
    ) -> _Layer:
        """A layer with its options understood, and their secrets known."""
        action: LayerAction = self._action(of_site.module)
        action.begin(variables, options)
        params, errors = action.understand(options)
        self._secrets |= action._secrets
        return _Layer(of_site, action, params, errors)

    def _posture(self, site: SiteOfHost, variables: dict[str, t.Any]) -> _Posture:
        """What is asked of the server, understood."""
        action: HostAction = self._action(POSTURE_MODULE)
        options = posture_options(site)
        action.begin(variables, options)
        return _Posture(*action.understand(options))

    def _action(self, module: str) -> t.Any:
        """The action of another module, for this task and host."""
        return importlib.import_module(f"{ACTIONS}{module}").ActionModule(
            self._task,
            self._connection,
            self._play_context,
            self._loader,
            self._templar,
            self._shared_loader_obj,
        )

    def _usable(
        self, layers: t.Sequence[_Layer], posture: _Posture | None
    ) -> tuple[list[_Layer], _Posture | None, dict[str, Result]]:
        """What of a rollback has options that can be understood, and the results of the rest: what
        is wrong with one layer keeps no other from being given back.
        """

        def tried(layer: _Layer) -> Result:
            layer.prepare()
            return {}

        wrong = {layer.name: self.guarded(functools.partial(tried, layer)) for layer in layers}
        results = {name: result for name, result in wrong.items() if result}
        if posture and posture.errors:
            results[POSTURE] = {"failed": True, "msg": " ".join(posture.errors)}
            posture = None
        return [layer for layer in layers if layer.name not in results], posture, results

    def _run_all(
        self,
        layers: t.Sequence[_Layer],
        posture: _Posture | None,
        lease: ServerLease,
        *,
        goes_on: bool,
        restores: bool,
    ) -> dict[str, Result]:
        """Read layers, hybrid and posture in one call, run the layers, judge the server."""
        hybrid = self._hybrid
        if not layers and not posture and not hybrid:
            return {}
        try:
            problem = self.guarded(lambda: self._read(layers, posture, lease, goes_on=goes_on))
        except AnsibleConnectionFailure as error:
            problem = {"unreachable": True, "msg": self._scrub(str(error))}
        if problem:
            looks = [*([HYBRID] if hybrid and hybrid.told else []), *([POSTURE] if posture else [])]
            return dict.fromkeys([*(layer.name for layer in layers), *looks], problem)
        results = self._run_layers(layers, self._refused(layers), restores=restores)
        if hybrid and hybrid.told:
            port = next((layer.port for layer in layers if layer.name == "exchange"), None)
            exchange = results.get("exchange") or {}
            results[HYBRID] = hybrid.result(port, exchange, check_mode=bool(self._task.check_mode))
        if posture:
            written = any(results[name].get("changed") for name in _JUDGED & results.keys())
            results[POSTURE] = self._judged(posture, again=written and not self._task.check_mode)
        return results

    def _refused(self, layers: t.Iterable[_Layer]) -> dict[str, str]:
        """Those of the layers that the hybrid does not let close 443 yet, and why."""
        refused = self._hybrid.refused() if self._hybrid else {}
        return {layer.name: refused[layer.name] for layer in layers if layer.name in refused}

    def _judged(self, posture: _Posture, *, again: bool) -> Result:
        """How the server is kept; read again where this run has changed something of it.

        What cannot be read then is unknown, and takes back nothing that was locked.
        """
        if again and posture.reader:
            posture.reader.forget()
        try:
            result = self.guarded(posture.result)
        except AnsibleConnectionFailure as error:
            result = {"failed": True, "msg": self._scrub(str(error))}
        if not result.get("failed"):
            return result
        why = f"How the server is kept could not be read: {result['msg']}"
        finding = {"severity": UNKNOWN, "sentence": why, "remedy": "", "accepted": False}
        return {"changed": False, "state": UNKNOWN, "findings": [finding]}

    def _run_layers(
        self, layers: t.Sequence[_Layer], refused: t.Mapping[str, str], *, restores: bool
    ) -> dict[str, Result]:
        """Plan all of them, and only then write, one after the other. `refused` are layers that may
        change nothing, and why.

        What is restored is restored whatever becomes of the others.
        """
        check_mode = bool(self._task.check_mode)
        if restores:
            return {layer.name: self._run_one(layer, check_mode=check_mode) for layer in layers}
        results = {}
        if check_mode or refused or len(layers) > 1:
            # Nothing is written while one of them would be refused.
            results = {layer.name: self._run_one(layer, check_mode=True) for layer in layers}
            for name in refused.keys() & results.keys():
                if results[name].get("plan") and not in_trouble(results[name]):
                    results[name].update(failed=True, changed=False, msg=refused[name])
            failing = [name for name, result in results.items() if in_trouble(result)]
            if check_mode:
                return results
            if failing:
                why = f"{listed(failing)} cannot be changed"
                return {
                    name: result if name in failing else not_done(result, why)
                    for name, result in results.items()
                }
        for number, layer in enumerate(layers):
            written = self._run_one(layer, check_mode=False)
            if written.get("unreachable"):
                # What was planned is what may have been done.
                written = {**results.get(layer.name, {}), **written}
            results[layer.name] = written
            if in_trouble(results[layer.name]):
                why = f"{layer.name} failed before it"
                for later in layers[number + 1 :]:
                    results[later.name] = not_done(results[later.name], why)
                break
        return results

    def _list_snapshots(
        self,
        asked: t.Mapping[str, t.Any],
        about: dict[str, t.Any],
        variables: dict[str, t.Any],
    ) -> Result:
        """What every layer could give back: its snapshots, read in one call."""
        managed = [
            layer
            for layer in HOST_LAYERS
            if layer.name in about["layers"]
            and (asked["layers"] is None or layer.name in asked["layers"])
        ]
        if not managed:
            return {"changed": False, "skipped": True, "layers": {}}
        self.begin(variables, {})
        host = str(variables["inventory_hostname"])
        site = SiteOfHost(host, about["described"], lambda _name: None)
        layers = [
            self._layer(of_site, of_site.restoring(site, LATEST), variables) for of_site in managed
        ]

        def listed() -> Result:
            errors = [error for layer in layers for error in layer.errors]
            kept = KeptFiles.read(self.agent(errors, *(layer.params for layer in layers)))
            results = {}
            for layer in layers:
                held = layer.action.prepare(layer.params).layer
                what = "connectors" if layer.name == "exchange" else layer.name
                results[layer.name] = kept.listed(held.name, held.tables, what)
            return {"changed": False, "layers": results, "server": kept.server}

        return self.scrubbed(self.guarded(listed))

    def _run_one(self, layer: _Layer, *, check_mode: bool) -> Result:
        """The result of one layer, also of a host that does not answer: the report needs it."""
        try:
            return layer.run(check_mode=check_mode)
        except AnsibleConnectionFailure as error:
            result: Result = {"unreachable": True, "msg": self._scrub(str(error))}
            if layer.port and layer.port.unanswered:
                # Nobody knows how far it came: it is to be undone like what is known to be done.
                result.update(changed=True, snapshot=dict(layer.port.unanswered))
            return result

    def _read(
        self,
        layers: t.Sequence[_Layer],
        posture: _Posture | None,
        lease: ServerLease,
        *,
        goes_on: bool,
    ) -> Result:
        """Read what layers and posture need. Gives nothing; raises what a task is failed by."""
        asked: list[_Layer | _Posture] = [*layers, *([posture] if posture else [])]
        errors = [error for each in asked for error in each.errors]
        agent = self.agent(errors, *(each.params for each in asked))
        if posture:
            posture.reader = PostureReader(agent, posture.params)
        for layer in layers:
            prepared = layer.prepare()
            options = prepared.options
            if options.hold and (goes_on or len(layers) > 1):
                # Which of them is the last one that writes is not known yet.
                options = dataclasses.replace(
                    options, hold=dataclasses.replace(options.hold, goes_on=True)
                )
            layer.port = AgentPort(agent, prepared.layer, options, lease)
        readers: list[Reader] = [layer.port for layer in layers if layer.port is not None]
        if posture and posture.reader:
            readers.append(posture.reader)
        if self._hybrid and self._hybrid.asks:
            readers.append(self._hybrid)
        hybrid = self._hybrid
        # What is read once is judged twice: planned and then run, or looked at by the hybrid too.
        twice = hybrid and (hybrid.looks_at_connectors or self._refused(layers))
        if len(readers) > 1 or (readers and (twice or not layers)):
            read_together(agent, readers)
        return {}

    def _lease_of(
        self, asked: t.Mapping[str, t.Any], about: dict[str, t.Any]
    ) -> dict[str, t.Any] | None:
        """The lease of a run that may have to take back what it makes, and of its undo.

        With nothing to prove afterwards, and no other layer, it is over with a task that succeeds.
        """
        if asked["undo"] is not None:
            # A run undoes what it has made under its own lease.
            return {"run_id": asked["run_id"]} if asked["run_id"] else None
        if asked["playbook"] != "apply" or self._task.check_mode:
            return None
        return {
            "run_id": about.get("fortigate_run") or secrets.token_hex(4),
            "minutes": about["described"]["exchange_lease_minutes"],
            "goes_on": bool(set(about["layers"]) - HOST_PARTS),
        }
