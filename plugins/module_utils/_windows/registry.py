# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of the registry as the agent reads them: a missing value is something else than 0."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

DWORD = "DWord"
"""The kind of a 32-bit number, by .NET's name (RegistryValueKind)."""


@dataclass(frozen=True)
class Value:
    """A value that is there. `data` is an int for numbers, a str for texts, a list of str for lists
    of them and for bytes.
    """

    kind: str
    data: t.Any

    @property
    def number(self) -> int | None:
        """What a DWORD says, as the unsigned number that it is; None for another kind.

        .NET hands 0xFFFFFFFF on as -1.
        """
        if self.kind != DWORD or isinstance(self.data, bool) or not isinstance(self.data, int):
            return None
        return self.data & 0xFFFFFFFF


@dataclass(frozen=True)
class Key:
    """A key. `values` are those that were asked for and are there, by their casefolded names;
    `others` counts its other values, `subkeys` its subkeys.
    """

    exists: bool
    values: t.Mapping[str, Value] = field(default_factory=dict)
    others: int = 0
    subkeys: int = 0

    def value(self, name: str) -> Value | None:
        """The value; None where it is missing."""
        return self.values.get(name.casefold())

    def text(self, name: str) -> str:
        """The data of a text, stripped; empty where it is missing or no text."""
        value = self.value(name)
        return value.data.strip() if value and isinstance(value.data, str) else ""

    def number(self, name: str) -> int | None:
        """The data of a DWORD; None where it is missing or of another kind."""
        value = self.value(name)
        return value.number if value else None


Keys = t.Mapping[str, "Key | None"]
"""Path below HKEY_LOCAL_MACHINE → the key; None where it could not be read."""


def read_step(keys: t.Mapping[str, t.Sequence[str]], **more: t.Any) -> dict[str, t.Any]:
    """The step that reads keys; `keys` maps paths to the names of their values."""
    asked = [{"key": path, "values": list(names)} for path, names in keys.items()]
    return {"op": "registry_read", "keys": asked, **more}


def understand(rows: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, Key | None]:
    """The keys in the rows of an answer."""
    return {str(row["key"]): _key(row) for row in rows}


def _key(row: t.Mapping[str, t.Any]) -> Key | None:
    if row.get("error"):
        return None
    values = {
        str(value["name"]).casefold(): Value(str(value["kind"]), value["data"])
        for value in row.get("values") or ()
    }
    return Key(
        bool(row.get("exists")), values, int(row.get("others") or 0), int(row.get("subkeys") or 0)
    )
