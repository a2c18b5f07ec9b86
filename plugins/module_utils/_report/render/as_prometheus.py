# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as metrics for the textfile collector of Prometheus' node_exporter.

A site that nobody looked at has no time of a last look, so that an alert on its age or absence
speaks.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.finding import SEVERITIES
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._texts import (
    FINE,
    LOOKED,
    accepted,
    clean,
    known,
    layers,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import ACCEPTED
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    DRIFT,
    OPEN,
    UNKNOWN,
)

Plain = t.Mapping[str, t.Any]

WHOLE_SITE = "all"
_VALUES = {**dict.fromkeys(FINE, 0), ACCEPTED: 1, DRIFT: 2, UNKNOWN: 3, OPEN: 4}
_NOT_SEEN = -1
_STATE = (
    "mailedge_site_state",
    'The worst state of a layer at the hosts of a site, and of the whole site as layer="all": 0 in '
    "order, 1 accepted, 2 drift, 3 unknown, 4 open, -1 not managed, not looked at or not judged.",
)
_FINDINGS = (
    "mailedge_findings",
    "The findings at a site by severity; those that the site accepts are counted as accepted.",
)
_LOOK = (
    "mailedge_last_look_timestamp_seconds",
    "When a site was looked at; none where nothing of it was.",
)


def render(report: Plain, changes: Plain | None = None) -> str:
    """The metrics. `changes` are not in them."""
    del changes
    # Two names that differ in what cannot be shown are one series, of which the worse value counts:
    # a file with two samples of one series is refused as a whole.
    states: dict[str, int] = {}
    counts: dict[str, int] = {}
    looks: dict[str, int] = {}
    for name, site in (report.get("sites") or {}).items():
        told = [(str(each.get("layer")), known(each.get("state"))) for _n, _h, each in layers(site)]
        for layer, state in [(WHOLE_SITE, known(site.get("state"))), *told]:
            series = _series(_STATE[0], site=name, layer=layer)
            states[series] = max(states.get(series, _NOT_SEEN), _VALUES.get(state, _NOT_SEEN))
        kinds = [
            ACCEPTED if accepted(each) else str(each.get("severity"))
            for each in site.get("findings") or ()
        ]
        for kind in (*SEVERITIES, ACCEPTED):
            series = _series(_FINDINGS[0], site=name, severity=kind)
            counts[series] = max(counts.get(series, 0), kinds.count(kind))
        at = _seconds(site.get("at") or report.get("at"))
        if at is not None and any(state in LOOKED for _layer, state in told):
            series = _series(_LOOK[0], site=name)
            looks[series] = min(looks.get(series, at), at)
    return "".join(
        [
            *_family(_STATE, states),
            *_family(_FINDINGS, counts),
            *_family(_LOOK, looks),
        ]
    )


def _family(about: tuple[str, str], samples: t.Mapping[str, int]) -> t.Iterator[str]:
    name, help_text = about
    yield f"# HELP {name} {_escaped(help_text)}\n# TYPE {name} gauge\n"
    for series, value in samples.items():
        yield f"{series} {value}\n"


def _series(metric: str, **labels: str) -> str:
    pairs = ",".join(f'{name}="{_quoted(text)}"' for name, text in labels.items())
    return f"{metric}{{{pairs}}}"


def _escaped(text: t.Any) -> str:
    """In the text format of Prometheus: the backslash and the end of a line."""
    return clean(text).replace("\\", "\\\\").replace("\r", "\ufffd").replace("\n", "\\n")


def _quoted(text: t.Any) -> str:
    return _escaped(text).replace('"', '\\"')


def _seconds(text: t.Any) -> int | None:
    try:
        # Python 3.9 and 3.10 do not read the Z.
        at = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=datetime.timezone.utc)).timestamp())
