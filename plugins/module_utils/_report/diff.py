# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``--diff`` shows for every layer: who gets what, then one line for each differing value."""

from __future__ import annotations

import typing as t

Fields = t.Mapping[str, t.Any]


def field_lines(subject: str, fields: Fields) -> list[str]:
    """``subject: option: value``, one line a value: a long list shows what it gains and loses."""
    lines: list[str] = []
    for name, value in fields.items():
        if isinstance(value, (list, tuple, set, frozenset)):
            entries = sorted(value, key=str) if isinstance(value, (set, frozenset)) else list(value)
            lines += [f"{subject}: {name}: {_shown(entry)}" for entry in entries] or [
                f"{subject}: {name}: none"
            ]
        else:
            lines.append(f"{subject}: {name}: {_shown(value)}")
    return lines


def _shown(value: t.Any) -> str:
    if value is None or value == "":
        return "not set"
    if isinstance(value, t.Mapping):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items())
    return (
        {True: "true", False: "false"}.get(value, str(value))
        if isinstance(value, bool)
        else str(value)
    )


def text_diff(before: t.Iterable[str], after: t.Iterable[str]) -> dict[str, str]:
    """Both sides as Ansible's diff takes them; it marks the lines that differ."""
    return {
        "before": "".join(f"{line}\n" for line in before),
        "after": "".join(f"{line}\n" for line in after),
    }
