# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the API shows a row, and which rows a filter of a request lets through."""

from __future__ import annotations

import re

from ansible_collections.mailedge.lockdown.tests.lab.fortigate import schema
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.schema import Refused

_FILTER = re.compile(r"([^=!<>]+)(==|!=|=@|!@|<=|>=|<|>)(.*)", re.DOTALL)


def shown(table: schema.Table, row: schema.Row) -> schema.Row:
    """A row as the device answers it: lists of tables, each with its origin key."""
    row_shown: schema.Row = {table.key: row[table.key], "q_origin_key": row[table.key]}
    for name, value in row.items():
        field = table.fields.get(name)
        if field is not None and field.refers:
            row_shown[name] = [{"name": item, "q_origin_key": item} for item in value]
        elif isinstance(value, (list, tuple)):
            row_shown[name] = [
                {**item, "q_origin_key": item.get("range", item.get("id"))} for item in value
            ]
        elif field is not None and name == "password":
            row_shown[name] = "ENC XXXX" if value else ""
        else:
            row_shown[name] = value
    return row_shown


def passes(row: schema.Row, text: str) -> bool:
    """One filter: commas are 'or'."""
    return any(_passes_one(row, part) for part in text.split(","))


def _passes_one(row: schema.Row, text: str) -> bool:
    condition = _FILTER.fullmatch(text)
    if condition is None:
        raise Refused(schema.UNEXPECTED)
    name, operator, wanted = condition.groups()
    value = row.get(name, "")
    held = [str(item) for item in value] if isinstance(value, (list, tuple)) else [str(value)]
    if operator in ("==", "!="):
        return (wanted in held) == (operator == "==")
    if operator in ("=@", "!@"):
        return any(wanted in item for item in held) == (operator == "=@")
    number = float(held[0] or 0)
    return {
        "<": number < float(wanted),
        "<=": number <= float(wanted),
        ">": number > float(wanted),
    }.get(operator, number >= float(wanted))
