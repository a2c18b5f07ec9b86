# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run as plain data: what every rendering and every later comparison reads."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.acceptance import Decision
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.finding import (
    CRITICAL,
    INFO,
    SEVERITIES,
    WARNING,
    Note,
    identity,
    whole,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.lines import site_line
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    ACCEPTED,
    NOT_JUDGED,
    NOT_LOOKED_AT,
    NOT_MANAGED,
    HostVerdict,
    SiteVerdict,
    breaks_promise,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    DRIFT,
    OPEN,
    UNKNOWN,
)

FORMAT = 1
RUN, DESCRIPTION, EDGE = "run", "description", "whole edge"

Plain = dict[str, t.Any]
Controls = t.Mapping[str, t.Mapping[str, t.Sequence[str]]]
"""Layer → what was found, or `*` → the controls that it is about."""


def report_of(
    sites: t.Iterable[SiteVerdict],
    *,
    at: str,
    revision: str,
    playbook: str,
    check_mode: bool,
    unmatched: t.Mapping[str, t.Sequence[str]],
    controls: Controls,
) -> Plain:
    """The report. `at` is the time of the run, `unmatched` are the acceptances of each site that
    fit nothing.
    """
    return {
        "format": FORMAT,
        "at": at,
        "revision": revision,
        "playbook": playbook,
        "check_mode": check_mode,
        "sites": {
            site.site: _site(
                site, playbook, unmatched.get(site.site, ()), controls, check_mode=check_mode
            )
            for site in sites
        },
    }


def _site(
    site: SiteVerdict,
    playbook: str,
    unmatched: t.Sequence[str],
    controls: Controls,
    *,
    check_mode: bool,
) -> Plain:
    findings = [
        finding for host in site.hosts for finding in _of_host(site.site, playbook, host, controls)
    ]
    findings += [_unmatched(site.site, entry) for entry in unmatched]
    findings.sort(
        key=lambda each: (
            SEVERITIES.index(each["severity"]),
            bool(each["accepted_until"]),
            each["id"],
        )
    )
    days = [each["accepted_until"] for each in findings if each["accepted_until"]]
    return {
        "state": site.state,
        "line": site_line(site, check_mode=check_mode),
        "accepted_until": min(days) if days and site.state == ACCEPTED else "",
        "hosts": {host.host: _host(host) for host in site.hosts},
        "findings": findings,
        "not_looked_at": [
            {
                "host": record.host,
                "layer": record.layer,
                "state": record.state,
                "why": " ".join(record.findings),
            }
            for host in site.hosts
            for record in host.records
            if record.state in (NOT_LOOKED_AT, NOT_MANAGED)
        ],
    }


def _host(host: HostVerdict) -> Plain:
    return {
        "state": host.state,
        "trouble": host.trouble,
        "looks": list(host.looks),
        "edge": list(host.edge),
        "doors": [dict(door) for door in host.doors],
        **{
            name: [dict(door) for door in doors]
            for name, doors in (
                ("doors_described", host.doors_described),
                ("doors_before", host.doors_before),
            )
            if doors
        },
        "layers": [record.as_dict() for record in host.records],
    }


def _of_host(site: str, playbook: str, host: HostVerdict, controls: Controls) -> t.Iterator[Plain]:
    if host.trouble:
        note = Note("failed", UNKNOWN, CRITICAL, host.trouble)
        yield _finding(site, host.host, RUN, note, Decision(), controls)
    elif host.state == UNKNOWN and all(record.state != UNKNOWN for record in host.records):
        yield _finding(site, host.host, RUN, _left_out(host), Decision(), controls)
    elif host.state == NOT_JUDGED and breaks_promise(playbook, NOT_JUDGED):
        words = host.reason or "Nothing of it was judged."
        note = Note("not_judged", UNKNOWN, WARNING, words)
        yield _finding(site, host.host, RUN, note, Decision(), controls)
    for record in host.records:
        for note, decision in record.decided:
            yield _finding(site, host.host, record.layer, note, decision, controls)
        if not record.notes and record.state in (OPEN, UNKNOWN, DRIFT):
            for note in whole((), record.state, " ".join(record.findings)):
                yield _finding(site, host.host, record.layer, note, Decision(), controls)


def _left_out(host: HostVerdict) -> Note:
    """Why a host is unknown of which no layer is."""
    whys = [text for record in host.records if record.left_out for text in record.findings]
    words = " ".join(dict.fromkeys(whys)) or "Nothing of it was looked at."
    return Note("not_looked_at", UNKNOWN, WARNING, words)


def _finding(
    site: str, host: str, layer: str, note: Note, decision: Decision, controls: Controls
) -> Plain:
    entry = decision.entry
    about = controls.get(layer) or {}
    return {
        "id": identity(site, host, layer, *note.key),
        "layer": layer,
        "host": host,
        "what": note.what,
        "object": note.subject,
        "property": note.aspect,
        "severity": note.severity,
        "words": note.words,
        "remedy": note.remedy,
        "since": "",
        "accepted_until": entry.until.isoformat() if entry else "",
        "accepted_reason": entry.reason if entry else _ALREADY if note.accepted else "",
        "accepted_by": entry.by if entry else "",
        "due": entry.due if entry else "",
        "wrong_result": bool(entry and entry.wrong_result),
        "controls": list(about.get(note.what) or about.get("*") or ()),
    }


_ALREADY = "The description of the site accepts findings of this kind."


def _unmatched(site: str, entry: str) -> Plain:
    words = (
        f"The entry '{entry}' of mailedge_accepted_drift accepts nothing that this run found. Take "
        "it out, or look whether its id is written as the report has it."
    )
    note = Note("acceptance_unmatched", "", INFO, words, entry)
    return _finding(site, "", DESCRIPTION, note, Decision(), {})
