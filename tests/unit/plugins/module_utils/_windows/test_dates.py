# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When Windows was last updated: dates in every form, and what is not known is said."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.dates import (
    last_update,
    read_day,
)

TODAY = datetime.date(2026, 11, 29)
DEFINITIONS = "E0789628-CE08-4437-BE74-2495B842F43B"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("11/15/2026", "2026-11-15"),
        ("1/2/2026", "2026-01-02"),
        ("2026-11-15", "2026-11-15"),
        ("20261115", "2026-11-15"),
        ("2026-11-15T03:04:05.0000000", "2026-11-15"),
        ("20261115030405.000000+060", "2026-11-15"),
        ("15.11.2026", "2026-11-15"),
        ("5.11.2026", "2026-11-05"),
        ("15. 11. 2026", "2026-11-15"),
        ("11/15/2026 12:00:00 AM", "2026-11-15"),
        # tek-tips.com faq 96-7194, which tells the day as well.
        ("01c9c5ce4b48e5fd", "2009-04-25"),
    ],
)
def test_a_day_is_read_in_every_form_that_windows_writes(text: str, day: str) -> None:
    assert read_day(text, TODAY) == datetime.date.fromisoformat(day)


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        "yesterday",
        "31/12/2025",
        "13/13/2025",
        "2026-02-30",
        "0000000000000000",
        "ffffffffffffffff",
        "12/31/1899",
        "1/15/2027",
        "15/11/26",
    ],
)
def test_what_is_no_day_of_the_past_is_not_known(text: str | None) -> None:
    assert read_day(text, TODAY) is None


def fixes(*texts: str) -> list[dict[str, str]]:
    return [{"HotFixID": "KB1", "InstalledOn": text} for text in texts]


def entry(date: str, **more: t.Any) -> dict[str, t.Any]:
    return {
        "title": "Update (KB5)",
        "date": date,
        "operation": 1,
        "result": 2,
        "categories": [],
        **more,
    }


def history(*entries: dict[str, t.Any], total: int | None = None) -> dict[str, t.Any]:
    return {"total": len(entries) if total is None else total, "entries": list(entries)}


def test_the_newest_of_both_records_counts() -> None:
    last = last_update(
        fixes("11/1/2026", "10/1/2026"), history(entry("2026-11-12T01:00:00")), TODAY
    )
    assert (last.day, last.doubt) == (datetime.date(2026, 11, 12), "")


@pytest.mark.parametrize(
    "more",
    [
        {"result": 4},
        {"operation": 2},
        {"categories": [DEFINITIONS]},
        {
            "title": (
                "Security Intelligence-Update für Microsoft Defender Antivirus - KB2267602 "
                "(Version 1.4)"
            )
        },
    ],
)
def test_failures_removals_and_definitions_of_scanners_are_no_updates(
    more: dict[str, t.Any],
) -> None:
    last = last_update(fixes("7/1/2026"), history(entry("2026-11-20T01:00:00", **more)), TODAY)
    assert last.day == datetime.date(2026, 7, 1)


def test_a_list_that_cannot_be_understood_leaves_a_doubt() -> None:
    last = last_update(fixes("7/1/2026", ""), history(), TODAY)
    assert last.day == datetime.date(2026, 7, 1)
    assert "missing or cannot be understood" in last.doubt


def test_nothing_read_is_nothing_known() -> None:
    last = last_update(None, None, TODAY)
    assert last.day is None
    assert "list of installed updates could not be read" in last.doubt
    assert "history of Windows Update could not be read" in last.doubt


def test_an_empty_list_is_no_proof_of_anything() -> None:
    last = last_update([], history(), TODAY)
    assert last.day is None
    assert "empty" in last.doubt


def test_a_history_full_of_definitions_says_so() -> None:
    scanned = [entry("2026-11-20T01:00:00", categories=[DEFINITIONS])] * 3
    last = last_update(None, history(*scanned, total=9000), TODAY)
    assert last.day is None
    assert "newest 3 entries" in last.doubt


def test_a_history_that_is_missing_is_no_doubt_where_the_list_is_whole() -> None:
    assert last_update(fixes("7/1/2026"), None, TODAY).doubt == ""
