# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One site of a report as a part of its page: what to do, the edge, what was not looked at."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.proof import WEB_DOOR
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._drawing import (
    drawing,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._fleet import Site
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._html import (
    Html,
    element,
    together,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._shown import (
    ALARMING,
    FINE,
    Plain,
    accepted,
    badge,
    count,
    day,
    known,
    moment,
    severity_badge,
    sign,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    COMPARING,
    DESCRIBED,
    NOT_LOOKED_AT,
    NOT_MANAGED,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    DRIFT,
    OPEN,
    UNKNOWN,
)

# More like the first ones are folded away.
_ALIKE = 2
# A text of more characters is not set in bold.
_LONG = 140


class Page:
    """What every part of a page needs to know. `most` entries of a list are shown."""

    def __init__(self, report: Plain, changes: Plain | None, most: int) -> None:
        self.playbook = str(report.get("playbook") or "")
        self.check_mode = bool(report.get("check_mode"))
        self.at = moment(report.get("at"))
        self.new = frozenset(str(each.get("id")) for each in (changes or {}).get("appeared") or ())
        self.most = most

    def listed(self, items: t.Sequence[t.Any], class_: str | None = None) -> Html:
        """A list of texts, the rest of a long one counted."""
        entries = [element("li", item) for item in items[: self.most]]
        more = len(items) - self.most
        if more > 0:
            words = f"and {more} more, in the JSON report."
            entries.append(element("li", words, class_="more"))
        return element("ul", entries, class_=class_)

    def folded(self, title: str, *content: t.Any) -> Html:
        """Something that is shown on request."""
        return element("details", element("summary", title), content, class_="fold")

    def pending(self, layer: Plain) -> bool:
        """Whether the plan of a layer was not carried out."""
        return (
            self.check_mode
            or self.playbook in COMPARING
            or not layer.get("changed", True)
            or known(layer.get("state")) in (UNKNOWN, DRIFT)
        )


def site_part(page: Page, site: Site, *, shown: bool) -> Html:
    """The whole part; `shown` says whether its details stand open."""
    line = site.line
    summary = element(
        "summary",
        badge(site.state, check_mode=page.check_mode),
        element("h4", site.name),
        element("span", line, class_="line") if line else None,
    )
    body = element(
        "div",
        _to_do(page, site),
        [_edge(page, name, host) for name, host in (site.data.get("hosts") or {}).items()],
        _not_looked_at(page, site),
        class_="body",
        id=site.anchor,
    )
    kind = "site" if site.state in FINE else "site print"
    return element("details", summary, body, class_=kind, open=shown)


def _hosts(site: Site) -> t.Iterable[Plain]:
    return (site.data.get("hosts") or {}).values()


def _layers(site: Site) -> list[Plain]:
    return [layer for host in _hosts(site) for layer in host.get("layers") or ()]


def _to_do(page: Page, site: Site) -> Html:
    findings = site.findings
    parts: list[Html] = [
        element("p", sign("unknown"), together(name, ": ", str(host["trouble"])), class_="trouble")
        for name, host in (site.data.get("hosts") or {}).items()
        if host.get("trouble")
    ]
    groups: dict[tuple[str, ...], list[Plain]] = {}
    for finding in findings:
        what = str(finding.get("what") or finding.get("id"))
        key = (str(finding.get("host")), str(finding.get("layer")), what, str(accepted(finding)))
        groups.setdefault(key, []).append(finding)
    entries: list[Html] = []
    told = 0
    for group in groups.values():
        # Of a site on which much is wrong, what comes last is counted.
        if told >= page.most * 2:
            break
        told += len(group)
        whole = group if len(group) <= _ALIKE + 1 else group[:_ALIKE]
        entries += [element("li", _finding(page, finding)) for finding in whole]
        if group[len(whole) :]:
            rest = [together(str(finding.get("words"))) for finding in group[len(whole) :]]
            title = f"{len(rest)} more like these"
            entries.append(element("li", page.folded(title, page.listed(rest)), class_="rest"))
    if len(findings) > told:
        words = f"and {count(len(findings) - told, 'finding')} more, in the JSON report."
        entries.append(element("li", words, class_="more"))
    next_step = _next_step(page, site)
    if not entries and not parts and not next_step:
        return element("p", "Nothing to do.", class_="calm")
    return element(
        "section",
        element("h5", "What to do" if site.standing or next_step else "What was noted"),
        parts,
        element("ul", entries, class_="findings") if entries else None,
        element("p", next_step, class_="next") if next_step else None,
    )


def _next_step(page: Page, site: Site) -> Html | None:
    """How to go on from here, as far as the report tells."""
    hosts = ", ".join(site.data.get("hosts") or {})
    planned = [layer for layer in _layers(site) if layer.get("plan") and page.pending(layer)]
    if planned and page.playbook in DESCRIBED:
        return together(
            "Next: run ",
            element("b", "apply"),
            " in check mode for ",
            element("b", hosts),
            " and read what it would change; then run it.",
        )
    if site.state == OPEN and page.playbook in DESCRIBED:
        return together(
            "No run of its description would shut this: the layer that is open is not managed, or "
            "is described like that. A person has to decide."
        )
    return None


def _finding(page: Page, finding: Plain) -> Html:
    about = [
        severity_badge(finding),
        element("span", f"{finding.get('host')}, {finding.get('layer')}")
        if finding.get("host")
        else element("span", str(finding.get("layer"))),
        _since(page, finding),
    ]
    if finding.get("accepted_until"):
        reason = str(finding.get("accepted_reason") or "")
        accepted_until = together("accepted until ", day(finding["accepted_until"]))
        about.append(element("span", accepted_until, f": {reason}" if reason else None))
    elif finding.get("accepted_reason"):
        about.append(element("span", str(finding["accepted_reason"])))
    if finding.get("controls"):
        about.append(element("span", ", ".join(map(str, finding["controls"])), class_="controls"))
    words, remedy = str(finding.get("words")), str(finding.get("remedy") or "")
    return together(
        element("p", words, class_="words long" if len(words) > _LONG else "words"),
        element("p", remedy, class_="remedy") if remedy else None,
        element("p", about, class_="about"),
    )


def _since(page: Page, finding: Plain) -> Html | None:
    if str(finding.get("id")) in page.new:
        return element("span", "new since the report before", class_="new")
    since = moment(finding.get("since"))
    if since is None:
        return None
    days = (page.at - since).days if page.at else 0
    told = f" ({count(days, 'day')})" if days > 0 else ""
    return element("span", "since ", day(finding.get("since")), told)


def _edge(page: Page, name: str, host: Plain) -> Html:
    layers = list(host.get("layers") or ())
    pictures, rows = _pictures(page, name, host, layers)
    return element(
        "section",
        element("h5", "The edge of ", element("b", name)),
        element("div", element("div", pictures, class_="pictures"), rows, class_="view"),
        page.folded(f"Looks from outside ({len(host['looks'])})", page.listed(host["looks"]))
        if host.get("looks")
        else None,
        _exposure(page, layers),
        _plans(page, layers),
        class_="of-host",
    )


def _pictures(
    page: Page, name: str, host: Plain, layers: t.Sequence[Plain]
) -> tuple[list[Html], Html | None]:
    """The drawings, and what they show as a table."""
    now = list(host.get("doors") or ())
    before = list(host.get("doors_before") or ())
    described = list(host.get("doors_described") or ())
    sides = [("Now", now)]
    if before and before != now:
        sides = [("Before the run", before), ("After the run", now)]
    elif described and described != now:
        sides = [("Now", now), ("As described", described)]
    pictures = [
        element(
            "figure",
            element("figcaption", title),
            drawing(
                layers if title in ("Now", "After the run") else None, doors, f"{title}, {name}"
            ),
        )
        for title, doors in sides
    ]
    if not now:
        return pictures, _sentences(page, host)
    head = [element("th", title, scope="col") for title, _doors in sides]
    rows = _rows([doors for _title, doors in sides])
    # A heading over each answer, so that the columns stay wide enough on a phone.
    bodies = [
        element(
            "tbody",
            element(
                "tr",
                element(
                    "th",
                    f"{who} at {_places(doors)}",
                    scope="rowgroup",
                    colspan=len(sides) if len(sides) > 1 else None,
                ),
            ),
            element("tr", [element("td", words or "not told") for words in told]),
        )
        for (who, *told), doors in list(rows.items())[: page.most]
    ]
    table = element(
        "table",
        element("caption", f"What a sender gets at each door of {name}"),
        element("thead", element("tr", head)),
        bodies,
    )
    more = sum(map(len, list(rows.values())[page.most :]))
    rest = element("p", f"and {count(more, 'door')} more.", class_="more") if more > 0 else None
    web = any(door.get("about") == WEB_DOOR for _title, doors in sides for door in doors)
    drawn = element("p", _MAIL_ALONE, class_="more") if web else None
    return pictures, element("div", drawn, table, rest, class_="doors")


_MAIL_ALONE = "Drawn is the way of mail alone; what the web answers stands in the table."

Where = tuple[str, str, int, str]
"""The place of a door, the name that it has there, its port and path."""


def _rows(sides: t.Sequence[t.Sequence[Plain]]) -> dict[tuple[str, ...], list[Where]]:
    """Who gets what on each side → the doors at which that is so."""
    answers: dict[tuple[str, Where], list[str]] = {}
    for column, doors in enumerate(sides):
        for door in doors:
            port = int(door.get("port") or 0)
            names = (str(door.get(part) or "") for part in ("place", "name", "path"))
            place, name, path = names
            key = (str(door.get("who")), (place, name, port, path))
            answers.setdefault(key, [""] * len(sides))[column] = str(door.get("words"))
    rows: dict[tuple[str, ...], list[Where]] = {}
    for (who, where), told in answers.items():
        rows.setdefault((who, *told), []).append(where)
    return rows


def _places(doors: t.Iterable[Where]) -> str:
    """Doors in words: those of one address, and of one web, together."""
    ports: dict[tuple[str, str, bool], dict[int, None]] = {}
    paths: dict[tuple[str, str, bool], dict[str, None]] = {}
    for place, name, port, path in doors:
        key = (place, name, bool(path))
        ports.setdefault(key, {})[port] = None
        paths.setdefault(key, {})[path] = None
    told = []
    for place, name, web in ports:
        numbers = ", ".join(str(port) for port in ports[place, name, web] if port)
        asked = ", ".join(paths[place, name, web])
        told.append(
            f"{place}{f' port {numbers}' if numbers else ''}{f' ({name})' if name else ''}"
            f"{f': {asked}' if asked else ''}"
        )
    return "; ".join(told)


def _sentences(page: Page, host: Plain) -> Html | None:
    edge = [str(text) for text in host.get("edge") or ()]
    if edge:
        return element("div", page.listed(edge), class_="doors")
    words = "What a sender gets at each door is not known from this run."
    return element("p", words, class_="calm")


def _exposure(page: Page, layers: t.Sequence[Plain]) -> Html | None:
    """Who gets what by each layer: what changes, or how it stands where a door is open."""
    rows = []
    for layer in layers:
        pending = page.pending(layer)
        was, becomes = ("now", "as described") if pending else ("before", "after")
        plain = [str(text) for text in layer.get("exposure") or ()]
        before = [str(text) for text in layer.get("before") or ()]
        after = [str(text) for text in layer.get("after") or ()]
        if layer.get("plan"):
            lines = [text for text in plain if "→" in text]
            if before != after:
                lines += [f"{was}: {text}" for text in before]
                lines += [f"{becomes}: {text}" for text in after]
        elif known(layer.get("state")) == OPEN:
            lines = [*plain, *(before or after)]
        else:
            lines = []
        if lines:
            rows.append(
                element(
                    "tr",
                    element("th", str(layer.get("layer")), scope="row"),
                    element("td", badge(str(layer.get("state")), check_mode=page.check_mode)),
                    element("td", page.listed(lines)),
                )
            )
    if not rows:
        return None
    head = [element("th", title, scope="col") for title in ("Layer", "State", "Who gets what")]
    table = element("table", element("thead", element("tr", head)), element("tbody", rows))
    return page.folded(f"Who gets what, layer by layer ({len(rows)})", table)


def _plans(page: Page, layers: t.Sequence[Plain]) -> Html | None:
    parts = []
    changes = 0
    for layer in layers:
        plan = [str(text) for text in layer.get("plan") or ()]
        if not plan:
            continue
        changes += len(plan)
        verb = "a run would" if page.pending(layer) else "done"
        if known(layer.get("state")) == UNKNOWN and layer.get("snapshot"):
            verb = "perhaps done"
        kept = (
            element("p", f"The state before is kept as {layer['snapshot']}.", class_="about")
            if layer.get("snapshot")
            else None
        )
        parts.append(
            together(
                element("p", element("b", str(layer.get("layer"))), f", {verb}:"),
                page.listed(plan),
                kept,
            )
        )
    return page.folded(f"What changes, step by step ({changes})", parts) if parts else None


def _not_looked_at(page: Page, site: Site) -> Html | None:
    told: dict[tuple[str, str, str], list[str]] = {}
    for entry in site.data.get("not_looked_at") or ():
        state = known(entry.get("state") or NOT_LOOKED_AT)
        key = (str(entry.get("layer")), state, str(entry.get("why") or ""))
        told.setdefault(key, []).append(str(entry.get("host")))
    if not told:
        if site.state in ALARMING:
            return None
        return element("p", "Every layer of its description was looked at.", class_="calm")
    several = len(site.data.get("hosts") or {}) > 1
    entries = [
        together(
            element("b", layer),
            f" ({state})" if state == NOT_MANAGED else None,
            f" of {', '.join(hosts)}" if several else None,
            f": {why}" if why else None,
        )
        for (layer, state, why), hosts in told.items()
    ]
    return element(
        "section",
        element("h5", sign("none"), " What was not looked at"),
        page.listed(entries),
        class_="unseen",
    )
