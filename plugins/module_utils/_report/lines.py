# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts of a run as lines for a screen: one a site, worst first, then the details."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    LISTED,
    NOT_JUDGED,
    NOT_LOOKED_AT,
    NOT_MANAGED,
    RESTORED,
    HostVerdict,
    Record,
    SiteVerdict,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    DRIFT,
    IN_ORDER,
    OPEN,
    UNKNOWN,
)

# More than this of one kind is counted, not printed; the report in the run's statistics has them
# all.
_MOST = 8

_FINE = (IN_ORDER, RESTORED, LISTED)


def shown(items: t.Sequence[str], most: int = _MOST) -> list[str]:
    """The first items, and how many more there are."""
    if len(items) <= most:
        return list(items)
    return [*items[:most], f"... and {len(items) - most} more, in the report."]


def site_line(verdict: SiteVerdict) -> str:
    """One site in one line: its state, and the first thing to know about it."""
    records = [one for host in verdict.hosts for one in host.records]
    parts = [_first(verdict), *(_named(records, state) for state in (NOT_JUDGED, NOT_LOOKED_AT, NOT_MANAGED))]
    return " ".join([f"{verdict.site}: {verdict.state}.", *(part for part in parts if part)])


def _first(verdict: SiteVerdict) -> str:
    """What decided the state; for a site in order, what was looked at."""
    if verdict.state in _FINE:
        looked = [one for host in verdict.hosts for one in host.records if one.state in _FINE]
        return f"Looked at: {_list(dict.fromkeys(one.layer for one in looked))}."
    for host in verdict.hosts:
        if host.state != verdict.state:
            continue
        for one in host.records:
            if one.state == verdict.state:
                text = one.findings[0] if one.findings else _count(one)
                return f"{host.host}, {one.layer}: {text}".strip()
        if host.trouble:
            return f"{host.host}: {host.trouble}"
    return "Nothing of it was looked at." if verdict.state == UNKNOWN and not _left(verdict) else ""


def _left(verdict: SiteVerdict) -> bool:
    return any(one.left_out for host in verdict.hosts for one in host.records)


def _count(one: Record) -> str:
    """What differs, in a word: never a plan that reads as if it were done."""
    number = len(one.plan)
    if one.state == DRIFT:
        return f"It differs from its description in {number} place{'' if number == 1 else 's'}."
    return ""


def _named(records: t.Iterable[Record], state: str) -> str:
    whys: dict[str, str] = {}
    for one in records:
        if one.state == state:
            whys.setdefault(one.layer, one.findings[0].rstrip(".") if one.findings else "")
    texts = [f"{layer} ({why})" if why else layer for layer, why in whys.items()]
    return f"{state.capitalize()}: {'; '.join(texts)}." if texts else ""


def _list(items: t.Iterable[str]) -> str:
    return ", ".join(items)


def detail_lines(host: HostVerdict, playbook: str, *, check_mode: bool, verbose: bool) -> list[str]:
    """What else there is to know of one host; nothing where it is in order and nothing was done."""
    lines: list[str] = []
    for one in host.records:
        lines += _record_lines(one, playbook, check_mode=check_mode, verbose=verbose)
    lines += [f"  outside: {look}" for look in host.looks]
    if host.trouble:
        lines.append(f"  {host.trouble}")
    return [f"{host.host}:", *lines] if lines else []


def _record_lines(one: Record, playbook: str, *, check_mode: bool, verbose: bool) -> list[str]:
    if one.state == LISTED:
        return [f"  {text}" for text in one.listed]
    most = 1000 if verbose else _MOST
    if one.state in (NOT_JUDGED, NOT_MANAGED, NOT_LOOKED_AT) or (
        one.state == IN_ORDER and not one.plan and not one.findings
    ):
        return []
    pending = check_mode or playbook == "drift" or not one.changed or one.state in (UNKNOWN, DRIFT)
    lines = [f"  {one.layer}: {one.state}"]
    lines += [f"    {text}" for text in shown(one.findings, most)]
    verb = "a run would" if pending else "done"
    lines += [f"    {verb}: {text}" for text in shown(one.plan, most)]
    lines += [f"    {text}" for text in shown(_exposed(one, pending=pending), most)]
    return [*lines, f"    the state before is kept as {one.snapshot}"] if one.snapshot else lines


def _exposed(one: Record, *, pending: bool) -> list[str]:
    """Who gets what: what changes, or how it stands where a door is open and nothing changes."""
    if not one.plan:
        return [f"now: {text}" for text in (*one.exposure, *one.after)] if one.state == OPEN else []
    was, becomes = ("now", "as described") if pending else ("before", "after")
    lines = [f"{was} → {becomes}: {text}" for text in one.exposure if "→" in text]
    if one.before != one.after:
        lines += [f"{was}: {text}" for text in one.before] + [f"{becomes}: {text}" for text in one.after]
    return lines
