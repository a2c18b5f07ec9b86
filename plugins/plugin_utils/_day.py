# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Days, as people write them into descriptions and lock files."""

from __future__ import annotations

import datetime
import re

# From Python 3.11 on, date.fromisoformat takes 20270131 and the week date 2027-W04-7 as well
# (docs.python.org, datetime.date.fromisoformat): what a description may say would depend on it.
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def day(text: str) -> datetime.date:
    """The day that a text such as 2027-01-31 names. Raises ValueError for every other form."""
    if not _DAY.fullmatch(text):
        raise ValueError(f"'{text}' is not a day such as 2027-01-31")
    return datetime.date.fromisoformat(text)
