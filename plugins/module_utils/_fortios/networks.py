# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How FortiOS writes networks."""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Interval,
    RangeError,
    parse_range,
)


def subnet(value: object) -> Interval | None:
    """The addresses of a subnet as FortiOS writes it, `10.0.0.0 255.255.255.0` and in policy routes
    with a slash, or as a user does; None for what is none.
    """
    text = str(value).strip()
    address, _blank, mask = text.replace("/", " ").partition(" ")
    try:
        return parse_range(f"{address}({mask.strip()})" if "." in mask else text)
    except RangeError:
        return None
