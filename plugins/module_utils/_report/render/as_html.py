# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one HTML page, which loads nothing and needs no script.

Read in five seconds: one sentence, where to go first, what changed. Then the causes that sites
share, and every site, worst first.
"""

from __future__ import annotations

import base64
import hashlib
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._drawing import (
    shared,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._fleet import (
    Site,
    worst_first,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._html import (
    Html,
    element,
    together,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._overview import (
    by_cause,
    by_state,
    changed,
    first,
    heading_of,
    headline,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._shown import (
    ALARMING,
    Plain,
    clock,
    count,
    day,
    look,
    rank,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._site import (
    Page,
    site_part,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._style import (
    SIGNS,
    STYLE,
)

# So many sites stand open.
_OPENED = 3
# Up to so many sites, lists have so many entries, and fewer where the page would become too large
# to send: what it leaves out it counts.
_MOST = ((60, 24), (150, 8), (1_000_000, 3))
_FEWEST = 1
_LARGEST = 2_900_000


def render(report: Plain, changes: Plain | None = None) -> str:
    """The page. `changes` are those since the report before, None where there is none."""
    sites = worst_first(report)
    text = ""
    for most in (*(most for upto, most in _MOST if len(sites) <= upto), _FEWEST):
        text = _written(report, changes, sites, Page(report, changes, most))
        if len(text.encode()) <= _LARGEST:
            break
    return text


def _written(report: Plain, changes: Plain | None, sites: t.Sequence[Site], page: Page) -> str:
    body = [
        element("svg", Html(SIGNS), shared(), class_="defs", aria_hidden="true", width=0, height=0),
        element("a", "To the sites", href="#sites", class_="skip"),
        _header(report, sites),
        element(
            "main",
            headline(sites, [str(name) for name in (changes or {}).get("missing_sites") or ()]),
            element("div", first(sites), changed(changes, sites), class_="two"),
            by_cause(sites),
            _sites(page, sites),
        ),
        _footer(report, len(sites)),
    ]
    title = f"{heading_of(sites)[1]} · mail edge"
    html = element("html", _head(title), element("body", body), lang="en")
    return f"<!DOCTYPE html>\n{html}\n"


def _head(title: str) -> Html:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="robots", content="noindex"),
        element("title", title),
        element("link", rel="icon", href="data:,"),
        # A constant of this collection, which holds no end of the element.
        element("style", Html(STYLE)),
    )


_RUNS = {
    "apply": "What was done, and what stands now",
    "drift": "How each site stands to its description",
    "offline": "How each site stood to its description, by dumps",
    "probe": "What was seen from outside",
    "rollback": "What was restored",
}


def _header(report: Plain, sites: t.Sequence[Site]) -> Html:
    playbook = str(report.get("playbook") or "")
    check_mode = bool(report.get("check_mode"))
    about = (
        "What a run would change, and what stands now"
        if check_mode and playbook == "apply"
        else _RUNS.get(playbook, "What was found")
    )
    revision = str(report.get("revision") or "")
    return element(
        "header",
        element("p", "mailedge.lockdown", class_="brand"),
        element("h1", "Mail edge report"),
        element(
            "p",
            element("span", clock(report.get("at"))),
            element("span", count(len(sites), "site")),
            element("span", f"{about} ({playbook}{', check mode' if check_mode else ''})"),
            element("span", "revision ", element("code", revision[:12])) if revision else None,
            class_="about",
        ),
    )


def _sites(page: Page, sites: t.Sequence[Site]) -> Html:
    opened = {site.anchor for site in sites[:_OPENED] if site.state in ALARMING}
    groups = [
        element(
            "section",
            element(
                "h3",
                look(state).heading,
                element("span", f" {len(members)}", class_="number"),
                id=f"state-{look(state).style}-{rank(state)}",
            ),
            [site_part(page, site, shown=site.anchor in opened) for site in members],
            class_="group",
        )
        for state, members in by_state(sites).items()
    ]
    return element(
        "section",
        element("h2", "The sites, worst first", id="sites", tabindex="-1"),
        groups or element("p", "The run had no site.", class_="calm"),
        class_="sites",
    )


def _footer(report: Plain, number: int) -> Html:
    return element(
        "footer",
        element(
            "p",
            "Only what was looked at and found so is called in order. This page tells what one run "
            "saw on ",
            day(report.get("at")),
            f" at {count(number, 'site')}; it loads nothing from elsewhere and runs no script.",
        ),
        element("p", together("Made by ", element("b", "mailedge.lockdown"), ".")),
    )
