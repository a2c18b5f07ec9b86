# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of servers and devices that a later run is given as a variable: Ansible must find no
template in it.

Variables of a command line and of a file are rendered, and a template in the name of a connector
would run on the controller.
"""

from __future__ import annotations

import re
import typing as t

# What begins a template, and what gives the marks of one of its own.
_BEGINS = re.compile(r"\{(?=[{%#])|\A#(?=jinja2:)")


def unrendered(value: t.Any) -> t.Any:
    """The same for reading, with a blank in each mark that would begin a template."""
    if isinstance(value, str):
        return _BEGINS.sub(lambda mark: f"{mark[0]} ", value)
    if isinstance(value, t.Mapping):
        return {unrendered(key): unrendered(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [unrendered(inner) for inner in value]
    return value


def unrendered_json(document: str) -> str:
    """A document in JSON that says the same: there such a mark stands in texts alone."""
    return _BEGINS.sub(lambda mark: f"\\u{ord(mark[0]):04x}", document)
