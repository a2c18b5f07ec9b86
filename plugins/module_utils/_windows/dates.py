# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When Windows was last updated, of what its two records say: dates in whatever form they come.

Win32_QuickFixEngineering has texts, whose form depends on the version and the language of Windows;
the history of Windows Update has times in UTC (learn.microsoft.com, IUpdateHistoryEntry).
"""

from __future__ import annotations

import datetime
import re
import typing as t
from dataclasses import dataclass

Rows = t.Sequence[t.Mapping[str, t.Any]]

_ISO = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ].*|\d{6}\..*)?")
_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: .*)?")
# Every language that parts dates by dots has the day first.
_DOTTED = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})\.?(?: .*)?")
# A FILETIME, 100 ns since 1601, on Windows Server 2008 (tek-tips.com faq 96-7194).
_FILETIME = re.compile(r"(?:0x)?([0-9A-Fa-f]{16})")
_EPOCH = datetime.datetime(1601, 1, 1)

# learn.microsoft.com, "WSUS Classification GUIDs".
_DEFINITIONS = "e0789628-ce08-4437-be74-2495b842f43b"
# Definitions and the platform of Microsoft's virus scanners, where a history has no categories; an
# article's number is the same in every language.
_SCANNER_ARTICLES = re.compile(r"\bKB(?:2267602|915597|2461484|4052623|5007651)\b", re.IGNORECASE)
# learn.microsoft.com, OperationResultCode and UpdateOperation.
_SUCCEEDED, _INSTALLATION = 2, 1


def read_day(value: t.Any, today: datetime.date) -> datetime.date | None:
    """The day that a text of Win32_QuickFixEngineering or of the history means; None for one that
    cannot be understood, or that lies before 2000 or in the future.
    """
    text = str(value or "").strip()
    day: datetime.date | None = None
    try:
        if match := _ISO.fullmatch(text):
            day = datetime.date(int(match[1]), int(match[2]), int(match[3]))
        elif match := _AMERICAN.fullmatch(text):
            # Where the day would be the month, it is of another language, which WMI does not tell.
            day = datetime.date(int(match[3]), int(match[1]), int(match[2]))
        elif match := _DOTTED.fullmatch(text):
            day = datetime.date(int(match[3]), int(match[2]), int(match[1]))
        elif match := _FILETIME.fullmatch(text):
            day = (_EPOCH + datetime.timedelta(microseconds=int(match[1], 16) // 10)).date()
    except (ValueError, OverflowError):
        return None
    if day is None or day.year < 2000 or day > today + datetime.timedelta(days=1):
        return None
    return day


@dataclass(frozen=True)
class LastUpdate:
    """What is known of the last update of Windows.

    `day`: one was installed on that day; None where none is known. `doubt` says in sentences why a
    later one may have been; empty where none was.
    """

    day: datetime.date | None
    doubt: str = ""


def last_update(
    fixes: Rows | None, history: t.Mapping[str, t.Any] | None, today: datetime.date
) -> LastUpdate:
    """The last update that either record tells. `fixes` are rows with `InstalledOn`; `history` has
    `total`, and `entries` newest first. None: could not be read.
    """
    days = [read_day(row.get("InstalledOn"), today) for row in fixes or ()]
    doubts = []
    if fixes is None:
        doubts.append("The list of installed updates could not be read.")
    elif not fixes:
        doubts.append("The list of installed updates is empty.")
    elif None in days:
        doubts.append(
            "The list of installed updates has dates that are missing or cannot be understood."
        )
    if history is None:
        # The list above has every update of Windows itself, so that alone this is no doubt.
        doubts += ["The history of Windows Update could not be read."] if doubts else []
    else:
        entries = history.get("entries") or ()
        days += list(_installed(entries, today))
        if (
            doubts
            and not any(days[len(fixes or ()) :])
            and len(entries) < int(history.get("total") or 0)
        ):
            doubts.append(
                f"None of the newest {len(entries)} entries of the history tells of an update of "
                "Windows."
            )
    known = [day for day in days if day]
    return LastUpdate(max(known) if known else None, " ".join(doubts))


def _installed(entries: Rows, today: datetime.date) -> t.Iterator[datetime.date | None]:
    for entry in entries:
        if entry.get("operation") != _INSTALLATION or entry.get("result") != _SUCCEEDED:
            continue
        categories = {str(category).casefold() for category in entry.get("categories") or ()}
        if _DEFINITIONS not in categories and not _SCANNER_ARTICLES.search(
            str(entry.get("title") or "")
        ):
            yield read_day(entry.get("date"), today)
