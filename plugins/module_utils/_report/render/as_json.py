# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as JSON: the report itself, with what is another than before below `changes`."""

from __future__ import annotations

import json
import typing as t

Plain = t.Mapping[str, t.Any]


def render(report: Plain, changes: Plain | None = None) -> str:
    """The document, in ASCII, so that no text in it does anything to a screen."""
    whole = report if changes is None else {**report, "changes": changes}
    return f"{json.dumps(whole, indent=1)}\n"
