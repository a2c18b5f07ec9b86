# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts of a run as lines for a screen: one a site, worst first, then the details."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    COMPARING,
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


def _word(state: str, *, check_mode: bool) -> str:
    """A state in words: nothing was restored by a rollback that only looked."""
    return f"would be {state}" if check_mode and state == RESTORED else state


def site_line(verdict: SiteVerdict, *, check_mode: bool = False) -> str:
    """One site in one line: its state, and the first thing to know about it."""
    records = [record for host in verdict.hosts for record in host.records]
    parts = [
        _first(verdict),
        _dated(records),
        *(_named(records, state) for state in (NOT_JUDGED, NOT_LOOKED_AT, NOT_MANAGED)),
    ]
    state = _word(verdict.state, check_mode=check_mode)
    return " ".join([f"{verdict.site}: {state}.", *(part for part in parts if part)])


def _first(verdict: SiteVerdict) -> str:
    """What decided the state; for a site in order, what was looked at."""
    if verdict.state in _FINE:
        looked = [
            record for host in verdict.hosts for record in host.records if record.state in _FINE
        ]
        return f"Looked at: {_list(dict.fromkeys(record.layer for record in looked))}."
    for host in verdict.hosts:
        if host.state != verdict.state:
            continue
        worst = next((each for each in host.records if each.state == verdict.state), None)
        if worst is not None:
            record = host.to_blame or worst
            text = record.findings[0] if record.findings else _count(record)
            return f"{host.host}, {record.layer}: {text}".strip()
        if host.trouble:
            return f"{host.host}: {host.trouble}"
    return "Nothing of it was looked at." if verdict.state == UNKNOWN and not _left(verdict) else ""


def _left(verdict: SiteVerdict) -> bool:
    return any(record.left_out for host in verdict.hosts for record in host.records)


def _count(record: Record) -> str:
    """What differs, in a word: never a plan that reads as if it were done."""
    number = len(record.plan)
    if record.state == DRIFT:
        return f"It differs from its description in {number} place{'' if number == 1 else 's'}."
    return ""


def _named(records: t.Iterable[Record], state: str) -> str:
    whys: dict[str, str] = {}
    for record in records:
        if record.state == state:
            whys.setdefault(record.layer, record.findings[0].rstrip(".") if record.findings else "")
    texts = [f"{layer} ({why})" if why else layer for layer, why in whys.items()]
    return f"{state.capitalize()}: {'; '.join(texts)}." if texts else ""


def _dated(records: t.Iterable[Record]) -> str:
    """As of when it was so, where nobody asked the server or device."""
    moments = dict.fromkeys(record.as_of for record in records if record.as_of)
    return f"As of {'; '.join(moments)}." if moments else ""


def _list(items: t.Iterable[str]) -> str:
    return ", ".join(items)


def detail_lines(host: HostVerdict, playbook: str, *, check_mode: bool, verbose: bool) -> list[str]:
    """What else there is to know of one host; nothing where it is in order and nothing was done."""
    lines: list[str] = []
    for record in host.records:
        lines += _record_lines(record, playbook, check_mode=check_mode, verbose=verbose)
    lines += [f"  outside: {look}" for look in host.looks]
    if lines or playbook not in COMPARING or verbose:
        lines += [f"  {text}" for text in shown(host.edge, 1000 if verbose else _MOST)]
    if host.trouble:
        lines.append(f"  {host.trouble}")
    return [f"{host.host}:", *lines] if lines else []


def _record_lines(record: Record, playbook: str, *, check_mode: bool, verbose: bool) -> list[str]:
    if record.state == LISTED:
        return [f"  {text}" for text in record.listed]
    most = 1000 if verbose else _MOST
    if record.state in (NOT_JUDGED, NOT_MANAGED, NOT_LOOKED_AT) or (
        record.state == IN_ORDER and not record.plan and not record.findings
    ):
        return []
    pending = (
        check_mode
        or playbook in COMPARING
        or not record.changed
        or record.state in (UNKNOWN, DRIFT)
    )
    lines = [f"  {record.layer}: {_word(record.state, check_mode=check_mode)}"]
    lines += [f"    {text}" for text in shown(record.findings, most)]
    verb = "a run would" if pending else "done"
    if record.state == UNKNOWN and record.snapshot:
        verb = "perhaps done"
    lines += [f"    {verb}: {text}" for text in shown(record.plan, most)]
    lines += [f"    {text}" for text in shown(_exposed(record, pending=pending), most)]
    return (
        [*lines, f"    the state before is kept as {record.snapshot}"] if record.snapshot else lines
    )


def _exposed(record: Record, *, pending: bool) -> list[str]:
    """Who gets what: what changes, or how it stands where a door is open and nothing changes."""
    if not record.plan:
        return (
            [f"now: {text}" for text in (*record.exposure, *record.after)]
            if record.state == OPEN
            else []
        )
    was, becomes = ("now", "as described") if pending else ("before", "after")
    lines = [f"{was} → {becomes}: {text}" for text in record.exposure if "→" in text]
    if record.before != record.after:
        lines += [f"{was}: {text}" for text in record.before] + [
            f"{becomes}: {text}" for text in record.after
        ]
    return lines
