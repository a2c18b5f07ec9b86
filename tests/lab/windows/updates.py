# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of Windows Update of a lab host, by its COM objects.

Sources: [MS-UAMG] 3.38.4.10, IUpdateSearcher::QueryHistory: an error where the start is not below
the number of entries, hence for an empty history; fewer than asked where there are fewer; newest
first. IUpdateHistoryEntry: times in UTC, ResultCode 2 is succeeded, Operation 1 an installation.
Categories came with IUpdateHistoryEntry2.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.tests.lab.windows.com import (
    INVALID_ARGUMENT,
    UNKNOWN_NAME,
    ComError,
    ComObject,
    Value,
)

SUCCEEDED, FAILED = 2, 4
INSTALLATION, UNINSTALLATION = 1, 2
DEFINITIONS = "e0789628-ce08-4437-be74-2495b842f43b"
SECURITY = "0fa1201d-4330-4fa8-8ae9-b877473b6441"


@dataclass(frozen=True)
class Update:
    """One entry. `categories` None: of the first version of the interface, which has none."""

    title: str
    date: datetime.datetime
    categories: tuple[str, ...] | None = (SECURITY,)
    result: int = SUCCEEDED
    operation: int = INSTALLATION


class _List(ComObject):
    properties = ("Count",)
    methods = ("Item",)

    def __init__(self, held: list[ComObject]) -> None:
        self.held = held

    def get_count(self) -> Value:
        return len(self.held)

    def call_item(self, index: Value) -> Value:
        if not isinstance(index, int) or not 0 <= index < len(self.held):
            raise ComError(
                INVALID_ARGUMENT,
                "Value does not fall within the expected range.",
                "ArgumentException",
            )
        return self.held[index]


class _Category(ComObject):
    properties = ("CategoryID",)

    def __init__(self, category: str) -> None:
        self.category = category

    def get_categoryid(self) -> Value:
        return self.category


class _Entry(ComObject):
    properties = ("Title", "Date", "ResultCode", "Operation", "Categories")

    def __init__(self, update: Update) -> None:
        self.update = update

    def get_title(self) -> Value:
        return self.update.title

    def get_date(self) -> Value:
        return self.update.date

    def get_resultcode(self) -> Value:
        return self.update.result

    def get_operation(self) -> Value:
        return self.update.operation

    def get_categories(self) -> Value:
        if self.update.categories is None:
            raise ComError(UNKNOWN_NAME, "Unknown name.")
        return _List([_Category(category) for category in self.update.categories])


class _Searcher(ComObject):
    methods = ("GetTotalHistoryCount", "QueryHistory")

    def __init__(self, history: History) -> None:
        self.history = history

    def call_gettotalhistorycount(self) -> Value:
        return len(self.history.updates)

    def call_queryhistory(self, start: Value, count: Value) -> Value:
        entries = self.history.newest_first()
        assert isinstance(start, int)
        assert isinstance(count, int)
        if not 0 <= start < len(entries):
            raise ComError(
                INVALID_ARGUMENT,
                "Value does not fall within the expected range.",
                "ArgumentException",
            )
        return _List([_Entry(entry) for entry in entries[start : start + count]])


class Session(ComObject):
    """Microsoft.Update.Session."""

    methods = ("CreateUpdateSearcher",)

    def __init__(self, history: History) -> None:
        self.history = history

    def call_createupdatesearcher(self) -> Value:
        if self.history.denied:
            raise ComError(
                0x80070005,
                "Access is denied. (Exception from HRESULT: 0x80070005 (E_ACCESSDENIED))",
                "UnauthorizedAccessException",
            )
        return _Searcher(self.history)


class History:
    """What was installed. `denied`: the user is no administrator."""

    def __init__(self) -> None:
        self.updates: list[Update] = []
        self.denied = False

    def newest_first(self) -> list[Update]:
        """In the order in which Windows tells them."""
        return sorted(self.updates, key=lambda entry: entry.date, reverse=True)
