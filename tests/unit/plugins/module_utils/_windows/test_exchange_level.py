# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How new an Exchange is: newest, behind, newer than the table, in no table, and how old the table
is.
"""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.exchange_level import (
    Level,
    builtin,
    overridden,
    parse_build,
)

LATER: dict[str, t.Any] = {
    "build": "15.2.2562.99",
    "name": "Exchange SE RTM Nov26SU",
    "released": "2026-11-10",
}


def build(text: str) -> tuple[int, int, int, int]:
    parsed = parse_build(text)
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("15.2.2562.46", (15, 2, 2562, 46)),
        # The long form, whose leading zeroes mean nothing.
        ("15.02.0986.005", (15, 2, 986, 5)),
        ("Version 15.2 (Build 1544.4)", (15, 2, 1544, 4)),
        ("15.2.2562", None),
        ("", None),
        (None, None),
        ("15.2.2562.46 beta", None),
    ],
)
def test_a_build_is_four_numbers(text: str | None, numbers: tuple[int, ...] | None) -> None:
    assert parse_build(text) == numbers


def test_the_table_is_whole_and_in_order() -> None:
    releases = builtin().releases
    assert len(releases) == 338
    assert list(releases) == sorted(releases)
    assert {release.product for release in releases} == {
        "2007",
        "2010",
        "2013",
        "2016",
        "2019",
        "SE",
    }
    assert all(release.day <= builtin().as_of for release in releases)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("15.2.2562.46", Level.NEWEST),
        ("15.2.2562.45", Level.BEHIND),
        ("15.2.2562.17", Level.BEHIND),
        ("15.2.1748.49", Level.NEWEST),
        # The same security update for the cumulative update before.
        ("15.2.1544.44", Level.OLDER_BRANCH),
        ("15.2.1544.43", Level.BEHIND),
        ("15.2.986.5", Level.BEHIND),
        ("15.1.2507.72", Level.NEWEST),
        ("15.2.2562.47", Level.NEWER),
        ("15.2.3000.1", Level.NEWER),
        ("15.3.100.1", Level.NEWER),
        ("16.0.1.1", Level.NEWER),
        ("15.2.2562.44", Level.UNKNOWN),
        ("15.2.1749.0", Level.NEWER),
        ("15.0.1497.46", Level.UNKNOWN),
        ("14.3.513.0", Level.NEWEST),
        ("14.1.218.15", Level.BEHIND),
        ("8.3.517.0", Level.NEWEST),
        ("6.5.7654.4", Level.UNKNOWN),
    ],
)
def test_every_build_has_its_level(text: str, level: Level) -> None:
    assert builtin().level(build(text)) is level


def test_a_table_is_complete_until_the_next_updates() -> None:
    table = builtin()
    assert table.is_complete(table.as_of + datetime.timedelta(days=35))
    assert not table.is_complete(table.as_of + datetime.timedelta(days=36))


def test_a_user_brings_the_table_up_to_date() -> None:
    table = overridden([LATER], "2026-11-20")
    assert table.level(build("15.2.2562.99")) is Level.NEWEST
    assert table.level(build("15.2.2562.46")) is Level.BEHIND
    assert table.is_complete(datetime.date(2026, 11, 29))
    assert builtin().level(build("15.2.2562.99")) is Level.NEWER


def test_everything_wrong_with_a_user_s_table_is_said_at_once() -> None:
    wrong = {"build": "15.2.2562", "name": "Outlook 2016", "released": "11/10/2026"}
    with pytest.raises(PlanError) as caught:
        overridden([wrong], "soon")
    for part in ("'15.2.2562'", "'Outlook 2016'", "'11/10/2026'", "'soon'", "Nothing was sent"):
        assert part in str(caught.value)
