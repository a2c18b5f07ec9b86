# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How parameters of a cmdlet come out of JSON, and what does not bind.

Known from: CIPP and others (a list replaces a multivalued property; adding and removing needs an
object with `@odata.type` `#Exchange.GenericHashTable`, any other object does not bind),
PowerShell's own words for parameters that do not bind, and graph2otel (an enumeration is refused
with all its members). That text for a boolean is refused is PowerShell's rule for one that is bound
by name; whether the service is kinder is unverified.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.refusals import (
    BINDING,
    INVALID,
    TRANSFORMATION,
    CmdletError,
)

Values = dict[str, t.Any]
HASH_TABLE = "#Exchange.GenericHashTable"


class Many(t.NamedTuple):
    """What a multivalued property is to become: a new list, or more and less of the old one."""

    new: tuple[str, ...] | None
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def of(self, held: t.Sequence[str], same: t.Callable[[str], str] = str.casefold) -> list[str]:
        """The list that comes of the one that is held; nothing stands in it twice."""
        gone = {same(value) for value in self.remove}
        wished = self.new
        if wished is None:
            wished = (*(value for value in held if same(value) not in gone), *self.add)
        kept: dict[str, str] = {}
        for value in wished:
            kept.setdefault(same(value), value)
        return list(kept.values())


Kind = t.Callable[[str, t.Any], t.Any]


def text(name: str, value: t.Any) -> str | None:
    """A string, or nothing at all."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _cannot_convert(name, value, "System.String")
    return str(value)


def boolean(name: str, value: t.Any) -> bool:
    """True or false, and neither text nor nothing."""
    if not isinstance(value, bool):
        raise CmdletError(
            TRANSFORMATION,
            f"Cannot process argument transformation on parameter '{name}'. Cannot convert value "
            f'"{value}" to type "System.Boolean". Boolean parameters accept only Boolean values '
            "and numbers, such as $True, $False, 1 or 0.",
        )
    return value


def integer(name: str, value: t.Any) -> int | None:
    """A number."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise _cannot_convert(name, value, "System.Int32")
    try:
        return int(value)
    except ValueError:
        raise _cannot_convert(name, value, "System.Int32") from None


def many(name: str, value: t.Any) -> Many:
    """A multivalued property."""
    if isinstance(value, dict):
        given = dict(value)
        if given.pop("@odata.type", None) != HASH_TABLE:
            raise _cannot_convert(
                name, "System.Object", "Microsoft.Exchange.Data.MultiValuedProperty"
            )
        add, remove = given.pop("Add", []), given.pop("Remove", [])
        if given:
            raise CmdletError(
                INVALID, f"The hash table of '{name}' may have the keys Add and Remove alone."
            )
        return Many(None, _strings(name, add), _strings(name, remove))
    return Many(_strings(name, [] if value is None else value))


def _strings(name: str, value: t.Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    for text in values:
        if not isinstance(text, str):
            raise _cannot_convert(name, text, "Microsoft.Exchange.Data.MultiValuedProperty")
    return tuple(values)


def one_of(type_name: str, *members: str) -> Kind:
    """A member of an enumeration."""

    def convert(name: str, value: t.Any) -> str | None:
        if value is None:
            return None
        for member in members:
            if isinstance(value, str) and member.casefold() == value.casefold():
                return member
        raise CmdletError(
            TRANSFORMATION,
            f"Cannot process argument transformation on parameter '{name}'. Cannot convert value "
            f'"{value}" to type "{type_name}". Error: "Unable to match the identifier name {value} '
            "to a valid enumerator name. Specify one of the following enumerator names and try "
            f'again: {", ".join(members)}"',
        )

    return convert


def _cannot_convert(name: str, value: t.Any, type_name: str) -> CmdletError:
    return CmdletError(
        TRANSFORMATION,
        f"Cannot process argument transformation on parameter '{name}'. Cannot convert value "
        f'"{value}" to type "{type_name}".',
    )


COMMON: t.Mapping[str, Kind] = {"Confirm": boolean, "WhatIf": boolean}


def bound(given: t.Any, known: t.Mapping[str, Kind], mandatory: t.Collection[str]) -> Values:
    """The parameters of a call, named as the cmdlet names them. Raises CmdletError."""
    if not isinstance(given, dict):
        raise CmdletError(BINDING, "Cannot bind parameters: no object.")
    names = {name.casefold(): name for name in known}
    values: Values = {}
    for wanted, value in given.items():
        name = names.get(wanted.casefold())
        if name is None:
            raise CmdletError(
                BINDING, f"A parameter cannot be found that matches parameter name '{wanted}'."
            )
        if name in values:
            raise CmdletError(
                BINDING,
                f"Cannot bind parameter because parameter '{name}' is specified more than once.",
            )
        values[name] = known[name](name, value)
    missing = [name for name in mandatory if values.get(name) in (None, Many(()))]
    if missing:
        raise CmdletError(
            BINDING,
            "Cannot process command because of one or more missing mandatory parameters: "
            f"{' '.join(missing)}.",
        )
    return values
