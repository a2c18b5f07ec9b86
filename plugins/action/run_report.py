# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run_report: what a run found, on all hosts that were selected; one line a site, worst first."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.fold import FIREWALL, Seen
from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.proof import Looked
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.looks import taken
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.acceptance import (
    Register,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import RUN_REPORT
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.build import report_of
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.delivery import proven
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.finding import (
    WARNING,
    Note,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.lines import (
    detail_lines,
    site_line,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    COMPARING,
    DESCRIBED,
    ELSEWHERE,
    FAIL_ON,
    MANAGED,
    NOT_JUDGED,
    NOT_LOOKED_AT,
    NOT_MANAGED,
    HostVerdict,
    Part,
    Record,
    blind_spots,
    by_site,
    record,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    DRIFT,
    IN_ORDER,
    OPEN,
    UNKNOWN,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.templates import (
    unrendered,
    unrendered_json,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._given_back import taken_back
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._names import (
    told_of_dns,
    told_of_tenant,
    with_unknown_names,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._outside import (
    OUTSIDE,
    outside,
    whole_edge,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._owners import with_unowned
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._planned import planned
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._propagation import (
    awaited_by,
    of_sites,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._registered import (
    UNDO_FIREWALL,
    UNDONE_HOST,
    about_of,
    result_of,
    sites_of,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._report_data import (
    controls,
    revision,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.parts import (
    DNS,
    NOTHING_HANDED_ON,
    TENANT,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._teller import (
    FAILURE,
    RESULT,
    Teller,
    Variables,
    variables_of,
    why_undescribed,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._whole_edge import (
    WAY_IN,
    doors_of,
    edge_of,
    looked_at,
    seen_of,
)

_BEFORE = "__mailedge_look_before"
_DELIVERED = "__mailedge_delivery"
# The layers by which the provider's mail comes in; a change of one of them is what apply waits for.
_ON_THE_WAY = (
    "exchange",
    "windows firewall",
    "windows tls",
    "fortigate feed",
    "fortigate way in",
)
_STRICTEST = "drift"
# What is told and not judged where a run only looks.
_JUDGED = {DNS: (UNKNOWN, DRIFT, IN_ORDER), TENANT: (OPEN, UNKNOWN, DRIFT, IN_ORDER)}

OfHosts = t.Mapping[str, t.Mapping[str, t.Any]]
"""Host → its variables, with what its tasks registered."""


class ActionModule(Teller):
    """The action behind the module of the same name."""

    arguments = RUN_REPORT

    def tell(self, params: dict[str, t.Any], variables: Variables) -> dict[str, t.Any]:
        """Read what every selected host registered, judge it, tell it.

        Never fails a host by itself.
        """
        playbook, of_hosts = params["playbook"], variables_of(params["hosts"], variables)
        now = datetime.datetime.now(datetime.timezone.utc)
        check_mode = bool(variables.get("ansible_check_mode"))
        judge = Judge(
            playbook,
            now.date(),
            fronts(of_hosts),
            of_sites(of_hosts, about_of),
            looks=looks_of(of_hosts),
            sites=sites_of(of_hosts),
            check_mode=check_mode,
        )
        verdicts = with_unowned(
            [judge.host(host, results) for host, results in of_hosts.items()],
            {host: about_of(results) for host, results in of_hosts.items()},
            playbook,
        )
        sites = by_site(verdicts)
        failing = judge.failing(verdicts, fail_on=_fail_on(of_hosts), check_mode=check_mode)
        unmatched = judge.accepted.unmatched(blind_spots(verdicts)) if playbook in DESCRIBED else {}
        lines = [site_line(site, check_mode=check_mode) for site in sites]
        for site in sites:
            for host in site.hosts:
                lines += detail_lines(
                    host,
                    playbook,
                    check_mode=check_mode,
                    verbose=self._display.verbosity > 0,
                )
        lines += [
            f"{name}: mailedge_accepted_drift accepts nothing of this run by '{entry}'."
            for name, entries in unmatched.items()
            for entry in entries
        ]
        # Printed here, and not as part of the result, which would be printed with the whole report
        # in it.
        for line in lines:
            self._display.display(line)
        report = report_of(
            sites,
            at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            revision=revision(variables),
            playbook=playbook,
            check_mode=check_mode,
            unmatched=unmatched,
            controls=controls(),
        )
        snapshots = _snapshots(of_hosts)
        result: dict[str, t.Any] = {
            "changed": False,
            "msg": lines,
            "failed_hosts": failing,
            "verdicts": {verdict.host: verdict.state for verdict in verdicts},
            "snapshots": snapshots,
            "report": report,
            "ansible_stats": _statistics(playbook, report, snapshots),
        }
        if playbook == "apply" and check_mode:
            result["ansible_stats"]["data"]["mailedge_plan"] = planned(
                of_hosts, about_of, result_of
            )
        return result


def _statistics(
    playbook: str, report: dict[str, t.Any], snapshots: dict[str, t.Any]
) -> dict[str, t.Any]:
    """What the run hands on, as set_stats would: a task of its own would template all of it."""
    data = {"mailedge_report": unrendered(report)}
    if playbook == "apply":
        # Also of one that failed. The snapshots of a rollback would restore the lock.
        data["mailedge_snapshots"] = snapshots
    return {"data": data, "per_host": False, "aggregate": False}


def _snapshots(of_hosts: OfHosts) -> dict[str, dict[str, t.Any]]:
    """Host → the snapshots of what this run has changed there, for a rollback without others."""
    handed_on = {}
    for host, variables in of_hosts.items():
        entry: dict[str, t.Any] = {}
        # The undo of a failed run has a snapshot of its own, which restores what failed.
        entry.update((variables.get(f"{RESULT}host") or {}).get("snapshots") or {})
        # The tasks of one run save in one snapshot; the last one has seen all of it.
        for layer in ("fortigate", "fortigate_feed", "fortigate_way_in", "fortigate_way_out"):
            saved = _saved(variables, layer)
            if saved and not (layer == "fortigate" and variables.get(UNDO_FIREWALL)):
                entry["fortigate"] = _kept(saved)
        saved = _saved(variables, "exchange_online")
        if saved:
            entry[TENANT] = _kept(saved)
        if entry:
            handed_on[host] = entry
    return handed_on


def _kept(saved: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {"name": saved["name"], "content": unrendered_json(saved["content"])}


def _saved(variables: t.Mapping[str, t.Any], layer: str) -> t.Mapping[str, t.Any]:
    saved = (variables.get(RESULT + layer) or {}).get("snapshot")
    return saved if isinstance(saved, t.Mapping) else {}


def _on_the_way(variables: t.Mapping[str, t.Any]) -> bool:
    """Whether the run has changed a layer by which the provider's mail comes in."""
    results = (result_of(layer, variables) or {} for layer in _ON_THE_WAY)
    return any(result.get("changed") for result in results)


def fronts(of_hosts: OfHosts) -> dict[str, Seen]:
    """Site → the firewall in front of it, which one of its hosts has read."""
    seen_of_sites = {}
    for variables in of_hosts.values():
        about = about_of(variables)
        seen = seen_of(WAY_IN, FIREWALL, about.get("parts") or {}, result_of(WAY_IN, variables))
        if seen.told is not None and about.get("described"):
            seen_of_sites[str(about["described"]["site"])] = seen
    return seen_of_sites


def looks_of(of_hosts: OfHosts) -> dict[str, list[Looked]]:
    """Site → what all looks of strangers were at, whichever of its hosts took them."""
    looks: dict[str, list[Looked]] = {}
    for variables in of_hosts.values():
        registered, about = variables.get(f"{RESULT}{OUTSIDE}"), about_of(variables)
        if registered and about.get("described"):
            seen = looks.setdefault(str(about["described"]["site"]), [])
            seen += looked_at(registered, taken(registered))
    return looks


def _fail_on(of_hosts: OfHosts) -> dict[str, str]:
    """Host → from which state on it fails. A host without a description fails by the strictest of
    the others'.
    """
    levels = {
        host: str(described.get("fail_on") or _STRICTEST)
        for host, variables in of_hosts.items()
        if (described := about_of(variables).get("described"))
    }
    strictest = next((level for level in FAIL_ON if level in levels.values()), _STRICTEST)
    return {host: levels.get(host, strictest) for host in of_hosts}


class Judge:
    """Turns what hosts registered into verdicts, for one playbook on one day."""

    def __init__(
        self,
        playbook: str,
        today: datetime.date,
        fronts: t.Mapping[str, Seen] | None = None,
        tenants: t.Mapping[str, str] | None = None,
        *,
        looks: t.Mapping[str, t.Sequence[Looked]] | None = None,
        sites: t.Mapping[str, str] | None = None,
        check_mode: bool = False,
    ) -> None:
        self.playbook, self.today, self._fronts = playbook, today, fronts or {}
        self._tenants, self._looks, self._sites = tenants or {}, looks or {}, sites or {}
        self._writes = playbook == "apply" and not check_mode
        self.accepted = Register(today)

    def host(self, host: str, variables: t.Mapping[str, t.Any]) -> HostVerdict:
        """The verdict on one host."""
        about = about_of(variables)
        trouble = str(variables.get(FAILURE) or "")
        why = why_undescribed(variables, about)
        if why:
            site = str(about.get("site") or self._sites.get(host) or host)
            note = Note("not_described" if about else "never_ran", UNKNOWN, WARNING, why)
            nothing = (Record("description", host, UNKNOWN, (why,), notes=(note,)),)
            return HostVerdict(host, site, nothing, never_ran=not about)
        described = about["described"]
        acceptances = self.accepted.of(described)
        records: list[Record] = []
        looks: list[str] = []
        unjudged = self.playbook == "probe" and described.get("probe_expect") == "any"
        until = awaited_by(variables, self._tenants.get(described["site"], ""))
        seen_outside = taken(variables.get(f"{RESULT}{OUTSIDE}"), until)
        names = told_of_dns(
            variables.get(f"{RESULT}{DNS}"),
            seen_outside,
            variables.get(f"{RESULT}names"),
            described,
        )
        stages = (
            about["parts"],
            lambda layer: result_of(layer, variables),
            self._fronts.get(described["site"]),
        )
        edge = edge_of(*stages, self._looks.get(described["site"], ()))
        for layer, part in about["parts"].items():
            given = result_of(layer, variables)
            if layer == OUTSIDE and part["how"] == "managed":
                before = taken(variables.get(_BEFORE))
                seen, looks = outside(
                    self.playbook, host, given, seen_outside, before, edge, acceptances
                )
                records.append(seen if unjudged else with_unknown_names(seen, names))
                continue
            if layer == DNS:
                given = names
            if layer == TENANT and self.playbook == "probe":
                given = told_of_tenant(given)
            layer_record = record(
                layer,
                host,
                Part(part["how"], part["why"]),
                given,
                playbook=self.playbook,
                acceptances=acceptances,
            )
            if layer_record is not None:
                if unjudged and layer_record.state in _JUDGED[layer]:
                    layer_record = dataclasses.replace(layer_record, state=NOT_JUDGED)
                records.append(layer_record)
        if self.playbook in DESCRIBED:
            # A rollback opens doors on purpose.
            states = {each.state for each in records}
            records += whole_edge(host, about["parts"], described, edge, states)
        if trouble:
            trouble = f"{trouble} {self._undone(variables)}"
        elif self._writes and (about["parts"].get("exchange") or {}).get("how") == MANAGED:
            seen_mail = proven(
                host,
                variables.get(_DELIVERED),
                minutes=int(described.get("prove_delivery_minutes") or 0),
                changed=_on_the_way(variables),
            )
            records += [seen_mail] if seen_mail else []
        whys = {part["why"] for part in about["parts"].values() if part["how"] == ELSEWHERE}
        elsewhere = not records and bool(whys)
        return HostVerdict(
            host,
            described["site"],
            tuple(records),
            trouble.strip(),
            tuple(looks),
            elsewhere=elsewhere,
            because=NOTHING_HANDED_ON if NOTHING_HANDED_ON in whys else "",
            edge=tuple(edge.lines),
            doors=tuple(edge.doors),
            doors_described=tuple(doors_of(*stages, "described")),
            doors_before=tuple(doors_of(*stages, "before")),
        )

    def _undone(self, variables: t.Mapping[str, t.Any]) -> str:
        """What became of what a run had changed before it failed."""
        if self.playbook != "apply":
            return ""
        undos = [variables.get(f"{RESULT}fortigate") or {}] if variables.get(UNDO_FIREWALL) else []
        if variables.get("__mailedge_undo_tenant"):
            undos.append(taken_back(variables))
        if variables.get("__mailedge_undo_host"):
            undone = variables.get(UNDONE_HOST) or {}
            undos += list((undone.get("layers") or {}).values()) or [undone]
        if not undos:
            return "This run had changed nothing, so nothing was undone."
        failed = [
            str(undo.get("msg") or "It was not begun.")
            for undo in undos
            if undo.get("failed") or undo.get("unreachable") or not undo
        ]
        failed += [str(sentence) for undo in undos for sentence in undo.get("not_restored") or ()]
        if failed:
            return f"What this run had changed could not be undone as a whole: {' '.join(failed)}"
        return "What this run had changed was undone."

    def failing(
        self,
        verdicts: t.Sequence[HostVerdict],
        *,
        fail_on: t.Mapping[str, str],
        check_mode: bool,
    ) -> dict[str, str]:
        """The hosts that fail → the sentence each fails with."""
        looked = any(
            layer_record.state not in (NOT_MANAGED, NOT_LOOKED_AT)
            for verdict in verdicts
            for layer_record in verdict.records
        )

        def spared(verdict: HostVerdict) -> bool:
            """Whether its state is to be told only."""
            level = FAIL_ON[fail_on.get(verdict.host, _STRICTEST)]
            return self.playbook in COMPARING and looked and verdict.state not in level

        # A host that never ran has nothing to report, so that it fails in any case.
        failing = [
            verdict
            for verdict in verdicts
            if verdict.never_ran
            or (
                not spared(verdict)
                and (verdict.breaks(self.playbook, check_mode=check_mode) or not looked)
            )
        ]
        return {verdict.host: self._sentence(verdict) for verdict in failing}

    def _sentence(self, verdict: HostVerdict) -> str:
        layers = [
            f"{layer_record.layer}: {layer_record.state}"
            for layer_record in verdict.records
            if layer_record.state not in (IN_ORDER, NOT_MANAGED)
        ]
        what = "Not as described" if self.playbook in COMPARING else f"Site '{verdict.site}'"
        text = verdict.trouble or verdict.reason
        return (
            f"{what}: {verdict.host} is {verdict.state} "
            f"({', '.join(layers) or 'nothing was looked at'}). {text}"
        ).strip()
