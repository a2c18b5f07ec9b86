# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is another than in the report before: findings that came and went, states, sites."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.build import FORMAT

Plain = dict[str, t.Any]
Report = t.Mapping[str, t.Any]


class ReportError(Exception):
    """A text or a value is no report that this collection can compare."""


def checked(report: t.Any) -> Plain:
    """A report of another run, as far as a comparison reads it. Raises ReportError."""
    if not isinstance(report, t.Mapping) or report.get("format") != FORMAT:
        raise ReportError(f"It is no report of the form {FORMAT}.")
    sites = report.get("sites")
    if not isinstance(report.get("at"), str) or not isinstance(sites, t.Mapping):
        raise ReportError("It says neither when it was made nor of which sites.")
    for site in sites.values():
        findings = site.get("findings") if isinstance(site, t.Mapping) else None
        if not isinstance(findings, (list, tuple)) or not all(map(_is_finding, findings)):
            raise ReportError("A site of it has no list of findings.")
    return t.cast("Plain", report)


def _is_finding(entry: t.Any) -> bool:
    return isinstance(entry, t.Mapping) and isinstance(entry.get("id"), str)


def with_since(report: Report, before: Report | None) -> Plain:
    """The report, each finding with the time since when it is there: that of the report before,
    where that has it, else that of this run.
    """
    older = (before or {}).get("sites") or {}
    return {
        **report,
        "sites": {
            name: {**site, "findings": _since(site, older.get(name), str(report["at"]))}
            for name, site in report["sites"].items()
        },
    }


def _since(site: Report, before: Report | None, at: str) -> list[Plain]:
    known = {
        each["id"]: str(each.get("since") or "") for each in (before or {}).get("findings", ())
    }
    return [{**each, "since": known.get(each["id"]) or at} for each in site["findings"]]


def compared(before: Report, now: Report, *, partial: bool = False) -> Plain:
    """{since, appeared, gone, states, new_sites, missing_sites}; findings with their site.

    `partial`: the run was to see some of the sites only, so that none is missing.
    """
    older, newer = before["sites"], now["sites"]
    both = [name for name in newer if name in older]
    there = {name: {each["id"] for each in site["findings"]} for name, site in newer.items()}
    were = {name: {each["id"] for each in site["findings"]} for name, site in older.items()}
    return {
        "since": before["at"],
        "appeared": [
            {**each, "site": name}
            for name in both
            for each in newer[name]["findings"]
            if each["id"] not in were[name]
        ],
        "gone": [
            {**each, "site": name}
            for name in both
            for each in older[name]["findings"]
            if each["id"] not in there[name]
        ],
        "states": {
            name: [older[name].get("state"), newer[name]["state"]]
            for name in both
            if older[name].get("state") != newer[name]["state"]
        },
        "new_sites": sorted(name for name in newer if name not in older),
        "missing_sites": [] if partial else sorted(name for name in older if name not in newer),
    }


def merged(before: Report | None, now: Report, *, partial: bool) -> Plain:
    """What is known of every site: by this run, and of those that it was not to see by the report
    that saw them last. Each site says when it was looked at.
    """
    sites = {name: {**site, "at": now["at"]} for name, site in now["sites"].items()}
    if partial and before:
        older = {name: {"at": before["at"], **site} for name, site in before["sites"].items()}
        sites = {**older, **sites}
    return {**now, "sites": sites}
