# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may stand in a section: attributes with their kinds and defaults, elements, collections with
their keys.

The words are IIS's (IIS_schema.xml); which sections there are stands in
sections.py.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.errors import (
    E_INVALID_DATA,
    ConfigError,
)

Plain = t.Union[bool, int, str]

LOCKS = (
    "lockAttributes",
    "lockAllAttributesExcept",
    "lockElements",
    "lockAllElementsExcept",
    "lockItem",
)
EVERYWHERE = (*LOCKS, "configSource", "configProtectionProvider")
"""Attributes that any element may have (iis.net, "Deep Dive into IIS Configuration")."""


@dataclasses.dataclass(frozen=True)
class Attribute:
    """One attribute. `kind` is string, bool, int, uint, enum, flags or timeSpan, as in
    IIS_schema.xml.
    """

    name: str
    kind: str = "string"
    default: Plain = ""
    required: bool = False
    values: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    not_empty: bool = False
    limits: tuple[int, int] | None = None
    # With True: what lies within is refused (validationParameter "...,exclude").
    excluded: bool = False

    def read(self, text: str) -> Plain:
        """The value of what stands in a file. Raises ConfigError."""
        if self.kind == "bool":
            if text.casefold() not in ("true", "false"):
                raise self._wrong("Must be one of the following strings: true, false")
            return text.casefold() == "true"
        if self.kind in ("int", "uint"):
            if not text.lstrip("-").isascii() or not text.lstrip("-").isdigit():
                raise self._wrong("A number is expected")
            return self._within(int(text))
        if self.kind == "enum":
            for name in self.values:
                if name == text:
                    return name
            raise ConfigError(E_INVALID_DATA, f"Enum must be one of {', '.join(self.values)}\r\n")
        if self.kind == "flags":
            names = [part.strip() for part in text.split(",") if part.strip()]
            if not set(names) <= set(self.values):
                raise ConfigError(
                    E_INVALID_DATA,
                    f"Flags must be some combination of {', '.join(self.values)}\r\n",
                )
            return ", ".join(names)
        if self.not_empty and not text:
            raise self._wrong("String must not be empty")
        return text

    def write(self, value: object) -> str:
        """What is put into a file for a value that a script gives. Raises ConfigError."""
        if self.kind == "enum" and isinstance(value, int) and not isinstance(value, bool):
            for name, number in self.values.items():
                if number == value:
                    return name
            raise ConfigError(E_INVALID_DATA, f"Enum must be one of {', '.join(self.values)}\r\n")
        if isinstance(value, bool):
            text = "true" if value else "false"
        elif isinstance(value, (int, str)):
            text = str(value)
        else:
            raise self._wrong("The value has a type that this attribute cannot take")
        self.read(text)
        return text

    def number(self, value: Plain) -> int | None:
        """The number of an enumeration's value."""
        return self.values.get(str(value)) if self.kind == "enum" else None

    def _within(self, value: int) -> int:
        if self.limits is not None:
            low, high = self.limits
            inside = low <= value <= high
            if inside == self.excluded:
                words = "not be" if self.excluded else "be"
                raise self._wrong(f"Integer value must {words} between {low} and {high} inclusive")
        if self.kind == "uint" and value < 0:
            raise self._wrong("Integer value must not be negative")
        return value

    def _wrong(self, why: str) -> ConfigError:
        return ConfigError(E_INVALID_DATA, f"The '{self.name}' attribute is invalid.  {why}\r\n")


@dataclasses.dataclass(frozen=True)
class Collection:
    """The list that an element holds. `key` are the attributes that tell items apart; none: equal
    items are legal.

    `append`: local items come behind inherited ones (mergeAppend).
    """

    items: t.Mapping[str, Schema]
    key: tuple[str, ...] = ()
    clear: str = ""
    remove: str = ""
    append: bool = True
    duplicates: bool = False


@dataclasses.dataclass(frozen=True)
class Schema:
    """An element. `open`: the lab does not know what may stand in it, and takes anything."""

    attributes: t.Mapping[str, Attribute] = dataclasses.field(default_factory=dict)
    elements: t.Mapping[str, Schema] = dataclasses.field(default_factory=dict)
    collection: Collection | None = None
    open: bool = False

    def attribute(self, name: str) -> Attribute | None:
        """The attribute of a name; what an open element has is text."""
        if name in self.attributes:
            return self.attributes[name]
        if name in EVERYWHERE:
            return Attribute(name, "bool", False) if name == "lockItem" else Attribute(name)
        return Attribute(name) if self.open else None

    def missing(self, present: t.Collection[str]) -> list[str]:
        """Which required attributes are not there."""
        return [
            name
            for name, attribute in self.attributes.items()
            if attribute.required and name not in present
        ]


def attributes(*known: Attribute) -> dict[str, Attribute]:
    return {attribute.name: attribute for attribute in known}


ANYTHING = Schema(open=True)
