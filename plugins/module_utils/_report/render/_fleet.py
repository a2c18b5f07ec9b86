# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sites of a report in the order in which somebody should look at them, each with its place in
the page; and the findings of all sites by their cause.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._shown import (
    Plain,
    accepted,
    known,
    rank,
    severity_rank,
)


@dataclass(frozen=True)
class Site:
    """A site of a report. `anchor` is its place in the page, the same in every report as long as no
    other name looks like it.
    """

    name: str
    anchor: str
    data: Plain

    @property
    def state(self) -> str:
        """Its state, as far as this page knows it."""
        return known(self.data.get("state"))

    @property
    def line(self) -> str:
        """What there is to know first, without its name and state."""
        text = str(self.data.get("line") or "")
        start = f"{self.name}: "
        if text.startswith(start):
            text = text[len(start) :].partition(".")[2].strip()
        return text

    @property
    def findings(self) -> list[Plain]:
        """Worst first; what was accepted last."""
        return sorted(
            self.data.get("findings") or (),
            key=lambda each: (accepted(each), severity_rank(each.get("severity"))),
        )

    @property
    def standing(self) -> list[Plain]:
        """The findings that nobody has accepted, without those that are only told."""
        return [
            finding
            for finding in self.findings
            if not accepted(finding) and finding.get("severity") != "info"
        ]


def worst_first(report: Plain) -> list[Site]:
    """The sites: worst state first, then who has more that is critical, then by name."""
    taken: set[str] = set()
    sites = []
    for name in sorted(report.get("sites") or {}):
        slug = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") or "site"
        anchor = f"site-{slug}"
        number = 2
        while anchor in taken:
            anchor, number = f"site-{slug}-{number}", number + 1
        taken.add(anchor)
        sites.append(Site(name, anchor, report["sites"][name]))
    return sorted(sites, key=lambda site: (rank(site.state), -_critical(site), site.name))


def _critical(site: Site) -> int:
    return sum(severity_rank(finding.get("severity")) == 0 for finding in site.standing)


@dataclass
class Cause:
    """The same thing at some sites: of one layer, by one guard or kind of finding, about one
    property.
    """

    example: Plain
    sites: list[Site] = field(default_factory=list)
    findings: int = 0


def causes(sites: t.Iterable[Site]) -> list[Cause]:
    """What nobody has accepted, by cause: worst first, then what most sites have."""
    told: dict[tuple[str, ...], Cause] = {}
    for site in sites:
        for finding in site.standing:
            cause = told.setdefault(_kind(finding), Cause(finding))
            cause.findings += 1
            if site not in cause.sites[-1:]:
                cause.sites.append(site)
            if severity_rank(finding.get("severity")) < severity_rank(
                cause.example.get("severity")
            ):
                cause.example = finding
    return sorted(
        told.values(),
        key=lambda cause: (
            severity_rank(cause.example.get("severity")),
            -len(cause.sites),
            str(cause.example.get("words")),
        ),
    )


def _kind(finding: Plain) -> tuple[str, ...]:
    # An id is SITE/HOST/LAYER/WHAT/OBJECT/PROPERTY, with a slash in a name escaped.
    parts = str(finding.get("id") or "").split("/")
    what = str(finding.get("what") or (parts[3] if len(parts) > 3 else finding.get("words")))
    return str(finding.get("layer")), what, str(finding.get("property") or "")
