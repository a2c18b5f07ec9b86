# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the result of a module says of a guard."""

from __future__ import annotations

import typing as t

FRONTEND = "Default Frontend EX1"


def said(result: dict[str, t.Any], guard: str) -> str:
    """The sentences of that guard."""
    return " ".join(told["sentence"] for told in result["guards"] if told["id"] == guard)
