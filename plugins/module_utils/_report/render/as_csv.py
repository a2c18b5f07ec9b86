# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as CSV for a spreadsheet: one row a finding, and one for a site without any.

A cell that a spreadsheet would take for a formula begins with an apostrophe, which it shows as text
(owasp.org, CSV Injection).
"""

from __future__ import annotations

import csv
import io
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._texts import line

Plain = t.Mapping[str, t.Any]

COLUMNS = (
    "site",
    "state",
    "severity",
    "host",
    "layer",
    "what",
    "object",
    "property",
    "words",
    "remedy",
    "since",
    "accepted_until",
    "accepted_reason",
    "controls",
    "id",
)
# Also as East Asian keyboards write them.
_FORMULA = ("=", "+", "-", "@", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def render(report: Plain, changes: Plain | None = None) -> str:
    """The table, with a heading. `changes` are not in it."""
    del changes
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for name, site in (report.get("sites") or {}).items():
        for finding in site.get("findings") or [{"words": site.get("line")}]:
            row = {**finding, "site": name, "state": site.get("state")}
            row["controls"] = "; ".join(finding.get("controls") or ())
            writer.writerow([_cell(row.get(column)) for column in COLUMNS])
    return text.getvalue()


def _cell(value: t.Any) -> str:
    text = line(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
