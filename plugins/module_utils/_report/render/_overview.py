# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The top of a report's page: how many sites are how, where to go first, what changed, and the
causes that several sites share.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._fleet import (
    Cause,
    Site,
    causes,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._html import (
    Html,
    element,
    together,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._shown import (
    ALARMING,
    FINE,
    WORST_FIRST,
    Plain,
    badge,
    count,
    day,
    known,
    look,
    rank,
    severity_badge,
    sign,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import IN_ORDER

_FIRST, _CAUSES, _NAMES, _CHANGES = 7, 12, 12, 8


def by_state(sites: t.Iterable[Site]) -> dict[str, list[Site]]:
    """The states that there are, worst first, each with its sites."""
    groups: dict[str, list[Site]] = {state: [] for state in WORST_FIRST}
    for site in sites:
        groups[site.state].append(site)
    return {state: members for state, members in groups.items() if members}


def heading_of(sites: t.Sequence[Site]) -> tuple[str, str]:
    """The state that the page is about, and the sentence about it that everybody has to read."""
    if not sites:
        return "unknown", "No site was looked at"
    groups = by_state(sites)
    state, members = next(iter(groups.items()))
    is_one, are = look(state).counted
    if len(members) == len(sites) and len(sites) > 1:
        both = "Both" if len(sites) == 2 else f"All {len(sites)}"
        return look(state).style, f"{both} sites {are}"
    return look(
        state
    ).style, f"{count(len(members), 'site')} {is_one if len(members) == 1 else are}"


def headline(sites: t.Sequence[Site], missing: t.Sequence[str]) -> Html:
    """The sentence, the other states in numbers, and both as a bar."""
    style, words = heading_of(sites)
    groups = by_state(sites)
    entries = [
        element(
            "li",
            element(
                "a",
                sign(look(state).style),
                element("b", len(members)),
                f" {state}",
                href=f"#state-{look(state).style}-{rank(state)}",
                class_=look(state).style,
            ),
        )
        for state, members in groups.items()
    ]
    unseen = sum(bool(site.data.get("not_looked_at")) for site in groups.get(IN_ORDER, ()))
    notes = []
    if unseen:
        notes.append(
            f"Of the sites in order, {unseen} {'has a layer' if unseen == 1 else 'have layers'} "
            "that nobody looked at."
        )
    if missing:
        was = "was" if len(missing) == 1 else "were"
        notes.append(
            f"{count(len(missing), 'site')} of the report before {was} not looked at this time: "
            f"{_names(missing)}."
        )
    return element(
        "section",
        element("p", sign(style), words + ".", class_=f"verdict {style}"),
        _bar(groups) if sites else None,
        element("ul", entries, class_="counts") if entries else None,
        [element("p", note, class_="note") for note in notes],
        class_="headline",
        aria_label="All sites",
    )


def _names(names: t.Sequence[str]) -> str:
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def _bar(groups: t.Mapping[str, t.Sequence[Site]]) -> Html:
    total = sum(map(len, groups.values()))
    left = 0.0
    parts = []
    for state, members in groups.items():
        width = 1000 * len(members) / total
        parts.append(
            element(
                "rect",
                class_=look(state).style,
                x=f"{left:.1f}",
                y=0,
                width=f"{max(width - 3, 2):.1f}",
                height=10,
            )
        )
        left += width
    return element(
        "svg",
        parts,
        class_="bar",
        viewBox="0 0 1000 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def first(sites: t.Sequence[Site]) -> Html:
    """Where to go first."""
    alarming = [site for site in sites if site.state in ALARMING]
    if not alarming:
        return element(
            "section",
            element("h2", "Where to go first"),
            element("p", "Nowhere: no site needs anybody now.", class_="calm")
            if sites and all(site.state in FINE for site in sites)
            else element("p", "No site is open, unknown or drifted.", class_="calm"),
            class_="card",
        )
    entries = [
        element(
            "li",
            element(
                "a",
                sign(look(site.state).style),
                element("b", site.name),
                element("span", f" {site.state}", class_="tag"),
                href=f"#{site.anchor}",
                class_=look(site.state).style,
            ),
            element("span", _why(site), class_="why"),
        )
        for site in alarming[:_FIRST]
    ]
    more = len(alarming) - _FIRST
    return element(
        "section",
        element("h2", "Where to go first"),
        element("ol", entries, class_="first"),
        element("p", f"and {count(more, 'site')} more, worst first, below.", class_="more")
        if more > 0
        else None,
        class_="card",
    )


def _why(site: Site) -> str:
    standing = site.standing
    return str(standing[0].get("words")) if standing else site.line


def changed(changes: Plain | None, sites: t.Sequence[Site]) -> Html:
    """What is otherwise than in the report before."""
    if changes is None:
        return element(
            "section",
            element("h2", "What changed"),
            element("p", "There is no report before this one to compare with.", class_="calm"),
            class_="card",
        )
    anchors = {site.name: site.anchor for site in sites}
    parts = [
        _moved(changes, anchors, worse=True),
        _findings(changes, "appeared", "New findings", anchors),
        _moved(changes, anchors, worse=False),
        _findings(changes, "gone", "No longer there", anchors),
        _sites(changes, "new_sites", "Sites that are new"),
        _sites(changes, "missing_sites", "Sites that nobody looked at this time"),
    ]
    told = [part for part in parts if part]
    return element(
        "section",
        element("h2", "What changed since ", day(changes.get("since"), weekday=True)),
        told or element("p", "Nothing.", class_="calm"),
        class_="card",
    )


def _link(name: str, anchors: t.Mapping[str, str]) -> Html:
    anchor = anchors.get(name)
    return element("a", name, href=f"#{anchor}") if anchor else element("b", name)


def _moved(changes: Plain, anchors: t.Mapping[str, str], *, worse: bool) -> Html | None:
    moves = [
        (name, known(was), known(now))
        for name, (was, now) in (changes.get("states") or {}).items()
        if (rank(now) < rank(was)) == worse and known(was) != known(now)
    ]
    moves.sort(key=lambda move: (rank(move[2]), move[0]))
    if not moves:
        return None
    entries = [
        element(
            "li",
            _link(name, anchors),
            " ",
            badge(was),
            element("span", " → ", class_="to"),
            badge(now),
        )
        for name, was, now in moves[:_CHANGES]
    ]
    title = "Worse" if worse else "Better"
    return _part(f"{title}: {count(len(moves), 'site')}", entries, len(moves))


def _findings(changes: Plain, key: str, title: str, anchors: t.Mapping[str, str]) -> Html | None:
    findings = list(changes.get(key) or ())
    if not findings:
        return None
    entries = [
        element(
            "li",
            severity_badge(finding) if key == "appeared" else None,
            " ",
            _link(str(finding.get("site")), anchors),
            f": {finding.get('words')}",
        )
        for finding in findings[:_CHANGES]
    ]
    return _part(f"{title}: {len(findings)}", entries, len(findings))


def _sites(changes: Plain, key: str, title: str) -> Html | None:
    names = [str(name) for name in changes.get(key) or ()]
    if not names:
        return None
    return together(
        element("h3", f"{title}: {len(names)}"), element("p", _names(names), class_="names")
    )


def _part(title: str, entries: t.Sequence[Html], total: int) -> Html:
    more = total - len(entries)
    rest = element("p", f"and {more} more.", class_="more") if more > 0 else None
    return together(element("h3", title), element("ul", entries, class_="changes"), rest)


def by_cause(sites: t.Sequence[Site]) -> Html | None:
    """What several sites share, so that it is decided and mended once."""
    shared = [cause for cause in causes(sites) if len(cause.sites) > 1]
    if not shared:
        return None
    rows = [_cause(cause) for cause in shared[:_CAUSES]]
    head = [element("th", title, scope="col") for title in ("Cause", "Sites", "Where")]
    more = len(shared) - _CAUSES
    return element(
        "section",
        element("h2", "By cause"),
        element("p", "What several sites share: one decision, and one change for all of them."),
        element(
            "table",
            element("thead", element("tr", head)),
            element("tbody", rows),
            class_="causes",
        ),
        element("p", f"and {count(more, 'cause')} more.", class_="more") if more > 0 else None,
        class_="by-cause",
    )


def _cause(cause: Cause) -> Html:
    remedy = str(cause.example.get("remedy") or "")
    links: list[t.Any] = []
    for site in cause.sites[:_NAMES]:
        links += [", " if links else None, element("a", site.name, href=f"#{site.anchor}")]
    more = len(cause.sites) - _NAMES
    return element(
        "tr",
        element(
            "th",
            element("span", str(cause.example.get("words")), class_="words"),
            element("span", remedy, class_="remedy") if remedy else None,
            element(
                "span",
                severity_badge(cause.example),
                element("span", str(cause.example.get("layer"))),
                class_="about",
            ),
            scope="row",
        ),
        element("td", len(cause.sites), class_="number"),
        element("td", links, f" and {more} more" if more > 0 else None),
    )
