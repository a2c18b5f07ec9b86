# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab that was made from a reading answers otherwise than the site did.

The lab is asked what the site was asked. So nothing that the lab cannot carry is lost in silence,
whether somebody thought of it or not.
"""

from __future__ import annotations

import collections
import json
import typing as t

Row = t.Mapping[str, t.Any]

# Another domain controller may answer each time; the lab's objects are as old as the lab.
_PASSING = frozenset({"OriginatingServer", "WhenChangedUTC", "WhenCreatedUTC", "Guid"})
_LONGEST = 60
_MOST = 12


def differences(what: str, wanted: t.Iterable[Row], held: t.Iterable[Row]) -> list[str]:
    """A sentence for each row, or property of a row, in which two answers to one question differ.

    The order of rows, and of texts in a list, means nothing.
    """
    missing, extra = _apart(list(wanted), list(held))
    told: list[str] = []
    for row in missing:
        twin = next((other for other in extra if _named(other) == _named(row)), None)
        if twin is None or not _named(row):
            told.append(f"{what}: {_shown(row)} is not in the lab.")
            continue
        extra.remove(twin)
        told += [
            f"{what} {_named(row)}: {name} is {_text(row.get(name))} on the site and "
            f"{_text(twin.get(name))} in the lab."
            for name in sorted({*row, *twin})
            if name not in _PASSING and _canonical(row.get(name)) != _canonical(twin.get(name))
        ]
    told += [f"{what}: {_shown(row)} is in the lab alone." for row in extra]
    more = len(told) - _MOST
    return told if more <= 0 else [*told[:_MOST], f"{what}: {more} more of this kind."]


def _apart(wanted: list[Row], held: list[Row]) -> tuple[list[Row], list[Row]]:
    """The rows that only one of them has, each as often as it has more of them."""
    keys = [[_key(row) for row in rows] for rows in (wanted, held)]
    counts = [collections.Counter(side) for side in keys]
    lonely = [counts[0] - counts[1], counts[1] - counts[0]]
    apart: list[list[Row]] = [[], []]
    for side, rows in enumerate((wanted, held)):
        for key, row in zip(keys[side], rows):
            if lonely[side][key]:
                lonely[side][key] -= 1
                apart[side].append(row)
    return apart[0], apart[1]


def _key(row: Row) -> str:
    return json.dumps(
        {name: _canonical(value) for name, value in row.items() if name not in _PASSING},
        sort_keys=True,
    )


def _canonical(value: t.Any) -> t.Any:
    if isinstance(value, (list, tuple)):
        if all(isinstance(item, (str, int, float, bool)) or item is None for item in value):
            return sorted(map(str, value))
        return [_canonical(item) for item in value]
    if isinstance(value, t.Mapping):
        return {name: _canonical(inner) for name, inner in value.items()}
    return value


def _named(row: Row) -> str:
    """By what somebody would name a row: its own name, or what kind of it where."""
    if isinstance(row.get("Name"), str):
        return f"'{row['Name']}'"
    parts = [str(row[name]) for name in ("kind", "id", "section", "path") if row.get(name)]
    return f"'{' '.join(parts)}'" if parts else ""


def _shown(row: Row) -> str:
    parts = [
        f"{name}={_text(value)}"
        for name, value in row.items()
        if value not in (None, "", [], False) and name not in _PASSING
    ]
    return ", ".join(parts[:5])


def _text(value: t.Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
