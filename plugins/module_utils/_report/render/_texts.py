# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of a report, which somebody else may have chosen, made fit for a format."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    ACCEPTED,
    LISTED,
    NOT_JUDGED,
    NOT_LOOKED_AT,
    NOT_MANAGED,
    RESTORED,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    DRIFT,
    IN_ORDER,
    OPEN,
    UNKNOWN,
)

Plain = t.Mapping[str, t.Any]

FINE = (IN_ORDER, RESTORED, LISTED)
NOT_SEEN = (NOT_LOOKED_AT, NOT_MANAGED, NOT_JUDGED)
LOOKED = (OPEN, DRIFT, ACCEPTED, *FINE)
"""States that only somebody can tell who has looked."""

# Control characters but for the line's end and the tab; halves of a pair; what no XML may hold; and
# what turns the direction of the text that follows.
_UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]"
)


def clean(text: t.Any) -> str:
    """A text without characters that do something to a screen or a parser."""
    return _UNFIT.sub("\ufffd", str(text if text is not None else ""))


def line(text: t.Any) -> str:
    """A text in one line."""
    return " ".join(clean(text).split())


def accepted(finding: Plain) -> bool:
    """Whether the site has accepted a finding."""
    return bool(finding.get("accepted_until") or finding.get("accepted_reason"))


def known(state: t.Any) -> str:
    """A state. Whatever is none is unknown, never in order."""
    states = (*LOOKED, *NOT_SEEN, UNKNOWN)
    return str(state) if state in states else UNKNOWN


def layers(site: Plain) -> t.Iterator[tuple[str, Plain, Plain]]:
    """Host, the host's part of the report, and the record of a layer."""
    for name, host in (site.get("hosts") or {}).items():
        for record in host.get("layers") or ():
            yield name, host, record
