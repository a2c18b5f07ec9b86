# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as a short Markdown text for chat and notifications: what changed, which sites are not
in order, worst first, and which causes they share. What does not fit is counted.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._fleet import (
    causes,
    worst_first,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._texts import (
    FINE,
    line,
)

Plain = t.Mapping[str, t.Any]

# So many entries of a list, and characters of a line: a chat cuts what is longer.
_MOST, _LONG = 10, 300
# What Markdown, or the chats that take it for HTML, would not show as it is.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&])")
_STARTS_A_BLOCK = re.compile(r"^(?:[#+=-]|\d+(?=[.)]))")
# A chat makes links of these, and calls people.
_CALLS = re.compile(r"(?i)(\bwww(?=\.)|:(?=//)|@)")


def render(report: Plain, changes: Plain | None = None) -> str:
    """The text."""
    sites = worst_first(report)
    counts: dict[str, int] = {}
    for site in sites:
        counts[site.state] = counts.get(site.state, 0) + 1
    told = ", ".join(f"{number} {state}" for state, number in counts.items()) or "no site"
    parts = [
        f"**Mail edge: {told}** ({plain(report.get('playbook'))}"
        f"{', check mode' if report.get('check_mode') else ''}, {plain(report.get('at'))})",
        *_changed(changes),
    ]
    standing = [site for site in sites if site.state not in FINE]
    parts += _listed(
        "Not in order, worst first",
        [f"**{plain(site.name)}**: {site.state}. {plain(site.line)}" for site in standing],
    )
    shared = [cause for cause in causes(sites) if len(cause.sites) > 1]
    parts += _listed(
        "The same at several sites",
        [
            f"{len(cause.sites)} sites: {plain(cause.example.get('layer'))}, "
            f"{plain(cause.example.get('words'))} "
            f"({plain(', '.join(site.name for site in cause.sites))})"
            for cause in shared
        ],
    )
    return "\n\n".join(parts) + "\n"


def _changed(changes: Plain | None) -> list[str]:
    if changes is None:
        return []
    lines = [
        f"**{plain(name)}**: {plain(was)} → {plain(now)}"
        for name, (was, now) in (changes.get("states") or {}).items()
    ]
    for key, word in (("appeared", "new"), ("gone", "gone")):
        lines += [
            f"{word}: {plain(each.get('site'))}, {plain(each.get('layer'))}: "
            f"{plain(each.get('words'))}"
            for each in changes.get(key) or ()
        ]
    for key, word in (("new_sites", "new site"), ("missing_sites", "not in this run")):
        lines += [f"{word}: {plain(name)}" for name in changes.get(key) or ()]
    since = plain(changes.get("since"))
    return _listed(f"Changed since {since}", lines) or [f"Nothing changed since {since}."]


def _listed(heading: str, lines: t.Sequence[str]) -> list[str]:
    if not lines:
        return []
    more = len(lines) - _MOST
    shown = [f"- {text}" for text in lines[:_MOST]]
    return ["\n".join([f"{heading}:", "", *shown, *([f"- … and {more} more"] if more > 0 else [])])]


def plain(text: t.Any) -> str:
    """A text as Markdown shows it, and not as what Markdown would make of it; cut where long."""
    whole = line(text)
    if len(whole) > _LONG:
        whole = f"{whole[: _LONG - 1].rstrip()}…"
    escaped = _CALLS.sub("\\1\u200b", _SPECIAL.sub(r"\\\1", whole))
    return _STARTS_A_BLOCK.sub(lambda start: f"\u200b{start.group()}", escaped)
