# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cases of a test are for `make test`, and which for `.ci/run` alone."""

from __future__ import annotations

import typing as t

import pytest


def long_after(quick: int, values: t.Iterable[t.Any]) -> list[t.Any]:
    """The first `quick` values as they are, the others marked `long`."""
    return [
        value if number < quick else pytest.param(value, marks=pytest.mark.long)
        for number, value in enumerate(values)
    ]
